/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/path.h"
#include "model/exec-rules-parts.h"

/*
 * Programs that start what their arguments name. To look through them is a kindness: the refusal comes early and
 * names what was meant. What they start is judged when it is executed, so what is not understood here is let be.
 * Only the file that an interpreter reads is judged nowhere else.
 */
enum wrapper_kind { WRAP_PLAIN, WRAP_ENV, WRAP_SHELL, WRAP_INTERPRETER, WRAP_FIND };

struct wrapper {
	const char *names; /* separated by blanks */
	enum wrapper_kind kind;
	unsigned skip; /* operands before the command */
	const char *code; /* INTERPRETER: options after which there is no file */
};

static const struct wrapper wrappers[] = {
	{"nice ionice nohup setsid stdbuf time sudo doas xargs unshare nsenter eatmydata fakeroot "
	 "command exec ccache setarch linux32 linux64",
		WRAP_PLAIN},
	{"timeout chrt taskset flock chroot", WRAP_PLAIN, .skip = 1},
	{"env", WRAP_ENV},
	{"sh bash dash ash rbash ksh mksh zsh", WRAP_SHELL},
	{"python pypy", WRAP_INTERPRETER, .code = "cm"},
	{"perl", WRAP_INTERPRETER, .code = "eE"},
	{"ruby lua luajit", WRAP_INTERPRETER, .code = "e"},
	{"node nodejs", WRAP_INTERPRETER, .code = "ep"},
	{"php", WRAP_INTERPRETER, .code = "rBRFE"},
	{"tclsh guile Rscript", WRAP_INTERPRETER, .code = "ce"},
	{"find", WRAP_FIND},
};

struct finder {
	const struct wrapper *wrapper;
	const struct option_words *known;
	const char *name;
	const char *const *args; /* after the wrapper's name; args[-1] is that */
	size_t n_args;
	struct arena *a;
	struct nested *ret;
	size_t n, max;
};

static bool in_list(const char *list, const char *name, size_t size)
{
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, " ");
		if (n == size && memcmp(p, name, n) == 0)
			return true;
		p += n + strspn(p + n, " ");
	}
	return false;
}

/* "python3.11" is "python". */
static size_t unversioned(const char *name)
{
	size_t n = strlen(name), digits = n;
	while (digits > 0 && strchr("0123456789.", name[digits - 1]))
		digits--;
	return digits > 0 ? digits : n;
}

static const struct wrapper *find_wrapper(const char *name)
{
	for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
		const struct wrapper *w = &wrappers[i];
		size_t n = w->kind == WRAP_INTERPRETER ? unversioned(name) : strlen(name);
		if (in_list(w->names, name, n))
			return w;
	}
	return NULL;
}

/* Borrowed from the call, from @at on. */
static void put(struct finder *f, size_t at, bool is_file)
{
	if (at >= f->n_args || f->n == f->max || *f->args[at] == '\0')
		return;
	f->ret[f->n++] = (struct nested){f->name, is_file,
		{.v = (const char **)f->args + at, .n = f->n_args - at, .room = 0}};
}

static void put_words(struct finder *f, const char *wrapper, const struct strv *words)
{
	if (f->n < f->max && words->n > 0 && *words->v[0])
		f->ret[f->n++] = (struct nested){wrapper, false, *words};
}

/* "NAME=value" */
static bool is_assignment(const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	return n > 0 && word[n] == '=';
}

static void find_plain(struct finder *f, const struct places *places)
{
	size_t end = 0;
	for (size_t i = 0; i < places->n && f->n < f->max; i++) {
		if (places->v[i] < end) /* among assignments that were passed over */
			continue;
		end = places->v[i];
		while (end < f->n_args && is_assignment(f->args[end])) /* sudo */
			end++;
		put(f, end + f->wrapper->skip, false);
	}
}

/* What -S is to be split: "-S words", "-Swords", "-vS words", --split-string=words. */
static const char *split_string(const struct finder *f, size_t at, size_t *ret_next)
{
	static const char name[] = "--split-string";
	const char *word = f->args[at];
	const char *next = at + 1 < f->n_args ? f->args[at + 1] : NULL;
	size_t flags = *word == '-' ? strspn(word + 1, "i0v") + 1 : 0;
	*ret_next = at + 1;
	if (strncmp(word, name, sizeof name - 1) == 0 && word[sizeof name - 1] == '=')
		return word + sizeof name;
	if (strcmp(word, name) != 0 && (flags == 0 || word[flags] != 'S'))
		return NULL;
	if (flags > 0 && word[flags] == 'S' && word[flags + 1] != '\0')
		return word + flags + 1;
	*ret_next = at + 2;
	return next;
}

/* The words of -S take its place: another call of env. */
static void find_split(struct finder *f, size_t n_options)
{
	for (size_t i = 0; i < n_options && i < f->n_args && f->n < f->max && f->args[i]; i++) {
		size_t next;
		struct strv words = {0}, whole = {0};
		const char *text = split_string(f, i, &next);
		if (!text || !exec_shell_words(text, f->a, &words))
			continue;
		size_t rest = next < f->n_args ? f->n_args - next : 0;
		whole.v = arena_calloc(f->a, 1 + words.n + rest, sizeof *whole.v);
		whole.v[whole.n++] = "env";
		for (size_t j = 0; j < words.n; j++)
			whole.v[whole.n++] = words.v[j];
		for (size_t j = 0; j < rest; j++)
			whole.v[whole.n++] = f->args[next + j];
		put_words(f, "env -S", &whole);
		return;
	}
}

static void find_env(struct finder *f, const struct places *places)
{
	size_t end = 0;
	for (size_t i = 0; i < places->n && f->n < f->max; i++) {
		if (places->v[i] < end) /* among assignments that were passed over */
			continue;
		end = places->v[i];
		if (end < f->n_args && strcmp(f->args[end], "-") == 0)
			end++;
		while (end < f->n_args && strchr(f->args[end], '='))
			end++;
		put(f, end, false);
	}
	find_split(f, places->v[places->n - 1]);
}

/* Is one of the letters @letters an option between @from and @place? */
static bool has_letter(const struct finder *f, size_t from, size_t place, const char *letters)
{
	for (size_t i = from; i < place && i < f->n_args; i++)
		if (*f->args[i] == '-' && f->args[i][1] != '-' && strpbrk(f->args[i], letters))
			return true;
	return false;
}

static void find_shell(struct finder *f, const struct places *places)
{
	size_t from = 0;
	bool code = false;
	for (size_t i = 0; i < places->n && f->n < f->max; i++) {
		struct strv words = {0};
		size_t at = places->v[i];
		code = code || has_letter(f, from, at, "c");
		from = at;
		if (!code)
			put(f, at, true);
		else if (at < f->n_args && exec_shell_words(f->args[at], f->a, &words))
			put_words(f, arena_printf(f->a, "%.60s -c", f->name), &words);
	}
}

static void find_interpreter(struct finder *f, const struct places *places)
{
	size_t from = 0;
	for (size_t i = 0; i < places->n; i++) {
		if (has_letter(f, from, places->v[i], f->wrapper->code))
			return;
		from = places->v[i];
		put(f, from, true);
	}
}

/* `find … -exec COMMAND … ;`: each of them. */
static void find_find(struct finder *f, const struct places *places)
{
	static const char verbs[] = "-exec -execdir -ok -okdir";
	(void)places;
	for (size_t i = 0; i < f->n_args && f->n < f->max; i++) {
		if (!in_list(verbs, f->args[i], strlen(f->args[i])))
			continue;
		size_t begin = ++i;
		while (i < f->n_args && strcmp(f->args[i], ";") != 0 &&
			!(strcmp(f->args[i], "+") == 0 && strcmp(f->args[i - 1], "{}") == 0))
			i++;
		if (begin < i && *f->args[begin])
			f->ret[f->n++] = (struct nested){"find -exec", false,
				{.v = (const char **)f->args + begin, .n = i - begin, .room = 0}};
	}
}

static void (*const finders[])(struct finder *f, const struct places *places) = {
	[WRAP_PLAIN] = find_plain,
	[WRAP_ENV] = find_env,
	[WRAP_SHELL] = find_shell,
	[WRAP_INTERPRETER] = find_interpreter,
	[WRAP_FIND] = find_find,
};

static void look_through(struct finder *f, const char *name)
{
	struct places places;
	f->wrapper = find_wrapper(name);
	if (!f->wrapper)
		return;
	f->name = arena_strdup(f->a, name);
	f->known = exec_option_words(name);
	if (!f->known && f->wrapper->kind == WRAP_INTERPRETER)
		f->known = exec_option_words(arena_strndup(f->a, name, unversioned(name)));
	exec_places(f->known, f->args, f->n_args, &places);
	finders[f->wrapper->kind](f, &places);
}

/* busybox, toybox: the applet may be a wrapper. */
static bool is_bag(const char *name)
{
	const struct multicall *m = exec_multicall(name, strlen(name));
	return m && m->bag;
}

size_t exec_nested(const struct call *call, struct arena *a, struct nested *ret, size_t max)
{
	const char *argv0 = path_base(call->argv[0]);
	const char *names[] = {
		call->file->called ? path_base(call->file->called) : argv0,
		call->file->path ? path_base(call->file->path) : argv0,
		*argv0 == '-' ? argv0 + 1 : argv0,
	};
	struct finder f = {.a = a, .ret = ret, .max = max};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *name = names[i];
		size_t skip = 1;
		while (is_bag(name) && skip < call->argc)
			name = path_base(call->argv[skip++]);
		f.args = call->argv + skip;
		f.n_args = call->argc - skip;
		look_through(&f, name);
		if (f.wrapper)
			break;
	}
	return f.n;
}
