/* SPDX-License-Identifier: MIT */
#include "store/exec-log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/* Always more than a line, which is all that is kept of one. */
#define ROOM (2 * EXEC_EVENT_MAX_LINE)

/* A log, and a line that may have been begun just before it was full. */
#define READ_MAX (EXEC_LOG_MAX_BYTES + EXEC_EVENT_MAX_LINE)

struct exec_log_reader {
	int fd;
	off_t at;
	char *text; /* ROOM bytes, of which start to end are not used yet */
	size_t start, end;
	bool skipping; /* in a line that is too long: until its end */
	struct exec_log_faults faults;
};

int exec_log_create(int dir)
{
	return openat(dir, EXEC_LOG_NAME,
		O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
}

struct exec_log_reader *exec_log_open_fd_take(int fd)
{
	struct exec_log_reader *r = calloc(1, sizeof *r);

	if (!r || !(r->text = malloc(ROOM)))
		out_of_memory();
	r->fd = fd;
	return r;
}

int exec_log_open(struct exec_log_reader **ret, int dir, struct error *e)
{
	struct stat st;
	cleanup_fd int fd = openat(
		dir, EXEC_LOG_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot read '" EXEC_LOG_NAME "'");
	if (!S_ISREG(st.st_mode))
		return error_set(e, BLAME_HOST, EINVAL, "cannot read '" EXEC_LOG_NAME "'");
	*ret = exec_log_open_fd_take(fd_take(&fd));
	return 0;
}

uint64_t exec_log_tell(const struct exec_log_reader *r)
{
	return (uint64_t)r->at - (r->end - r->start);
}

void exec_log_seek(struct exec_log_reader *r, uint64_t at)
{
	r->at = (off_t)(at < READ_MAX ? at : READ_MAX);
	r->start = r->end = 0;
}

struct exec_log_faults exec_log_faults(const struct exec_log_reader *r)
{
	return r->faults;
}

void exec_log_close(struct exec_log_reader *r)
{
	if (!r)
		return;
	fd_close(r->fd);
	free(r->text);
	free(r);
}

void exec_log_closep(struct exec_log_reader **r)
{
	exec_log_close(*r);
}

/* More behind what is there. By pread, for the offset may be another process's too. */
static ssize_t fill(struct exec_log_reader *r)
{
	ssize_t n;

	memmove(r->text, r->text + r->start, r->end - r->start);
	r->end -= r->start;
	r->start = 0;
	if ((uint64_t)r->at >= READ_MAX)
		return 0;
	do
		n = pread(r->fd, r->text + r->end, ROOM - r->end, r->at);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		r->end += (size_t)n;
		r->at += n;
	}
	return n;
}

/* Of a line that is longer than any of ours nothing is kept. */
static void skip_long_line(struct exec_log_reader *r)
{
	if (r->end - r->start <= EXEC_EVENT_MAX_LINE)
		return;
	r->faults.damaged += !r->skipping;
	r->skipping = true;
	r->start = r->end;
}

/* The next line, with its newline. 1; 0 at the end; -1 with errno. */
static int next_line(struct exec_log_reader *r, const char **ret, size_t *ret_size)
{
	for (size_t seen = 0;;) {
		char *from = r->text + r->start;
		size_t size = r->end - r->start;
		char *newline = memchr(from + seen, '\n', size - seen);
		if (newline) {
			*ret = from;
			*ret_size = (size_t)(newline - from) + 1;
			r->start += *ret_size;
			return 1;
		}
		skip_long_line(r);
		seen = r->end - r->start;
		ssize_t n = fill(r);
		if (n <= 0) {
			r->faults.torn = r->skipping ? 0 : r->end - r->start;
			return n < 0 ? -1 : 0;
		}
	}
}

int exec_log_next(struct exec_log_reader *r, struct exec_event *ret, struct arena *a)
{
	const char *line;
	size_t size;
	int found;

	while ((found = next_line(r, &line, &size)) > 0) {
		bool rest = r->skipping; /* what a line that was too long ends with */
		r->skipping = false;
		/* one that was begun behind a line that was cut off */
		if (rest || (size == 1 && *line == '\n'))
			continue;
		if (exec_event_parse(ret, line, size, a, NULL) == 0)
			return 1;
		r->faults.damaged++;
	}
	return found;
}
