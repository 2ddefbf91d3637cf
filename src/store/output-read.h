/* SPDX-License-Identifier: MIT */
#ifndef STORE_OUTPUT_READ_H
#define STORE_OUTPUT_READ_H

#include <stdbool.h>

#include "store/output-log.h"

/*
 * Reading a log, whatever is in it: of a run that is on, of one whose writer was killed in the middle of a
 * line, or of one that something else has written over, the program in the box too. No call looks through more
 * than some MiB.
 */
enum output_event_kind {
	OUTPUT_DATA, /* size bytes at data came from stream at t_us */
	OUTPUT_DROPPED, /* count bytes of output stood here */
	OUTPUT_REPAIRED, /* a line of count bytes was cut off here, and removed */
	OUTPUT_DAMAGED, /* count bytes of the file here are no line of a log */
};

struct output_event {
	enum output_event_kind kind;
	uint64_t t_us;
	enum output_stream stream;
	const char *data; /* until the next call */
	size_t size;
	uint64_t count;
};

struct output_reader;

/*
 * Open the log in the directory @dir. If its writer is gone and the last line is cut off, the line is
 * removed and a line that says so put there; where that is not allowed, the reader says
 * the same. A cut that goes back more than 4 MiB is left as it is. The last line of a log that is still written is left alone. 0; or -1 with @e, ENOENT in e->errnum if there
 * is no log.
 */
int output_reader_open(struct output_reader **ret, int dir, struct error *e);

/*
 * The same of a log that is being written: at the end of what there is output_reader_next() returns 0 for
 * now, and may be called again. What was removed before it was read is an OUTPUT_DROPPED.
 */
int output_reader_open_to_follow(struct output_reader **ret, int dir, struct error *e);

/*
 * 1 with the next event, 0 at the end. -1 with errno when the disk fails or a newer segment cannot be opened;
 * EBADMSG for 4 MiB with no line of a log in them.
 */
int output_reader_next(struct output_reader *r, struct output_event *ret);

void output_reader_close(struct output_reader *r); /* NULL is fine */

#endif
