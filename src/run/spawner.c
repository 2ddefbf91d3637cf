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
#include "run/host.h"

static struct box_stack maker_stack, init_stack, payload_stack;

/* ---- starting ---- */

void spawn_begin(struct spawn *ret)
{
	int life[2] = {-1, -1};
	*ret = (struct spawn){.subject = SUBJECT_INIT, .terminal_read = -1, .pty = PTY_INIT};
	ret->begin_error = pipe2(life, O_CLOEXEC) < 0 ? errno : 0;
	ret->life_read = life[0];
	ret->subject.life_fd = life[1];
	ret->box = (struct box){
		.supervisor = getpid(),
		.life = life[0],
		.stdio = {-1, -1, -1},
		.into_cgroup = -1,
		.terminal = -1,
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

/* The kernel lets only the file system's own root idmap it, which the maker is no longer. */
static int grab_idmapped(struct spawn *s, const struct plan *plan, struct error *e)
{
	cleanup_fd int userns = -1;
	for (size_t i = 0; i < plan->box.n; i++) {
		const struct step *step = &plan->box.v[i];
		if (step->kind != STEP_GRAB || !(step->flags & MOUNT_IDMAP))
			continue;
		if (userns < 0)
			userns = idmap_open(plan->idmap.file_uid, plan->idmap.file_gid,
				plan->idmap.box_uid, plan->idmap.box_gid);
		if (userns < 0)
			return error_set(e, BLAME_HOST, -userns, "cannot make an idmap");
		int fd = idmap_copy(step->path, userns, step->flags & MOUNT_RECURSIVE,
			step->flags & MOUNT_READ_ONLY);
		if (fd < 0 && fd != -EINVAL && fd != -EPERM)
			return error_set(e, BLAME_HOST, -fd, "cannot idmap '%s'", step->path);
		if (fd < 0) {
			s->not_idmapped = step->path;
			continue;
		}
		s->box.slots[step->slot] = fd;
	}
	return 0;
}

/* Nothing is forbidden, there is just no more of something. Not ENOSPC: a sysctl says so. */
static bool is_scarcity(int errnum)
{
	return errnum == EAGAIN || errnum == ENOMEM || errnum == EMFILE || errnum == ENFILE;
}

static int refuse_userns(struct arena *a, int errnum, struct error *e)
{
	struct host_userns why = {0};
	error_set(e, BLAME_HOST, errnum, "cannot make the box's namespaces");
	if (is_scarcity(errnum))
		return -1;
	host_explain_userns(&why, a, errnum);
	if (why.why)
		error_hint(e, "%s", why.why);
	if (why.remedy)
		error_hint(e, "%s", why.remedy);
	return -1;
}

int spawn_plan(struct spawn *s, const struct plan *plan, struct arena *a, struct error *e)
{
	if (s->begin_error)
		return refuse_userns(a, s->begin_error, e);
	if (grab_idmapped(s, plan, e) < 0)
		return -1;
	int r = idmap_write(s->maker, plan->uid_map, plan->gid_map, plan->deny_setgroups);
	if (r < 0)
		return refuse_userns(a, -r, e);
	/* from here on nothing of us, whose memory the maker and init share, can be traced or read */
	prctl(PR_SET_DUMPABLE, 0);
	s->box.plan = plan;
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
	struct box *box = &s->box;
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
	release_maker(s, GO_READY);
	return 0;
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

static const char *word_exec(
	const struct box *box, const struct report *r, struct arena *a, struct setup_failure *ret)
{
	const char *name = box->plan->argv.v[0];
	bool found = r->detail >= 0 && (size_t)r->detail < box->plan->exec_paths.n;
	const char *path = found ? box->plan->exec_paths.v[r->detail] : name;
	ret->file_exists = found;
	if (r->errnum == ENOENT && !found)
		return arena_printf(a,
			strchr(name, '/') ? "'%s' does not exist in the box"
					  : "'%s' is not in any directory of PATH",
			name);
	if (r->errnum == ENOENT)
		return arena_printf(a,
			"'%s' names an interpreter or loader that does not exist in the box", path);
	if (r->errnum == ENOEXEC)
		return arena_printf(a,
			"'%s' is no program: neither an executable for this machine "
			"nor a script that begins with '#!'",
			path);
	return arena_printf(a, "cannot execute '%s': %s", path, errno_text(r->errnum));
}

static const char *word_step(const struct steps *steps, const struct report *r, struct arena *a)
{
	if (r->step < 0 || (size_t)r->step >= steps->n)
		return "the box reported a step that is not in its plan";
	return arena_printf(a, "cannot %s (step %d): %s", step_format(&steps->v[r->step], a),
		r->step + 1, errno_text(r->errnum));
}

static const char *word_maker(const struct report *r, struct arena *a)
{
	static const char *const words[MAKER_COUNT_] = {
		[MAKER_NAMESPACES] = "make the mount, ipc and uts namespaces",
		[MAKER_NETWORK] = "make a network namespace",
		[MAKER_STEPS] = "start a process that makes the box",
		[MAKER_PID_NAMESPACE] = "make a pid namespace",
		[MAKER_INIT] = "start the box's init",
		[MAKER_PAYLOAD] = "start the payload's process",
	};
	const char *what = r->step >= 0 && r->step < MAKER_COUNT_ ? words[r->step] : "do its work";
	return arena_printf(a, "cannot %s: %s", what, errno_text(r->errnum));
}

static bool is_forbidden(const struct host *host, const struct report *r)
{
	return r->stage != REPORT_PAYLOAD &&
		(r->errnum == EPERM || (r->errnum == EACCES && !host->privileged));
}

/*
 * Something was to appear where the root file system, which is read-only, has no place for it. That
 * one is a directory and the other is not shows as EINVAL of move_mount(2).
 */
static bool lacks_place(const struct plan *plan, const struct report *r)
{
	if (r->stage != REPORT_BOX || r->step < 0 || (size_t)r->step >= plan->box.n)
		return false;
	enum step_kind kind = plan->box.v[r->step].kind;
	bool missing = r->errnum == ENOENT || r->errnum == ENOTDIR;
	return (kind == STEP_TMPFS && missing) ||
		(kind == STEP_ATTACH && (missing || r->errnum == EINVAL));
}

/* The kernel shows a user namespace no more of /proc than is shown already. */
static bool is_proc_covered(const struct plan *plan, const struct report *r)
{
	return r->stage == REPORT_PAYLOAD && r->errnum == EPERM && r->step >= 0 &&
		(size_t)r->step < plan->payload.n && plan->payload.v[r->step].kind == STEP_PROC;
}

static void word_failure(const struct spawn *s, const struct host *host, const struct report *r,
	struct arena *a, struct setup_failure *ret)
{
	const struct plan *plan = s->box.plan;
	bool exec = r->stage == REPORT_PAYLOAD && (size_t)r->step + 1 == plan->payload.n;
	ret->stage = exec ? SETUP_EXEC : SETUP_BOX;
	ret->errnum = r->errnum;
	ret->blame = exec ? BLAME_REQUEST : BLAME_HOST;
	ret->what = exec ? word_exec(&s->box, r, a, ret)
		: r->stage == REPORT_MAKER
		? word_maker(r, a)
		: word_step(r->stage == REPORT_BOX ? &plan->box : &plan->payload, r, a);
	if (lacks_place(plan, r)) {
		ret->blame = BLAME_REQUEST;
		ret->what = arena_printf(a,
			"%s; the root file system has no such place of this kind: "
			"name one that it has, or one below /tmp",
			ret->what);
	}
	if (is_proc_covered(plan, r))
		ret->what = arena_printf(a, "%s; %s%s", ret->what, HOST_PROC_COVERED,
			host->in_container ? "; " HOST_PROC_REMEDY : "");
	if (is_forbidden(host, r)) {
		struct host_userns why = {0};
		host_explain_userns(&why, a, r->errnum);
		ret->what = arena_printf(a, "%s%s%s%s%s", ret->what, why.why ? "; " : "",
			why.why ? why.why : "", why.remedy ? "; " : "",
			why.remedy ? why.remedy : "");
	}
}

/* Without a report: killed from outside before the exec. */
static void word_vanished(struct arena *a, int status, struct setup_failure *ret)
{
	ret->stage = SETUP_BOX;
	ret->blame = BLAME_HOST;
	ret->errnum = 0;
	ret->what = WIFSIGNALED(status)
		? arena_printf(a, "the box's maker was killed by signal %d", WTERMSIG(status))
		: "the box's maker ended without a word";
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
	close_makers(s);
	if (!failed && status == 0 && s->box.init_pid > 0 && s->box.payload_pid > 0) {
		long r = take_hold(s);
		if (r == 0)
			return 0;
		report = (struct report){
			.stage = REPORT_MAKER, .step = MAKER_PAYLOAD, .errnum = (int32_t)-r};
		failed = true;
	}
	if (failed)
		word_failure(s, host, &report, a, ret);
	else
		word_vanished(a, status, ret);
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
