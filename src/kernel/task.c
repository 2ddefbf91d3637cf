/* SPDX-License-Identifier: MIT */
#include "kernel/task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "kernel/sys.h"

ssize_t task_read(pid_t tid, uint64_t address, void *ret, size_t size)
{
	struct iovec local = {ret, size};
	struct iovec remote = {(void *)(uintptr_t)address, size};
	return sys_process_vm_readv(tid, &local, 1, &remote, 1);
}

ssize_t task_read_pieces(
	pid_t tid, const struct task_piece *pieces, unsigned n, void *ret, size_t size)
{
	struct iovec remote[TASK_READ_PIECES];
	struct iovec local = {ret, size};
	if (n > TASK_READ_PIECES)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++)
		remote[i] = (struct iovec){(void *)(uintptr_t)pieces[i].address, pieces[i].size};
	return sys_process_vm_readv(tid, &local, 1, remote, n);
}

/* linux/pidfd.h and linux/nsfs.h of later kernels. */
#define PIDFD_OF_THREAD O_EXCL /* PIDFD_THREAD, Linux 6.9 */
struct pidfd_about {
	uint64_t mask, cgroup;
	uint32_t pid, process, parent;
	uint32_t ids[8];
	int32_t exit_code;
};
_Static_assert(sizeof(struct pidfd_about) == 64, "PIDFD_INFO_SIZE_VER0");
#define PIDFD_ABOUT      _IOWR(0xff, 11, struct pidfd_about) /* PIDFD_GET_INFO, Linux 6.13 */
#define PIDFD_ABOUT_PID  1u
#define PID_IN_NAMESPACE _IOR(0xb7, 0x8, int) /* NS_GET_PID_IN_PIDNS, Linux 6.11 */

static int ids_from_pidfd(pid_t tid, struct task_ids *ret)
{
	struct pidfd_about about = {.mask = PIDFD_ABOUT_PID};
	cleanup_fd int fd = sys_pidfd_open(tid, PIDFD_OF_THREAD);
	if (fd < 0)
		return fd;
	int r = sys_ioctl(fd, PIDFD_ABOUT, SYS_PTR(&about));
	if (r < 0)
		return r;
	*ret = (struct task_ids){(pid_t)about.process, (pid_t)about.parent};
	return 0;
}

/* The number behind @key, the last of them on its line; -1: none. */
static pid_t number_of(const char *status, const char *key)
{
	const char *at = strstr(status, key);
	if (!at)
		return -1;
	at += strlen(key);
	const char *end = at + strcspn(at, "\n"), *last = end;
	while (last > at && last[-1] >= '0' && last[-1] <= '9')
		last--;
	return last == end ? -1 : (pid_t)strtol(last, NULL, 10);
}

/* Lines up to the ids are short: what follows does not matter. -errno or 0. */
static int read_status(int proc, pid_t tid, char *ret_text, size_t size)
{
	char *name = ret_text; /* not needed any more once the file is open */
	size_t at = size - 1;
	name[at] = '\0';
	at -= sizeof("/status") - 1;
	memcpy(name + at, "/status", sizeof("/status") - 1);
	do
		name[--at] = (char)('0' + tid % 10);
	while ((tid /= 10) > 0);
	cleanup_fd int fd = sys_openat(proc, name + at, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	ssize_t n = sys_read(fd, ret_text, size - 1);
	if (n < 0)
		return (int)n;
	ret_text[n] = '\0';
	return 0;
}

#define STATUS_SIZE 1024

static int ids_from_status(int proc, pid_t tid, struct task_ids *ret)
{
	char text[STATUS_SIZE];
	int r = read_status(proc, tid, text, sizeof(text));
	if (r < 0)
		return r;
	*ret = (struct task_ids){number_of(text, "\nTgid:"), number_of(text, "\nPPid:")};
	return ret->pid > 0 && ret->parent >= 0 ? 0 : -ESRCH;
}

int task_ids(int proc, pid_t tid, struct task_ids *ret)
{
	int r = tid > 0 ? ids_from_pidfd(tid, ret) : -ESRCH;
	return r == 0 || r == -ESRCH ? r : ids_from_status(proc, tid, ret);
}

pid_t task_inside_pid(int proc, int pid_namespace, pid_t pid)
{
	char text[STATUS_SIZE];
	int r = pid_namespace >= 0 ? sys_ioctl(pid_namespace, PID_IN_NAMESPACE, pid) : -EBADF;
	if (r > 0)
		return r;
	if (pid <= 0 || read_status(proc, pid, text, sizeof(text)) < 0)
		return 0;
	pid_t inside = number_of(text, "\nNSpid:");
	return inside > 0 ? inside : 0;
}
