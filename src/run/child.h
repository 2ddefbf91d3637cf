/* SPDX-License-Identifier: MIT */
#ifndef RUN_CHILD_H
#define RUN_CHILD_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

/*
 * A process of ours that is to be reaped when it ends, and perhaps killed before: makers, inits and
 * payloads that nobody watches as a run. It is named by its pidfd alone.
 */
struct child {
	uv_poll_t poll;
	uv_timer_t look; /* of one that is held up */
	unsigned looks;
	unsigned closing; /* handles of which libuv has not let go yet */
	int pidfd; /* -1: none, or reaped */
	uv_close_cb closed; /* of child_fini() */
	void *closed_data;
	void (*ended)(struct child *c, int status); /* exit code, or 128 + signal */
	/*
	 * It has ended, but somebody traces it, who is told first and lets it be reaped when he likes, or dies. May be
	 * NULL. Once, before @ended.
	 */
	void (*held_up)(struct child *c);
	void *data;
};

#define CHILD_INIT ((struct child){.pidfd = -1})

/*
 * Have @ended called from the loop when it has ended and is reaped. 0; or -1 with errno, and @pidfd
 * closed, the process killed: somebody nobody waits for must not be left.
 */
int child_watch_take(struct child *c, uv_loop_t *loop, int pidfd);
void child_signal(const struct child *c, int sig);
/* Watch it no more: its pidfd, and it to be reaped, are the caller's. -1: it is reaped. */
int child_take(struct child *c);
/* Has it ended, whether it could be reaped yet or not? */
bool child_has_ended(const struct child *c);
/* How often @closed will be called from the loop, with @data as the handle's data (at most twice). */
unsigned child_fini(struct child *c, uv_close_cb closed, void *data);

/*
 * A pidfd for our child @pid, as somebody says who may lie: -1 with errno, ECHILD if it is none of
 * ours. As long as it is not reaped its number is nobody else's.
 */
int child_open(pid_t pid);

#endif
