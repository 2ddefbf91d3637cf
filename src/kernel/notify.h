/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NOTIFY_H
#define KERNEL_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * User notification of seccomp, seccomp_unotify(2): a task's system call waits until whoever has the
 * listener has answered. poll(2) of a listener reports POLLIN for a call to be received, POLLHUP when
 * the last task under the filter is gone. After the listener is closed the calls fail with ENOSYS.
 */

#define NOTIFY_ARGS 6

struct notify_call {
	uint64_t id; /* of this call, never given twice by one listener */
	pid_t tid; /* of the caller, as our pid namespace counts; 0: it cannot be told there */
	int nr;
	uint32_t arch; /* AUDIT_ARCH_… */
	uint64_t instruction; /* address behind the call's own */
	uint64_t args[NOTIFY_ARGS];
};

/* Does the kernel have it, in sizes that we know? 0 or -errno: EINVAL, ENOSYS before Linux 5.0. */
int notify_probe(void);

/*
 * Does a filter's caller, once its call is received, wait for fatal signals only (Linux 5.19, if asked for when the filter is
 * installed, as seccomp_install_listener() does)? Then it can be interrupted before it is answered, and
 * stops right behind the call.
 */
bool notify_waits_killably(void);

/* Is @fd a listener? For one that came from somebody else. */
bool notify_is_listener(int fd);

/*
 * Ask for the wake-ups of @listener to be the kind that expects the waker to sleep at once: caller and
 * answerer then share a processor, and its caches (Linux 6.6). 0 or -errno; nothing depends on it.
 */
int notify_wake_in_step(int listener);

/*
 * Take the next call. Waits for one, so ask poll first. 0, or -errno: ENOENT when the caller has been
 * killed or interrupted since poll said so: normal.
 */
int notify_receive(int listener, struct notify_call *ret);

/* Does the caller still wait? Then all that was read by its tid until now was its own. */
bool notify_valid(int listener, uint64_t id);

/*
 * Let the kernel do the call, with whatever path and arguments the caller's memory holds by then: this is
 * no decision about them. 0, or -errno: ENOENT when the caller does not wait any more,
 * EINPROGRESS when it was answered already.
 */
int notify_continue(int listener, uint64_t id);
/* Have it fail with @errnum. As above. */
int notify_fail(int listener, uint64_t id, int errnum);

#endif
