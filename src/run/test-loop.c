/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/seccomp.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/seccomp.h"
#include "run/loop.h"

/*
 * Each in a process of its own, to which the kernel refuses every watch, as it does to a user who has as many as
 * fs.epoll.max_user_watches allows.
 */
static void use_up_watches(int errnum)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EPOLL_CTL_ADD, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		seccomp_install(code, sizeof(code) / sizeof(*code)) < 0)
		_exit(100);
}

static uv_loop_t loop;

#define REQUIRE(what)                                                                              \
	do {                                                                                       \
		if (!(what))                                                                       \
			_exit(__LINE__ % 250 + 1);                                                 \
	} while (0)

/* What fails there shows as its line, modulo 250, plus 1. */
static void in_a_process(void (*what)(void))
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		alarm(60);
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- what libuv does ---- */

#define PIPES 100

struct end {
	uv_poll_t poll;
	int fds[2];
	unsigned told;
};

static struct end ends[PIPES];
static unsigned readers;

static void on_readable(uv_poll_t *handle, int status, int events)
{
	struct end *end = handle->data;
	char byte;
	REQUIRE(status == 0 && events & (UV_READABLE | UV_DISCONNECT));
	end->told++;
	if (read(end->fds[0], &byte, 1) == 1)
		return;
	uv_poll_stop(handle);
	readers--;
}

static void begin_pipe(struct end *end)
{
	REQUIRE(pipe2(end->fds, O_CLOEXEC) == 0);
	REQUIRE(uv_poll_init(&loop, &end->poll, end->fds[0]) == 0);
	end->poll.data = end;
	REQUIRE(uv_poll_start(&end->poll, UV_READABLE, on_readable) == 0);
	readers++;
}

static void on_late(uv_timer_t *timer)
{
	unsigned *late = timer->data;
	(*late)++;
}

static void on_usr1(uv_signal_t *handle, int sig)
{
	unsigned *signals = handle->data;
	(void)sig;
	(*signals)++;
	uv_signal_stop(handle);
}

static void run_everything(int errnum)
{
	uv_timer_t timer;
	uv_signal_t usr1;
	unsigned late = 0, signals = 0;
	REQUIRE(loop_open(&loop) == 0);
	for (int i = 0; i < PIPES / 2; i++)
		begin_pipe(&ends[i]); /* the kernel's, as soon as the loop runs */
	uv_run(&loop, UV_RUN_NOWAIT);
	REQUIRE(loop_spares() == 0);
	use_up_watches(errnum);
	for (int i = PIPES / 2; i < PIPES; i++)
		begin_pipe(&ends[i]);
	uv_timer_init(&loop, &timer);
	timer.data = &late;
	uv_timer_start(&timer, on_late, 20, 0);
	uv_signal_init(&loop, &usr1);
	usr1.data = &signals;
	uv_signal_start(&usr1, on_usr1, SIGUSR1);
	while (late == 0)
		uv_run(&loop, UV_RUN_ONCE); /* nothing comes but the timer */
	REQUIRE(loop_spares() >= PIPES / 2);
	for (int i = 0; i < PIPES; i++)
		REQUIRE(ends[i].told == 0 && write(ends[i].fds[1], "x", 1) == 1);
	raise(SIGUSR1);
	for (int i = 0; i < PIPES; i++)
		close(ends[i].fds[1]);
	uv_run(&loop, UV_RUN_DEFAULT);
	REQUIRE(readers == 0 && signals == 1);
	for (int i = 0; i < PIPES; i++) {
		REQUIRE(ends[i].told == 2);
		uv_close((uv_handle_t *)&ends[i].poll, NULL);
	}
	uv_close((uv_handle_t *)&timer, NULL);
	uv_close((uv_handle_t *)&usr1, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	REQUIRE(loop_spares() <= 1); /* of libuv's own for signals */
	for (int i = 0; i < PIPES; i++)
		close(ends[i].fds[0]);
	uv_loop_close(&loop);
}

static void without_watches(void)
{
	run_everything(ENOSPC);
}

static void without_memory(void)
{
	run_everything(ENOMEM);
}

static void test_the_loop_has_its_waits_all_the_same(void **state)
{
	(void)state;
	in_a_process(without_watches);
	in_a_process(without_memory);
}

/* ---- the calls themselves ---- */

static int open_spare(int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};
	return epoll_ctl(uv_backend_fd(&loop), EPOLL_CTL_ADD, fd, &event);
}

static int look(struct epoll_event *ret, int max)
{
	return epoll_wait(uv_backend_fd(&loop), ret, max, 0);
}

static void ask_by_hand(void)
{
	struct epoll_event got[4];
	int fds[2], other = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7};
	REQUIRE(loop_open(&loop) == 0 && pipe2(fds, O_CLOEXEC) == 0);
	use_up_watches(ENOSPC);
	/* another instance is told; and an edge cannot be had from poll(2) */
	REQUIRE(epoll_ctl(other, EPOLL_CTL_ADD, fds[0], &event) < 0 && errno == ENOSPC);
	REQUIRE(open_spare(fds[0], EPOLLIN | EPOLLET, 7) < 0 && errno == ENOSPC);
	REQUIRE(loop_spares() == 0);

	REQUIRE(open_spare(fds[0], EPOLLIN, 7) == 0 && open_spare(fds[1], EPOLLOUT, 8) == 0);
	REQUIRE(look(got, 4) == 1 && got[0].data.u64 == 8 && got[0].events == EPOLLOUT);
	REQUIRE(write(fds[1], "x", 1) == 1);
	REQUIRE(look(got, 4) == 2 && got[0].data.u64 + got[1].data.u64 == 15);
	REQUIRE(look(got, 1) == 1); /* no more than there is room for */
	event.events = 0;
	REQUIRE(epoll_ctl(uv_backend_fd(&loop), EPOLL_CTL_MOD, fds[1], &event) == 0);
	REQUIRE(look(got, 4) == 1 && got[0].data.u64 == 7);
	/* twice is once */
	REQUIRE(open_spare(fds[0], EPOLLIN, 9) == 0 && loop_spares() == 2);
	REQUIRE(look(got, 4) == 1 && got[0].data.u64 == 9);
	REQUIRE(epoll_ctl(uv_backend_fd(&loop), EPOLL_CTL_DEL, fds[0], NULL) == 0);
	REQUIRE(look(got, 4) == 0 && loop_spares() == 1);
	REQUIRE(epoll_ctl(uv_backend_fd(&loop), EPOLL_CTL_DEL, fds[0], NULL) < 0 &&
		errno == ENOENT);
	/* closed without a word: forgotten, as the kernel does, and no reason to wake up without an end */
	close(fds[1]);
	REQUIRE(look(got, 4) == 0 && loop_spares() == 0);
}

static void test_the_calls(void **state)
{
	(void)state;
	in_a_process(ask_by_hand);
}

/* A signal interrupts the wait, as it does the kernel's. */
static void on_alarm(int sig)
{
	(void)sig;
}

static void be_interrupted(void)
{
	struct epoll_event got;
	int fds[2];
	const struct sigaction action = {.sa_handler = on_alarm};
	REQUIRE(loop_open(&loop) == 0 && pipe2(fds, O_CLOEXEC) == 0);
	use_up_watches(ENOSPC);
	REQUIRE(open_spare(fds[0], EPOLLIN, 7) == 0);
	sigaction(SIGUSR1, &action, NULL);
	sigset_t blocked, before;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	raise(SIGUSR1);
	REQUIRE(epoll_pwait(uv_backend_fd(&loop), &got, 1, -1, &before) < 0 && errno == EINTR);
}

static void test_a_signal_interrupts(void **state)
{
	(void)state;
	in_a_process(be_interrupted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_loop_has_its_waits_all_the_same),
		cmocka_unit_test(test_the_calls),
		cmocka_unit_test(test_a_signal_interrupts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
