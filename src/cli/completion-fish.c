/* SPDX-License-Identifier: MIT */
#include "cli/completion-words.h"

#include <string.h>

#include "model/policy.h"

static const char fish_head[] =
	"# fish completion for bulkhead, made by 'bulkhead completion fish'\n"
	"function __bulkhead_command\n"
	"    set -l words (commandline -opc)\n"
	"    set -l last (math 1 + (count $argv))\n"
	"    test (count $words) -ge $last; and test \"$words[2..$last]\" = \"$argv\"\n"
	"end\n"
	"\n"
	"function __bulkhead_group\n"
	"    set -l words (commandline -opc)\n"
	"    test (count $words) -eq 2; and test $words[2] = $argv[1]\n"
	"end\n"
	"\n"
	"function __bulkhead_no_command\n"
	"    test (count (commandline -opc)) -eq 1\n"
	"end\n"
	"\n"
	"# within the options of a command, before the program that it runs\n"
	"function __bulkhead_options\n"
	"    __bulkhead_command $argv; or return 1\n"
	"    set -l words (commandline -opc)\n"
	"    set -l value no\n"
	"    set -l before 0\n"
	"    contains -- \"$argv\" $__bulkhead_in_box; and set before 1\n"
	"    for word in $words[(math 2 + (count $argv))..-1]\n"
	"        if test $value = yes\n"
	"            set value no\n"
	"        else if test \"$word\" = --\n"
	"            return 1\n"
	"        else if contains -- \"$word\" $__bulkhead_with_value\n"
	"            set value yes\n"
	"        else if not string match -q -- '-*' \"$word\"\n"
	"            test $before -gt 0; or return 1\n"
	"            set before (math $before - 1)\n"
	"        end\n"
	"    end\n"
	"    return 0\n"
	"end\n"
	"\n"
	"# where the name of the program stands\n"
	"function __bulkhead_name\n"
	"    __bulkhead_command $argv; or return 1\n"
	"    __bulkhead_options $argv; or test (commandline -opc)[-1] = --\n"
	"end\n"
	"\n"
	"function __bulkhead_program\n"
	"    __bulkhead_command $argv; and not __bulkhead_options $argv\n"
	"end\n"
	"\n"
	"complete -c bulkhead -f\n"
	"complete -c bulkhead -n __bulkhead_no_command -l help -d 'show the commands'\n"
	"complete -c bulkhead -n __bulkhead_no_command -l version -d 'show the version'\n";

static void fish_put_option(struct buf *b, enum command command, const struct option_spec *o)
{
	const char *name = command_spec(command)->name;

	buf_printf(b, "complete -c bulkhead -n '__bulkhead_options %s' -l %s", name, o->name);
	if (o->letter)
		buf_printf(b, " -s %c", o->letter);
	if (completion_hint(o) == HINT_FILE || completion_hint(o) == HINT_POLICY)
		buf_puts(b, " -r -F");
	else if (option_takes_value(o))
		buf_puts(b, " -x");
	if (completion_hint(o) == HINT_DIR)
		buf_puts(b, " -a '(__fish_complete_directories)'");
	if (completion_hint(o) == HINT_VARIABLE)
		buf_puts(b, " -a '(set -xn)'");
	if (completion_hint(o) == HINT_CHOICES || completion_hint(o) == HINT_POLICY) {
		buf_puts(b, " -a '");
		completion_put_words(b, o->choices ? o->choices : policy_shipped_names());
		buf_putc(b, '\'');
	}
	buf_puts(b, " -d ");
	completion_put_quoted(b, o->help);
	buf_putc(b, '\n');
}

static void fish_put_operands(struct buf *b, enum command command)
{
	const struct command_spec *c = command_spec(command);

	if (command_takes_program(c)) {
		buf_printf(b,
			"complete -c bulkhead -n '__bulkhead_name %s' -a "
			"'(__fish_complete_command)'\n"
			"complete -c bulkhead -n '__bulkhead_program %s' -F\n",
			c->name, c->name);
	} else if (c->operand == OPERAND_WORD) {
		buf_printf(b,
			"complete -c bulkhead -n '__bulkhead_command %s; and test (count "
			"(commandline "
			"-opc)) -eq 2' -a '",
			c->name);
		completion_put_operands(b, command);
		buf_puts(b, "'\n");
	}
	if (command == COMMAND_POLICY) {
		buf_puts(b,
			"complete -c bulkhead -n '__bulkhead_command policy; and test (count "
			"(commandline -opc)) -eq 3' -F -a '");
		completion_put_words(b, policy_shipped_names());
		buf_puts(b, "'\n");
	}
}

static void fish_put_group(struct buf *b, const char *group)
{
	buf_printf(b, "complete -c bulkhead -n __bulkhead_no_command -a %s -d 'more commands'\n",
		group);
	for (int i = 0; i < COMMAND_COUNT_; i++) {
		const struct command_spec *c = command_spec((enum command)i);
		const char *name = command_in_group(c, group);

		if (!name)
			continue;
		buf_printf(
			b, "complete -c bulkhead -n '__bulkhead_group %s' -a %s -d ", group, name);
		completion_put_quoted(b, c->summary);
		buf_putc(b, '\n');
	}
}

static void fish_put_name(struct buf *b, const struct command_spec *c)
{
	if (strchr(c->name, ' '))
		return;
	buf_printf(b, "complete -c bulkhead -n __bulkhead_no_command -a %s -d ", c->name);
	completion_put_quoted(b, c->summary);
	buf_putc(b, '\n');
}

void completion_put_fish(struct buf *b)
{
	buf_puts(b, fish_head);
	buf_printf(b, "set -g __bulkhead_in_box %s\n", command_spec(COMMAND_EXEC)->name);
	buf_puts(b, "set -g __bulkhead_with_value");
	for_each_option (o, COMMAND_RUN)
		if (option_takes_value(o))
			buf_printf(b, " --%s", o->name);
	buf_putc(b, '\n');
	for_each_group (g)
		fish_put_group(b, *g);
	for (int i = 0; i < COMMAND_COUNT_; i++) {
		fish_put_name(b, command_spec((enum command)i));
		for_each_option (o, (enum command)i)
			fish_put_option(b, (enum command)i, o);
		fish_put_operands(b, (enum command)i);
	}
}
