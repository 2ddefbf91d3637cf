/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "kernel/seccomp.h"
#include "warden/self.h"

/*
 * All that a warden calls once it serves: it looks, answers, traces, and writes into what it was given. No Landlock: its
 * hook lets a task trace only what is under the same rules.
 */
static const int allowed[] = {
	SYS_read,
	SYS_write,
	SYS_close,
	SYS_pread64,
	SYS_fstat,
	SYS_newfstatat,
	SYS_fstatfs,
	SYS_statfs,
	SYS_statx,
	SYS_lseek,
	SYS_openat2, /* what for cannot be seen here */
	SYS_readlinkat,
	SYS_faccessat,
	SYS_faccessat2,
	SYS_getdents64,
	SYS_fcntl,
	SYS_ioctl,
	SYS_dup,
	SYS_pwritev2,
	SYS_writev,
	SYS_mmap,
	SYS_munmap,
	SYS_mremap,
	SYS_mprotect,
	SYS_madvise,
	SYS_brk,
	SYS_epoll_ctl,
	SYS_epoll_pwait,
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
	SYS_readlink,
	SYS_stat,
	SYS_lstat,
	SYS_poll,
#endif
	SYS_ppoll,
	SYS_recvmsg,
	SYS_sendto,
	SYS_sendmsg,
	SYS_wait4,
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_pidfd_open,
	SYS_kill,
	SYS_tgkill,
	SYS_setitimer,
	SYS_getrusage,
	SYS_timerfd_settime,
	SYS_clock_gettime,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_restart_syscall,
	SYS_getpid,
	SYS_gettid,
	SYS_getrandom,
	SYS_futex,
	SYS_seccomp,
	SYS_prlimit64,
	SYS_exit,
	SYS_exit_group,
};
#define N_ALLOWED (sizeof(allowed) / sizeof(*allowed))

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

#define LOAD(field)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define REFUSE       RETURN(SECCOMP_RET_ERRNO | EPERM)

/* A sanitizer's run-time library calls what it likes. */
#ifdef __SANITIZE_ADDRESS__
#define OTHERS RETURN(SECCOMP_RET_ALLOW)
#else
#define OTHERS REFUSE
#endif

/* openat(2): nothing is made, nothing cut. */
static const struct sock_filter head[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 4),
	LOAD(args[2]),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT | O_TRUNC, 0, 1),
	REFUSE,
	RETURN(SECCOMP_RET_ALLOW),
};
#define N_HEAD (sizeof(head) / sizeof(*head))

int self_restrict(struct error *e)
{
	struct sock_filter code[N_HEAD + 2 * N_ALLOWED + 1];
	size_t n = 0;
	for (size_t i = 0; i < N_HEAD; i++)
		code[n++] = head[i];
	for (size_t i = 0; i < N_ALLOWED; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
		code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	}
	code[n++] = (struct sock_filter)OTHERS;
	long r = seccomp_install(code, (unsigned short)n);
	return r < 0 ? error_set(e, BLAME_HOST, (int)-r, "cannot confine the warden") : 0;
}
