/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "run/prepare.h"

/* From requests to plans, on the host that this runs on. */

/* linux/binfmts.h: MAX_ARG_STRLEN, with its NUL. */
#define ARGUMENT_MAX (32 * 4096)

struct fixture {
	struct arena a;
	struct request request;
	struct prepare_caller caller;
	struct prepared prepared;
	struct error e;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	*state = f;
	if (!f)
		return -1;
	f->caller = prepare_caller_self();
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	arena_fini(&f->a);
	free(f);
	return 0;
}

static void argument(struct fixture *f, const char *word)
{
	strv_push(&f->a, &f->request.argv, word);
}

static int prepare(struct fixture *f)
{
	f->e = ERROR_INIT;
	if (prepare_policy(&f->prepared, &f->request, &f->caller, &f->a, &f->e) < 0)
		return -1;
	return prepare_plan(&f->prepared, &f->request, &f->caller, &f->a, &f->e);
}

static void refused(struct fixture *f, enum blame blame, const char *words)
{
	assert_int_equal(prepare(f), -1);
	if (!strstr(f->e.text, words))
		fail_msg("'%s' does not say '%s'", f->e.text, words);
	assert_int_equal(f->e.blame, blame);
	assert_int_equal(f->prepared.uids_fd, -1);
}

static void planned(struct fixture *f)
{
	if (prepare(f) < 0)
		fail_msg("%s", f->e.text);
}

/* What a plan on this host may come to without being wrong: some hosts cannot have boxes. */
static void need_boxes(struct fixture *f)
{
	argument(f, "true");
	int r = prepare(f);
	f->request.argv.n = 0;
	if (r == 0)
		return;
	print_message("skipped: %s\n", f->e.text);
	skip();
}

static void test_a_plan_is_made(void **state)
{
	struct fixture *f = *state;
	char first[RUN_ID_SIZE];
	need_boxes(f);
	argument(f, "true");
	planned(f);
	strcpy(first, f->prepared.id);
	assert_true(strlen(first) == RUN_ID_SIZE - 1);
	assert_string_equal(f->prepared.plan.id, first);
	assert_string_equal(f->prepared.policy.name, "default");
	assert_string_equal(f->prepared.plan.argv.v[0], "true");
	assert_true(f->prepared.plan.box.n > 0);
	assert_int_equal(
		f->prepared.plan.payload.v[f->prepared.plan.payload.n - 1].kind, STEP_EXEC);
	assert_int_equal(f->prepared.uids_fd, -1);
	assert_false(f->prepared.plan.capture);
	planned(f);
	assert_string_not_equal(f->prepared.id, first);
}

static void test_a_command_is_a_word_at_least(void **state)
{
	struct fixture *f = *state;
	refused(f, BLAME_REQUEST, "the command is an empty word");
	argument(f, "");
	refused(f, BLAME_REQUEST, "the command is an empty word");
}

static void test_arguments_up_to_what_the_kernel_takes(void **state)
{
	struct fixture *f = *state;
	char *word = arena_alloc(&f->a, ARGUMENT_MAX + 1);
	need_boxes(f);
	memset(word, 'x', ARGUMENT_MAX);
	argument(f, "true");
	argument(f, "");
	argument(f, word);
	refused(f, BLAME_REQUEST,
		"argument 2 is 131072 bytes long; the kernel takes at most 131071");
	word[ARGUMENT_MAX - 1] = 0;
	planned(f);
}

static void test_policies_that_do_not_exist(void **state)
{
	struct fixture *f = *state;
	argument(f, "true");
	f->request.policy = "no-such-policy";
	refused(f, BLAME_REQUEST, "no-such-policy");
	f->request.policy = "/nonexistent/policy.yaml";
	refused(f, BLAME_REQUEST, "/nonexistent/policy.yaml");
}

static void test_the_requests_own_words_come_last(void **state)
{
	struct fixture *f = *state;
	need_boxes(f);
	argument(f, "true");
	f->request.policy = "tool";
	f->request.workdir = "/";
	f->request.log_dir = "/nonexistent/log";
	planned(f);
	assert_string_equal(f->prepared.policy.name, "tool");
	assert_string_equal(f->prepared.resolved.cwd, "/");
	assert_true(f->prepared.plan.capture);
}

static void test_paths_that_do_not_exist(void **state)
{
	struct fixture *f = *state;
	need_boxes(f);
	argument(f, "true");
	f->request.root = "/nonexistent/root";
	refused(f, BLAME_REQUEST, "cannot use '/nonexistent/root' as root");
	f->request.root = NULL;
	f->request.workdir = "/nonexistent/dir";
	refused(f, BLAME_REQUEST, "cannot use working directory '/nonexistent/dir'");
}

/* Each takes a range of its own, and holds it for as long as the run lasts. */
static void test_isolated_users(void **state)
{
	struct fixture *f = *state;
	need_boxes(f);
	argument(f, "true");
	f->request.policy = "strict";
	if (!f->prepared.host.privileged) {
		refused(f, BLAME_HOST, "--user isolated needs the privileges of root");
		return;
	}
	planned(f);
	uint32_t first = f->prepared.input.isolated_base;
	cleanup_fd int held = f->prepared.uids_fd;
	assert_true(held >= 0);
	planned(f);
	cleanup_fd int other = f->prepared.uids_fd;
	assert_true(other >= 0);
	assert_int_not_equal(f->prepared.input.isolated_base, first);
	assert_true(first >= 0x70000000u);
}

/* The payload shares the terminal's process group only where there is a terminal. */
static void test_without_a_terminal_the_group_is_its_own(void **state)
{
	struct fixture *f = *state;
	int status;
	need_boxes(f);
	argument(f, "true");
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		_exit(prepare(f) == 0 && f->prepared.input.own_process_group ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- on behalf of somebody else ---- */

static char *given[] = {(char *)"PATH=/given/bin", (char *)"GIVEN=1", NULL};

static void for_somebody(struct fixture *f)
{
	f->caller = (struct prepare_caller){
		.environ = given, .cwd = "/tmp", .home = "/root", .capture = true};
}

static bool has_variable(const struct plan *plan, const char *entry)
{
	for (size_t i = 0; i < plan->envp.n; i++)
		if (strcmp(plan->envp.v[i], entry) == 0)
			return true;
	return false;
}

static bool has_step(const struct plan *plan, enum step_kind kind, const char *path)
{
	for (size_t i = 0; i < plan->payload.n; i++)
		if (plan->payload.v[i].kind == kind &&
			(!path || strcmp(plan->payload.v[i].path, path) == 0))
			return true;
	return false;
}

/* Nothing of this process shows: not its environment, directory, terminal or descriptors. */
static void test_nothing_of_us_is_the_runs(void **state)
{
	struct fixture *f = *state;
	need_boxes(f);
	for_somebody(f);
	setenv("BULKHEAD_TEST_OURS", "1", 1);
	argument(f, "word");
	planned(f);
	unsetenv("BULKHEAD_TEST_OURS");
	const struct plan *plan = &f->prepared.plan;
	assert_false(has_variable(plan, "BULKHEAD_TEST_OURS=1"));
	assert_true(has_variable(plan, "GIVEN=1"));
	assert_int_equal(plan->exec_paths.n, 1);
	assert_string_equal(plan->exec_paths.v[0], "/given/bin/word");
	assert_true(has_step(plan, STEP_CHDIR, "/tmp"));
	assert_true(f->prepared.input.own_process_group);
	assert_false(f->prepared.input.stdin_is_file);
	assert_null(f->prepared.resolved.console);
	assert_true(plan->capture);
}

static void test_a_box_may_be_made_before_its_command(void **state)
{
	struct fixture *f = *state;
	need_boxes(f);
	for_somebody(f);
	refused(f, BLAME_REQUEST, "the command is an empty word");
	f->caller.parked = true;
	planned(f);
	assert_true(has_step(&f->prepared.plan, STEP_EXEC, NULL));
}

static void test_a_host_that_was_probed_before(void **state)
{
	struct fixture *f = *state;
	struct host host;
	need_boxes(f);
	for_somebody(f);
	host = f->prepared.host;
	host.memory_bytes = 4321;
	f->caller.host = &host;
	argument(f, "true");
	planned(f);
	assert_int_equal(f->prepared.host.memory_bytes, 4321);
	assert_string_equal(f->prepared.host.cwd, "/tmp");
}

/* One policy under two requests at a time: neither shows in the other. */
static void test_requests_do_not_share_lists(void **state)
{
	struct fixture *f = *state;
	struct prepared first;
	need_boxes(f);
	for_somebody(f);
	argument(f, "true");
	planned(f);
	const struct policy policy = f->prepared.policy;
	f->caller.policy = &policy;
	strv_push(&f->a, &f->request.env.unset, "FIRST");
	planned(f);
	first = f->prepared;
	f->request.env.unset = (struct strv){0};
	strv_push(&f->a, &f->request.env.unset, "SECOND");
	planned(f);
	const struct strv *x = &first.policy.env.unset, *y = &f->prepared.policy.env.unset;
	assert_int_equal(x->n, policy.env.unset.n + 1);
	assert_string_equal(x->v[x->n - 1], "FIRST");
	assert_string_equal(y->v[y->n - 1], "SECOND");
}

/* ---- a run in a box that there is ---- */

static int prepare_in(struct fixture *f, const struct prepared *box)
{
	f->e = ERROR_INIT;
	return prepare_entry(&f->prepared, box, &f->request, &f->caller, &f->a, &f->e);
}

static void test_a_run_in_a_box(void **state)
{
	struct fixture *f = *state;
	struct prepared box;
	need_boxes(f);
	for_somebody(f);
	f->caller.parked = true;
	planned(f);
	box = f->prepared;
	f->caller.parked = false;
	argument(f, "/bin/word");
	f->request.limit_given[LIMIT_NOFILE] = true;
	f->request.limits[LIMIT_NOFILE] = (struct limit_value){.set = true, .value = 77};
	assert_int_equal(prepare_in(f, &box), 0);
	assert_string_not_equal(f->prepared.id, box.id);
	assert_string_equal(f->prepared.plan.argv.v[0], "/bin/word");
	assert_string_equal(f->prepared.policy.name, "default");
	assert_int_equal(f->prepared.policy.limits.v[LIMIT_NOFILE].value, 77);
	assert_false(box.policy.limits.v[LIMIT_NOFILE].set);
	assert_int_equal(f->prepared.uids_fd, -1);
}

static void test_a_run_does_not_change_its_box(void **state)
{
	struct fixture *f = *state;
	struct prepared box;
	need_boxes(f);
	for_somebody(f);
	argument(f, "true");
	planned(f);
	box = f->prepared;
	f->request.root = "/";
	assert_int_equal(prepare_in(f, &box), -1);
	assert_non_null(strstr(f->e.text, "cannot have other paths"));
	f->request.root = NULL;
	f->request.policy = "tool";
	assert_int_equal(prepare_in(f, &box), -1);
	assert_non_null(strstr(f->e.text, "cannot have another policy"));
	assert_int_equal(f->e.blame, BLAME_REQUEST);
	f->request.policy = "default";
	assert_int_equal(prepare_in(f, &box), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_plan_is_made),
		TEST(test_a_command_is_a_word_at_least),
		TEST(test_arguments_up_to_what_the_kernel_takes),
		TEST(test_policies_that_do_not_exist),
		TEST(test_the_requests_own_words_come_last),
		TEST(test_paths_that_do_not_exist),
		TEST(test_isolated_users),
		TEST(test_without_a_terminal_the_group_is_its_own),
		TEST(test_nothing_of_us_is_the_runs),
		TEST(test_a_box_may_be_made_before_its_command),
		TEST(test_a_host_that_was_probed_before),
		TEST(test_requests_do_not_share_lists),
		TEST(test_a_run_in_a_box),
		TEST(test_a_run_does_not_change_its_box),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
