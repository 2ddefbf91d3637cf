/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/parse.h"

void option_scan_init(struct option_scan *s, enum command command, int argc, char **argv)
{
	*s = (struct option_scan){.command = command, .argc = argc, .argv = argv, .next = 1};
}

static const struct option_spec *find_name(enum command command, const char *name, size_t size)
{
	for_each_option (o, command)
		if (strlen(o->name) == size && memcmp(o->name, name, size) == 0)
			return o;
	return NULL;
}

static const struct option_spec *find_letter(enum command command, char letter)
{
	for_each_option (o, command)
		if (o->letter && o->letter == letter)
			return o;
	return NULL;
}

/* The one option that begins with @name, or with which @name begins: "mem", "network". */
static const char *abbreviation_of(enum command command, const char *name, size_t size)
{
	const char *found = NULL;

	for_each_option (o, command) {
		size_t common = strlen(o->name) < size ? strlen(o->name) : size;

		if (common < 3 || memcmp(o->name, name, common) != 0)
			continue;
		if (found)
			return NULL;
		found = o->name;
	}
	return found;
}

/* The name that @name may have meant, or NULL. */
static const char *near_name(enum command command, const char *name, size_t size)
{
	const char *names[65] = {NULL};
	const char *found = abbreviation_of(command, name, size);
	char word[64];
	size_t n = 0;

	if (found || size == 0 || size >= sizeof(word))
		return found;
	memcpy(word, name, size);
	word[size] = '\0';
	for_each_option (o, command)
		names[n++] = o->name;
	return nearest_name(word, names);
}

static int unknown(const struct option_scan *s, const char *arg, struct error *e)
{
	const char *name = strncmp(arg, "--", 2) == 0 ? arg + 2 : "";
	size_t size = strcspn(name, "=");
	const char *near = near_name(s->command, name, size);
	char shown[OPTION_SHOWN_SIZE];

	error_set(e, BLAME_REQUEST, 0, "unknown option '%s'", option_shown(arg, shown));
	if (near)
		return error_hint(e, "did you mean '--%s'?", near);
	return error_hint(e, "see 'bulkhead %s --help'", command_spec(s->command)->name);
}

/* The option that @arg names, and in *ret_value what follows its '=' or NULL. */
static const struct option_spec *find(
	const struct option_scan *s, const char *arg, const char **ret_value)
{
	size_t size;

	*ret_value = NULL;
	if (strncmp(arg, "--", 2) != 0)
		return arg[2] == '\0' ? find_letter(s->command, arg[1]) : NULL;
	size = strcspn(arg + 2, "=");
	if (arg[2 + size] == '=')
		*ret_value = arg + 2 + size + 1;
	return find_name(s->command, arg + 2, size);
}

/*
 * The value of @o when it is not behind a '=': the next argument. One that is itself an option of
 * this command is a forgotten value rather than a file named "--memory".
 */
static int next_value(
	struct option_scan *s, const struct option_spec *o, const char **ret_value, struct error *e)
{
	const char *arg = s->next < s->argc ? s->argv[s->next] : NULL;
	const char *ignored;

	if (!arg)
		return error_set(
			e, BLAME_REQUEST, 0, "'--%s' needs a value: %s", o->name, o->metavar);
	if (arg[0] == '-' && arg[1] && (strcmp(arg, "--") == 0 || find(s, arg, &ignored)))
		return error_set(e, BLAME_REQUEST, 0,
			"'--%s' needs a value: %s; write '--%s=%s' if '%s' is meant", o->name,
			o->metavar, o->name, arg, arg);
	*ret_value = arg;
	s->next++;
	return 0;
}

static int note_seen(struct option_scan *s, const struct option_spec *o, struct error *e)
{
	uint64_t bit = UINT64_C(1) << (o - option_table);

	if ((s->seen & bit) && !o->repeatable)
		return error_set(e, BLAME_REQUEST, 0, "'--%s' is given twice", o->name);
	s->seen |= bit;
	return 0;
}

/* The next word is COMMAND. */
static bool is_program(const struct option_scan *s)
{
	enum operand_kind kind = command_spec(s->command)->operand;

	return kind == OPERAND_PROGRAM || (kind == OPERAND_BOX_PROGRAM && s->n_operands > 0);
}

enum option_found option_scan(struct option_scan *s, const struct option_spec **ret_option,
	const char **ret_value, struct error *e)
{
	const char *arg, *value;
	const struct option_spec *o;

	if (s->next < s->argc && !s->ended && strcmp(s->argv[s->next], "--") == 0) {
		s->ended = true;
		s->next++;
	}
	if (s->next >= s->argc)
		return SCAN_END;
	arg = s->argv[s->next];
	if (s->ended || arg[0] != '-' || arg[1] == '\0') {
		if (is_program(s))
			return SCAN_END;
		s->n_operands++;
		*ret_value = arg;
		s->next++;
		return SCAN_OPERAND;
	}
	o = find(s, arg, &value);
	if (!o)
		return unknown(s, arg, e);
	s->next++;
	if (value && !option_takes_value(o))
		return error_set(e, BLAME_REQUEST, 0, "'--%s' takes no value", o->name);
	if (note_seen(s, o, e) < 0)
		return SCAN_ERROR;
	if (!value && option_takes_value(o) && next_value(s, o, &value, e) < 0)
		return SCAN_ERROR;
	*ret_option = o;
	*ret_value = value;
	return SCAN_OPTION;
}

/* Options that say opposite things. What a policy adds to them is looked at by policy_check(). */
static int check_contradictions(const struct request *r, struct error *e)
{
	if (r->quiet && r->verbose)
		return error_set(e, BLAME_REQUEST, 0, "'--quiet' contradicts '--verbose'");
	if (r->env.clear && r->env.unset.n)
		return error_set(e, BLAME_REQUEST, 0,
			"'--clear-env' contradicts '--unset': nothing is left to remove");
	for (size_t i = 0; i < r->env.n_set; i++)
		for (size_t j = 0; j < r->env.unset.n; j++)
			if (strcmp(r->env.set[i].key, r->env.unset.v[j]) == 0) {
				char shown[OPTION_SHOWN_SIZE];

				return error_set(e, BLAME_REQUEST, 0,
					"'--env %s' contradicts '--unset %s'",
					option_shown(r->env.set[i].key, shown), shown);
			}
	return 0;
}

/* COMMAND and what follows it. */
static int take_command(
	struct request *r, struct arena *a, const struct option_scan *s, struct error *e)
{
	const struct command_spec *c = command_spec(s->command);

	if (s->next >= s->argc)
		return error_set(e, BLAME_REQUEST, 0,
			"no command to run; usage: bulkhead %s [options] %s", c->name, c->operands);
	if (!*s->argv[s->next])
		return error_set(e, BLAME_REQUEST, 0, "the command to run is empty");
	for (int i = s->next; i < s->argc; i++)
		strv_push(a, &r->argv, s->argv[i]);
	return 0;
}

/* An option that the box has decided already. */
static int check_box_options(const struct option_scan *s, const struct request *r, struct error *e)
{
	for (size_t i = 0; r->box && i < option_table_size; i++) {
		const struct option_spec *o = &option_table[i];
		bool fits = o->kind == OPTION_BOX || (o->commands & OPTION_FOR(COMMAND_EXEC));

		if ((s->seen & UINT64_C(1) << i) && !fits)
			return error_set(e, BLAME_REQUEST, 0,
				"'--%s' is for a box of the run's own, not for '--box'", o->name);
	}
	return 0;
}

static int take_operand(struct request *r, enum command command, const char *value, struct error *e)
{
	const struct command_spec *c = command_spec(command);
	char shown[OPTION_SHOWN_SIZE];

	if (c->operand != OPERAND_BOX_PROGRAM)
		return error_set(e, BLAME_REQUEST, 0,
			"'%s' is one word too many; see 'bulkhead %s --help'",
			option_shown(value, shown), c->name);
	if (!value || !*value)
		return error_set(e, BLAME_REQUEST, 0, "the ID of the box is empty");
	r->box = value;
	return 0;
}

/* What is left when the options have been read. */
static int finish_request(struct option_target *t, const struct option_scan *s, struct error *e)
{
	const struct command_spec *c = command_spec(s->command);

	if (c->operand == OPERAND_BOX_PROGRAM && !t->request->box)
		return error_set(e, BLAME_REQUEST, 0, "which box? usage: bulkhead %s [options] %s",
			c->name, c->operands);
	if (command_takes_program(c) && take_command(t->request, t->arena, s, e) < 0)
		return -1;
	if (check_box_options(s, t->request, e) < 0)
		return -1;
	return check_contradictions(t->request, e);
}

static int parse_request(struct option_target *t, int argc, char **argv, struct error *e)
{
	struct option_scan s;
	const struct option_spec *o = NULL;
	const char *value = NULL;
	enum option_found found;

	option_scan_init(&s, t->command, argc, argv);
	while ((found = option_scan(&s, &o, &value, e)) > SCAN_END) {
		int r = found == SCAN_OPTION ? option_set(t, o, value, e)
					     : take_operand(t->request, t->command, value, e);
		if (r < 0)
			return -1;
		if (t->help)
			return 1;
	}
	return found == SCAN_ERROR ? -1 : finish_request(t, &s, e);
}

static int parse_command(struct request *ret, enum command command, bool *ret_json, struct arena *a,
	int argc, char **argv, struct error *e)
{
	struct request request = {.policy = NULL};
	struct option_target t = {.request = &request, .arena = a, .command = command};
	int r = parse_request(&t, argc, argv, e);

	if (r == 0) {
		*ret = request;
		if (ret_json)
			*ret_json = t.json;
	}
	return r;
}

int options_parse_run(struct request *ret, struct arena *a, int argc, char **argv, struct error *e)
{
	return parse_command(ret, COMMAND_RUN, NULL, a, argc, argv, e);
}

int options_parse_plan(struct request *ret, bool *ret_json, struct arena *a, int argc, char **argv,
	struct error *e)
{
	return parse_command(ret, COMMAND_PLAN, ret_json, a, argc, argv, e);
}

int options_parse_exec(struct request *ret, struct arena *a, int argc, char **argv, struct error *e)
{
	return parse_command(ret, COMMAND_EXEC, NULL, a, argc, argv, e);
}

int options_parse_box(struct request *ret, struct arena *a, int argc, char **argv, struct error *e)
{
	return parse_command(ret, COMMAND_BOX_CREATE, NULL, a, argc, argv, e);
}

void options_set_verbosity(const struct request *request)
{
	log_set_level(request->quiet ? LOG_QUIET : request->verbose ? LOG_VERBOSE : LOG_NORMAL);
}

int options_check_names(const struct request *request, struct error *e)
{
	char shown[OPTION_SHOWN_SIZE];

	for (size_t i = 0; i < request->env.n_set; i++) {
		const char *key = request->env.set[i].key;

		if (!utf8_valid(key, strlen(key)))
			return error_set(e, BLAME_REQUEST, 0, "'--env %s': the name is not UTF-8",
				option_shown(key, shown));
	}
	return 0;
}
