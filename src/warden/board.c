/* SPDX-License-Identifier: MIT */
#include "warden/board.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { FIRST_REFUSED = 1, LAST_REFUSED = 2, FIRST_KILLED = 4, PAYLOAD = 8 };

struct warden_board *board_map(int fd, struct error *e)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || !(seals & F_SEAL_SHRINK)) {
		error_set(e, BLAME_US, 0, "a board that may shrink");
		return NULL;
	}
	if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(struct warden_board)) {
		error_set(e, BLAME_US, 0, "a board of another size");
		return NULL;
	}
	struct warden_board *board =
		mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (board == MAP_FAILED) {
		error_set(e, BLAME_HOST, errno, "cannot map a board");
		return NULL;
	}
	board->magic = WARDEN_MAGIC;
	board->version = WARDEN_VERSION;
	return board;
}

void board_unmap(struct warden_board *board)
{
	if (board)
		munmap(board, sizeof(*board));
}

void board_set_health(struct warden_board *board, enum warden_health health)
{
	atomic_store_explicit(&board->health, health, memory_order_release);
}

static void copy_text(char *to, size_t room, const char *text)
{
	size_t n = text ? strnlen(text, room - 1) : 0;
	if (n > 0)
		memcpy(to, text, n);
	memset(to + n, 0, room - n);
}
#define COPY(field, text) copy_text((field), sizeof(field), (text))

/* Words with a zero behind each, and one more; what does not fit is left out. */
static void copy_words(char *to, size_t room, const struct strv *words)
{
	size_t at = 0;
	for (size_t i = 0; i < words->n && at + 2 < room; i++) {
		size_t n = strnlen(words->v[i], room - at - 2);
		memcpy(to + at, words->v[i], n);
		at += n;
		to[at++] = '\0';
	}
	memset(to + at, 0, room - at);
}

static void write_incident(
	struct warden_incident *in, const struct exec_event *event, const char *hint)
{
	bool killed = event->outcome == EXEC_KILLED;
	in->pid = event->pid;
	in->inside_pid = event->inside_pid;
	in->at_us = event->t_us;
	COPY(in->rule, event->rule);
	COPY(in->hint, hint);
	COPY(in->why, event->why);
	COPY(in->called, event->called);
	COPY(in->executable, event->executable);
	copy_words(in->argv, sizeof(in->argv), &event->argv);
	/* that it is not empty tells the two apart */
	COPY(in->real_executable,
		!killed                          ? ""
			: event->real_executable ? event->real_executable
						 : "(not known)");
	copy_words(in->real_argv, sizeof(in->real_argv), &event->real_argv);
}

static void tell_incident(struct warden_board *board, unsigned bit, struct warden_incident *where,
	const struct exec_event *event, const char *hint)
{
	write_incident(where, event, hint);
	atomic_fetch_or_explicit(&board->incidents, bit, memory_order_release);
}

/* Is the place for @bit taken? */
static bool has(struct warden_board *board, unsigned bit)
{
	return atomic_load_explicit(&board->incidents, memory_order_relaxed) & bit;
}

void board_tell(
	struct warden_board *board, const struct exec_event *event, const char *hint, bool payload)
{
	_Atomic uint64_t *const counts[] = {
		[EXEC_STARTED] = &board->started,
		[EXEC_REFUSED] = &board->refused,
		[EXEC_KILLED] = &board->killed,
		[EXEC_FAILED] = &board->failed,
	};
	bool refused = event->outcome == EXEC_REFUSED, killed = event->outcome == EXEC_KILLED;
	if (refused)
		tell_incident(board, LAST_REFUSED, &board->last_refused, event, hint);
	if (refused && !has(board, FIRST_REFUSED))
		tell_incident(board, FIRST_REFUSED, &board->first_refused, event, hint);
	if (killed && !has(board, FIRST_KILLED))
		tell_incident(board, FIRST_KILLED, &board->first_killed, event, hint);
	if ((refused || killed) && payload)
		tell_incident(board, PAYLOAD, &board->payload, event, hint);
	atomic_fetch_add_explicit(counts[event->outcome], 1, memory_order_release);
}
