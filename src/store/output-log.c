/* SPDX-License-Identifier: MIT */
#include "store/output-log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/json-text.h"
#include "store/output-name.h"

static const char *const stream_names[] = {
	[OUTPUT_STDOUT] = "stdout",
	[OUTPUT_STDERR] = "stderr",
};
static_assert(
	sizeof stream_names / sizeof *stream_names == OUTPUT_STREAM_COUNT_, "a name for each");

const char *output_stream_name(enum output_stream stream)
{
	return stream_names[stream == OUTPUT_STDERR];
}

int output_stream_from_name(const char *name)
{
	for (int i = 0; i < OUTPUT_STREAM_COUNT_; i++)
		if (strcmp(name, stream_names[i]) == 0)
			return i;
	return -1;
}

/* One file of the log. */
struct part {
	int fd;
	uint64_t size; /* up to here every line is whole */
	uint64_t content; /* bytes of output that its lines stand for, kept or noted as dropped */
	uint64_t kept;
};

struct output_log {
	int dir;
	struct output_caps caps;
	unsigned segment; /* 0: output.jsonl is still written */
	struct part head;
	struct part last; /* segment K */
	struct part older; /* segment K-1; its fd is closed */
	uint64_t seen;
	uint64_t removed; /* output in segments that were removed */
	uint64_t unnoted; /* output that could not be written, and no line says so yet */
	struct buf line;
};

void output_event_format(
	struct buf *out, uint64_t t_us, enum output_stream stream, const char *data, size_t size)
{
	buf_printf(
		out, "{\"t_us\":%" PRIu64 ",\"stream\":\"%s\",", t_us, output_stream_name(stream));
	if (utf8_prefix(data, size) == size) {
		buf_puts(out, "\"text\":");
		json_put_string(out, data, size);
	} else {
		buf_puts(out, "\"base64\":\"");
		base64_put(out, data, size);
		buf_putc(out, '"');
	}
	buf_puts(out, "}\n");
}

/* @bytes at the end of @part, all or nothing: half of a line would spoil the next one too. */
static int append(struct part *part, const char *bytes, size_t size)
{
	if (fd_write_all(part->fd, bytes, size) == 0) {
		part->size += size;
		return 0;
	}
	int saved = errno;
	if (ftruncate(part->fd, (off_t)part->size) < 0)
		saved = errno;
	errno = saved;
	return -1;
}

static struct part *current(struct output_log *log)
{
	return log->segment == 0 ? &log->head : &log->last;
}

static bool has_room(const struct output_log *log, size_t size)
{
	if (log->segment == 0)
		return log->head.size + size <= log->caps.head_bytes;
	return log->last.content == 0 || log->last.size + size <= log->caps.tail_bytes;
}

static int open_new(int dir, const char *name)
{
	return openat(
		dir, name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/*
 * Go on in a new segment. It says how much is missing before the segment that it leaves, and only
 * then the one before that is removed: at no time is something gone of which no file tells.
 */
static int next_segment(struct output_log *log)
{
	char name[OUTPUT_NAME_SIZE], header[80];
	unsigned k = log->segment + 1;
	cleanup_fd int fd = open_new(log->dir, output_segment_name(k, name));
	if (fd < 0)
		return -1;
	struct part new = {.fd = fd};
	uint64_t removed = log->removed + log->older.content;
	snprintf(header, sizeof header, "{\"segment\":%u,\"dropped_bytes\":%" PRIu64 "}\n", k,
		removed);
	if (append(&new, header, strlen(header)) < 0) {
		int saved = errno;
		unlinkat(log->dir, name, 0);
		errno = saved;
		return -1;
	}
	if (k > 2)
		unlinkat(log->dir, output_segment_name(k - 2, name), 0);
	log->removed = removed;
	log->older = log->last;
	log->older.fd = fd_close(log->older.fd);
	log->last = new;
	log->last.fd = fd_take(&fd);
	log->segment = k;
	return 0;
}

/* The line for what was lost since the last one that could be written, if something was. */
static void format_note(struct output_log *log)
{
	if (log->unnoted)
		buf_printf(&log->line, "{\"dropped_bytes\":%" PRIu64 "}\n", log->unnoted);
}

static int write_line(struct output_log *log, uint64_t content)
{
	if (!has_room(log, log->line.size) && next_segment(log) < 0)
		return -1;
	struct part *part = current(log);
	if (append(part, log->line.data, log->line.size) < 0)
		return -1;
	part->content += content + log->unnoted;
	part->kept += content;
	log->unnoted = 0;
	return 0;
}

/*
 * How much of @data goes into the next line: what is UTF-8, up to a character that is cut off;
 * or, from a byte that is not, all there is.
 */
static size_t event_size(const char *data, size_t size)
{
	if (size > OUTPUT_EVENT_MAX)
		size = OUTPUT_EVENT_MAX;
	size_t valid = utf8_prefix(data, size);
	if (valid > 0 && valid < size && utf8_is_cut(data + valid, size - valid))
		return valid;
	return size;
}

int output_log_write(struct output_log *log, uint64_t t_us, enum output_stream stream,
	const void *data, size_t size)
{
	const char *next = data;
	log->seen += size;
	while (size > 0) {
		size_t n = event_size(next, size);
		buf_clear(&log->line);
		format_note(log);
		output_event_format(&log->line, t_us, stream, next, n);
		if (write_line(log, n) < 0) {
			log->unnoted += size;
			return -1;
		}
		next += n;
		size -= n;
	}
	return 0;
}

struct output_figures output_log_figures(const struct output_log *log)
{
	struct output_figures f = {.seen_bytes = log->seen};
	f.kept_bytes = log->head.kept + log->older.kept + log->last.kept;
	f.dropped_bytes = f.seen_bytes - f.kept_bytes;
	f.disk_bytes = log->head.size + log->older.size + log->last.size;
	return f;
}

/* Remove what an earlier run left. Its writer is gone: the lock shows it. */
static int remove_earlier(int dir)
{
	cleanup_fd int fd =
		openat(dir, OUTPUT_HEAD_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		errno = EBUSY;
		return -1;
	}
	unsigned segments[OUTPUT_MAX_SEGMENTS];
	char name[OUTPUT_NAME_SIZE];
	size_t n = output_segments(dir, segments);
	for (size_t i = 0; i < n; i++)
		unlinkat(dir, output_segment_name(segments[i], name), 0);
	return unlinkat(dir, OUTPUT_HEAD_NAME, 0);
}

static int open_head(int dir, bool replace)
{
	cleanup_fd int fd = open_new(dir, OUTPUT_HEAD_NAME);
	if (fd < 0 && errno == EEXIST && replace && remove_earlier(dir) == 0)
		fd = open_new(dir, OUTPUT_HEAD_NAME);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	return fd_take(&fd);
}

int output_log_open(struct output_log **ret, int dir, const struct output_caps *caps, bool replace,
	struct error *e)
{
	int fd = open_head(dir, replace);
	if (fd < 0)
		return error_set(
			e, BLAME_HOST, errno, "cannot begin the log '" OUTPUT_HEAD_NAME "'");
	struct output_log *log = calloc(1, sizeof *log);
	if (!log)
		out_of_memory();
	log->dir = dir;
	log->caps = *caps;
	log->head.fd = fd;
	log->last.fd = log->older.fd = -1;
	*ret = log;
	return 0;
}

void output_log_close(struct output_log *log)
{
	if (!log)
		return;
	if (log->unnoted) {
		buf_clear(&log->line);
		format_note(log);
		append(current(log), log->line.data, log->line.size);
	}
	fd_close(log->head.fd);
	fd_close(log->last.fd);
	buf_fini(&log->line);
	free(log);
}
