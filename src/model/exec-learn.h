/* SPDX-License-Identifier: MIT */
#ifndef MODEL_EXEC_LEARN_H
#define MODEL_EXEC_LEARN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/exec-event.h"

/*
 * From what a run under audit has executed to the rules that allow just that: a rule for each program, or for each
 * of its subcommands where it is one of those that have some (git, npm, docker, …). Not learned is
 *
 *   - what the run's own policy allows already by a rule: the new one extends it,
 *   - what a rule of it, or a built-in one, is against: that was meant,
 *   - what was tried and was not there,
 *   - what no rule can be about: a file that the box can write, one without a name, …
 *
 * The first and the third are passed over; the others are gaps, which are told.
 */

/* Files are looked at by who asks. */
struct exec_learn_files {
	/*
	 * True if an allow rule for @program ("git", "/usr/bin/git") would be about the file that @event executed.
	 * False: *ret_why may say in half a sentence why it cannot be: "the box can write it"; in @a.
	 */
	bool (*about)(void *data, const char *program, const struct exec_event *event,
		struct arena *a, const char **ret_why);
	void *data;
};

struct exec_learned_rule {
	const char *pattern;
	uint64_t execs;
};

struct exec_gap {
	const char *command; /* the first words of it, visible */
	const char *why;
	uint64_t execs;
};

#define EXEC_LEARN_MAX_PROGRAMS    256 /* there have to be places for those of other rules */
#define EXEC_LEARN_MAX_GAPS        64
#define EXEC_LEARN_MAX_SUBCOMMANDS 24 /* with more, the program as a whole is allowed */

struct exec_learned {
	struct exec_learned_rule *rules; /* sorted */
	size_t n_rules;
	struct exec_gap gaps[EXEC_LEARN_MAX_GAPS];
	size_t n_gaps;
	uint64_t more_gaps; /* execs of those that did not fit */
	uint64_t execs; /* that the rules are for, or that a rule of the policy allows already */
};

struct exec_learn;

/* Both arguments are borrowed. */
struct exec_learn *exec_learn_new(const struct exec_learn_files *files, struct arena *a);
/* @event may go afterwards. */
void exec_learn_add(struct exec_learn *l, const struct exec_event *event);
void exec_learn_finish(struct exec_learn *l, struct exec_learned *ret);

/* What stands in the policy besides. Texts may be hostile. */
struct exec_lesson {
	const char *id;
	const char *extends; /* the run's policy: a name, or a path */
	const char *const *argv;
	size_t argc;
	const char *const *warnings; /* sentences on what may be missing */
	size_t n_warnings;
};

/* The policy file. */
void exec_learned_format(
	struct buf *out, const struct exec_learned *learned, const struct exec_lesson *lesson);

#endif
