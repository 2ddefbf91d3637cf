/* SPDX-License-Identifier: MIT */
#ifndef MODEL_EXEC_RULES_PARTS_H
#define MODEL_EXEC_RULES_PARTS_H

#include "model/exec-rules.h"

/* What the files of exec-rules share. docs/exec-policy.md has the semantics. */

/* ── Rules, compiled ─────────────────────────────────────────────────────────────────────────── */

enum word_kind {
	WORD_PLACE, /* equals the argument at its place */
	WORD_OPTION, /* is one of the options before the subcommand */
	WORD_ANYWHERE, /* some later argument begins with it */
	WORD_PART, /* "--mount=*,src=/": some later option --mount has "src=/" among its parts */
};

struct rule_word {
	enum word_kind kind;
	const char *text;
	size_t size;
	/*
	 * ANYWHERE, PART: so many bytes are an option's name, and its value may be the next argument. 0: it is no
	 * option.
	 */
	size_t bare;
	size_t value; /* ANYWHERE, PART: where in text what is asked of the value begins */
	size_t scan; /* ANYWHERE, PART: a number of its own among all rules' */
};

struct compiled_rule {
	const struct exec_rule *rule;
	const char *text; /* "deny: git push" */
	const char *reason; /* of a built-in one; NULL */
	bool builtin;
	uint16_t program;
	uint16_t n_words; /* without the program */
	uint16_t length; /* which of two rules is the longer */
	const struct rule_word *words;
	struct compiled_rule *next; /* of the same program */
};

struct exec_rules {
	bool default_allow;
	const char **programs;
	size_t n_programs;
	uint16_t *sorted; /* indexes of programs, by name */
	size_t n_scans; /* words that are ANYWHERE or PART */
	struct compiled_rule **first; /* by program; NULL: only known for being multicall */
	const struct multicall **multicall; /* by program; NULL: it is none */
	struct exec_programs multicalls; /* which are some */
};

/* The index of a program that rules name, or -1. */
int exec_rules_program(const struct exec_rules *r, const char *name, size_t size);

/*
 * Where in the program @name something is that is a pattern's or a shell's, and that nobody means who names a
 * program. NULL: nowhere.
 */
const char *exec_foreign_sign(const char *name);
/* Is @word what stands between two commands, of a shell or a list, and no argument? "|", "push,", … */
bool exec_is_separator(const char *word);

/* ── What is built in ────────────────────────────────────────────────────────────────────────── */

struct builtin_rule {
	const char *program; /* several, separated by blanks */
	/*
	 * After the program; each alternative after a '|'; "": none. A word ending in '*': ANYWHERE; with "=*," in
	 * it: PART.
	 */
	const char *words;
	const char *reason;
};
extern const struct builtin_rule exec_builtin_rules[]; /* ends with a NULL program */

/* ── Names ───────────────────────────────────────────────────────────────────────────────────── */

/* A file that is several programs, by argv[0]. */
struct multicall {
	const char *name;
	const char *applets; /* by a part of argv[0]'s base name; NULL: by the whole of it */
	bool first_argument; /* called by its own name: argv[1] says */
	/*
	 * Called by a name that is none of its applets: argv[1] says, if it begins with this. NULL: it does not.
	 */
	const char *falls_through;
	bool bag; /* so many that to allow it allows nearly everything */
	bool dashed; /* "git-push" is "git push" */
};
extern const struct multicall exec_multicalls[]; /* ends with a NULL name */
const struct multicall *exec_multicall(const char *name, size_t size);

/* Runs code that its arguments do not bound: python3.11, bash, … */
bool exec_is_interpreter(const char *name, size_t size);

/* How a reading of the call came by its name. */
enum reading_by { BY_CALLED, BY_PATH, BY_ARGV0, BY_FILE, BY_COPY, BY_APPLET, BY_HELPER };

/* One way to say what is called: a program and its arguments. */
struct reading {
	uint16_t program;
	enum reading_by by;
	bool exact; /* an allow rule may be about it */
	const char *const *args; /* after the program */
	size_t n_args;
	int shift; /* args[i] is argv[i + shift] */
};

struct call {
	const struct exec_file *file;
	const char *const *argv;
	size_t argc; /* at least 1 */
};

/* All readings of a call that rules have something to say about; in @a. */
size_t exec_readings(const struct exec_rules *r, const struct call *call, struct arena *a,
	const struct reading **ret);

/* ── Options before the subcommand ───────────────────────────────────────────────────────────── */

struct option_words {
	const char *programs; /* separated by blanks */
	/* Options, separated by blanks; those that take the next word end in ':'. */
	const char *options;
	bool cluster; /* "-ab" may be "-a -b", "-Cx" "-C x" (getopt) */
	bool plus; /* "+nightly" is one too */
	bool abbreviates; /* "publ" may be "publish" */
};

/* NULL: its options are not known. */
const struct option_words *exec_option_words(const char *program);

/* Where the first argument after the options may be. */
#define EXEC_MAX_PLACES 64
struct places {
	size_t v[EXEC_MAX_PLACES]; /* n_args: there is none. Ascending */
	size_t n; /* at least 1 */
	bool too_many; /* not all of them are here */
	size_t doubtful; /* the first option of which it is not known whether it takes a word */
	size_t steps; /* what it took to find them, as of struct search */
};
#define EXEC_NO_DOUBT ((size_t)-1)
void exec_places(const struct option_words *known, const char *const *args, size_t n_args,
	struct places *ret);
/* How many words an option takes: 1, 2, or 0: not known. */
int exec_option_takes(const struct option_words *known, const char *word);

/* ── Does a rule match? ──────────────────────────────────────────────────────────────────────── */

/*
 * One judgement's work is bounded: of a call with many words, each of them may be looked at for each of many rules, at
 * many places, and again for each wrapper. A step is about one word looked at, some nanoseconds.
 */
#define EXEC_MAX_STEPS ((size_t)64 << 20)

/* Between @from and @found no argument of @of is what a word looks for. */
struct seen {
	const struct reading *of;
	size_t from, found;
};

struct search {
	const struct exec_rules *r;
	struct arena *a;
	size_t steps; /* that are left */
	bool spent; /* there were too few: what was not found may be there */
	struct seen *seen; /* by rule_word.scan; NULL: none yet */
	const struct reading *reading; /* the one of which the options are @known */
	const struct option_words *known;
};

void exec_spend(struct search *s, size_t steps);

/*
 * Does @rule match @reading, if its subcommand is at @place? *ret_found is where the last word of the rule was found, or
 * n_args. @reading has to live as long as @s.
 */
bool exec_rule_matches(struct search *s, const struct compiled_rule *rule,
	const struct reading *reading, size_t place, size_t *ret_found);

/* With help.autocorrect, would git run @word for @arg? */
bool exec_git_corrects(const char *arg, const char *word);

/* ── What a wrapper would start ──────────────────────────────────────────────────────────────── */

#define EXEC_MAX_DEPTH  8
#define EXEC_MAX_NESTED 64 /* of one judgement */

struct nested {
	const char *wrapper; /* "env", "sh -c" */
	bool is_file; /* argv[0] is opened, not looked up on PATH */
	struct strv argv; /* not empty */
};

/* What @call would start, if it is a wrapper; in @a. At most @max. */
size_t exec_nested(const struct call *call, struct arena *a, struct nested *ret, size_t max);

/*
 * The words of one simple command of a shell, quotes taken off. False: it is anything else (an
 * expansion, a redirection, two commands), or nothing.
 */
bool exec_shell_words(const char *text, struct arena *a, struct strv *ret);

#endif
