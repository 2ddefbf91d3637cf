/* SPDX-License-Identifier: MIT */
#include "cli/attachment.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/time.h"
#include "cli/client.h"
#include "cli/downlink.h"
#include "cli/uplink.h"
#include "model/api-client.h"
#include "run/raw-mode.h"
#include "run/terminal.h"

/* The daemon answers these at once; while it does not, nothing else goes on here. */
#define SIGNAL_TIMEOUT_S 10

struct attachment {
	const struct attachment_request *request;
	struct client_stream stream;
	struct uplink up;
	struct downlink down;
	struct raw_mode raw;
	int signal_fd;
	unsigned n_asked; /* how often somebody has asked for the end */
	uint64_t typed_us; /* when Ctrl-C was typed last; 0: never */
	uint64_t cancel_us; /* when to cancel it if it has not ended by then; 0: not */
	int left_by; /* the signal that ended the attaching */
	struct error fault; /* of a call that the run's end depends on */
};

/* ---- calls ---- */

/* One that comes too late, because the run has ended meanwhile, is none to speak of. */
static void call(struct attachment *t, const struct client_call *c)
{
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	struct error e = ERROR_INIT;
	if (client_call(c, &answer, &e) == 0 || answer.status == 410)
		return;
	if (answer.status == 0)
		t->fault = e;
	else
		log_error("%s", e.text);
}

static void send_signal(struct attachment *t, int number)
{
	cleanup_arena struct arena a = ARENA_INIT;
	call(t,
		&(struct client_call){.method = "POST",
			.path = client_path(&a, "/v1/runs/%s/signal", t->request->run),
			.body = api_format_signal(number, &a),
			.timeout_s = SIGNAL_TIMEOUT_S});
}

static void cancel(struct attachment *t, bool now)
{
	cleanup_arena struct arena a = ARENA_INIT;
	t->cancel_us = 0;
	call(t,
		&(struct client_call){.method = "DELETE",
			.path = client_path(
				&a, now ? "/v1/runs/%s?now=1" : "/v1/runs/%s", t->request->run),
			.timeout_s = SIGNAL_TIMEOUT_S});
}

/* ---- signals ---- */

static bool is_from_terminal(const struct signalfd_siginfo *s)
{
	return s->ssi_code > 0; /* SI_KERNEL */
}

/* Typed again long after the first time it is meant for the program again. */
static bool is_second(struct attachment *t, const struct signalfd_siginfo *s)
{
	uint64_t now = time_monotonic_us();
	bool soon = t->typed_us && now - t->typed_us < t->request->grace_us;
	bool second = t->n_asked > 0 || (is_from_terminal(s) && soon);
	if (is_from_terminal(s))
		t->typed_us = now;
	else
		t->n_asked++;
	return second;
}

static void on_end(struct attachment *t, const struct signalfd_siginfo *s)
{
	int number = (int)s->ssi_signo;
	bool typed = number == SIGINT && is_from_terminal(s);
	if (is_second(t, s)) {
		cancel(t, true);
	} else if (number == SIGTERM || (number == SIGHUP && is_from_terminal(s))) {
		cancel(t, false);
	} else {
		send_signal(t, number);
		if (!typed)
			t->cancel_us = time_monotonic_us() + t->request->grace_us;
	}
}

static void on_other(struct attachment *t, const struct signalfd_siginfo *s)
{
	send_signal(t, (int)s->ssi_signo);
}

static void on_window(struct attachment *t, const struct signalfd_siginfo *s)
{
	(void)s;
	if (t->request->terminal)
		uplink_tell_size(&t->up);
}

static bool is_end_asked_for(const struct attachment *t)
{
	sigset_t pending;
	sigpending(&pending);
	return t->n_asked > 0 || sigismember(&pending, SIGINT) == 1 ||
		sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGHUP) == 1;
}

/* In the background we stop again, as any program does that needs its terminal. */
static void come_back(struct attachment *t)
{
	while (!raw_mode_again(&t->raw) && !is_end_asked_for(t))
		raise(SIGSTOP);
	on_window(t, NULL);
}

/* Only this process: where the run goes on is not the caller's job to stop. */
static void on_stop(struct attachment *t, const struct signalfd_siginfo *s)
{
	(void)s;
	raw_mode_leave(&t->raw);
	terminal_stop_as_told();
	come_back(t);
}

static void on_continue(struct attachment *t, const struct signalfd_siginfo *s)
{
	(void)s;
	if (t->raw.fd >= 0)
		come_back(t);
}

static const struct {
	int number;
	void (*act)(struct attachment *t, const struct signalfd_siginfo *s);
	bool ends; /* the attaching of a guest */
} signals[] = {
	{SIGINT, on_end, true},
	{SIGTERM, on_end, true},
	{SIGHUP, on_end, true},
	{SIGQUIT, on_other, true},
	{SIGUSR1, on_other, true},
	{SIGUSR2, on_other, true},
	{SIGWINCH, on_window, false},
	{SIGTSTP, on_stop, false},
	{SIGCONT, on_continue, false},
};
#define N_SIGNALS (sizeof(signals) / sizeof(signals[0]))

static void on_signal(struct attachment *t, const struct signalfd_siginfo *s)
{
	for (size_t i = 0; i < N_SIGNALS; i++) {
		if (signals[i].number != (int)s->ssi_signo)
			continue;
		if (signals[i].ends && !t->request->owner)
			t->left_by = signals[i].number;
		else
			signals[i].act(t, s);
	}
}

static void read_signals(struct attachment *t)
{
	struct signalfd_siginfo info;
	while (!t->left_by && read(t->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(t, &info);
}

static int open_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaddset(&set, signals[i].number);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* ---- the loop ---- */

enum { AT_SIGNAL, AT_CONNECTION, AT_STDIN, AT_SINK, AT_COUNT };

/* In the background, on the way to the end, a terminal is not ours to read: that would stop us again. */
static bool listens(const struct attachment *t)
{
	return uplink_reads(&t->up) && (t->raw.fd < 0 || t->raw.on);
}

/* What is not waited for has no descriptor: a hang-up would be told of again and again. */
static void fill(const struct attachment *t, struct pollfd p[AT_COUNT])
{
	bool reads = downlink_reads(&t->down), sends = uplink_sends(&t->up);
	p[AT_SIGNAL] = (struct pollfd){.fd = t->signal_fd, .events = POLLIN};
	p[AT_CONNECTION] = (struct pollfd){.fd = reads || sends ? t->stream.fd : -1,
		.events = (short)((reads ? POLLIN : 0) | (sends ? POLLOUT : 0))};
	p[AT_STDIN] = (struct pollfd){.fd = listens(t) ? t->up.input : -1, .events = POLLIN};
	p[AT_SINK] = (struct pollfd){
		.fd = t->down.blocked ? t->down.blocked->epoll : -1, .events = POLLIN};
}

static int timeout_ms(const struct attachment *t)
{
	uint64_t now = time_monotonic_us();
	if (!t->cancel_us)
		return -1;
	return t->cancel_us > now ? (int)((t->cancel_us - now) / 1000) + 1 : 0;
}

static void tell_gap(struct attachment *t)
{
	if (t->down.gap_bytes)
		log_line("%" PRIu64 " bytes of output were not kept here", t->down.gap_bytes);
	t->down.gap_bytes = 0;
}

/* The program gets what it would have got for writing to a pipe that nobody reads. */
static void act_on_loss(struct attachment *t)
{
	t->down.lost = false;
	if (t->request->owner)
		send_signal(t, SIGPIPE);
	else
		t->left_by = SIGPIPE;
}

/* Something that we have sent is refused; that can only be stdin, which is not read any more. */
static void act_on_problem(struct attachment *t)
{
	struct error e = ERROR_INIT;
	api_problem(0, 0, t->down.problem.data, t->down.problem.size, &e);
	log_verbose("note: %s", e.text);
	uplink_stop_input(&t->up);
	buf_clear(&t->down.problem);
}

static int wait_and_act(struct attachment *t, struct error *e)
{
	struct pollfd p[AT_COUNT];
	fill(t, p);
	if (poll(p, AT_COUNT, timeout_ms(t)) < 0 && errno != EINTR)
		return error_set(e, BLAME_HOST, errno, "cannot wait for the run");
	if (p[AT_SIGNAL].revents)
		read_signals(t);
	if (t->cancel_us && time_monotonic_us() >= t->cancel_us)
		cancel(t, false);
	uplink_go_on(&t->up, p[AT_STDIN].revents != 0 && listens(t));
	if (downlink_go_on(&t->down, p[AT_CONNECTION].revents != 0, e) < 0)
		return -1;
	tell_gap(t);
	if (t->down.lost)
		act_on_loss(t);
	if (t->down.problem.size)
		act_on_problem(t);
	return 0;
}

static int loop(struct attachment *t, struct error *e)
{
	while (!t->down.ended && !t->left_by) {
		if (wait_and_act(t, e) < 0)
			return -1;
		if (t->fault.blame != BLAME_NONE) {
			*e = t->fault;
			return -1;
		}
	}
	return 0;
}

/* ---- begin and end ---- */

static int open_stream(struct attachment *t, struct arena *a, struct error *e)
{
	const struct attachment_request *r = t->request;
	const char *path = client_path(a,
		r->owner ? "/v1/runs/%s/attach?gone=cancel&pace=1" : "/v1/runs/%s/attach", r->run);
	return client_upgrade(&t->stream, path, ATTACH_PROTOCOL, e);
}

static int begin(struct attachment *t, struct error *e)
{
	t->signal_fd = open_signals();
	if (t->signal_fd < 0)
		return error_set(e, BLAME_HOST, errno, "cannot wait for signals");
	if (downlink_open(&t->down, t->stream.fd, &t->stream.early, e) < 0)
		return -1;
	uplink_open(&t->up, t->stream.fd, t->request->with_stdin);
	if (t->request->terminal && t->request->with_stdin)
		raw_mode_open(&t->raw, 0);
	on_window(t, NULL);
	return 0;
}

static void finish(struct attachment *t)
{
	raw_mode_close(&t->raw);
	uplink_close(&t->up);
	downlink_close(&t->down);
	t->signal_fd = fd_close(t->signal_fd);
	client_stream_close(&t->stream);
}

int attachment_follow(struct attachment_end *ret, const struct attachment_request *request,
	struct arena *a, struct error *e)
{
	static struct attachment t; /* its buffers are large */
	t = (struct attachment){.request = request, .raw = RAW_MODE_INIT, .signal_fd = -1};
	if (open_stream(&t, a, e) < 0)
		return -1;
	int r = begin(&t, e);
	if (r == 0)
		r = loop(&t, e);
	if (r == 0 && !t.down.ended)
		*ret = (struct attachment_end){.signal = t.left_by};
	else if (r == 0)
		*ret = (struct attachment_end){
			.verdict = arena_strdup(a, buf_str(&t.down.verdict))};
	finish(&t);
	return r < 0 ? error_wrap(e, "lost run '%s'", request->run) : 0;
}
