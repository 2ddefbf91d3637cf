/* SPDX-License-Identifier: MIT */
#include "server/peers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* ---- in place of libmicrohttpd and the kernel ---- */

static struct peers peers;
static void *context; /* of the one connection */
static int add_fails, pidfd_errno;

void http_kick(struct http *h)
{
	(void)h;
}

/* One that cannot be watched is told of twice all the same. */
int http_add(struct http *h, int fd, const struct sockaddr *address, socklen_t size)
{
	(void)h;
	(void)address;
	(void)size;
	peers_notice(&peers, NULL, &context, MHD_CONNECTION_NOTIFY_STARTED);
	if (!add_fails)
		return 0;
	peers_notice(&peers, NULL, &context, MHD_CONNECTION_NOTIFY_CLOSED);
	close(fd);
	return -1;
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	if (level == SOL_SOCKET && name == SO_PEERPIDFD && pidfd_errno) {
		errno = pidfd_errno;
		return -1;
	}
	return (int)syscall(SYS_getsockopt, fd, level, name, value, size);
}

/* ---- tests ---- */

/* What a client reads first when it comes. */
static void admit(bool is_tcp, char *said, size_t room)
{
	int fds[2];
	memset(said, 0, room);
	peers_init(&peers, NULL, NULL, 4);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	peers_admit(&peers, fds[0], is_tcp, NULL, 0);
	assert_null(peers.arriving);
	if (peers_count(&peers) > 0) {
		peers_notice(&peers, NULL, &context, MHD_CONNECTION_NOTIFY_CLOSED);
		close(fds[0]);
	}
	assert_true(read(fds[1], said, room - 1) >= 0);
	assert_int_equal(peers_count(&peers), 0);
	close(fds[1]);
}

static void one_that_cannot_be_added_is_given_back_once(void **state)
{
	char said[512];
	(void)state;
	add_fails = 1;
	admit(true, said, sizeof said);
	add_fails = 0;
	assert_string_equal(said, "");
	assert_int_equal(peers.refused_total, 1);
}

static void only_an_older_kernel_may_not_tell_who_it_is(void **state)
{
	static const struct {
		int errnum;
		const char *said;
	} cases[] = {
		{0, ""},
		{ENOPROTOOPT, ""},
		{EINVAL, "HTTP/1.1 403"},
		{ESRCH, "HTTP/1.1 403"},
		{ENODATA, "HTTP/1.1 403"},
		{EMFILE, "HTTP/1.1 503"},
		{ENFILE, "HTTP/1.1 503"},
		{ENOMEM, "HTTP/1.1 503"},
	};
	char said[512];
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pidfd_errno = cases[i].errnum;
		admit(false, said, sizeof said);
		said[strlen(cases[i].said)] = '\0';
		assert_string_equal(said, cases[i].said);
		assert_int_equal(peers.accepted_total, cases[i].said[0] == '\0');
	}
	pidfd_errno = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_cannot_be_added_is_given_back_once),
		cmocka_unit_test(only_an_older_kernel_may_not_tell_who_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
