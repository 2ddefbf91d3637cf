/* SPDX-License-Identifier: MIT */
#include "run/isolated.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"

#define LOCK_FILE "/run/bulkhead.uids"
#define FIRST_UID 0x70000000u
#define RANGE     65536u
#define SLOTS     4096u

int isolated_take(uint32_t random, uint32_t *ret_base, int *ret_fd, struct error *e)
{
	struct stat st;
	cleanup_fd int fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot open '%s'", LOCK_FILE);
	if (!S_ISREG(st.st_mode) || st.st_uid != 0)
		return error_set(e, BLAME_HOST, 0, "'%s' is not a file of root's", LOCK_FILE);
	for (unsigned i = 0; i < SLOTS; i++) {
		unsigned slot = (random + i) % SLOTS;
		struct flock lock = {
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = slot, .l_len = 1};
		if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
			*ret_base = FIRST_UID + slot * RANGE;
			*ret_fd = fd_take(&fd);
			return 0;
		}
		if (errno != EAGAIN && errno != EACCES)
			return error_set(e, BLAME_HOST, errno, "cannot lock '%s'", LOCK_FILE);
	}
	return error_set(
		e, BLAME_HOST, 0, "all %u uid ranges for isolated users are in use", SLOTS);
}
