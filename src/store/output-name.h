/* SPDX-License-Identifier: MIT */
#ifndef STORE_OUTPUT_NAME_H
#define STORE_OUTPUT_NAME_H

#include <stddef.h>

/* The files of a log; see output-log.h for what is in them. */

#define OUTPUT_HEAD_NAME "output.jsonl"
#define OUTPUT_NAME_SIZE 32

/* Three are there for a moment when a segment is begun; more are not ours. */
#define OUTPUT_MAX_SEGMENTS 8

/* "output.K.jsonl" in @out; returns it. */
const char *output_segment_name(unsigned k, char out[OUTPUT_NAME_SIZE]);

/* The numbers of the segments in the directory @dir, ascending. Returns how many. */
size_t output_segments(int dir, unsigned ret[OUTPUT_MAX_SEGMENTS]);

#endif
