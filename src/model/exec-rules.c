/* SPDX-License-Identifier: MIT */
#include "model/exec-rules.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "model/exec-rules-parts.h"

#define MAX_PATTERN  4096

#define fail(e, ...) error_set((e), BLAME_POLICY, 0, __VA_ARGS__)

static const char *const grounds[] = {"default", "rule", "builtin", "static"};
static_assert(sizeof grounds / sizeof *grounds == EXEC_GROUND_COUNT_, "a name for each");

const char *exec_ground_name(enum exec_ground ground)
{
	return (unsigned)ground < EXEC_GROUND_COUNT_ ? grounds[ground] : "?";
}

struct exec_judgement exec_deny_static(const char *what, const char *why)
{
	return (struct exec_judgement){
		.verdict = EXEC_DENY, .ground = EXEC_BY_STATIC, .rule_text = what, .why = why};
}

/* What is compiled: a rule, as one or two patterns ("git-push" is "git push" too). */
struct compiler {
	struct exec_rules *r;
	struct arena *a;
	struct error *e;
	const struct exec_rule *rule;
	const char *reason; /* built in */
	size_t room;
};

static int blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct strv split(struct arena *a, const char *pattern)
{
	struct strv words = {0};
	const char *p = pattern;
	while (*p) {
		while (blank(*p))
			p++;
		size_t n = 0;
		while (p[n] && !blank(p[n]))
			n++;
		if (n > 0)
			strv_push(a, &words, arena_strndup(a, p, n));
		p += n;
	}
	return words;
}

/* ── Programs ────────────────────────────────────────────────────────────────────────────────── */

static int compare(const char *name, size_t size, const char *other)
{
	int d = strncmp(name, other, size);
	return d != 0 ? d : -(other[size] != '\0');
}

/* Where @name is among the sorted ones, or would be. */
static size_t find_place(const struct exec_rules *r, const char *name, size_t size, bool *ret_found)
{
	size_t low = 0, high = r->n_programs;
	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int d = compare(name, size, r->programs[r->sorted[middle]]);
		if (d == 0)
			*ret_found = true;
		if (d <= 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

int exec_rules_program(const struct exec_rules *r, const char *name, size_t size)
{
	bool found;
	size_t place = find_place(r, name, size, &found);
	return found ? r->sorted[place] : -1;
}

/* The index of @name, which is added when it is new; -1: there are too many. */
static int add_program(struct exec_rules *r, const char *name)
{
	bool found;
	size_t place = find_place(r, name, strlen(name), &found);
	if (found)
		return r->sorted[place];
	if (r->n_programs == EXEC_MAX_PROGRAMS)
		return -1;
	memmove(r->sorted + place + 1, r->sorted + place,
		(r->n_programs - place) * sizeof *r->sorted);
	r->sorted[place] = (uint16_t)r->n_programs;
	r->programs[r->n_programs] = name;
	r->multicall[r->n_programs] = exec_multicall(path_base(name), strlen(path_base(name)));
	if (r->multicall[r->n_programs])
		r->multicalls.bits[r->n_programs / 64] |= 1ull << (r->n_programs % 64);
	return (int)r->n_programs++;
}

size_t exec_rules_programs(const struct exec_rules *r, const char *const **ret_names)
{
	*ret_names = r->programs;
	return r->n_programs;
}

/* ── Words ───────────────────────────────────────────────────────────────────────────────────── */

/* "[" and "[[" are programs. */
const char *exec_foreign_sign(const char *name)
{
	const char *base = path_base(name), *sign = strpbrk(name, "*?[|&;,");
	bool test = strcmp(base, "[") == 0 || strcmp(base, "[[") == 0;
	return sign && test && sign >= base ? NULL : sign;
}

bool exec_is_separator(const char *word)
{
	static const char *const whole[] = {"|", "||", "&", "&&", NULL};
	for (const char *const *mark = whole; *mark; mark++)
		if (strcmp(word, *mark) == 0)
			return true;
	return *word && strchr(",;", word[strlen(word) - 1]);
}

static int check_signs(const char *name, struct error *e)
{
	const char *sign = exec_foreign_sign(name);
	if (!sign)
		return 0;
	if (strchr("*?[", *sign))
		fail(e, "'%.100s' is no pattern of file names, and would match only itself", name);
	else
		fail(e, "'%.100s' is the name of one program to a rule, with '%c' in it", name,
			*sign);
	return error_hint(e, "make one rule for each program");
}

static int check_program(const char *name, struct error *e)
{
	const char *slash = strchr(name, '/');
	if (*name == '-')
		return fail(e, "the first word is the program, and '%.100s' is none", name);
	if (strchr(name, '='))
		return fail(e,
			"the first word is the program, and '%.100s' sets a variable; leave it "
			"away",
			name);
	if (slash && slash != name)
		return fail(e,
			"'%.100s' is a relative path, and who calls chooses where he is; write the "
			"name alone or an absolute path",
			name);
	if (slash && (strstr(name, "//") || strstr(name, "/./") || strstr(name, "/../")))
		return fail(
			e, "'%.100s' is not a plain path; write it without '//' and '..'", name);
	if (*path_base(name) == '\0' || strcmp(path_base(name), "..") == 0 ||
		strcmp(path_base(name), ".") == 0)
		return fail(e, "'%.100s' is a directory and no program", name);
	return check_signs(name, e);
}

static int check_word(const char *word, struct error *e)
{
	size_t n = strlen(word);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)word[i] < 0x20 || word[i] == 0x7f)
			return fail(e, "it has a control character in it");
	if (word[n - 1] == '*') {
		fail(e, "'%.100s' is no pattern of file names, and would match only itself", word);
		return error_hint(
			e, "leave the '*' away: a rule matches whatever follows its words");
	}
	if (exec_is_separator(word)) {
		fail(e, "a rule is one command, and '%.100s' does not end it", word);
		return error_hint(e, "make one rule for each command");
	}
	if (strchr("\"'", word[0])) {
		fail(e, "quotes mean nothing in a rule: its words are separated by blanks");
		return error_hint(e, "leave them away");
	}
	return 0;
}

/* What no rule can hold to, with what to do instead. */
static int check_meaning(const char *program, size_t n_words, bool allow, struct error *e)
{
	const char *base = path_base(program);
	const struct multicall *multicall = exec_multicall(base, strlen(base));
	if (allow && multicall && multicall->bag && n_words == 0) {
		fail(e, "'%.100s' is many programs in one file, shells among them", base);
		return error_hint(e, "allow those that are meant: '%.100s ls' or 'ls'", base);
	}
	if (exec_is_interpreter(base, strlen(base)) && n_words > 0) {
		fail(e,
			"arguments do not bound what '%.100s' does: it takes code from its "
			"standard "
			"input, from files and from the environment too",
			base);
		return error_hint(e, "%s",
			allow ? "allow the script by its own path (with a '#!' line), or the "
				"interpreter as a whole"
			      : "deny the interpreter as a whole, or the programs that the code "
				"would start");
	}
	return 0;
}

/* The words that only built-in rules have. */
static void make_builtin(struct rule_word *word)
{
	static const char part[] = "=*,";
	const char *text = word->text, *equals = strchr(text, '=');
	const char *list = strstr(text, part);
	if (!list && text[word->size - 1] != '*')
		return;
	if (!list)
		word->size--;
	if (*text == '-' && equals) {
		word->bare = (size_t)(equals - text);
		word->value = word->bare + (list ? sizeof part - 1 : 1);
	}
	word->kind = list ? WORD_PART : WORD_ANYWHERE;
}

static struct rule_word make_word(const char *text, bool first, bool builtin)
{
	size_t n = strlen(text);
	struct rule_word word = {.kind = WORD_PLACE, .text = text, .size = n};
	if (builtin)
		make_builtin(&word);
	if (word.kind != WORD_PLACE)
		return word;
	if (text[n - 1] == '=') {
		word.kind = WORD_ANYWHERE;
		word.bare = *text == '-' ? n - 1 : 0;
		word.value = *text == '-' ? n : 0;
	} else if (first && *text == '-') {
		word.kind = WORD_OPTION;
	}
	return word;
}

static int add_pattern(struct compiler *c, const char *const *words, size_t n, const char *text)
{
	struct exec_rules *r = c->r;
	int program = add_program(r, words[0]);
	if (program < 0)
		return fail(c->e, "rules name more than %d programs", EXEC_MAX_PROGRAMS);
	struct rule_word *v = arena_calloc(c->a, n, sizeof *v);
	bool first = true;
	for (size_t i = 1; i < n; i++) {
		v[i - 1] = make_word(words[i], first, c->reason != NULL);
		first = first && v[i - 1].kind != WORD_PLACE;
		if (v[i - 1].kind == WORD_ANYWHERE || v[i - 1].kind == WORD_PART)
			v[i - 1].scan = r->n_scans++;
	}
	struct compiled_rule *rule = arena_new(c->a, struct compiled_rule);
	*rule = (struct compiled_rule){
		.rule = c->rule,
		.text = text,
		.reason = c->reason,
		.builtin = c->reason != NULL,
		.program = (uint16_t)program,
		.n_words = (uint16_t)(n - 1),
		.length = (uint16_t)n,
		.words = v,
	};
	/* In their order, so that the first of two of the same length is named. */
	struct compiled_rule **end = &r->first[program];
	while (*end)
		end = &(*end)->next;
	*end = rule;
	return 0;
}

/* "git-push" is what git itself calls its parts: the rule is about "git push" too. */
static int add_dashed(struct compiler *c, const struct strv *words, const char *text)
{
	const char *base = path_base(words->v[0]);
	size_t n = strcspn(base, "-");
	const struct multicall *multicall = exec_multicall(base, n);
	if (base[n] != '-' || base[n + 1] == '\0' || !multicall || !multicall->dashed ||
		base != words->v[0])
		return 0;
	struct strv whole = {0};
	strv_push(c->a, &whole, arena_strndup(c->a, base, n));
	strv_push(c->a, &whole, base + n + 1);
	for (size_t i = 1; i < words->n; i++)
		strv_push(c->a, &whole, words->v[i]);
	return add_pattern(c, whole.v, whole.n, text);
}

static int compile_words(struct compiler *c, const struct strv *words)
{
	if (words->n == 0)
		return fail(c->e, "exec.rules: a rule without a word");
	const char *text = arena_printf(c->a, "%s%s: %s", c->reason ? "built-in " : "",
		c->rule->allow ? "allow" : "deny", c->rule->pattern);
	if (add_dashed(c, words, text) < 0)
		return -1;
	return add_pattern(c, words->v, words->n, text);
}

static int compile_rule(struct compiler *c)
{
	if (strlen(c->rule->pattern) > MAX_PATTERN)
		return fail(c->e, "it is longer than %d bytes", MAX_PATTERN);
	struct strv words = split(c->a, c->rule->pattern);
	if (words.n == 0)
		return fail(c->e, "it is empty; name a program");
	for (size_t i = 0; i < words.n; i++)
		if (check_word(words.v[i], c->e) < 0)
			return -1;
	if (check_program(words.v[0], c->e) < 0 ||
		check_meaning(words.v[0], words.n - 1, c->rule->allow, c->e) < 0)
		return -1;
	return compile_words(c, &words);
}

/* ── The whole ───────────────────────────────────────────────────────────────────────────────── */

/* One row is each of its programs with each of its alternatives. */
static int compile_builtin(struct compiler *c, const struct builtin_rule *row)
{
	struct strv programs = split(c->a, row->program);
	c->reason = row->reason;
	for (size_t i = 0; i < programs.n; i++) {
		const char *rest = row->words;
		do {
			size_t n = strcspn(rest, "|");
			const char *words = arena_strndup(c->a, rest, n);
			struct exec_rule *rule = arena_new(c->a, struct exec_rule);
			rule->hint = row->reason;
			rule->pattern = *words ? arena_printf(c->a, "%s %s", programs.v[i], words)
					       : programs.v[i];
			c->rule = rule;
			struct strv all = split(c->a, rule->pattern);
			if (compile_words(c, &all) < 0)
				return -1;
			rest += n;
		} while (*rest++ == '|');
	}
	return 0;
}

static int compile_builtins(struct compiler *c)
{
	for (const struct builtin_rule *row = exec_builtin_rules; row->program; row++)
		if (compile_builtin(c, row) < 0)
			return -1;
	return 0;
}

/* Copies of these have to be known for what they are, also where no rule is about them. */
static int add_multicalls(struct compiler *c)
{
	for (const struct multicall *m = exec_multicalls; m->name; m++)
		if (add_program(c->r, m->name) < 0)
			return fail(c->e, "rules name more than %d programs", EXEC_MAX_PROGRAMS);
	return 0;
}

static struct exec_rules *make(const struct policy_exec *p, struct arena *a)
{
	struct exec_rules *r = arena_new(a, struct exec_rules);
	r->default_allow = p->default_allow;
	r->programs = arena_calloc(a, EXEC_MAX_PROGRAMS + 1, sizeof *r->programs);
	r->sorted = arena_calloc(a, EXEC_MAX_PROGRAMS + 1, sizeof *r->sorted);
	r->first = arena_calloc(a, EXEC_MAX_PROGRAMS + 1, sizeof(struct compiled_rule *));
	r->multicall = arena_calloc(a, EXEC_MAX_PROGRAMS + 1, sizeof(const struct multicall *));
	return r;
}

int exec_rules_compile(
	struct exec_rules **ret, const struct policy_exec *p, struct arena *a, struct error *e)
{
	struct compiler c = {.r = make(p, a), .a = a, .e = e};
	if (p->n_rules > EXEC_MAX_RULES)
		return fail(e, "exec.rules has %zu rules; at most %d are taken", p->n_rules,
			EXEC_MAX_RULES);
	if (add_multicalls(&c) < 0)
		return -1;
	for (size_t i = 0; i < p->n_rules; i++) {
		c.rule = &p->rules[i];
		if (compile_rule(&c) < 0)
			return error_wrap(e, "exec.rules: %s '%.100s'",
				c.rule->allow ? "allow" : "deny", c.rule->pattern);
	}
	if (p->builtin && compile_builtins(&c) < 0)
		return error_wrap(e, "exec.builtin");
	*ret = c.r;
	return 0;
}
