/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

/* System calls of another kind, and what one process may do to another, or to its own filter. */

/* ---- calls that a filter for the native architecture does not see ---- */

/* For calls with addresses of 32 bits. */
struct low {
	uint32_t argv[3];
	char path[4000], word[8];
};

static struct low *low;

static void *below_4_gib(size_t size)
{
	void *memory = mmap((void *)0x20000000, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (memory == MAP_FAILED)
		give_up("mmap");
	return memory;
}

static void make_low(void)
{
	low = below_4_gib(sizeof(*low));
	memccpy(low->path, foreign, 0, sizeof(low->path) - 1);
	memcpy(low->word, OWN_WORD, sizeof(low->word));
	low->argv[0] = (uint32_t)(uintptr_t)low->path;
	low->argv[1] = (uint32_t)(uintptr_t)low->word;
}

static void exec_i386(void)
{
#if defined(__x86_64__)
	long result = 11; /* execve there */

	__asm__ volatile("int $0x80"
			 : "+a"(result)
			 : "b"(low->path), "c"(low->argv), "d"(0)
			 : "r8", "r9", "r10", "r11", "memory");
	shared->errnum = (int)-result;
#else
	shared->errnum = ENOSYS;
#endif
}

static void exec_i386_at(void)
{
#if defined(__x86_64__)
	long result = 358; /* execveat there */
	register long directory __asm__("ebx") = AT_FDCWD;

	__asm__ volatile("int $0x80"
			 : "+a"(result)
			 : "r"(directory), "c"(low->path), "d"(low->argv), "S"(0), "D"(0)
			 : "r8", "r9", "r10", "r11", "memory");
	shared->errnum = (int)-result;
#else
	shared->errnum = ENOSYS;
#endif
}

static void exec_x32(void)
{
	syscall(0x40000000 | 520, low->path, low->argv, 0);
	shared->errnum = errno;
}

static void exec_x32_at(void)
{
	syscall(0x40000000 | 545, AT_FDCWD, low->path, low->argv, 0, 0);
	shared->errnum = errno;
}

/* The number of the native call, marked as one of x32. */
static void exec_marked(void)
{
	syscall(0x40000000 | SYS_execve, foreign, shared->argv, NULL);
	shared->errnum = errno;
}

/* ---- one process rewrites another's words ---- */

/* The child's own: it is not shared. */
static _Alignas(8) char private_word[8];

static void exec_private(void)
{
	char *argv[] = {(char *)"probe", private_word, NULL};

	memcpy(private_word, OWN_WORD, 8);
	shared->ready = 1;
	try_exec(probe, argv);
}

static void write_by_call(pid_t child)
{
	static char word[8];
	struct iovec ours = {.iov_base = word, .iov_len = 8};
	struct iovec theirs = {.iov_base = private_word, .iov_len = 8};

	if (!shared->ready)
		return;
	memcpy(word, random_number(2) ? FOREIGN_WORD : OWN_WORD, 8);
	process_vm_writev(child, &ours, 1, &theirs, 1, 0);
}

static void write_by_file(pid_t child)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)child);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	for (unsigned i = 0; fd >= 0 && i < 20; i++)
		if (pwrite(fd, i % 2 ? OWN_WORD : FOREIGN_WORD, 8, (off_t)(uintptr_t)private_word) <
			0)
			break;
	if (fd >= 0)
		close(fd);
}

static void exec_traceable(void)
{
	for (unsigned i = 0; i < 10000 && !shared->ready; i++)
		sched_yield();
	exec_private();
}

#if defined(__x86_64__)
#include <sys/user.h>
/* At the exec stop of what was allowed: its first argument lies below argv[1] on its new stack. */
static void poke_argument(pid_t child)
{
	struct user_regs_struct regs;
	long address;

	if (ptrace(PTRACE_GETREGS, child, 0, &regs) < 0)
		return;
	address = ptrace(PTRACE_PEEKDATA, child, regs.rsp + 16, 0);
	ptrace(PTRACE_POKEDATA, child, address, *(const long *)FOREIGN_WORD);
}
#else
static void poke_argument(pid_t child)
{
	(void)child;
}
#endif

/* A tracer of the child, which sees it executed, and puts its own words there. */
static void trace(pid_t child)
{
	int status;

	if (shared->ready)
		return;
	if (ptrace(PTRACE_SEIZE, child, 0, PTRACE_O_TRACEEXEC) < 0) {
		shared->ready = 1;
		return;
	}
	shared->ready = 1;
	while (waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WSTOPPED | WNOWAIT) == 0) {
		siginfo_t info = {0};

		waitid(P_PID, (id_t)child, &info, WEXITED | WSTOPPED | WNOWAIT);
		if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED)
			return; /* its end is for the caller */
		waitpid(child, &status, 0);
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
			poke_argument(child);
		ptrace(PTRACE_CONT, child, 0, 0);
	}
}

static void trace_me(void)
{
	if (ptrace(PTRACE_TRACEME, 0, 0, 0) == 0)
		raise(SIGSTOP);
	exec_private();
}

static void trace_willing(pid_t child)
{
	siginfo_t info = {0};
	int status;

	if (waitid(P_PID, (id_t)child, &info, WEXITED | WSTOPPED | WNOWAIT) < 0 ||
		(info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED))
		return;
	waitpid(child, &status, 0);
	if (WSTOPSIG(status) == SIGSTOP)
		ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXEC);
	if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
		poke_argument(child);
	ptrace(PTRACE_CONT, child, 0, 0);
}

/* ---- more filters, above ours ---- */

static int stack_filter(uint32_t verdict, unsigned flags)
{
	struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, verdict), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void exec_foreign(void)
{
	char *argv[] = {(char *)"harmless", (char *)"own", NULL};

	try_exec(foreign, argv);
}

static void exec_filter_allow(void)
{
	MUST(stack_filter(SECCOMP_RET_ALLOW, 0));
	exec_foreign();
}

static void exec_filter_trace(void)
{
	MUST(stack_filter(SECCOMP_RET_LOG, 0));
	exec_foreign();
}

/* A listener of its own, whose other end says to go on. */
static void exec_filter_own_listener(void)
{
	int listener = stack_filter(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	struct seccomp_notif call = {0};
	struct seccomp_notif_resp answer = {0};

	if (listener < 0 || fork() == 0) {
		exec_foreign();
		_exit(shared->errnum == EPERM ? 77 : 78);
	}
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) {
		answer.id = call.id;
		answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
	wait(NULL);
	_exit(0);
}

/* ---- our own listener, left behind in a descriptor ---- */

static bool is_listener(int fd)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "seccomp notify");
}

/* Answer for the judge, as often as there is something to answer. */
static void exec_beside_listener(void)
{
	for (int fd = 3; fd < 256; fd++) {
		struct seccomp_notif call = {0};
		struct seccomp_notif_resp answer = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

		if (!is_listener(fd))
			continue;
		if (fork() == 0) {
			exec_foreign();
			_exit(78);
		}
		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) {
			answer.id = call.id;
			ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
		}
		wait(NULL);
		_exit(0);
	}
	shared->errnum = EPERM; /* none is there */
}

const struct attack process_attacks[] = {
	{"i386", false, .prepare = make_low, .child = exec_i386},
	{"i386-at", false, .prepare = make_low, .child = exec_i386_at},
	{"x32", false, .prepare = make_low, .child = exec_x32},
	{"x32-at", false, .prepare = make_low, .child = exec_x32_at},
	{"x32-marked", false, .child = exec_marked},
	{"vm-write", true, .child = exec_private, .meanwhile = write_by_call},
	{"proc-mem", true, .child = exec_private, .meanwhile = write_by_file},
	{"traced", true, .child = exec_traceable, .meanwhile = trace},
	{"traced-willing", true, .child = trace_me, .meanwhile = trace_willing},
	{"filter-allow", false, .child = exec_filter_allow},
	{"filter-log", false, .child = exec_filter_trace},
	{"filter-listener", false, .child = exec_filter_own_listener},
	{"listener-left", false, .child = exec_beside_listener},
	{0},
};
