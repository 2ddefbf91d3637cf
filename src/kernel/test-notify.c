/* SPDX-License-Identifier: MIT */
#include "kernel/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "kernel/seccomp.h"
#include "kernel/sys.h"
#include "kernel/test-child.h"

#define N(code) (sizeof(code) / sizeof((code)[0]))

static const struct sock_filter ask_getpgid[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static void send_fd(int socket, int fd)
{
	_Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int))] = {0};
	char x = 0;
	struct iovec byte = {&x, 1};
	struct msghdr m = {.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	REQUIRE(sendmsg(socket, &m, 0) == 1);
}

static int receive_fd(int socket)
{
	_Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec bytes = {&byte, 1};
	struct msghdr m = {.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	int fd;
	assert_int_equal(recvmsg(socket, &m, MSG_CMSG_CLOEXEC), 1);
	assert_non_null(CMSG_FIRSTHDR(&m));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

struct asked {
	pid_t pid;
	int listener;
};

/* A child that does @body under the filter; its listener is ours. */
static struct asked start(void (*body)(void))
{
	int pair[2];
	struct asked a;
	if (notify_probe() != 0)
		skip();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	a.pid = fork();
	assert_true(a.pid >= 0);
	if (a.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
		long listener = seccomp_install_listener(ask_getpgid, N(ask_getpgid));
		REQUIRE(listener >= 0);
		REQUIRE((fcntl((int)listener, F_GETFD) & FD_CLOEXEC) != 0);
		send_fd(pair[1], (int)listener);
		close((int)listener);
		body();
		_exit(0);
	}
	close(pair[1]);
	a.listener = receive_fd(pair[0]);
	close(pair[0]);
	return a;
}

static short events_of(int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 30000), 1);
	return p.revents;
}

/* Its exit status, after which the listener says that nobody is left. */
static void finish(struct asked a, int expected_status)
{
	int status;
	assert_int_equal(waitpid(a.pid, &status, 0), a.pid);
	assert_int_equal(status, expected_status);
	assert_true(events_of(a.listener) & POLLHUP);
	close(a.listener);
}

static void ask_twice(void)
{
	REQUIRE(syscall(SYS_getpgid, 0, 1, 2, 3, 4, 5) == -1 && errno == EXDEV);
	REQUIRE(syscall(SYS_getpgid, 0) == getpgrp());
}

static void test_fail_and_continue(void **state)
{
	(void)state;
	struct asked a = start(ask_twice);
	struct notify_call call;
	(void)notify_wake_in_step(a.listener);
	assert_true(notify_is_listener(a.listener));
	assert_false(notify_is_listener(STDIN_FILENO));
	assert_false(notify_is_listener(-1));
	assert_true(events_of(a.listener) & POLLIN);
	assert_int_equal(notify_receive(a.listener, &call), 0);
	assert_int_equal(call.tid, a.pid);
	assert_int_equal(call.nr, SYS_getpgid);
	assert_int_not_equal(call.arch, 0);
	assert_int_equal(call.args[0], 0);
	assert_int_equal(call.args[5], 5);
	assert_true(notify_valid(a.listener, call.id));
	assert_false(notify_valid(a.listener, call.id + 1));
	assert_int_equal(notify_fail(a.listener, call.id, EXDEV), 0);
	int again = notify_fail(a.listener, call.id, EXDEV);
	assert_true(again == -EINPROGRESS || again == -ENOENT);
	assert_true(events_of(a.listener) & POLLIN);
	assert_int_equal(notify_receive(a.listener, &call), 0);
	assert_int_equal(notify_continue(a.listener, call.id), 0);
	finish(a, 0);
}

static void ask_once(void)
{
	syscall(SYS_getpgid, 0);
}

static void test_killed_before_it_was_received(void **state)
{
	(void)state;
	struct asked a = start(ask_once);
	struct notify_call call;
	assert_true(events_of(a.listener) & POLLIN);
	assert_int_equal(kill(a.pid, SIGKILL), 0);
	int status;
	assert_int_equal(waitpid(a.pid, &status, 0), a.pid);
	assert_int_equal(notify_receive(a.listener, &call), -ENOENT);
	assert_true(events_of(a.listener) & POLLHUP);
	close(a.listener);
}

static void test_killed_after_it_was_received(void **state)
{
	(void)state;
	struct asked a = start(ask_once);
	struct notify_call call;
	assert_true(events_of(a.listener) & POLLIN);
	assert_int_equal(notify_receive(a.listener, &call), 0);
	assert_int_equal(kill(a.pid, SIGKILL), 0);
	int status;
	assert_int_equal(waitpid(a.pid, &status, 0), a.pid);
	assert_false(notify_valid(a.listener, call.id));
	assert_int_equal(notify_continue(a.listener, call.id), -ENOENT);
	close(a.listener);
}

static void find_it_closed(void)
{
	REQUIRE(syscall(SYS_getpgid, 0) == -1 && errno == ENOSYS);
	REQUIRE(syscall(SYS_getpgid, 0) == -1 && errno == ENOSYS);
}

static void test_closed_listener_refuses(void **state)
{
	(void)state;
	struct asked a = start(find_it_closed);
	int status;
	assert_true(events_of(a.listener) & POLLIN);
	close(a.listener);
	assert_int_equal(waitpid(a.pid, &status, 0), a.pid);
	assert_int_equal(status, 0);
}

static void install_a_second(void)
{
	REQUIRE(seccomp_install_listener(ask_getpgid, N(ask_getpgid)) == -EBUSY);
}

static void test_one_listener_above_another(void **state)
{
	(void)state;
	finish(start(install_a_second), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fail_and_continue),
		cmocka_unit_test(test_killed_before_it_was_received),
		cmocka_unit_test(test_killed_after_it_was_received),
		cmocka_unit_test(test_closed_listener_refuses),
		cmocka_unit_test(test_one_listener_above_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
