/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/time.h"
#include "jail/box.h"
#include "kernel/sys.h"
#include "run/aftermath.h"
#include "run/kin.h"
#include "run/virtual-peak.h"
#include "run/watch.h"

/* Looked at again, twice as late each time: an event comes up to 10 ms late, or there is none. */
#define EMPTY_FIRST_LOOK_US 1000
#define EMPTY_MAX_DOUBLINGS 6

/* The same for a payload that ends traced; after all of these its tracer is told on: a second. */
#define TRACED_FIRST_LOOK_US 1000
#define TRACED_MAX_DOUBLINGS 6
#define TRACED_LOOKS         20

/* From one look to the next at those whose end nobody tells: they have KILL, and it takes no longer. */
#define UNWATCHED_LOOK_US 5000

/* How long the namespaces of one that has ended stay for the sake of who waits for its verdict. */
#define RELEASE_US 1000

/* ---- reaping ---- */

/* Who was killed is told by its name; nobody asks for that of one who has exited. */
static void read_leader(struct watch *w, const siginfo_t *info)
{
	char path[64], comm[32];
	pid_t payload = w->at.subject->payload;
	w->at.o->leader_pid = payload;
	if (info->si_code == CLD_EXITED)
		return;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)payload);
	ssize_t n = file_read_text(-1, path, comm, sizeof(comm));
	if (n <= 0)
		return;
	comm[strcspn(comm, "\n")] = 0;
	snprintf(w->at.o->leader_comm, sizeof(w->at.o->leader_comm), "%.16s", comm);
}

static void observe_status(struct observation *o, const siginfo_t *info)
{
	o->wait = info->si_code == CLD_EXITED ? WAIT_EXITED : WAIT_SIGNALED;
	if (o->wait == WAIT_EXITED)
		o->exit_code = info->si_status;
	else
		o->term_signal = info->si_status;
	o->core_dumped = info->si_code == CLD_DUMPED;
}

static uint64_t timeval_us(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * US_PER_SEC + (uint64_t)t->tv_usec;
}

static void observe_usage(struct watch *w, const struct rusage *usage)
{
	struct observation *o = w->at.o;
	uint64_t user = timeval_us(&usage->ru_utime), system = timeval_us(&usage->ru_stime);
	o->usage.wall_us = watch_now_us(w);
	o->leader_max_rss_bytes = (uint64_t)usage->ru_maxrss * 1024;
	o->leader_cpu_us = user + system;
	if (o->usage.cpu_known)
		return;
	o->usage.cpu_user_us = user;
	o->usage.cpu_system_us = system;
}

/* It died of what somebody had us pass on, and nothing else of ours: that was a cancel. */
static void observe_asked(struct watch *w)
{
	const struct asked_signal *asked = &w->asked;
	struct observation *o = w->at.o;
	if (asked->sig == 0 || o->wait != WAIT_SIGNALED || o->term_signal != asked->sig)
		return;
	killer_record(w, ACT_CANCELLED, asked->sig, false, 0);
	struct act *act = &o->acts[o->n_acts - 1];
	act->at_us = asked->at_us;
	act->cancel_signal = asked->sig;
	act->cancel_pid = asked->pid;
	act->cancel_uid = asked->uid;
}

static void observe_end(struct watch *w, const siginfo_t *info, const struct rusage *usage)
{
	struct observation *o = w->at.o;
	observe_usage(w, usage);
	observe_status(o, info);
	observe_asked(w);
	denied_begin(&w->denied, o);
	refused_tell(&w->refused, o, w->started_us);
	aftermath_look(w->at.plan, w->at.subject->root, o, w->at.a);
	witness_tell(&w->witness, o, w->started_us, w->at.a);
}

static void stop_polling(uv_poll_t *handle)
{
	if (handle->type != UV_UNKNOWN_HANDLE)
		uv_poll_stop(handle);
}

/* The wait status, from the kernel, for our own child: nothing in the box has a say in it. */
static void reap_payload(struct watch *w)
{
	struct subject *s = w->at.subject;
	siginfo_t info = {0};
	struct rusage usage = {0};
	int pidfd = s->payload_pidfd;
	if (s->payload_reaped ||
		sys_waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG | WNOWAIT, NULL) < 0 ||
		info.si_pid == 0)
		return;
	read_leader(w, &info); /* the zombie still has its name */
	virtual_peak_read(w->exits_fd, s->payload, w->at.o);
	if (sys_waitid(P_PIDFD, pidfd, &info, WEXITED, &usage) < 0)
		return;
	s->payload_reaped = true;
	stop_polling(&w->payload);
	if (!w->failed)
		observe_end(w, &info, &usage);
}

static void reap_init(struct watch *w)
{
	struct subject *s = w->at.subject;
	siginfo_t info = {0};
	if (s->init_reaped ||
		sys_waitid(P_PIDFD, s->init_pidfd, &info, WEXITED | WNOHANG, NULL) < 0 ||
		info.si_pid == 0)
		return;
	s->init_reaped = true;
	s->init_status = info.si_code == CLD_EXITED ? info.si_status : -1;
	stop_polling(&w->init);
}

/* ---- is anybody left? ---- */

bool watch_is_empty(const struct watch *w)
{
	const struct subject *s = w->at.subject;
	if (w->at.group)
		return group_empty(w->at.group);
	/* where /proc cannot be read nobody can be told, and nothing be done about it */
	return kin_signal(s->payload, 0) <= 0;
}

static void on_empty(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	watch_look_empty(handle->data);
}

static void look_again(struct watch *w)
{
	int fd = w->at.group ? group_events_fd(w->at.group) : -1;
	if (fd >= 0 && w->empty.type == UV_UNKNOWN_HANDLE &&
		watch_poll(w, &w->empty, fd, UV_PRIORITIZED, on_empty) < 0)
		fd = -1; /* no event will come */
	unsigned n = w->empty_looks < EMPTY_MAX_DOUBLINGS ? w->empty_looks : EMPTY_MAX_DOUBLINGS;
	w->empty_looks++;
	if (fd < 0 || w->empty_looks <= EMPTY_MAX_DOUBLINGS)
		watch_arm(w, TIMER_EMPTY, (uint64_t)EMPTY_FIRST_LOOK_US << n);
}

static bool has_ended(const struct watch *w)
{
	const struct subject *s = w->at.subject;
	bool ending = w->state == WATCH_ENDING || w->state == WATCH_KILLING;
	return ending && (s->payload_reaped || s->payload_pidfd < 0);
}

void watch_look_empty(struct watch *w)
{
	if (subject_has_init(w->at.subject) || !has_ended(w))
		return;
	if (watch_is_empty(w)) {
		watch_enter(w, WATCH_GONE);
		return;
	}
	if (w->state == WATCH_KILLING && !w->at.group)
		kin_signal(w->at.subject->payload, SIGKILL); /* born since the last time */
	look_again(w);
}

/* ---- events ---- */

/* Nobody is left but init, which may wait a moment for its word. */
static bool has_settled(const struct watch *w)
{
	bool running = w->state == WATCH_RUNNING || w->state == WATCH_STOPPING;
	return w->at.prompt && running && w->at.group && subject_has_init(w->at.subject) &&
		group_empty(w->at.group);
}

/*
 * The end of a process that is traced is told to its tracer first, while its pidfd is readable all the time:
 * waiting for that would be a loop that never sleeps.
 */
static void wait_for_tracer(struct watch *w, uv_poll_t *handle, unsigned n)
{
	uv_poll_stop(handle);
	watch_arm(w, TIMER_TRACED,
		(uint64_t)TRACED_FIRST_LOOK_US
			<< (n < TRACED_MAX_DOUBLINGS ? n : TRACED_MAX_DOUBLINGS));
}

static void hold_up_payload(struct watch *w)
{
	const struct watch_hooks *hooks = &w->at.hooks;
	unsigned n = w->traced_looks++;
	if (n == TRACED_LOOKS && hooks->traced)
		hooks->traced(hooks->data);
	wait_for_tracer(w, &w->payload, n);
}

static void look_at_payload(struct watch *w)
{
	struct group *group = w->at.group;
	reap_payload(w);
	if (!w->at.subject->payload_reaped) {
		hold_up_payload(w);
		return;
	}
	if (has_settled(w)) {
		watch_enter(w, WATCH_SETTLING);
		watch_arm(w, TIMER_RELEASE, RELEASE_US);
		return;
	}
	bool half_killed = group && group_oom_kills(group) > 0 && w->at.o->oom == OOM_GROUP;
	if (w->state == WATCH_RUNNING && half_killed && !group_empty(group))
		killer_kill(w, ACT_OOM_GROUP, 0);
	else if (w->state == WATCH_RUNNING || w->state == WATCH_STOPPING)
		killer_end_leftovers(w);
	/* without a group init tells whether there were leftovers */
	if (!subject_has_init(w->at.subject))
		watch_look_empty(w);
	else if (w->state == WATCH_ENDING && group && group_empty(group))
		watch_enter(w, WATCH_SETTLING);
}

static void on_payload(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	look_at_payload(handle->data);
}

static void look_at_init(struct watch *w)
{
	reap_init(w);
	if (!w->at.subject->init_reaped) {
		wait_for_tracer(w, &w->init, w->init_looks++);
		return;
	}
	/* the kernel reports init's end after the end of all others: the payload is a zombie by now */
	reap_payload(w);
	if (w->at.subject->init_status == INIT_ENDED_LEFTOVERS && w->state == WATCH_ENDING)
		killer_record(w, ACT_LEFTOVER, SIGTERM, true, 0);
	watch_enter(w, WATCH_GONE);
}

static void on_init(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	look_at_init(handle->data);
}

/* Who is not held up is polled. */
static bool is_held_up(const uv_poll_t *handle, bool reaped)
{
	return handle->type == UV_POLL && !reaped && !uv_is_active((const uv_handle_t *)handle);
}

void watch_look_traced(struct watch *w)
{
	const struct subject *s = w->at.subject;
	if (is_held_up(&w->payload, s->payload_reaped))
		look_at_payload(w);
	if (w->state != WATCH_GONE && is_held_up(&w->init, s->init_reaped))
		look_at_init(w);
}

int watch_poll(struct watch *w, uv_poll_t *handle, int fd, int events, uv_poll_cb callback)
{
	handle->data = w;
	int r = uv_poll_init(w->at.loop, handle, fd);
	return r < 0 ? r : uv_poll_start(handle, events, callback);
}

const char *watch_poll_fault(int r)
{
	return r == UV_ENOSPC
		? "as many descriptors as fs.epoll.max_user_watches allows are watched"
		: errno_text(-r);
}

void watch_look_unwatched(struct watch *w)
{
	const struct subject *s = w->at.subject;
	watch_arm(w, TIMER_UNWATCHED, UNWATCHED_LOOK_US);
	if (s->payload_pidfd >= 0 && !s->payload_reaped) {
		reap_payload(w);
		if (s->payload_reaped)
			look_at_payload(w);
	}
	if (subject_has_init(s) && !s->init_reaped) {
		reap_init(w);
		if (s->init_reaped)
			look_at_init(w);
	}
}

int watch_processes(struct watch *w)
{
	const struct subject *s = w->at.subject;
	int r = 0;
	if (s->payload_pidfd >= 0 && !s->payload_reaped)
		r = watch_poll(w, &w->payload, s->payload_pidfd, UV_READABLE, on_payload);
	w->init.data = w;
	if (r == 0 && subject_has_init(s))
		r = watch_poll(w, &w->init, s->init_pidfd, UV_READABLE, on_init);
	if (r < 0)
		watch_arm(w, TIMER_UNWATCHED, 0);
	return r;
}
