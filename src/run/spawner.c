/* SPDX-License-Identifier: MIT */
#include "run/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/clone.h"
#include "kernel/idmap.h"
#include "kernel/sys.h"
#include "run/idmapped.h"
#include "run/setup-words.h"

static struct box_stack maker_stack, init_stack, payload_stack;

/* ---- starting ---- */

void spawn_begin(struct spawn *ret)
{
	int life[2] = {-1, -1};
	*ret = (struct spawn){.subject = SUBJECT_INIT, .terminal_read = -1, .pty = PTY_INIT};
	ret->begin_error = pipe2(life, O_CLOEXEC) < 0 ? errno : 0;
	ret->life_read = life[0];
	ret->subject.life_fd = life[1];
	ret->box = (struct new_box){
		.supervisor = getpid(),
		.life = life[0],
		.stdio = {-1, -1, -1},
		.into_cgroup = -1,
		.terminal = -1,
		.warden = -1,
		.kept = -1,
		.init_stack = &init_stack,
		.payload_stack = &payload_stack,
		.go = GO_BORN,
		.root = -1,
	};
	for (int i = 0; i < PLAN_MAX_SLOTS; i++)
		ret->box.slots[i] = -1;
	struct clone_request request = {
		.flags = CLONE_VM | CLONE_FILES | CLONE_PIDFD | CLONE_NEWUSER,
		.exit_signal = SIGCHLD,
		.stack = &maker_stack,
		.stack_size = sizeof(maker_stack),
		.ret_pidfd = &ret->subject.maker_pidfd,
	};
	if (ret->begin_error)
		return;
	long pid = clone_call(&request, maker_main, &ret->box);
	if (pid < 0)
		ret->begin_error = (int)-pid;
	else
		ret->maker = (pid_t)pid;
}

static void release_maker(struct spawn *s, uint32_t stage)
{
	__atomic_store_n(&s->box.go, stage, __ATOMIC_RELEASE);
	sys_futex((uint32_t *)&s->box.go, 1 /* FUTEX_WAKE */, 1, NULL, NULL, 0);
}

void spawn_network(struct spawn *s, bool new_network)
{
	s->box.new_network = new_network;
	release_maker(s, GO_NETWORK);
}

int spawn_plan(struct spawn *s, const struct plan *plan, struct arena *a, struct error *e)
{
	if (s->begin_error)
		return setup_refuse_userns(a, s->begin_error, e);
	if (idmapped_trees(plan, s->box.slots, &s->not_idmapped, e) < 0)
		return -1;
	int r = idmap_write(s->maker, plan->uid_map, plan->gid_map, plan->deny_setgroups);
	if (r < 0)
		return setup_refuse_userns(a, -r, e);
	/* from here on nothing of us, whose memory the maker and init share, can be traced or read */
	prctl(PR_SET_DUMPABLE, 0);
	s->box.plan = plan;
	/* the payload makes the memory that we share dumpable again before its exec, for the warden */
	s->box.init_apart = plan->exec != EXEC_OFF;
	release_maker(s, GO_PLAN);
	return 0;
}

static int open_socket(struct spawn *s, struct error *e)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a socket");
	s->terminal_read = ends[0];
	s->box.terminal = ends[1];
	return 0;
}

int spawn_payload(struct spawn *s, const struct spawn_request *request, struct error *e)
{
	struct new_box *box = &s->box;
	if (box->plan->tty && open_socket(s, e) < 0)
		return -1;
	const struct group_entry *entry = request->entry;
	box->into_cgroup = entry ? entry->into_fd : -1;
	box->n_tasks = entry ? entry->n_tasks : 0;
	for (unsigned i = 0; i < box->n_tasks; i++)
		box->tasks[i] = entry->tasks[i];
	for (int i = 0; i < 3; i++)
		box->stdio[i] = request->stdio[i];
	memcpy(&box->signal_mask, &request->signal_mask, sizeof(box->signal_mask));
	box->pipe_was_ignored = request->pipe_was_ignored;
	box->look = request->look;
	box->warden = box->plan->exec != EXEC_OFF ? request->warden : -1;
	release_maker(s, GO_READY);
	return 0;
}

void spawn_abort(struct spawn *s)
{
	release_maker(s, GO_ABORT);
}

/* ---- how it went ---- */

static int reap(pid_t pid)
{
	int status = 0;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int reap_maker(struct spawn *s)
{
	int status = reap(s->maker);
	s->maker = 0;
	s->subject.maker_pidfd = fd_close(s->subject.maker_pidfd);
	return status;
}

static void end_processes(struct spawn *s)
{
	if (s->maker > 0) {
		if (s->subject.maker_pidfd >= 0)
			sys_pidfd_send_signal(s->subject.maker_pidfd, SIGKILL, NULL, 0);
		reap_maker(s);
	}
	/* not reaped yet, so the numbers are still theirs */
	bool init = s->box.init_pid > 0 && !s->subject.init_reaped;
	bool payload = s->box.payload_pid > 0 && !s->subject.payload_reaped;
	if (init)
		kill(s->box.init_pid, SIGKILL);
	if (payload) {
		kill(s->box.payload_pid, SIGKILL);
		reap(s->box.payload_pid);
	}
	if (init)
		reap(s->box.init_pid);
	s->box.init_pid = s->box.payload_pid = 0;
	s->subject.init = s->subject.payload = 0;
}

/* What the maker, whose table of descriptors was ours, has left open in it. */
static void close_makers(struct spawn *s)
{
	for (int i = 0; i < PLAN_MAX_SLOTS; i++)
		s->box.slots[i] = fd_close(s->box.slots[i]);
	s->box.terminal = fd_close(s->box.terminal);
	s->life_read = fd_close(s->life_read);
}

/* The payload runs: get hold of it. 0 or -errno. */
static long take_hold(struct spawn *s)
{
	s->subject.init_pidfd = sys_pidfd_open(s->box.init_pid, 0);
	s->subject.payload_pidfd = sys_pidfd_open(s->box.payload_pid, 0);
	if (s->subject.init_pidfd < 0 || s->subject.payload_pidfd < 0)
		return s->subject.init_pidfd < 0 ? s->subject.init_pidfd : s->subject.payload_pidfd;
	s->subject.init = s->box.init_pid;
	s->subject.payload = s->box.payload_pid;
	s->subject.root = s->box.root;
	s->box.root = -1;
	return s->box.plan->tty ? pty_receive(s->terminal_read, &s->pty) : 0;
}

int spawn_finish(
	struct spawn *s, const struct host *host, struct arena *a, struct setup_failure *ret)
{
	int status = reap_maker(s);
	struct report report = s->box.report;
	bool failed = report.stage != REPORT_NONE;
	if (s->box.init_apart)
		prctl(PR_SET_DUMPABLE, 0);
	close_makers(s);
	if (!failed && status == 0 && s->box.init_pid > 0 && s->box.payload_pid > 0) {
		long r = take_hold(s);
		if (r == 0)
			return 0;
		report = (struct report){
			.stage = REPORT_MAKER, .step = MAKER_PAYLOAD, .errnum = (int32_t)-r};
		failed = true;
	}
	const struct plan *plan = s->box.plan;
	const struct setup_words words = {
		.plan = plan,
		.host = host,
		.argv0 = plan->argv.v[0],
		.exec_paths = &plan->exec_paths,
	};
	if (failed)
		setup_say(&words, &report, a, ret);
	else
		setup_say_vanished("the box's maker", status, a, ret);
	end_processes(s);
	return -1;
}

void spawn_fini(struct spawn *s)
{
	if (s->maker > 0)
		release_maker(s, GO_ABORT);
	end_processes(s);
	close_makers(s);
	s->box.root = fd_close(s->box.root);
	subject_fini(&s->subject);
	s->terminal_read = fd_close(s->terminal_read);
	s->pty.master = fd_close(s->pty.master);
	s->pty.slave = fd_close(s->pty.slave);
}
