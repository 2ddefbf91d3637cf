/* SPDX-License-Identifier: MIT */
#ifndef RUN_ENGINE_INTERNAL_H
#define RUN_ENGINE_INTERNAL_H

#include <signal.h>

#include "base/table.h"
#include "model/admission.h"
#include "run/child.h"
#include "run/complaints.h"
#include "run/engine.h"
#include "run/feed.h"
#include "run/plan-memfd.h"
#include "run/policy-book.h"
#include "run/post.h"
#include "run/prepare.h"
#include "run/queue.h"
#include "run/talk.h"
#include "run/warden.h"
#include "run/warm.h"
#include "run/watch.h"
#include "run/zygote-link.h"

/*
 * What the engine's files share; nobody else includes this.
 *
 *   live     a run, from its request until nobody holds it any more
 *   body     what there is of a run until its last process is gone: most of the memory, all handles
 *   recipe   how boxes of one kind are made; shared by all of them
 *   parked   a payload that waits for its command: with a box of its own, or in a kept one
 *   box      a kept box: the init, and the group around its runs
 *   pool     parked payloads with boxes of their own, made ahead
 *
 * Nothing of these is freed within a call of a caller's, nor while a handle of it is open.
 */

/* ---- recipe.c ---- */

struct recipe {
	unsigned holders;
	struct arena a;
	struct policy_page *page;
	struct request request; /* all of it that a box is made by */
	struct prepared prepared;
	struct plan
		plan; /* the part of it that is the same for all runs: without limits of processes */
	int image; /* that, in a sealed memfd */
	size_t image_bytes;
	uint64_t checked_us; /* monotonic: when it was last what the files say */
	struct recipe *of; /* it is this one but for the filter; held. NULL: its own */
};

/*
 * Find out how boxes for @request are made. NULL with @error. @page is held by it. One with an
 * isolated user has a range of uids, which is for one box only.
 */
struct recipe *recipe_new(struct engine *e, struct policy_page *page, const struct request *request,
	struct error *error);
/* The same for the program that serves forks in a box of @of: it may clone siblings. NULL with @error. */
struct recipe *recipe_that_serves(struct recipe *of, struct error *error);
void recipe_hold(struct recipe *r);
void recipe_let_go(struct recipe *r);
bool recipe_is_for_one(const struct recipe *r);

/* ---- ward.c ---- */

/*
 * The warden of one box, of those with an exec policy. Held by the kept box, or by a parked payload with a
 * box of its own, and by each run that it judges. When the last has let go it is shut down, and freed when
 * that is over. Runs go on without it when it is lost, and what they execute is refused; the next run of a
 * kept box gets another one.
 */
struct ward {
	struct warden warden;
	struct engine *engine;
	struct box *box; /* kept; NULL: one of a single run */
	struct ward *next, **at; /* of the engine's */
	unsigned holders;
	bool deaf; /* it has left, whether its end is told yet or not */
	struct body *awaiting; /* runs that begin when it serves */
};

/* @box NULL: for a single run's. NULL with @error: nothing has begun. */
struct ward *ward_open(
	struct engine *e, const struct recipe *r, struct box *box, struct error *error);
void ward_hold(struct ward *w);
/* NULL is let go, too. */
void ward_let_go(struct ward *w);
/*
 * Have @b, which has an exec policy, judged by the warden of its box, or by a new one where that is lost.
 * 1: its payload may get its command, with b->warden_run.socket. 0: live_parked() is called again, or the
 * run aborted. -1 with @error.
 */
int ward_take_run(struct body *b, struct error *error);
/* It does not wait for that any more. */
void ward_forget(struct body *b);
/* What the warden did, into b->o. */
void ward_tell(struct body *b);
/* Nothing of @b was started because its warden is lost: with another one it may be. */
bool ward_was_lost(struct body *b, const struct setup_failure *failure);
/* @failure, if there was one because the warden is lost. */
void ward_blame(struct body *b, struct setup_failure *failure);
/* The run is over: nothing of it is judged any more. */
void ward_end_run(struct body *b);
/* To begin with, and when there is none left. */
void wards_init(struct engine *e);

/* ---- parked.c ---- */

/*
 *   COMING   talk_open() was called
 *   HEATING  a warmed program is getting ready (heat.c)
 *   READY    it waits for its command: parked, or warm
 *   GOING    it has got that
 *   DOWN     it has failed or was not wanted; what it held is being given back
 */
enum parked_state {
	PARKED_COMING,
	PARKED_HEATING,
	PARKED_READY,
	PARKED_GOING,
	PARKED_DOWN,
	PARKED_STATE_COUNT_,
};

struct parked {
	struct engine *engine;
	enum parked_state state;
	struct recipe *recipe;
	struct box *box; /* NULL: it has one of its own */
	struct body *body; /* whose it is; NULL: nobody's yet */
	struct pool *pool; /* where it waits for somebody; or NULL */
	unsigned generation; /* of the pool's recipe */
	struct parked *next, **at; /* of the pool's list */
	struct parked *next_of_all, **at_of_all;
	struct arena a; /* the words of its talk */
	struct talk talk;
	struct ward *ward; /* of a box of its own with an exec policy; else NULL */
	struct group *group; /* NULL on a host without; the body's from running() on */
	enum enforced_by by[LIMIT_COUNT_];
	struct share share;
	uv_timer_t look; /* whether its group can be removed */
	unsigned open_handles, looks;
	bool talking, talk_closing;
	bool goes_down; /* nothing of it is left but what it held */
	struct heat *heat; /* of a warmed program, from HEATING on; else NULL */
};

/*
 * Make one: in @box, or with a box of its own. It answers to @body, or while that is NULL to the box.
 * NULL with @error.
 */
struct parked *parked_open(struct engine *e, struct recipe *r, struct box *box, struct body *body,
	struct error *error);
struct parked *parked_open_for_pool(
	struct engine *e, struct recipe *r, struct pool *pool, struct error *error);
/*
 * A fork of what serves @box, for @pool or (NULL) for whoever gets it. It is on its way; NULL with @error.
 */
struct parked *parked_open_fork(struct box *box, struct pool *pool, struct error *error);
/* One for the same body in the same group, in place of @old, which has failed. */
struct parked *parked_open_again(struct parked *old, struct error *error);
/* Some of it is dead, and the rest is waited for: then it fails. */
bool parked_is_dying(const struct parked *p);
/* It has found somebody. */
void parked_give(struct parked *p, struct body *body);
/* Its body's run is not to be: live_failed() comes when all of it is dead. */
void parked_abort(struct parked *p);
/* Nobody wants it any more. */
void parked_drop(struct parked *p);
/* The same of one that is to be forgotten by its body, whose the group is, before it has told of its end. */
void parked_give_up(struct parked *p);
/* It may be given away. */
void parked_ready(struct parked *p);
/* It never will: whose it is is told. */
void parked_tell_failed(struct parked *p, const struct setup_failure *why);
/* Give back what it holds. */
void parked_go_down(struct parked *p);
/* One of those that were counted in open_handles. */
void parked_handle_closed(struct parked *p);

/* ---- heat.c ---- */

struct heat {
	struct parked *parked;
	struct warm warm;
	struct child payload, init;
	struct child payload_back, init_back; /* of a run that was not to be */
	pid_t payload_pid, init_pid;
	int life, root;
	/* What the program writes to its stderr until it is a run, and its forks until they are; NULL for those. */
	struct complaints *complaints;
	bool runs; /* payload and init are ours to reap */
	bool forked; /* it is a fork of what serves its box */
	bool complained; /* the log has why it is of no use */
};

/*
 * Have one for @p, which is to be ready in that time. *ret_child is its end of the socket, the caller's.
 * -1 with @e, and there is none.
 */
int heat_open(struct parked *p, unsigned ready_ms, int *ret_child, struct error *e);
/* Watch and reap it: it is @pid. False: it cannot be watched, and goes down. */
bool heat_adopt_take(struct parked *p, pid_t pid, int pidfd);
/* Say in the log why it is of no use. */
void heat_complain(const struct parked *p, const char *what);

/* Whether this is one for a warmed program. */
bool heat_wanted(const struct parked *p);
/* It is parked: begin. False: it cannot be. */
bool heat_begin(struct parked *p);
/* The program runs. */
void heat_running(struct parked *p);
/* Have it do the run of @b, whose subject it is from now on. -1 with @e. */
int heat_give(struct parked *p, struct body *b, struct error *e);
/* It has ended or is of no use, and not all of it is reaped yet. */
bool heat_is_dying(const struct heat *h);
/* Its processes are its run's to reap, or it has none left. */
bool heat_is_handed_over(const struct heat *h);
/* Kill it; it goes down when it is dead. */
void heat_kill(struct parked *p);
/* Close its handles, which are counted among the parked one's. */
void heat_close(struct parked *p);

/* ---- serve.c ---- */

/* A box in which the preload command of @pool runs, and is forked. Takes @r, its own. NULL with @error. */
struct box *serve_open(struct engine *e, struct pool *pool, struct recipe *r, struct error *error);
/* What such a box takes: the program in it has the memory of the policy. */
struct share serve_share(const struct recipe *r);
/* Its program is ready: forks may be asked for. */
bool serve_is_ready(const struct box *b);
/* And it has not been slow to answer, so that a run can wait for one. */
bool serve_is_prompt(const struct box *b);
/* A fork that was asked for has come, or will not. */
void serve_answered(struct box *b);
/* Ask for the fork that @p is to be. -1 with @e: close it. */
int serve_fork(struct parked *p, struct error *e);
/* The program of @b has said that it is ready. */
void serve_ready(struct box *b);
/* @p, a fork, says that it is ready, by @sender. False: that is not true. */
bool serve_adopt(struct parked *p, pid_t sender);
/* A fork of @b has not come as it should: its program is not to be relied on. */
void serve_distrust(struct box *b, const char *why);
/*
 * Reap who was cloned in @b without our knowledge, or given up, and is dead: when nobody else of it is left but init, which
 * is not reaped yet.
 */
void serve_reap_strays(const struct box *b);

/* ---- live*.c ---- */

struct live {
	struct table_node by_id; /* first: found by it */
	struct engine *engine;
	struct live *newer, *older; /* all of them */
	struct live *next_ended; /* of those remembered */
	unsigned holders;
	enum live_state state;
	int exit_status; /* -1: it has none yet */
	char id[RUN_ID_SIZE], box_id[RUN_ID_SIZE]; /* box_id "": a box of its own */
	bool has_terminal, begun, changed;
	unsigned output_holders;
	uid_t uid;
	struct queue_entry waiting;
	struct share share; /* taken; of one in the queue wanted, and not taken yet */
	struct post tell;
	struct live_waiter *waiters;
	struct live_follower *followers;
	struct body *body; /* NULL when all of it is over */
	char *key, *policy; /* as they were asked for */
	char *verdict_json;
	void *record;
};

struct body {
	struct live *live;
	struct engine *engine;
	struct arena a;
	struct engine_request request; /* all of it in @a */
	struct policy_page *page;
	struct recipe *recipe;
	struct box *box; /* held; NULL: one of its own */
	struct body *next_in_box, **at_in_box;
	struct parked *parked;
	struct group *group;
	struct prepared prepared;
	struct observation o;
	struct subject subject;
	struct output output;
	struct feed feed;
	struct pty pty;
	struct watch watch;
	int stdio[3]; /* the payload's ends, until it has them */
	bool watched, ended, stdin_ends;
	bool was_ahead; /* its parked payload was made before it came */
	bool tried_again; /* with another payload, or another warden */
	struct parked *taken; /* from the pool, while it is being started */
	struct post end; /* it ends without having started */
	struct ward *ward; /* held; NULL: nothing is judged */
	struct warden_run warden_run;
	struct body *next_awaiting, **at_awaiting; /* of the ward's */
	/* For the payload as soon as there is one; NULL: nothing. */
	struct early_asked {
		uint64_t
			signals; /* one bit each: as in the kernel, one that is pending comes once */
		uid_t uid[NSIG]; /* who was the first to ask for it */
	} * early;
	uint64_t began_us; /* monotonic */
	unsigned open_handles;
};

char *live_copy_name(const char *name); /* NULL for NULL */
struct live *live_new(struct engine *e, const struct engine_request *request, uid_t uid);
void live_enter(struct live *l, enum live_state state);
/* Followers are to be told. */
void live_changed(struct live *l);
/* It leaves the queue. */
void live_start(struct live *l);
/* ---- live-stdio.c ---- */
/* -1 with @e; what is open then is closed with the rest. */
int live_open_output(struct body *b, struct error *e);
int live_open_stdin(struct body *b, struct error *e);
/* The payload's ends. */
void live_close_stdio(struct body *b);
struct pty_look live_look(const struct body *b);
/* The program has made the terminal body.pty. */
void live_connect_terminal(struct body *b);
/* ---- live-run.c, live-end.c ---- */
/* It never came to be: nobody was told of it. */
void live_discard(struct live *l);
/* Its box is READY, for which it has waited. */
void live_enter_box(struct body *b);
/* What is known of it before it has begun. */
void live_observe(struct body *b);
/*
 * End it before there is anything of it, a moment later: for @why, or for what its observation has of
 * ours (NULL).
 */
void live_end_unstarted(struct body *b, const struct error *why);
/* What its parked payload tells. */
void live_parked(struct body *b);
void live_running(struct body *b);
/* The same of a warmed program, which is its subject already. */
void live_begun(struct body *b);
void live_failed(struct body *b, const struct setup_failure *why);
/* Its parked payload is not to go on, for that reason (which lasts): live_failed() comes. */
void live_abort(struct body *b, const char *why);
/* All there is for a verdict. */
void live_conclude(struct body *b);
/* The last process of it is gone: give back what it held. */
void live_release(struct body *b);
void live_stop(struct live *l, enum act_reason reason, bool now, uid_t uid);
/* Forget the ended ones that are too many. */
void live_remember(struct live *l);
void live_forget_all(struct engine *e);

/* ---- orphan.c ---- */

/*
 * Reap whoever @pidfd is of (-1: nobody), whose run was given up before he had ended, or before a tracer had let go of his end:
 * whenever that is. Takes @pidfd. Neither the loop nor a stop waits for him. Each holds a descriptor for as long as a
 * tracer likes: who is beyond that many stays what he is until his box or we end.
 */
#define ORPHANS_MAX 64
void orphan_take(struct engine *e, int pidfd);
/* They are waited for no more. */
void orphans_close(struct engine *e);

/* ---- box*.c ---- */

struct box {
	struct table_node by_id; /* first: found by it */
	struct engine *engine;
	struct box *newer, *older, *next_gone;
	unsigned holders;
	enum box_state state;
	char id[RUN_ID_SIZE];
	char *policy_name;
	char *cwd; /* where its runs start; NULL: where the policy says */
	struct recipe *recipe;
	struct group *group;
	struct talk_box inside;
	struct child init;
	struct ward *ward; /* NULL without an exec policy */
	unsigned n_wards; /* its own that are not freed */
	struct parked *spare; /* the next run's; NULL: none, it is made when there is one */
	/*
	 * Of one in which forks are served. Nobody has asked for it by name, so it is not shown. It ends
	 * with its last run when its pool does not want it any more.
	 */
	struct serving {
		bool is; /* it is one of those */
		struct pool *pool; /* NULL: no more forks are made in it */
		struct parked *program; /* what is forked; NULL: it has ended */
		int filter; /* what a fork puts on top of the program's seccomp filter; -1 */
		unsigned n_filters; /* the program has so many */
		ino_t pid_namespace;
		unsigned asked; /* forks that have not come yet */
		uint64_t asked_us; /* monotonic: since then none has */
	} serving;
	unsigned n_parked; /* made for it and not freed yet */
	struct body *bodies;
	unsigned n_runs;
	struct box_waiter *made, *gone;
	struct post tell, ahead;
	char *fault;
	uint64_t since_us;
	struct share share;
	uv_timer_t look;
	unsigned open_handles, looks;
	bool asked_to_go, finishing;
};

/* Takes @r. In MAKING, with nothing of it there yet. */
struct box *box_new(struct engine *e, struct recipe *r, const struct share *share);
void box_remember(struct box *b);
/* Have the next run's payload parked, if there is none. */
void box_park_ahead(struct box *b);

/* What its first parked payload, or one made ahead, tells. */
void box_parked(struct box *b, struct parked *p);
void box_failed(struct box *b, struct parked *p, const struct setup_failure *why);
/* One made for it is freed. */
void box_parked_freed(struct box *b);
void box_ward_freed(struct box *b);
/* A run in it begins, and is over. */
void box_add(struct box *b, struct body *body);
void box_subtract(struct box *b, struct body *body);
void box_stop(struct box *b, enum act_reason reason, bool now, uid_t uid);
/* No run begins in it any more; it ends with the last one. */
void box_retire(struct box *b);
void box_forget_all(struct engine *e);

/* ---- pool.c ---- */

struct pools {
	struct table by_policy;
	struct pool *newest, *oldest;
	struct post refill;
	bool after_answers; /* one turn of the loop later: those who wait for a run are told first */
	uv_timer_t later;
};

/* True if there is a box for it now. */
bool pool_has(struct engine *e, const struct body *body);
/*
 * One that waits for its command, in *@ret, of the pool that is right for @body; NULL: there is none
 * now. Returns what it was made by, or another one is to be, held for the caller; NULL: it has to find
 * out by itself.
 */
struct recipe *pool_take(struct engine *e, struct body *body, struct parked **ret);
void pool_parked(struct pool *p, struct parked *parked);
void pool_failed(struct pool *p, struct parked *parked);
/* The program in its box is ready to be forked; the box is stopping, or the program has ended. */
void pool_served(struct pool *p);
void pool_box_lost(struct pool *p);
/* Somebody has done with the CPUs: what was put off can be done. */
void pools_run_ended(struct engine *e);
/* Give up one parked box, so that somebody else can have one. False: there is none. */
bool pools_give_up_one(struct engine *e);
void pools_init(struct engine *e, const uint64_t key[2]);
/* Nothing is made any more, and what is there is given up. */
void pools_close(struct engine *e);
void pools_fini(struct engine *e);
unsigned pools_n_ready(const struct engine *e);

/* ---- engine.c ---- */

struct engine {
	uv_loop_t *loop;
	struct engine_options options;
	struct engine_hooks hooks;
	struct arena a;
	struct host host;
	const char *environ[4];
	const char *home;
	struct zygote_link *link;
	struct posts posts;
	struct post admit; /* look who can leave the queue */
	struct post over; /* look whether all is over, when stopping */
	struct queue queue;
	struct admission admission;
	struct policy_book book;
	struct table runs, boxes;
	struct live *newest, *ended_first, **ended_last;
	struct box *newest_box, *gone_first, **gone_last;
	unsigned n_ended, n_gone;
	size_t ended_bytes; /* the verdicts of those that are remembered */
	struct pools pools;
	struct parked *parked; /* all of them */
	struct witness_post witnesses;
	struct ward *wards;
	struct orphan *orphans;
	unsigned n_orphans;
	uv_signal_t child_stopped; /* active as long as there are wards */
	struct group_cache *groups; /* of runs that have ended, to be used again */
	int null_fd;
	struct engine_stats counts;
	unsigned n_bodies, n_boxes, n_parked, n_wards; /* that are not freed */
	bool stopping, stopped_told;
	uv_timer_t stop_bound;
	void (*stopped)(void *data);
	void *stopped_data;
	unsigned open_handles;
};

/* The caller that a box or run of @e is prepared for; @id NULL: a new one. */
struct prepare_caller engine_caller(
	const struct engine *e, const struct policy *policy, const char *id);
void engine_new_id(char ret[RUN_ID_SIZE]);
void engine_give_back(struct engine *e, struct share *share);
/* Something has gone: perhaps it was the last that a stop waits for. */
void engine_less(struct engine *e);

/* ---- engine-request.c ---- */

/* Look who can leave the queue: the act of engine.admit. */
void engine_admit(struct post *post);

/* The thing that the member @member of type @type is in, at @pointer. */
#define ENGINE_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
