/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <string.h>

#include "base/path.h"
#include "model/exec-rules-parts.h"

/*
 * What a call may be named. For a deny rule every name counts that the file or its caller gives; for an
 * allow rule the file itself, called by its own name where the name chooses what it does.
 */

const struct multicall exec_multicalls[] = {
	{"busybox", .first_argument = true, .bag = true},
	{"toybox", .first_argument = true, .bag = true},
	{"coreutils", .first_argument = true, .falls_through = "--coreutils-prog", .bag = true},
	{"sbase-box", .first_argument = true, .bag = true},
	{"ubase-box", .first_argument = true, .bag = true},
	{"systemctl", .applets = "halt poweroff reboot shutdown telinit runlevel init"},
	{"kmod", .first_argument = true},
	{"lvm", .first_argument = true, .falls_through = ""},
	{"xtables-nft-multi", .first_argument = true, .falls_through = ""},
	{"xtables-legacy-multi", .first_argument = true, .falls_through = ""},
	{"killall5"},
	{"rustup"},
	{"git", .dashed = true},
	{0},
};

const struct multicall *exec_multicall(const char *name, size_t size)
{
	for (const struct multicall *m = exec_multicalls; m->name; m++)
		if (strlen(m->name) == size && memcmp(m->name, name, size) == 0)
			return m;
	return NULL;
}

static const char *const interpreters[] = {"python", "pypy", "perl", "ruby", "node", "nodejs",
	"php", "lua", "luajit", "tclsh", "wish", "expect", "guile", "Rscript", "bash", "rbash",
	"sh", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "awk", "gawk", "mawk",
	"nawk", NULL};

/* With a version after it, too: python3.11, lua5.4. */
bool exec_is_interpreter(const char *name, size_t size)
{
	for (const char *const *known = interpreters; *known; known++) {
		size_t n = strlen(*known);
		if (size >= n && memcmp(name, *known, n) == 0 &&
			strspn(name + n, "0123456789.-") >= size - n)
			return true;
	}
	return false;
}

/* ── Readings ────────────────────────────────────────────────────────────────────────────────── */

struct readings {
	const struct exec_rules *r;
	const struct call *call;
	struct arena *a;
	struct reading *v;
	size_t n, room;
	const struct multicall *multicall; /* what the file is, told by the file; NULL: none */
};

static bool has(const struct exec_programs *set, unsigned i)
{
	return set->bits[i / 64] >> (i % 64) & 1;
}

static bool same(const struct reading *x, const struct reading *y)
{
	return x->program == y->program && x->args == y->args && x->n_args == y->n_args;
}

static void push(struct readings *s, const struct reading *reading)
{
	if (!s->r->first[reading->program])
		return;
	for (size_t i = 0; i < s->n; i++)
		if (same(&s->v[i], reading)) {
			s->v[i].exact = s->v[i].exact || reading->exact;
			return;
		}
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 8;
		struct reading *v = arena_calloc(s->a, room, sizeof *v);
		if (s->n > 0)
			memcpy(v, s->v, s->n * sizeof *v);
		s->v = v;
		s->room = room;
	}
	s->v[s->n++] = *reading;
}

/* What the caller says that it is: what applets go by. A login shell's begins with a '-'. */
static const char *applet_of(const struct readings *s)
{
	const char *base = path_base(s->call->argv[0]);
	return *base == '-' ? base + 1 : base;
}

/*
 * An allow rule is about this file itself; and where argv[0] chooses what the file does, about that. Else
 * "ls" would be allowed to be "reboot", and `git-push status` to be `git status`.
 */
static bool is_exact(const struct readings *s, unsigned program, const char *applet)
{
	const struct exec_file *file = s->call->file;
	if (file->writable || !has(&file->exactly, program))
		return false;
	return !s->multicall || strcmp(path_base(s->r->programs[program]), applet) == 0;
}

/* The reading of a program with the arguments of the call from @skip on. */
static struct reading make(
	const struct readings *s, unsigned program, enum reading_by by, size_t skip, bool exact)
{
	if (skip > s->call->argc)
		skip = s->call->argc;
	return (struct reading){
		.program = (uint16_t)program,
		.by = by,
		.exact = exact,
		.args = s->call->argv + skip,
		.n_args = s->call->argc - skip,
		.shift = (int)skip,
	};
}

/* @name as a program. */
static void add_name(struct readings *s, const char *name, size_t size, enum reading_by by)
{
	int program = exec_rules_program(s->r, name, size);
	if (program < 0)
		return;
	struct reading reading =
		make(s, (unsigned)program, by, 1, is_exact(s, (unsigned)program, applet_of(s)));
	push(s, &reading);
}

/* The arguments of the call with @first before them. */
static void put_first(struct readings *s, struct reading *reading, const char *first)
{
	const char **args = arena_calloc(s->a, s->call->argc + 1, sizeof *args);
	args[0] = first;
	memcpy(args + 1, s->call->argv + 1, (s->call->argc - 1) * sizeof *args);
	reading->args = args;
	reading->n_args = s->call->argc;
	reading->shift = 0;
}

/* "git-push" as "git push", with the arguments of the call. */
static void add_dashed(struct readings *s, const char *name, enum reading_by by, bool exact)
{
	size_t n = strcspn(name, "-");
	const struct multicall *multicall = exec_multicall(name, n);
	int program = exec_rules_program(s->r, name, n);
	if (name[n] != '-' || name[n + 1] == '\0' || !multicall || !multicall->dashed ||
		program < 0)
		return;
	struct reading reading = make(s, (unsigned)program, by, 1, exact);
	put_first(s, &reading, name + n + 1);
	push(s, &reading);
}

/* By the name alone, also of a file that is nothing known. */
static void add_names(struct readings *s, const char *name, enum reading_by by)
{
	const char *base = path_base(name);
	if (*base == '-' && by == BY_ARGV0)
		base++;
	add_name(s, base, strlen(base), by);
	if (base != name)
		add_name(s, name, strlen(name), by);
	add_dashed(s, base, by, false);
}

/* Names that are in argv[0] somewhere: systemctl looks for them with strstr(3). */
static void add_substrings(struct readings *s, const char *applets)
{
	const char *applet = applet_of(s);
	for (const char *p = applets; *p;) {
		size_t n = strcspn(p, " ");
		if (memmem(applet, strlen(applet), p, n))
			add_name(s, p, n, BY_APPLET);
		p += n + strspn(p + n, " ");
	}
}

/* `busybox ls`, `busybox busybox ls`, `coreutils --coreutils-prog=ls`: the applet is an argument. */
static void add_first_argument(struct readings *s, const char *name, bool may_be_exact)
{
	static const char prog[] = "--coreutils-prog";
	const char *word = "";
	size_t i = 0;
	while (++i < s->call->argc) {
		word = path_base(s->call->argv[i]);
		if (strncmp(word, name, strlen(name)) != 0)
			break;
	}
	if (strncmp(word, prog, sizeof prog - 1) == 0 && strchr(word, '='))
		word = strchr(word, '=') + 1;
	int program = exec_rules_program(s->r, word, strlen(word));
	if (i >= s->call->argc || program < 0)
		return;
	struct reading reading = make(s, (unsigned)program, BY_APPLET, i + 1,
		may_be_exact && is_exact(s, (unsigned)program, word));
	push(s, &reading);
}

/*
 * `foo iptables`, where the file knows no foo. Which names it does know is not known here, so that this is for
 * deny rules only.
 */
static void add_fallen_through(struct readings *s, const struct multicall *m)
{
	const struct call *call = s->call;
	const char *begin = m->falls_through;
	if (begin && call->argc > 1 && strncmp(call->argv[1], begin, strlen(begin)) == 0)
		add_first_argument(s, m->name, false);
}

/*
 * One that says it is a busybox and is none that we know: the box has brought its own. What it is told to be it may be;
 * and since nothing but its word is for that, it is so to be denied only.
 */
static void add_unknown_bag(struct readings *s)
{
	const char *applet = applet_of(s);
	for (const struct multicall *m = exec_multicalls; m->name; m++) {
		size_t n = strlen(m->name);
		if (m->bag && strncmp(applet, m->name, n) == 0 &&
			!isalpha((unsigned char)applet[n]))
			add_first_argument(s, m->name, false);
	}
}

/* Is argv[0] a name of git's for one of its parts? It takes no '-' off before it looks. */
static bool is_part(const struct readings *s)
{
	const struct multicall *m = s->multicall;
	const char *base = path_base(s->call->argv[0]);
	size_t n = strlen(m->name);
	return m->dashed && strncmp(base, m->name, n) == 0 && base[n] == '-';
}

/*
 * A file that is many programs: its inode does not tell which. `busybox ls` and `ls` are also "busybox" with the
 * argument "ls", so that rules can be about either.
 */
static void add_multicall(struct readings *s, unsigned program)
{
	const struct multicall *m = s->multicall;
	const char *applet = applet_of(s);
	bool own = strncmp(applet, m->name, strlen(m->name)) == 0;
	bool exact = !s->call->file->writable && has(&s->call->file->exactly, program);
	enum reading_by by = has(&s->call->file->exactly, program) ? BY_FILE : BY_COPY;
	struct reading reading = make(s, program, by, 1, is_exact(s, program, applet));
	if (m->applets)
		add_substrings(s, m->applets);
	if (m->first_argument && own)
		add_first_argument(s, m->name, true);
	else
		add_fallen_through(s, m);
	if (m->bag && !own) {
		put_first(s, &reading, applet);
		reading.exact = exact;
	}
	if (is_part(s))
		add_dashed(s, applet, BY_APPLET, exact);
	else
		push(s, &reading);
}

static void add_file(struct readings *s, unsigned program)
{
	if (s->multicall && s->r->multicall[program]) {
		add_multicall(s, program);
		return;
	}
	const char *applet = applet_of(s);
	if (s->multicall && strcmp(path_base(s->r->programs[program]), applet) != 0)
		return;
	enum reading_by by = has(&s->call->file->exactly, program) ? BY_FILE : BY_COPY;
	struct reading reading = make(s, program, by, 1, is_exact(s, program, applet));
	push(s, &reading);
}

/* By what the file is. */
static void add_files(struct readings *s)
{
	const struct exec_programs *is = &s->call->file->is;
	for (unsigned word = 0; word < EXEC_MAX_PROGRAMS / 64; word++)
		for (uint64_t rest = is->bits[word]; rest; rest &= rest - 1) {
			unsigned program = word * 64 + (unsigned)__builtin_ctzll(rest);
			if (program < s->r->n_programs)
				add_file(s, program);
		}
}

/* Told by the file, never by a name: a name would make it ignore what the file is. */
static const struct multicall *multicall_of(
	const struct exec_rules *r, const struct exec_file *file)
{
	for (unsigned word = 0; word < EXEC_MAX_PROGRAMS / 64; word++) {
		uint64_t both = r->multicalls.bits[word] & file->is.bits[word];
		if (both)
			return r->multicall[word * 64 + (unsigned)__builtin_ctzll(both)];
	}
	return NULL;
}

/* git's own parts, in the directory that it was built with: what git is allowed, they are. */
static void add_helper(struct readings *s)
{
	static const char *const dirs[] = {"/usr/lib/git-core/", "/usr/libexec/git-core/"};
	const struct exec_file *file = s->call->file;
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		size_t n = strlen(dirs[i]);
		if (file->path && !file->writable && strncmp(file->path, dirs[i], n) == 0 &&
			!strchr(file->path + n, '/'))
			add_dashed(s, file->path + n, BY_HELPER, true);
	}
}

size_t exec_readings(const struct exec_rules *r, const struct call *call, struct arena *a,
	const struct reading **ret)
{
	struct readings s = {.r = r, .call = call, .a = a};
	const struct exec_file *file = call->file;
	s.multicall = multicall_of(r, file);
	if (file->called)
		add_names(&s, file->called, BY_CALLED);
	if (file->path && (!s.multicall || strchr(path_base(file->path), '-')))
		add_names(&s, file->path, BY_PATH);
	add_names(&s, call->argv[0], BY_ARGV0);
	add_files(&s);
	if (!s.multicall) {
		add_unknown_bag(&s);
		add_helper(&s);
	}
	*ret = s.v;
	return s.n;
}
