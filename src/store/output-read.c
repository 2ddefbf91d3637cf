/* SPDX-License-Identifier: MIT */
#include "store/output-read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/json-text.h"
#include "store/output-name.h"

/* Six for each byte of output, when all of them are escaped, and what is around them. */
#define LINE_MAX_SIZE   (OUTPUT_EVENT_MAX * 6 + 4096)
#define LINE_FIRST_SIZE 8192

/*
 * No more is looked through for a line of a log in one go, forwards or back from the end. The box may be able
 * to write to the file (--log DIR), and to give it terabytes that take no room on a disk.
 */
#define PASSED_MAX ((off_t)4 << 20)

/* output.jsonl, and the last two segments. */
#define MAX_FILES 3

struct output_reader {
	int fds[MAX_FILES];
	unsigned segment[MAX_FILES]; /* their numbers; 0: output.jsonl */
	size_t n_files, file; /* file: which is being read */
	uint64_t missing; /* between the first file and the second */
	uint64_t torn; /* bytes of a last line that could not be removed */
	bool live; /* its writer is at work */

	int dir; /* to look for newer segments in; -1: the end is the end */
	bool newer; /* there are: what is still unread of this file is all of it */
	uint64_t accounted; /* of output behind the first file: read, or said to be missing */

	char *text; /* room bytes, at most LINE_MAX_SIZE, of which start to end are not used yet */
	size_t start, end, room;
	uint64_t skipped; /* of a line that is too long */

	json_t *line; /* what the last event points into */
	struct buf decoded;
};

static int open_file(int dir, const char *name)
{
	int flags = O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK; /* a FIFO must not stop us */
	int fd = openat(dir, name, O_RDWR | O_APPEND | flags);
	if (fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM))
		fd = openat(dir, name, O_RDONLY | flags);
	struct stat st;
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		fd_close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

/* Where the last whole line of @fd ends; -1 if that is too far back, or cannot be read. */
static off_t end_of_lines(int fd, off_t size)
{
	char block[4096];
	const off_t least = size > PASSED_MAX ? size - PASSED_MAX : 0;
	while (size > least) {
		off_t from = size > (off_t)sizeof block ? size - (off_t)sizeof block : 0;
		ssize_t n = pread(fd, block, (size_t)(size - from), from);
		if (n <= 0)
			return -1;
		const char *newline = memrchr(block, '\n', (size_t)n);
		if (newline)
			return from + (newline - block) + 1;
		size = from;
	}
	return size > 0 ? -1 : 0;
}

/* Remove a last line that is cut off. Returns how long it was when it is still there, else 0. */
static uint64_t repair(int fd)
{
	struct stat st;
	char note[64];
	if (fstat(fd, &st) < 0)
		return 0;
	off_t whole = end_of_lines(fd, st.st_size);
	if (whole < 0 || whole == st.st_size)
		return 0;
	uint64_t torn = (uint64_t)(st.st_size - whole);
	snprintf(note, sizeof note, "{\"repaired\":{\"removed_bytes\":%" PRIu64 "}}\n", torn);
	if (ftruncate(fd, whole) < 0 || fd_write_all(fd, note, strlen(note)) < 0)
		return torn;
	lseek(fd, 0, SEEK_SET);
	return 0;
}

static void add_file(struct output_reader *r, int dir, const char *name, unsigned segment)
{
	int fd = open_file(dir, name);
	if (fd < 0)
		return;
	r->segment[r->n_files] = segment;
	r->fds[r->n_files++] = fd;
}

static int open_files(struct output_reader *r, int dir)
{
	unsigned segments[OUTPUT_MAX_SEGMENTS];
	char name[OUTPUT_NAME_SIZE];
	add_file(r, dir, OUTPUT_HEAD_NAME, 0);
	if (r->n_files == 0)
		return -1;
	size_t n = output_segments(dir, segments);
	for (size_t i = n > 2 ? n - 2 : 0; i < n; i++)
		add_file(r, dir, output_segment_name(segments[i], name), segments[i]);
	return 0;
}

/* What the header of a segment says is missing before the one before it; 0 if it says nothing. */
static uint64_t missing_before(int fd)
{
	char header[128];
	unsigned k;
	uint64_t missing;
	ssize_t n = pread(fd, header, sizeof header - 1, 0);
	header[n > 0 ? n : 0] = '\0';
	if (sscanf(header, "{\"segment\":%9u,\"dropped_bytes\":%19" SCNu64 "}", &k, &missing) == 2)
		return missing;
	return 0;
}

/* How much is missing before the segments stands in the last of them. */
static void read_missing(struct output_reader *r)
{
	if (r->n_files > 1)
		r->missing = missing_before(r->fds[r->n_files - 1]);
}

/* Most lines are short, and there may be many readers. */
static void grow(struct output_reader *r)
{
	r->room = r->room == 0 ? LINE_FIRST_SIZE : r->room * 4;
	if (r->room > LINE_MAX_SIZE)
		r->room = LINE_MAX_SIZE;
	char *text = realloc(r->text, r->room);
	if (!text)
		out_of_memory();
	r->text = text;
}

int output_reader_open(struct output_reader **ret, int dir, struct error *e)
{
	struct output_reader *r = calloc(1, sizeof *r);
	if (!r)
		out_of_memory();
	r->dir = -1;
	if (open_files(r, dir) < 0) {
		int errnum = errno;
		output_reader_close(r);
		return error_set(e, BLAME_HOST, errnum, "cannot read '" OUTPUT_HEAD_NAME "'");
	}
	r->live = flock(r->fds[0], LOCK_EX | LOCK_NB) < 0;
	if (!r->live) {
		r->torn = repair(r->fds[r->n_files - 1]);
		flock(r->fds[0], LOCK_UN);
	}
	read_missing(r);
	grow(r);
	*ret = r;
	return 0;
}

int output_reader_open_to_follow(struct output_reader **ret, int dir, struct error *e)
{
	cleanup_fd int kept = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	if (kept < 0)
		return error_set(e, BLAME_HOST, errno, "cannot follow '" OUTPUT_HEAD_NAME "'");
	if (output_reader_open(ret, dir, e) < 0)
		return -1;
	(*ret)->dir = fd_take(&kept);
	return 0;
}

void output_reader_close(struct output_reader *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_files; i++)
		fd_close(r->fds[i]);
	fd_close(r->dir);
	json_decref(r->line);
	buf_fini(&r->decoded);
	free(r->text);
	free(r);
}

/* More of the file behind what is there already. Bytes read, 0 at its end, -1 with errno. */
static ssize_t fill(struct output_reader *r)
{
	memmove(r->text, r->text + r->start, r->end - r->start);
	r->end -= r->start;
	r->start = 0;
	if (r->end == r->room)
		grow(r);
	ssize_t n;
	do
		n = read(r->fds[r->file], r->text + r->end, r->room - r->end);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		r->end += (size_t)n;
	return n;
}

enum line_found { LINE_FAILED = -1, LINE_END, LINE_WHOLE, LINE_TORN, LINE_TOO_LONG, LINE_LATER };

/* True for a file that may become longer: what there is of a line is kept until then. */
static bool may_grow(const struct output_reader *r)
{
	return r->dir >= 0 && r->file + 1 == r->n_files && !r->newer;
}

/* The next line of the current file, without its newline. */
static enum line_found next_line(struct output_reader *r, const char **ret, size_t *ret_size)
{
	for (size_t seen = 0;;) {
		char *from = r->text + r->start;
		size_t size = r->end - r->start;
		char *newline = memchr(from + seen, '\n', size - seen);
		if (newline) {
			*ret = from;
			*ret_size = (size_t)(newline - from);
			r->start += *ret_size + 1;
			return LINE_WHOLE;
		}
		if (size == LINE_MAX_SIZE) { /* what is left of it is not kept, only counted */
			*ret_size = size;
			r->start = r->end;
			return LINE_TOO_LONG;
		}
		seen = size;
		ssize_t n = fill(r);
		if (n == 0 && may_grow(r))
			return LINE_LATER;
		if (n <= 0) {
			*ret_size = size;
			r->start = r->end;
			return n < 0 ? LINE_FAILED : size > 0 ? LINE_TORN : LINE_END;
		}
	}
}

static bool get_count(const json_t *object, const char *key, uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

static bool decode_data(struct output_reader *r, const json_t *object, struct output_event *ret)
{
	const char *stream = json_string_value(json_object_get(object, "stream"));
	const json_t *text = json_object_get(object, "text");
	const json_t *base64 = json_object_get(object, "base64");
	if (!stream || output_stream_from_name(stream) < 0 ||
		!get_count(object, "t_us", &ret->t_us) ||
		json_is_string(text) == json_is_string(base64))
		return false;
	ret->kind = OUTPUT_DATA;
	ret->stream = (enum output_stream)output_stream_from_name(stream);
	if (json_is_string(text)) {
		ret->data = json_string_value(text);
		ret->size = json_string_length(text);
		return true;
	}
	buf_clear(&r->decoded);
	if (base64_get(&r->decoded, json_string_value(base64), json_string_length(base64)) < 0)
		return false;
	ret->data = buf_str(&r->decoded);
	ret->size = r->decoded.size;
	return true;
}

enum decoded { NO_EVENT, EVENT, NO_LINE_OF_OURS };

static enum decoded decode(
	struct output_reader *r, const char *line, size_t size, struct output_event *ret)
{
	uint64_t segment;
	json_decref(r->line);
	r->line = json_loadb(line, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	if (decode_data(r, r->line, ret))
		return EVENT;
	if (get_count(r->line, "segment", &segment))
		return NO_EVENT; /* read_missing() has looked at those that matter */
	if (get_count(r->line, "dropped_bytes", &ret->count)) {
		ret->kind = OUTPUT_DROPPED;
		return EVENT;
	}
	if (get_count(json_object_get(r->line, "repaired"), "removed_bytes", &ret->count)) {
		ret->kind = OUTPUT_REPAIRED;
		return EVENT;
	}
	return NO_LINE_OF_OURS;
}

static void account(struct output_reader *r, const struct output_event *event)
{
	if (r->file > 0 || r->segment[r->file] > 0)
		r->accounted += event->kind == OUTPUT_DATA ? event->size
			: event->kind == OUTPUT_DROPPED    ? event->count
							   : 0;
}

/* A line that is too long was passed over up to its end, or up to the end of the file. */
static bool end_skipping(
	struct output_reader *r, enum line_found found, size_t size, struct output_event *ret)
{
	if (r->skipped == 0)
		return false;
	r->skipped += size;
	if (found == LINE_TOO_LONG)
		return false;
	ret->kind = OUTPUT_DAMAGED;
	ret->count = r->skipped;
	r->skipped = 0;
	return true;
}

/* At the end of a file: true if there is something to say before the next one. */
static bool go_on(struct output_reader *r, struct output_event *ret)
{
	bool last = ++r->file == r->n_files;
	r->start = r->end = 0;
	if (last && r->torn) {
		ret->kind = OUTPUT_REPAIRED;
		ret->count = r->torn;
		return true;
	}
	if (r->file != 1 || r->missing == 0)
		return false;
	ret->kind = OUTPUT_DROPPED;
	ret->count = r->missing;
	r->accounted += r->missing;
	r->missing = 0;
	return true;
}

/* ---- following ---- */

/* The oldest segment that is newer than what is being read; what is lost before it. 0: there is none. */
static unsigned find_newer(const struct output_reader *r, uint64_t *ret_lost)
{
	unsigned all[OUTPUT_MAX_SEGMENTS], current = r->segment[r->file];
	char name[OUTPUT_NAME_SIZE];
	size_t n = output_segments(r->dir, all), first = n > 2 ? n - 2 : 0;
	while (first < n && all[first] <= current)
		first++;
	*ret_lost = 0;
	if (first == n)
		return 0;
	if (all[first] > current + 1 && first + 1 < n) {
		cleanup_fd int fd = open_file(r->dir, output_segment_name(all[first + 1], name));
		uint64_t before = fd >= 0 ? missing_before(fd) : 0;
		*ret_lost = before > r->accounted ? before - r->accounted : 0;
	}
	return all[first];
}

/*
 * The file that was the last has been read to its end. 0 when there is nothing more for now. 1: the
 * reader goes on, with this file, to which lines may have come before there was a newer one, or with that. -1
 * with errno: there is a newer one, and it cannot be read.
 */
static int step(struct output_reader *r, struct output_event *ret, bool *ret_event)
{
	char name[OUTPUT_NAME_SIZE];
	uint64_t lost;
	unsigned k = find_newer(r, &lost);
	*ret_event = false;
	if (k == 0)
		return 0;
	if (!r->newer) {
		r->newer = true;
		return 1;
	}
	int fd = open_file(r->dir, output_segment_name(k, name));
	r->newer = false;
	if (fd < 0) /* ENOENT: it has just been removed, look again */
		return errno == ENOENT ? 1 : -1;
	fd_close(r->fds[r->file]);
	r->fds[r->file] = fd;
	r->segment[r->file] = k;
	r->start = r->end = 0;
	r->accounted += lost;
	*ret = (struct output_event){.kind = OUTPUT_DROPPED, .count = lost};
	*ret_event = lost > 0;
	return 1;
}

/* A last line without its end: being written, or cut off and told of by go_on(). */
static bool is_expected_tear(const struct output_reader *r)
{
	return r->file + 1 == r->n_files && (r->live || r->torn);
}

/* What is to be done at the end of a file: 1 if @ret has something to say, else 0; -1 with errno. */
static int end_file(struct output_reader *r, enum line_found found, size_t size,
	struct output_event *ret, bool *ret_stop)
{
	bool event = false;
	*ret_stop = false;
	if (r->dir >= 0 && r->file + 1 == r->n_files) {
		int rc = step(r, ret, &event);
		*ret_stop = rc == 0;
		return rc < 0 ? -1 : event;
	}
	if (found == LINE_END)
		return go_on(r, ret);
	ret->count = size;
	return !is_expected_tear(r);
}

/* False, with errno: so much that is no log is not one that was damaged. */
static bool pass_over(off_t *passed, size_t size)
{
	*passed += (off_t)size;
	if (*passed <= PASSED_MAX)
		return true;
	errno = EBADMSG;
	return false;
}

int output_reader_next(struct output_reader *r, struct output_event *ret)
{
	off_t passed = 0;
	while (r->file < r->n_files) {
		const char *line;
		size_t size = 0;
		bool stop;
		*ret = (struct output_event){.kind = OUTPUT_DAMAGED};
		enum line_found found = next_line(r, &line, &size);
		if (found == LINE_FAILED)
			return -1;
		if (found != LINE_LATER && end_skipping(r, found, size, ret))
			return 1;
		if (found == LINE_TOO_LONG && r->skipped == 0)
			r->skipped = size;
		if (found == LINE_END || found == LINE_TORN || found == LINE_LATER) {
			int said = end_file(r, found, size, ret, &stop);
			if (said != 0 || stop)
				return said;
		}
		if (found == LINE_TOO_LONG && !pass_over(&passed, size))
			return -1;
		if (found != LINE_WHOLE)
			continue;
		enum decoded what = decode(r, line, size, ret);
		if (what == NO_LINE_OF_OURS) {
			ret->kind = OUTPUT_DAMAGED;
			ret->count = size + 1;
		}
		account(r, ret);
		if (what != NO_EVENT)
			return 1;
		if (!pass_over(&passed, size + 1))
			return -1;
	}
	return 0;
}
