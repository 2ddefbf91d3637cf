/* SPDX-License-Identifier: MIT */
#include "warden/call.h"

#include <stdlib.h>

#include "base/fd.h"

#define UNUSED_MAX 64 /* more are given back */

struct call *call_new(struct calls *calls, struct slot *slot, const struct notify_call *notify)
{
	struct call *call = calls->unused;
	if (calls->n >= CALLS_MAX)
		return NULL;
	if (call) {
		calls->unused = call->next;
		calls->n_unused--;
	} else {
		call = calloc(1, sizeof(*call));
		if (!call)
			return NULL;
	}
	struct arena arena = call->arena;
	*call = (struct call){.arena = arena, .slot = slot, .notify = *notify};
	slot->n_calls++;
	calls->n++;
	return call;
}

static void close_files(struct call *call)
{
	for (unsigned i = 0; i < call->n_files; i++)
		call->files[i].fd = fd_close(call->files[i].fd);
	call->n_files = 0;
}

void call_reset(struct call *call)
{
	struct call fresh = {
		.slot = call->slot,
		.notify = call->notify,
	};
	close_files(call);
	arena_reset(&call->arena);
	fresh.arena = call->arena;
	*call = fresh;
}

void call_free(struct calls *calls, struct call *call)
{
	call->slot->n_calls--;
	calls->n--;
	close_files(call);
	if (calls->n_unused >= UNUSED_MAX) {
		arena_fini(&call->arena);
		free(call);
		return;
	}
	arena_reset(&call->arena);
	call->next = calls->unused;
	calls->unused = call;
	calls->n_unused++;
}

void calls_fini(struct calls *calls)
{
	while (calls->unused) {
		struct call *call = calls->unused;
		calls->unused = call->next;
		arena_fini(&call->arena);
		free(call);
	}
	calls->n_unused = 0;
}

static size_t chain(pid_t id)
{
	return (unsigned)id % CALLS_CHAINS;
}

void calls_add(struct calls *calls, struct call *call)
{
	struct call **by_tid = &calls->by_tid[chain(call->notify.tid)];
	struct call **by_process = &calls->by_process[chain(call->ids.pid)];
	call->next_by_tid = *by_tid;
	call->next_by_process = *by_process;
	*by_tid = *by_process = call;
	calls->n_in_flight++;
}

void calls_remove(struct calls *calls, struct call *call)
{
	struct call **at = &calls->by_tid[chain(call->notify.tid)];
	while (*at && *at != call)
		at = &(*at)->next_by_tid;
	if (!*at)
		return;
	*at = call->next_by_tid;
	at = &calls->by_process[chain(call->ids.pid)];
	while (*at != call)
		at = &(*at)->next_by_process;
	*at = call->next_by_process;
	calls->n_in_flight--;
}

struct call *calls_by_tid(const struct calls *calls, pid_t tid)
{
	struct call *call = calls->by_tid[chain(tid)];
	while (call && call->notify.tid != tid)
		call = call->next_by_tid;
	return call;
}

struct call *calls_by_process(const struct calls *calls, pid_t pid)
{
	struct call *call = calls->by_process[chain(pid)];
	while (call && call->ids.pid != pid)
		call = call->next_by_process;
	return call;
}
