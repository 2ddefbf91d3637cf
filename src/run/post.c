/* SPDX-License-Identifier: MIT */
#include "run/post.h"

#include <stddef.h>

static void unlink_post(struct posts *p, struct post *post)
{
	*post->at = post->next;
	if (post->next)
		post->next->at = post->at;
	else if (p->last == &post->next)
		p->last = post->at;
	post->next = NULL;
	post->at = NULL;
}

static void do_round(struct posts *p)
{
	/* those that are here now; post_cancel() works on them as on any other */
	struct posts round = {.first = p->first, .last = p->last};
	if (round.first)
		round.first->at = &round.first;
	p->first = NULL;
	p->last = &p->first;
	while (round.first) {
		struct post *post = round.first;
		unlink_post(&round, post);
		post->act(post);
	}
	if (!p->first)
		uv_idle_stop(&p->idle);
}

static void on_idle(uv_idle_t *idle)
{
	do_round(idle->data);
}

void posts_run(struct posts *p)
{
	while (p->first)
		do_round(p);
}

void posts_init(struct posts *p, uv_loop_t *loop)
{
	*p = (struct posts){.last = &p->first};
	uv_idle_init(loop, &p->idle);
	p->idle.data = p;
}

void posts_close(struct posts *p, uv_close_cb closed)
{
	uv_close((uv_handle_t *)&p->idle, closed);
}

void post_put(struct posts *p, struct post *post)
{
	if (post->at)
		return;
	post->next = NULL;
	post->at = p->last;
	*p->last = post;
	p->last = &post->next;
	uv_idle_start(&p->idle, on_idle);
}

void post_cancel(struct posts *p, struct post *post)
{
	if (post->at)
		unlink_post(p, post);
}
