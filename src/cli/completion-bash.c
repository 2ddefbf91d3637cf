/* SPDX-License-Identifier: MIT */
#include "cli/completion-words.h"

#include <string.h>

#include "model/policy.h"

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
	"    elif [[ $command == policy && ( $prev == show || $prev == match ) ]]; then\n"
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
	enum hint hint = completion_hint(o);

	if (hint == HINT_NOTHING || hint == HINT_POLICY)
		return;
	buf_printf(b, "    --%s) COMPREPLY=($(compgen %s", o->name, lists[hint]);
	if (hint == HINT_CHOICES) {
		buf_putc(b, '\'');
		completion_put_words(b, o->choices);
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
	completion_put_operands(b, command);
	buf_puts(b, "' ;;\n");
}

static void bash_put_group(struct buf *b, const char *group)
{
	buf_printf(b,
		"    if [[ $command == %s ]]; then\n"
		"        command=\"%s ${COMP_WORDS[2]-}\" first=3\n"
		"        if ((COMP_CWORD == 2)); then\n            COMPREPLY=($(compgen -W '",
		group, group);
	completion_put_commands(b, group);
	buf_puts(b, "--help' -- \"$cur\"))\n            return\n        fi\n    fi\n");
}

void completion_put_bash(struct buf *b)
{
	buf_puts(b, bash_head);
	for (size_t i = 0; i < option_table_size; i++)
		bash_put_value(b, &option_table[i]);
	buf_puts(b, bash_middle);
	buf_putc(b, '\'');
	completion_put_words(b, policy_shipped_names());
	buf_puts(b, "'\n    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W '");
	completion_put_commands(b, NULL);
	buf_puts(b, " --help --version' -- \"$cur\"))\n        return\n    fi\n");
	for_each_group (g)
		bash_put_group(b, *g);
	buf_puts(b, "    case $command in\n");
	for (int i = 0; i < COMMAND_COUNT_; i++)
		bash_put_command(b, (enum command)i);
	buf_puts(b, bash_tail);
}
