/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/fd.h"
#include "base/time.h"
#include "run/victims.h"
#include "run/watch.h"

/* The end of a watch: what the kernel has counted, and then all that is held. */

#define CLOSE_BOUND_US (2 * US_PER_SEC)
#define CLOSE_LOOK_US  1000

static void observe_sampled(struct watch *w)
{
	struct observation *o = w->at.o;
	struct usage *u = &o->usage;
	if (!w->at.plan->sampled || w->at.group)
		return;
	u->memory_peak_known = true;
	u->memory_peak_bytes = w->sampler.peak_bytes > o->leader_max_rss_bytes
		? w->sampler.peak_bytes
		: o->leader_max_rss_bytes;
	u->pids_peak_known = w->sampler.pids_peak > 0;
	u->pids_peak = w->sampler.pids_peak;
}

void watch_conclude(struct watch *w)
{
	struct observation *o = w->at.o;
	if (w->at.output && w->at.plan->capture) {
		o->usage.output_known = true;
		o->usage.output_seen_bytes = w->at.output->seen_bytes;
	}
	if (w->at.group) {
		group_read(w->at.group, o, w->at.a);
		witness_victims(&w->witness, o, w->started_us);
		victims_find(o, group_id(w->at.group), w->at.a);
	}
	observe_sampled(w);
	timeline_end(w);
	o->ended_us = time_realtime_us();
}

/* ---- closing ---- */

static void on_closed(uv_handle_t *handle)
{
	struct watch *w = handle->data;
	if (--w->open_handles > 0)
		return;
	/* the memory of the watch may be given back in there */
	const struct error left = w->left;
	w->closed(w->at.hooks.data, &left);
}

static void close_handle(struct watch *w, uv_handle_t *handle)
{
	if (handle->type == UV_UNKNOWN_HANDLE)
		return; /* never opened */
	w->open_handles++;
	uv_close(handle, on_closed);
}

static void close_handles(struct watch *w)
{
	if (w->at.output)
		w->open_handles += output_fini(w->at.output, on_closed, w);
	close_handle(w, (uv_handle_t *)&w->payload);
	close_handle(w, (uv_handle_t *)&w->init);
	for (int i = 0; i < TIMER_COUNT_; i++)
		close_handle(w, (uv_handle_t *)&w->timer[i]);
	w->open_handles--; /* the one that stood for these */
}

void watch_try_close(struct watch *w)
{
	bool last = time_monotonic_us() >= w->close_until_us;
	if (!w->closed)
		return;
	if (w->at.group && !group_try_close(w->at.group, last, &w->left)) {
		watch_arm(w, TIMER_CLOSE, CLOSE_LOOK_US);
		return;
	}
	w->at.group = NULL;
	close_handles(w);
}

void watch_close(struct watch *w, void (*closed)(void *data, const struct error *left))
{
	w->closed = closed;
	w->left = ERROR_INIT;
	w->close_until_us = time_monotonic_us() + CLOSE_BOUND_US;
	witness_close(&w->witness);
	refused_close(&w->refused);
	denied_close(&w->denied);
	w->exits_fd = fd_close(w->exits_fd);
	free(w->timeline);
	w->timeline = NULL;
	/*
	 * The group's descriptors go with it, but their handles first: libuv takes the number of a handle that is
	 * closed off its epoll, whosever it is by then.
	 */
	w->open_handles = 1;
	close_handle(w, (uv_handle_t *)&w->oom);
	close_handle(w, (uv_handle_t *)&w->empty);
	watch_try_close(w);
}
