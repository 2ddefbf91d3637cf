/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "run/victims.h"

/*
 * The records are of the kernel, but what is in them is not: a process chooses its name and other
 * users the names of their groups.
 */

#define ID    "06gzxa6caa7g0q1e"
#define GROUP "/a/bulkhead-4026531836.25556.1324170-" ID
#define HEAD                                                                                       \
	"6,1040,13241839363,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),"               \
	"cpuset=/,mems_allowed=0,oom_memcg="
#define RECORD(memcg, name, rest) HEAD "/a,task_memcg=" memcg ",task=" name rest

static struct arena arena = ARENA_INIT;

static void test_a_victim_is_named(void **state)
{
	struct victim v = {0};
	(void)state;
	assert_true(victims_parse(RECORD(GROUP, "python3", ",pid=25559,uid=0"), ID, &v, &arena));
	assert_int_equal(v.pid, 25559);
	assert_string_equal(v.comm, "python3");
	assert_false(v.leader);
	assert_true(victims_parse(RECORD(GROUP "/deeper", "a b", ",pid=7,uid=4"), ID, &v, &arena));
	assert_int_equal(v.pid, 7);
	assert_string_equal(v.comm, "a b");
	assert_true(victims_parse(RECORD("/" ID, "", ",pid=8,uid=4"), ID, &v, &arena));
	assert_string_equal(v.comm, "");
}

/* What a process calls itself names no other victim. */
static void test_names_that_look_like_the_rest(void **state)
{
	static const struct {
		const char *record, *comm;
	} table[] = {
		{RECORD(GROUP, "a,pid=1,uid=0", ",pid=25559,uid=0"), "a,pid=1,uid=0"},
		{RECORD(GROUP, ",pid=1", ",pid=25559,uid=0"), ",pid=1"},
		{RECORD(GROUP, ",task=x,pid=9", ",pid=25559,uid=0"), ",task=x,pid=9"},
		{RECORD(GROUP, "oom-kill:constr", ",pid=25559,uid=0"), "oom-kill:constr"},
		{RECORD(GROUP, "\\x0aoom-kill:", ",pid=25559,uid=0"), "\noom-kill:"},
		{RECORD(GROUP, "\\x1b[31m\\x5c\\xff", ",pid=25559,uid=0"), "\x1b[31m\\\xff"},
		{RECORD(GROUP, "x\\x", ",pid=25559,uid=0"), "x\\x"},
		{RECORD(GROUP, "\\xzz", ",pid=25559,uid=0"), "\\xzz"},
		{RECORD(GROUP, "%s%n", ",pid=25559,uid=0"), "%s%n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct victim v = {0};
		print_message("record %zu\n", i);
		assert_true(victims_parse(table[i].record, ID, &v, &arena));
		assert_int_equal(v.pid, 25559);
		assert_string_equal(v.comm, table[i].comm);
	}
}

static void test_names_of_any_length_fit(void **state)
{
	char record[8192], name[4000];
	struct victim v;
	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	snprintf(record, sizeof(record), HEAD "/a,task_memcg=" GROUP ",task=%s,pid=5,uid=0", name);
	assert_true(victims_parse(record, ID, &v, &arena));
	assert_int_equal(strlen(v.comm), sizeof(v.comm) - 1);
}

#define FORGED                                                                                     \
	"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/"                            \
	",mems_allowed=0,oom_memcg=" GROUP ",task_memcg=" GROUP ",task=x,pid=5,uid=0"

static void test_what_is_no_victim_of_ours(void **state)
{
	static const char *const table[] = {
		"",
		"6,1,2,-;",
		"oom-kill:constraint=",
		HEAD,
		/* of others */
		RECORD("/a/bulkhead-1.2.3-06gzxa6caa7g0q1f", "x", ",pid=5,uid=0"),
		RECORD("/a/" ID "x", "x", ",pid=5,uid=0"),
		RECORD("/a/x" ID, "x", ",pid=5,uid=0"),
		RECORD("/a/" ID "-b", "x", ",pid=5,uid=0"),
		RECORD("/", "x", ",pid=5,uid=0"),
		RECORD("", ID, ",pid=5,uid=0"),
		/* our name, but in the victim's place or in that of the group that was full */
		RECORD("/b", ID, ",pid=5,uid=0"),
		HEAD GROUP ",task_memcg=/b,task=x,pid=5,uid=0",
		/* cut */
		HEAD "/a,task_memcg=" GROUP,
		HEAD "/a,task_memcg=" GROUP ",task=x",
		HEAD "/a,task_memcg=" GROUP ",task=x,pid=",
		/* no numbers of processes */
		RECORD(GROUP, "x", ",pid=,uid=0"),
		RECORD(GROUP, "x", ",pid=0,uid=0"),
		RECORD(GROUP, "x", ",pid=-5,uid=0"),
		RECORD(GROUP, "x", ",pid= 5,uid=0"),
		RECORD(GROUP, "x", ",pid=4294967301,uid=0"),
		RECORD(GROUP, "x", ",pid=99999999999999999999999,uid=0"),
		/* not of the OOM killer */
		"6,1,2,-;Memory cgroup out of memory: Killed process 5 (" ID ")",
		"6,1,2,-;x " FORGED,
		/* written to the log by a process */
		"12,1,2,-;" FORGED,
		FORGED,
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct victim v = {.pid = 42, .comm = "as it was"};
		print_message("record %zu\n", i);
		assert_false(victims_parse(table[i], ID, &v, &arena));
		assert_int_equal(v.pid, 42);
		assert_string_equal(v.comm, "as it was");
	}
}

static void test_an_empty_id_is_nobodys(void **state)
{
	struct victim v;
	(void)state;
	assert_false(victims_parse(RECORD("/a/b-", "x", ",pid=5,uid=0"), "", &v, &arena));
}

/* ---- whose limit it was ---- */

#define GLOBAL(constraint, rest)                                                                   \
	"6,1,2,-;oom-kill:constraint=" constraint ",nodemask=(null),cpuset=/,mems_allowed=0" rest  \
	",task_memcg=" GROUP ",task=x,pid=5,uid=0"

static void test_the_limit_is_named(void **state)
{
	static const struct {
		const char *record, *group;
		enum oom_scope scope;
	} table[] = {
		{HEAD GROUP ",task_memcg=" GROUP ",task=x,pid=5,uid=0", NULL, OOM_SCOPE_OWN},
		{HEAD GROUP "/deeper,task_memcg=" GROUP "/deeper,task=x,pid=5,uid=0", NULL,
			OOM_SCOPE_OWN},
		{RECORD(GROUP, "x", ",pid=5,uid=0"), "/a", OOM_SCOPE_ABOVE},
		{HEAD "/,task_memcg=" GROUP ",task=x,pid=5,uid=0", "/", OOM_SCOPE_ABOVE},
		{GLOBAL("CONSTRAINT_NONE", ",global_oom"), NULL, OOM_SCOPE_HOST},
		{GLOBAL("CONSTRAINT_CPUSET", ",global_oom"), NULL, OOM_SCOPE_HOST},
		/* what a program calls itself is behind all that */
		{RECORD(GROUP, ",oom_memcg=" GROUP, ",pid=5,uid=0"), "/a", OOM_SCOPE_ABOVE},
		{GLOBAL("CONSTRAINT_MEMCG", ""), NULL, OOM_SCOPE_UNKNOWN},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct victim v = {0};
		print_message("record %zu\n", i);
		assert_true(victims_parse(table[i].record, ID, &v, &arena));
		assert_int_equal(v.scope, table[i].scope);
		if (table[i].group)
			assert_string_equal(v.group, table[i].group);
		else
			assert_null(v.group);
	}
}

/* ---- the log ---- */

/* Without an end: like the kernel's, it has nothing more to tell for now. */
static void open_log(int fds[2], const char *const *records, size_t n)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
			send(fds[1], records[i], strlen(records[i]), 0), strlen(records[i]));
}

static void read_log(struct observation *o, const char *const *records, size_t n)
{
	int fds[2];
	open_log(fds, records, n);
	victims_read(fds[0], ID, o, &arena);
	close(fds[0]);
	close(fds[1]);
}

static void test_a_log_is_read(void **state)
{
	static const char *const records[] = {
		"6,1,2,-;python3 invoked oom-killer: gfp_mask=0xcc0\n SUBSYSTEM=memory\n",
		RECORD(GROUP, "python3", ",pid=10,uid=0") "\n",
		/* the fields below a record's text are no text of the kernel's */
		"6,2,3,-;x\n " RECORD(GROUP, "forged", ",pid=11,uid=0") "\n",
		RECORD("/other", "stranger", ",pid=12,uid=0") "\n",
		RECORD(GROUP, "child", ",pid=13,uid=0") "\n",
		RECORD(GROUP, "python3", ",pid=10,uid=0") "\n",
	};
	struct observation o = {.leader_pid = 10};
	(void)state;
	read_log(&o, records, sizeof(records) / sizeof(records[0]));
	assert_int_equal(o.n_victims, 2);
	assert_int_equal(o.victims[0].pid, 10);
	assert_true(o.victims[0].leader);
	assert_int_equal(o.victims[1].pid, 13);
	assert_string_equal(o.victims[1].comm, "child");
	assert_false(o.victims[1].leader);
}

static void test_more_victims_than_there_is_room_for(void **state)
{
	struct observation o = {0};
	char text[512];
	const char *record = text;
	(void)state;
	for (int pid = 1; pid <= OBSERVATION_MAX_VICTIMS + 3; pid++) {
		snprintf(text, sizeof(text), RECORD(GROUP, "x", ",pid=%d,uid=0"), pid);
		read_log(&o, &record, 1);
	}
	assert_int_equal(o.n_victims, OBSERVATION_MAX_VICTIMS);
	assert_int_equal(o.victims[OBSERVATION_MAX_VICTIMS - 1].pid, OBSERVATION_MAX_VICTIMS);
}

static void test_no_log(void **state)
{
	struct observation o = {0};
	(void)state;
	victims_read(-1, ID, &o, &arena);
	assert_int_equal(o.n_victims, 0);
}

/* ---- without a line in the log ---- */

static struct observation killed(uint64_t oom_kills)
{
	struct observation o = {.wait = WAIT_SIGNALED,
		.term_signal = SIGKILL,
		.leader_pid = 33,
		.leader_comm = "leader",
		.n_counters = 1};
	o.counters[0] = (struct counter){.fact = "oom_kill", .own = true, .after = oom_kills};
	return o;
}

static void test_the_leader_is_all_that_is_left(void **state)
{
	struct observation o = killed(1);
	(void)state;
	victims_find(&o, NULL, &arena);
	assert_int_equal(o.n_victims, 1);
	assert_int_equal(o.victims[0].pid, 33);
	assert_string_equal(o.victims[0].comm, "leader");
	assert_true(o.victims[0].leader);
}

static void test_nobody_is_named_without_reason(void **state)
{
	struct observation none = killed(0), ours = killed(1), exited = killed(1);
	(void)state;
	victims_find(&none, NULL, &arena);
	assert_int_equal(none.n_victims, 0);
	ours.acts[ours.n_acts++] = (struct act){.reason = ACT_WALL_TIMEOUT, .signal = SIGKILL};
	victims_find(&ours, NULL, &arena);
	assert_int_equal(ours.n_victims, 0);
	exited.wait = WAIT_EXITED;
	victims_find(&exited, NULL, &arena);
	assert_int_equal(exited.n_victims, 0);
}

/* KILL to the rest of a run comes after the kernel's own. */
static void test_our_kill_of_the_rest_comes_second(void **state)
{
	struct observation o = killed(1);
	(void)state;
	o.acts[o.n_acts++] = (struct act){.reason = ACT_OOM_GROUP, .signal = SIGKILL};
	victims_find(&o, NULL, &arena);
	assert_int_equal(o.n_victims, 1);
}

static int free_arena(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_victim_is_named),
		cmocka_unit_test(test_names_that_look_like_the_rest),
		cmocka_unit_test(test_names_of_any_length_fit),
		cmocka_unit_test(test_what_is_no_victim_of_ours),
		cmocka_unit_test(test_an_empty_id_is_nobodys),
		cmocka_unit_test(test_the_limit_is_named),
		cmocka_unit_test(test_a_log_is_read),
		cmocka_unit_test(test_more_victims_than_there_is_room_for),
		cmocka_unit_test(test_no_log),
		cmocka_unit_test(test_the_leader_is_all_that_is_left),
		cmocka_unit_test(test_nobody_is_named_without_reason),
		cmocka_unit_test(test_our_kill_of_the_rest_comes_second),
	};
	return cmocka_run_group_tests(tests, NULL, free_arena);
}
