/* SPDX-License-Identifier: MIT */
#include "run/witness.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "kernel/cgroup.h"
#include "run/victims.h"

/* The payload and init. */
#define TARGETS 2

/* ---- opening ---- */

/* A kept box's init may be watched already, on account of another run. */
static int watch_init_of(const struct trace *t, pid_t init, const struct stat *ns)
{
	struct trace_signals there;
	return trace_read(t, init, &there) == 0 ? 0 : trace_watch(t, init, ns->st_dev, ns->st_ino);
}

static int watch_both(struct witness *w, struct error *e)
{
	char path[64];
	struct stat ns;
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)w->init);
	/* without it one inside the box could not be told from one outside */
	if (stat(path, &ns) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot read '%s'", path);
	int rc = watch_init_of(w->trace, w->init, &ns);
	if (rc == 0)
		rc = trace_watch(w->trace, w->leader, ns.st_dev, ns.st_ino);
	return rc == 0 ? 0 : error_set(e, BLAME_HOST, -rc, "cannot trace signals");
}

static void watch_group(struct witness *w, int group)
{
	struct stat st;
	if (group >= 0 && fstat(group, &st) == 0 && trace_watch_group(w->trace, st.st_ino) == 0)
		w->group = st.st_ino;
}

static const struct trace *open_post(struct witness_post *p)
{
	if (!p->tried && trace_open(&p->trace, WITNESS_POST_ROOM, &p->why_not) == 0 &&
		trace_begin(&p->trace, &p->why_not) < 0)
		trace_close(&p->trace);
	p->tried = true;
	return p->trace.link >= 0 ? &p->trace : NULL;
}

/* Before the link of one of its own is there, so that it begins with all it has to see. */
static const struct trace *find_trace(struct witness *w, struct witness_post *post)
{
	const struct trace *t = post ? open_post(post) : NULL;
	if (post && !t)
		w->why_not = post->why_not;
	if (!post && trace_open(&w->own, TARGETS, &w->why_not) == 0)
		t = &w->own;
	return t;
}

void witness_open(struct witness *w, struct witness_post *post, pid_t leader, pid_t init, int group)
{
	*w = WITNESS_INIT;
	w->leader = leader;
	w->init = init;
	w->trace = find_trace(w, post);
	if (!w->trace)
		return;
	watch_group(w, group);
	if (watch_both(w, &w->why_not) < 0 || (!post && trace_begin(&w->own, &w->why_not) < 0))
		witness_close(w);
	else
		w->from_us = time_monotonic_us();
}

void witness_close(struct witness *w)
{
	if (w->trace && w->trace != &w->own) {
		trace_forget(w->trace, w->leader);
		if (w->group)
			trace_forget_group(w->trace, w->group);
	}
	trace_close(&w->own);
	w->trace = NULL;
}

void witness_post_forget(struct witness_post *p, pid_t init)
{
	if (p->trace.link >= 0)
		trace_forget(&p->trace, init);
}

void witness_post_close(struct witness_post *p)
{
	trace_close(&p->trace);
	p->tried = false;
}

/* ---- judging ---- */

/*
 * Only these are sent by what runs at that moment. Others are made when a timer or a file says so, by
 * the kernel, on the time of whoever happens to run: nobody can pin them on him.
 */
static bool is_sent(const struct trace_signal *s)
{
	return s->code == SI_USER || s->code == SI_TKILL || s->code == SI_QUEUE;
}

static bool is_kernels(const struct trace_signal *s, const struct witness_cast *cast)
{
	switch (s->info) {
	case TRACE_INFO_GIVEN:
		return !is_sent(s) || s->pid == 0;
	case TRACE_INFO_NONE:
		/* cgroup.kill is its writer's; SIGPIPE and SIGXFSZ come of a system call of its own */
		return s->pid == 0 || (pid_t)s->pid == cast->leader;
	default:
		return true;
	}
}

enum killer_known witness_judge(const struct trace_signal *s, const struct witness_cast *cast)
{
	if (s->time_ns == 0)
		return KILLER_UNKNOWN;
	if (is_kernels(s, cast))
		return KILLER_KERNEL;
	if ((pid_t)s->pid == cast->us)
		return KILLER_BULKHEAD;
	if ((pid_t)s->pid == cast->leader)
		return KILLER_SELF;
	return s->inside_pid != 0 ? KILLER_INSIDE : KILLER_OUTSIDE;
}

/* The kernel ends a pid namespace with its init, on init's own time: who ended init ended all. */
static bool came_of_init(const struct trace_signal *s, const struct witness_cast *cast)
{
	return s->info == TRACE_INFO_KERNEL && (pid_t)s->pid == cast->init;
}

/* ---- telling ---- */

static const char *cgroup_of(const struct trace_signal *s, struct arena *a)
{
	char path[PATH_MAX];
	return cgroup_path_of_id(s->cgroup, path, sizeof(path)) < 0 ? NULL : arena_strdup(a, path);
}

static void describe(struct killer *ret, const struct trace_signal *s, struct arena *a)
{
	ret->pid = (pid_t)s->pid;
	ret->inside_pid = (pid_t)s->inside_pid;
	ret->uid = s->uid;
	memcpy(ret->comm, s->comm, sizeof(s->comm));
	ret->comm[sizeof(s->comm)] = 0;
	if (ret->known == KILLER_OUTSIDE)
		ret->cgroup = cgroup_of(s, a);
}

static void tell(struct killer *ret, enum killer_known known, int sig, const struct trace_signal *s,
	uint64_t started_us, struct arena *a)
{
	uint64_t at_us = s->time_ns / 1000;
	*ret = (struct killer){.known = known, .signal = sig};
	if (known == KILLER_UNKNOWN)
		return;
	ret->at_known = true;
	ret->at_us = at_us > started_us ? at_us - started_us : 0;
	if (known != KILLER_KERNEL)
		describe(ret, s, a);
}

static int last_from_outside(const struct trace_signals *all, const struct witness_cast *cast)
{
	int last = 0;
	for (int sig = 1; sig < TRACE_SIGNALS; sig++)
		if (witness_judge(&all->last[sig], cast) == KILLER_OUTSIDE &&
			(last == 0 || all->last[sig].time_ns > all->last[last].time_ns))
			last = sig;
	return last;
}

static int signal_of_interest(const struct observation *o, const struct trace_signals *all,
	const struct witness_cast *cast)
{
	if (o->wait == WAIT_SIGNALED && o->term_signal > 0 && o->term_signal < TRACE_SIGNALS)
		return o->term_signal;
	return o->wait == WAIT_EXITED && o->exit_code != 0 ? last_from_outside(all, cast) : 0;
}

static void tell_of_leader(
	const struct witness *w, struct observation *o, uint64_t started_us, struct arena *a)
{
	const struct witness_cast cast = {getpid(), w->leader, w->init};
	struct trace_signals all, of_init;
	if (trace_read(w->trace, w->leader, &all) < 0)
		return;
	int sig = signal_of_interest(o, &all, &cast);
	const struct trace_signal *s = &all.last[sig];
	if (sig == 0)
		return;
	if (came_of_init(s, &cast) && trace_read(w->trace, w->init, &of_init) == 0 &&
		of_init.last[SIGKILL].time_ns != 0)
		s = &of_init.last[SIGKILL];
	tell(&o->killer, witness_judge(s, &cast), sig, s, started_us, a);
}

void witness_tell(
	const struct witness *w, struct observation *o, uint64_t started_us, struct arena *a)
{
	o->senders.watched = w->from_us != 0;
	if (w->why_not.blame != BLAME_NONE)
		o->senders.why_not = arena_strdup(a, w->why_not.text);
	if (!o->senders.watched)
		return;
	o->senders.from_us = w->from_us > started_us ? w->from_us - started_us : 0;
	tell_of_leader(w, o, started_us, a);
}

/* ---- victims ---- */

static void add_victim(struct observation *o, uint32_t pid, const char comm[16], uint64_t time_ns,
	uint64_t started_us)
{
	struct victim v = {.pid = (pid_t)pid, .at_known = true};
	v.at_us = time_ns / 1000 > started_us ? time_ns / 1000 - started_us : 0;
	memcpy(v.comm, comm, 16);
	victims_add(o, &v);
}

/* The leader has a record of its own, for it is watched as a target of signals. */
static void add_leader(const struct witness *w, struct observation *o, uint64_t started_us)
{
	struct trace_signals all;
	if (trace_read(w->trace, w->leader, &all) < 0)
		return;
	const struct trace_signal *s = &all.last[SIGKILL];
	if (s->time_ns != 0 && s->info == TRACE_INFO_KERNEL && s->cgroup == w->group)
		add_victim(o, (uint32_t)w->leader, o->leader_comm, s->time_ns, started_us);
}

void witness_victims(const struct witness *w, struct observation *o, uint64_t started_us)
{
	struct trace_victims found;
	if (w->from_us == 0 || w->group == 0 || victims_counted(o) == 0 ||
		trace_read_group(w->trace, w->group, &found) < 0)
		return;
	/* more than were counted: RLIMIT_CPU kills on the kernel's account too, and the log knows better */
	if (found.n > victims_counted(o))
		return;
	add_leader(w, o, started_us);
	uint64_t n = found.n < TRACE_VICTIMS ? found.n : TRACE_VICTIMS;
	for (uint64_t i = found.n - n; i < found.n; i++) {
		const struct trace_victim *v = &found.v[i % TRACE_VICTIMS];
		add_victim(o, v->pid, v->comm, v->time_ns, started_us);
	}
}
