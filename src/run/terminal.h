/* SPDX-License-Identifier: MIT */
#ifndef RUN_TERMINAL_H
#define RUN_TERMINAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

/*
 * The caller's terminal and its job control.
 *
 * With a controlling terminal bulkhead and the payload stay in the caller's process group, so that
 * the terminal's own signals reach the payload as they would without us, and programs that read
 * from it are not stopped as background jobs. The supervisor then
 *
 *   - leaves Ctrl-C and Ctrl-Z to the kernel, which has sent them to the payload too, unless that has
 *     left the group;
 *   - stops itself when the payload has stopped, so that the caller's shell sees its job stop, and
 *     continues the payload when it is continued; but not where nobody would continue us: a program
 *     that stops itself must not keep its time-out from coming;
 *   - gives the terminal back to the group it found in the foreground, because a shell inside the
 *     box that made a group of its own cannot name ours.
 *
 * Without one, the payload gets a session of its own and signals are forwarded.
 */
struct terminal {
	int fd; /* the controlling terminal, -1: none */
	pid_t group; /* our process group */
	bool leader; /* we lead its session */
	bool told_to_stop; /* Ctrl-Z has been typed, and is not done yet */
	bool foreground; /* it was in the foreground when we started */
	bool modes_known; /* and ours to put back: we write to the terminal */
	struct termios modes;
};

/* Look for it. If there is one, SIGTTIN is blocked from now on. */
void terminal_open(struct terminal *t);
/* True if the payload has the terminal, too. */
bool terminal_is_shared(const struct terminal *t);
/*
 * True if signal @sig, when the kernel sent it to us, has reached @payload as well. All that is
 * typed does, unless that has made a process group of its own, as timeout(1) and shells do: then
 * the kernel has told ours only. A hang-up is told to the session's leader only.
 */
bool terminal_told_all(const struct terminal *t, pid_t payload, int sig);
/* The kernel has sent us SIGTSTP. */
void terminal_note_stop(struct terminal *t);
/*
 * True if the kernel has, and it has not been read yet; or if it has sent SIGTTIN or SIGTTOU, since
 * one of our group needs the terminal, which is in the foreground. Those are blocked and never read:
 * a SIGCONT takes them away.
 */
bool terminal_stop_is_pending(const struct terminal *t);
/*
 * True if our stopping is somebody's wish or will be seen to: it has been typed, the kernel has told
 * our group for want of the terminal, or our parent is a shell that has made a job of us.
 */
bool terminal_may_stop(const struct terminal *t);
/*
 * True if @payload is known not to be stopped, and not to be so in a moment: a signal that stops may be
 * pending while it cannot take it. Whether one whose first thread has ended is stopped is not known.
 */
bool terminal_program_goes_on(pid_t payload);
/*
 * Stop this process as its job was stopped, return when it is continued. *ret_stopped_us is how
 * long that was. A process group of the box gets the terminal back if it had it.
 */
void terminal_stop_self(struct terminal *t, uint64_t *ret_stopped_us);
/*
 * Stop this process, in which SIGTSTP is blocked, as that would: until it is continued; not at all
 * in an orphaned process group, where nobody would continue it, or if its caller ignores the signal.
 */
void terminal_stop_as_told(void);
/*
 * Take the terminal back, and its modes when @killed left the program no chance to; but for one
 * whose output goes elsewhere, as into a pager, whose modes they may be.
 */
void terminal_close(struct terminal *t, bool killed);

#endif
