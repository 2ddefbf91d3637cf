/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PTRACE_H
#define KERNEL_PTRACE_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Holding a task for the length of one exec, ptrace(2). A tid is good for these as long as the caller has
 * seized it and has not reaped it. All return a result or -errno; ESRCH: not ours, dead, or not stopped.
 */

/*
 * Trace @tid from now on; it goes on running. It will stop at PTRACE_EVENT_EXEC, at each signal and at
 * group stops, and is killed when we end. Waits, interruptibly, while another thread of its process is in
 * execve: never seize a second thread of a process of which one is ours. EPERM: traced already, or
 * beyond our rights.
 */
int ptrace_seize(pid_t tid);
/* Have it stop, before it does anything more of its own. */
int ptrace_interrupt(pid_t tid);
/* Let a stopped one go, with @sig if not 0; where its process is stopped it stays stopped. */
int ptrace_detach(pid_t tid, int sig);
/* At PTRACE_EVENT_EXEC: the tid that the thread had before. */
int ptrace_former_tid(pid_t tid, pid_t *ret);

/* What a wait status with __WALL says of a seized task. */
enum ptrace_report {
	PTRACE_REPORT_GONE, /* exited or killed; reaped by that wait */
	PTRACE_REPORT_EXEC, /* PTRACE_EVENT_EXEC: the new image is there, and has not run */
	PTRACE_REPORT_SIGNAL, /* a signal is about to be delivered: *ret_sig */
	PTRACE_REPORT_STOP, /* interrupted, or its process is stopped */
	PTRACE_REPORT_OTHER, /* running: nothing to do */
};
enum ptrace_report ptrace_report(int status, int *ret_sig);

struct ptrace_regs {
	uint64_t stack; /* stack pointer */
	uint64_t result; /* of the system call that it is in or came from; -errno as uint64_t */
	uint64_t call; /* number of that call; all ones: it is in none */
	uint64_t instruction;
};
/* Of a stopped task. ENOEXEC: it runs code of another architecture. */
int ptrace_regs(pid_t tid, struct ptrace_regs *ret);

#endif
