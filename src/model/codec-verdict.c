/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <string.h>

#include "base/parse.h"
#include "base/time.h"
#include "model/codec-argv.h"
#include "model/codec-observed-exec.h"
#include "model/codec-writer.h"
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

static void put_time(struct json_writer *w, const char *key, uint64_t realtime_us)
{
	char text[TIME_TEXT_SIZE];
	write_text(w, key, time_format_rfc3339(realtime_us, text));
}

static void put_comm(struct json_writer *w, const char comm[17])
{
	char text[17];

	memcpy(text, comm, sizeof text);
	text[16] = '\0';
	write_visible(w, "comm", text[0] ? text : NULL);
}

static void put_pid(struct json_writer *w, const char *key, pid_t pid)
{
	write_u64_or_null(w, key, pid > 0, (uint64_t)pid);
}

static void put_limit(struct json_writer *w, const struct observed_limit *l, enum limit limit)
{
	write_object(w, limit_name(limit));
	write_u64_or_null(w, "value", l->asked.set, l->asked.value);
	write_text(w, "unit", unit_names[limit_unit(limit)]);
	write_text(w, "enforced_by", words_enforcer(l->by));
	write_object_end(w);
}

static void put_limits(struct json_writer *w, const struct observation *o)
{
	write_object(w, "limits");
	for (int i = 0; i < LIMIT_COUNT_; i++)
		put_limit(w, &o->limits[i], i);
	write_object_end(w);
}

static void put_pressure(struct json_writer *w, const char *key, const struct pressure *p)
{
	if (!p->known) {
		write_null(w, key);
		return;
	}
	write_object(w, key);
	write_u64(w, "some_us", p->some_us);
	write_u64(w, "full_us", p->full_us);
	write_object_end(w);
}

static void put_pressures(struct json_writer *w, const struct usage *u)
{
	write_object(w, "pressure");
	put_pressure(w, "cpu", &u->cpu);
	put_pressure(w, "memory", &u->memory);
	put_pressure(w, "io", &u->io);
	write_object_end(w);
}

static void put_output(struct json_writer *w, const struct usage *u)
{
	if (!u->output_known) {
		write_null(w, "output");
		return;
	}
	write_object(w, "output");
	write_u64(w, "seen_bytes", u->output_seen_bytes);
	write_u64(w, "kept_bytes", u->output_kept_bytes);
	write_u64(w, "dropped_bytes", u->output_dropped_bytes);
	write_object_end(w);
}

static void put_usage(struct json_writer *w, const struct usage *u)
{
	write_object(w, "usage");
	write_u64(w, "wall_us", u->wall_us);
	write_u64_or_null(w, "cpu_user_us", u->cpu_known, u->cpu_user_us);
	write_u64_or_null(w, "cpu_system_us", u->cpu_known, u->cpu_system_us);
	write_u64_or_null(w, "memory_peak_bytes", u->memory_peak_known, u->memory_peak_bytes);
	write_u64_or_null(w, "pids_peak", u->pids_peak_known, u->pids_peak);
	write_u64_or_null(w, "io_read_bytes", u->io_known, u->io_read_bytes);
	write_u64_or_null(w, "io_write_bytes", u->io_known, u->io_write_bytes);
	write_u64_or_null(w, "throttled_us", u->throttled_known, u->throttled_us);
	put_pressures(w, u);
	put_output(w, u);
	write_object_end(w);
}

static void put_evidence(struct json_writer *w, const struct evidence *e)
{
	write_object(w, NULL);
	write_visible(w, "fact", e->fact);
	write_visible(w, "where", e->where);
	write_u64_or_null(w, "before", e->has_before, e->before);
	write_u64_or_null(w, "after", e->has_after, e->after);
	if (e->text)
		write_visible(w, "text", e->text);
	write_object_end(w);
}

static void put_all_evidence(struct json_writer *w, const struct verdict *v)
{
	write_array(w, "evidence");
	for (size_t i = 0; i < v->n_evidence; i++)
		put_evidence(w, &v->evidence[i]);
	write_array_end(w);
}

static void put_victim(struct json_writer *w, const struct victim *victim)
{
	write_object(w, NULL);
	put_pid(w, "pid", victim->pid);
	put_comm(w, victim->comm);
	write_bool(w, "leader", victim->leader);
	write_object_end(w);
}

static void put_victims(struct json_writer *w, const struct facts *f)
{
	write_array(w, "victims");
	for (size_t i = 0; i < f->n_victims; i++)
		put_victim(w, &f->o->victims[i]);
	write_array_end(w);
}

/* Only who sent the signal that ended the payload; the kernel is nobody. */
static void put_killer(struct json_writer *w, const struct facts *f)
{
	const struct killer *k = &f->o->killer;

	if (f->signal == 0 || !sender_is_process(k)) {
		write_null(w, "killer");
		return;
	}
	write_object(w, "killer");
	put_pid(w, "pid", k->pid);
	put_comm(w, k->comm);
	write_u64(w, "uid", k->uid);
	put_pid(w, "inside_pid", k->inside_pid);
	write_visible(w, "cgroup", k->cgroup);
	write_visible(w, "unit", sender_unit(k, f->a));
	write_object_end(w);
}

static void put_contributing(struct json_writer *w, const struct verdict *v)
{
	write_array(w, "contributing");
	for (size_t i = 0; i < v->n_contributing; i++)
		write_visible(w, NULL, v->contributing[i]);
	write_array_end(w);
}

static void put_suggest(struct json_writer *w, const struct verdict *v)
{
	write_object(w, "suggest");
	if (v->suggest_set) {
		write_text(w, "limit", limit_name(v->suggest_limit));
		write_u64(w, "value", v->suggest_value);
		write_text(w, "unit", unit_names[limit_unit(v->suggest_limit)]);
	}
	write_object_end(w);
}

static void put_timing(struct json_writer *w, const struct observation *o)
{
	write_object(w, "timing");
	write_u64(w, "spawn_us", o->spawn_us);
	write_u64_or_null(w, "kill_us", o->kill_us > 0, o->kill_us);
	write_object_end(w);
}

static void put_host(struct json_writer *w, const struct observation *o)
{
	write_object(w, "host");
	write_visible(w, "kernel", o->kernel);
	write_text(w, "rung", (unsigned)o->rung < RUNG_COUNT_ ? rung_name(o->rung) : "none");
	write_bool(w, "privileged", o->privileged);
	write_object_end(w);
}

static void put_request(struct json_writer *w, const struct observation *o)
{
	write_visible(w, "id", o->id);
	write_visible(w, "key", o->key);
	write_visible(w, "policy", o->policy);
	observed_argv_write(w, o);
	write_u64(w, "attempt", o->attempt);
}

static void put_decision(struct json_writer *w, const struct verdict *v, const struct facts *f)
{
	write_text(w, "cause", cause_name(v->cause));
	write_text(w, "confidence", confidence_name(v->confidence));
	write_text(w, "retry", retry_name(v->retry));
	write_visible(w, "summary", v->summary);
	write_u64_or_null(w, "exit_code", f->wait == WAIT_EXITED, (uint64_t)f->code);
	write_u64_or_null(w, "signal", f->signal > 0, (uint64_t)f->signal);
}

static void put_facts(struct json_writer *w, const struct verdict *v, const struct facts *f)
{
	put_limits(w, f->o);
	put_usage(w, &f->o->usage);
	put_all_evidence(w, v);
	put_victims(w, f);
	put_killer(w, f);
	put_contributing(w, v);
	put_suggest(w, v);
	if (f->o->exec.mode != EXEC_OFF)
		verdict_exec_write(w, &f->o->exec);
}

const char *verdict_format_json(
	const struct verdict *v, const struct observation *o, struct arena *a)
{
	struct json_writer w = JSON_WRITER_INIT;
	struct facts f;

	facts_derive(&f, o, a);
	write_object(&w, NULL);
	put_request(&w, o);
	put_decision(&w, v, &f);
	put_facts(&w, v, &f);
	put_timing(&w, o);
	put_time(&w, "started", o->started_us);
	put_time(&w, "ended", o->ended_us);
	put_host(&w, o);
	write_visible(&w, "version", o->version);
	write_object_end(&w);
	return write_line_take(&w, a);
}
