/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/audit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/filter-rules.h"
#include "model/test-filter.h"

/* What an exec policy adds to the filter. */

#define NOTIFY SECCOMP_RET_USER_NOTIF
#define ALLOW  SECCOMP_RET_ALLOW
#define EMPTY  0x1000ull /* AT_EMPTY_PATH */

static const struct machine {
	enum filter_arch arch;
	uint32_t audit;
	uint32_t execve, execveat, ptrace, process_vm_writev, process_vm_readv, pidfd_getfd, read;
} machines[] = {
	{FILTER_X86_64, AUDIT_ARCH_X86_64, 59, 322, 101, 311, 310, 438, 0},
	{FILTER_AARCH64, AUDIT_ARCH_AARCH64, 221, 281, 117, 271, 270, 438, 63},
};

static uint32_t fate(const struct program *p, uint32_t audit, uint32_t number, uint64_t arg4)
{
	const struct seccomp_data data = {
		.nr = (int)number, .arch = audit, .args = {1, 2, 3, 4, arg4, 6}};
	return simulate(p, &data);
}

static void check_calls(const struct machine *m, enum exec_mode mode)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct program p = compile(&a, &(struct filter_spec){.arch = m->arch, .exec = mode});
	uint32_t told = mode == EXEC_OFF ? ALLOW : NOTIFY;
	uint32_t unjudged = mode == EXEC_ENFORCE ? FILTER_ERRNO(EPERM) : ALLOW;
	uint32_t empty = mode == EXEC_ENFORCE ? FILTER_ERRNO(EPERM) : told;

	assert_int_equal(fate(&p, m->audit, m->execve, 0), told);
	assert_int_equal(fate(&p, m->audit, m->execve, EMPTY), told);
	assert_int_equal(fate(&p, m->audit, m->execveat, 0), told);
	assert_int_equal(fate(&p, m->audit, m->execveat, 0x100), told); /* AT_SYMLINK_NOFOLLOW */
	assert_int_equal(fate(&p, m->audit, m->execveat, EMPTY), empty);
	assert_int_equal(fate(&p, m->audit, m->execveat, EMPTY | 0x100), empty);
	/* the kernel looks at the low half only */
	assert_int_equal(fate(&p, m->audit, m->execveat, EMPTY | 1ull << 40), empty);
	assert_int_equal(fate(&p, m->audit, m->execveat, EMPTY << 32), told);
	assert_int_equal(fate(&p, m->audit, m->ptrace, 0), unjudged);
	assert_int_equal(fate(&p, m->audit, m->process_vm_writev, 0), unjudged);
	assert_int_equal(fate(&p, m->audit, m->process_vm_readv, 0), ALLOW);
	assert_int_equal(fate(&p, m->audit, m->pidfd_getfd, 0), FILTER_ERRNO(EPERM));
	assert_int_equal(fate(&p, m->audit, m->read, 0), ALLOW);
}

static void test_calls(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		for (int mode = 0; mode < EXEC_COUNT_; mode++)
			check_calls(&machines[i], (enum exec_mode)mode);
}

/* execve by other numbers, of other architectures, is told to nobody. */
static void test_no_other_way(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct program p =
		compile(&a, &(struct filter_spec){.arch = FILTER_X86_64, .exec = EXEC_ENFORCE});

	(void)state;
	assert_int_equal(fate(&p, AUDIT_ARCH_X86_64, X32 | 520, 0), KILL);
	assert_int_equal(fate(&p, AUDIT_ARCH_X86_64, X32 | 545, 0), KILL);
	assert_int_equal(fate(&p, AUDIT_ARCH_X86_64, X32 | 59, 0), KILL);
	assert_int_equal(fate(&p, AUDIT_ARCH_I386, 11, 0), KILL);
	assert_int_equal(fate(&p, AUDIT_ARCH_I386, 358, 0), KILL);
	assert_int_equal(fate(&p, AUDIT_ARCH_X86_64, 470, 0), FILTER_ERRNO(ENOSYS));
}

static int refused(enum exec_mode mode, const char *allow, const char *deny, enum blame *ret_blame)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct strv allowed = {0}, denied = {0};
	struct error e = ERROR_INIT;
	const struct sock_filter *code;
	unsigned short n;

	if (allow)
		strv_push(&a, &allowed, allow);
	if (deny)
		strv_push(&a, &denied, deny);
	struct filter_spec spec = {
		.allow = &allowed, .deny = &denied, .arch = FILTER_X86_64, .exec = mode};
	int r = filter_compile(&spec, &a, &code, &n, &e);
	*ret_blame = e.blame;
	return r < 0;
}

static void test_policies_that_undo_it(void **state)
{
	static const struct {
		const char *allow, *deny;
		bool off, audit, enforce; /* refused */
	} cases[] = {
		{"ptrace", NULL, false, false, true},
		{"process_vm_writev", NULL, false, false, true},
		{"pidfd_getfd", NULL, false, false, true},
		{"io_uring_setup", NULL, false, false, true},
		{"execve", NULL, false, true, true},
		{"execveat", NULL, false, true, true},
		{"userfaultfd", NULL, false, true, true},
		{"bpf", NULL, false, false, false},
		{NULL, "sendmsg", false, true, true},
		{NULL, "prctl:kill", false, true, true},
		{NULL, "execveat", false, false, false},
		{NULL, "ptrace:kill", false, false, false},
		{NULL, "execve", true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const bool expected[] = {cases[i].off, cases[i].audit, cases[i].enforce};
		for (int mode = 0; mode < EXEC_COUNT_; mode++) {
			enum blame blame = BLAME_NONE;
			int r = refused(
				(enum exec_mode)mode, cases[i].allow, cases[i].deny, &blame);
			assert_int_equal(r, expected[mode]);
			assert_int_equal(blame, r ? BLAME_POLICY : BLAME_NONE);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_no_other_way),
		cmocka_unit_test(test_policies_that_undo_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
