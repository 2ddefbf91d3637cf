/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "kernel/pty.h"
#include "kernel/sys.h"
#include "kernel/test-child.h"

#define PTMX "/dev/ptmx"

static void close_pty(struct pty *pty)
{
	assert_int_equal(close(pty->master), 0);
	assert_int_equal(close(pty->slave), 0);
}

static void test_open(void **state)
{
	(void)state;
	struct pty pty;
	char bytes[16];
	assert_int_equal(pty_open(PTMX, &pty), 0);
	assert_true(isatty(pty.slave));
	assert_int_equal(fcntl(pty.master, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(pty.slave, F_GETFD), FD_CLOEXEC);
	/* nothing there: the master does not block */
	assert_int_equal(read(pty.master, bytes, sizeof(bytes)), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(pty.slave, "x\n", 2), 2);
	struct pollfd there = {.fd = pty.master, .events = POLLIN};
	/* a worker of the kernel may bring it in pieces */
	for (ssize_t n, got = 0; got < 3; got += n) {
		assert_int_equal(poll(&there, 1, 5000), 1);
		n = read(pty.master, bytes + got, sizeof(bytes) - (size_t)got);
		assert_true(n > 0);
	}
	assert_memory_equal(bytes, "x\r\n", 3);
	close_pty(&pty);
}

static void test_open_what_is_none(void **state)
{
	(void)state;
	struct pty pty = PTY_INIT;
	assert_int_equal(pty_open("/dev/no-such", &pty), -ENOENT);
	assert_int_equal(pty_open("/dev/null", &pty), -ENOTTY);
	assert_true(pty.master == -1 && pty.slave == -1);
}

static void test_look(void **state)
{
	(void)state;
	struct pty pty;
	struct pty_look look = {.size = {.ws_row = 11, .ws_col = 222}, .has_modes = true};
	struct winsize size;
	struct termios modes;
	assert_int_equal(pty_open(PTMX, &pty), 0);
	assert_int_equal(sys_ioctl(pty.slave, TCGETS, SYS_PTR(look.modes)), 0);
	/* c_lflag is the fourth word of the kernel's struct */
	unsigned flags;
	memcpy(&flags, look.modes + 12, sizeof(flags));
	assert_true(flags & ECHO);
	flags &= ~(unsigned)ECHO;
	memcpy(look.modes + 12, &flags, sizeof(flags));
	assert_int_equal(pty_put_look(pty.slave, &look), 0);
	assert_int_equal(tcgetattr(pty.slave, &modes), 0);
	assert_false(modes.c_lflag & ECHO);
	assert_int_equal(ioctl(pty.slave, TIOCGWINSZ, &size), 0);
	assert_int_equal(size.ws_row, 11);
	assert_int_equal(size.ws_col, 222);
	close_pty(&pty);
}

static void become_leader(void)
{
	struct pty pty;
	REQUIRE(pty_open(PTMX, &pty) == 0);
	REQUIRE(pty_control(pty.slave) == 0);
	REQUIRE(getsid(0) == getpid());
	REQUIRE(tcgetpgrp(pty.slave) == getpid());
	REQUIRE(open("/dev/tty", O_RDWR) >= 0);
	REQUIRE(pty_control(pty.slave) == -EPERM);
}

static void test_control(void **state)
{
	(void)state;
	in_child(become_leader);
}

static void test_send(void **state)
{
	(void)state;
	struct pty sent, got = PTY_INIT;
	int ends[2];
	char bytes[8];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(pty_receive(ends[0], &got), -EAGAIN);
	assert_int_equal(pty_open(PTMX, &sent), 0);
	assert_int_equal(pty_send(ends[1], &sent), 0);
	close_pty(&sent);
	assert_int_equal(pty_receive(ends[0], &got), 0);
	assert_int_equal(fcntl(got.master, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(got.master, "y\n", 2), 2);
	assert_int_equal(read(got.slave, bytes, sizeof(bytes)), 2);
	close_pty(&got);
	/* the other end is gone without a word */
	close(ends[1]);
	assert_int_equal(pty_receive(ends[0], &got), -EPROTO);
	close(ends[0]);
}

static void receive_one_only(void)
{
	struct pty pty, got = PTY_INIT;
	int ends[2];
	REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	REQUIRE(pty_open(PTMX, &pty) == 0);
	REQUIRE(pty_send(ends[1], &pty) == 0);
	/* room for one descriptor more: what came of the pair is not kept */
	int next = dup(0);
	REQUIRE(next >= 0 && close(next) == 0);
	struct rlimit limit = {(rlim_t)next + 1, (rlim_t)next + 1};
	REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	REQUIRE(pty_receive(ends[0], &got) == -EMFILE);
	REQUIRE(got.master == -1 && dup(0) == next);
}

static void test_no_room_for_descriptors(void **state)
{
	(void)state;
	in_child(receive_one_only);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_what_is_none),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_send),
		cmocka_unit_test(test_no_room_for_descriptors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
