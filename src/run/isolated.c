/* SPDX-License-Identifier: MIT */
#include "run/isolated.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"

#define LOCK_FILE "/run/bulkhead.uids"
#define RANGE     65536u

static int open_locks(const char *path, struct error *e)
{
	struct stat st;
	cleanup_fd int fd =
		open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022))
		return error_set(e, BLAME_HOST, 0, "'%s' is not a file of root's alone", path);
	return fd_take(&fd);
}

int isolated_take_from(
	const char *path, uint32_t random, uint32_t *ret_base, int *ret_fd, struct error *e)
{
	cleanup_fd int fd = open_locks(path, e);
	if (fd < 0)
		return -1;
	for (unsigned i = 0; i < ISOLATED_SLOTS; i++) {
		unsigned slot = (random + i) % ISOLATED_SLOTS;
		struct flock lock = {
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = slot, .l_len = 1};
		if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
			*ret_base = ISOLATED_FIRST_UID + slot * RANGE;
			*ret_fd = fd_take(&fd);
			return 0;
		}
		if (errno != EAGAIN && errno != EACCES)
			return error_set(e, BLAME_HOST, errno, "cannot lock '%s'", path);
	}
	return error_set(e, BLAME_HOST, 0, "all %u uid ranges for isolated users are in use",
		ISOLATED_SLOTS);
}

int isolated_take(uint32_t random, uint32_t *ret_base, int *ret_fd, struct error *e)
{
	return isolated_take_from(LOCK_FILE, random, ret_base, ret_fd, e);
}
