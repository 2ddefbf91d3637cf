/* SPDX-License-Identifier: MIT */
#include "model/explain.h"

#include "base/buf.h"
#include "model/codec-json.h"
#include "model/test-golden.h"

/* Explanations of the golden observations: the same verdict, and a reason for each no before it. */

static void same_verdict(const char *name, const struct observation *o, struct arena *a)
{
	struct explanation x;
	struct verdict v;

	verdict_decide(&v, o, a);
	verdict_explain(&x, o, a);
	if (strcmp(verdict_format_json(&v, o, a), verdict_format_json(&x.verdict, o, a)) != 0)
		fail_msg("%s: explained as another verdict", name);
	assert_int_equal(v.exit_status, x.verdict.exit_status);
}

static void reasons(const char *name, const struct observation *o, struct arena *a)
{
	struct explanation x;

	verdict_explain(&x, o, a);
	assert_true(x.decided < x.n_rules && x.steps[x.decided].cause == x.verdict.cause);
	for (size_t i = 0; i < x.n_rules; i++) {
		const struct explain_step *s = &x.steps[i];
		bool has = s->why_not && strlen(s->why_not) > 8;
		if (has != (i < x.decided) || !s->asks)
			fail_msg("%s: rule %zu, %s: '%s'", name, i, cause_name(s->cause),
				s->why_not ? s->why_not : "(no reason)");
	}
}

/* What was stored holds all that the verdict was made of: derived from it, nothing changes. */
static void survives_storing(const char *name, const struct observation *o, struct arena *a)
{
	struct explain_source source = {.id = o->id, .from = "here"};
	struct explanation x, y;
	struct observation back;
	struct error e = ERROR_INIT;
	const char *stored = observation_format_json(o, a);

	assert_int_equal(observation_parse_json(&back, stored, strlen(stored), a, &e), 0);
	verdict_explain(&x, o, a);
	verdict_explain(&y, &back, a);
	const char *first = explain_format_json(&x, o, &source, a);
	const char *again = explain_format_json(&y, &back, &source, a);
	if (strcmp(first, again) != 0)
		fail_msg("%s: before storing:\n%s\nafter:\n%s", name, first, again);
}

/* Names and messages of strangers are in it: nothing that a terminal would obey may be. */
static void text_is_harmless(const char *name, const struct observation *o, struct arena *a)
{
	struct explain_source source = {
		.id = o->id, .from = "here", .stored_cause = "a\033[2Jb\xff\n"};
	struct explanation x;

	verdict_explain(&x, o, a);
	const char *text = explain_format_text(&x, o, &source, a);
	for (const char *c = text; *c; c++)
		if (((unsigned char)*c < ' ' && *c != '\n') || *c == '\x7f')
			fail_msg("%s: byte %#x in\n%s", name, (unsigned)*c, text);
	assert_true(utf8_valid(text, strlen(text)));
	assert_non_null(strstr(text, "is another: a\\x1b[2Jb\\xff\\x0a\n"));
}

static void json_is_whole(const char *name, const struct observation *o, struct arena *a)
{
	struct explain_source source = {.id = o->id, .from = "here", .stored_cause = "ok"};
	struct explanation x;

	verdict_explain(&x, o, a);
	json_t *root = json_loads(explain_format_json(&x, o, &source, a), 0, NULL);
	if (!root || json_array_size(json_object_get(root, "steps")) != x.n_rules ||
		json_array_size(json_object_get(root, "looked_at")) < 3 ||
		!json_is_object(json_object_get(root, "verdict")))
		fail_msg("%s: %s", name, explain_format_json(&x, o, &source, a));
	assert_true(json_is_true(json_object_get(root, "agrees")) == (x.verdict.cause == CAUSE_OK));
	json_decref(root);
}

static void test_golden(void **state)
{
	(void)state;
	for_each_golden(same_verdict);
	for_each_golden(reasons);
	for_each_golden(survives_storing);
	for_each_golden(text_is_harmless);
	for_each_golden(json_is_whole);
}

/* Reasons that take some finding out: what the rule of @cause says of the observation @name. */
static void test_reasons(void **state)
{
	static const struct {
		const char *name;
		enum cause cause;
		const char *reason;
	} rows[] = {
		{"ok", CAUSE_MEMORY_LIMIT, "its count did not rise"},
		{"ok", CAUSE_NOT_FOUND, "its exec succeeded"},
		{"ok-no-groups", CAUSE_MEMORY_HOST, "nothing counts OOM kills here"},
		{"memory-ancestor", CAUSE_MEMORY_LIMIT, "that of a group above was"},
		{"memory-host", CAUSE_MEMORY_ANCESTOR, "no counter says that a limit"},
		{"ok-child-oom-survived", CAUSE_MEMORY_LIMIT, "but the program exited with 0"},
		{"exit-1-after-child-oom", CAUSE_MEMORY_LIMIT, "which the program outlived"},
		{"wall-timeout-then-oom", CAUSE_MEMORY_LIMIT, "but only after bulkhead's own"},
		{"wall-timeout-and-oom-order-unknown", CAUSE_MEMORY_LIMIT,
			"nothing says that it was before"},
		{"crash-long-after-interrupt", CAUSE_CANCELLED, "went on and ended later"},
		{"external-kill-just-before-timeout", CAUSE_WALL_TIMEOUT, "had ended it already"},
		{"cancelled-int", CAUSE_WALL_TIMEOUT, "another reason: cancelled"},
		{"crash-kill-unknown", CAUSE_EXTERNAL_KILL, "who sent SIGKILL was not seen"},
		{"crash-kill-self", CAUSE_EXTERNAL_KILL, "came from the program itself"},
		{"external-kill", CAUSE_MEMORY_DAEMON, "has neither name nor unit"},
		{"external-kill-not-quite-a-daemon", CAUSE_MEMORY_DAEMON, "earlyoom2[777]"},
		{"crash-kill-unseen-hardly-started", CAUSE_EXTERNAL_KILL, "was not seen"},
		{"crash-sys-without-filter", CAUSE_SYSCALL_DENIED, "without a filter"},
		{"crash-sys-own-raise", CAUSE_SYSCALL_DENIED, "not from the kernel"},
		{"exit-42", CAUSE_OK, "it exited with 42"},
		{"not-executable-mode", CAUSE_NOT_FOUND, "for another reason"},
		{"setup-failed-mount", CAUSE_NOT_FOUND, "before its exec"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct observation o;
		struct explanation x;
		size_t at = 0;
		load(rows[i].name, &o, &a);
		verdict_explain(&x, &o, &a);
		while (x.steps[at].cause != rows[i].cause)
			at++;
		const char *why = x.steps[at].why_not ? x.steps[at].why_not : "it applies";
		if (!strstr(why, rows[i].reason))
			fail_msg("%s, %s: %s", rows[i].name, cause_name(rows[i].cause), why);
	}
}

/* The fullest observation there can be has more to say than there is room for, and stays within it. */
static void test_room(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct look looks[EXPLAIN_MAX_LOOKS];
	struct observation o = {.id = "x",
		.wait = WAIT_SIGNALED,
		.term_signal = 9,
		.n_acts = SIZE_MAX,
		.n_victims = SIZE_MAX,
		.n_counters = SIZE_MAX};

	(void)state;
	for (int i = 0; i < LIMIT_COUNT_; i++)
		o.limits[i].asked.set = true;
	assert_in_range(explain_looks(looks, &o, &a), 40, EXPLAIN_MAX_LOOKS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
