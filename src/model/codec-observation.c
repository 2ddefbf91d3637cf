/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "model/codec-argv.h"
#include "model/codec-fields.h"
#include "model/codec-observed-exec.h"
#include "model/verdict.h"

/*
 * The stored observation. Reading is strict, for `bulkhead explain` takes any file; a member that is
 * missing means zero, none or not known, as in a struct that nobody filled in.
 */

#define OBSERVATION_MAX_SIZE ((size_t)64 << 20)

#define ENUM_NAMES(what, type, total)                                                              \
	static const char *what##_at(int i)                                                        \
	{                                                                                          \
		return what##_name((type)i);                                                       \
	}                                                                                          \
	static const struct names what##_names = {what##_at, total}

ENUM_NAMES(wait_kind, enum wait_kind, WAIT_COUNT_);
ENUM_NAMES(act_reason, enum act_reason, ACT_COUNT_);
ENUM_NAMES(killer_known, enum killer_known, KILLER_COUNT_);
ENUM_NAMES(setup_stage, enum setup_stage, SETUP_COUNT_);
ENUM_NAMES(oom_scope, enum oom_scope, OOM_SCOPE_COUNT_);
ENUM_NAMES(blame, enum blame, BLAME_COUNT_);
ENUM_NAMES(rung, enum rung, RUNG_COUNT_);
ENUM_NAMES(oom_mode, enum oom_mode, OOM_COUNT_);
ENUM_NAMES(limit, enum limit, LIMIT_COUNT_);
ENUM_NAMES(enforced_by, enum enforced_by, ENFORCED_COUNT_);

/* clang-format off */
#define AT(member)              .offset = offsetof(struct HERE, member)
#define U64(key, member)        {key, FIELD_U64, AT(member), .max = INT64_MAX}
#define INT(key, member)        {key, FIELD_U32, AT(member), .max = INT32_MAX}
#define UID(key, member)        {key, FIELD_U32, AT(member), .max = UINT32_MAX}
#define BOOL(key, member)       {key, FIELD_BOOL, AT(member)}
#define TEXT(key, member)       {key, FIELD_TEXT, AT(member)}
#define COMM(key, member)       {key, FIELD_COMM, AT(member)}
#define ENUM(key, member, of)   {key, FIELD_ENUM, AT(member), .names = &of##_names}
#define SUB(key, member, table) {key, FIELD_STRUCT, AT(member), .fields = table}
#define KNOWN_U64(key, member, flag)                                                               \
	{key, FIELD_U64, AT(member), .max = INT64_MAX,                                             \
		.optional = true, .known = offsetof(struct HERE, flag)}
#define KNOWN_UID(key, member, flag)                                                               \
	{key, FIELD_U32, AT(member), .max = UINT32_MAX, .optional = true,                          \
		.known = offsetof(struct HERE, flag)}
#define LIST(key, member, size, table)                                                             \
	{key, FIELD_LIST, AT(member), .count = offsetof(struct HERE, size),                        \
		.max = sizeof((struct HERE){0}.member) / sizeof *(struct HERE){0}.member,          \
		.stride = sizeof *(struct HERE){0}.member, .fields = table}
/* clang-format on */

#define HERE act
static const struct field act_fields[] = {
	ENUM("reason", reason, act_reason),
	INT("signal", signal),
	BOOL("whole_run", whole_run),
	U64("at_us", at_us),
	U64("measured", measured),
	INT("cancel_signal", cancel_signal),
	INT("cancel_pid", cancel_pid),
	UID("cancel_uid", cancel_uid),
	KNOWN_U64("oom_kills", oom_kills, oom_known),
	{NULL},
};
#undef HERE

#define HERE counter
static const struct field counter_fields[] = {
	TEXT("fact", fact),
	TEXT("where", where),
	BOOL("own", own),
	U64("before", before),
	U64("after", after),
	U64("limit", limit),
	{NULL},
};
#undef HERE

#define HERE victim
static const struct field victim_fields[] = {
	INT("pid", pid),
	COMM("comm", comm),
	BOOL("leader", leader),
	KNOWN_U64("at_us", at_us, at_known),
	ENUM("scope", scope, oom_scope),
	TEXT("group", group),
	{NULL},
};
#undef HERE

#define HERE killer
static const struct field killer_fields[] = {
	ENUM("known", known, killer_known),
	INT("pid", pid),
	INT("inside_pid", inside_pid),
	COMM("comm", comm),
	UID("uid", uid),
	INT("signal", signal),
	KNOWN_U64("at_us", at_us, at_known),
	TEXT("cgroup", cgroup),
	{NULL},
};
#undef HERE

#define HERE senders
static const struct field senders_fields[] = {
	BOOL("watched", watched),
	U64("from_us", from_us),
	TEXT("why_not", why_not),
	{NULL},
};
#undef HERE

#define HERE setup_failure
static const struct field setup_fields[] = {
	ENUM("stage", stage, setup_stage),
	INT("errno", errnum),
	ENUM("blame", blame, blame),
	BOOL("file_exists", file_exists),
	TEXT("what", what),
	{NULL},
};
#undef HERE

#define HERE pressure
static const struct field pressure_fields[] = {
	KNOWN_U64("some_us", some_us, known),
	KNOWN_U64("full_us", full_us, known),
	{NULL},
};
#undef HERE

#define HERE growth
static const struct field growth_fields[] = {
	KNOWN_U64("half_us", half_us, known),
	KNOWN_U64("bytes", bytes, known),
	{NULL},
};
#undef HERE

#define HERE usage
static const struct field usage_fields[] = {
	U64("wall_us", wall_us),
	KNOWN_U64("cpu_user_us", cpu_user_us, cpu_known),
	KNOWN_U64("cpu_system_us", cpu_system_us, cpu_known),
	KNOWN_U64("memory_peak_bytes", memory_peak_bytes, memory_peak_known),
	KNOWN_U64("pids_peak", pids_peak, pids_peak_known),
	KNOWN_U64("io_read_bytes", io_read_bytes, io_known),
	KNOWN_U64("io_write_bytes", io_write_bytes, io_known),
	KNOWN_U64("throttled_us", throttled_us, throttled_known),
	SUB("pressure_cpu", cpu, pressure_fields),
	SUB("pressure_memory", memory, pressure_fields),
	SUB("pressure_io", io, pressure_fields),
	SUB("memory_growth", growth, growth_fields),
	KNOWN_U64("output_seen_bytes", output_seen_bytes, output_known),
	KNOWN_U64("output_kept_bytes", output_kept_bytes, output_known),
	KNOWN_U64("output_dropped_bytes", output_dropped_bytes, output_known),
	{NULL},
};
#undef HERE

#define HERE observed_limit
static const struct field limit_fields[] = {
	KNOWN_U64("value", asked.value, asked.set),
	ENUM("enforced_by", by, enforced_by),
	{NULL},
};
#undef HERE

#define HERE inherited_limit
static const struct field inherited_fields[] = {
	KNOWN_U64("soft", soft, soft_set),
	KNOWN_U64("hard", hard, hard_set),
	{NULL},
};
#undef HERE

#define HERE refusal
static const struct field refusal_fields[] = {
	ENUM("limit", limit, limit),
	BOOL("leader", leader),
	U64("count", count),
	U64("at_us", at_us),
	U64("used_bytes", used_bytes),
	U64("asked_bytes", asked_bytes),
	U64("limit_bytes", limit_bytes),
	INT("pid", pid),
	COMM("comm", comm),
	{NULL},
};
#undef HERE

#define HERE disk
static const struct field disk_fields[] = {
	TEXT("path", path),
	BOOL("own", own),
	U64("size_bytes", size_bytes),
	U64("free_bytes", free_bytes),
	BOOL("files_full", files_full),
	{NULL},
};
#undef HERE

#define HERE image
static const struct field image_fields[] = {
	KNOWN_U64("mapped_bytes", mapped_bytes, known),
	BOOL("has_loader", has_loader),
	{NULL},
};
#undef HERE

#define HERE denied_call
static const struct field denied_fields[] = {
	KNOWN_UID("number", number, known),
	UID("arch", arch),
	TEXT("name", name),
	BOOL("by_filter", by_filter),
	{NULL},
};
#undef HERE

#define HERE observation
static const struct field observation_fields[] = {
	TEXT("id", id),
	TEXT("key", key),
	TEXT("policy", policy),
	INT("attempt", attempt),
	ENUM("rung", rung, rung),
	BOOL("privileged", privileged),
	ENUM("wait", wait, wait_kind),
	INT("exit_code", exit_code),
	INT("term_signal", term_signal),
	BOOL("core_dumped", core_dumped),
	COMM("leader_comm", leader_comm),
	INT("leader_pid", leader_pid),
	SUB("killer", killer, killer_fields),
	SUB("senders", senders, senders_fields),
	BOOL("seccomp", seccomp),
	SUB("setup", setup, setup_fields),
	LIST("acts", acts, n_acts, act_fields),
	LIST("counters", counters, n_counters, counter_fields),
	LIST("victims", victims, n_victims, victim_fields),
	SUB("usage", usage, usage_fields),
	ENUM("oom", oom, oom_mode),
	U64("grace_us", grace_us),
	U64("leader_max_rss_bytes", leader_max_rss_bytes),
	KNOWN_U64(
		"leader_virtual_peak_bytes", leader_virtual_peak_bytes, leader_virtual_peak_known),
	BOOL("leader_virtual_peak_sampled", leader_virtual_peak_sampled),
	LIST("refusals", refusals, n_refusals, refusal_fields),
	BOOL("refusals_watched", refusals_watched),
	LIST("disks", disks, n_disks, disk_fields),
	SUB("image", image, image_fields),
	SUB("denied_call", denied, denied_fields),
	U64("leader_cpu_us", leader_cpu_us),
	U64("spawn_us", spawn_us),
	U64("kill_us", kill_us),
	U64("started_us", started_us),
	U64("ended_us", ended_us),
	TEXT("kernel", kernel),
	TEXT("version", version),
	FIELD_ELSEWHERE("argv"),
	FIELD_ELSEWHERE("argv_left_out"),
	FIELD_ELSEWHERE("exec"),
	FIELD_ELSEWHERE("limits"),
	FIELD_ELSEWHERE("inherited"),
	{NULL},
};
#undef HERE

static void write_limits(struct json_writer *w, const struct observation *o)
{
	write_object(w, "limits");
	for (int i = 0; i < LIMIT_COUNT_; i++)
		fields_write(w, limit_name(i), limit_fields, &o->limits[i]);
	write_object_end(w);
}

static void write_inherited(struct json_writer *w, const struct observation *o)
{
	write_object(w, "inherited");
	for (int i = 0; i < LIMIT_COUNT_; i++) {
		const struct inherited_limit *l = &o->inherited[i];
		if (l->soft_set || l->hard_set)
			fields_write(w, limit_name(i), inherited_fields, l);
	}
	write_object_end(w);
}

const char *observation_format_json(const struct observation *o, struct arena *a)
{
	struct json_writer w = JSON_WRITER_INIT;

	write_object(&w, NULL);
	fields_write_members(&w, observation_fields, o);
	observed_argv_write(&w, o);
	write_limits(&w, o);
	write_inherited(&w, o);
	if (o->exec.mode != EXEC_OFF)
		observed_exec_write(&w, &o->exec);
	write_object_end(&w);
	return write_line_take(&w, a);
}

/* An object with a struct for each of some limits: "limits", "inherited". */
struct by_limit {
	const struct field *fields;
	void *base;
	size_t stride;
};

static int parse_by_limit(
	struct fields_reader *r, const char *name, const struct by_limit *to, const json_t *object)
{
	const char *key;
	json_t *value;

	if (!object)
		return 0;
	if (!json_is_object(object))
		return fields_wrong(r, name, "an object");
	json_object_foreach((json_t *)object, key, value)
	{
		int limit = limit_from_name(key);
		if (limit < 0)
			return error_set(r->e, BLAME_REQUEST, 0, "unknown limit '%.64s'", key);
		void *base = (char *)to->base + (size_t)limit * to->stride;
		if (fields_parse(r, to->fields, base, value) != 0)
			return error_wrap(r->e, "limit '%s'", key);
	}
	return 0;
}

static int parse_root(struct fields_reader *r, struct observation *o, const json_t *root)
{
	const struct by_limit limits = {limit_fields, o->limits, sizeof o->limits[0]};
	const struct by_limit inherited = {inherited_fields, o->inherited, sizeof o->inherited[0]};

	if (fields_parse(r, observation_fields, o, root) != 0 ||
		observed_argv_parse(r, o, root) != 0 ||
		parse_by_limit(r, "limits", &limits, json_object_get(root, "limits")) != 0 ||
		parse_by_limit(r, "inherited", &inherited, json_object_get(root, "inherited")) !=
			0 ||
		observed_exec_parse(r, &o->exec, json_object_get(root, "exec")) != 0)
		return error_wrap(r->e, "observation");
	return 0;
}

int observation_parse_json(
	struct observation *ret, const char *text, size_t size, struct arena *a, struct error *e)
{
	struct observation o = {.attempt = 1, .rung = RUNG_NONE};
	struct fields_reader r = {a, e};
	json_error_t at;

	if (size > OBSERVATION_MAX_SIZE)
		return error_set(e, BLAME_REQUEST, 0, "observation: larger than 64 MiB");
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &at);
	if (!root)
		return error_set(e, BLAME_REQUEST, 0, "observation: line %d column %d: %s", at.line,
			at.column, at.text);
	int rc = parse_root(&r, &o, root);
	json_decref(root);
	if (rc == 0)
		*ret = o;
	return rc;
}
