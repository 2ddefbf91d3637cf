/* SPDX-License-Identifier: MIT */
#include "cli/completion.h"

#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cli/option-table.h"
#include "cli/options.h"
#include "model/policy.h"
#include "model/verdict.h"

/*
 * The scripts hold no choice of their own: each is a small frame, below, around lists made
 * from the tables. Names in the tables are of letters, digits and '-'; texts are quoted.
 */

/* What completes the value of an option, or an operand. */
enum hint { HINT_NOTHING, HINT_FILE, HINT_DIR, HINT_POLICY, HINT_CHOICES, HINT_VARIABLE };

static enum hint hint_of(const struct option_spec *o)
{
	static const enum hint by_kind[OPTION_KIND_COUNT_] = {
		[OPTION_POLICY] = HINT_POLICY,
		[OPTION_DIR] = HINT_DIR,
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

static void put_words(struct buf *b, const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		buf_printf(b, "%s%s", i ? " " : "", words[i]);
}

/* The groups of commands that have two words: "box". */
static const char *const groups[] = {"box"};
#define for_each_group(g)                                                                          \
	for (const char *const *g = groups; g < groups + sizeof(groups) / sizeof(groups[0]); g++)

/* The first words of all commands, each once; or the second ones in @group. */
static void put_command_names(struct buf *b, const char *group)
{
	for (int i = 0; i < COMMAND_COUNT_; i++) {
		const struct command_spec *c = command_spec((enum command)i);
		const char *name = group ? command_in_group(c, group) : c->name;

		if (name && !strchr(name, ' '))
			buf_printf(b, "%s ", name);
	}
	for_each_group(g) buf_printf(b, "%s", group ? "" : *g);
}

/* @text between single quotes, for any of the three shells; "'" becomes "'\''". */
static void put_quoted(struct buf *b, const char *text)
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

static void put_operand_words(struct buf *b, enum command command)
{
	if (command == COMMAND_HELP)
		put_command_names(b, NULL);
	else if (command_spec(command)->words)
		put_words(b, command_spec(command)->words);
}

/* bash */

static const char bash_head[] =
	"# bash completion for bulkhead, made by 'bulkhead completion bash'\n"
	"_bulkhead_value() {\n"
	"    case $1 in\n";

static const char bash_middle[] =
	"    --policy | --pool) COMPREPLY=($(compgen -W \"$policies\" -- \"$cur\") $(compgen -f -- "
	"\"$cur\")) ;;\n"
	"    *) COMPREPLY=() ;;\n"
	"    esac\n"
	"}\n"
	"\n"
	"_bulkhead_program() {\n"
	"    if declare -F _command_offset >/dev/null; then\n"
	"        _command_offset \"$1\"\n"
	"    elif ((COMP_CWORD == $1)); then\n"
	"        COMPREPLY=($(compgen -c -- \"$cur\"))\n"
	"    else\n"
	"        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
	"    fi\n"
	"}\n"
	"\n"
	"_bulkhead() {\n"
	"    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	"    local command=${COMP_WORDS[1]-} first=2 before= options= operands= values= policies=";

static const char bash_tail[] =
	"    esac\n"
	"    COMPREPLY=()\n"
	"    # \"--name=value\" comes as three words\n"
	"    if [[ $cur == = ]]; then cur= ; prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	"    elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}\n"
	"    fi\n"
	"    if [[ $before ]]; then\n"
	"        local i=$first word\n"
	"        while ((i < COMP_CWORD)); do\n"
	"            word=${COMP_WORDS[i]}\n"
	"            [[ $word == -- ]] && { _bulkhead_program $((i + 1)); return; }\n"
	"            if [[ $word != -* ]]; then\n"
	"                ((before == 0)) && { _bulkhead_program \"$i\"; return; }\n"
	"                ((before--, i++))\n"
	"                continue\n"
	"            fi\n"
	"            ((i++))\n"
	"            [[ ${COMP_WORDS[i]-} == = ]] && { ((i += 2)); continue; }\n"
	"            [[ \" $values \" == *\" $word \"* ]] && ((i++))\n"
	"        done\n"
	"    fi\n"
	"    if [[ \" $values \" == *\" $prev \"* ]]; then\n"
	"        _bulkhead_value \"$prev\"\n"
	"    elif [[ $cur == -* ]]; then\n"
	"        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
	"    elif [[ $before ]]; then\n"
	"        ((before == 0)) && _bulkhead_program \"$COMP_CWORD\"\n"
	"    elif [[ $command == policy && $prev == show ]]; then\n"
	"        _bulkhead_value --policy\n"
	"    elif [[ $command == policy && $prev == check ]]; then\n"
	"        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
	"    elif ((COMP_CWORD == first)); then\n"
	"        COMPREPLY=($(compgen -W \"$operands\" -- \"$cur\"))\n"
	"    fi\n"
	"}\n"
	"complete -o filenames -o bashdefault -F _bulkhead bulkhead\n";

/* The case of _bulkhead_value() for one option, if it has one. */
static void bash_put_value(struct buf *b, const struct option_spec *o)
{
	static const char *const lists[] = {
		[HINT_FILE] = "-f",
		[HINT_DIR] = "-d",
		[HINT_VARIABLE] = "-e",
		[HINT_CHOICES] = "-W ",
	};
	enum hint hint = hint_of(o);

	if (hint == HINT_NOTHING || hint == HINT_POLICY)
		return;
	buf_printf(b, "    --%s) COMPREPLY=($(compgen %s", o->name, lists[hint]);
	if (hint == HINT_CHOICES) {
		buf_putc(b, '\'');
		put_words(b, o->choices);
		buf_putc(b, '\'');
	}
	buf_puts(b, " -- \"$cur\")) ;;\n");
}

static void bash_put_command(struct buf *b, enum command command)
{
	const struct command_spec *c = command_spec(command);

	buf_printf(b, "    '%s')\n", c->name);
	if (command_takes_program(c))
		buf_printf(b, "        before=%d\n", c->operand == OPERAND_BOX_PROGRAM);
	buf_puts(b, "        options='");
	for_each_option (o, command)
		buf_printf(b, "--%s ", o->name);
	buf_puts(b, "'\n        values='");
	for_each_option (o, command)
		if (option_takes_value(o))
			buf_printf(b, "--%s ", o->name);
	buf_puts(b, "'\n        operands='");
	put_operand_words(b, command);
	buf_puts(b, "' ;;\n");
}

static void bash_put_group(struct buf *b, const char *group)
{
	buf_printf(b,
		"    if [[ $command == %s ]]; then\n"
		"        command=\"%s ${COMP_WORDS[2]-}\" first=3\n"
		"        if ((COMP_CWORD == 2)); then\n            COMPREPLY=($(compgen -W '",
		group, group);
	put_command_names(b, group);
	buf_puts(b, "--help' -- \"$cur\"))\n            return\n        fi\n    fi\n");
}

static void put_bash(struct buf *b)
{
	buf_puts(b, bash_head);
	for (size_t i = 0; i < option_table_size; i++)
		bash_put_value(b, &option_table[i]);
	buf_puts(b, bash_middle);
	buf_putc(b, '\'');
	put_words(b, policy_shipped_names());
	buf_puts(b, "'\n    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W '");
	put_command_names(b, NULL);
	buf_puts(b, " --help --version' -- \"$cur\"))\n        return\n    fi\n");
	for_each_group(g) bash_put_group(b, *g);
	buf_puts(b, "    case $command in\n");
	for (int i = 0; i < COMMAND_COUNT_; i++)
		bash_put_command(b, (enum command)i);
	buf_puts(b, bash_tail);
}

/* zsh */

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

	if (hint_of(o) != HINT_CHOICES) {
		buf_puts(b, actions[hint_of(o)]);
		return;
	}
	buf_putc(b, '(');
	put_words(b, o->choices);
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
		put_words(b, c->words);
		buf_puts(b, ")' '2:policy:_bulkhead_policies'\n");
	} else if (c->operand == OPERAND_WORD) {
		buf_puts(b, "        '1:what:(");
		put_operand_words(b, command);
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
	put_command_names(b, group);
	buf_puts(b,
		"\n      return\n    fi\n"
		"    words[1,2]=(\"$words[1] $words[2]\")\n    ((CURRENT--))\n  fi\n");
}

static void put_zsh(struct buf *b)
{
	buf_puts(b,
		"#compdef bulkhead\n# made by 'bulkhead completion zsh'\n\n"
		"_bulkhead_policies() {\n  _alternative 'policies:policy:(");
	put_words(b, policy_shipped_names());
	buf_puts(b,
		")' 'files:file:_files'\n}\n\n"
		"_bulkhead_commands() {\n  local -a commands=(\n");
	for (int i = 0; i < COMMAND_COUNT_; i++)
		zsh_put_name(b, command_spec((enum command)i));
	for_each_group(g) buf_printf(b, "    '%s:more commands'\n", *g);
	buf_puts(b,
		"  )\n  _describe command commands\n}\n\n"
		"_bulkhead() {\n"
		"  local curcontext=$curcontext state line\n"
		"  _arguments -C '(- *)--help[show the commands]' '(- *)--version[show the "
		"version]' \\\n"
		"    '1:command:_bulkhead_commands' '*::argument:->rest'\n"
		"  [[ $state == rest ]] || return\n");
	for_each_group(g) zsh_put_group(b, *g);
	buf_puts(b, "  case $words[1] in\n");
	for (int i = 0; i < COMMAND_COUNT_; i++)
		zsh_put_command(b, (enum command)i);
	buf_puts(b,
		"  esac\n}\n\n"
		"if [[ $funcstack[1] == _bulkhead ]]; then\n  _bulkhead \"$@\"\n"
		"else\n  compdef _bulkhead bulkhead\nfi\n");
}

/* fish */

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
	if (hint_of(o) == HINT_FILE || hint_of(o) == HINT_POLICY)
		buf_puts(b, " -r -F");
	else if (option_takes_value(o))
		buf_puts(b, " -x");
	if (hint_of(o) == HINT_DIR)
		buf_puts(b, " -a '(__fish_complete_directories)'");
	if (hint_of(o) == HINT_VARIABLE)
		buf_puts(b, " -a '(set -xn)'");
	if (hint_of(o) == HINT_CHOICES || hint_of(o) == HINT_POLICY) {
		buf_puts(b, " -a '");
		put_words(b, o->choices ? o->choices : policy_shipped_names());
		buf_putc(b, '\'');
	}
	buf_puts(b, " -d ");
	put_quoted(b, o->help);
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
		put_operand_words(b, command);
		buf_puts(b, "'\n");
	}
	if (command == COMMAND_POLICY) {
		buf_puts(b,
			"complete -c bulkhead -n '__bulkhead_command policy; and test (count "
			"(commandline -opc)) -eq 3' -F -a '");
		put_words(b, policy_shipped_names());
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
		put_quoted(b, c->summary);
		buf_putc(b, '\n');
	}
}

static void fish_put_name(struct buf *b, const struct command_spec *c)
{
	if (strchr(c->name, ' '))
		return;
	buf_printf(b, "complete -c bulkhead -n __bulkhead_no_command -a %s -d ", c->name);
	put_quoted(b, c->summary);
	buf_putc(b, '\n');
}

static void put_fish(struct buf *b)
{
	buf_puts(b, fish_head);
	buf_printf(b, "set -g __bulkhead_in_box %s\n", command_spec(COMMAND_EXEC)->name);
	buf_puts(b, "set -g __bulkhead_with_value");
	for_each_option (o, COMMAND_RUN)
		if (option_takes_value(o))
			buf_printf(b, " --%s", o->name);
	buf_putc(b, '\n');
	for_each_group(g) fish_put_group(b, *g);
	for (int i = 0; i < COMMAND_COUNT_; i++) {
		fish_put_name(b, command_spec((enum command)i));
		for_each_option (o, (enum command)i)
			fish_put_option(b, (enum command)i, o);
		fish_put_operands(b, (enum command)i);
	}
}

static const struct {
	const char *name;
	void (*put)(struct buf *b);
} shells[] = {
	{"bash", put_bash},
	{"zsh", put_zsh},
	{"fish", put_fish},
};

int completion_put(struct buf *b, const char *shell)
{
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (strcmp(shells[i].name, shell) == 0) {
			shells[i].put(b);
			return 0;
		}
	return -1;
}

int cli_completion(int argc, char **argv)
{
	cleanup_buf struct buf b = BUF_INIT;
	struct error e = ERROR_INIT;
	char shown[OPTION_SHOWN_SIZE];

	if (argc != 2) {
		error_set(&e, BLAME_REQUEST, 0, "usage: bulkhead completion bash|zsh|fish");
		return cli_fail(&e);
	}
	if (completion_put(&b, argv[1]) < 0) {
		error_set(&e, BLAME_REQUEST, 0,
			"no completion for '%s'; there is bash, zsh and fish",
			option_shown(argv[1], shown));
		return cli_fail(&e);
	}
	if (fd_write_all(STDOUT_FILENO, b.data, b.size) == 0)
		return 0;
	log_error("cannot write to stdout: %m");
	return EXIT_REFUSED;
}
