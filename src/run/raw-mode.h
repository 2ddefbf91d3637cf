/* SPDX-License-Identifier: MIT */
#ifndef RUN_RAW_MODE_H
#define RUN_RAW_MODE_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

/*
 * The caller's terminal while a program has one of its own: every byte goes through as it is, and
 * what the bytes mean is the other terminal's business.
 *
 * However bulkhead ends, the terminal is not left like that. For an end that none survives to do
 * anything (SIGKILL) there is a keeper: a process in a session of its own that waits for ours to
 * be gone and then puts the modes back, unless somebody else has put others by then.
 */
struct raw_mode {
	int fd; /* the terminal, borrowed; -1: there is none */
	bool on;
	struct termios before, raw;
	pid_t keeper; /* 0: none */
	int keeper_pipe; /* its end tells the keeper of ours */
};

#define RAW_MODE_INIT ((struct raw_mode){.fd = -1, .keeper_pipe = -1})

/*
 * Wait until the terminal @fd, if it is one, is ours to change: in the background of its session
 * this stops the process, as it does any other. A signal may end it meanwhile, so it is done before
 * there is anything to be cleaned up. What the modes are is not to be asked earlier: the shell's
 * line editor has its own.
 */
void raw_mode_wait(int fd);
/* Make @fd raw if it is a terminal. */
void raw_mode_open(struct raw_mode *m, int fd);
/* Put the modes back, for a while. */
void raw_mode_leave(struct raw_mode *m);
/* Make it raw again. False if we are in the background, where it is not ours to change. */
bool raw_mode_again(struct raw_mode *m);
/* Put the modes back and end the keeper. */
void raw_mode_close(struct raw_mode *m);

#endif
