/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SYS_H
#define KERNEL_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

/*
 * System calls without libc, for code that runs between clone and exec: there the address space,
 * its locks, errno and the thread's cached ids may be shared with, or copied from, a process
 * that knows nothing of us. Every function is inlined, touches no memory but what its arguments
 * point to, and returns what the kernel returned: a result, or -errno.
 *
 * A parameter is passed as the kernel's ABI has it. No call is retried on EINTR. There is no
 * vfork or clone here: they return twice, and with a shared stack need more care than a
 * function can give.
 */

#if defined(__x86_64__)

#define SYS_ASM_(nr, ...)                                                                          \
	({                                                                                         \
		long sys_ret_;                                                                     \
		__asm__ volatile("syscall"                                                         \
				 : "=a"(sys_ret_)                                                  \
				 : "0"(nr)__VA_ARGS__                                              \
				 : "rcx", "r11", "memory", "cc");                                  \
		sys_ret_;                                                                          \
	})

static inline long sys0(long nr)
{
	return SYS_ASM_(nr, );
}

static inline long sys1(long nr, long a)
{
	return SYS_ASM_(nr, , "D"(a));
}

static inline long sys2(long nr, long a, long b)
{
	return SYS_ASM_(nr, , "D"(a), "S"(b));
}

static inline long sys3(long nr, long a, long b, long c)
{
	return SYS_ASM_(nr, , "D"(a), "S"(b), "d"(c));
}

static inline long sys4(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	return SYS_ASM_(nr, , "D"(a), "S"(b), "d"(c), "r"(r10));
}

static inline long sys5(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	return SYS_ASM_(nr, , "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8));
}

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	return SYS_ASM_(nr, , "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9));
}

#undef SYS_ASM_

#elif defined(__aarch64__)

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
}

static inline long sys0(long nr)
{
	return sys6(nr, 0, 0, 0, 0, 0, 0);
}

static inline long sys1(long nr, long a)
{
	return sys6(nr, a, 0, 0, 0, 0, 0);
}

static inline long sys2(long nr, long a, long b)
{
	return sys6(nr, a, b, 0, 0, 0, 0);
}

static inline long sys3(long nr, long a, long b, long c)
{
	return sys6(nr, a, b, c, 0, 0, 0);
}

static inline long sys4(long nr, long a, long b, long c, long d)
{
	return sys6(nr, a, b, c, d, 0, 0);
}

static inline long sys5(long nr, long a, long b, long c, long d, long e)
{
	return sys6(nr, a, b, c, d, e, 0);
}

#else
#error "bulkhead knows the system call conventions of x86_64 and aarch64 only"
#endif

/* A pointer as a system call takes it. */
#define SYS_PTR(p) ((long)(uintptr_t)(p))

/* The kernel's own signal set and action, which are not libc's (both machines above). */
typedef uint64_t sys_sigset;
#define SYS_SIGBIT(sig) (1ull << ((sig)-1))

struct sys_sigaction {
	void (*handler)(int);
	unsigned long flags; /* a handler needs SA_RESTORER (0x04000000) on x86_64 */
	void (*restorer)(void);
	sys_sigset mask;
};

struct open_how; /* linux/openat2.h */
struct mount_attr; /* linux/mount.h */
struct pollfd;
struct timespec;
struct iovec;
struct msghdr;
struct sockaddr;
struct sched_attr; /* linux/sched/types.h */
struct sock_fprog; /* linux/filter.h */

/* ---- files ---- */

static inline int sys_openat(int dir, const char *path, int flags, unsigned mode)
{
	return (int)sys4(SYS_openat, dir, SYS_PTR(path), flags, mode);
}

static inline int sys_openat2(int dir, const char *path, const struct open_how *how, size_t size)
{
	return (int)sys4(SYS_openat2, dir, SYS_PTR(path), SYS_PTR(how), (long)size);
}

static inline int sys_close(int fd)
{
	return (int)sys1(SYS_close, fd);
}

static inline int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return (int)sys3(SYS_close_range, first, last, flags);
}

static inline ssize_t sys_read(int fd, void *buf, size_t size)
{
	return sys3(SYS_read, fd, SYS_PTR(buf), (long)size);
}

static inline ssize_t sys_write(int fd, const void *buf, size_t size)
{
	return sys3(SYS_write, fd, SYS_PTR(buf), (long)size);
}

static inline ssize_t sys_pread64(int fd, void *buf, size_t size, off_t offset)
{
	return sys4(SYS_pread64, fd, SYS_PTR(buf), (long)size, offset);
}

static inline off_t sys_lseek(int fd, off_t offset, int whence)
{
	return sys3(SYS_lseek, fd, offset, whence);
}

static inline int sys_dup3(int from, int to, int flags)
{
	return (int)sys3(SYS_dup3, from, to, flags);
}

static inline int sys_fcntl(int fd, int op, long arg)
{
	return (int)sys3(SYS_fcntl, fd, op, arg);
}

static inline int sys_ioctl(int fd, unsigned op, long arg)
{
	return (int)sys3(SYS_ioctl, fd, op, arg);
}

static inline int sys_pipe2(int ret_fds[2], int flags)
{
	return (int)sys2(SYS_pipe2, SYS_PTR(ret_fds), flags);
}

static inline int sys_mkdirat(int dir, const char *path, unsigned mode)
{
	return (int)sys3(SYS_mkdirat, dir, SYS_PTR(path), mode);
}

static inline int sys_mknodat(int dir, const char *path, unsigned mode, unsigned dev)
{
	return (int)sys4(SYS_mknodat, dir, SYS_PTR(path), mode, dev);
}

static inline int sys_symlinkat(const char *target, int dir, const char *path)
{
	return (int)sys3(SYS_symlinkat, SYS_PTR(target), dir, SYS_PTR(path));
}

static inline ssize_t sys_readlinkat(int dir, const char *path, char *buf, size_t size)
{
	return sys4(SYS_readlinkat, dir, SYS_PTR(path), SYS_PTR(buf), (long)size);
}

static inline int sys_unlinkat(int dir, const char *path, int flags)
{
	return (int)sys3(SYS_unlinkat, dir, SYS_PTR(path), flags);
}

static inline int sys_fchownat(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
	return (int)sys5(SYS_fchownat, dir, SYS_PTR(path), uid, gid, flags);
}

/* No flags before Linux 6.6: a symbolic link is followed. */
static inline int sys_fchmodat(int dir, const char *path, unsigned mode)
{
	return (int)sys3(SYS_fchmodat, dir, SYS_PTR(path), mode);
}

/* By the real uid and gid, as access(2). */
static inline int sys_faccessat(int dir, const char *path, int mode)
{
	return (int)sys3(SYS_faccessat, dir, SYS_PTR(path), mode);
}

static inline int sys_chdir(const char *path)
{
	return (int)sys1(SYS_chdir, SYS_PTR(path));
}

static inline int sys_fchdir(int fd)
{
	return (int)sys1(SYS_fchdir, fd);
}

static inline unsigned sys_umask(unsigned mask)
{
	return (unsigned)sys1(SYS_umask, mask);
}

/* ---- mounts ---- */

static inline int sys_mount(const char *source, const char *target, const char *type,
	unsigned long flags, const void *data)
{
	return (int)sys5(SYS_mount, SYS_PTR(source), SYS_PTR(target), SYS_PTR(type), (long)flags,
		SYS_PTR(data));
}

static inline int sys_umount2(const char *target, int flags)
{
	return (int)sys2(SYS_umount2, SYS_PTR(target), flags);
}

static inline int sys_pivot_root(const char *new_root, const char *put_old)
{
	return (int)sys2(SYS_pivot_root, SYS_PTR(new_root), SYS_PTR(put_old));
}

static inline int sys_open_tree(int dir, const char *path, unsigned flags)
{
	return (int)sys3(SYS_open_tree, dir, SYS_PTR(path), flags);
}

static inline int sys_move_mount(
	int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return (int)sys5(SYS_move_mount, from_dir, SYS_PTR(from), to_dir, SYS_PTR(to), flags);
}

static inline int sys_mount_setattr(
	int dir, const char *path, unsigned flags, const struct mount_attr *attr, size_t size)
{
	return (int)sys5(SYS_mount_setattr, dir, SYS_PTR(path), flags, SYS_PTR(attr), (long)size);
}

static inline int sys_fsopen(const char *type, unsigned flags)
{
	return (int)sys2(SYS_fsopen, SYS_PTR(type), flags);
}

static inline int sys_fsconfig(
	int fd, unsigned command, const char *key, const void *value, int aux)
{
	return (int)sys5(SYS_fsconfig, fd, command, SYS_PTR(key), SYS_PTR(value), aux);
}

static inline int sys_fsmount(int fd, unsigned flags, unsigned attr_flags)
{
	return (int)sys3(SYS_fsmount, fd, flags, attr_flags);
}

/* ---- namespaces and identity ---- */

static inline int sys_unshare(unsigned long flags)
{
	return (int)sys1(SYS_unshare, (long)flags);
}

static inline int sys_setns(int fd, int type)
{
	return (int)sys2(SYS_setns, fd, type);
}

static inline int sys_sethostname(const char *name, size_t size)
{
	return (int)sys2(SYS_sethostname, SYS_PTR(name), (long)size);
}

/* These three change the calling thread only, unlike libc's functions of the same names. */
static inline int sys_setresuid(uid_t real, uid_t effective, uid_t saved)
{
	return (int)sys3(SYS_setresuid, real, effective, saved);
}

static inline int sys_setresgid(gid_t real, gid_t effective, gid_t saved)
{
	return (int)sys3(SYS_setresgid, real, effective, saved);
}

static inline int sys_setgroups(size_t n, const gid_t *groups)
{
	return (int)sys2(SYS_setgroups, (long)n, SYS_PTR(groups));
}

static inline uid_t sys_getuid(void)
{
	return (uid_t)sys0(SYS_getuid);
}

static inline gid_t sys_getgid(void)
{
	return (gid_t)sys0(SYS_getgid);
}

/* @header is struct __user_cap_header_struct, @data two of struct __user_cap_data_struct. */
static inline int sys_capset(void *header, const void *data)
{
	return (int)sys2(SYS_capset, SYS_PTR(header), SYS_PTR(data));
}

static inline int sys_capget(void *header, void *ret_data)
{
	return (int)sys2(SYS_capget, SYS_PTR(header), SYS_PTR(ret_data));
}

static inline int sys_prctl(int op, long a, long b, long c, long d)
{
	return (int)sys5(SYS_prctl, op, a, b, c, d);
}

static inline int sys_seccomp(unsigned op, unsigned flags, const void *arg)
{
	return (int)sys3(SYS_seccomp, op, flags, SYS_PTR(arg));
}

/* linux/landlock.h; @attr NULL and @size 0 with flag LANDLOCK_CREATE_RULESET_VERSION asks the ABI. */
static inline int sys_landlock_create_ruleset(const void *attr, size_t size, unsigned flags)
{
	return (int)sys3(SYS_landlock_create_ruleset, SYS_PTR(attr), (long)size, flags);
}

static inline int sys_landlock_add_rule(int ruleset, int type, const void *attr, unsigned flags)
{
	return (int)sys4(SYS_landlock_add_rule, ruleset, type, SYS_PTR(attr), flags);
}

static inline int sys_landlock_restrict_self(int ruleset, unsigned flags)
{
	return (int)sys2(SYS_landlock_restrict_self, ruleset, flags);
}

/* ---- processes ---- */

static inline int sys_execve(const char *path, const char *const argv[], const char *const envp[])
{
	return (int)sys3(SYS_execve, SYS_PTR(path), SYS_PTR(argv), SYS_PTR(envp));
}

static inline int sys_execveat(
	int dir, const char *path, const char *const argv[], const char *const envp[], int flags)
{
	return (int)sys5(SYS_execveat, dir, SYS_PTR(path), SYS_PTR(argv), SYS_PTR(envp), flags);
}

__attribute__((noreturn)) static inline void sys_exit_group(int status)
{
	for (;;)
		sys1(SYS_exit_group, status);
}

static inline pid_t sys_getpid(void)
{
	return (pid_t)sys0(SYS_getpid);
}

static inline pid_t sys_getppid(void)
{
	return (pid_t)sys0(SYS_getppid);
}

static inline int sys_setpgid(pid_t pid, pid_t group)
{
	return (int)sys2(SYS_setpgid, pid, group);
}

static inline pid_t sys_getpgid(pid_t pid)
{
	return (pid_t)sys1(SYS_getpgid, pid);
}

static inline pid_t sys_setsid(void)
{
	return (pid_t)sys0(SYS_setsid);
}

static inline int sys_kill(pid_t pid, int sig)
{
	return (int)sys2(SYS_kill, pid, sig);
}

static inline int sys_pidfd_open(pid_t pid, unsigned flags)
{
	return (int)sys2(SYS_pidfd_open, pid, flags);
}

static inline int sys_pidfd_send_signal(int pidfd, int sig, const void *info, unsigned flags)
{
	return (int)sys4(SYS_pidfd_send_signal, pidfd, sig, SYS_PTR(info), flags);
}

static inline pid_t sys_wait4(pid_t pid, int *ret_status, int options, void *ret_rusage)
{
	return (pid_t)sys4(SYS_wait4, pid, SYS_PTR(ret_status), options, SYS_PTR(ret_rusage));
}

/* @ret_info is siginfo_t; the kernel's call also gives a struct rusage. */
static inline int sys_waitid(int type, int id, void *ret_info, int options, void *ret_rusage)
{
	return (int)sys5(SYS_waitid, type, id, SYS_PTR(ret_info), options, SYS_PTR(ret_rusage));
}

static inline int sys_rt_sigprocmask(int how, const sys_sigset *set, sys_sigset *ret_old)
{
	return (int)sys4(
		SYS_rt_sigprocmask, how, SYS_PTR(set), SYS_PTR(ret_old), sizeof(sys_sigset));
}

static inline int sys_rt_sigaction(
	int sig, const struct sys_sigaction *action, struct sys_sigaction *ret_old)
{
	return (int)sys4(
		SYS_rt_sigaction, sig, SYS_PTR(action), SYS_PTR(ret_old), sizeof(sys_sigset));
}

/* Waits for a signal of @set; returns its number. */
static inline int sys_rt_sigtimedwait(
	const sys_sigset *set, void *ret_info, const struct timespec *timeout)
{
	return (int)sys4(SYS_rt_sigtimedwait, SYS_PTR(set), SYS_PTR(ret_info), SYS_PTR(timeout),
		sizeof(sys_sigset));
}

static inline int sys_signalfd4(int fd, const sys_sigset *set, int flags)
{
	return (int)sys4(SYS_signalfd4, fd, SYS_PTR(set), sizeof(sys_sigset), flags);
}

/* Raw ppoll(2): the kernel writes the time left into @timeout. */
static inline int sys_ppoll(
	struct pollfd *fds, size_t n, struct timespec *timeout, const sys_sigset *mask)
{
	return (int)sys5(SYS_ppoll, SYS_PTR(fds), (long)n, SYS_PTR(timeout), SYS_PTR(mask),
		sizeof(sys_sigset));
}

/* @limit and @ret_old are two uint64_t each: soft, hard. */
static inline int sys_prlimit64(
	pid_t pid, int resource, const uint64_t limit[2], uint64_t ret_old[2])
{
	return (int)sys4(SYS_prlimit64, pid, resource, SYS_PTR(limit), SYS_PTR(ret_old));
}

/* The kernel's own: what PTRACE_PEEK… finds goes to where @data points. */
static inline long sys_ptrace(long request, pid_t pid, long address, long data)
{
	return sys4(SYS_ptrace, request, pid, address, data);
}

static inline ssize_t sys_process_vm_readv(pid_t pid, const struct iovec *ret_local, size_t n_local,
	const struct iovec *remote, size_t n_remote)
{
	return sys6(SYS_process_vm_readv, pid, SYS_PTR(ret_local), (long)n_local, SYS_PTR(remote),
		(long)n_remote, 0);
}

static inline int sys_setpriority(int which, int who, int nice)
{
	return (int)sys3(SYS_setpriority, which, who, nice);
}

static inline int sys_sched_getattr(pid_t pid, struct sched_attr *ret_attr, unsigned size)
{
	return (int)sys4(SYS_sched_getattr, pid, SYS_PTR(ret_attr), size, 0);
}

/* Its size is in @attr. */
static inline int sys_sched_setattr(pid_t pid, const struct sched_attr *attr)
{
	return (int)sys3(SYS_sched_setattr, pid, SYS_PTR(attr), 0);
}

static inline int sys_sched_setaffinity(pid_t pid, size_t size, const void *mask)
{
	return (int)sys3(SYS_sched_setaffinity, pid, (long)size, SYS_PTR(mask));
}

static inline int sys_futex(uint32_t *word, int op, uint32_t value, const struct timespec *timeout,
	uint32_t *word2, uint32_t value3)
{
	return (int)sys6(
		SYS_futex, SYS_PTR(word), op, value, SYS_PTR(timeout), SYS_PTR(word2), value3);
}

/* ---- memory ---- */

/* Returns an address, or -errno (of the last page of addresses, where nothing can be). */
static inline long sys_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	return sys6(SYS_mmap, SYS_PTR(at), (long)size, protection, flags, fd, offset);
}

static inline int sys_munmap(void *at, size_t size)
{
	return (int)sys2(SYS_munmap, SYS_PTR(at), (long)size);
}

/* ---- sockets ---- */

static inline int sys_socket(int family, int type, int protocol)
{
	return (int)sys3(SYS_socket, family, type, protocol);
}

static inline int sys_bind(int fd, const struct sockaddr *address, size_t size)
{
	return (int)sys3(SYS_bind, fd, SYS_PTR(address), (long)size);
}

static inline int sys_socketpair(int family, int type, int protocol, int ret_fds[2])
{
	return (int)sys4(SYS_socketpair, family, type, protocol, SYS_PTR(ret_fds));
}

static inline ssize_t sys_sendto(
	int fd, const void *data, size_t size, int flags, const struct sockaddr *to, size_t to_size)
{
	return sys6(SYS_sendto, fd, SYS_PTR(data), (long)size, flags, SYS_PTR(to), (long)to_size);
}

static inline ssize_t sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
	return sys3(SYS_sendmsg, fd, SYS_PTR(message), flags);
}

static inline ssize_t sys_recvmsg(int fd, struct msghdr *ret_message, int flags)
{
	return sys3(SYS_recvmsg, fd, SYS_PTR(ret_message), flags);
}

#endif
