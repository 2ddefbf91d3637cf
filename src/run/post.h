/* SPDX-License-Identifier: MIT */
#ifndef RUN_POST_H
#define RUN_POST_H

#include <stdbool.h>
#include <uv.h>

/*
 * What is to be done a moment later, from the loop: so that nobody is told anything from within a
 * call of his own. In the order in which it was posted; what is posted meanwhile has its turn in the
 * next round of the loop. Nothing is allocated, and while nothing is posted nothing wakes the loop.
 */
struct posts;

struct post {
	void (*act)(struct post *p);
	struct post *next, **at; /* at NULL: not posted */
};

struct posts {
	uv_idle_t idle; /* active while something is posted: the loop does not wait then */
	struct post *first, **last;
};

void posts_init(struct posts *p, uv_loop_t *loop);
/* Do all of it now, also what is posted meanwhile: for the end. */
void posts_run(struct posts *p);
/* Nothing may be posted any more. */
void posts_close(struct posts *p, uv_close_cb closed);

/* Have @post->act called once, however often it is posted before that. */
void post_put(struct posts *p, struct post *post);
/* Not any more. Nothing to do for what is not posted. */
void post_cancel(struct posts *p, struct post *post);

#endif
