/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include "jail/box.h"
#include "kernel/clone.h"
#include "kernel/cred.h"
#include "kernel/net.h"
#include "kernel/sys.h"

/* Wait until the supervisor has come as far as @stage. */
static long wait_for(struct new_box *box, uint32_t stage)
{
	uint32_t now;
	if (box->way)
		return box->way->await(box, stage);
	while ((now = __atomic_load_n(&box->go, __ATOMIC_ACQUIRE)) < stage)
		sys_futex((uint32_t *)&box->go, FUTEX_WAIT, now, NULL, NULL, 0);
	return now == GO_ABORT ? SILENT : 0;
}

long bind_to_supervisor(const struct new_box *box)
{
	long r = sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return r < 0 ? r : sys_getppid() == box->supervisor ? 0 : -1;
}

static bool run_steps(struct new_box *box)
{
	const struct steps *steps = &box->plan->box;
	struct site site;
	long r = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	site_open(&site, (int)r, true);
	size_t i = 0;
	for (; i < steps->n && r >= 0; i++)
		r = box_step(box, &steps->v[i], &site);
	if (r < 0)
		report_failure(box, REPORT_BOX, i > 0 ? i - 1 : 0, r, 0);
	site_close(&site);
	box->root = site.root;
	box->root_is_here = site.here;
	return r >= 0;
}

static int builder_main(void *data)
{
	return run_steps(data) ? 0 : 1;
}

/*
 * Steps that take on the box's own root are done by a process that ends with them: the maker stays
 * who it was, for the cgroups belong to the host's user. Root and working directory are shared, so
 * that a pivot_root(2) in one is one in both.
 */
static bool run_steps_apart(struct new_box *box)
{
	struct clone_request request = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_FS | CLONE_FILES,
		.exit_signal = SIGCHLD,
		.stack = box->payload_stack,
		.stack_size = sizeof(*box->payload_stack),
	};
	int status = 1;
	long pid = clone_call(&request, builder_main, box);
	if (pid < 0)
		report_failure(box, REPORT_MAKER, MAKER_STEPS, pid, 0);
	return pid > 0 && sys_wait4((pid_t)pid, &status, 0, NULL) == pid && status == 0;
}

static long clone_init(struct new_box *box)
{
	struct clone_request request = {
		.flags = CLONE_PARENT | CLONE_PARENT_SETTID | (box->init_apart ? 0 : CLONE_VM),
		.stack = box->init_stack,
		.stack_size = sizeof(*box->init_stack),
		.ret_parent_tid = (pid_t *)&box->init_pid,
	};
	return clone_call(&request, init_main, box);
}

/*
 * CLONE_VFORK keeps us here until the payload has exec'd or failed; with it the payload's own
 * oom_score_adj and such are its own although it still shares our memory.
 */
static long clone_payload(struct new_box *box)
{
	struct clone_request request = {
		.flags = CLONE_PARENT | CLONE_VM | CLONE_PARENT_SETTID |
			(box->way ? 0 : CLONE_VFORK),
		.stack = box->payload_stack,
		.stack_size = sizeof(*box->payload_stack),
		.ret_parent_tid = (pid_t *)&box->payload_pid,
		.into_cgroup = box->into_cgroup,
	};
	if (box->into_cgroup >= 0)
		request.flags |= CLONE_INTO_CGROUP;
	return clone_call(&request, box->way ? box->way->payload : payload_main, box);
}

static long new_namespaces(struct new_box *box)
{
	(void)box;
	return sys_unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS);
}

/* With what else needs no plan: the maker is mostly ahead of it. */
static long new_network(struct new_box *box)
{
	long r = box->new_network ? sys_unshare(CLONE_NEWNET) : 0;
	if (r == 0 && box->new_network)
		r = net_loopback_up();
	return r == 0 ? cred_drop_bounding() : r;
}

static long do_steps(struct new_box *box)
{
	bool done = box->plan->own_root ? run_steps_apart(box) : run_steps(box);
	return done ? 0 : SILENT;
}

static long new_pid_namespace(struct new_box *box)
{
	(void)box;
	return sys_unshare(CLONE_NEWPID);
}

/*
 * Without the id maps no file could be made, as its owner would have no number. The pid namespace
 * comes after the steps, which may take a process of their own: its first one is its init and
 * nobody else.
 */
static const struct {
	uint32_t after; /* GO_… */
	long (*act)(struct new_box *box);
} work[MAKER_COUNT_] = {
	[MAKER_NAMESPACES] = {GO_BORN, new_namespaces},
	[MAKER_NETWORK] = {GO_NETWORK, new_network},
	[MAKER_STEPS] = {GO_PLAN, do_steps},
	[MAKER_PID_NAMESPACE] = {GO_PLAN, new_pid_namespace},
	[MAKER_INIT] = {GO_PLAN, clone_init},
	[MAKER_PAYLOAD] = {GO_READY, clone_payload},
};

/*
 * In the caller's process group, of which all get SIGTTIN when a program that has just begun reads in
 * the background: stopped, we would keep the supervisor, who waits for our end, from being so too. The
 * others that stop are blocked in it.
 */
static int block_stop_for_reading(void)
{
	uint64_t set = 1ull << (SIGTTIN - 1);
	return sys_rt_sigprocmask(SIG_BLOCK, &set, NULL);
}

int maker_main(void *data)
{
	struct new_box *box = data;
	if (block_stop_for_reading() < 0 || bind_to_supervisor(box) < 0)
		return 1;
	for (size_t step = 0; step < MAKER_COUNT_; step++) {
		long r = wait_for(box, work[step].after);
		if (r == 0)
			r = work[step].act(box);
		if (r < 0 && r != SILENT)
			report_failure(box, REPORT_MAKER, step, r, 0);
		if (r < 0)
			return 1;
	}
	return 0;
}
