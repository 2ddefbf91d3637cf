/* SPDX-License-Identifier: MIT */
#include "server/listener-open.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"

struct fixture {
	char dir[32], path[64], lock[80];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	*state = f;
	strcpy(f->dir, "/tmp/test-listener-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/socket", f->dir);
	snprintf(f->lock, sizeof f->lock, "%s.lock", f->path);
	return 0;
}

/* Nothing may be left in it. */
static int tear_down(void **state)
{
	struct fixture *f = *state;
	int rc = rmdir(f->dir);
	free(f);
	return rc;
}

static int open_path(struct listener *l, const struct fixture *f, struct error *e)
{
	*l = (struct listener){.fd = -1, .path = f->path, .made = true};
	return listener_open_path(l, f->path, e);
}

static void it_is_ours_alone(void **state)
{
	struct fixture *f = *state;
	struct listener l, second;
	struct error e = ERROR_INIT;
	struct stat st;
	mode_t mask = umask(0);
	assert_int_equal(open_path(&l, f, &e), 0);
	assert_int_equal(umask(mask), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(open_path(&second, f, &e), -1);
	assert_non_null(strstr(e.text, "something listens"));
	listener_remove_path(&l);
	fd_close(l.fd);
	assert_int_equal(access(f->path, F_OK), -1);
}

static void a_dead_one_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct listener dead, l;
	struct error e = ERROR_INIT;
	assert_int_equal(open_path(&dead, f, &e), 0);
	fd_close(dead.fd);
	assert_int_equal(open_path(&l, f, &e), 0);
	listener_remove_path(&dead); /* is another file now */
	assert_int_equal(access(f->path, F_OK), 0);
	listener_remove_path(&l);
	fd_close(l.fd);
}

static void what_is_no_socket_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct listener l;
	struct error e = ERROR_INIT;
	close(open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(open_path(&l, f, &e), -1);
	assert_non_null(strstr(e.text, "is no socket"));
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(symlink("/nonexistent", f->path), 0);
	assert_int_equal(open_path(&l, f, &e), -1);
	assert_int_equal(unlink(f->path), 0);
}

static void a_long_path_is_refused(void **state)
{
	struct listener l = {.fd = -1};
	struct error e = ERROR_INIT;
	char path[200];
	(void)state;
	memset(path, 'x', sizeof path);
	path[sizeof path - 1] = '\0';
	assert_int_equal(listener_open_path(&l, path, &e), -1);
	assert_non_null(strstr(e.text, "longer than"));
}

static void one_holds_the_lock(void **state)
{
	struct fixture *f = *state;
	struct error e = ERROR_INIT;
	int fd = listener_lock(f->path, &e);
	assert_true(fd >= 0);
	assert_int_equal(listener_lock(f->path, &e), -1);
	assert_non_null(strstr(e.text, "another daemon"));
	listener_unlock(fd, f->path);
	assert_int_equal(access(f->lock, F_OK), -1);
	fd = listener_lock(f->path, &e);
	assert_true(fd >= 0);
	listener_unlock(fd, f->path);
}

static void tcp_addresses(void **state)
{
	static const char *const good[] = {"0", ":0", "127.0.0.1:0"};
	static const char *const bad[] = {"", "x", "65536", "localhost:80", "127.0.0.1",
		"127.0.0.1:", "[::1:80", "[]:80", "1.2.3.4.5:80", "127.0.0.1:-1", "127.0.0.1: 1",
		"[11111111111111111111111111111111111111111111111111111111111111111]:80"};
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct listener l = {.fd = -1};
		struct error e = ERROR_INIT;
		struct sockaddr_in address;
		socklen_t size = sizeof address;
		if (listener_open_tcp(&l, good[i], &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(getsockname(l.fd, (struct sockaddr *)&address, &size), 0);
		assert_int_equal(address.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
		fd_close(l.fd);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct listener l = {.fd = -1};
		struct error e = ERROR_INIT;
		if (listener_open_tcp(&l, bad[i], &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(e.blame, BLAME_REQUEST);
		assert_int_equal(l.fd, -1);
	}
}

static void inherited_ones_are_counted_once(void **state)
{
	char pid[16];
	(void)state;
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	assert_int_equal(listener_count_inherited(), 2);
	assert_int_equal(listener_count_inherited(), 0);
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "2", 1);
	assert_int_equal(listener_count_inherited(), 0);
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2x", 1);
	assert_int_equal(listener_count_inherited(), 0);
}

static void what_is_inherited_is_looked_at(void **state)
{
	struct listener l = {.fd = -1};
	struct error e = ERROR_INIT;
	(void)state;
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cleanup_fd int idle = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	l.fd = null;
	assert_int_equal(listener_take_inherited(&l, true, &e), -1);
	l.fd = idle;
	assert_int_equal(listener_take_inherited(&l, true, &e), -1);
	assert_non_null(strstr(e.text, "no socket to take clients from"));
	assert_int_equal(listener_open_tcp(&l, "0", &e), 0);
	cleanup_fd int tcp = l.fd;
	assert_int_equal(listener_take_inherited(&l, false, &e), -1);
	assert_non_null(strstr(e.text, "--token-file"));
	assert_int_equal(fcntl(tcp, F_SETFD, 0), 0);
	assert_int_equal(listener_take_inherited(&l, true, &e), 0);
	assert_true(l.is_tcp);
	assert_int_equal(fcntl(tcp, F_GETFD), FD_CLOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_ours_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_dead_one_is_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_socket_is_left_alone, set_up, tear_down),
		cmocka_unit_test(a_long_path_is_refused),
		cmocka_unit_test_setup_teardown(one_holds_the_lock, set_up, tear_down),
		cmocka_unit_test(tcp_addresses),
		cmocka_unit_test(inherited_ones_are_counted_once),
		cmocka_unit_test(what_is_inherited_is_looked_at),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
