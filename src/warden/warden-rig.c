/* SPDX-License-Identifier: MIT */
#include "warden/test-rig.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/time.h"
#include "kernel/seccomp.h"
#include "warden/coordinator.h"
#include "warden/self.h"
#include "warden/warden.h"

#define PATIENCE_MS 30000

static int sealed_memfd(const void *data, size_t size, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(fd >= 0);
	if (data)
		assert_int_equal(fd_write_all(fd, data, size), 0);
	else
		assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static ssize_t try_send(int socket, const void *data, size_t size, const int *fds, unsigned n)
{
	_Alignas(struct cmsghdr) unsigned char room[CMSG_SPACE(8 * sizeof(int))] = {0};
	struct iovec bytes = {(void *)(uintptr_t)data, size};
	struct msghdr m = {.msg_iov = &bytes, .msg_iovlen = 1};
	if (n > 0) {
		m.msg_control = room;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	return sendmsg(socket, &m, MSG_NOSIGNAL);
}

static void send_fds(int socket, const void *data, size_t size, const int *fds, unsigned n)
{
	assert_int_equal(try_send(socket, data, size, fds, n), (ssize_t)size);
}

static void parse_rule(const char *text, struct exec_rule *ret, struct arena *a)
{
	const char *hint = strchr(text, '|');
	ret->allow = strncmp(text, "allow ", 6) == 0;
	const char *pattern = strchr(text, ' ') + 1;
	ret->pattern = hint ? arena_strndup(a, pattern, (size_t)(hint - pattern)) : pattern;
	ret->hint = hint ? hint + 1 : NULL;
}

bool rig_is_old;

/* warden_main(), but for the one thing. */
static int old_warden_main(void)
{
	static struct coordinator c; /* large */
	struct error e = ERROR_INIT;
	fcntl(WARDEN_CONTROL, F_SETFD, FD_CLOEXEC);
	if (self_confine(&e) < 0 || coordinator_init_take(&c, WARDEN_CONTROL, &e) < 0 ||
		self_restrict(&e) < 0)
		return 1;
	c.docket.interrupt_first = false;
	int status = coordinator_run(&c);
	coordinator_fini(&c);
	return status;
}

static pid_t start_process(int control)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	dup2(control, WARDEN_CONTROL);
	close_range(WARDEN_CONTROL + 1, ~0u, 0);
	_exit(rig_is_old ? old_warden_main() : warden_main());
}

struct rig rig_start(enum exec_mode mode, bool default_allow, const char *const *rules)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct exec_rule parsed[16] = {0};
	struct policy_exec policy = {.mode = mode, .default_allow = default_allow, .rules = parsed};
	const void *packed;
	size_t size;
	int pair[2];
	for (; rules && *rules; rules++)
		parse_rule(*rules, &parsed[policy.n_rules++], &a);
	assert_int_equal(exec_policy_pack(&policy, &a, &packed, &size), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	struct rig rig = {.warden = start_process(pair[1]), .control = pair[0]};
	close(pair[1]);
	int fd = sealed_memfd(packed, size, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
	struct warden_record record = {
		.magic = WARDEN_MAGIC, .version = WARDEN_VERSION, .kind = WARDEN_START, .n = size};
	strcpy(record.path, "/usr/local/bin:/usr/bin:/bin");
	send_fds(rig.control, &record, sizeof(record), &fd, 1);
	close(fd);
	assert_int_equal(recv(rig.control, &record, sizeof(record), 0), sizeof(record));
	assert_int_equal(record.kind, WARDEN_READY);
	return rig;
}

static int wait_in_time(pid_t pid)
{
	int status;
	uint64_t until = time_monotonic_us() + PATIENCE_MS * 1000ull;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd end = {.fd = pidfd, .events = POLLIN};
	assert_int_equal(poll(&end, 1, PATIENCE_MS), 1);
	close(pidfd);
	/* a zombie that is traced cannot be had until the tracer has */
	while (waitpid(pid, &status, WNOHANG) == 0) {
		assert_true(time_monotonic_us() < until);
		usleep(100);
	}
	return status;
}

int rig_stop(struct rig *rig)
{
	rig->control = fd_close(rig->control);
	return wait_in_time(rig->warden);
}

struct rig_run rig_add_run(struct rig *rig)
{
	int pair[2], err[2];
	struct rig_run run = {0};
	int board = sealed_memfd(NULL, sizeof(struct warden_board), F_SEAL_SHRINK | F_SEAL_GROW);
	run.board = mmap(NULL, sizeof(struct warden_board), PROT_READ, MAP_SHARED, board, 0);
	assert_ptr_not_equal(run.board, MAP_FAILED);
	run.audit = memfd_create("audit", MFD_CLOEXEC);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	assert_int_equal(fcntl(run.audit, F_SETFL, O_APPEND), 0);
	struct warden_record record = {.magic = WARDEN_MAGIC,
		.version = WARDEN_VERSION,
		.kind = WARDEN_RUN,
		.flags = WARDEN_HAS_AUDIT | WARDEN_HAS_STDERR,
		.started_us = time_monotonic_us(),
		.audit_max_bytes = 1 << 20};
	const int fds[] = {pair[1], board, run.audit, err[1]};
	send_fds(rig->control, &record, sizeof(record), fds, 4);
	close(pair[1]);
	close(board);
	close(err[1]);
	run.socket = pair[0];
	run.stderr_fd = err[0];
	return run;
}

static const struct sock_filter ask_execs[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static int install_listener(void)
{
	const unsigned short n = sizeof(ask_execs) / sizeof(*ask_execs);
	const struct sock_fprog program = {n, (struct sock_filter *)(uintptr_t)ask_execs};
	if (!rig_is_old)
		return (int)seccomp_install_listener(ask_execs, n);
	return (int)syscall(
		SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

void rig_launch(struct rig_run *run, int (*body)(void))
{
	run->payload = fork();
	assert_true(run->payload >= 0);
	if (run->payload > 0) {
		run->socket = fd_close(run->socket);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	int listener = install_listener();
	/* no assertion in here: it would go on with the other tests */
	if (listener < 0 || try_send(run->socket, "", 1, &listener, 1) != 1)
		_exit(99);
	close_range(3, ~0u, 0);
	_exit(body());
}

int rig_wait(struct rig_run *run)
{
	return wait_in_time(run->payload);
}

void rig_end_run(struct rig_run *run)
{
	munmap(run->board, sizeof(*run->board));
	run->socket = fd_close(run->socket);
	run->audit = fd_close(run->audit);
	run->stderr_fd = fd_close(run->stderr_fd);
}

struct warden_board rig_run_body(enum exec_mode mode, const char *const *rules, int (*body)(void))
{
	struct rig rig = rig_start(mode, true, rules);
	struct rig_run run = rig_add_run(&rig);
	rig_launch(&run, body);
	assert_int_equal(rig_wait(&run), 0);
	rig_until_health(&run, WARDEN_HEALTH_ENDED);
	struct warden_board board = *run.board;
	assert_int_equal(board.in_flight, 0);
	assert_int_equal(rig_stop(&rig), 0);
	rig_end_run(&run);
	return board;
}

void rig_until(const _Atomic uint64_t *counter, uint64_t n)
{
	uint64_t until = time_monotonic_us() + PATIENCE_MS * 1000ull;
	while (atomic_load(counter) < n) {
		assert_true(time_monotonic_us() < until);
		usleep(100);
	}
}

void rig_until_health(const struct rig_run *run, enum warden_health health)
{
	uint64_t until = time_monotonic_us() + PATIENCE_MS * 1000ull;
	while (atomic_load(&run->board->health) != (uint32_t)health) {
		assert_true(time_monotonic_us() < until);
		usleep(100);
	}
}

size_t rig_events(const struct rig_run *run, struct arena *a, struct exec_event **ret)
{
	off_t size = lseek(run->audit, 0, SEEK_END);
	char *text = arena_alloc(a, (size_t)size + 1);
	size_t n = 0, room = 0;
	assert_int_equal(pread(run->audit, text, (size_t)size, 0), size);
	for (char *p = text; *p; p++)
		room += *p == '\n';
	struct exec_event *events = arena_calloc(a, room + 1, sizeof(*events));
	for (char *line = text; *line; n++) {
		char *end = strchr(line, '\n');
		struct error e = ERROR_INIT;
		assert_non_null(end);
		if (exec_event_parse(&events[n], line, (size_t)(end - line), a, &e) < 0)
			fail_msg("%s: %.*s", e.text, (int)(end - line), line);
		line = end + 1;
	}
	*ret = events;
	return n;
}

const char *rig_stderr(const struct rig_run *run, char *text, size_t size)
{
	ssize_t n = 0;
	struct pollfd p = {.fd = run->stderr_fd, .events = POLLIN};
	if (poll(&p, 1, 0) == 1 && p.revents & POLLIN)
		n = read(run->stderr_fd, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

int run_program(const char *path, char *const argv[])
{
	int status, error = 0, report[2];
	if (pipe2(report, O_CLOEXEC) < 0)
		_exit(98);
	pid_t pid = fork();
	if (pid == 0) {
		execv(path, argv);
		error = errno;
		_exit(write(report[1], &error, sizeof(error)) == sizeof(error) ? 0 : 97);
	}
	close(report[1]);
	ssize_t n = read(report[0], &error, sizeof(error));
	close(report[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			_exit(96);
	return n == sizeof(error) ? -error : status;
}

int run_words(const char *path, ...)
{
	char *argv[32];
	size_t n = 0;
	va_list words;
	va_start(words, path);
	while (n < 31 && (argv[n] = va_arg(words, char *)))
		n++;
	va_end(words);
	argv[n] = NULL;
	return run_program(path, argv);
}
