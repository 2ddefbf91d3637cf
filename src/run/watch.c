/* SPDX-License-Identifier: MIT */
#include "run/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/time.h"
#include "kernel/sys.h"
#include "run/guard.h"
#include "run/aftermath.h"
#include "run/virtual-peak.h"

/* Making a box takes a millisecond; an exec from a network file system may take long. */
#define SETUP_BOUND_US (60 * US_PER_SEC)
/* The kernel's teardown of the namespaces. */
#define SETTLE_BOUND_US (20 * US_PER_SEC)
#define SAMPLE_US       50000
#define CPU_LOOK_MIN_US 5000
#define SETTLE_US       100000
/* v1 tells of an OOM before it has counted the kill: looked at again, twice as late each time. */
#define OOM_FIRST_LOOK_US 1000
#define OOM_MAX_LOOKS     8

uint64_t watch_now_us(const struct watch *w)
{
	return time_monotonic_us() - w->started_us - w->stopped_us;
}

void watch_enter(struct watch *w, enum watch_state state)
{
	w->state = state;
	if (state == WATCH_GONE || state == WATCH_SETTLING)
		uv_stop(&w->loop);
}

/* ---- timers ---- */

static void on_timer(uv_timer_t *handle);

void watch_arm(struct watch *w, enum watch_timer timer, uint64_t us)
{
	uv_update_time(&w->loop);
	/* libuv's clock is rounded down to milliseconds: one more, or it would be early */
	uv_timer_start(&w->timer[timer], on_timer, (us + 999) / 1000 + (us > 0), 0);
}

void watch_disarm(struct watch *w, enum watch_timer timer)
{
	uv_timer_stop(&w->timer[timer]);
}

static const struct limit_value *limit_of(const struct watch *w, enum limit limit)
{
	return &w->limits->v[limit];
}

static bool is_alive(const struct watch *w)
{
	return w->state == WATCH_STARTING || w->state == WATCH_RUNNING;
}

static void on_wall(struct watch *w)
{
	uint64_t limit = limit_of(w, LIMIT_TIMEOUT)->value, now = watch_now_us(w);
	if (now < limit)
		watch_arm(w, TIMER_WALL, limit - now); /* we were stopped for a while */
	else
		killer_stop(w, ACT_WALL_TIMEOUT, now);
}

/* Silence that the caller causes, by not reading, is not the payload's. */
static void on_idle(struct watch *w)
{
	uint64_t limit = limit_of(w, LIMIT_IDLE_TIMEOUT)->value;
	if (output_is_blocked(&w->output))
		w->output.last_us = time_monotonic_us();
	uint64_t silent = time_monotonic_us() - w->output.last_us;
	if (silent < limit)
		watch_arm(w, TIMER_IDLE, limit - silent);
	else
		killer_stop(w, ACT_IDLE_TIMEOUT, silent);
}

/* The earliest moment at which the time left can be used up, by all CPUs at once. */
static void on_cpu(struct watch *w)
{
	uint64_t limit = limit_of(w, LIMIT_CPU_TIME)->value, used;
	if (!w->group || !group_cpu_us(w->group, &used))
		return;
	if (used >= limit) {
		killer_stop(w, ACT_CPU_TIME, used);
		return;
	}
	unsigned n = w->request->host->n_cpus ? w->request->host->n_cpus : 1;
	uint64_t wait = (limit - used) / n;
	watch_arm(w, TIMER_CPU, wait > CPU_LOOK_MIN_US ? wait : CPU_LOOK_MIN_US);
}

static void on_sample(struct watch *w)
{
	const struct limit_value *memory = limit_of(w, LIMIT_MEMORY);
	const struct limit_value *cpu = limit_of(w, LIMIT_CPU_TIME);
	uint64_t bytes;
	watch_arm(w, TIMER_SAMPLE, SAMPLE_US);
	if (sampler_look(&w->sampler, &bytes) < 0)
		return; /* no descriptor or memory for it now: the next look may have */
	bool sampled = w->plan->by[LIMIT_MEMORY] == ENFORCED_SAMPLED;
	if (sampled && memory->set && bytes > memory->value)
		killer_kill(w, ACT_MEMORY_SAMPLED, bytes);
	else if (w->plan->by[LIMIT_CPU_TIME] == ENFORCED_SAMPLED && cpu->set &&
		w->sampler.cpu_us >= cpu->value)
		killer_stop(w, ACT_CPU_TIME, w->sampler.cpu_us);
}

static void end_half_killed(struct watch *w)
{
	if (w->o->oom != OOM_GROUP || w->state >= WATCH_KILLING)
		return;
	if (group_oom_kills(w->group) > 0)
		killer_kill(w, ACT_OOM_GROUP, 0);
	else if (w->oom_looks++ < OOM_MAX_LOOKS)
		watch_arm(w, TIMER_OOM, (uint64_t)OOM_FIRST_LOOK_US << w->oom_looks);
}

static void on_grace(struct watch *w)
{
	const struct observation *o = w->o;
	enum act_reason reason = w->state == WATCH_ENDING || o->n_acts == 0
		? ACT_LEFTOVER
		: o->acts[o->n_acts - 1].reason;
	/* what stopped the payload is also why its leftovers are killed */
	if (w->state == WATCH_ENDING && o->n_acts > 0 && o->acts[o->n_acts - 1].signal == SIGTERM)
		reason = o->acts[o->n_acts - 1].reason;
	killer_kill(w, reason, o->n_acts > 0 ? o->acts[o->n_acts - 1].measured : 0);
}

static void on_bound(struct watch *w)
{
	if (w->state == WATCH_STARTING && !w->setup_overdue) {
		w->setup_overdue = true;
		killer_kill(w, ACT_WALL_TIMEOUT, watch_now_us(w));
		return;
	}
	watch_enter(
		w, WATCH_GONE); /* the kernel does not let go of it: reported by group_close() */
}

static void on_settle(struct watch *w)
{
	if (is_alive(w) && w->request->hooks.idle)
		w->request->hooks.idle(w->request->hooks.data);
	timeline_begin(w);
}

static void on_witness(struct watch *w)
{
	if (!w->payload_reaped)
		witness_open(&w->witness, w->spawn.box.payload_pid, w->spawn.box.init_pid,
			w->group ? group_entry(w->group)->into_fd : -1);
}

static void on_guard(struct watch *w)
{
	if (!guard_memory(w->payload_reaped ? 0 : w->spawn.box.payload_pid))
		watch_arm(w, TIMER_GUARD, GUARD_AFTER_US);
}

static void on_space(struct watch *w)
{
	virtual_peak_sample(w->spawn.box.payload_pid, w->o);
	watch_arm(w, TIMER_SPACE, VIRTUAL_PEAK_SAMPLE_US);
}

/* What each timer does, and in which states it means anything. */
static const struct {
	void (*act)(struct watch *w);
	unsigned states;
} timers[TIMER_COUNT_] = {
	[TIMER_WALL] = {on_wall, 1 << WATCH_STARTING | 1 << WATCH_RUNNING},
	[TIMER_IDLE] = {on_idle, 1 << WATCH_RUNNING},
	[TIMER_CPU] = {on_cpu, 1 << WATCH_RUNNING},
	[TIMER_SAMPLE] = {on_sample, 1 << WATCH_RUNNING | 1 << WATCH_STOPPING | 1 << WATCH_ENDING},
	[TIMER_OOM] = {end_half_killed,
		1 << WATCH_RUNNING | 1 << WATCH_STOPPING | 1 << WATCH_ENDING},
	[TIMER_GRACE] = {on_grace, 1 << WATCH_STOPPING | 1 << WATCH_ENDING},
	[TIMER_BOUND] = {on_bound, 1 << WATCH_STARTING | 1 << WATCH_KILLING | 1 << WATCH_SETTLING},
	[TIMER_WITNESS] = {on_witness, 1 << WATCH_RUNNING | 1 << WATCH_STOPPING},
	[TIMER_TIMELINE] = {timeline_look,
		1 << WATCH_RUNNING | 1 << WATCH_STOPPING | 1 << WATCH_ENDING},
	[TIMER_GUARD] = {on_guard, 1 << WATCH_RUNNING | 1 << WATCH_STOPPING | 1 << WATCH_ENDING},
	[TIMER_SPACE] = {on_space, 1 << WATCH_RUNNING},
	[TIMER_SETTLE] = {on_settle, 1 << WATCH_RUNNING},
};

static void on_timer(uv_timer_t *handle)
{
	struct watch *w = handle->data;
	size_t timer = (size_t)(handle - w->timer);
	if (timers[timer].states & 1u << w->state)
		timers[timer].act(w);
}

static void arm_limits(struct watch *w)
{
	const struct limit_value *cpu = limit_of(w, LIMIT_CPU_TIME);
	if (limit_of(w, LIMIT_IDLE_TIMEOUT)->set) {
		w->output.last_us = time_monotonic_us();
		watch_arm(w, TIMER_IDLE, limit_of(w, LIMIT_IDLE_TIMEOUT)->value);
	}
	if (cpu->set && w->group)
		on_cpu(w);
	if (w->plan->sampled) {
		sampler_init(&w->sampler, w->spawn.box.init_pid, w->spawn.box.payload_pid);
		watch_arm(w, TIMER_SAMPLE, SAMPLE_US);
	}
	if (w->exits_fd < 0 && virtual_peak_wanted(w->o))
		watch_arm(w, TIMER_SPACE, 0);
	watch_arm(w, TIMER_WITNESS, WITNESS_AFTER_US);
	watch_arm(w, TIMER_GUARD, GUARD_AFTER_US);
	watch_arm(w, TIMER_SETTLE, SETTLE_US);
}

/* ---- the payload and init ---- */

static void read_leader(struct watch *w)
{
	char path[64], comm[32];
	w->o->leader_pid = w->spawn.box.payload_pid;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)w->spawn.box.payload_pid);
	ssize_t n = file_read_text(-1, path, comm, sizeof(comm));
	if (n <= 0)
		return;
	comm[strcspn(comm, "\n")] = 0;
	snprintf(w->o->leader_comm, sizeof(w->o->leader_comm), "%.16s", comm);
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

/* The wait status, from the kernel, for our own child: nothing in the box has a say in it. */
static void reap_payload(struct watch *w)
{
	siginfo_t info = {0};
	struct rusage usage = {0};
	int pidfd = w->spawn.payload_pidfd;
	if (w->payload_reaped ||
		sys_waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG | WNOWAIT, NULL) < 0 ||
		info.si_pid == 0)
		return;
	read_leader(w); /* the zombie still has its name */
	virtual_peak_read(w->exits_fd, w->spawn.box.payload_pid, w->o);
	if (sys_waitid(P_PIDFD, pidfd, &info, WEXITED, &usage) < 0)
		return;
	w->payload_reaped = true;
	w->o->usage.wall_us = watch_now_us(w);
	w->o->leader_max_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
	w->o->leader_cpu_us = timeval_us(&usage.ru_utime) + timeval_us(&usage.ru_stime);
	if (!w->o->usage.cpu_known) {
		w->o->usage.cpu_user_us = timeval_us(&usage.ru_utime);
		w->o->usage.cpu_system_us = timeval_us(&usage.ru_stime);
	}
	observe_status(w->o, &info);
	refused_tell(&w->refused, w->o, w->started_us);
	aftermath_look(w->plan, w->spawn.box.root, w->o, w->a);
	witness_tell(&w->witness, w->o, w->started_us, w->a);
	uv_poll_stop(&w->payload);
}

static void reap_init(struct watch *w)
{
	siginfo_t info = {0};
	if (w->init_reaped ||
		sys_waitid(P_PIDFD, w->spawn.init_pidfd, &info, WEXITED | WNOHANG, NULL) < 0 ||
		info.si_pid == 0)
		return;
	w->init_reaped = true;
	w->init_status = info.si_code == CLD_EXITED ? info.si_status : -1;
	w->spawn.box.init_pid = 0;
	uv_poll_stop(&w->init);
}

static void on_payload(uv_poll_t *handle, int status, int events)
{
	struct watch *w = handle->data;
	(void)status;
	(void)events;
	reap_payload(w);
	if (!w->payload_reaped)
		return;
	bool half_killed = w->group && group_oom_kills(w->group) > 0 && w->o->oom == OOM_GROUP;
	if (w->state == WATCH_RUNNING && half_killed && !group_empty(w->group))
		killer_kill(w, ACT_OOM_GROUP, 0);
	else if (w->state == WATCH_RUNNING || w->state == WATCH_STOPPING)
		killer_end_leftovers(w);
	/* without a group init tells whether there were leftovers */
	if (w->state == WATCH_ENDING && w->group && group_empty(w->group))
		watch_enter(w, WATCH_SETTLING);
}

static void on_init(uv_poll_t *handle, int status, int events)
{
	struct watch *w = handle->data;
	(void)status;
	(void)events;
	reap_init(w);
	if (!w->init_reaped)
		return;
	/* the kernel reports init's end after the end of all others: the payload is a zombie by now */
	reap_payload(w);
	if (w->init_status == INIT_ENDED_LEFTOVERS && w->state == WATCH_ENDING)
		killer_record(w, ACT_LEFTOVER, SIGTERM, true, 0);
	watch_enter(w, WATCH_GONE);
}

static void poll_fd(struct watch *w, uv_poll_t *handle, int fd, int events, uv_poll_cb callback)
{
	handle->data = w;
	if (uv_poll_init(&w->loop, handle, fd) == 0)
		uv_poll_start(handle, events, callback);
}

/* ---- out of memory ---- */

static void on_oom(uv_poll_t *handle, int status, int events)
{
	struct watch *w = handle->data;
	(void)status;
	(void)events;
	w->oom_looks = 0;
	end_half_killed(w);
}

/* ---- the maker ---- */

static void on_maker(uv_poll_t *handle, int status, int events)
{
	struct watch *w = handle->data;
	(void)status;
	(void)events;
	uv_poll_stop(handle);
	uint64_t now = time_monotonic_us();
	for (int i = 1; i < 3; i++) /* the payload has its own by now */
		w->stdio[i] = fd_close(w->stdio[i]);
	if (spawn_finish(&w->spawn, w->request->host, w->a, &w->o->setup) < 0) {
		w->o->wait = WAIT_NEVER_STARTED;
		watch_enter(w, WATCH_GONE);
		return;
	}
	w->o->spawn_us = now - w->request->began_us;
	virtual_peak_expect(w->exits_fd, w->spawn.box.payload_pid);
	poll_fd(w, &w->payload, w->spawn.payload_pidfd, UV_READABLE, on_payload);
	poll_fd(w, &w->init, w->spawn.init_pidfd, UV_READABLE, on_init);
	if (w->first_kill_us) {
		killer_finish(w);
		return;
	}
	if (w->plan->tty && relay_start_take(&w->relay, &w->spawn.pty) < 0)
		log_line("warning: the program's terminal is not connected: %s", errno_text(errno));
	watch_disarm(w, TIMER_BOUND);
	watch_enter(w, WATCH_RUNNING);
	arm_limits(w);
	signals_act_on_early(w);
}

/* ---- the loop ---- */

int watch_open(struct watch *w, struct error *e)
{
	int r = uv_loop_init(&w->loop);
	if (r < 0)
		return error_set(e, BLAME_HOST, -r, "cannot make an event loop");
	w->signal_fd = signals_open();
	return w->signal_fd < 0 ? error_set(e, BLAME_HOST, errno, "cannot wait for signals") : 0;
}

static void watch_oom(struct watch *w)
{
	short events = 0;
	int fd = w->group ? group_oom_fd(w->group, &events) : -1;
	if (fd >= 0)
		poll_fd(w, &w->oom, fd, events & POLLPRI ? UV_PRIORITIZED : UV_READABLE, on_oom);
}

void watch_run(struct watch *w)
{
	const struct limit_value *wall = limit_of(w, LIMIT_TIMEOUT);
	w->state = WATCH_STARTING;
	w->started_us = time_monotonic_us();
	for (int i = 0; i < TIMER_COUNT_; i++) {
		uv_timer_init(&w->loop, &w->timer[i]);
		w->timer[i].data = w;
	}
	poll_fd(w, &w->signals, w->signal_fd, UV_READABLE, signals_read);
	watch_oom(w);
	poll_fd(w, &w->maker, w->spawn.maker_pidfd, UV_READABLE, on_maker);
	watch_arm(w, TIMER_BOUND, SETUP_BOUND_US);
	if (wall->set)
		watch_arm(w, TIMER_WALL, wall->value);
	if (w->plan->capture)
		output_start(&w->output);
	if (w->request->hooks.starting)
		w->request->hooks.starting(w->request->hooks.data);
	while (w->state < WATCH_SETTLING)
		uv_run(&w->loop, UV_RUN_DEFAULT);
	if (w->first_kill_us)
		w->o->kill_us = time_monotonic_us() - w->first_kill_us;
}

void watch_settle(struct watch *w)
{
	if (w->state == WATCH_SETTLING)
		watch_arm(w, TIMER_BOUND, SETTLE_BOUND_US);
	while (w->state == WATCH_SETTLING)
		uv_run(&w->loop, UV_RUN_DEFAULT);
	w->signal_fd = fd_close(w->signal_fd);
}
