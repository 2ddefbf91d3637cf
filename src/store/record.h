/* SPDX-License-Identifier: MIT */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "base/arena.h"
#include "model/observation.h"
#include "model/request.h"
#include "model/timeline.h"
#include "model/verdict.h"
#include "store/output-log.h"
#include "store/spool.h"

/*
 * The record of one run: what the spool gets of it, its log. Losing it loses nothing else: what
 * fails is said once and the run goes on.
 */
struct record {
	bool wanted;
	int log_dir;
	struct state_dir state;
	struct spool spool;
	struct run_begin begin;
	struct output_log *log;
	bool log_torn;
	uint64_t timeline_bytes; /* on disk */
};

void record_init(struct record *r, const struct observation *o, bool wanted);
/* Before the spawn, when output is captured. -1 with @e when the directory of --log is unusable. */
int record_open_log(struct record *r, const char *log_dir, struct arena *a, struct error *e);
/*
 * Behind the spawn: some 10 µs. That it failed is not said: the end may yet succeed, and has it
 * all.
 */
void record_begin(struct record *r);
/*
 * When there is nothing else to do: take into the data base what waits in the spool, settle what
 * others left.
 */
void record_idle(struct record *r);
void record_output(struct record *r, int stream, const char *bytes, size_t size, uint64_t t_us);
/* Keep the timeline so far, in place of an earlier one. */
void record_timeline(struct record *r, const struct timeline *t);
/* Close the log; its figures go into @o. */
void record_close_log(struct record *r, struct observation *o);
void record_end(struct record *r, const struct verdict *v, const struct observation *o,
	const char *verdict_json, struct arena *a);
/* Last of all, when everything has been said: take in what waits, if it is on us (spool.h). */
void record_close(struct record *r);

#endif
