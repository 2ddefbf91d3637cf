/* SPDX-License-Identifier: MIT */
#include "model/verdict-exec.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/buf.h"
#include "model/verdict-say.h"
#include "model/words.h"

#define WORD_SHOWN           100
#define COMMAND_SHOWN        300
#define TEXT_SHOWN           300

#define SHELL_NOT_EXECUTABLE 126
#define SHELL_NOT_FOUND      127
#define SHELL_KILLED         (128 + SIGKILL)

/* False; and the reason, for whoever asked for it. */
#define NO(f, why, ...) ((why) ? (*(why) = arena_printf((f)->a, __VA_ARGS__), false) : false)

bool exec_was_killed(const struct exec_incident *i)
{
	return i->known && (i->real_executable || i->real_argv.n > 0);
}

static bool was_refused(const struct exec_incident *i)
{
	return i->known && !exec_was_killed(i);
}

/* ---- words ---- */

static void put_word(struct buf *b, const char *word)
{
	size_t size = strnlen(word, WORD_SHOWN + 1);
	bool plain = size > 0 && !strpbrk(word, " \t\n'\"\\$;&|<>()*?[]`");

	if (!plain)
		buf_putc(b, '\'');
	buf_put_visible(b, word, size > WORD_SHOWN ? WORD_SHOWN : size);
	if (size > WORD_SHOWN)
		buf_puts(b, "…");
	if (!plain)
		buf_putc(b, '\'');
}

const char *words_command(struct arena *a, const struct strv *argv)
{
	cleanup_buf struct buf b = BUF_INIT;

	for (size_t i = 0; i < argv->n && b.size <= COMMAND_SHOWN; i++) {
		if (i > 0)
			buf_putc(&b, ' ');
		put_word(&b, argv->v[i]);
		if (b.size > COMMAND_SHOWN && i + 1 < argv->n)
			buf_puts(&b, " …");
	}
	return arena_strdup(a, buf_str(&b));
}

static const char *text(const struct facts *f, const char *s)
{
	return words_visible(f->a, s, TEXT_SHOWN);
}

static const char *command(const struct facts *f, const struct exec_incident *i)
{
	const char *words = words_command(f->a, &i->argv);
	return *words ? words : i->called ? text(f, i->called) : "a program";
}

/* What ran instead, or would have. */
static const char *real_command(const struct facts *f, const struct exec_incident *i)
{
	const char *words = words_command(f->a, &i->real_argv);
	const char *file = i->real_executable ? text(f, i->real_executable) : "a file not known";
	return *words ? arena_printf(f->a, "%s (%s)", words, file) : file;
}

static const char *rule_and_hint(const struct facts *f, const struct exec_incident *i)
{
	return arena_printf(f->a, "%s%s%s%s", i->rule ? " by the rule " : "",
		i->rule ? arena_printf(f->a, "'%s'", text(f, i->rule)) : "", i->hint ? "; " : "",
		i->hint ? text(f, i->hint) : "");
}

static const char *times(const struct facts *f, uint64_t n, const char *one)
{
	return n == 1 ? arena_printf(f->a, "1 %s was", one)
		      : arena_printf(f->a, "%llu %ss were", (unsigned long long)n, one);
}

/* ---- questions ---- */

static bool no_policy(const struct facts *f, const char **why)
{
	return f->o->exec.mode == EXEC_AUDIT
		? NO(f, why, "its exec policy was in mode audit, which refuses nothing")
		: NO(f, why, "there was no exec policy");
}

/* The warden takes along those whom it was just letting through: the kernel kills them for it. */
static bool died_with_warden(const struct facts *f)
{
	const struct observed_exec *x = &f->o->exec;
	const struct killer *k = &f->o->killer;

	return x->warden_lost && f->signal == SIGKILL && x->warden_pid > 0 &&
		k->known == KILLER_OUTSIDE && k->pid == x->warden_pid;
}

static bool killed_at_stop(const struct facts *f)
{
	const struct exec_incident *i = &f->o->exec.payload;

	return f->signal == SIGKILL && exec_was_killed(i) &&
		!(f->kill && f->kill->at_us < i->at_us);
}

bool exec_ended_it(const struct facts *f, const char **why)
{
	const struct observed_exec *x = &f->o->exec;

	if (x->mode != EXEC_ENFORCE)
		return no_policy(f, why);
	if (f->setup == SETUP_EXEC && f->o->setup.errnum == EPERM && was_refused(&x->payload))
		return true;
	if (killed_at_stop(f) || died_with_warden(f))
		return true;
	return NO(f, why, "the exec policy neither refused the program itself nor killed it: it %s",
		f->wait == WAIT_NEVER_STARTED ? "failed otherwise" : words_end(f));
}

bool exec_may_have_ended_it(const struct facts *f, const char **why)
{
	const struct observed_exec *x = &f->o->exec;
	bool shell = f->code == SHELL_NOT_EXECUTABLE || f->code == SHELL_NOT_FOUND;

	if (x->mode != EXEC_ENFORCE)
		return no_policy(f, why);
	if (f->wait != WAIT_EXITED)
		return NO(f, why, "it did not exit: it %s", words_end(f));
	if ((shell && x->refused > 0) || (f->code == SHELL_KILLED && x->killed > 0))
		return true;
	return x->refused + x->killed == 0
		? NO(f, why, "the exec policy refused and killed nothing")
		: NO(f, why,
			  "the exec policy refused %llu and killed %llu, but it %s, which is not "
			  "what "
			  "shells say of that",
			  (unsigned long long)x->refused, (unsigned long long)x->killed,
			  words_end(f));
}

/* ---- what is said ---- */

void say_exec_denied(struct verdict *v, const struct facts *f)
{
	const struct exec_incident *i = &f->o->exec.payload;

	v->confidence = CONFIDENCE_CERTAIN;
	if (killed_at_stop(f))
		v->summary = arena_printf(f->a,
			"killed at its exec%s: '%s' had been judged, '%s' would have run",
			words_after(f), command(f, i), real_command(f, i));
	else if (died_with_warden(f))
		v->summary = arena_printf(f->a,
			"killed in the midst of an exec%s, together with the warden that was to "
			"judge it",
			words_after(f));
	else
		v->summary = arena_printf(
			f->a, "'%s' was refused%s", command(f, i), rule_and_hint(f, i));
}

/* The newest that fits the exit status. */
static const struct exec_incident *likely_incident(const struct facts *f)
{
	const struct observed_exec *x = &f->o->exec;

	if (f->code == SHELL_KILLED)
		return &x->first_killed;
	return x->last_refused.known ? &x->last_refused : &x->first_refused;
}

void say_exec_likely(struct verdict *v, const struct facts *f)
{
	const struct observed_exec *x = &f->o->exec;
	const struct exec_incident *i = likely_incident(f);
	bool killed = f->code == SHELL_KILLED;

	v->confidence = CONFIDENCE_LIKELY;
	v->summary = arena_printf(f->a, "exited with %d%s, as shells do, after %s %s: '%s'%s",
		f->code, words_after(f),
		times(f, killed ? x->killed : x->refused, killed ? "process" : "exec"),
		killed ? "killed at its exec" : "refused", command(f, i),
		killed ? "" : rule_and_hint(f, i));
}

/* ---- evidence ---- */

static struct evidence incident_evidence(const struct facts *f, const struct exec_incident *i)
{
	const char *file = i->executable ? text(f, i->executable) : NULL;
	const char *judged = arena_printf(f->a, "'%s'%s%s%s", command(f, i), file ? " (" : "",
		file ? file : "", file ? ")" : "");
	const char *who =
		arena_printf(f->a, "pid %d after %s", (int)i->pid, words_duration(f->a, i->at_us));

	if (exec_was_killed(i))
		return (struct evidence){.fact = "exec_killed",
			.where = "warden, PTRACE_EVENT_EXEC",
			.text = arena_printf(f->a, "judged was %s; what came was '%s'; %s", judged,
				real_command(f, i), who)};
	return (struct evidence){.fact = "exec_refused",
		.where = "warden",
		.text = arena_printf(f->a, "%s%s%s; %s", judged, i->rule ? ", rule " : "",
			i->rule ? arena_printf(f->a, "'%s'", text(f, i->rule)) : "", who)};
}

static bool same_incident(const struct exec_incident *a, const struct exec_incident *b)
{
	return a->pid == b->pid && a->at_us == b->at_us;
}

size_t exec_evidence(struct evidence ret[VERDICT_EXEC_MAX_EVIDENCE], const struct verdict *v,
	const struct facts *f)
{
	const struct observed_exec *x = &f->o->exec;
	const struct exec_incident *all[3] = {&x->payload, &x->last_refused, &x->first_killed};
	size_t n = 0;

	if (v->cause != CAUSE_EXEC_DENIED)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		bool shown = i > 0 && x->payload.known && same_incident(all[i], &x->payload);
		if (all[i]->known && !shown)
			ret[n++] = incident_evidence(f, all[i]);
	}
	return n;
}

/* ---- what else happened ---- */

static const char *said_of_audit(const struct facts *f)
{
	const struct observed_exec *x = &f->o->exec;

	if (x->refused == 0)
		return arena_printf(f->a,
			"its exec policy was in mode audit: nothing was enforced; of %llu execs "
			"none "
			"would have been refused",
			(unsigned long long)x->started);
	return arena_printf(f->a,
		"its exec policy was in mode audit: nothing was enforced; %llu would have been "
		"refused, the last '%s'%s",
		(unsigned long long)x->refused, command(f, &x->last_refused),
		rule_and_hint(f, &x->last_refused));
}

static const char *said_of_refusals(const struct facts *f)
{
	const struct observed_exec *x = &f->o->exec;

	return arena_printf(f->a, "%s refused, the last '%s'%s", times(f, x->refused, "exec"),
		command(f, &x->last_refused), rule_and_hint(f, &x->last_refused));
}

static const char *said_of_kills(const struct facts *f)
{
	const struct observed_exec *x = &f->o->exec;
	const struct exec_incident *i = &x->first_killed;

	return arena_printf(f->a,
		"%s killed at an exec, the first when '%s' had been judged, and '%s' would have "
		"run",
		times(f, x->killed, "process"), command(f, i), real_command(f, i));
}

static const char *said_of_warden(const struct facts *f)
{
	const struct observed_exec *x = &f->o->exec;

	if (x->warden_lost)
		return arena_printf(f->a,
			"the warden of its exec policy %s after %s: no program could be executed "
			"from then on",
			x->lost_why ? text(f, x->lost_why) : "was lost",
			words_duration(f->a, x->lost_at_us));
	return x->drain_late ? "the warden of its exec policy had to be killed at the end" : NULL;
}

size_t exec_contributing(
	const char *ret[VERDICT_EXEC_MAX_SAID], const struct verdict *v, const struct facts *f)
{
	const struct observed_exec *x = &f->o->exec;
	bool enforced = x->mode == EXEC_ENFORCE && v->cause != CAUSE_EXEC_DENIED;
	size_t n = 0;

	if (x->mode == EXEC_AUDIT)
		ret[n++] = said_of_audit(f);
	if (enforced && x->refused > 0)
		ret[n++] = said_of_refusals(f);
	if (enforced && x->killed > 0)
		ret[n++] = said_of_kills(f);
	if (x->mode != EXEC_OFF && said_of_warden(f))
		ret[n++] = said_of_warden(f);
	return n;
}
