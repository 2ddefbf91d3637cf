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
#include "store/store.h"

/* Where records go: one for all runs of a supervisor. */
struct record_place {
	struct state_dir state; /* opened when it is needed */
	struct spool spool;
};

void record_place_init(struct record_place *p);
void record_place_close(struct record_place *p);
/*
 * When there is nothing else to do: take into the data base what waits in the spool, at most @how_much,
 * settle what others left, and with @idle remove what is too old.
 */
void record_place_take_in(struct record_place *p, enum take_in how_much, bool idle);

/*
 * The record of one run: what the spool gets of it, its log. Losing it loses nothing else: what
 * fails is said once and the run goes on.
 */
struct record {
	bool wanted;
	int log_dir;
	struct record_place *place, own; /* own: of a supervisor with one run */
	struct run_begin begin;
	struct output_log *log;
	bool log_torn;
	uint64_t timeline_bytes; /* on disk */
	int execs; /* exec.jsonl (exec-log.h); -1: none */
	char *beside[2]; /* of record_end(): what is to lie beside the log; NULL: nothing */
};

/* @place NULL: one of its own, so that @r must not be moved. */
void record_init(
	struct record *r, struct record_place *place, const struct observation *o, bool wanted);
/* Before the spawn, when output is captured. -1 with @e when the directory of --log is unusable. */
int record_open_log(struct record *r, const char *log_dir, struct arena *a, struct error *e);
/*
 * Behind the spawn: some 10 µs. That it failed is not said: the end may yet succeed, and has it
 * all.
 */
void record_begin(struct record *r);
/* record_place_take_in(), when there is nothing else to do. */
void record_idle(struct record *r);
void record_output(struct record *r, int stream, const char *bytes, size_t size, uint64_t t_us);
/* Keep the timeline so far, in place of an earlier one. */
void record_timeline(struct record *r, const struct timeline *t);
/*
 * Of a run under an exec policy, before its spawn: where its warden writes exec.jsonl, at most
 * EXEC_LOG_MAX_BYTES of it. The descriptor is the record's until record_end(). -1: this run has none, which was said
 * if it should have one.
 */
int record_open_execs(struct record *r);
/* Close the log; its figures go into @o. */
void record_close_log(struct record *r, struct observation *o);
void record_end(struct record *r, const struct verdict *v, const struct observation *o,
	const char *verdict_json, struct arena *a);
/*
 * Of a supervisor with many runs: the record says how it ended, but copies of that still are to be written
 * beside its log, by record_write_beside(), when nobody waits any more.
 */
bool record_has_beside(const struct record *r);
void record_write_beside(struct record *r);
/*
 * Last of all, when everything has been said: take in what waits, if it is on us (spool.h). Nothing
 * is to be done for one in a place of others.
 */
void record_close(struct record *r);

/* ---- between the files of the record ---- */

/*
 * The run's directory, made if it is not there yet: the output, the timeline and the execs may each be the first in
 * it. The descriptor, or -1 with @e.
 */
int record_run_dir(struct record *r, struct error *e);
/* How many bytes there are. */
uint64_t record_close_execs(struct record *r);

#endif
