/* SPDX-License-Identifier: MIT */
#ifndef RUN_RELAY_H
#define RUN_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "kernel/pty.h"
#include "run/output.h"
#include "run/raw-mode.h"

/*
 * What goes on between the caller and a program with a terminal of its own (--tty).
 *
 *   caller's stdin  ──► relay  ──► master │ slave: the program's 0, 1, 2 and controlling terminal
 *   caller's stdout ◄── output ◄── master │
 *
 * The program's output takes the way of all captured output (run/output.h). Here is the rest: the
 * input, the window's size, the modes of the caller's terminal, and both ends of the conversation:
 *
 *   - stdin ends, or never was a terminal: the program reads an end of file, as often as it reads.
 *   - The caller's terminal hangs up, or nobody reads the output any more: so does the program's,
 *     which means SIGHUP for its session.
 *
 * Nothing is held but one buffer: the caller is read when the program's terminal has taken all
 * that was read before.
 */
struct relay {
	struct output *output;
	struct raw_mode raw; /* of the caller's terminal, if its stdin is one */
	int input; /* the caller's stdin, or our own opening of its terminal */
	bool input_own;
	int input_epoll; /* -1: always ready */
	int size_fd; /* the caller's descriptor that knows the window's size, -1: none */
	struct pty pty; /* -1 before the program runs and after the hang-up */
	uv_loop_t *loop;
	uv_poll_t readable, writable;
	uv_timer_t ask; /* when to look whether another end of file is due */
	uint64_t ask_ms;
	bool ended; /* stdin has */
	size_t pending_at, pending;
	char buffer[4096];
};

/*
 * Take over the caller's terminal (raw_mode_wait() says when that waits, and for what) and say in
 * @ret_look what the program's is to be like.
 */
void relay_open(struct relay *r, uv_loop_t *loop, struct output *output, struct pty_look *ret_look);

/* The program runs: @pty is the relay's from now on. 0, or -1 with errno and @pty closed. */
int relay_start_take(struct relay *r, struct pty *pty);

/*
 * Do what signal @sig means for a terminal: WINCH, TSTP (from somebody else: typed, it is a byte
 * like any other) and CONT. False if it is none of them, or there is no terminal. @ending: somebody
 * has asked for the run's end already, which is not to wait for the foreground.
 */
bool relay_signal(struct relay *r, int sig, bool ending);

/*
 * Give the terminal back and stop, as a job of the caller's shell, until that continues us. False,
 * and nothing done, if the caller has no terminal. *ret_stopped_us is how long it was.
 */
bool relay_suspend(struct relay *r, uint64_t *ret_stopped_us);

/* Close the program's terminal: its session gets SIGHUP. May be called again. */
void relay_hang_up(struct relay *r);

/* Hang up, and leave the caller's terminal as it was. */
void relay_close(struct relay *r);

#endif
