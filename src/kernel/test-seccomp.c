/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/seccomp.h"
#include "kernel/test-child.h"

#define N(code) (sizeof(code) / sizeof((code)[0]))

static const struct sock_filter deny_getppid[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static void load(void)
{
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(seccomp_install(deny_getppid, N(deny_getppid)) == 0);
	REQUIRE(syscall(SYS_getppid) == -1 && errno == EACCES);
	REQUIRE(syscall(SYS_getpid) > 0);
}

static void refuse_bad_programs(void)
{
	static const struct sock_filter endless[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};

	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(seccomp_install(endless, N(endless)) == -EINVAL);
	REQUIRE(seccomp_install(deny_getppid, 0) == -EINVAL);
	REQUIRE(syscall(SYS_getppid) > 0);
}

static void refuse_without_no_new_privs(void)
{
	REQUIRE(geteuid() != 0 || setresuid(65534, 65534, 65534) == 0);
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		_exit(NOT_HERE);
	REQUIRE(seccomp_install(deny_getppid, N(deny_getppid)) == -EACCES);
}

static void test_load(void **state)
{
	(void)state;
	in_child(load);
}

static void test_bad_programs(void **state)
{
	(void)state;
	in_child(refuse_bad_programs);
}

static void test_needs_no_new_privs(void **state)
{
	(void)state;
	in_child(refuse_without_no_new_privs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_bad_programs),
		cmocka_unit_test(test_needs_no_new_privs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
