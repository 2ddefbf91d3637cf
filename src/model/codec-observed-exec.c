/* SPDX-License-Identifier: MIT */
#include "model/codec-observed-exec.h"

#include "model/verdict-exec.h"

#define WORDS_MAX ((size_t)1 << 16)

static const char *exec_mode_at(int i)
{
	return exec_mode_name((enum exec_mode)i);
}
static const struct names exec_mode_names = {exec_mode_at, EXEC_COUNT_};

/* clang-format off */
#define U64(key, member)  {key, FIELD_U64, .offset = offsetof(struct HERE, member), .max = INT64_MAX}
#define INT(key, member)  {key, FIELD_U32, .offset = offsetof(struct HERE, member), .max = INT32_MAX}
#define BOOL(key, member) {key, FIELD_BOOL, .offset = offsetof(struct HERE, member)}
#define TEXT(key, member) {key, FIELD_TEXT, .offset = offsetof(struct HERE, member)}
/* clang-format on */

#define HERE exec_incident
static const struct field incident_fields[] = {
	INT("pid", pid),
	INT("inside_pid", inside_pid),
	U64("at_us", at_us),
	TEXT("rule", rule),
	TEXT("hint", hint),
	TEXT("why", why),
	TEXT("called", called),
	TEXT("executable", executable),
	TEXT("real_executable", real_executable),
	FIELD_ELSEWHERE("argv"),
	FIELD_ELSEWHERE("real_argv"),
	{NULL},
};
#undef HERE

#define HERE observed_exec
static const struct field exec_fields[] = {
	{"mode", FIELD_ENUM, .offset = offsetof(struct HERE, mode), .names = &exec_mode_names},
	U64("started", started),
	U64("refused", refused),
	U64("killed", killed),
	U64("failed", failed),
	U64("audit_dropped", audit_dropped),
	BOOL("warden_lost", warden_lost),
	U64("lost_at_us", lost_at_us),
	TEXT("lost_why", lost_why),
	BOOL("drain_late", drain_late),
	INT("warden_pid", warden_pid),
	FIELD_ELSEWHERE("first_refused"),
	FIELD_ELSEWHERE("last_refused"),
	FIELD_ELSEWHERE("first_killed"),
	FIELD_ELSEWHERE("payload"),
	{NULL},
};
#undef HERE

/* Each by its name; absent: not known. */
static const struct {
	const char *key;
	size_t offset;
} incidents[] = {
	{"first_refused", offsetof(struct observed_exec, first_refused)},
	{"last_refused", offsetof(struct observed_exec, last_refused)},
	{"first_killed", offsetof(struct observed_exec, first_killed)},
	{"payload", offsetof(struct observed_exec, payload)},
};
#define N_INCIDENTS (sizeof incidents / sizeof *incidents)

/* ---- the observation ---- */

static void write_words(struct json_writer *w, const char *key, const struct strv *words)
{
	write_array(w, key);
	for (size_t i = 0; i < words->n; i++)
		write_text(w, NULL, words->v[i]);
	write_array_end(w);
}

static void write_incident(struct json_writer *w, const char *key, const struct exec_incident *i)
{
	write_object(w, key);
	fields_write_members(w, incident_fields, i);
	write_words(w, "argv", &i->argv);
	write_words(w, "real_argv", &i->real_argv);
	write_object_end(w);
}

void observed_exec_write(struct json_writer *w, const struct observed_exec *x)
{
	write_object(w, "exec");
	fields_write_members(w, exec_fields, x);
	for (size_t i = 0; i < N_INCIDENTS; i++) {
		const struct exec_incident *at =
			(const void *)((const char *)x + incidents[i].offset);
		if (at->known)
			write_incident(w, incidents[i].key, at);
	}
	write_object_end(w);
}

static int parse_words(
	struct fields_reader *r, const char *key, const json_t *list, struct strv *ret)
{
	size_t n = json_array_size(list);

	if (!list)
		return 0;
	if (!json_is_array(list) || n > WORDS_MAX)
		return fields_wrong(r, key, "a list of strings");
	for (size_t i = 0; i < n; i++) {
		const char *word;
		if (json_text_parse(json_array_get(list, i), r->a, &word) != 0 || !word)
			return fields_wrong(
				r, key, "a list of strings, each a string or {\"base64\": …}");
		strv_push(r->a, ret, word);
	}
	return 0;
}

static int parse_incident(
	struct fields_reader *r, const char *key, struct exec_incident *ret, const json_t *object)
{
	if (!object)
		return 0;
	if (!json_is_object(object))
		return fields_wrong(r, key, "an object");
	ret->known = true;
	if (fields_parse(r, incident_fields, ret, object) != 0 ||
		parse_words(r, "argv", json_object_get(object, "argv"), &ret->argv) != 0 ||
		parse_words(
			r, "real_argv", json_object_get(object, "real_argv"), &ret->real_argv) != 0)
		return error_wrap(r->e, "%s", key);
	return 0;
}

int observed_exec_parse(struct fields_reader *r, struct observed_exec *ret, const json_t *object)
{
	if (!object)
		return 0;
	if (!json_is_object(object))
		return fields_wrong(r, "exec", "an object");
	if (fields_parse(r, exec_fields, ret, object) != 0)
		return error_wrap(r->e, "exec");
	for (size_t i = 0; i < N_INCIDENTS; i++)
		if (parse_incident(r, incidents[i].key,
			    (struct exec_incident *)(void *)((char *)ret + incidents[i].offset),
			    json_object_get(object, incidents[i].key)) != 0)
			return error_wrap(r->e, "exec");
	return 0;
}

/* ---- the verdict ---- */

static void write_visible_words(struct json_writer *w, const char *key, const struct strv *words)
{
	write_array(w, key);
	for (size_t i = 0; i < words->n; i++)
		write_visible(w, NULL, words->v[i]);
	write_array_end(w);
}

static void write_verdict_incident(
	struct json_writer *w, const struct exec_incident *i, bool program)
{
	write_object(w, NULL);
	write_text(w, "outcome", exec_was_killed(i) ? "killed" : "refused");
	write_bool(w, "program", program);
	write_u64(w, "at_us", i->at_us);
	write_u64_or_null(w, "pid", i->pid > 0, (uint64_t)i->pid);
	write_visible(w, "rule", i->rule);
	write_visible(w, "hint", i->hint);
	write_visible(w, "why", i->why);
	write_visible(w, "executable", i->executable ? i->executable : i->called);
	write_visible_words(w, "argv", &i->argv);
	write_visible(w, "real_executable", i->real_executable);
	write_visible_words(w, "real_argv", &i->real_argv);
	write_object_end(w);
}

/* Each once, though it may be the first, the last and the program's. */
static void write_incidents(struct json_writer *w, const struct observed_exec *x)
{
	const struct exec_incident *all[4] = {
		&x->payload, &x->first_refused, &x->last_refused, &x->first_killed};

	write_array(w, "incidents");
	for (size_t i = 0; i < 4; i++) {
		bool shown = !all[i]->known;
		for (size_t j = 0; j < i; j++)
			shown |= all[j]->known && all[j]->pid == all[i]->pid &&
				all[j]->at_us == all[i]->at_us;
		if (!shown)
			write_verdict_incident(w, all[i], i == 0);
	}
	write_array_end(w);
}

static void write_lost(struct json_writer *w, const struct observed_exec *x)
{
	if (!x->warden_lost) {
		write_null(w, "warden_lost");
		return;
	}
	write_object(w, "warden_lost");
	write_u64(w, "at_us", x->lost_at_us);
	write_visible(w, "why", x->lost_why);
	write_object_end(w);
}

void verdict_exec_write(struct json_writer *w, const struct observed_exec *x)
{
	write_object(w, "exec");
	write_text(w, "mode", exec_mode_name(x->mode));
	write_bool(w, "enforced", x->mode == EXEC_ENFORCE);
	write_u64(w, "started", x->started);
	write_u64(w, "refused", x->refused);
	write_u64(w, "killed", x->killed);
	write_u64(w, "failed", x->failed);
	write_u64(w, "log_dropped", x->audit_dropped);
	write_lost(w, x);
	write_incidents(w, x);
	write_object_end(w);
}
