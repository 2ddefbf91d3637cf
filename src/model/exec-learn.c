/* SPDX-License-Identifier: MIT */
#include "model/exec-learn.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "model/exec-rules-parts.h"

#define MAX_FILES 4096 /* that are told apart; a build has some dozens */
#define SHOWN     120 /* bytes of a command in a gap */

/* A file under one name, looked at once. */
struct learned_file {
	const char *called, *executable;
	const char *program; /* what a rule names; NULL: none can */
	const char *helper; /* "status" of git-status: the subcommand that the file is; NULL */
	const char *why; /* program is NULL */
};

struct learned_program {
	const char *name;
	bool whole;
	uint64_t execs;
	struct {
		const char *word;
		uint64_t execs;
	} subs[EXEC_LEARN_MAX_SUBCOMMANDS];
	size_t n_subs;
};

struct exec_learn {
	const struct exec_learn_files *about;
	struct arena *a;
	struct learned_file *files;
	size_t n_files;
	struct learned_program *programs;
	size_t n_programs;
	struct exec_learned out;
};

struct exec_learn *exec_learn_new(const struct exec_learn_files *files, struct arena *a)
{
	struct exec_learn *l = arena_new(a, struct exec_learn);

	l->about = files;
	l->a = a;
	l->files = arena_calloc(a, MAX_FILES, sizeof *l->files);
	l->programs = arena_calloc(a, EXEC_LEARN_MAX_PROGRAMS, sizeof *l->programs);
	return l;
}

/* ---- gaps ---- */

static const char *first_words(struct exec_learn *l, const struct exec_event *event)
{
	cleanup_buf struct buf b = BUF_INIT;

	if (event->argv.n == 0)
		return "(no arguments)";
	for (size_t i = 0; i < event->argv.n && i < 3 && b.size < SHOWN; i++) {
		char kept[SHOWN + 1] = "";
		strncat(kept, event->argv.v[i], SHOWN);
		if (i > 0)
			buf_putc(&b, ' ');
		buf_put_word(&b, kept);
	}
	if (event->argc > 3)
		buf_puts(&b, " ...");
	return arena_strdup(l->a, buf_str(&b));
}

static void add_gap(struct exec_learn *l, const struct exec_event *event, const char *why)
{
	struct exec_learned *out = &l->out;
	const char *command = first_words(l, event);

	for (size_t i = 0; i < out->n_gaps; i++) {
		if (strcmp(out->gaps[i].command, command) == 0 &&
			strcmp(out->gaps[i].why, why) == 0) {
			out->gaps[i].execs++;
			return;
		}
	}
	if (out->n_gaps == EXEC_LEARN_MAX_GAPS) {
		out->more_gaps++;
		return;
	}
	out->gaps[out->n_gaps++] = (struct exec_gap){command, arena_strdup(l->a, why), 1};
}

/* ---- which program ---- */

/* True for what can stand in a rule as one word and mean itself. */
static bool is_word(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > SHOWN || strchr("-\"'", *s) || strchr("*=", s[n - 1]) ||
		exec_is_separator(s))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= 0x20 || s[i] == 0x7f)
			return false;
	return utf8_valid(s, n);
}

static bool is_program(const char *s)
{
	return is_word(s) && !exec_foreign_sign(s) && !strchr(s, '=') && *path_base(s) &&
		strcmp(path_base(s), ".") != 0 && strcmp(path_base(s), "..") != 0 &&
		!strstr(s, "//") && !strstr(s, "/./") && !strstr(s, "/../");
}

/* One name of it that a rule holds to. */
static bool try_program(struct exec_learn *l, struct learned_file *f, const char *name,
	const struct exec_event *event)
{
	if (f->program || !name || !is_program(name))
		return f->program;
	f->why = NULL;
	if (l->about->about(l->about->data, name, event, l->a, &f->why))
		f->program = arena_strdup(l->a, name);
	return f->program;
}

/* git's own parts are git, by another name: "git-status" is "git status". */
static bool is_helper(struct learned_file *f, const char *file)
{
	static const char *const dirs[] = {"/usr/lib/git-core/", "/usr/libexec/git-core/"};
	const char *base = path_base(file);

	if (strncmp(base, "git-", 4) != 0 || !is_word(base + 4))
		return false;
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		if ((size_t)(base - file) != strlen(dirs[i]) ||
			strncmp(file, dirs[i], strlen(dirs[i])) != 0)
			continue;
		f->program = "git";
		f->helper = base + 4;
		return true;
	}
	return false;
}

/* A file that is many programs goes by its own name, and what it was asked for. */
static bool is_bag(struct exec_learn *l, struct learned_file *f, const struct exec_event *event)
{
	const char *base = path_base(f->executable);
	const struct multicall *m = exec_multicall(base, strlen(base));

	if (!m || !m->bag || !try_program(l, f, base, event))
		return false;
	const char *applet = path_base(f->called);
	if (strcmp(applet, base) != 0)
		f->helper = applet;
	if (f->helper && !is_word(f->helper))
		f->program = NULL;
	return f->program;
}

static void name_file(struct exec_learn *l, struct learned_file *f, const struct exec_event *event)
{
	if (is_helper(f, f->executable) || is_bag(l, f, event) ||
		(strcmp(path_base(f->executable), "git") == 0 && is_helper(f, f->called)))
		return;
	if (try_program(l, f, path_base(f->called), event) ||
		(*f->called == '/' && try_program(l, f, f->called, event)) ||
		try_program(l, f, f->executable, event) || f->why)
		return;
	f->why = "no rule can name the file";
}

static struct learned_file *file_of(struct exec_learn *l, const struct exec_event *event)
{
	const char *called = event->called ? event->called : event->executable;

	for (size_t i = 0; i < l->n_files; i++)
		if (strcmp(l->files[i].executable, event->executable) == 0 &&
			strcmp(l->files[i].called, called) == 0)
			return &l->files[i];
	if (l->n_files == MAX_FILES)
		return NULL;
	struct learned_file *f = &l->files[l->n_files++];
	f->called = arena_strdup(l->a, called);
	f->executable = arena_strdup(l->a, event->executable);
	name_file(l, f, event);
	return f;
}

/* ---- which subcommand ---- */

/* Those that have some. To the others the first argument is what they work on. */
static bool has_subcommands(const char *program)
{
	static const char *const known[] = {"git", "docker", "nerdctl", "podman", "kubectl", "helm",
		"npm", "pnpm", "yarn", "cargo", "go", "pip", "pip3", "apt", "apt-get", "apt-cache",
		"dnf", "yum", "systemctl", "gh", "terraform", "tofu", "aws", "hg", "svn", "uv",
		"poetry", "bundle", "composer", "dotnet", "rustup"};
	const char *base = path_base(program);
	const struct multicall *m = exec_multicall(base, strlen(base));

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(base, known[i]) == 0)
			return true;
	return m && m->bag;
}

/* Options with which a program says something of itself, whatever follows, and does nothing else. */
static bool says_only(const char *option)
{
	static const char *const known[] = {"--version", "--help", "-h", "--exec-path",
		"--html-path", "--man-path", "--info-path"};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(option, known[i]) == 0)
			return true;
	return false;
}

/* The subcommand of the call; NULL: it has none that a rule could hold to. */
static const char *subcommand_of(const char *program, const struct exec_event *event)
{
	const char *const *args = event->argv.v + 1;
	size_t n = event->argv.n > 0 ? event->argv.n - 1 : 0;
	struct places places;

	if (n == 0)
		return NULL;
	exec_places(exec_option_words(path_base(program)), args, n, &places);
	if (places.v[0] < n)
		return is_word(args[places.v[0]]) ? args[places.v[0]] : NULL;
	return says_only(args[0]) ? args[0] : NULL;
}

/* ---- */

static struct learned_program *program_of(struct exec_learn *l, const char *name)
{
	for (size_t i = 0; i < l->n_programs; i++)
		if (strcmp(l->programs[i].name, name) == 0)
			return &l->programs[i];
	if (l->n_programs == EXEC_LEARN_MAX_PROGRAMS)
		return NULL;
	l->programs[l->n_programs].name = name;
	return &l->programs[l->n_programs++];
}

static void add_subcommand(struct exec_learn *l, struct learned_program *p, const char *word)
{
	for (size_t i = 0; i < p->n_subs; i++) {
		if (strcmp(p->subs[i].word, word) == 0) {
			p->subs[i].execs++;
			return;
		}
	}
	if (p->n_subs == EXEC_LEARN_MAX_SUBCOMMANDS) {
		p->whole = true;
		return;
	}
	p->subs[p->n_subs].word = arena_strdup(l->a, word);
	p->subs[p->n_subs++].execs = 1;
}

static void learn(struct exec_learn *l, const struct exec_event *event)
{
	struct learned_file *f = file_of(l, event);
	struct learned_program *p = f && f->program ? program_of(l, f->program) : NULL;

	if (!p) {
		add_gap(l, event, f && !f->program ? f->why : "there are too many programs");
		return;
	}
	const char *sub = NULL;
	if (has_subcommands(p->name)) {
		sub = f->helper ? f->helper : subcommand_of(p->name, event);
		if (!sub) {
			add_gap(l, event, "a rule without its subcommand would allow all of them");
			return;
		}
	}
	l->out.execs++;
	p->execs++;
	if (sub)
		add_subcommand(l, p, sub);
	else
		p->whole = true;
}

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

void exec_learn_add(struct exec_learn *l, const struct exec_event *event)
{
	const char *rule = event->rule ? event->rule : "";

	if (event->outcome == EXEC_FAILED)
		return;
	if (event->outcome == EXEC_KILLED)
		add_gap(l, event, "it had become something else than what was judged");
	else if (event->outcome == EXEC_REFUSED && !event->rule)
		add_gap(l, event, "it would be refused");
	else if (event->outcome == EXEC_REFUSED && !starts_with(rule, "default:"))
		add_gap(l, event, arena_printf(l->a, "it would be refused by '%s'", rule));
	else if (starts_with(rule, "allow:"))
		l->out.execs++;
	else if (!event->executable)
		add_gap(l, event, "its file is not known");
	else
		learn(l, event);
}

/* ---- */

static int by_pattern(const void *one, const void *other)
{
	const struct exec_learned_rule *x = one, *y = other;

	return strcmp(x->pattern, y->pattern);
}

void exec_learn_finish(struct exec_learn *l, struct exec_learned *ret)
{
	size_t room = 0;

	for (size_t i = 0; i < l->n_programs; i++)
		room += l->programs[i].n_subs + 1;
	l->out.rules = arena_calloc(l->a, room, sizeof *l->out.rules);
	for (size_t i = 0; i < l->n_programs; i++) {
		const struct learned_program *p = &l->programs[i];
		if (p->whole)
			l->out.rules[l->out.n_rules++] =
				(struct exec_learned_rule){p->name, p->execs};
		for (size_t k = 0; k < p->n_subs && !p->whole; k++)
			l->out.rules[l->out.n_rules++] = (struct exec_learned_rule){
				arena_printf(l->a, "%s %s", p->name, p->subs[k].word),
				p->subs[k].execs};
	}
	qsort(l->out.rules, l->out.n_rules, sizeof *l->out.rules, by_pattern);
	*ret = l->out;
}
