/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "base/json-text.h"
#include "model/exec-learn.h"

#define WORDS_SHOWN 20
#define WORD_SHOWN  200

static void put_command(struct buf *out, const struct exec_lesson *lesson)
{
	for (size_t i = 0; i < lesson->argc && i < WORDS_SHOWN; i++) {
		char kept[WORD_SHOWN + 1] = "";
		strncat(kept, lesson->argv[i], WORD_SHOWN);
		buf_putc(out, ' ');
		buf_put_word(out, kept);
	}
	if (lesson->argc > WORDS_SHOWN)
		buf_puts(out, " ...");
}

/* A comment ends with its line, so nothing that would end a line may be in it. */
static void put_comment(struct buf *out, const char *text)
{
	buf_puts(out, "# ");
	buf_put_visible(out, text, strlen(text));
	buf_putc(out, '\n');
}

static void put_gaps(struct buf *out, const struct exec_learned *learned)
{
	if (learned->n_gaps == 0)
		return;
	buf_puts(out, "#\n# Executed, and not allowed here:\n");
	for (size_t i = 0; i < learned->n_gaps; i++) {
		const struct exec_gap *gap = &learned->gaps[i];
		buf_puts(out, "#   ");
		buf_puts(out, gap->command); /* visible */
		buf_puts(out, ": ");
		buf_put_visible(out, gap->why, strlen(gap->why));
		if (gap->execs > 1)
			buf_printf(out, " (%" PRIu64 " times)", gap->execs);
		buf_putc(out, '\n');
	}
	if (learned->more_gaps > 0)
		buf_printf(out, "#   and %" PRIu64 " more\n", learned->more_gaps);
}

/* A string of JSON is one of YAML, if it is valid UTF-8. */
static void put_string(struct buf *out, const char *s)
{
	json_put_string(out, s, strlen(s));
}

void exec_learned_format(
	struct buf *out, const struct exec_learned *learned, const struct exec_lesson *lesson)
{
	buf_puts(out, "# What this run has executed is allowed, and nothing else:\n#  ");
	put_command(out, lesson);
	buf_puts(out, "\n# It was learned by bulkhead run --learn, from run ");
	buf_puts(out, lesson->id);
	buf_puts(out, ". Read it before it is used.\n");
	for (size_t i = 0; i < lesson->n_warnings; i++)
		put_comment(out, lesson->warnings[i]);
	put_gaps(out, learned);
	buf_puts(out, "extends: ");
	put_string(out, lesson->extends);
	buf_puts(out, "\nexec:\n  mode: enforce\n  default: deny\n  rules:");
	if (learned->n_rules == 0)
		buf_puts(out, " []");
	buf_putc(out, '\n');
	for (size_t i = 0; i < learned->n_rules; i++) {
		buf_puts(out, "    - allow: ");
		put_string(out, learned->rules[i].pattern);
		buf_putc(out, '\n');
	}
}
