/* SPDX-License-Identifier: MIT */
#ifndef MODEL_VERDICT_EXEC_H
#define MODEL_VERDICT_EXEC_H

#include "model/facts.h"
#include "model/verdict.h"

/*
 * What an exec policy has to do with the end of a run. Both questions, as all of verdict.c's, put their "no" in
 * words where @why is not NULL.
 *
 *   certain  the program's own first exec was refused; the program was killed at the stop of an exec that was
 *            not the one judged, or with its warden in the midst of one
 *   likely   it exited with what shells say of a command that could not be executed (126, 127), after an exec
 *            had been refused, or of one that was killed (137), after one had been killed
 */
bool exec_ended_it(const struct facts *f, const char **why);
bool exec_may_have_ended_it(const struct facts *f, const char **why);

void say_exec_denied(struct verdict *v, const struct facts *f);
void say_exec_likely(struct verdict *v, const struct facts *f);

/* Killed, not refused. */
bool exec_was_killed(const struct exec_incident *i);
/* The arguments for a person, those with blanks quoted: "git commit -m 'a b'"; visible, cut; in @a. */
const char *words_command(struct arena *a, const struct strv *argv);

/* Of the list that @v has already: the incidents that the cause rests on; and what else is to be said. */
#define VERDICT_EXEC_MAX_EVIDENCE 3
size_t exec_evidence(struct evidence ret[VERDICT_EXEC_MAX_EVIDENCE], const struct verdict *v,
	const struct facts *f);
#define VERDICT_EXEC_MAX_SAID 4
size_t exec_contributing(
	const char *ret[VERDICT_EXEC_MAX_SAID], const struct verdict *v, const struct facts *f);

#endif
