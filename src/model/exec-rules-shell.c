/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/buf.h"
#include "model/exec-rules-parts.h"

/*
 * One simple command as a POSIX shell splits it (XCU 2.2, 2.3), without any expansion: where a shell would
 * put something else in the place of what is written, the answer is "not that simple".
 */
struct splitter {
	const char *p;
	struct buf word;
	bool quoted; /* some of the word was */
	struct strv *words;
	struct arena *a;
};

/* The rest of a '…'. */
static bool single_quoted(struct splitter *s)
{
	const char *end = strchr(s->p, '\'');
	if (!end)
		return false;
	buf_add(&s->word, s->p, (size_t)(end - s->p));
	s->p = end + 1;
	return true;
}

/* The rest of a "…". */
static bool double_quoted(struct splitter *s)
{
	while (*s->p && *s->p != '"') {
		if (*s->p == '$' || *s->p == '`')
			return false;
		if (*s->p == '\\' && s->p[1] && strchr("$`\"\\\n", s->p[1]))
			s->p++;
		if (*s->p != '\n' || s->p[-1] != '\\')
			buf_putc(&s->word, *s->p);
		s->p++;
	}
	return *s->p++ == '"';
}

/* What begins one, ends one, or stands for something else when it is not quoted. */
static bool is_special(const struct splitter *s, bool first)
{
	if (strchr("|&;<>()$`\n{}*?[]", *s->p))
		return true;
	return first && strchr("~#!", *s->p);
}

static bool one_part(struct splitter *s, bool first)
{
	if (is_special(s, first))
		return false;
	char c = *s->p++;
	if (c == '\'' || c == '"') {
		s->quoted = true;
		return c == '"' ? double_quoted(s) : single_quoted(s);
	}
	if (c == '\\') {
		s->quoted = true;
		if (*s->p == '\0')
			return false;
		c = *s->p++;
		if (c == '\n')
			return true;
	}
	buf_putc(&s->word, c);
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* "NAME=…" before the command, none of NAME quoted. */
static bool is_assignment(const char *begin, const char *end)
{
	static const char name[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	size_t n = strspn(begin, name);
	return n > 0 && begin + n < end && begin[n] == '=';
}

static bool one_word(struct splitter *s)
{
	const char *begin = s->p;
	buf_clear(&s->word);
	s->quoted = false;
	while (*s->p && !is_space(*s->p) && *s->p != ';' && *s->p != '\n')
		if (!one_part(s, s->p == begin))
			return false;
	if (s->words->n == 0 && is_assignment(begin, s->p))
		return true;
	if (s->word.size > 0 || s->quoted)
		strv_push(s->a, s->words, arena_strndup(s->a, buf_str(&s->word), s->word.size));
	return true;
}

static bool split(struct splitter *s)
{
	while (true) {
		while (is_space(*s->p) || (s->words->n == 0 && *s->p == '\n'))
			s->p++;
		if (*s->p == ';' || *s->p == '\n') { /* only the end may follow */
			s->p += strspn(s->p + 1, " \t\n") + 1;
			return *s->p == '\0' && s->words->n > 0;
		}
		if (*s->p == '\0')
			return s->words->n > 0;
		if (!one_word(s))
			return false;
	}
}

bool exec_shell_words(const char *text, struct arena *a, struct strv *ret)
{
	struct splitter s = {.p = text, .word = BUF_INIT, .words = ret, .a = a};
	bool simple = split(&s);
	buf_fini(&s.word);
	return simple;
}
