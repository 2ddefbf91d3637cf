/* SPDX-License-Identifier: MIT */
#include "model/plan.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/test-codec-plan.h"

/* ---- what is expected ---- */

static void put_list(struct buf *b, const char *what, const struct strv *list)
{
	buf_printf(b, "%s:", what);
	for (size_t i = 0; i < list->n; i++)
		buf_printf(b, " %s", list->v[i]);
	buf_putc(b, '\n');
}

/* Of a plan, what nobody needs to see who only wants to know what a box will be. */
static void put_unprinted(struct buf *b, const struct plan *p)
{
	put_list(b, "environment", &p->envp);
	put_list(b, "exec", &p->exec_paths);
	buf_printf(b, "uid map: %sgid map: %s", p->uid_map, p->gid_map);
	if (p->cpu_mask[0])
		buf_printf(b, "cpus: %#llx\n", (unsigned long long)p->cpu_mask[0]);
	if (p->idmap.used)
		buf_printf(b, "idmap: %u:%u to %u:%u\n", p->idmap.file_uid, p->idmap.file_gid,
			p->idmap.box_uid, p->idmap.box_gid);
	buf_printf(b, "setgroups %s, %s, %s, %s\n", p->deny_setgroups ? "denied" : "allowed",
		p->own_root ? "box made as its own root" : "box made as the maker",
		p->capture ? "captured" : "not captured", p->sampled ? "sampled" : "not sampled");
	if (p->tty)
		buf_puts(b, "relayed\n");
}

static char *read_file(struct arena *a, const char *path)
{
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	char *text = arena_calloc(a, 1, 1 << 18);
	size_t n = fread(text, 1, (1 << 18) - 1, f);
	fclose(f);
	text[n] = 0;
	return text;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

/* It differs from one architecture to the other; golden/filter has the filters themselves. */
static void hide_filter_size(struct steps *steps)
{
	for (size_t i = 0; i < steps->n; i++)
		if (steps->v[i].kind == STEP_FILTER || steps->v[i].kind == STEP_LISTENER)
			steps->v[i].number = 1;
}

static void check_golden(struct golden_case *c, int made, const struct error *e)
{
	cleanup_buf struct buf b = BUF_INIT;
	const char *path = arena_printf(c->a, "%s%s.expected", golden_plans, c->name);

	if (made < 0) {
		buf_printf(&b, "refused: %s (blame: %s)\n", e->text, blame_name(e->blame));
	} else {
		hide_filter_size(&c->plan.payload);
		buf_printf(&b, "%s\n", plan_format_json(&c->plan, &c->found, c->a));
		put_unprinted(&b, &c->plan);
	}
	if (getenv("UPDATE_GOLDEN"))
		write_file(path, buf_str(&b));
	const char *expected = read_file(c->a, path);
	if (!expected || strcmp(expected, buf_str(&b)) != 0)
		fail_msg("%s: this is not what %s says:\n%s", c->name, path, buf_str(&b));
}

static void test_golden(void **state)
{
	(void)state;
	golden_for_each(check_golden);
}

/* ---- what holds for every plan ---- */

static int index_of(const struct steps *steps, enum step_kind kind)
{
	for (size_t i = 0; i < steps->n; i++)
		if (steps->v[i].kind == kind)
			return (int)i;
	return -1;
}

/* The walls stand before the stranger runs, in an order in which each of them can be built. */
static void check_walls(const struct golden_case *c)
{
	const struct steps *s = &c->plan.payload;
	int last = (int)s->n - 1;

	assert_int_equal(index_of(s, STEP_EXEC), last);
	assert_in_range(index_of(s, STEP_NO_NEW_PRIVS), 0, last - 1);
	assert_in_range(index_of(s, STEP_DROP_CAPS), 0, last - 1);
	assert_in_range(index_of(s, STEP_CLOSE_FDS), 0, last - 1);
	assert_true(index_of(s, STEP_STDIO) < index_of(s, STEP_CLOSE_FDS));
	assert_true(index_of(s, STEP_SCOPE) < index_of(s, STEP_RLIMIT)); /* it opens a file */
	if (c->found.seccomp)
		assert_int_equal(index_of(s, c->plan.exec ? STEP_LISTENER : STEP_FILTER), last - 1);
	if (c->plan.wants_group) {
		assert_in_range(index_of(s, STEP_GROUPS), 0, last - 1);
		assert_true(index_of(s, STEP_GROUPS) < index_of(s, STEP_CGROUPNS));
		assert_true(index_of(s, STEP_GROUPS) < index_of(s, STEP_NO_NEW_PRIVS));
	}
}

/* Each tree is taken once, from the host's root as it was, and put in its place once. */
static void check_slots(const struct golden_case *c)
{
	bool grabbed[PLAN_MAX_SLOTS] = {false}, changed = false;
	const struct steps *s = &c->plan.box;

	for (size_t i = 0; i < s->n; i++) {
		const struct step *step = &s->v[i];
		assert_in_range(step->slot, 0, PLAN_MAX_SLOTS - 1);
		if (step->kind == STEP_GRAB) {
			assert_false(changed || grabbed[step->slot]);
			grabbed[step->slot] = true;
			continue;
		}
		changed = true;
		if (step->kind == STEP_ATTACH || step->kind == STEP_ROOT_SLOT) {
			assert_true(grabbed[step->slot]);
			grabbed[step->slot] = false;
		}
	}
	for (size_t i = 0; i < PLAN_MAX_SLOTS; i++)
		assert_false(grabbed[i]);
}

static void check_invariants(struct golden_case *c, int made, const struct error *e)
{
	if (made < 0) {
		assert_true(e->blame != BLAME_NONE && e->blame != BLAME_US && *e->text);
		return;
	}
	check_walls(c);
	check_slots(c);
	for (int i = 0; i < LIMIT_COUNT_; i++) {
		const struct limit_value *v = &c->policy.limits.v[i];
		bool promised = v->set && v->value && v->origin == ORIGIN_ASKED;
		if (promised && !c->asked.best_effort)
			assert_int_not_equal(c->plan.by[i], ENFORCED_NONE);
	}
	assert_non_null(plan_format_text(&c->plan, &c->found, c->a));
}

static void test_invariants(void **state)
{
	(void)state;
	golden_for_each(check_invariants);
}

/* ---- no rule without an example ---- */

static unsigned seen_steps[STEP_COUNT_], seen_rungs[RUNG_COUNT_], seen_enforcers[ENFORCED_COUNT_];
static struct strv seen_policies;
static struct arena seen_arena;

static void count(struct golden_case *c, int made, const struct error *e)
{
	(void)e;
	if (made < 0)
		return;
	for (size_t i = 0; i < c->plan.box.n; i++)
		seen_steps[c->plan.box.v[i].kind]++;
	for (size_t i = 0; i < c->plan.payload.n; i++)
		seen_steps[c->plan.payload.v[i].kind]++;
	for (int i = 0; i < LIMIT_COUNT_; i++)
		seen_enforcers[c->plan.by[i]]++;
	seen_rungs[c->found.cgroup.rung]++;
	strv_push(&seen_arena, &seen_policies, arena_strdup(&seen_arena, c->asked.policy));
}

static void test_everything_has_an_example(void **state)
{
	(void)state;
	golden_for_each(count);
	for (int i = 0; i < STEP_COUNT_; i++)
		if (!seen_steps[i])
			fail_msg("no plan has a step '%s'", step_kind_name((enum step_kind)i));
	for (int i = 0; i < ENFORCED_COUNT_; i++)
		if (!seen_enforcers[i])
			fail_msg("no plan has '%s'", enforced_by_name((enum enforced_by)i));
	for (int i = 0; i < RUNG_COUNT_; i++)
		assert_int_not_equal(seen_rungs[i], 0);
	for (const char *const *name = policy_shipped_names(); *name; name++)
		if (!golden_contains(&seen_policies, *name))
			fail_msg("no plan is made by policy '%s'", *name);
	arena_fini(&seen_arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_invariants),
		cmocka_unit_test(test_everything_has_an_example),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
