/* SPDX-License-Identifier: MIT */
#ifndef CLI_COMPLETION_WORDS_H
#define CLI_COMPLETION_WORDS_H

#include "base/buf.h"
#include "cli/option-table.h"

/*
 * What the completion scripts of all shells are made from. They hold no choice of their own: each is
 * a small frame around lists made from the tables. Names in the tables are of letters, digits and
 * '-'; texts are quoted.
 */

/* What completes the value of an option, or an operand. */
enum hint { HINT_NOTHING, HINT_FILE, HINT_DIR, HINT_POLICY, HINT_CHOICES, HINT_VARIABLE };
enum hint completion_hint(const struct option_spec *o);

/* The groups of commands that have two words: "box". */
#define COMPLETION_GROUPS 1
extern const char *const completion_groups[COMPLETION_GROUPS];
#define for_each_group(g)                                                                          \
	for (const char *const *g = completion_groups; g < completion_groups + COMPLETION_GROUPS;  \
		g++)

void completion_put_words(struct buf *b, const char *const *words);
/* The first words of all commands, each once; or the second ones in @group. */
void completion_put_commands(struct buf *b, const char *group);
/* @text between single quotes, for any of the three shells; "'" becomes "'\''". */
void completion_put_quoted(struct buf *b, const char *text);
void completion_put_operands(struct buf *b, enum command command);

/* The scripts. */
void completion_put_bash(struct buf *b);
void completion_put_zsh(struct buf *b);
void completion_put_fish(struct buf *b);

#endif
