/* SPDX-License-Identifier: MIT */
#include "run/warm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/parse.h"
#include "run/deadline.h"
#include "run/plan-memfd.h"

/* No word of the program's is longer. */
#define MAX_ANSWER 64

/* ---- the request ---- */

static void put_word(struct buf *b, const char *word)
{
	buf_add(b, word, strlen(word) + 1);
}

static void put_all(struct buf *b, const struct strv *words)
{
	for (size_t i = 0; i < words->n; i++)
		put_word(b, words->v[i]);
}

static void encode(const struct warm_words *words, struct buf *b)
{
	put_word(b, "run");
	put_word(b, words->cwd ? words->cwd : "");
	buf_printf(b, "%zu", words->argv.n);
	buf_putc(b, '\0');
	put_all(b, &words->argv);
	put_all(b, &words->envp);
}

#define MAX_FDS (2 + WARM_MAX_ENTRIES)

static ssize_t send_packet(int socket, const void *data, size_t size, const int *fds, size_t n)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control = {{0}};
	struct iovec bytes = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr message = {.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int))};
	control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(n * sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.head), fds, n * sizeof(int));
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* 1, 0: nobody is there to take it, or -1. */
static int send_run(int socket, const struct warm_words *words, struct error *e)
{
	cleanup_buf struct buf b = BUF_INIT;
	int fds[4] = {words->stdio[0], words->stdio[1], words->stdio[2], -1};
	encode(words, &b);
	if (b.size > WARM_MAX_FILE)
		return error_set(e, BLAME_REQUEST, E2BIG,
			"arguments and environment are too large: %zu bytes, of at most %u", b.size,
			WARM_MAX_FILE);
	bool fits = b.size <= WARM_MAX_PACKET;
	cleanup_fd int file = fits ? -1 : memfd_sealed("bulkhead-words", b.data, b.size);
	if (!fits && file < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a file for the arguments");
	fds[3] = file;
	ssize_t n = fits ? send_packet(socket, b.data, b.size, fds, 3)
			 : send_packet(socket, "file", sizeof("file"), fds, 4);
	if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
		return 0;
	if (n < 0)
		return error_set(
			e, BLAME_HOST, errno, "cannot send its arguments to a warmed program");
	return 1;
}

int warm_fork(struct warm *w, const struct warm_fork *fork, struct error *e)
{
	int fds[MAX_FDS] = {fork->socket, fork->filter};
	memcpy(fds + 2, fork->entries, fork->n_entries * sizeof(int));
	if (send_packet(w->socket, "fork", sizeof("fork"), fds, 2 + fork->n_entries) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot ask a warmed program for a fork");
	return 0;
}

/* ---- what it says ---- */

static void stop(struct warm *w, enum warm_state state)
{
	w->state = state;
	uv_poll_stop(&w->poll);
	uv_timer_stop(&w->bound);
}

static void fail(struct warm *w, enum warm_fault fault, int errnum)
{
	stop(w, WARM_FAILED);
	w->hooks.failed(w, fault, errnum);
}

static void give_up(uv_timer_t *timer)
{
	fail(timer->data, WARM_LATE, 0);
}

static void on_late(uv_timer_t *timer)
{
	deadline_after_events(timer, give_up);
}

/* The word that begins at @at, which moves behind it; NULL: it is not ended within the packet. */
static const char *next_word(const char **at, const char *end)
{
	const char *word = *at, *nul = memchr(word, '\0', (size_t)(end - word));
	if (!nul)
		return NULL;
	*at = nul + 1;
	return word;
}

/* "failed", which step, errno; nothing else. */
static enum warm_fault fault_of(const char *packet, size_t size, int *ret_errnum)
{
	static const struct {
		const char *word;
		enum warm_fault fault;
	} steps[] = {{"cwd", WARM_NO_CWD}, {"exec", WARM_NO_EXEC}, {"request", WARM_NO_REQUEST},
		{"fork", WARM_NO_FORK}};
	const char *at = packet, *end = packet + size;
	const char *kind = next_word(&at, end), *step = kind ? next_word(&at, end) : NULL;
	const char *number = step ? next_word(&at, end) : NULL;
	uint64_t value;
	if (!number || at != end || strcmp(kind, "failed") != 0 ||
		parse_u64(number, 4095, &value) < 0 || value == 0)
		return WARM_MALFORMED;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strcmp(step, steps[i].word) == 0) {
			*ret_errnum = (int)value;
			return steps[i].fault;
		}
	return WARM_MALFORMED;
}

static void on_ready(struct warm *w, const char *packet, size_t size, pid_t sender)
{
	int errnum = 0;
	if (size != strlen("ready") || memcmp(packet, "ready", size) != 0) {
		bool no_fork = fault_of(packet, size, &errnum) == WARM_NO_FORK;
		fail(w, no_fork ? WARM_NO_FORK : WARM_MALFORMED, no_fork ? errnum : 0);
		return;
	}
	w->state = WARM_READY;
	w->sender = sender;
	uv_timer_stop(&w->bound);
	w->hooks.ready(w);
}

static void on_answer(struct warm *w, const char *packet, size_t size)
{
	int errnum = 0;
	enum warm_fault fault = fault_of(packet, size, &errnum);
	if (fault == WARM_NO_FORK) /* it was there already */
		fail(w, WARM_MALFORMED, 0);
	else
		fail(w, fault, errnum);
}

static void on_end(struct warm *w)
{
	if (w->state != WARM_GIVEN || !w->taken) {
		fail(w, WARM_GONE, 0);
		return;
	}
	stop(w, WARM_BEGUN);
	w->hooks.begun(w);
}

/* There is room for who sends it, and so none for descriptors, which the kernel closes then. */
static ssize_t receive(int socket, char packet[MAX_ANSWER], pid_t *ret_sender)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control = {{0}};
	struct iovec bytes = {.iov_base = packet, .iov_len = MAX_ANSWER};
	struct msghdr message = {.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(sizeof(struct ucred))};
	struct ucred who = {0};
	ssize_t n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
	if (n > 0 && message.msg_controllen >= CMSG_LEN(sizeof(who)) &&
		control.head.cmsg_type == SCM_CREDENTIALS)
		memcpy(&who, CMSG_DATA(&control.head), sizeof(who));
	*ret_sender = who.pid;
	return n;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct warm *w = poll->data;
	char packet[MAX_ANSWER];
	pid_t sender;
	(void)status; /* the socket itself says more */
	(void)events;
	ssize_t n = receive(w->socket, packet, &sender);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) /* ECONNRESET: it is gone, and has not read the run */
		w->taken = false;
	if (n <= 0) /* an empty packet looks the same, and says as much */
		on_end(w);
	else if ((size_t)n <= sizeof(packet) && w->state == WARM_HEATING)
		on_ready(w, packet, (size_t)n, sender);
	else if ((size_t)n <= sizeof(packet) && w->state == WARM_GIVEN)
		on_answer(w, packet, (size_t)n);
	else
		fail(w, WARM_MALFORMED, 0);
}

/* ---- open, run, close ---- */

int warm_open(struct warm *w, const struct warm_spec *spec, int *ret_child, struct error *e)
{
	static const int on = 1;
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a socket for a warmed program");
	*w = (struct warm){.hooks = spec->hooks, .data = spec->data, .socket = ends[0]};
	int r = setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0
		? -errno
		: uv_poll_init(spec->loop, &w->poll, w->socket);
	if (r < 0) {
		fd_close(ends[0]);
		fd_close(ends[1]);
		return error_set(e, BLAME_HOST, -r, "cannot watch the socket of a warmed program");
	}
	uv_timer_init(spec->loop, &w->bound);
	w->poll.data = w->bound.data = w;
	w->n_handles = 2;
	uv_poll_start(&w->poll, UV_READABLE, on_readable);
	uv_timer_start(&w->bound, on_late, spec->ready_ms, 0);
	*ret_child = ends[1];
	return 0;
}

int warm_run(struct warm *w, const struct warm_words *words, struct error *e)
{
	int sent = send_run(w->socket, words, e);
	if (sent < 0)
		return -1;
	w->taken = sent > 0;
	w->state = WARM_GIVEN;
	uv_timer_start(&w->bound, on_late, WARM_RUN_MS, 0);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct warm *w = handle->data;
	if (--w->n_handles == 0)
		w->closed(w);
}

void warm_close(struct warm *w, void (*closed)(struct warm *w))
{
	w->closed = closed;
	uv_close((uv_handle_t *)&w->poll, on_closed);
	uv_close((uv_handle_t *)&w->bound, on_closed);
	w->socket = fd_close(w->socket);
}

/* ---- in words ---- */

static const char *const fault_texts[] = {
	[WARM_GONE] = "it ended",
	[WARM_LATE] = "it took too long",
	[WARM_MALFORMED] = "it does not keep to the protocol",
	[WARM_NO_CWD] = "it cannot go to the working directory",
	[WARM_NO_EXEC] = "it cannot execute the program",
	[WARM_NO_REQUEST] = "it did not understand the request",
	[WARM_NO_FORK] = "it cannot fork",
};
_Static_assert(sizeof(fault_texts) / sizeof(fault_texts[0]) == WARM_FAULT_COUNT_, "all of them");

const char *warm_fault_text(enum warm_fault fault)
{
	return fault_texts[fault];
}

void warm_word_failure(enum warm_fault fault, int errnum, const struct warm_words *words,
	struct arena *a, struct setup_failure *ret)
{
	const char *name = words->argv.n > 0 ? words->argv.v[0] : "";
	*ret = (struct setup_failure){
		.stage = fault == WARM_NO_EXEC ? SETUP_EXEC : SETUP_BOX,
		.errnum = errnum,
		.blame = fault == WARM_NO_EXEC || fault == WARM_NO_CWD ? BLAME_REQUEST
								       : BLAME_POLICY,
	};
	if (fault == WARM_NO_EXEC)
		ret->what = arena_printf(a, "cannot execute '%s': %s", name, errno_text(errnum));
	else if (fault == WARM_NO_CWD)
		ret->what = arena_printf(a, "cannot change to the working directory '%s': %s",
			words->cwd ? words->cwd : "", errno_text(errnum));
	else
		ret->what = arena_printf(a, "the command of pool.preload cannot be used: %s",
			warm_fault_text(fault));
}
