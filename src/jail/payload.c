/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/prctl.h>

#include "jail/allow-list.h"
#include "jail/box.h"
#include "jail/wire.h"
#include "kernel/cred.h"
#include "kernel/landlock.h"
#include "kernel/pty.h"
#include "kernel/rlimit.h"
#include "kernel/seccomp.h"
#include "kernel/sys.h"

/* The steps of plan->payload: done by the payload itself, before its exec. */

/*
 * Into the v1 groups by writing "0" to `tasks`: the kernel then moves the writing thread without
 * waiting for an RCU grace period, which a pid in cgroup.procs costs (11 ms on a quiet machine).
 */
static long step_groups(struct new_box *box, const struct step *step)
{
	(void)step;
	for (unsigned i = 0; i < box->n_tasks; i++) {
		ssize_t n = sys_write(box->tasks[i], "0", 1);
		if (n < 0)
			return n;
	}
	return 0;
}

static long step_cgroupns(struct new_box *box, const struct step *step)
{
	(void)box;
	(void)step;
	return sys_unshare(CLONE_NEWCGROUP);
}

static long step_own_group(struct new_box *box, const struct step *step)
{
	(void)box;
	(void)step;
	return sys_setpgid(0, 0);
}

static long step_own_session(struct new_box *box, const struct step *step)
{
	(void)box;
	(void)step;
	return sys_setsid();
}

/* A limit above the hard one that we have is lowered to it: raising it is not ours to do. */
static long step_rlimit(struct new_box *box, const struct step *step)
{
	(void)box;
	uint64_t now[2] = {0};
	long r = sys_prlimit64(0, (int)step->number, NULL, now);
	if (r < 0)
		return r;
	uint64_t soft = step->value < now[1] ? step->value : now[1];
	uint64_t hard = step->value2 < now[1] ? step->value2 : now[1];
	return rlimit_set((int)step->number, soft, hard);
}

static long step_affinity(struct new_box *box, const struct step *step)
{
	(void)step;
	return sys_sched_setaffinity(0, sizeof(box->plan->cpu_mask), box->plan->cpu_mask);
}

static long step_chdir(struct new_box *box, const struct step *step)
{
	(void)box;
	return sys_chdir(step->path);
}

static long step_ids(struct new_box *box, const struct step *step)
{
	(void)box;
	return cred_set_ids((uid_t)step->number, (gid_t)step->value);
}

static long step_no_new_privs(struct new_box *box, const struct step *step)
{
	(void)box;
	(void)step;
	return cred_no_new_privs();
}

static long step_scope(struct new_box *box, const struct step *step)
{
	(void)box;
	return landlock_scope((unsigned)step->number);
}

static long step_confine(struct new_box *box, const struct step *step)
{
	const struct strv *writable = &box->plan->writable;
	return landlock_confine_writes(
		writable->v, writable->n, (int)step->number, (unsigned)step->value);
}

static long step_allow_list(struct new_box *box, const struct step *step)
{
	const struct strv *writable = &box->plan->writable;
	const struct allow_list list = {.names = step->text ? step->text : "", .path = step->path};
	const struct landlock_confinement c = {
		.writable = writable->n ? writable->v : NULL,
		.n_writable = writable->n,
		.allow = allow_list_put,
		.data = &list,
		.abi = (int)step->number,
		.scopes = (unsigned)step->value,
	};
	return landlock_confine(&c);
}

static long step_drop_caps(struct new_box *box, const struct step *step)
{
	(void)box;
	(void)step;
	return cred_drop_all_caps();
}

static long step_stdio(struct new_box *box, const struct step *step)
{
	(void)step;
	for (int i = 0; i < 3; i++) {
		long r = box->stdio[i] < 0   ? 0
			: box->stdio[i] == i ? sys_fcntl(i, F_SETFD, 0)
					     : sys_dup3(box->stdio[i], i, 0);
		if (r < 0)
			return r;
	}
	struct sys_sigaction action = {.handler = box->pipe_was_ignored ? SIG_IGN : SIG_DFL};
	sys_rt_sigaction(SIGPIPE, &action, NULL);
	return sys_rt_sigprocmask(SIG_SETMASK, &box->signal_mask, NULL);
}

static long step_terminal(struct new_box *box, const struct step *step)
{
	struct pty pty;
	long r = pty_open(step->path, &pty);
	if (r == 0)
		r = pty_put_look(pty.slave, &box->look);
	if (r == 0)
		r = pty_control(pty.slave);
	if (r == 0)
		r = pty_send(box->terminal, &pty);
	for (int i = 0; i < 3 && r >= 0; i++)
		r = sys_dup3(pty.slave, i, 0);
	return r;
}

static long step_close_fds(struct new_box *box, const struct step *step)
{
	(void)box;
	(void)step;
	return sys_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
}

static long step_filter(struct new_box *box, const struct step *step)
{
	(void)step;
	return seccomp_install(box->plan->filter, box->plan->n_filter);
}

/*
 * Close all above stdio but these two, if they are any. For good, not at the exec: whoever may look at us
 * then would have them in /proc/PID/fd.
 */
static long close_all_but(int a, int b)
{
	const int keep[] = {a < b ? a : b, a < b ? b : a};
	unsigned from = 3;
	long r = 0;
	for (int i = 0; i < 2 && r == 0; i++) {
		if (keep[i] > (int)from)
			r = sys_close_range(from, (unsigned)keep[i] - 1, 0);
		if (keep[i] >= (int)from)
			from = (unsigned)keep[i] + 1;
	}
	return r < 0 ? r : sys_close_range(from, ~0u, 0);
}

/*
 * The last step before the exec, which is the first to be judged. The warden must be able to trace us for
 * that, and it may not while we share a memory that is not dumpable. By now all that a stranger in the box
 * could get of us are the run's own descriptors.
 *
 * Of a terminal of its own nobody but us has the end that hints are written to.
 */
static long step_listener(struct new_box *box, const struct step *step)
{
	(void)step;
	long r = close_all_but(box->warden, box->kept);
	long listener =
		r < 0 ? r : seccomp_install_listener(box->plan->filter, box->plan->n_filter);
	if (listener < 0)
		return listener;
	const int fds[] = {(int)listener, 2};
	r = packet_send(box->warden, (struct packet_bytes){"l", 1}, (struct packet_bytes){0}, fds,
		box->plan->tty ? 2 : 1);
	sys_close((int)listener);
	sys_close(box->warden);
	return r < 0 ? r : sys_prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long (*const payload_steps[STEP_COUNT_])(struct new_box *, const struct step *) = {
	[STEP_GROUPS] = step_groups,
	[STEP_CGROUPNS] = step_cgroupns,
	[STEP_OWN_GROUP] = step_own_group,
	[STEP_OWN_SESSION] = step_own_session,
	[STEP_TERMINAL] = step_terminal,
	[STEP_RLIMIT] = step_rlimit,
	[STEP_AFFINITY] = step_affinity,
	[STEP_CHDIR] = step_chdir,
	[STEP_IDS] = step_ids,
	[STEP_NO_NEW_PRIVS] = step_no_new_privs,
	[STEP_SCOPE] = step_scope,
	[STEP_CONFINE] = step_confine,
	[STEP_ALLOW_LIST] = step_allow_list,
	[STEP_DROP_CAPS] = step_drop_caps,
	[STEP_STDIO] = step_stdio,
	[STEP_CLOSE_FDS] = step_close_fds,
	[STEP_FILTER] = step_filter,
	[STEP_LISTENER] = step_listener,
};

/*
 * As execvp(3) tries them: what does not exist is passed over, what may not be executed is
 * remembered and the next one tried, anything else ends the search.
 */
static long execute(struct new_box *box, int *ret_index)
{
	const struct plan *plan = box->plan;
	long denied = 0;
	*ret_index = -1;
	for (size_t i = 0; i < plan->exec_paths.n; i++) {
		const char *path = plan->exec_paths.v[i];
		long r = sys_execve(path, plan->argv.v, plan->envp.v);
		bool there = sys_faccessat(AT_FDCWD, path, 0) == 0;
		if (!there && (r == -ENOENT || r == -ENOTDIR))
			continue;
		if (denied == 0 || r != -EACCES) {
			denied = r;
			*ret_index = (int)i;
		}
		if (r != -EACCES)
			return r;
	}
	return denied ? denied : -ENOENT;
}

long payload_step(struct new_box *box, const struct step *step, struct site *site, int *ret_detail)
{
	*ret_detail = -1;
	if (step->kind == STEP_EXEC)
		return execute(box, ret_detail);
	return payload_steps[step->kind] ? payload_steps[step->kind](box, step)
					 : box_step(box, step, site);
}

int payload_main(void *data)
{
	struct new_box *box = data;
	const struct steps *steps = &box->plan->payload;
	struct site site;
	site_open(&site, box->root, box->root_is_here);
	for (size_t i = 0; i < steps->n; i++) {
		int detail;
		long r = payload_step(box, &steps->v[i], &site, &detail);
		if (r < 0) {
			report_failure(box, REPORT_PAYLOAD, i, r, detail);
			return 125;
		}
	}
	return 125;
}
