/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>

#include "jail/box.h"
#include "kernel/clone.h"
#include "kernel/sys.h"

/* Wait for the id maps: without them no file could be made, as its owner would have no number. */
static long wait_for_maps(struct box *box)
{
	while (__atomic_load_n(&box->go, __ATOMIC_ACQUIRE) == GO_WAIT)
		sys_futex((uint32_t *)&box->go, FUTEX_WAIT, GO_WAIT, NULL, NULL, 0);
	return box->go == GO_MAPPED ? 0 : -1;
}

/* Die with the supervisor, also if it died before we asked for that. */
static long bind_to_supervisor(const struct box *box)
{
	long r = sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return r < 0 ? r : sys_getppid() == box->supervisor ? 0 : -1;
}

static bool run_steps(struct box *box)
{
	const struct steps *steps = &box->plan->box;
	int root = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	for (size_t i = 0; i < steps->n; i++) {
		long r = root < 0 ? root : box_step(box, &steps->v[i], &root);
		if (r < 0) {
			report_failure(box, REPORT_BOX, i, r, 0);
			return false;
		}
	}
	box->root = root;
	return true;
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
static bool run_steps_apart(struct box *box)
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
		report_failure(box, REPORT_MAKER, MAKER_START, pid, 0);
	return pid > 0 && sys_wait4((pid_t)pid, &status, 0, NULL) == pid && status == 0;
}

static long clone_init(struct box *box)
{
	struct clone_request request = {
		.flags = CLONE_PARENT | CLONE_VM | CLONE_PARENT_SETTID,
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
static long clone_payload(struct box *box)
{
	struct clone_request request = {
		.flags = CLONE_PARENT | CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID,
		.stack = box->payload_stack,
		.stack_size = sizeof(*box->payload_stack),
		.ret_parent_tid = (pid_t *)&box->payload_pid,
		.into_cgroup = box->into_cgroup,
	};
	if (box->into_cgroup >= 0)
		request.flags |= CLONE_INTO_CGROUP;
	return clone_call(&request, payload_main, box);
}

static long new_pid_namespace(struct box *box)
{
	(void)box;
	return sys_unshare(CLONE_NEWPID);
}

int maker_main(void *data)
{
	static long (*const work[MAKER_COUNT_])(struct box *) = {
		[MAKER_PID_NAMESPACE] = new_pid_namespace,
		[MAKER_INIT] = clone_init,
		[MAKER_PAYLOAD] = clone_payload,
	};
	struct box *box = data;
	if (bind_to_supervisor(box) < 0 || wait_for_maps(box) < 0)
		return 1;
	/* before the pid namespace, whose first process is its init and nobody else */
	if (!(box->plan->own_root ? run_steps_apart(box) : run_steps(box)))
		return 1;
	for (int step = MAKER_PID_NAMESPACE; step < MAKER_COUNT_; step++) {
		long r = work[step](box);
		if (r < 0) {
			report_failure(box, REPORT_MAKER, (size_t)step, r, 0);
			return 1;
		}
	}
	return 0;
}
