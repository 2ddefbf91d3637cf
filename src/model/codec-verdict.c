/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <string.h>

#include "base/parse.h"
#include "base/time.h"
#include "model/codec-json.h"
#include "model/facts.h"
#include "model/sender.h"
#include "model/verdict.h"
#include "model/words.h"

/* The verdict's JSON, key by key as docs/verdict.md has it. The order is that of a reader's questions. */

static const char *const unit_names[] = {
	[UNIT_BYTES] = "bytes",
	[UNIT_US] = "us",
	[UNIT_COUNT] = "count",
	[UNIT_MILLI_CPUS] = "milli_cpus",
};

static json_t *u64_or_null(bool known, uint64_t value)
{
	return known ? json_u64(value) : json_null();
}

static json_t *time_text(uint64_t realtime_us)
{
	char text[TIME_TEXT_SIZE];
	return json_string(time_format_rfc3339(realtime_us, text));
}

static json_t *comm_text(const char comm[17])
{
	char text[17];

	memcpy(text, comm, sizeof text);
	text[16] = '\0';
	return text[0] ? json_visible(text) : json_null();
}

static json_t *pid_or_null(pid_t pid)
{
	return u64_or_null(pid > 0, (uint64_t)pid);
}

static json_t *argv_list(const struct observation *o)
{
	json_t *list = json_array();

	for (size_t i = 0; i < o->argc; i++)
		json_push_take(list, json_text(o->argv[i]));
	return list;
}

static json_t *limit_object(const struct observed_limit *l, enum limit limit)
{
	json_t *object = json_object();

	json_put_take(object, "value", u64_or_null(l->asked.set, l->asked.value));
	json_put_take(object, "unit", json_string(unit_names[limit_unit(limit)]));
	json_put_take(object, "enforced_by", json_string(words_enforcer(l->by)));
	return object;
}

static json_t *limits_object(const struct observation *o)
{
	json_t *object = json_object();

	for (int i = 0; i < LIMIT_COUNT_; i++)
		json_put_take(object, limit_name(i), limit_object(&o->limits[i], i));
	return object;
}

static json_t *pressure_object(const struct pressure *p)
{
	if (!p->known)
		return json_null();
	json_t *object = json_object();
	json_put_take(object, "some_us", json_u64(p->some_us));
	json_put_take(object, "full_us", json_u64(p->full_us));
	return object;
}

static json_t *pressures_object(const struct usage *u)
{
	json_t *object = json_object();

	json_put_take(object, "cpu", pressure_object(&u->cpu));
	json_put_take(object, "memory", pressure_object(&u->memory));
	json_put_take(object, "io", pressure_object(&u->io));
	return object;
}

static json_t *output_object(const struct usage *u)
{
	if (!u->output_known)
		return json_null();
	json_t *object = json_object();
	json_put_take(object, "seen_bytes", json_u64(u->output_seen_bytes));
	json_put_take(object, "kept_bytes", json_u64(u->output_kept_bytes));
	json_put_take(object, "dropped_bytes", json_u64(u->output_dropped_bytes));
	return object;
}

static json_t *usage_object(const struct usage *u)
{
	json_t *object = json_object();

	json_put_take(object, "wall_us", json_u64(u->wall_us));
	json_put_take(object, "cpu_user_us", u64_or_null(u->cpu_known, u->cpu_user_us));
	json_put_take(object, "cpu_system_us", u64_or_null(u->cpu_known, u->cpu_system_us));
	json_put_take(object, "memory_peak_bytes",
		u64_or_null(u->memory_peak_known, u->memory_peak_bytes));
	json_put_take(object, "pids_peak", u64_or_null(u->pids_peak_known, u->pids_peak));
	json_put_take(object, "io_read_bytes", u64_or_null(u->io_known, u->io_read_bytes));
	json_put_take(object, "io_write_bytes", u64_or_null(u->io_known, u->io_write_bytes));
	json_put_take(object, "throttled_us", u64_or_null(u->throttled_known, u->throttled_us));
	json_put_take(object, "pressure", pressures_object(u));
	json_put_take(object, "output", output_object(u));
	return object;
}

static json_t *evidence_object(const struct evidence *e)
{
	json_t *object = json_object();

	json_put_take(object, "fact", json_visible(e->fact));
	json_put_take(object, "where", json_visible(e->where));
	json_put_take(object, "before", u64_or_null(e->has_before, e->before));
	json_put_take(object, "after", u64_or_null(e->has_after, e->after));
	if (e->text)
		json_put_take(object, "text", json_visible(e->text));
	return object;
}

static json_t *evidence_list(const struct verdict *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_evidence; i++)
		json_push_take(list, evidence_object(&v->evidence[i]));
	return list;
}

static json_t *victim_object(const struct victim *victim)
{
	json_t *object = json_object();

	json_put_take(object, "pid", pid_or_null(victim->pid));
	json_put_take(object, "comm", comm_text(victim->comm));
	json_put_take(object, "leader", json_boolean(victim->leader));
	return object;
}

static json_t *victims_list(const struct facts *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->n_victims; i++)
		json_push_take(list, victim_object(&f->o->victims[i]));
	return list;
}

/* Only who sent the signal that ended the payload; the kernel is nobody. */
static json_t *killer_object(const struct facts *f)
{
	const struct killer *k = &f->o->killer;

	if (f->signal == 0 || !sender_is_process(k))
		return json_null();
	json_t *object = json_object();
	json_put_take(object, "pid", pid_or_null(k->pid));
	json_put_take(object, "comm", comm_text(k->comm));
	json_put_take(object, "uid", json_u64(k->uid));
	json_put_take(object, "inside_pid", pid_or_null(k->inside_pid));
	json_put_take(object, "cgroup", json_visible(k->cgroup));
	json_put_take(object, "unit", json_visible(sender_unit(k, f->a)));
	return object;
}

static json_t *contributing_list(const struct verdict *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_contributing; i++)
		json_push_take(list, json_visible(v->contributing[i]));
	return list;
}

static json_t *suggest_object(const struct verdict *v)
{
	json_t *object = json_object();

	if (!v->suggest_set)
		return object;
	json_put_take(object, "limit", json_string(limit_name(v->suggest_limit)));
	json_put_take(object, "value", json_u64(v->suggest_value));
	json_put_take(object, "unit", json_string(unit_names[limit_unit(v->suggest_limit)]));
	return object;
}

static json_t *timing_object(const struct observation *o)
{
	json_t *object = json_object();

	json_put_take(object, "spawn_us", json_u64(o->spawn_us));
	json_put_take(object, "kill_us", u64_or_null(o->kill_us > 0, o->kill_us));
	return object;
}

static json_t *host_object(const struct observation *o)
{
	json_t *object = json_object();

	json_put_take(object, "kernel", json_visible(o->kernel));
	json_put_take(object, "rung",
		json_string((unsigned)o->rung < RUNG_COUNT_ ? rung_name(o->rung) : "none"));
	json_put_take(object, "privileged", json_boolean(o->privileged));
	return object;
}

static void put_request(json_t *object, const struct observation *o)
{
	json_put_take(object, "id", json_visible(o->id));
	json_put_take(object, "key", json_visible(o->key));
	json_put_take(object, "policy", json_visible(o->policy));
	json_put_take(object, "argv", argv_list(o));
	json_put_take(object, "attempt", json_u64(o->attempt));
}

static void put_decision(json_t *object, const struct verdict *v, const struct facts *f)
{
	json_put_take(object, "cause", json_string(cause_name(v->cause)));
	json_put_take(object, "confidence", json_string(confidence_name(v->confidence)));
	json_put_take(object, "retry", json_string(retry_name(v->retry)));
	json_put_take(object, "summary", json_visible(v->summary));
	json_put_take(object, "exit_code", u64_or_null(f->wait == WAIT_EXITED, (uint64_t)f->code));
	json_put_take(object, "signal", u64_or_null(f->signal > 0, (uint64_t)f->signal));
}

static void put_facts(json_t *object, const struct verdict *v, const struct facts *f)
{
	json_put_take(object, "limits", limits_object(f->o));
	json_put_take(object, "usage", usage_object(&f->o->usage));
	json_put_take(object, "evidence", evidence_list(v));
	json_put_take(object, "victims", victims_list(f));
	json_put_take(object, "killer", killer_object(f));
	json_put_take(object, "contributing", contributing_list(v));
	json_put_take(object, "suggest", suggest_object(v));
}

const char *verdict_format_json(
	const struct verdict *v, const struct observation *o, struct arena *a)
{
	json_t *object = json_object();
	struct facts f;

	facts_derive(&f, o, a);
	put_request(object, o);
	put_decision(object, v, &f);
	put_facts(object, v, &f);
	json_put_take(object, "timing", timing_object(o));
	json_put_take(object, "started", time_text(o->started_us));
	json_put_take(object, "ended", time_text(o->ended_us));
	json_put_take(object, "host", host_object(o));
	json_put_take(object, "version", json_visible(o->version));
	return json_line_take(object, a);
}
