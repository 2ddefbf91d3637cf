/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "jail/wire.h"
#include "run/warden.h"

/* One run of a warden's box: its socket, its board, and what is read of that. */

#define BOARD_SIZE ((sizeof(struct warden_board) + 4095) & ~(size_t)4095)

static int new_board(const struct warden_board **ret, struct error *e)
{
	static const int seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	cleanup_fd int fd = memfd_create("bulkhead-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)BOARD_SIZE) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a board for the warden");
	void *at = mmap(NULL, BOARD_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return error_set(e, BLAME_HOST, errno, "cannot map the warden's board");
	*ret = at;
	return fd_take(&fd);
}

static int tell_run(struct warden *w, const struct warden_run_spec *spec, int socket, int board,
	struct error *e)
{
	struct warden_record record = {
		.magic = WARDEN_MAGIC,
		.version = WARDEN_VERSION,
		.kind = WARDEN_RUN,
		.flags = (spec->audit >= 0 ? WARDEN_HAS_AUDIT : 0) |
			(spec->stderr_fd >= 0 ? WARDEN_HAS_STDERR : 0),
		.started_us = spec->started_us,
		.audit_max_bytes = spec->audit_max_bytes,
	};
	int fds[WARDEN_MAX_FDS] = {socket, board};
	unsigned n = 2;
	if (spec->audit >= 0)
		fds[n++] = spec->audit;
	if (spec->stderr_fd >= 0)
		fds[n++] = spec->stderr_fd;
	long r = packet_send(w->control, (struct packet_bytes){&record, sizeof(record)},
		(struct packet_bytes){0}, fds, n);
	if (r == -EAGAIN)
		warden_await_room(w);
	return r < 0 ? error_set(e, BLAME_HOST, (int)-r, "cannot talk to the warden") : 0;
}

int warden_add_run(struct warden *w, const struct warden_run_spec *spec, struct warden_run *ret,
	struct error *e)
{
	struct warden_run r = {.started_us = spec->started_us, .socket = -1};
	int ends[2];
	if (w->state != WARDEN_SERVING)
		return error_set(
			e, BLAME_HOST, 0, "the warden %s", w->why[0] ? w->why : "does not serve");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a socket for the warden");
	cleanup_fd int ours = ends[0], its = ends[1];
	cleanup_fd int board = new_board(&r.board, e);
	if (board < 0)
		return -1;
	if (tell_run(w, spec, its, board, e) < 0) {
		warden_end_run(&r);
		return -1;
	}
	r.socket = fd_take(&ours);
	*ret = r;
	return 0;
}

void warden_end_run(struct warden_run *r)
{
	if (r->board)
		munmap((void *)(uintptr_t)r->board, BOARD_SIZE);
	r->board = NULL;
	r->socket = fd_close(r->socket);
}

/* ---- the board ---- */

/* It need not end by itself. NULL: it is empty. */
static const char *text_at(const char *text, size_t size, struct arena *a)
{
	size_t n = strnlen(text, size);
	return n ? arena_strndup(a, text, n) : NULL;
}

#define TEXT(incident, member, a) text_at((incident)->member, sizeof((incident)->member), (a))

static bool contains(const char *words, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (words[i])
			return true;
	return false;
}

/* Words that are separated by zeros, with one more at the end; where that is missing the end is the end. */
static struct strv words_at(const char *words, size_t size, struct arena *a)
{
	struct strv list = {0};
	if (!contains(words, size))
		return list;
	for (size_t at = 0; at < size && (words[at] || contains(words + at, size - at));) {
		size_t n = strnlen(words + at, size - at);
		strv_push(a, &list, arena_strndup(a, words + at, n));
		at += n + 1;
	}
	return list;
}

static struct exec_incident read_incident(const struct warden_incident *from, struct arena *a)
{
	/* it may be written anew meanwhile: what is looked at is a copy */
	struct warden_incident *i = arena_calloc(a, 1, sizeof(*i));
	memcpy(i, from, sizeof(*i));
	return (struct exec_incident){
		.known = true,
		.pid = i->pid > 0 ? i->pid : 0,
		.inside_pid = i->inside_pid > 0 ? i->inside_pid : 0,
		.at_us = i->at_us,
		.rule = TEXT(i, rule, a),
		.hint = TEXT(i, hint, a),
		.why = TEXT(i, why, a),
		.called = TEXT(i, called, a),
		.executable = TEXT(i, executable, a),
		.argv = words_at(i->argv, sizeof(i->argv), a),
		.real_executable = TEXT(i, real_executable, a),
		.real_argv = words_at(i->real_argv, sizeof(i->real_argv), a),
	};
}

static void tell_incidents(
	const struct warden_board *board, struct observed_exec *o, struct arena *a)
{
	const struct {
		const struct warden_incident *from;
		struct exec_incident *to;
	} all[] = {
		{&board->first_refused, &o->first_refused},
		{&board->last_refused, &o->last_refused},
		{&board->first_killed, &o->first_killed},
		{&board->payload, &o->payload},
	};
	uint32_t written = atomic_load_explicit(&board->incidents, memory_order_acquire);
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (written & 1u << i)
			*all[i].to = read_incident(all[i].from, a);
}

/*
 * Its listeners and its socket are closed before it can be reaped: a run may have ended of that before the
 * loop has seen the warden's end.
 */
static bool is_ending(const struct warden *w)
{
	/* killed by us: but the kernel takes one thing after the other from it */
	return w->state == WARDEN_SERVING && (w->killed || warden_has_left(w));
}

static void tell_end(const struct warden *w, const struct warden_run *r, struct observed_exec *o,
	struct arena *a)
{
	bool ending = is_ending(w);
	uint64_t at_us = ending ? time_monotonic_us() : w->gone_us;
	o->warden_lost = ending || (w->state == WARDEN_GONE && !w->expected);
	o->drain_late = w->late;
	if (!o->warden_lost)
		return;
	o->lost_at_us = at_us > r->started_us ? at_us - r->started_us : 0;
	o->lost_why = arena_strdup(a, w->why[0] ? w->why : "ended without a word");
}

void warden_tell(
	const struct warden *w, const struct warden_run *r, struct observation *o, struct arena *a)
{
	const struct warden_board *b = r->board;
	struct observed_exec exec = {.mode = o->exec.mode, .warden_pid = o->exec.warden_pid};
	if (b) {
		exec.started = atomic_load(&b->started);
		exec.refused = atomic_load(&b->refused);
		exec.killed = atomic_load(&b->killed);
		exec.failed = atomic_load(&b->failed);
		exec.audit_dropped = atomic_load(&b->audit_dropped);
		exec.drain_late = atomic_load(&b->health) == WARDEN_HEALTH_DRAIN_LATE;
		tell_incidents(b, &exec, a);
	}
	bool late = exec.drain_late;
	tell_end(w, r, &exec, a);
	exec.drain_late |= late;
	o->exec = exec;
}
