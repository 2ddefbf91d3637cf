/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/landlock.h"
#include "kernel/test-child.h"

enum { ABI_WITH_REFER = 2, ABI_WITH_TRUNCATE = 3, ABI_WITH_SCOPES = 6 };

/* A process that ends with us at the latest. */
static pid_t start_sleeper(void)
{
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	return pid;
}

/* A process that we may not signal later: it ends when *ret_tell is closed. */
static pid_t start_outsider(int *ret_tell)
{
	int tell[2];
	char byte;
	pid_t pid;

	REQUIRE(pipe(tell) == 0);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		close(tell[1]);
		REQUIRE(read(tell[0], &byte, 1) >= 0);
		_exit(0);
	}
	close(tell[0]);
	*ret_tell = tell[1];
	return pid;
}

static void scope_signals(void)
{
	int tell, status;
	pid_t outside, inside;

	if (landlock_abi() < ABI_WITH_SCOPES)
		_exit(NOT_HERE);
	outside = start_outsider(&tell);
	REQUIRE(kill(outside, 0) == 0);
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(landlock_scope(LANDLOCK_SCOPE_SIGNAL) == 0);
	REQUIRE(kill(outside, SIGKILL) == -1 && errno == EPERM);
	inside = start_sleeper();
	REQUIRE(kill(inside, SIGKILL) == 0 && waitpid(inside, &status, 0) == inside);
	close(tell);
	REQUIRE(waitpid(outside, &status, 0) == outside);
}

static struct sockaddr_un abstract_name(socklen_t *ret_size)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int n = snprintf(
		name.sun_path + 1, sizeof(name.sun_path) - 1, "test-landlock-%d", getpid());

	*ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	return name;
}

static void scope_abstract_sockets(void)
{
	socklen_t size;
	struct sockaddr_un name = abstract_name(&size);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), before = socket(AF_UNIX, SOCK_STREAM, 0);
	int after = socket(AF_UNIX, SOCK_STREAM, 0);

	if (landlock_abi() < ABI_WITH_SCOPES)
		_exit(NOT_HERE);
	REQUIRE(bind(listener, (struct sockaddr *)&name, size) == 0 && listen(listener, 2) == 0);
	REQUIRE(connect(before, (struct sockaddr *)&name, size) == 0);
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(landlock_scope(LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET) == 0);
	REQUIRE(connect(after, (struct sockaddr *)&name, size) == -1 && errno == EPERM);
}

/* ---- writing ---- */

static char top[64];

static int open_in_top(const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return open(path, flags | O_CLOEXEC, 0644);
}

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

static void confine_writes(void)
{
	char allowed[96], file[96], elsewhere[96], moved[96];
	const char *const paths[] = {allowed, "/nonexistent", file, "/dev/null"};

	if (landlock_abi() < ABI_WITH_REFER)
		_exit(NOT_HERE);
	snprintf(allowed, sizeof(allowed), "%s/allowed", top);
	snprintf(file, sizeof(file), "%s/file", top);
	snprintf(elsewhere, sizeof(elsewhere), "%s/allowed/a", top);
	snprintf(moved, sizeof(moved), "%s/allowed/d/a", top);
	int stdin_file = open_in_top("other", O_RDONLY), log = open_in_top("log", O_WRONLY);
	REQUIRE(dup2(stdin_file, 0) == 0 && dup2(log, 1) == 1);
	int writable = open_in_top("kept", O_WRONLY);
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(landlock_confine_writes(paths, 4, landlock_abi(), 0) == 0);

	/* whatever the name */
	REQUIRE(reopen(0, O_WRONLY) < 0 && errno == EACCES);
	REQUIRE(reopen(0, O_RDWR) < 0 && errno == EACCES);
	REQUIRE(reopen(stdin_file, O_WRONLY | O_APPEND) < 0 && errno == EACCES);
	REQUIRE(open_in_top("other", O_WRONLY) < 0 && errno == EACCES);
	if (landlock_abi() >= ABI_WITH_TRUNCATE)
		REQUIRE(truncate("/proc/self/fd/0", 0) < 0 && errno == EACCES);
	/* but to read, and what is open for writing */
	REQUIRE(reopen(0, O_RDONLY) >= 0);
	REQUIRE(reopen(1, O_WRONLY | O_TRUNC) >= 0);
	REQUIRE(write(writable, "x", 1) == 1);
	REQUIRE(open("/dev/null", O_WRONLY) >= 0);
	REQUIRE(open(file, O_RDWR | O_TRUNC) >= 0);
	/* where it is allowed everything is as ever */
	REQUIRE(open(elsewhere, O_WRONLY | O_CREAT | O_TRUNC, 0644) >= 0);
	REQUIRE(link(elsewhere, moved) == 0 && unlink(elsewhere) == 0);
	REQUIRE(rename(moved, elsewhere) == 0);
}

/* No ABI is new enough to be asked for what it is not. */
static void refuse_old_landlock(void)
{
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(landlock_confine_writes(NULL, 0, 1, 0) == -EINVAL);
	REQUIRE(open("/dev/null", O_WRONLY) >= 0);
}

static int make_tree(void **state)
{
	static const char *const files[] = {"file", "other", "log", "kept"};
	char path[128];

	(void)state;
	strcpy(top, "/tmp/bulkhead-landlock-XXXXXX");
	if (mkdtemp(top) == NULL)
		return -1;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = open_in_top(files[i], O_WRONLY | O_CREAT);
		if (fd < 0 || close(fd) != 0)
			return -1;
	}
	snprintf(path, sizeof(path), "%s/allowed", top);
	if (mkdir(path, 0755) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/allowed/d", top);
	return mkdir(path, 0755);
}

static int remove_tree(void **state)
{
	static const char *const names[] = {"allowed/d/a", "allowed/d", "allowed/a", "allowed",
		"file", "other", "log", "kept", ""};
	char path[128];
	int r = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", top, names[i]);
		r = remove(path);
	}
	return r;
}

static void refuse_unknown_scopes(void)
{
	long r;

	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	r = landlock_scope(1u << 30);
	REQUIRE(r == -EINVAL || (landlock_abi() == 0 && (r == -ENOSYS || r == -EOPNOTSUPP)));
}

static void test_signals(void **state)
{
	(void)state;
	in_child(scope_signals);
}

static void test_abstract_sockets(void **state)
{
	(void)state;
	in_child(scope_abstract_sockets);
}

static void test_writes(void **state)
{
	(void)state;
	in_child(confine_writes);
}

static void test_old_landlock(void **state)
{
	(void)state;
	in_child(refuse_old_landlock);
}

static void test_unknown_scopes(void **state)
{
	(void)state;
	in_child(refuse_unknown_scopes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_abstract_sockets),
		cmocka_unit_test_setup_teardown(test_writes, make_tree, remove_tree),
		cmocka_unit_test(test_old_landlock),
		cmocka_unit_test(test_unknown_scopes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
