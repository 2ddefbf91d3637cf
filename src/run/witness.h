/* SPDX-License-Identifier: MIT */
#ifndef RUN_WITNESS_H
#define RUN_WITNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "kernel/tracepoint.h"
#include "model/observation.h"

/*
 * Who sends signals to the payload of one run, and to its init, with whose end the kernel ends the
 * payload. It holds two descriptors and no process, wakes nobody, and is asked once, when the
 * payload has ended.
 *
 * Opened when the run has gone on for WITNESS_AFTER_US: a short one does not pay for it, and who
 * sent a signal before is not known.
 */
#define WITNESS_AFTER_US 10000

struct witness {
	struct trace own; /* where there is no post */
	const struct trace *trace; /* that or the post's; NULL: not opened */
	pid_t leader, init;
	uint64_t group; /* the id of the run's v2 group; 0: it has none */
	uint64_t from_us; /* monotonic; 0: not opened */
	struct error why_not; /* with BLAME_NONE there is no reason not to */
};

#define WITNESS_INIT ((struct witness){.own = TRACE_INIT})

/*
 * One for many runs of a process: opened by the first that goes on for long enough, so that not
 * each signal on the host costs as many looks as there are runs.
 */
struct witness_post {
	struct trace trace;
	bool tried;
	struct error why_not;
};

#define WITNESS_POST_INIT ((struct witness_post){.trace = TRACE_INIT})

/* For how many processes it has room: two for each run. One more run is not watched. */
#define WITNESS_POST_ROOM 512

/* All runs are over. */
void witness_post_close(struct witness_post *p);

/*
 * @group is the directory of the run's v2 group, or -1. Takes half a millisecond. What is missing,
 * as for an ordinary user, is in @w->why_not. With a @post, which is borrowed until witness_close(), all but
 * the first take some microseconds; @init may be that of other runs, too.
 */
void witness_open(
	struct witness *w, struct witness_post *post, pid_t leader, pid_t init, int group);
/*
 * Put into o->killer who sent the signal that ended the payload (o->wait and o->term_signal say which;
 * for one that failed by itself the last sender outside), and into o->senders what was watched.
 * @started_us is the monotonic time that o's times are counted from.
 */
void witness_tell(
	const struct witness *w, struct observation *o, uint64_t started_us, struct arena *a);
/*
 * Add to o->victims, if the OOM killer was counted, whom it took for want of memory of the run's
 * own. To be called when all of the run is dead and the counters are read.
 */
void witness_victims(const struct witness *w, struct observation *o, uint64_t started_us);
void witness_close(struct witness *w);
/* Nobody of the box whose init that was is left. */
void witness_post_forget(struct witness_post *p, pid_t init);

/* Who is who when a sender is judged. */
struct witness_cast {
	pid_t us, leader, init;
};

/* What kind of sender @s tells of. Pure; KILLER_UNKNOWN for no record. */
enum killer_known witness_judge(const struct trace_signal *s, const struct witness_cast *cast);

#endif
