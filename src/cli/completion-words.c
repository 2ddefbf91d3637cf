/* SPDX-License-Identifier: MIT */
#include "cli/completion-words.h"

#include <string.h>

const char *const completion_groups[COMPLETION_GROUPS] = {"box"};

enum hint completion_hint(const struct option_spec *o)
{
	static const enum hint by_kind[OPTION_KIND_COUNT_] = {
		[OPTION_POLICY] = HINT_POLICY,
		[OPTION_DIR] = HINT_DIR,
		[OPTION_FILE] = HINT_FILE,
		[OPTION_VERDICT] = HINT_FILE,
		[OPTION_OWN_PATH] = HINT_FILE,
		[OPTION_OWN_POLICY] = HINT_POLICY,
		[OPTION_BIND] = HINT_FILE,
		[OPTION_HIDE] = HINT_FILE,
		[OPTION_TMPFS] = HINT_DIR,
		[OPTION_ENV] = HINT_VARIABLE,
		[OPTION_UNSET] = HINT_VARIABLE,
	};

	return o->choices ? HINT_CHOICES : by_kind[o->kind];
}

void completion_put_words(struct buf *b, const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		buf_printf(b, "%s%s", i ? " " : "", words[i]);
}

void completion_put_commands(struct buf *b, const char *group)
{
	for (int i = 0; i < COMMAND_COUNT_; i++) {
		const struct command_spec *c = command_spec((enum command)i);
		const char *name = group ? command_in_group(c, group) : c->name;

		if (name && !strchr(name, ' '))
			buf_printf(b, "%s ", name);
	}
	for_each_group (g)
		buf_printf(b, "%s", group ? "" : *g);
}

void completion_put_quoted(struct buf *b, const char *text)
{
	buf_putc(b, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_puts(b, "'\\''");
		else
			buf_putc(b, *text);
	}
	buf_putc(b, '\'');
}

void completion_put_operands(struct buf *b, enum command command)
{
	if (command == COMMAND_HELP)
		completion_put_commands(b, NULL);
	else if (command_spec(command)->words)
		completion_put_words(b, command_spec(command)->words);
}
