/* SPDX-License-Identifier: MIT */
#ifndef STORE_OUTPUT_LOG_H
#define STORE_OUTPUT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/*
 * What a run wrote, in JSON lines:
 *
 *   {"t_us":1234,"stream":"stdout","text":"..."}     t_us: µs after the run's start
 *   {"t_us":1240,"stream":"stderr","base64":"..."}   what is not UTF-8
 *   {"dropped_bytes":4096}                           so many bytes stood here and were not kept
 *   {"repaired":{"removed_bytes":17}}                a line was cut off here by a crash; it was removed
 *
 * Each line is one write(2) at the end of the file, so that whatever happens to the writer, all that
 * went before is there and whole. A character that two events share is split between them in
 * base64: nothing is held back for its second half.
 *
 * Disk use is bounded. The first lines, head_bytes of them, are in output.jsonl. What follows goes to
 * output.1.jsonl, output.2.jsonl, … of tail_bytes each, of which the last two are kept: so the
 * last tail_bytes at least are there, without anything being moved or rewritten. Such a file begins with
 *
 *   {"segment":K,"dropped_bytes":N}     N: of the output between output.jsonl and segment K-1
 *
 * The writer holds a lock (flock(2)) on output.jsonl: who gets it knows that the writer is gone.
 */
enum output_stream { OUTPUT_STDOUT, OUTPUT_STDERR, OUTPUT_STREAM_COUNT_ };

/* "stdout", "stderr". */
const char *output_stream_name(enum output_stream stream);
int output_stream_from_name(const char *name); /* -1: neither */

/* In bytes on disk, which are more than those of the output: a line for each event, escapes. */
struct output_caps {
	uint64_t head_bytes;
	uint64_t tail_bytes;
};

/* 64 MiB in all: 32 + 2 × 16. */
#define OUTPUT_CAPS_DEFAULT ((struct output_caps){32 << 20, 16 << 20})

/* Bytes of output. seen = kept + dropped. */
struct output_figures {
	uint64_t seen_bytes, kept_bytes, dropped_bytes;
	uint64_t disk_bytes; /* what the files take */
};

struct output_log;

/*
 * Begin a log in the directory @dir, which is borrowed until output_log_close(). With @replace,
 * the log of an earlier run that has ended is removed; else, or if its writer lives, it is an error
 * (EEXIST, EBUSY in e->errnum). 0; or -1 with @e (BLAME_HOST).
 */
int output_log_open(struct output_log **ret, int dir, const struct output_caps *caps, bool replace,
	struct error *e);

/*
 * Write down that @size bytes came. 0; or -1 with errno when they could not be kept (the disk is
 * full): they count as dropped, the log says so as soon as it can be written again, and the caller goes on.
 */
int output_log_write(struct output_log *log, uint64_t t_us, enum output_stream stream,
	const void *data, size_t size);

struct output_figures output_log_figures(const struct output_log *log);

void output_log_close(struct output_log *log); /* NULL is fine */

/* The most bytes of output in one line. */
#define OUTPUT_EVENT_MAX 32768

/* Append the line for one event of at most OUTPUT_EVENT_MAX bytes, all UTF-8 or not, with its newline. */
void output_event_format(
	struct buf *out, uint64_t t_us, enum output_stream stream, const char *data, size_t size);

#endif
