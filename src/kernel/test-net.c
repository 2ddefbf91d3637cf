/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/net.h"
#include "kernel/test-child.h"

/* A listener on 127.0.0.1 can be reached. */
static bool loopback_works(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	bool works;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	REQUIRE(listener >= 0 && client >= 0);
	works = bind(listener, (struct sockaddr *)&address, size) == 0 &&
		listen(listener, 1) == 0 &&
		getsockname(listener, (struct sockaddr *)&address, &size) == 0 &&
		connect(client, (struct sockaddr *)&address, size) == 0;
	close(listener);
	close(client);
	return works;
}

static void bring_up(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		_exit(NOT_HERE);
	REQUIRE(!loopback_works());
	REQUIRE(net_loopback_up() == 0);
	REQUIRE(loopback_works());
	REQUIRE(net_loopback_up() == 0);
}

static void no_privilege(void)
{
	REQUIRE(geteuid() != 0 || setresuid(65534, 65534, 65534) == 0);
	REQUIRE(net_loopback_up() == -EPERM);
}

static void test_up(void **state)
{
	(void)state;
	in_child(bring_up);
}

static void test_no_privilege(void **state)
{
	(void)state;
	in_child(no_privilege);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_up),
		cmocka_unit_test(test_no_privilege),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
