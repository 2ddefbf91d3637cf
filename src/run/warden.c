/* SPDX-License-Identifier: MIT */
#include "run/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/time.h"
#include "jail/wire.h"
#include "kernel/clone.h"
#include "kernel/proc-stat.h"
#include "kernel/sys.h"
#include "model/exec-rules.h"
#include "run/companion.h"
#include "run/deadline.h"

/* It is a small static program that reads one record. */
#define READY_MS 10000

/* From one look at one that is held up to the next: twice as long each time; WARDEN_KILL_MS in all. */
#define LOOK_MS       1
#define MAX_DOUBLINGS 6
#define MAX_LOOKS     (MAX_DOUBLINGS + WARDEN_KILL_MS / (LOOK_MS << MAX_DOUBLINGS))

/* ---- where it is ---- */

int warden_find(char ret_path[PATH_MAX], struct error *e)
{
	return companion_find("bulkhead-warden", ret_path, e);
}

/* ---- starting it ---- */

/* What the child needs, which shares our memory until its exec. */
struct launch {
	const char *path;
	pid_t supervisor;
	int control, null;
	volatile int error; /* out: errno */
};

static long put_descriptors(const struct launch *l)
{
	/* out of the way of 0 to 3 first: any of them may be one of those */
	int control = sys_fcntl(l->control, F_DUPFD_CLOEXEC, WARDEN_CONTROL + 1);
	int null = sys_fcntl(l->null, F_DUPFD_CLOEXEC, WARDEN_CONTROL + 1);
	long r = control < 0 ? control : null;
	for (int i = 0; i < WARDEN_CONTROL && r >= 0; i++)
		r = sys_dup3(null, i, 0);
	if (r >= 0)
		r = sys_dup3(control, WARDEN_CONTROL, 0);
	/* what our caller has left open, the ends of pipes above all, is no affair of a warden's */
	return r < 0 ? r : sys_close_range(WARDEN_CONTROL + 1, ~0u, 0);
}

static int launch_main(void *data)
{
	static const char *const argv[] = {"bulkhead-warden", NULL}, *const envp[] = {NULL};
	struct launch *l = data;
	long r = sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (r >= 0 && sys_getppid() != l->supervisor)
		r = -ESRCH;
	if (r >= 0)
		r = sys_setsid(); /* the caller's terminal has nothing to say to it */
	if (r >= 0)
		r = put_descriptors(l);
	if (r >= 0)
		r = sys_execve(l->path, argv, envp);
	l->error = (int)-r;
	return 127;
}

static int launch(struct warden *w, struct launch *l, struct error *e)
{
	static _Alignas(64) char stack[16384];
	struct clone_request request = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD,
		.exit_signal = SIGCHLD,
		.stack = stack,
		.stack_size = sizeof(stack),
		.ret_pidfd = &w->pidfd,
	};
	long pid = clone_call(&request, launch_main, l);
	int error = pid < 0 ? (int)-pid : l->error;
	if (error == 0) {
		w->pid = (pid_t)pid;
		return 0;
	}
	while (pid > 0 && waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
		;
	w->pidfd = fd_close(w->pidfd);
	return error_set(e, BLAME_HOST, error, "cannot start '%s'", l->path);
}

static int sealed_copy(const void *data, size_t size, struct error *e)
{
	static const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	cleanup_fd int fd = memfd_create("bulkhead-exec", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || fcntl(fd, F_ADD_SEALS, seals) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot hand over the exec policy");
	return fd_take(&fd);
}

static int tell_start(const struct warden *w, const struct policy_exec *policy,
	const char *path_of_box, struct error *e)
{
	struct warden_record record = {
		.magic = WARDEN_MAGIC, .version = WARDEN_VERSION, .kind = WARDEN_START};
	cleanup_arena struct arena a = ARENA_INIT;
	const void *data;
	size_t size;
	if (exec_policy_pack(policy, &a, &data, &size) < 0)
		return error_set(e, BLAME_POLICY, 0, "the exec policy is too large");
	cleanup_fd int rules = sealed_copy(data, size, e);
	if (rules < 0)
		return -1;
	record.n = size;
	memcpy(record.path, path_of_box, strlen(path_of_box) + 1);
	long r = packet_send(w->control, (struct packet_bytes){&record, sizeof(record)},
		(struct packet_bytes){0}, &rules, 1);
	return r < 0 ? error_set(e, BLAME_HOST, (int)-r, "cannot talk to the warden") : 0;
}

static void on_process(uv_poll_t *handle, int status, int events);
static void on_answer(uv_poll_t *handle, int status, int events);
static void on_bound(uv_timer_t *handle);

/* One that is watched, and cannot be listened to, is lost like one that has died: the loop has handles of it. */
static int watch_it(struct warden *w, uv_loop_t *loop, struct error *e)
{
	int r = uv_poll_init(loop, &w->process, w->pidfd);
	if (r < 0)
		return error_set(e, BLAME_HOST, -r, "cannot watch the warden");
	uv_timer_init(loop, &w->bound);
	w->process.data = w->answers.data = w->bound.data = w;
	uv_poll_start(&w->process, UV_READABLE, on_process);
	uv_update_time(loop);
	uv_timer_start(&w->bound, on_bound, READY_MS, 0);
	w->state = WARDEN_STARTING;
	w->listening = uv_poll_init(loop, &w->answers, w->control) == 0;
	if (w->listening)
		uv_poll_start(&w->answers, UV_READABLE, on_answer);
	else
		warden_kill(w, "could not be listened to, and was killed");
	return 0;
}

static void stop_listening(struct warden *w)
{
	if (w->listening)
		uv_poll_stop(&w->answers);
}

/* False: it has not ended, or whoever traces it is told first, and keeps it. Never waits. */
static bool reap(struct warden *w)
{
	siginfo_t info = {0};
	if (w->pid > 0 && sys_waitid(P_PIDFD, w->pidfd, &info, WEXITED | WNOHANG, NULL) == 0 &&
		info.si_pid == 0)
		return false;
	w->pid = 0;
	return true;
}

/* Waits for the kernel, and for no tracer. */
static void kill_and_reap(struct warden *w)
{
	struct pollfd end = {.fd = w->pidfd, .events = POLLIN};
	if (w->pid <= 0)
		return;
	sys_pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0);
	while (w->state != WARDEN_GONE && poll(&end, 1, WARDEN_KILL_MS) < 0 && errno == EINTR)
		;
	reap(w);
}

int warden_start(struct warden *w, uv_loop_t *loop, const struct policy_exec *policy,
	const char *path_of_box, const struct warden_hooks *hooks, struct error *e)
{
	char path[PATH_MAX];
	int ends[2];
	*w = WARDEN_INIT;
	if (strlen(path_of_box) >= sizeof(((struct warden_record *)NULL)->path))
		return error_set(e, BLAME_REQUEST, ENAMETOOLONG, "PATH cannot be judged by");
	if (warden_find(path, e) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a socket for the warden");
	cleanup_fd int ours = ends[0], its = ends[1];
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return error_set(e, BLAME_HOST, errno, "cannot open '/dev/null'");
	struct launch l = {.path = path, .supervisor = getpid(), .control = its, .null = null};
	if (launch(w, &l, e) < 0)
		return -1;
	w->control = fd_take(&ours);
	w->hooks = *hooks;
	if (tell_start(w, policy, path_of_box, e) == 0 && watch_it(w, loop, e) == 0)
		return 0;
	kill_and_reap(w);
	w->control = fd_close(w->control);
	w->pidfd = fd_close(w->pidfd);
	return -1;
}

/* ---- what it says, and its end ---- */

static void note(struct warden *w, const char *why)
{
	if (!w->why[0])
		snprintf(w->why, sizeof(w->why), "%s", why);
}

static void be_gone(struct warden *w)
{
	w->gone_us = time_monotonic_us();
	w->expected = w->state == WARDEN_DRAINING;
	w->state = WARDEN_GONE;
	uv_poll_stop(&w->process);
	stop_listening(w);
	uv_timer_stop(&w->bound);
	w->hooks.gone(w, w->expected);
}

/* A tracer can keep it in its end: nobody waits for that. */
static void give_up(uv_timer_t *handle)
{
	struct warden *w = handle->data;
	w->late |= w->state == WARDEN_DRAINING;
	snprintf(w->why, sizeof(w->why), "was killed, and does not end");
	be_gone(w);
}

static void on_undying(uv_timer_t *handle)
{
	deadline_after_events(handle, give_up);
}

void warden_kill(struct warden *w, const char *why)
{
	if (w->state == WARDEN_NONE || w->state == WARDEN_GONE)
		return;
	note(w, why);
	w->killed = true;
	sys_pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0);
	uv_update_time(w->bound.loop);
	uv_timer_start(&w->bound, on_undying, WARDEN_KILL_MS, 0);
}

static void kill_late(uv_timer_t *handle)
{
	struct warden *w = handle->data;
	w->late = w->state == WARDEN_DRAINING;
	warden_kill(
		w, w->late ? "did not end in time, and was killed" : "did not get ready in time");
}

static void on_bound(uv_timer_t *handle)
{
	deadline_after_events(handle, kill_late);
}

static void note_refusal(struct warden *w, const struct warden_record *record)
{
	char text[sizeof(record->text)];
	memcpy(text, record->text, sizeof(text));
	text[sizeof(text) - 1] = 0;
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	char why[sizeof(w->why)];
	snprintf(why, sizeof(why), "refused to serve: %s", text); /* which has its errno in words */
	note(w, why);
}

static void on_answer(uv_poll_t *handle, int status, int events)
{
	struct warden *w = handle->data;
	struct warden_record record;
	struct packet packet;
	(void)status;
	if (events & UV_WRITABLE && w->state == WARDEN_SERVING) {
		uv_poll_start(handle, UV_READABLE, on_answer);
		w->hooks.ready(w);
		return;
	}
	long r = packet_receive(w->control, &record, sizeof(record), false, &packet);
	if (r == -EAGAIN)
		return;
	packet_close_fds(&packet);
	if (r < 0 || packet.size == 0) { /* its process tells the rest */
		uv_poll_stop(handle);
		return;
	}
	bool sound = packet.size == sizeof(record) && record.magic == WARDEN_MAGIC &&
		record.version == WARDEN_VERSION && w->state == WARDEN_STARTING;
	if (sound && record.kind == WARDEN_READY) {
		w->state = WARDEN_SERVING;
		uv_timer_stop(&w->bound);
		w->hooks.ready(w);
		return;
	}
	if (sound && record.kind == WARDEN_REFUSED)
		note_refusal(w, &record);
	warden_kill(w, "said something that it may not say");
}

void warden_await_room(struct warden *w)
{
	uv_poll_start(&w->answers, UV_READABLE | UV_WRITABLE, on_answer);
}

static void note_status(struct warden *w, const siginfo_t *info)
{
	char why[sizeof(w->why)];
	if (info->si_code == CLD_EXITED)
		snprintf(why, sizeof(why), "ended with status %d", info->si_status);
	else
		snprintf(why, sizeof(why), "was killed by signal %d", info->si_status);
	note(w, why);
}

/*
 * It has ended, and all that it held is closed, also if it is traced and its tracer has its status first: its pidfd
 * is readable all the time then, and to wait for that would be a loop that never sleeps.
 */
static void on_process(uv_poll_t *handle, int status, int events)
{
	struct warden *w = handle->data;
	siginfo_t info = {0};
	(void)status;
	(void)events;
	long r = sys_waitid(P_PIDFD, w->pidfd, &info, WEXITED | WNOHANG, NULL);
	if (info.si_pid != 0)
		note_status(w, &info);
	else
		note(w, r == 0 ? "ended while another process traced it" : "has ended");
	if (r < 0 || info.si_pid != 0)
		w->pid = 0;
	be_gone(w);
}

static bool is_hung_up(int socket)
{
	int seen = fd_poll_now(socket, 0);
	return seen > 0 && (seen & (POLLHUP | POLLERR));
}

/*
 * The kernel closes what a process had open one after the other, its last descriptor first: listeners before our
 * socket. Before that it has the process marked.
 */
static bool is_exiting(pid_t pid)
{
	struct proc_stat stat;
	return proc_stat_read(-1, pid, &stat) && stat.ppid == getpid() && stat.flags & PROC_EXITING;
}

bool warden_has_left(const struct warden *w)
{
	return w->state == WARDEN_GONE || is_hung_up(w->control) ||
		(w->pid > 0 && is_exiting(w->pid));
}

/* Who is stopped holds up every exec of its runs, and the processes that it traces. */
void warden_look(struct warden *w)
{
	siginfo_t info = {0};
	if (w->state == WARDEN_NONE || w->state == WARDEN_GONE)
		return;
	if (sys_waitid(P_PIDFD, w->pidfd, &info, WSTOPPED | WNOHANG, NULL) == 0 && info.si_pid != 0)
		warden_kill(w, "was stopped by a signal, and therefore killed");
}

void warden_shut_down(struct warden *w)
{
	if (w->state != WARDEN_STARTING && w->state != WARDEN_SERVING)
		return;
	w->state = WARDEN_DRAINING;
	stop_listening(w);
	shutdown(w->control, SHUT_RDWR);
	uv_update_time(w->bound.loop);
	uv_timer_start(&w->bound, on_bound, WARDEN_DRAIN_MS, 0);
}

static void on_closed(uv_handle_t *handle)
{
	struct warden *w = handle->data;
	if (--w->n_handles == 0 && w->closed)
		w->closed(w);
}

static void let_go(struct warden *w)
{
	uv_handle_t *const handles[] = {
		(uv_handle_t *)&w->process, (uv_handle_t *)&w->bound, (uv_handle_t *)&w->answers};
	size_t n = w->state == WARDEN_NONE ? 0 : w->listening ? 3 : 2;
	/* the handles first: libuv takes the number of a closed descriptor off its epoll once more */
	for (size_t i = 0; i < n; i++) {
		w->n_handles++;
		uv_close(handles[i], on_closed);
	}
	w->control = fd_close(w->control);
	w->pidfd = fd_close(w->pidfd);
	if (w->state == WARDEN_NONE && w->closed)
		w->closed(w);
	w->state = WARDEN_GONE;
}

static void on_look(uv_timer_t *handle)
{
	struct warden *w = handle->data;
	unsigned n = w->looks < MAX_DOUBLINGS ? w->looks : MAX_DOUBLINGS;
	if (reap(w) || w->looks++ == MAX_LOOKS)
		let_go(w);
	else
		uv_timer_start(handle, on_look, (uint64_t)LOOK_MS << n, 0);
}

void warden_close(struct warden *w, void (*closed)(struct warden *w))
{
	w->closed = closed;
	kill_and_reap(w);
	if (w->pid <= 0 || !closed) {
		let_go(w);
		return;
	}
	w->state = WARDEN_GONE;
	uv_poll_stop(&w->process);
	stop_listening(w);
	on_look(&w->bound);
}
