/* SPDX-License-Identifier: MIT */
#include "kernel/ptrace.h"

#include <elf.h>
#include <errno.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "kernel/sys.h"

int ptrace_seize(pid_t tid)
{
	const long options = PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	return (int)sys_ptrace(PTRACE_SEIZE, tid, 0, options);
}

int ptrace_interrupt(pid_t tid)
{
	return (int)sys_ptrace(PTRACE_INTERRUPT, tid, 0, 0);
}

int ptrace_detach(pid_t tid, int sig)
{
	return (int)sys_ptrace(PTRACE_DETACH, tid, 0, sig);
}

int ptrace_former_tid(pid_t tid, pid_t *ret)
{
	unsigned long message = 0;
	long r = sys_ptrace(PTRACE_GETEVENTMSG, tid, 0, SYS_PTR(&message));
	if (r == 0)
		*ret = (pid_t)message;
	return (int)r;
}

enum ptrace_report ptrace_report(int status, int *ret_sig)
{
	*ret_sig = 0;
	if (WIFEXITED(status) || WIFSIGNALED(status))
		return PTRACE_REPORT_GONE;
	if (!WIFSTOPPED(status))
		return PTRACE_REPORT_OTHER;
	switch (status >> 16) {
	case 0:
		*ret_sig = WSTOPSIG(status);
		return PTRACE_REPORT_SIGNAL;
	case PTRACE_EVENT_EXEC:
		return PTRACE_REPORT_EXEC;
	default:
		return PTRACE_REPORT_STOP;
	}
}

#if defined(__x86_64__)

typedef struct user_regs_struct machine_regs;

static struct ptrace_regs from_machine(const machine_regs *m)
{
	return (struct ptrace_regs){
		.stack = m->rsp,
		.result = m->rax,
		.call = m->orig_rax,
		.instruction = m->rip,
	};
}

#elif defined(__aarch64__)

typedef struct user_regs_struct machine_regs;

/* Which call it is stands in a register set of its own; its number is in x8 as well, by convention. */
static struct ptrace_regs from_machine(const machine_regs *m)
{
	return (struct ptrace_regs){
		.stack = m->sp,
		.result = m->regs[0],
		.call = m->regs[8],
		.instruction = m->pc,
	};
}

#endif

int ptrace_regs(pid_t tid, struct ptrace_regs *ret)
{
	machine_regs m;
	struct iovec all = {&m, sizeof(m)};
	long r = sys_ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, SYS_PTR(&all));
	if (r < 0)
		return (int)r;
	if (all.iov_len != sizeof(m)) /* that of a 32-bit program is smaller */
		return -ENOEXEC;
	*ret = from_machine(&m);
	return 0;
}
