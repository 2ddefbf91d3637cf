/* SPDX-License-Identifier: MIT */
#include "model/html.h"

#include <signal.h>

#include "model/test-golden.h"

static struct timeline t; /* too large for a stack that is checked */

static void fill_timeline(void)
{
	memset(&t, 0, sizeof t);
	t.known = (1 << SERIES_COUNT_) - 1;
	t.memory_limited = true;
	t.memory_limit_bytes = 64 << 20;
	for (uint64_t i = 1; i <= 20; i++)
		timeline_add(&t,
			&(struct timeline_point){.at_us = i * 100000,
				.v = {i << 20, i, i * 90000, i * 10, i * 50000, i * 20000}});
}

static void test_put(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;

	(void)state;
	html_put(&b, "<a href=\"x\" b='y'>&amp;\x01\xff\n</script>");
	html_put(&b, NULL);
	assert_string_equal(buf_str(&b),
		"&lt;a href=&quot;x&quot; "
		"b=&#39;y&#39;&gt;&amp;amp;\\x01\\xff\\x0a&lt;/script&gt;");
}

/* Tags that the page is made of: what else opens one came from outside. */
static bool is_ours(const char *tag)
{
	static const char *const ours[] = {"!DOCTYPE html>", "html ", "html>", "head>", "meta ",
		"title>", "style>", "body>", "h1>", "h2>", "p>", "p ", "pre>", "span>", "span ",
		"b>", "table>", "tr>", "th>", "td>", "td ", "figure>", "figcaption>", "svg>",
		"svg ", "path ", "line>", "line ", "rect>", "rect ", "div>", "div ", "details>",
		"summary>"};

	tag += *tag == '/';
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (strncmp(tag, ours[i], strlen(ours[i])) == 0)
			return true;
	return false;
}

static void check_page(const char *name, const char *page)
{
	for (const char *c = page; *c; c++) {
		if (*c == '<' && !is_ours(c + 1))
			fail_msg("%s: %.60s", name, c);
		if (((unsigned char)*c < ' ' && *c != '\n') || *c == '\x7f')
			fail_msg("%s: byte %#x", name, (unsigned)*c);
	}
	assert_true(utf8_valid(page, strlen(page)));
	assert_null(strstr(page, "http:"));
	assert_null(strstr(page, "https:"));
	assert_null(strstr(page, "url("));
	assert_non_null(strstr(page, "default-src 'none'"));
	assert_non_null(strstr(page, "</body></html>\n"));
}

static void page_is_harmless(const char *name, const struct observation *o, struct arena *a)
{
	struct verdict v;

	verdict_decide(&v, o, a);
	check_page(name, verdict_format_html(&v, o, &t, NULL, a));
	check_page(name, verdict_format_html(&v, o, NULL, NULL, a));
}

static void test_golden(void **state)
{
	(void)state;
	fill_timeline();
	for_each_golden(page_is_harmless);
}

/* Every text of an observation is hostile at once. */
static void test_hostile(void **state)
{
	static const char bad[] =
		"</title><script>alert(1)</script><img src=x onerror=\"'&\x1b\xff";
	static const char *const argv[] = {bad, "<svg/onload=alert(1)>", bad};
	cleanup_arena struct arena a = ARENA_INIT;
	struct observation o = {.id = bad,
		.key = bad,
		.policy = bad,
		.argv = argv,
		.argc = 3,
		.wait = WAIT_SIGNALED,
		.term_signal = SIGKILL,
		.killer = {.known = KILLER_OUTSIDE, .comm = "<script>x"},
		.setup = {.what = bad},
		.acts = {{.reason = ACT_WALL_TIMEOUT, .signal = SIGTERM, .at_us = 1}},
		.n_acts = 1,
		.counters = {{.fact = bad, .where = bad, .own = true, .after = 1},
			{.fact = "oom_kill", .where = bad, .own = true, .after = 1}},
		.n_counters = 2,
		.victims = {{.pid = 1, .comm = "<img src=x>"}},
		.n_victims = 1,
		.kernel = bad,
		.version = bad};
	struct verdict v;

	(void)state;
	fill_timeline();
	verdict_decide(&v, &o, &a);
	const char *page = verdict_format_html(&v, &o, &t, NULL, &a);
	check_page("hostile", page);
	assert_null(strstr(page, "<script"));
	assert_non_null(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
	assert_non_null(strstr(page, "&lt;svg/onload=alert(1)&gt;"));
	o.setup.stage = SETUP_BOX;
	verdict_decide(&v, &o, &a);
	check_page("hostile set-up", verdict_format_html(&v, &o, &t, NULL, &a));
}

static size_t count(const char *page, const char *what)
{
	size_t n = 0;

	for (const char *c = page; (c = strstr(c, what)); c++)
		n++;
	return n;
}

/* What was executed is of strangers too, and may be without end. */
static void test_execs(void **state)
{
	enum { N = 1200 };
	static const char *bad[] = {"</td><script>alert(1)</script>\x1b\xff", "a & b"};
	cleanup_arena struct arena a = ARENA_INIT;
	struct observation o = {.id = "x",
		.exec = {.mode = EXEC_ENFORCE,
			.audit_dropped = 2,
			.warden_lost = true,
			.lost_why = bad[0]}};
	struct exec_event *events = arena_calloc(&a, N, sizeof *events);
	struct exec_tree tree;
	struct verdict v;

	(void)state;
	for (int i = 0; i < N; i++)
		events[i] = (struct exec_event){.t_us = (uint64_t)i,
			.pid = i + 1,
			.enforced = true,
			.outcome = EXEC_REFUSED,
			.executable = bad[0],
			.rule = bad[0],
			.argv = {.v = bad, .n = 2}};
	verdict_decide(&v, &o, &a);
	exec_tree_build(&tree, events, 3, &a);
	const char *page = verdict_format_html(&v, &o, &t, &tree, &a);
	check_page("execs", page);
	assert_non_null(strstr(page, "<h2>Executed</h2>\n<p>3 refused</p>"));
	assert_non_null(strstr(page, "&#39;a &amp; b&#39;"));
	assert_non_null(strstr(page, "2 execs are missing"));
	assert_int_equal(count(page, "class=\"tree\""), 3);
	assert_null(strstr(page, "These are the first"));
	exec_tree_build(&tree, events, N, &a);
	page = verdict_format_html(&v, &o, &t, &tree, &a);
	check_page("many execs", page);
	assert_int_equal(count(page, "class=\"tree\""), 1000);
	assert_non_null(strstr(page, "These are the first 1000"));
}

static void test_plots(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_buf struct buf b = BUF_INIT;
	struct observation o = {.usage = {.wall_us = 2000000},
		.acts = {{.signal = SIGTERM, .at_us = 1000000}},
		.n_acts = 1};

	(void)state;
	fill_timeline();
	html_put_plots(&b, &t, &o, &a);
	assert_int_equal(count(buf_str(&b), "<svg "), 5); /* CPU stalls were too short to show */
	assert_int_equal(count(buf_str(&b), "class=\"limit\""), 1);
	assert_int_equal(count(buf_str(&b), "class=\"act\" x1=\"400.0\""), 5);
	assert_int_equal(count(buf_str(&b), "nan"), 0);
	assert_true(b.size < 128 << 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_execs),
		cmocka_unit_test(test_plots),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
