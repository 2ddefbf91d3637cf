/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * naive-judge [--leave] FOREIGN COMMAND [ARG...]
 *
 * Run a command whose execs are judged before they happen, and by nothing else: what the racing
 * attacks are shown to work against. It denies an exec whose first argument is "foreign", and one of
 * a file, or of a script for an interpreter, that has the content of FOREIGN. It is told of by seccomp
 * user notification, reads the caller's memory, looks at the file, and then says CONTINUE: the kernel
 * reads all of that again. With --leave the command finds the listener among its descriptors, and its
 * own exec is the last that is judged by anybody else. Ends as the command does.
 */

static char forbidden[65536];
static size_t forbidden_size;

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "naive-judge: %s: %s\n", what, strerror(errno));
	exit(125);
}

static int install(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(
		SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static bool read_memory(pid_t pid, uint64_t address, void *bytes, size_t size)
{
	struct iovec ours = {bytes, size}, theirs = {(void *)(uintptr_t)address, size};

	return process_vm_readv(pid, &ours, 1, &theirs, 1, 0) == (ssize_t)size;
}

/* Page by page, since what comes after the text may not be there. */
static void read_text(pid_t pid, uint64_t address, char *text, size_t size)
{
	size_t n = 0;

	while (n < size - 1) {
		size_t part = 4096 - (address + n) % 4096;

		if (part > size - 1 - n)
			part = size - 1 - n;
		if (!read_memory(pid, address + n, text + n, part) || memchr(text + n, 0, part))
			break;
		n += part;
	}
	text[size - 1] = '\0';
}

static int open_file(pid_t pid, int directory, const char *path)
{
	char base[64];

	if (path[0] == '/') {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		return fd;
	}
	if (directory == AT_FDCWD)
		snprintf(base, sizeof(base), "/proc/%d/cwd", (int)pid);
	else
		snprintf(base, sizeof(base), "/proc/%d/fd/%d", (int)pid, directory);
	int below = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(below, path, O_RDONLY | O_CLOEXEC);

	close(below);
	return fd;
}

static bool file_is_foreign(int fd, unsigned depth)
{
	static char bytes[65536];
	ssize_t n = fd < 0 ? -1 : pread(fd, bytes, sizeof(bytes) - 1, 0);
	bool found = false;

	if (n > 2 && bytes[0] == '#' && bytes[1] == '!' && depth < 4) {
		bytes[n] = '\0';
		bytes[strcspn(bytes, "\n")] = '\0';
		char *interpreter = strtok(bytes + 2, " \t");
		if (interpreter)
			found = file_is_foreign(open(interpreter, O_RDONLY | O_CLOEXEC), depth + 1);
	} else if (n > 0) {
		found = (size_t)n == forbidden_size && memcmp(bytes, forbidden, (size_t)n) == 0;
	}
	if (fd >= 0)
		close(fd);
	return found;
}

static bool denied(const struct seccomp_notif *call)
{
	bool at = call->data.nr == SYS_execveat;
	uint64_t path_at = call->data.args[at], argv_at = call->data.args[1 + at], word_at = 0;
	pid_t pid = (pid_t)call->pid;
	char path[PATH_MAX] = "", word[64] = "";

	read_text(pid, path_at, path, sizeof(path));
	if (read_memory(pid, argv_at + sizeof(word_at), &word_at, sizeof(word_at)) && word_at)
		read_text(pid, word_at, word, sizeof(word));
	return strcmp(word, "foreign") == 0 ||
		file_is_foreign(open_file(pid, at ? (int)call->data.args[0] : AT_FDCWD, path), 0);
}

static void judge(int listener)
{
	struct seccomp_notif call = {0};
	struct seccomp_notif_resp answer = {0};

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return;
	answer.id = call.id;
	if (denied(&call))
		answer.error = -EPERM;
	else
		answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

static void pass(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec byte = {&control, 1};
	struct msghdr message = {.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(socket, &message, 0) < 0)
		give_up("sendmsg");
}

static int take(int socket)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec word = {&byte, 1};
	struct msghdr message = {.msg_iov = &word,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	int fd = -1;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0 || !CMSG_FIRSTHDR(&message))
		give_up("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void run(int socket, bool leave, char **argv)
{
	int listener = install();

	if (listener < 0)
		give_up("seccomp");
	pass(socket, listener);
	fcntl(listener, F_SETFD, leave ? 0 : FD_CLOEXEC);
	close(socket);
	execv(argv[0], argv);
	give_up(argv[0]);
}

int main(int argc, char **argv)
{
	int ends[2], status, fd;
	struct pollfd listener = {.events = POLLIN};
	pid_t child;

	bool leave = argc > 1 && strcmp(argv[1], "--leave") == 0;

	argc -= leave;
	argv += leave;
	if (argc < 3)
		return 2;
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	forbidden_size = fd < 0 ? 0 : (size_t)read(fd, forbidden, sizeof(forbidden));
	if (fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		give_up(argv[1]);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(ends[1], leave, argv + 2);
	}
	close(ends[1]);
	listener.fd = take(ends[0]);
	while (poll(&listener, 1, -1) > 0 && !(listener.revents & POLLHUP))
		if (listener.revents & POLLIN) {
			judge(listener.fd);
			if (leave)
				break;
		}
	if (waitpid(child, &status, 0) != child)
		give_up("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
