/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/buf.h"
#include "base/path.h"
#include "model/exec-rules-parts.h"

/*
 * A call can be read in several ways: the file has several names, and of an unknown option nobody knows whether it
 * takes a word. In each reading the longest rule that matches decides, at equal length one that allows. The call
 * is allowed only if every reading is.
 */

/* Where a rule's words were found, to say so. */
struct match {
	const struct compiled_rule *rule; /* NULL: none */
	const struct reading *reading;
	size_t place; /* of the first argument after the options */
	size_t found; /* of the last word of the rule that was found, in args; n_args: it has none */
};

struct judge {
	const struct exec_rules *r;
	struct search search;
	const struct exec_lookup *lookup;
	struct arena *a;
	unsigned budget; /* nested calls yet to be judged */
};

/* ── One reading ─────────────────────────────────────────────────────────────────────────────── */

/* The longest rule of the kind that matches @reading with its subcommand at @place. */
static struct match longest(
	struct search *s, const struct reading *reading, size_t place, bool allow)
{
	struct match best = {0};
	for (const struct compiled_rule *rule = s->r->first[reading->program]; rule;
		rule = rule->next) {
		size_t found;
		if (rule->rule->allow != allow || (best.rule && rule->length <= best.rule->length))
			continue;
		if (exec_rule_matches(s, rule, reading, place, &found))
			best = (struct match){rule, reading, place, found};
	}
	return best;
}

static unsigned length_of(const struct match *m)
{
	return m->rule ? m->rule->length : 0;
}

static void places_of(struct search *s, const struct reading *reading, struct places *ret)
{
	const struct compiled_rule *rule = s->r->first[reading->program];
	while (rule && rule->n_words == 0)
		rule = rule->next;
	if (!rule || s->spent) { /* none asks, or there is nobody to answer */
		*ret = (struct places){.n = 1, .doubtful = EXEC_NO_DOUBT, .too_many = rule != NULL};
		return;
	}
	const char *program = path_base(s->r->programs[reading->program]);
	exec_places(exec_option_words(program), reading->args, reading->n_args, ret);
	exec_spend(s, ret->steps);
}

/* What @reading is allowed however its options are read. */
static struct match surely_allowed(
	struct search *s, const struct reading *reading, const struct places *places)
{
	struct match least = {0};
	for (size_t i = 0; reading->exact && i < places->n; i++) {
		struct match m = longest(s, reading, places->v[i], true);
		if (i == 0 || length_of(&m) < length_of(&least))
			least = m;
	}
	/* Where not all ways to read it were looked at, only a rule without words surely matches. */
	if (places->too_many && least.rule && least.rule->n_words > 0)
		least = (struct match){0};
	return least;
}

/* ── All readings of a call ──────────────────────────────────────────────────────────────────── */

struct decision {
	struct match deny; /* the longest that stands */
	struct match allow;
	bool open; /* some reading has no rule at all: the default decides */
	bool too_many;
	const struct reading *doubtful; /* what is not known is in it */
	size_t doubt;
};

/* Where the options cannot be told apart from their values any more, any rule about what follows holds. */
static void deny_unreadable(
	const struct search *s, const struct reading *reading, struct decision *d)
{
	for (const struct compiled_rule *rule = s->r->first[reading->program]; rule;
		rule = rule->next)
		if (!rule->rule->allow && rule->n_words > 0 && !d->deny.rule) {
			d->deny = (struct match){rule, reading, 0, reading->n_args};
			d->too_many = true;
		}
}

static void decide_reading(struct search *s, const struct reading *reading,
	const struct places *places, const struct match *sure, struct decision *d)
{
	for (size_t i = 0; i < places->n; i++) {
		struct match deny = longest(s, reading, places->v[i], false);
		struct match allow = {0};
		if (reading->exact)
			allow = longest(s, reading, places->v[i], true);
		if (length_of(&allow) < length_of(sure))
			allow = *sure;
		if (length_of(&deny) > length_of(&allow)) {
			if (length_of(&deny) > length_of(&d->deny))
				d->deny = deny;
		} else if (!allow.rule) {
			d->open = true;
		} else if (!d->allow.rule) {
			d->allow = allow;
		}
	}
	if (places->doubtful != EXEC_NO_DOUBT && !d->doubtful) {
		d->doubtful = reading;
		d->doubt = places->doubtful;
	}
	if (places->too_many || s->spent) {
		d->open = d->open || !sure->rule;
		deny_unreadable(s, reading, d);
	}
}

static void decide(struct search *s, const struct reading *v, size_t n, struct decision *ret)
{
	struct match sure = {0};
	struct places places;
	*ret = (struct decision){.open = n == 0};
	for (size_t i = 0; i < n; i++) {
		if (!v[i].exact)
			continue;
		places_of(s, &v[i], &places);
		struct match m = surely_allowed(s, &v[i], &places);
		if (length_of(&m) > length_of(&sure))
			sure = m;
	}
	for (size_t i = 0; i < n; i++) {
		places_of(s, &v[i], &places);
		decide_reading(s, &v[i], &places, &sure, ret);
	}
}

/* ── Saying it ───────────────────────────────────────────────────────────────────────────────── */

#define SHOWN 60

static void put_visible(struct buf *b, const char *s)
{
	size_t n = strlen(s);
	buf_putc(b, '\'');
	buf_put_visible(b, s, n > SHOWN ? SHOWN : n);
	buf_puts(b, n > SHOWN ? "…'" : "'");
}

static void put_name(
	struct buf *b, const struct call *call, const char *program, enum reading_by by)
{
	static const char *const words[] = {
		[BY_CALLED] = "it is called as ",
		[BY_PATH] = "the file is ",
		[BY_ARGV0] = "its argv[0] is ",
		[BY_FILE] = "the file is that of ",
		[BY_COPY] = "the file is the same as ",
		[BY_APPLET] = "its arguments make it ",
		[BY_HELPER] = "it is a part of ",
	};
	buf_puts(b, words[by]);
	if (by == BY_CALLED)
		put_visible(b, call->file->called);
	else if (by == BY_PATH)
		put_visible(b, call->file->path);
	else if (by == BY_ARGV0)
		put_visible(b, call->argv[0]);
	else
		put_visible(b, program);
}

static void put_skipped(struct buf *b, const struct match *m)
{
	const struct reading *reading = m->reading;
	if (m->place == 0 || m->rule->n_words == 0 || m->found < m->place)
		return;
	buf_puts(b, " after the options");
	for (size_t i = 0; i < m->place && i < 6; i++) {
		buf_putc(b, ' ');
		put_visible(b, reading->args[i]);
	}
	if (m->place > 6)
		buf_puts(b, " …");
}

static const char *why_match(const struct exec_rules *r, const struct call *call,
	const struct match *m, const struct decision *d, struct arena *a)
{
	cleanup_buf struct buf b = BUF_INIT;
	const struct reading *reading = m->reading;
	put_name(&b, call, r->programs[reading->program], reading->by);
	if (d->too_many) {
		buf_puts(&b,
			", and it has too many words to look at, or too many options to tell "
			"what follows them");
	} else if (m->found < reading->n_args) {
		int at = (int)m->found + reading->shift;
		if (at > 0)
			buf_printf(&b, ", and argument %d is ", at);
		else
			buf_puts(&b, ", which is its ");
		put_visible(&b, reading->args[m->found]);
		put_skipped(&b, m);
	}
	if (m->rule->reason)
		buf_printf(&b, "; %s", m->rule->reason);
	return arena_strdup(a, buf_str(&b));
}

/* Some allow rule names it, but is not about this file or not about it called so: say why not. */
static const char *near_miss(struct search *s, const struct call *call, const struct reading *v,
	size_t n, struct arena *a)
{
	for (size_t i = 0; i < n; i++)
		for (const struct compiled_rule *rule = s->r->first[v[i].program]; rule;
			rule = rule->next) {
			size_t found;
			if (!rule->rule->allow || v[i].exact ||
				!exec_rule_matches(s, rule, &v[i], 0, &found))
				continue;
			const char *because = call->file->writable
				? "the box can write this file"
				: "this is not the file that PATH finds for it, or argv[0] "
				  "makes something else of it";
			return arena_printf(a, "'%.200s' does not hold: %s", rule->text, because);
		}
	return NULL;
}

static const char *why_default(struct search *s, const struct call *call, const struct reading *v,
	size_t n, const struct decision *d)
{
	const char *near = near_miss(s, call, v, n, s->a);
	if (near)
		return near;
	if (!d->doubtful)
		return "no rule matches";
	cleanup_buf struct buf b = BUF_INIT;
	buf_puts(&b, "no rule surely matches: it is not known whether the option ");
	put_visible(&b, d->doubtful->args[d->doubt]);
	buf_puts(&b, " takes the word after it");
	return arena_strdup(s->a, buf_str(&b));
}

static void say_rule(const struct exec_rules *r, const struct call *call, const struct match *m,
	const struct decision *d, struct arena *a, struct exec_judgement *ret)
{
	ret->verdict = m->rule->rule->allow ? EXEC_ALLOW : EXEC_DENY;
	ret->ground = m->rule->builtin ? EXEC_BY_BUILTIN : EXEC_BY_RULE;
	ret->rule = m->rule->rule;
	ret->rule_text = m->rule->text;
	ret->hint = m->rule->rule->hint;
	ret->why = why_match(r, call, m, d, a);
}

/* ── A call and what it would start ──────────────────────────────────────────────────────────── */

static bool judge_call(struct judge *j, const struct call *call, bool only_rules, unsigned depth,
	struct exec_judgement *ret);

static const struct exec_file *look_up(
	struct judge *j, const struct nested *nested, struct exec_file *room)
{
	const char *name = nested->argv.v[0];
	if (nested->is_file && !strchr(name, '/'))
		name = arena_printf(j->a, "./%s", name);
	*room = (struct exec_file){0};
	if (!j->lookup || !j->lookup->file || *name == '\0' ||
		!j->lookup->file(j->lookup->data, name, room))
		*room = (struct exec_file){.called = name, .writable = true};
	return room;
}

/* What it takes to read a call at all: its words are copied, and its options looked for. */
static size_t steps_of(const struct call *call)
{
	size_t steps = 0;
	for (size_t i = 0; i < call->argc; i++)
		steps += 16 + strlen(call->argv[i]);
	return steps;
}

/*
 * There is enough left to judge @call, which a wrapper would start. Where there is not it is not judged: that
 * comes when it is executed.
 */
static bool afford(struct judge *j, const struct call *call)
{
	size_t steps = steps_of(call);
	if (j->budget == 0 || steps > j->search.steps)
		return false;
	j->budget--;
	exec_spend(&j->search, steps);
	return true;
}

/* True: a rule denies what a wrapper would start. */
static bool denies_nested(
	struct judge *j, const struct call *call, unsigned depth, struct exec_judgement *ret)
{
	struct nested nested[8];
	if (depth >= EXEC_MAX_DEPTH || j->budget == 0 || j->search.spent)
		return false;
	size_t n = exec_nested(call, j->a, nested, sizeof nested / sizeof *nested);
	for (size_t i = 0; i < n; i++) {
		struct exec_file file;
		struct call inner = {
			look_up(j, &nested[i], &file), nested[i].argv.v, nested[i].argv.n};
		if (!afford(j, &inner))
			return false;
		if (!judge_call(j, &inner, true, depth + 1, ret))
			continue;
		ret->why =
			arena_printf(j->a, "'%s' would start it: %s", nested[i].wrapper, ret->why);
		return true;
	}
	return false;
}

static void say_default(struct search *s, const struct call *call, const struct reading *v,
	size_t n, const struct decision *d, struct exec_judgement *ret)
{
	const struct exec_rules *r = s->r;
	ret->verdict = r->default_allow ? EXEC_ALLOW : EXEC_DENY;
	ret->ground = EXEC_BY_DEFAULT;
	ret->rule_text = r->default_allow ? "default: allow" : "default: deny";
	ret->why = r->default_allow ? "no rule denies it" : why_default(s, call, v, n, d);
}

/*
 * True: denied, and *ret says so. @only_rules: the default is not asked, and *ret is not written when
 * nothing denies.
 */
static bool judge_call(struct judge *j, const struct call *call, bool only_rules, unsigned depth,
	struct exec_judgement *ret)
{
	const struct reading *v;
	struct decision d;
	struct exec_judgement own = {.depth = depth};
	size_t n = exec_readings(j->r, call, j->a, &v);
	decide(&j->search, v, n, &d);
	if (call->file->loader)
		own = exec_deny_static("a dynamic loader as the program",
			"what it is to load is an argument of its own: no rule would see which "
			"program runs; start that program itself");
	else if (d.deny.rule)
		say_rule(j->r, call, &d.deny, &d, j->a, &own);
	else if (d.open || !d.allow.rule)
		say_default(&j->search, call, v, n, &d, &own);
	else
		say_rule(j->r, call, &d.allow, &d, j->a, &own);
	own.depth = depth;
	bool denied = own.verdict == EXEC_DENY && (!only_rules || own.ground != EXEC_BY_DEFAULT);
	if (!denied && denies_nested(j, call, depth, ret))
		return true;
	if (denied || !only_rules)
		*ret = own;
	return denied;
}

static void judge(const struct exec_rules *r, const struct exec_file *file, const struct strv *argv,
	const struct exec_lookup *lookup, struct arena *a, bool only_rules,
	struct exec_judgement *ret)
{
	static const char *const none[] = {"", NULL};
	struct judge j = {.r = r, .lookup = lookup, .a = a, .budget = EXEC_MAX_NESTED};
	struct call call = {file, argv->v, argv->n};
	j.search = (struct search){.r = r, .a = a, .steps = EXEC_MAX_STEPS};
	if (argv->n == 0) {
		call.argv = none;
		call.argc = 1;
	}
	*ret = (struct exec_judgement){
		.verdict = EXEC_ALLOW,
		.ground = EXEC_BY_DEFAULT,
		.rule_text = "no rule denies it",
		.why = "the script that it is for was allowed",
	};
	exec_spend(&j.search, steps_of(&call));
	judge_call(&j, &call, only_rules, 0, ret);
}

void exec_rules_judge(const struct exec_rules *r, const struct exec_file *file,
	const struct strv *argv, const struct exec_lookup *lookup, struct arena *a,
	struct exec_judgement *ret)
{
	judge(r, file, argv, lookup, a, false, ret);
}

void exec_rules_judge_interpreter(const struct exec_rules *r, const struct exec_file *file,
	const struct strv *argv, const struct exec_lookup *lookup, struct arena *a,
	struct exec_judgement *ret)
{
	judge(r, file, argv, lookup, a, true, ret);
}
