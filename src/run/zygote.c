/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "jail/entry.h"
#include "kernel/clone.h"
#include "kernel/sys.h"
#include "run/companion.h"
#include "run/zygote-link.h"

/* ---- where it is ---- */

int zygote_find(char ret_path[PATH_MAX], struct error *e)
{
	return companion_find("bulkhead-zygote", ret_path, e);
}

/* ---- starting one ---- */

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static int new_memfd(void)
{
	static const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("bulkhead-zygote", flags | MFD_EXEC);
	/* Linux before 6.3 has no such flag, and no need of it */
	return fd < 0 && errno == EINVAL ? memfd_create("bulkhead-zygote", flags) : fd;
}

static int copy_all(int from, int to)
{
	ssize_t n;
	while ((n = sendfile(to, from, NULL, 1 << 20)) > 0)
		;
	return n < 0 ? -1 : 0;
}

/*
 * What runs is a copy that nobody can change. A program in a box can make the next one that is started
 * there be the zygote's own file (a script with "#!/proc/self/exe"), and get hold of that by its
 * /proc/PID/exe: past all of the box's mounts, as the host's root if it has that uid.
 */
static int open_copy(const char *path, struct error *e)
{
	static const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	cleanup_fd int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return error_set(e, BLAME_HOST, errno, "cannot open '%s'", path);
	cleanup_fd int copy = new_memfd();
	if (copy < 0) {
		error_set(e, BLAME_HOST, errno, "cannot make a memfd that may be executed");
		return errno == EACCES ? error_hint(e, "sysctl vm.memfd_noexec=1") : -1;
	}
	if (copy_all(file, copy) < 0 || fcntl(copy, F_ADD_SEALS, seals) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot copy '%s'", path);
	return fd_take(&copy);
}

/* What the child needs, which shares our memory until its exec. */
struct launch {
	int program, socket, null;
	struct rlimit descriptors;
	bool raise_oom;
	volatile int error; /* out: errno */
};

/* More for our killing than others': that goes on with every clone, to programs too. */
static void raise_oom_score(void)
{
	int fd = sys_openat(AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	sys_write(fd, "0", 1);
	sys_close(fd);
}

static long put_descriptors(struct launch *l)
{
	/* out of the way of 0 to 3 first: any of them may be one of those */
	int program = sys_fcntl(l->program, F_DUPFD_CLOEXEC, ZYGOTE_SOCKET + 1);
	int socket = sys_fcntl(l->socket, F_DUPFD_CLOEXEC, ZYGOTE_SOCKET + 1);
	int null = sys_fcntl(l->null, F_DUPFD_CLOEXEC, ZYGOTE_SOCKET + 1);
	long r = program < 0 ? program : socket < 0 ? socket : null;
	l->program = program;
	for (int i = 0; i < ZYGOTE_SOCKET && r >= 0; i++)
		r = sys_dup3(null, i, 0);
	return r < 0 ? r : sys_dup3(socket, ZYGOTE_SOCKET, 0);
}

static int launch_main(void *data)
{
	static const char *const argv[] = {"bulkhead-zygote", NULL}, *const envp[] = {NULL};
	struct launch *l = data;
	long r = put_descriptors(l);
	if (l->raise_oom)
		raise_oom_score();
	sys_prlimit64(0, RLIMIT_NOFILE, (const uint64_t *)&l->descriptors, NULL);
	if (r >= 0)
		r = sys_execveat(l->program, "", argv, envp, AT_EMPTY_PATH);
	l->error = (int)-r;
	return 127;
}

/* As we were started: a soft limit that we raised for ourselves is not for programs. */
static struct rlimit callers_descriptors(void)
{
	static struct rlimit first;
	static bool known;
	if (!known)
		known = getrlimit(RLIMIT_NOFILE, &first) == 0;
	return first;
}

static bool is_protected(void)
{
	char text[16];
	return file_read_text(AT_FDCWD, "/proc/self/oom_score_adj", text, sizeof(text)) > 0 &&
		strtol(text, NULL, 10) < 0;
}

static long launch(struct launch *l, int *ret_pidfd)
{
	static struct box_stack stack;
	struct clone_request request = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD,
		.exit_signal = SIGCHLD,
		.stack = &stack,
		.stack_size = sizeof(stack),
		.ret_pidfd = ret_pidfd,
	};
	return clone_call(&request, launch_main, l);
}

int zygote_start(struct zygote *ret, const char *path, struct error *e)
{
	int ends[2];
	cleanup_fd int program = open_copy(path, e);
	if (program < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a socket for the zygote");
	cleanup_fd int ours = ends[0], its = ends[1];
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return error_set(e, BLAME_HOST, errno, "cannot open '/dev/null'");
	struct launch l = {
		.program = program,
		.socket = its,
		.null = null,
		.descriptors = callers_descriptors(),
		.raise_oom = is_protected(),
	};
	struct zygote z = ZYGOTE_NONE;
	long pid = launch(&l, &z.pidfd);
	if (pid < 0)
		return error_set(e, BLAME_HOST, (int)-pid, "cannot start '%s'", path);
	z.pid = (pid_t)pid;
	if (l.error) {
		zygote_end(&z);
		return error_set(e, BLAME_HOST, l.error, "cannot start '%s'", path);
	}
	z.socket = fd_take(&ours);
	*ret = z;
	return 0;
}

/* Makers that died before they left its process group, to tell of themselves, are in there, too. */
void zygote_reap_group(struct zygote *z)
{
	while (z->pid > 0 && waitpid(-z->pid, NULL, WNOHANG | __WALL) > 0)
		;
	z->pid = 0;
}

void zygote_end(struct zygote *z)
{
	struct pollfd end = {.fd = z->pidfd, .events = POLLIN};
	z->socket = fd_close(z->socket);
	if (z->pid > 0 && z->pidfd >= 0) {
		sys_pidfd_send_signal(z->pidfd, SIGKILL, NULL, 0);
		while (poll(&end, 1, ZYGOTE_KILL_MS) < 0 && errno == EINTR)
			;
	}
	if (z->pid > 0)
		waitpid(z->pid, NULL, WNOHANG); /* it may not lead its group yet */
	zygote_reap_group(z);
	z->pidfd = fd_close(z->pidfd);
}
