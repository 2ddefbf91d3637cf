/* SPDX-License-Identifier: MIT */
#ifndef STORE_SPOOL_LINE_H
#define STORE_SPOOL_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * A record as one line of text. Pure: no file is touched here.
 *
 *   LF run1 SP CHECKSUM SP KIND (HT FIELD)* HT . LF
 *
 * CHECKSUM: 16 hexadecimal digits, over all between the space behind it and the last LF. KIND: "b",
 * what is known when a run begins, or "e", the whole record when it has ended. FIELD: "=" and the
 * value, or "-" for none; in a value \ LF HT NUL are written \\ \n \t \0. So whatever words a
 * command had, no LF of theirs is in the line, and they can neither end it nor begin another.
 *
 * The LF in front keeps a line apart from one that was cut short before it; an empty line means
 * nothing.
 */

/* The words of a command with their NULs, one after the other, are kept up to this many bytes. */
#define RUN_ARGV_MAX 4096

struct run_record {
	/* Both kinds. */
	const char *id; /* valid by run_id_valid() */
	const char *key; /* NULL: none */
	const char *policy;
	const char *argv; /* without the NUL of the last one when that was cut */
	size_t argv_size;
	uint64_t argc; /* as many words there were */
	uint64_t pid;
	uint64_t started_us;
	const char *log_dir; /* NULL: none */
	/* Only of one that has ended. */
	bool ended;
	uint64_t ended_us;
	const char *cause;
	uint64_t exit_status; /* 0 to 255 */
	uint64_t disk_bytes;
	const char *verdict;
	const char *observation; /* NULL: none */
};

/* Append the line. */
void spool_line_encode(struct buf *out, const struct run_record *r);

enum spool_line {
	SPOOL_LINE_RECORD,
	SPOOL_LINE_EMPTY,
	SPOOL_LINE_CUT, /* its end is missing: the writer was killed, or the disk was full */
	SPOOL_LINE_DAMAGED, /* it has an end, and is none of ours */
};

/*
 * Read the line of @size bytes at @line, which has no LF and is changed: what @ret points to is in
 * it. A byte must follow that can be written. *ret is filled in for a record.
 */
enum spool_line spool_line_decode(char *line, size_t size, struct run_record *ret);

#endif
