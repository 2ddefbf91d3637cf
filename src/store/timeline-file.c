/* SPDX-License-Identifier: MIT */
#include "store/timeline-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/state-dir.h"

int timeline_file_write(int dir, const struct timeline *t, uint64_t *ret_size)
{
	cleanup_buf struct buf text = BUF_INIT;
	timeline_format(t, &text);
	if (run_dir_write(dir, TIMELINE_NAME, buf_str(&text), text.size) < 0)
		return -1;
	*ret_size = text.size;
	return 0;
}

/* A regular file; what else has that name is not waited for. */
static int open_file(int dir)
{
	struct stat st;
	cleanup_fd int fd = openat(
		dir, TIMELINE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	return fd_take(&fd);
}

int timeline_file_read(int dir, struct timeline *ret, size_t *ret_bad)
{
	cleanup_buf struct buf text = BUF_INIT;
	char block[16384];
	ssize_t n = 1;
	cleanup_fd int fd = open_file(dir);
	if (fd < 0)
		return -1;
	while (n > 0 && text.size < TIMELINE_MAX_SIZE) {
		n = read(fd, block, sizeof block);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			buf_add(&text, block, (size_t)n);
		else if (n < 0)
			n = 1;
	}
	*ret_bad = timeline_parse(ret, buf_str(&text), text.size);
	return 0;
}
