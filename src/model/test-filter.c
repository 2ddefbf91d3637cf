/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "model/filter-rules.h"
#include "model/filter.h"
#include "model/test-filter.h"

/*
 * The compiled filter is run here, instruction by instruction as seccomp(2) defines them, over
 * every number, every architecture and hostile arguments, and compared with tables that were
 * written by hand (test/golden/filter/).
 */

/* ---- the tables ---- */

struct expected {
	uint32_t number;
	char name[32];
	bool any_args;
	uint64_t args[6];
	uint32_t action;
};

struct table {
	struct expected v[400];
	size_t n;
};

static uint32_t action_of(const char *name)
{
	static const struct {
		const char *name;
		uint32_t action;
	} actions[] = {
		{"allow", SECCOMP_RET_ALLOW},
		{"EPERM", FILTER_ERRNO(EPERM)},
		{"ENOSYS", FILTER_ERRNO(ENOSYS)},
		{"EAFNOSUPPORT", FILTER_ERRNO(EAFNOSUPPORT)},
		{"EPROTONOSUPPORT", FILTER_ERRNO(EPROTONOSUPPORT)},
	};

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, name) == 0)
			return actions[i].action;
	}
	fail_msg("golden table: no such action '%s'", name);
	return 0;
}

static void parse_line(struct table *t, char *line)
{
	struct expected *x = &t->v[t->n++];
	char *save = NULL, *word = strtok_r(line, " \n", &save);

	assert_true(t->n <= sizeof(t->v) / sizeof(t->v[0]));
	x->number = (uint32_t)strtoul(word, NULL, 10);
	x->any_args = true;
	snprintf(x->name, sizeof(x->name), "%s", strtok_r(NULL, " \n", &save));
	while ((word = strtok_r(NULL, " \n", &save)) != NULL) {
		if (strncmp(word, "arg", 3) != 0) {
			x->action = action_of(word);
			continue;
		}
		assert_true(word[3] >= '0' && word[3] <= '5' && word[4] == '=');
		x->args[word[3] - '0'] = strtoull(word + 5, NULL, 0);
		x->any_args = false;
	}
}

static void load_table(struct table *t, const char *arch)
{
	char path[512], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/filter/%s.txt", TEST_GOLDEN, arch);
	f = fopen(path, "re");
	if (f == NULL)
		fail_msg("cannot open '%s'", path);
	*t = (struct table){.n = 0};
	while (fgets(line, sizeof(line), f) != NULL) {
		if (line[0] != '#' && line[0] != '\n')
			parse_line(t, line);
	}
	fclose(f);
	assert_true(t->n > 100);
}

static const struct expected *find(const struct table *t, uint32_t number)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].number == number)
			return &t->v[i];
	}
	return NULL;
}

/* ---- every number ---- */

static const uint64_t patterns[][6] = {
	{0},
	{1, 2, 3, 4, 5, 6},
	{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
	{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
	{0x10000000, 0x5412, 16, 12, 0x8000, 0x5412},
	{0x5412ull << 32, 0x5412ull << 32, 16ull << 32, 1, 1, 1},
};

#define N_PATTERNS (sizeof(patterns) / sizeof(patterns[0]))

static void check(const struct program *p, uint32_t arch, uint32_t number, const uint64_t *args,
	uint32_t expected)
{
	struct seccomp_data data = {.nr = (int)number, .arch = arch, .instruction_pointer = 4096};
	uint32_t got;

	memcpy(data.args, args, sizeof(data.args));
	got = simulate(p, &data);
	if (got != expected)
		fail_msg("arch 0x%x number %u (0x%x) args 0x%llx 0x%llx 0x%llx: 0x%x, not 0x%x",
			arch, number, number, (unsigned long long)args[0],
			(unsigned long long)args[1], (unsigned long long)args[2], got, expected);
}

static void check_all_args(
	const struct program *p, uint32_t arch, uint32_t number, uint32_t expected)
{
	for (size_t i = 0; i < N_PATTERNS; i++)
		check(p, arch, number, patterns[i], expected);
}

static void check_own_numbers(const struct program *p, uint32_t arch, const struct table *t)
{
	for (uint32_t number = 0; number <= 600; number++) {
		const struct expected *x = find(t, number);
		uint32_t expected = number <= 469 ? SECCOMP_RET_ALLOW : FILTER_ERRNO(ENOSYS);

		if (x == NULL || x->any_args)
			check_all_args(p, arch, number, x != NULL ? x->action : expected);
	}
	for (size_t i = 0; i < t->n; i++) {
		if (!t->v[i].any_args)
			check(p, arch, t->v[i].number, t->v[i].args, t->v[i].action);
	}
}

static void check_strange_numbers(const struct program *p, uint32_t arch, bool x32)
{
	const uint32_t absent = FILTER_ERRNO(ENOSYS), beyond = x32 ? KILL : absent;

	for (uint32_t number = 0; number <= 600; number++)
		check_all_args(p, arch, X32 | number, beyond);
	check_all_args(p, arch, 601, absent);
	check_all_args(p, arch, 0x10000, absent);
	check_all_args(p, arch, X32 - 1, absent);
	check_all_args(p, arch, 0x7fffffff, beyond);
	check_all_args(p, arch, 0x80000000, beyond);
	check_all_args(p, arch, 0xfffffffe, beyond);
	check_all_args(p, arch, 0xffffffff, absent);
}

static void check_foreign(const struct program *p, uint32_t own)
{
	static const uint32_t archs[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64,
		AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64, 0, 1, 0xffffffff, 0x12345678};

	for (size_t i = 0; i < sizeof(archs) / sizeof(archs[0]); i++) {
		if (archs[i] == own)
			continue;
		for (uint32_t number = 0; number <= 600; number++) {
			check_all_args(p, archs[i], number, KILL);
			check_all_args(p, archs[i], X32 | number, KILL);
		}
		check_all_args(p, archs[i], 0xffffffff, KILL);
	}
}

static void check_machine(enum filter_arch arch, uint32_t audit, const char *name)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct program p = compile(&a, &(struct filter_spec){.arch = arch});
	static struct table t;

	load_table(&t, name);
	check_own_numbers(&p, audit, &t);
	check_strange_numbers(&p, audit, arch == FILTER_X86_64);
	check_foreign(&p, audit);
	/* Loading costs by the instruction: a longer program is a decision, not an accident. */
	assert_in_range(p.n, 1, 134);
}

static void test_x86_64(void **state)
{
	(void)state;
	check_machine(FILTER_X86_64, AUDIT_ARCH_X86_64, "x86_64");
}

static void test_aarch64(void **state)
{
	(void)state;
	check_machine(FILTER_AARCH64, AUDIT_ARCH_AARCH64, "aarch64");
}

static void test_default_is_what_compile_gives(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct program p = compile(&a, &(struct filter_spec){.arch = FILTER_NATIVE});
	unsigned short n;
	const struct sock_filter *built_in = filter_default(&n);

	(void)state;
	assert_int_equal(n, p.n);
	assert_memory_equal(built_in, p.code, n * sizeof(*built_in));
}

/* ---- what a policy adds and takes away ---- */

static struct strv list(struct arena *a, const char *first, ...)
{
	struct strv names = {NULL, 0, 0};
	va_list more;

	va_start(more, first);
	for (const char *s = first; s != NULL; s = va_arg(more, const char *))
		strv_push(a, &names, s);
	va_end(more);
	return names;
}

static void check_x86(const struct program *p, uint32_t number, uint64_t arg0, uint32_t expected)
{
	const uint64_t args[6] = {arg0, 0x5412};

	check(p, AUDIT_ARCH_X86_64, number, args, expected);
}

static void test_deny(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct strv deny = list(&a, "ptrace", "mkdir:kill", "socket:EACCES", "listmount",
		"socketcall", "mount:ENOSYS", "mseal:EPERM", NULL);
	struct program p = compile(&a, &(struct filter_spec){.deny = &deny, .arch = FILTER_X86_64});

	(void)state;
	check_x86(&p, 101, 0, FILTER_ERRNO(EPERM)); /* ptrace */
	check_x86(&p, 83, 0, KILL); /* mkdir */
	check_x86(&p, 41, 2, FILTER_ERRNO(EACCES)); /* socket, of any family */
	check_x86(&p, 41, 40, FILTER_ERRNO(EACCES));
	check_x86(&p, 458, 0, FILTER_ERRNO(EPERM)); /* newer than libseccomp */
	check_x86(&p, 462, 0, FILTER_ERRNO(EPERM));
	check_x86(&p, 165, 0, FILTER_ERRNO(ENOSYS)); /* mount: the policy's own action */
	check_x86(&p, 166, 0, FILTER_ERRNO(EPERM)); /* umount2 as ever */
	check_x86(&p, 82, 0, SECCOMP_RET_ALLOW);
	check_x86(&p, 16, 0, FILTER_ERRNO(EPERM)); /* TIOCSTI still */
}

static void test_allow(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct strv allow = list(&a, "bpf", "ioctl", "clone", "read", "iopl", NULL);
	struct program p =
		compile(&a, &(struct filter_spec){.allow = &allow, .arch = FILTER_X86_64});

	(void)state;
	check_x86(&p, 321, 0, SECCOMP_RET_ALLOW);
	check_x86(&p, 16, 0, SECCOMP_RET_ALLOW);
	check_x86(&p, 56, 0x10000000, SECCOMP_RET_ALLOW);
	check_x86(&p, 272, 0x10000000, FILTER_ERRNO(EPERM)); /* unshare was not named */
	check_x86(&p, X32 | 321, 0, KILL);
	/* A name of another architecture is no error, and changes nothing. */
	compile(&a, &(struct filter_spec){.allow = &allow, .arch = FILTER_AARCH64});
}

static void test_user_namespaces(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct program p =
		compile(&a, &(struct filter_spec){.user_namespaces = true, .arch = FILTER_X86_64});

	(void)state;
	check_x86(&p, 56, 0x10000011, SECCOMP_RET_ALLOW);
	check_x86(&p, 56, 0x6c020011, SECCOMP_RET_ALLOW); /* all but cgroup */
	check_x86(&p, 56, 0x12000011, FILTER_ERRNO(EPERM)); /* CLONE_NEWUSER | CLONE_NEWCGROUP */
	check_x86(&p, 56, 0x8011, FILTER_ERRNO(EPERM)); /* CLONE_PARENT */
	check_x86(&p, 435, 0, FILTER_ERRNO(ENOSYS)); /* clone3's flags cannot be seen */
	check_x86(&p, 272, 0x10000000, SECCOMP_RET_ALLOW);
	check_x86(&p, 272, 0x7c020000, SECCOMP_RET_ALLOW);
	check_x86(&p, 272, 0x02000000, FILTER_ERRNO(EPERM));
	check_x86(&p, 272, 0x12000000, FILTER_ERRNO(EPERM));
	check_x86(&p, 272, 0x00000080, FILTER_ERRNO(EPERM)); /* CLONE_NEWTIME */
	check_x86(&p, 308, 0, SECCOMP_RET_ALLOW);
	check_x86(&p, 165, 0, SECCOMP_RET_ALLOW);
	check_x86(&p, 161, 0, SECCOMP_RET_ALLOW);
	check_x86(&p, 304, 0, FILTER_ERRNO(EPERM)); /* open_by_handle_at still */
	check_x86(&p, 321, 0, FILTER_ERRNO(EPERM)); /* bpf still */
	check_x86(&p, X32 | 56, 0, KILL);
}

static void test_siblings(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct program p =
		compile(&a, &(struct filter_spec){.siblings = true, .arch = FILTER_X86_64});
	struct program forks;

	(void)state;
	check_x86(&p, 56, 0x8011, SECCOMP_RET_ALLOW); /* CLONE_PARENT */
	check_x86(&p, 56, 0x10008011, FILTER_ERRNO(EPERM)); /* and CLONE_NEWUSER */
	check_x86(&p, 56, 0x02008011, FILTER_ERRNO(EPERM)); /* and CLONE_NEWCGROUP */
	check_x86(&p, 435, 0, FILTER_ERRNO(ENOSYS));
	forks.code = filter_siblings(&forks.n);
	assert_well_formed(&forks);
	check_x86(&forks, SYS_clone, 0x8011, FILTER_ERRNO(EPERM));
	check_x86(&forks, SYS_clone, 0xffffffff00008011, FILTER_ERRNO(EPERM));
	check_x86(&forks, SYS_clone, 0x11, SECCOMP_RET_ALLOW);
	check_x86(&forks, SYS_getpid, 0x8011, SECCOMP_RET_ALLOW);
}

/* Half of all calls denied, each its own range: jumps that no conditional jump can reach. */
static void test_longest_program(void **state)
{
	static const char *const names[] = {"write", "close", "fstat", "poll", "mmap", "munmap",
		"rt_sigaction", "ioctl", "pwrite64", "writev", "pipe", "sched_yield", "msync",
		"madvise", "shmat", "dup", "pause", "getitimer", "setitimer", "sendfile", "connect",
		"sendto", "sendmsg", "shutdown", "listen", "getpeername", "setsockopt", "fork",
		"wait4", "uname", "semop", "shmdt", "msgsnd", "msgctl", "flock", "fdatasync",
		"ftruncate", "getcwd", "fchdir", "mkdir", "creat", "unlink", "readlink", "fchmod",
		"fchown", "umask", "getrlimit", "sysinfo", "ptrace", "setuid", "geteuid", "setpgid",
		"getpgrp", "setreuid", "getgroups", "setresuid", "setresgid", "getpgid", "setfsgid",
		"capget", "rt_sigpending", "rt_sigqueueinfo", "sigaltstack", "mknod", "ustat",
		"fstatfs", "getpriority", "sched_setparam", "sched_setscheduler",
		"sched_get_priority_max", "sched_rr_get_interval", "munlock", "munlockall", "prctl",
		"adjtimex", "sync", "gettid", "setxattr", "fsetxattr", "lgetxattr", "listxattr",
		"flistxattr", "lremovexattr", "tkill", "futex", "sched_getaffinity", "io_destroy",
		"io_submit", "epoll_create", "getdents64", "restart_syscall", "fadvise64",
		"timer_settime", "timer_getoverrun", "clock_gettime", "clock_nanosleep",
		"epoll_wait", "tgkill", "mbind", "get_mempolicy", "mq_unlink", "mq_timedreceive",
		"mq_getsetattr", "waitid", "ioprio_set", "inotify_init", "inotify_rm_watch",
		"openat", "mknodat", "futimesat", "unlinkat", "linkat", "readlinkat", "faccessat",
		"ppoll", "set_robust_list", "splice", "sync_file_range", "move_pages",
		"epoll_pwait", "timerfd_create", "fallocate", "timerfd_gettime", "signalfd4",
		"epoll_create1", "pipe2", "preadv", "rt_tgsigqueueinfo", "recvmmsg",
		"fanotify_mark", "name_to_handle_at", "syncfs", "getcpu", "process_vm_writev",
		"sched_getattr", "seccomp", "memfd_create", "execveat", "mlock2", "preadv2",
		"pkey_mprotect", "pkey_free", "io_pgetevents", "futex_waitv", "mseal"};
	cleanup_arena struct arena a = ARENA_INIT;
	struct strv deny = {NULL, 0, 0};
	struct program p;
	unsigned long_jumps = 0;

	(void)state;
	/* Different actions, so that their returns are far apart too. */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		strv_push(&a, &deny,
			arena_printf(&a, "%s:%s", names[i], i % 2 == 0 ? "EACCES" : "kill"));
	p = compile(&a, &(struct filter_spec){.deny = &deny, .arch = FILTER_X86_64});
	for (unsigned i = 0; i < p.n; i++)
		long_jumps += p.code[i].code == (BPF_JMP | BPF_JA);
	assert_true(long_jumps > 0);
	check_x86(&p, 1, 0, FILTER_ERRNO(EACCES));
	check_x86(&p, 3, 0, KILL);
	check_x86(&p, 0, 0, SECCOMP_RET_ALLOW);
	check_x86(&p, 2, 0, SECCOMP_RET_ALLOW);
	check_x86(&p, 4, 0, SECCOMP_RET_ALLOW);
	check_x86(&p, 165, 0, FILTER_ERRNO(EPERM));
	check_x86(&p, 449, 0, KILL);
	check_x86(&p, 462, 0, FILTER_ERRNO(EACCES));
	check_x86(&p, 463, 0, SECCOMP_RET_ALLOW);
	check_x86(&p, 41, 40, FILTER_ERRNO(EAFNOSUPPORT));
	check_strange_numbers(&p, AUDIT_ARCH_X86_64, true);
	check_foreign(&p, AUDIT_ARCH_X86_64);
}

/* ---- what is refused ---- */

static void refuse(const char *deny_name, const char *allow_name, const char *text)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct strv deny = list(&a, deny_name, NULL), allow = list(&a, allow_name, NULL);
	struct filter_spec spec = {.deny = &deny, .allow = &allow, .arch = FILTER_X86_64};
	const struct sock_filter *code = NULL;
	struct error e = ERROR_INIT;
	unsigned short n = 0;

	assert_int_equal(filter_compile(&spec, &a, &code, &n, &e), -1);
	assert_int_equal(e.blame, BLAME_POLICY);
	assert_string_equal(e.text, text);
	assert_null(code);
}

static void test_refused(void **state)
{
	(void)state;
	refuse("mout", NULL, "syscalls.deny: unknown system call 'mout'; did you mean 'mount'?");
	refuse(NULL, "ptrase",
		"syscalls.allow: unknown system call 'ptrase'; did you mean 'ptrace'?");
	refuse("listmounts", NULL,
		"syscalls.deny: unknown system call 'listmounts'; did you mean 'listmount'?");
	refuse("", NULL, "syscalls.deny: unknown system call ''");
	refuse(":kill", NULL, "syscalls.deny: unknown system call ''");
	refuse("zzzzzzzzzzzz", NULL, "syscalls.deny: unknown system call 'zzzzzzzzzzzz'");
	refuse(NULL, "bpf:kill", "syscalls.allow: unknown system call 'bpf:kill'");
	refuse("bpf:KILL", NULL,
		"syscalls.deny: 'bpf:KILL': the action after ':' is EPERM, EACCES, ENOSYS or kill");
	refuse("bpf:", NULL,
		"syscalls.deny: 'bpf:': the action after ':' is EPERM, EACCES, ENOSYS or kill");
	refuse("execve", NULL,
		"syscalls.deny: 'execve' cannot be denied: no program starts and ends without it");
	refuse("bpf:kill", "bpf", "syscalls: 'bpf' is both denied and allowed");
}

/* ---- the rules themselves ---- */

static void test_rules_of_a_name_stand_together(void **state)
{
	(void)state;
	for (size_t i = 0; i < filter_n_rules; i++) {
		const struct filter_rule *rule = &filter_rules[i];

		assert_true(rule->action != SECCOMP_RET_ALLOW);
		assert_true(rule->n_values <= FILTER_MAX_VALUES && rule->arg < 6);
		assert_true((rule->test == FILTER_ALWAYS) == (rule->n_values == 0));
		for (size_t j = i + 1; j < filter_n_rules; j++) {
			if (strcmp(filter_rules[j].name, rule->name) == 0)
				assert_string_equal(filter_rules[j - 1].name, rule->name);
		}
	}
}

/* What is told afterwards is what the kernel did. */
static void test_fate(void **state)
{
	static const uint32_t arches[] = {
		AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0};
	struct program p;
	(void)state;
	p.code = filter_default(&p.n);
	for (size_t i = 0; i < sizeof(arches) / sizeof(arches[0]); i++)
		for (uint32_t n = 0; n < 600; n++) {
			uint32_t number = n < 500 ? n : n < 550 ? 0x40000000 + n : UINT32_MAX - n;
			struct seccomp_data data = {.nr = (int)number, .arch = arches[i]};
			assert_int_equal(
				filter_fate(p.code, p.n, arches[i], number), simulate(&p, &data));
		}
}

/* Nothing that is no filter of ours makes it run on or read beyond its data. */
static void test_fate_of_other_programs(void **state)
{
	static const struct sock_filter loop[] = {{BPF_JMP | BPF_JA, 0, 0, UINT32_MAX}};
	static const struct sock_filter beyond[] = {
		{BPF_LD | BPF_W | BPF_ABS, 0, 0, 64}, {BPF_RET | BPF_K, 0, 0, 0}};
	static const struct sock_filter other[] = {{BPF_ST, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 0}};
	(void)state;
	assert_int_equal(filter_fate(loop, 1, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(filter_fate(beyond, 2, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(filter_fate(other, 2, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(filter_fate(NULL, 0, 0, 0), SECCOMP_RET_ALLOW);
}

static void test_call_names(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	(void)state;
	assert_string_equal(filter_call_name(AUDIT_ARCH_I386, 20, &a), "getpid (i386)");
	assert_string_equal(filter_call_name(0x1234, 20, &a), "number 20 (a foreign architecture)");
#ifdef __x86_64__
	assert_string_equal(filter_call_name(AUDIT_ARCH_X86_64, 39, &a), "getpid");
	assert_string_equal(
		filter_call_name(AUDIT_ARCH_X86_64, 0x40000000 + 39, &a), "getpid (x32)");
	assert_string_equal(filter_call_name(AUDIT_ARCH_X86_64, 100000, &a), "number 100000");
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fate),
		cmocka_unit_test(test_fate_of_other_programs),
		cmocka_unit_test(test_call_names),
		cmocka_unit_test(test_x86_64),
		cmocka_unit_test(test_aarch64),
		cmocka_unit_test(test_default_is_what_compile_gives),
		cmocka_unit_test(test_deny),
		cmocka_unit_test(test_allow),
		cmocka_unit_test(test_user_namespaces),
		cmocka_unit_test(test_siblings),
		cmocka_unit_test(test_longest_program),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_rules_of_a_name_stand_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
