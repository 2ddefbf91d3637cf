/* SPDX-License-Identifier: MIT */
/*
 * forks [LIE]: a command for pool.preload with pool.serve: forks, in C: docs/preload.md in some 150 lines.
 * It has nothing to get ready, and executes whatever its forks are given. LIE is what it does otherwise:
 *
 *   deaf     reads no request          dies     at the first one
 *   plain    forks children of its own itself   says that it is a fork
 *   twice    makes two of each         silent   makes forks that are never ready
 *   outside  stays out of the groups   crowd    makes no sessions
 *   loose    puts no filter on         garbage  answers with something else
 *   refuses  cannot fork               again    is ready again
 *   strays   makes siblings besides that nobody has asked for
 *   hidden   the same, and nobody may look at these
 *   early    makes such before it is ready, and ends
 *   clones   makes forks that leave a child called 'left-behind' and answer a run with nonsense
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_PACKET 65536
#define MAX_FDS    12

static const char *lie = "";

static int lies(const char *how)
{
	return strcmp(lie, how) == 0;
}

static void say(int socket, const char *packet, size_t size)
{
	if (send(socket, packet, size, MSG_NOSIGNAL) < 0)
		_exit(1);
}
#define SAY(socket, text) say(socket, text, sizeof(text) - 1)

/* The size of the packet, 0 at the end; it is ended by a zero byte more. */
static ssize_t receive(int socket, char *packet, int *fds, size_t *ret_n)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control;
	struct iovec bytes = {packet, MAX_PACKET};
	struct msghdr m = {.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	if (n < 0 || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		_exit(1);
	packet[n] = '\0';
	*ret_n = m.msg_controllen ? (control.head.cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
	memcpy(fds, CMSG_DATA(&control.head), *ret_n * sizeof(int));
	return n;
}

/* ---- a fork ---- */

static void put_filter_on(int file)
{
	static struct sock_filter code[64];
	ssize_t size = pread(file, code, sizeof(code), 0);
	struct sock_fprog program = {(unsigned short)(size / (ssize_t)sizeof(code[0])), code};
	if (size > 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(1);
}

static void become(int socket, char *packet, const int *fds)
{
	char *words[4096], *at = packet, *end;
	int n = 0, argc;
	(void)socket; /* closed by the exec */
	for (; *at || at[1]; at += strlen(at) + 1)
		words[n++] = at;
	words[n] = NULL;
	argc = (int)strtol(words[2], &end, 10);
	for (int i = 0; i < 3; i++)
		dup2(fds[i], i);
	if (*words[1] && chdir(words[1]) < 0)
		_exit(1);
	environ = words + 3 + argc;
	char *file = words[3];
	memmove(words + 2, words + 3, (size_t)argc * sizeof(*words));
	words[2 + argc] = NULL;
	execvp(file, words + 2);
	char answer[64];
	int size = snprintf(answer, sizeof(answer), "failed%cexec%c%d", 0, 0, errno);
	say(socket, answer, (size_t)size + 1);
	_exit(127);
}

static void leave_child(void)
{
	pid_t pid = fork();
	if (pid < 0)
		_exit(1);
	if (pid > 0)
		return;
	prctl(PR_SET_NAME, "left-behind");
	close_range(0, ~0u, 0);
	for (;;)
		pause();
}

static void be_fork(const int *fds, size_t n)
{
	static char packet[MAX_PACKET + 2];
	int stdio[MAX_FDS];
	size_t n_stdio;
	if (!lies("crowd"))
		setsid();
	for (size_t i = 2; i < n && !lies("outside"); i++)
		if (write(fds[i], "0", 1) != 1)
			_exit(1);
	if (!lies("loose"))
		put_filter_on(fds[1]);
	for (size_t i = 1; i < n; i++)
		close(fds[i]);
	while (lies("silent"))
		pause();
	SAY(fds[0], "ready");
	if (receive(fds[0], packet, stdio, &n_stdio) == 0)
		_exit(0);
	if (strcmp(packet, "run") != 0 || n_stdio != 3)
		_exit(1);
	if (lies("clones")) {
		leave_child();
		SAY(fds[0], "nonsense");
		pause();
	}
	become(fds[0], packet, stdio);
}

/* ---- the program ---- */

static long sibling(void)
{
	unsigned long flags = SIGCHLD | (lies("plain") ? 0 : CLONE_PARENT);
	return syscall(SYS_clone, flags, 0, 0, 0, 0);
}

static void make_strays(void)
{
	for (int i = 0; i < 4; i++)
		if (sibling() == 0) {
			close_range(0, ~0u, 0);
			prctl(PR_SET_DUMPABLE, !lies("hidden"));
			while (i == 3)
				pause();
			_exit(0);
		}
}

static void serve(int control, const int *fds, size_t n)
{
	if (lies("dies"))
		_exit(3);
	if (lies("itself"))
		SAY(fds[0], "ready");
	else if (lies("garbage"))
		SAY(fds[0], "\0\xff ready");
	else if (lies("refuses"))
		SAY(fds[0], "failed\0fork\00011\0");
	else
		for (int i = 0; i < 1 + lies("twice"); i++)
			if (sibling() == 0) {
				close(control);
				be_fork(fds, n);
			}
	if (lies("strays") || lies("hidden"))
		make_strays();
	if (lies("again"))
		SAY(control, "ready");
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

int main(int argc, char **argv)
{
	static char packet[MAX_PACKET + 2];
	int fds[MAX_FDS], control = dup(0);
	size_t n;
	lie = argc > 1 ? argv[1] : "";
	if (lies("early")) {
		make_strays();
		return 3;
	}
	SAY(control, "ready");
	while (lies("deaf"))
		pause();
	while (receive(control, packet, fds, &n) > 0)
		serve(control, fds, n);
	return 0;
}
