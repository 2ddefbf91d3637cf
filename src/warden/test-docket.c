/* SPDX-License-Identifier: MIT */
#include "warden/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "kernel/notify.h"
#include "kernel/ptrace.h"
#include "kernel/seccomp.h"
#include "warden/test-rig.h"

/* What the box can have the warden hold. */

/* ---- calls that nobody judges: a child's, in this process ---- */

static const struct sock_filter ask_execve[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

struct caller {
	pid_t pid;
	int listener;
	struct notify_call call;
};

/* It calls once, and exits with the errno that it is told. */
static void call_once(int talk)
{
	char *const argv[] = {(char *)"true", NULL};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	int listener =
		(int)seccomp_install_listener(ask_execve, sizeof(ask_execve) / sizeof(*ask_execve));
	if (write(talk, &listener, sizeof(listener)) != sizeof(listener) ||
		read(talk, &listener, sizeof(listener)) != sizeof(listener))
		_exit(255);
	close(listener); /* or it would be ours to answer */
	execv("/bin/true", argv);
	_exit(errno);
}

static struct caller start_caller(void)
{
	int ends[2], number = -1;
	struct caller c;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0)
		call_once(ends[1]);
	assert_int_equal(read(ends[0], &number, sizeof(number)), sizeof(number));
	assert_true(number >= 0);
	int pidfd = (int)syscall(SYS_pidfd_open, c.pid, 0);
	c.listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	assert_true(c.listener >= 0);
	assert_int_equal(write(ends[0], &number, sizeof(number)), sizeof(number));
	close(pidfd);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(notify_receive(c.listener, &c.call), 0);
	return c;
}

/* What it was told; the listener is closed. */
static int end_caller(struct caller *c)
{
	int status;
	c->listener = fd_close(c->listener);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A docket of one run that is served. */
struct desk {
	struct judge judge;
	struct calls calls;
	struct docket docket;
	struct slot slot;
};

static void desk_init(struct desk *desk, const struct caller *c)
{
	*desk = (struct desk){.slot.state = SLOT_SERVING, .slot.listener = c->listener};
	docket_init(&desk->docket, &desk->judge, &desk->calls);
}

static void desk_fini(struct desk *desk)
{
	assert_int_equal(desk->slot.n_calls, 0);
	docket_fini(&desk->docket);
	calls_fini(&desk->calls);
}

static void test_calls_have_a_limit(void **state)
{
	(void)state;
	struct caller c = start_caller();
	struct desk desk;
	desk_init(&desk, &c);
	desk.calls.n = CALLS_MAX - 1; /* of other runs */
	struct call *last = call_new(&desk.calls, &desk.slot, &c.call);
	assert_non_null(last);
	assert_null(call_new(&desk.calls, &desk.slot, &c.call));
	docket_receive(&desk.docket, &desk.slot, &c.call);
	assert_false(docket_next(&desk.docket));
	assert_int_equal(end_caller(&c), EAGAIN);
	call_free(&desk.calls, last);
	last = call_new(&desk.calls, &desk.slot, &c.call);
	assert_non_null(last);
	call_free(&desk.calls, last);
	desk_fini(&desk);
}

/* Nothing is looked at, and nobody answered, while the run holds too much; at its end it is dropped. */
static void test_calls_wait_for_room(void **state)
{
	(void)state;
	struct caller c = start_caller();
	struct desk desk;
	desk_init(&desk, &c);
	desk.slot.held_bytes = SLOT_HELD_MAX;
	docket_receive(&desk.docket, &desk.slot, &c.call);
	assert_true(docket_next(&desk.docket));
	assert_ptr_equal(desk.slot.parked, desk.slot.last_parked);
	assert_int_equal(desk.slot.parked->state, CALL_WAITING);
	assert_false(docket_next(&desk.docket));
	assert_true(notify_valid(c.listener, c.call.id));
	docket_drop(&desk.docket, &desk.slot);
	assert_null(desk.slot.parked);
	assert_int_equal(end_caller(&c), ENOSYS);
	desk_fini(&desk);
}

/* ---- whose end it is ---- */

static void be_in_flight(struct desk *desk, pid_t tid, pid_t process, enum call_state state)
{
	const struct notify_call notify = {.tid = tid};
	struct call *call = call_new(&desk->calls, &desk->slot, &notify);
	assert_non_null(call);
	call->state = state;
	call->ids.pid = process;
	calls_add(&desk->calls, call);
}

#define EXITED 0 /* a wait status */

/* By the number of its thread, or by its process's when that one has left its number, and not by another task's. */
static void test_ends_are_told_apart(void **state)
{
	(void)state;
	struct warden_board board = {0};
	struct caller nobody = {.listener = -1};
	struct desk desk;
	const pid_t process = 0x7ffffffe, other = 0x7ffffffd; /* nobody's */
	pid_t ours = fork();
	if (ours == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	assert_int_equal(ptrace_seize(ours), 0);
	desk_init(&desk, &nobody);
	desk.slot.board = &board;
	be_in_flight(&desk, ours, process, CALL_RELEASING);
	docket_report(&desk.docket, process, EXITED);
	assert_int_equal(desk.calls.n_in_flight, 1); /* its thread is there */
	be_in_flight(&desk, ours, other, CALL_RELEASING);
	docket_report(&desk.docket, process, EXITED);
	assert_null(calls_by_process(&desk.calls, process)); /* and now it is another's */
	assert_int_equal(calls_by_tid(&desk.calls, ours)->ids.pid, other);
	be_in_flight(&desk, getpid(), process, CALL_RELEASING);
	docket_report(&desk.docket, process, EXITED);
	assert_null(calls_by_process(&desk.calls, process)); /* nobody's that we trace */
	assert_int_equal(kill(ours, SIGKILL), 0);
	assert_int_equal(waitpid(ours, NULL, __WALL), ours);
	docket_report(&desk.docket, ours, EXITED);
	assert_int_equal(desk.calls.n_in_flight, 0);
	desk_fini(&desk);
}

static void execute_when_told(int talk)
{
	char byte;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(talk, &byte, 1) == 1)
		execl("/bin/true", "true", NULL);
	_exit(9);
}

/* Somebody else kills it while it stands there: that is no doing of ours, whatever cannot be read of it any more. */
static void test_killed_at_its_stop(void **state)
{
	(void)state;
	struct warden_board board = {0};
	struct caller nobody = {.listener = -1};
	struct desk desk;
	int ends[2], status;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	pid_t pid = fork();
	if (pid == 0)
		execute_when_told(ends[1]);
	assert_int_equal(ptrace_seize(pid), 0);
	assert_int_equal(write(ends[0], "", 1), 1);
	assert_int_equal(waitpid(pid, &status, __WALL), pid);
	assert_int_equal(status >> 16, PTRACE_EVENT_EXEC);
	desk_init(&desk, &nobody);
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	judge_init(&desk.judge, proc);
	desk.judge.enforce = true;
	desk.slot.board = &board;
	desk.slot.audit.fd = desk.slot.hint.fd = -1;
	be_in_flight(&desk, pid, pid, CALL_CONTINUED);
	calls_by_tid(&desk.calls, pid)->predicted = true;
	assert_int_equal(kill(pid, SIGKILL), 0);
	docket_report(&desk.docket, pid, status);
	assert_int_equal(board.killed, 0);
	assert_int_equal(waitpid(pid, &status, __WALL), pid);
	docket_report(&desk.docket, pid, status);
	assert_int_equal(board.killed, 0);
	assert_int_equal(board.failed, 1);
	assert_int_equal(desk.calls.n_in_flight, 0);
	judge_fini(&desk.judge);
	desk_fini(&desk);
	close(proc);
	close(ends[0]);
	close(ends[1]);
}

/* ---- a warden's ---- */

#define CALLERS 48
#define WORDS   14
#define WORD    ((size_t)128 << 10) /* with its zero */

static char word[WORD];

static int execute_with_words(char *const *words)
{
	for (unsigned i = 0; i < 3; i++)
		if (run_program("/bin/true", words) != 0)
			return 1;
	return 0;
}

/* More than there is room for, of callers that all come to their turn. */
static int execute_much(void)
{
	char *words[WORDS + 2] = {(char *)"true"};
	int failed = 0, status;
	memset(word, 'x', sizeof(word) - 1);
	for (unsigned i = 1; i <= WORDS; i++)
		words[i] = word;
	for (unsigned i = 0; i < CALLERS; i++)
		if (fork() == 0)
			_exit(execute_with_words(words));
	while (wait(&status) > 0)
		failed += status != 0;
	return failed;
}

static void test_much_at_once(void **state)
{
	(void)state;
	static const char *const rules[] = {"deny ls -l", NULL};
	struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
	struct rig_run run = rig_add_run(&rig);
	rig_launch(&run, execute_much);
	assert_int_equal(rig_wait(&run), 0);
	rig_until_health(&run, WARDEN_HEALTH_ENDED);
	assert_int_equal(run.board->started, 3 * CALLERS);
	assert_int_equal(run.board->refused + run.board->killed + run.board->failed, 0);
	rig_end_run(&run);
	assert_int_equal(rig_stop(&rig), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_have_a_limit),
		cmocka_unit_test(test_calls_wait_for_room),
		cmocka_unit_test(test_ends_are_told_apart),
		cmocka_unit_test(test_killed_at_its_stop),
		cmocka_unit_test(test_much_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
