/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/cred.h"
#include "kernel/test-child.h"

enum { NOBODY = 65534, SOMEBODY = 12345 };

/* The line "NAME:\tVALUE" of /proc/self/status. */
static uint64_t status_hex(const char *name)
{
	char text[8192], *line;

	REQUIRE(file_read_text(AT_FDCWD, "/proc/self/status", text, sizeof(text)) > 0);
	line = strstr(text, name);
	REQUIRE(line != NULL);
	return strtoull(line + strlen(name), NULL, 16);
}

static void require_no_caps(void)
{
	REQUIRE(status_hex("CapBnd:") == 0);
	REQUIRE(status_hex("CapInh:") == 0);
	REQUIRE(status_hex("CapPrm:") == 0);
	REQUIRE(status_hex("CapEff:") == 0);
	REQUIRE(status_hex("CapAmb:") == 0);
	REQUIRE((prctl(PR_GET_SECUREBITS) & (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED)) ==
		(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED));
}

static void require_ids(uid_t uid, gid_t gid)
{
	uid_t u[3];
	gid_t g[3];

	REQUIRE(getresuid(&u[0], &u[1], &u[2]) == 0 && getresgid(&g[0], &g[1], &g[2]) == 0);
	for (int i = 0; i < 3; i++)
		REQUIRE(u[i] == uid && g[i] == gid);
}

static void need_root(void)
{
	if (geteuid() != 0 || status_hex("CapEff:") == 0)
		_exit(NOT_HERE);
}

/* An ordinary user in a user namespace of its own, as a box's maker has it. */
static void enter_user_namespace(void)
{
	uid_t uid;
	gid_t gid;
	char map[64];

	REQUIRE(geteuid() != 0 ||
		(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
			setresuid(NOBODY, NOBODY, NOBODY) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0));
	uid = geteuid();
	gid = getegid();
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if (unshare(CLONE_NEWUSER) != 0)
		_exit(NOT_HERE);
	REQUIRE(file_write_text(AT_FDCWD, "/proc/self/uid_map", map) == 0);
	REQUIRE(file_write_text(AT_FDCWD, "/proc/self/setgroups", "deny") == 0);
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	REQUIRE(file_write_text(AT_FDCWD, "/proc/self/gid_map", map) == 0);
}

static void become_someone_else(void)
{
	gid_t groups[2] = {4, 20};

	need_root();
	REQUIRE(setgroups(2, groups) == 0);
	REQUIRE(cred_set_ids(SOMEBODY, SOMEBODY + 1) == 0);
	require_ids(SOMEBODY, SOMEBODY + 1);
	REQUIRE(getgroups(0, NULL) == 0);
	/* Still able to do what comes after. */
	REQUIRE(status_hex("CapEff:") != 0);
	REQUIRE(cred_no_new_privs() == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	REQUIRE(cred_drop_all_caps() == 0);
	require_no_caps();
	REQUIRE(setuid(0) == -1);
}

static void root_without_capabilities(void)
{
	need_root();
	REQUIRE(cred_set_ids(0, 0) == 0);
	require_ids(0, 0);
	REQUIRE(cred_drop_all_caps() == 0);
	require_no_caps();
	REQUIRE(chroot("/") == -1 && errno == EPERM);
	/* Again: nothing is left to drop. */
	REQUIRE(cred_drop_all_caps() == 0);
	/* And root's exec brings nothing back. */
	execl("/bin/sh", "sh", "-c", "grep -q '^CapEff:.0000000000000000$' /proc/self/status",
		NULL);
	_exit(1);
}

static void user_namespace(void)
{
	uid_t uid;
	gid_t gid;

	enter_user_namespace();
	uid = geteuid();
	gid = getegid();
	REQUIRE(cred_set_ids(uid, gid) == 0);
	require_ids(uid, gid);
	REQUIRE(cred_set_ids(SOMEBODY, gid) == -EINVAL);
	REQUIRE(cred_no_new_privs() == 0);
	REQUIRE(cred_drop_all_caps() == 0);
	require_no_caps();
}

static void no_privilege(void)
{
	REQUIRE(geteuid() != 0 || setresuid(NOBODY, NOBODY, NOBODY) == 0);
	if (status_hex("CapBnd:") == 0)
		_exit(NOT_HERE);
	REQUIRE(cred_drop_all_caps() == -EPERM);
	REQUIRE(cred_set_ids(SOMEBODY, SOMEBODY) == -EPERM);
}

static void test_someone_else(void **state)
{
	(void)state;
	in_child(become_someone_else);
}

static void test_root_without_capabilities(void **state)
{
	(void)state;
	in_child(root_without_capabilities);
}

static void test_user_namespace(void **state)
{
	(void)state;
	in_child(user_namespace);
}

static void test_no_privilege(void **state)
{
	(void)state;
	in_child(no_privilege);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_someone_else),
		cmocka_unit_test(test_root_without_capabilities),
		cmocka_unit_test(test_user_namespace),
		cmocka_unit_test(test_no_privilege),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
