/* SPDX-License-Identifier: MIT */
#include "model/api-client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* ---- said ---- */

static void a_run_is_said_in_the_words_of_the_api(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct env_pair set[] = {{"A", "1"}, {"B", "\xff"}};
	struct request r = {.workdir = "/src", .key = "k", .tty = true, .best_effort = true};
	const struct api_terminal terminal = {40, 120}, unknown = {0, 0};
	(void)state;
	strv_push(&a, &r.argv, "echo");
	strv_push(&a, &r.argv, "\xfe");
	r.env.set = set;
	r.env.n_set = 2;
	r.limit_given[LIMIT_MEMORY] = r.limit_given[LIMIT_TIMEOUT] = true;
	r.limit_given[LIMIT_CPUS] = r.limit_given[LIMIT_PIDS] = true;
	r.limits[LIMIT_MEMORY] = (struct limit_value){.set = true, .value = 64 << 20};
	r.limits[LIMIT_TIMEOUT] = (struct limit_value){.set = true, .value = 1500000};
	r.limits[LIMIT_CPUS] = (struct limit_value){.set = true, .value = 1500};
	r.oom_given = r.grace_given = true;
	r.oom = OOM_PROCESS;
	assert_string_equal(api_format_run(&r, &terminal, &a),
		"{\"argv\":[\"echo\",{\"base64\":\"/g==\"}],\"limits\":{\"memory\":67108864,"
		"\"cpus\":\"1.5\",\"pids\":null,\"timeout\":\"1500000us\",\"oom\":\"process\","
		"\"grace\":\"0us\"},\"cwd\":\"/src\",\"best_effort\":true,\"env\":{\"A\":\"1\","
		"\"B\":{\"base64\":\"/w==\"}},\"key\":\"k\",\"stdin\":{\"open\":true},"
		"\"tty\":true,\"rows\":40,\"cols\":120}\n");
	assert_null(strstr(api_format_run(&r, &unknown, &a), "rows"));

	struct request plain = {.policy = NULL};
	strv_push(&a, &plain.argv, "true");
	assert_string_equal(api_format_run(&plain, &unknown, &a),
		"{\"argv\":[\"true\"],\"stdin\":{\"open\":true}}\n");
}

static void a_box_names_its_policy_or_says_what_differs(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct bind_rule binds[] = {{"/a", NULL, false}, {"/b", "/c", false}};
	struct request r = {.policy = "tool"};
	(void)state;
	assert_string_equal(
		api_format_box(&(struct request){0}, NULL, &a), "{\"policy\":\"default\"}\n");
	assert_string_equal(api_format_box(&r, NULL, &a), "{\"policy\":\"tool\"}\n");
	r.read = (struct bind_list){binds, 2};
	strv_push(&a, &r.hide, "/h");
	strv_push(&a, &r.env.unset, "X*");
	r.env.clear = r.user_given = r.network_given = true;
	r.user = (struct policy_user){USER_ID, 7, 8};
	r.network = NETWORK_HOST;
	assert_string_equal(api_format_box(&r, NULL, &a),
		"{\"policy\":{\"filesystem\":{\"read\":[\"/a\",\"/b:/c\"],\"hide\":[\"/h\"]},"
		"\"env\":{\"unset\":[\"X*\"],\"clear\":true},\"user\":\"7:8\","
		"\"network\":\"host\",\"extends\":\"tool\"}}\n");
}

/* As the daemon will read it. */
static struct policy read_back(const char *body, struct arena *a)
{
	struct error e = ERROR_INIT;
	struct policy policy;
	const char *from = strchr(strstr(body, "\"policy\":"), '{');
	const char *to = strrchr(body, '}');
	assert_int_equal(policy_load_text(&policy, a, NULL, from, (size_t)(to - from), &e), 0);
	return policy;
}

static void a_policy_of_a_file_is_said_whole(void **state)
{
	static const char *const names[] = {"default", "tool", "strict"};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct policy policy;
		assert_int_equal(policy_load(&policy, &a, NULL, names[i], &e), 0);
		const char *body = api_format_box(&(struct request){0}, &policy, &a);
		struct policy again = read_back(body, &a);
		assert_string_equal(
			policy_format_json(&again, &a), policy_format_json(&policy, &a));
		for (int l = 0; l < LIMIT_COUNT_; l++)
			assert_int_equal(again.limits.v[l].origin, policy.limits.v[l].origin);
	}
}

static void a_signal_is_a_number(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	(void)state;
	assert_string_equal(api_format_signal(15, &a), "{\"signal\":15}\n");
}

/* ---- answered ---- */

static void problems_keep_their_words_and_blame(void **state)
{
	static const struct {
		unsigned status, retry_after_s;
		const char *body;
		enum blame blame;
		const char *text;
	} problems[] = {
		{409, 0, "{\"detail\":\"it is busy\",\"blame\":\"request\"}", BLAME_REQUEST,
			"it is busy"},
		{429, 3, "{\"detail\":\"full\",\"blame\":\"host\",\"more\":[1]}", BLAME_HOST,
			"full; try again in 3 s"},
		{500, 0, "{\"title\":\"Oh\",\"blame\":\"bulkhead\"}", BLAME_US,
			"the daemon answers 500 Oh"},
		{403, 0, "<html>", BLAME_HOST, "the daemon answers 403"},
		{403, 0, "", BLAME_HOST, "the daemon answers 403"},
		{400, 0, "[1]", BLAME_HOST, "the daemon answers 400"},
		{400, 0, "{\"detail\":7,\"title\":{},\"blame\":\"you\"}", BLAME_HOST,
			"the daemon answers 400"},
		{400, 0, "{\"detail\":\"a\\u001b[2Jb\",\"blame\":\"none\"}", BLAME_HOST,
			"a\\x1b[2Jb"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(problems); i++) {
		struct error e = ERROR_INIT;
		assert_int_equal(api_problem(problems[i].status, problems[i].retry_after_s,
					 problems[i].body, strlen(problems[i].body), &e),
			-1);
		assert_string_equal(e.text, problems[i].text);
		assert_int_equal(e.blame, problems[i].blame);
	}
	struct error e = ERROR_INIT;
	assert_int_equal(api_problem(404, 0, NULL, 0, &e), -1);
}

static void runs_and_boxes_are_read(void **state)
{
	static const char run_text[] =
		"{\"id\":\"r1\",\"state\":\"queued\",\"tty\":true,\"verdict\":null,\"new\":1}";
	static const char box_text[] =
		"{\"boxes\":[{\"id\":\"b1\",\"state\":\"ready\",\"policy\":\"tool\",\"runs\":3,"
		"\"since\":\"2024-05-17T08:30:00.000000Z\",\"fault\":null},"
		"{\"id\":\"b2\",\"state\":\"gone\",\"fault\":\"died\",\"runs\":-4}]}";
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	struct api_run run;
	struct api_boxes boxes;
	(void)state;
	assert_int_equal(api_parse_run(&run, run_text, strlen(run_text), &a, &e), 0);
	assert_string_equal(run.id, "r1");
	assert_string_equal(run.state, "queued");
	assert_true(run.tty);
	assert_int_equal(run.exit_status, -1);
	assert_int_equal(
		api_parse_run(
			&run, "{\"id\":\"r\",\"state\":\"ended\",\"exit_status\":143}", 44, &a, &e),
		0);
	assert_int_equal(run.exit_status, 143);
	assert_int_equal(api_parse_boxes(&boxes, box_text, strlen(box_text), &a, &e), 0);
	assert_int_equal(boxes.n, 2);
	assert_string_equal(boxes.v[0].policy, "tool");
	assert_int_equal(boxes.v[0].runs, 3);
	assert_null(boxes.v[0].fault);
	assert_string_equal(boxes.v[1].fault, "died");
	assert_int_equal(boxes.v[1].runs, 0);
	assert_int_equal(api_parse_boxes(&boxes, "{\"boxes\":[]}", 12, &a, &e), 0);
	assert_int_equal(boxes.n, 0);
}

static void what_is_no_answer_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"null",
		"[]",
		"{}",
		"{\"id\":\"\",\"state\":\"ready\"}",
		"{\"id\":1,\"state\":\"ready\"}",
		"{\"id\":\"x\",\"state\":null}",
		"{\"id\":\"x\",\"id\":\"y\",\"state\":\"ready\"}",
		"{\"id\":\"x\",\"state\":\"ready\"",
		"{\"id\":\"\xff\",\"state\":\"ready\"}",
		"{\"boxes\":{}}",
		"{\"boxes\":[1]}",
		"{\"boxes\":[{\"id\":\"x\"}]}",
		"{\"cause\":\"ok\"}",
		"{\"cause\":\"no such\",\"summary\":\"\"}",
		"{\"cause\":1,\"summary\":\"\"}",
	};
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct api_run run;
		struct api_box box;
		struct api_boxes boxes;
		struct api_end end;
		size_t size = strlen(bad[i]);
		assert_int_equal(api_parse_run(&run, bad[i], size, &a, &e), -1);
		assert_int_equal(e.blame, BLAME_HOST);
		assert_int_equal(api_parse_box(&box, bad[i], size, &a, &e), -1);
		assert_int_equal(api_parse_boxes(&boxes, bad[i], size, &a, &e), -1);
		assert_int_equal(api_parse_verdict(&end, bad[i], size, &a, &e), -1);
	}
}

static void an_abyss_of_brackets_is_refused(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	struct api_run run;
	static char deep[1 << 20];
	(void)state;
	memset(deep, '[', sizeof(deep));
	memcpy(deep, "{\"id\":", 6);
	assert_int_equal(api_parse_run(&run, deep, sizeof(deep), &a, &e), -1);
}

static void verdicts_say_how_to_end(void **state)
{
	static const struct {
		const char *text;
		int status;
		const char *line;
	} verdicts[] = {
		{"{\"cause\":\"ok\",\"summary\":\"s\",\"exit_code\":0,\"signal\":null}", 0,
			"ok: s"},
		{"{\"cause\":\"exit_nonzero\",\"summary\":\"s\",\"exit_code\":42}", 42,
			"exit_nonzero: s"},
		{"{\"cause\":\"exit_nonzero\",\"summary\":\"s\",\"exit_code\":137}", 137,
			"exit_nonzero: s"},
		{"{\"cause\":\"crash\",\"summary\":\"s\",\"exit_code\":null,\"signal\":11}", 139,
			"crash: s"},
		{"{\"cause\":\"memory_limit\",\"summary\":\"s\",\"exit_code\":0,"
		 "\"suggest\":{\"limit\":\"memory\",\"value\":100663296,\"unit\":\"bytes\"}}",
			137, "memory_limit: s; try --memory 96M"},
		{"{\"cause\":\"wall_timeout\",\"summary\":\"s\",\"exit_code\":0}", 124,
			"wall_timeout: s"},
		{"{\"cause\":\"cancelled\",\"summary\":\"s\",\"exit_code\":null,\"signal\":null}",
			143, "cancelled: s"},
		{"{\"cause\":\"output_limit\",\"summary\":\"s\",\"exit_code\":0}", 143,
			"output_limit: s"},
		{"{\"cause\":\"setup_failed\",\"summary\":\"s\"}", 125, "setup_failed: s"},
		{"{\"cause\":\"not_found\",\"summary\":\"s\",\"exit_code\":9}", 127,
			"not_found: s"},
		{"{\"cause\":\"exec_denied\",\"summary\":\"s\",\"exit_code\":null,\"signal\":null}",
			126, "exec_denied: s"},
		{"{\"cause\":\"exec_denied\",\"summary\":\"s\",\"exit_code\":null,\"signal\":9}",
			137, "exec_denied: s"},
		{"{\"cause\":\"exec_denied\",\"summary\":\"s\",\"exit_code\":127}", 127,
			"exec_denied: s"},
		{"{\"cause\":\"not_executable\",\"summary\":\"s\"}", 126, "not_executable: s"},
		{"{\"cause\":\"breaker_open\",\"summary\":\"s\"}", 75, "breaker_open: s"},
		/* what cannot be is not believed, and never 0 */
		{"{\"cause\":\"exit_nonzero\",\"summary\":\"s\",\"exit_code\":256}", 143,
			"exit_nonzero: s"},
		{"{\"cause\":\"crash\",\"summary\":\"s\",\"exit_code\":\"0\",\"signal\":-1}", 143,
			"crash: s"},
		{"{\"cause\":\"ok\",\"summary\":\"s\",\"suggest\":{\"limit\":\"moon\","
		 "\"value\":1}}",
			143, "ok: s"},
		{"{\"cause\":\"ok\",\"summary\":\"s\",\"exit_code\":0,"
		 "\"suggest\":{\"limit\":\"memory\",\"value\":-1}}",
			0, "ok: s"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(verdicts); i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct api_end end;
		assert_int_equal(
			api_parse_verdict(&end, verdicts[i].text, strlen(verdicts[i].text), &a, &e),
			0);
		assert_int_equal(end.exit_status, verdicts[i].status);
		if (end.status_is_likely)
			assert_int_equal(end.exit_status, 143);
		assert_string_equal(end.line, verdicts[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_is_said_in_the_words_of_the_api),
		cmocka_unit_test(a_box_names_its_policy_or_says_what_differs),
		cmocka_unit_test(a_policy_of_a_file_is_said_whole),
		cmocka_unit_test(a_signal_is_a_number),
		cmocka_unit_test(problems_keep_their_words_and_blame),
		cmocka_unit_test(runs_and_boxes_are_read),
		cmocka_unit_test(what_is_no_answer_is_refused),
		cmocka_unit_test(an_abyss_of_brackets_is_refused),
		cmocka_unit_test(verdicts_say_how_to_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
