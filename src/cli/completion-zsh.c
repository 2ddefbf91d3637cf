/* SPDX-License-Identifier: MIT */
#include "cli/completion-words.h"

#include <string.h>

#include "model/policy.h"

/* Within an _arguments specification ':', '[' and ']' have a meaning. */
static void zsh_put_escaped(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (strchr(":[]\\", *text))
			buf_putc(b, '\\');
		if (*text == '\'')
			buf_puts(b, "'\\''");
		else
			buf_putc(b, *text);
	}
}

static void zsh_put_action(struct buf *b, const struct option_spec *o)
{
	static const char *const actions[] = {
		[HINT_NOTHING] = "",
		[HINT_FILE] = "_files",
		[HINT_DIR] = "_files -/",
		[HINT_POLICY] = "_bulkhead_policies",
		[HINT_VARIABLE] = "_parameters -g \"*export*\"",
	};

	if (completion_hint(o) != HINT_CHOICES) {
		buf_puts(b, actions[completion_hint(o)]);
		return;
	}
	buf_putc(b, '(');
	completion_put_words(b, o->choices);
	buf_putc(b, ')');
}

/* One line of _arguments: '--memory=[memory of the whole run]:SIZE:' */
static void zsh_put_option(struct buf *b, const struct option_spec *o, bool letter)
{
	buf_printf(b, "        '%s", o->repeatable ? "*" : "");
	if (letter)
		buf_printf(b, "-%c", o->letter);
	else
		buf_printf(b, "--%s%s", o->name, option_takes_value(o) ? "=" : "");
	buf_putc(b, '[');
	zsh_put_escaped(b, o->help);
	buf_putc(b, ']');
	if (option_takes_value(o)) {
		buf_putc(b, ':');
		zsh_put_escaped(b, o->metavar);
		buf_putc(b, ':');
		zsh_put_action(b, o);
	}
	buf_puts(b, "' \\\n");
}

static void zsh_put_operand(struct buf *b, enum command command)
{
	const struct command_spec *c = command_spec(command);

	if (c->operand == OPERAND_PROGRAM) {
		buf_puts(b, "        '(-):program:_command_names -e' '*::argument:_normal'\n");
	} else if (c->operand == OPERAND_BOX_PROGRAM) {
		buf_puts(b,
			"        '1:box:' '(-)2:program:_command_names -e' "
			"'*::argument:_normal'\n");
	} else if (command == COMMAND_POLICY) {
		buf_puts(b, "        '1:what:(");
		completion_put_words(b, c->words);
		buf_puts(b, ")' '2:policy:_bulkhead_policies'\n");
	} else if (c->operand == OPERAND_WORD) {
		buf_puts(b, "        '1:what:(");
		completion_put_operands(b, command);
		buf_puts(b, ")'\n");
	} else {
		buf_printf(b, "        %s\n",
			c->operand == OPERAND_RUN_ID           ? "'1:run:'"
				: c->operand == OPERAND_BOX_ID ? "'*:box:'"
							       : "");
	}
}

static void zsh_put_command(struct buf *b, enum command command)
{
	buf_printf(b, "    '%s')\n      _arguments -S \\\n", command_spec(command)->name);
	for_each_option (o, command) {
		zsh_put_option(b, o, false);
		if (o->letter)
			zsh_put_option(b, o, true);
	}
	zsh_put_operand(b, command);
	buf_puts(b, "      ;;\n");
}

static void zsh_put_name(struct buf *b, const struct command_spec *c)
{
	if (strchr(c->name, ' '))
		return;
	buf_printf(b, "    '%s:", c->name);
	zsh_put_escaped(b, c->summary);
	buf_puts(b, "'\n");
}

/* The two words of such a command become one. */
static void zsh_put_group(struct buf *b, const char *group)
{
	buf_printf(b,
		"  if [[ $words[1] == %s ]]; then\n    if ((CURRENT == 2)); then\n      compadd ",
		group);
	completion_put_commands(b, group);
	buf_puts(b,
		"\n      return\n    fi\n"
		"    words[1,2]=(\"$words[1] $words[2]\")\n    ((CURRENT--))\n  fi\n");
}

void completion_put_zsh(struct buf *b)
{
	buf_puts(b,
		"#compdef bulkhead\n# made by 'bulkhead completion zsh'\n\n"
		"_bulkhead_policies() {\n  _alternative 'policies:policy:(");
	completion_put_words(b, policy_shipped_names());
	buf_puts(b,
		")' 'files:file:_files'\n}\n\n"
		"_bulkhead_commands() {\n  local -a commands=(\n");
	for (int i = 0; i < COMMAND_COUNT_; i++)
		zsh_put_name(b, command_spec((enum command)i));
	for_each_group (g)
		buf_printf(b, "    '%s:more commands'\n", *g);
	buf_puts(b,
		"  )\n  _describe command commands\n}\n\n"
		"_bulkhead() {\n"
		"  local curcontext=$curcontext state line\n"
		"  _arguments -C '(- *)--help[show the commands]' '(- *)--version[show the "
		"version]' \\\n"
		"    '1:command:_bulkhead_commands' '*::argument:->rest'\n"
		"  [[ $state == rest ]] || return\n");
	for_each_group (g)
		zsh_put_group(b, *g);
	buf_puts(b, "  case $words[1] in\n");
	for (int i = 0; i < COMMAND_COUNT_; i++)
		zsh_put_command(b, (enum command)i);
	buf_puts(b,
		"  esac\n}\n\n"
		"if [[ $funcstack[1] == _bulkhead ]]; then\n  _bulkhead \"$@\"\n"
		"else\n  compdef _bulkhead bulkhead\nfi\n");
}
