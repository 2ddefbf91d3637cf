/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"
#include "base/time.h"
#include "model/facts.h"
#include "model/verdict.h"
#include "model/words.h"

/* A verdict for a person: the line of stderr, and the report of `bulkhead show`. */

#define NAME_SHOWN 200
#define ARGV_SHOWN 400
#define TEXT_SHOWN 1200

const char *verdict_format_line(const struct verdict *v, struct arena *a)
{
	char size[FORMAT_SIZE];
	struct limit_value count = {.set = true, .value = v->suggest_value};
	char text[LIMIT_TEXT_SIZE];

	if (!v->suggest_set)
		return arena_printf(a, "%s: %s", cause_name(v->cause), v->summary);
	return arena_printf(a, "%s: %s; try %s %s", cause_name(v->cause), v->summary,
		limit_option(v->suggest_limit),
		limit_unit(v->suggest_limit) == UNIT_BYTES
			? format_size_option(v->suggest_value, size)
			: limit_format(v->suggest_limit, &count, text));
}

struct report {
	struct buf out;
	struct arena *a;
};

/* "  label       text"; an empty label continues the one above. */
static void row(struct report *r, const char *label, const char *text)
{
	buf_printf(&r->out, "  %-12s%s\n", label, text);
}

static const char *visible(struct report *r, const char *s, size_t max)
{
	return words_visible(r->a, s, max);
}

/* Each argument in quotes where it is not plain, so that where one ends is seen. */
static void put_command(struct report *r, const struct observation *o)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "_-./=:,+@%";
	cleanup_buf struct buf b = BUF_INIT;

	size_t i = 0;
	for (; i < o->argc && b.size < ARGV_SHOWN; i++) {
		const char *arg = visible(r, o->argv[i], NAME_SHOWN);
		bool quote = arg[0] == '\0' || arg[strspn(arg, plain)] != '\0';
		buf_printf(&b, quote ? "%s'%s'" : "%s%s", i > 0 ? " " : "", arg);
	}
	uint64_t more = o->argc - i + o->argv_left_out.words;
	if (more > 0)
		buf_printf(&b, " … (%" PRIu64 " more)", more);
	row(r, "command", buf_str(&b));
}

static void put_head(struct report *r, const struct verdict *v, const struct observation *o)
{
	buf_printf(&r->out, "run %s: %s\n", o->id ? visible(r, o->id, NAME_SHOWN) : "(no id)",
		verdict_format_line(v, r->a));
	put_command(r, o);
	row(r, "policy", visible(r, o->policy, NAME_SHOWN));
	if (o->key)
		row(r, "key", visible(r, o->key, NAME_SHOWN));
	row(r, "cause",
		arena_printf(r->a, "%s (%s): %s", cause_name(v->cause),
			confidence_name(v->confidence), cause_meaning(v->cause)));
	row(r, "retry", retry_name(v->retry));
}

static void put_status(struct report *r, const struct verdict *v, const struct facts *f)
{
	row(r, "status",
		arena_printf(r->a, "%s; exit status of bulkhead %d", words_end(f), v->exit_status));
	for (size_t i = 0; i < v->n_contributing; i++)
		row(r, i == 0 ? "also" : "", visible(r, v->contributing[i], TEXT_SHOWN));
}

static void put_evidence(struct report *r, const struct evidence *e, const char *label)
{
	cleanup_buf struct buf b = BUF_INIT;

	buf_puts(&b, visible(r, e->fact, NAME_SHOWN));
	if (e->has_before && e->has_after)
		buf_printf(&b, " %" PRIu64 " → %" PRIu64, e->before, e->after);
	else if (e->has_after)
		buf_printf(&b, " %" PRIu64, e->after);
	if (e->text && *e->text)
		buf_printf(&b, ": %s", visible(r, e->text, TEXT_SHOWN));
	if (e->where)
		buf_printf(&b, " (%s)", visible(r, e->where, TEXT_SHOWN));
	row(r, label, buf_str(&b));
}

static void put_victims(struct report *r, const struct facts *f)
{
	for (size_t i = 0; i < f->n_victims; i++) {
		const struct victim *v = &f->o->victims[i];
		row(r, i == 0 ? "victims" : "",
			arena_printf(r->a, "%s%s", words_process(r->a, v->comm, v->pid),
				v->leader ? ", the program itself" : ""));
	}
}

static void put_usage(struct report *r, const struct usage *u)
{
	row(r, "wall time", words_duration(r->a, u->wall_us));
	if (u->cpu_known)
		row(r, "cpu time",
			arena_printf(r->a, "%s user, %s system",
				words_duration(r->a, u->cpu_user_us),
				words_duration(r->a, u->cpu_system_us)));
	if (u->memory_peak_known)
		row(r, "memory",
			arena_printf(r->a, "peak %s", words_size(r->a, u->memory_peak_bytes)));
	if (u->pids_peak_known)
		row(r, "processes", arena_printf(r->a, "peak %" PRIu64, u->pids_peak));
	if (u->io_known)
		row(r, "io",
			arena_printf(r->a, "%s read, %s written",
				words_size(r->a, u->io_read_bytes),
				words_size(r->a, u->io_write_bytes)));
	if (u->output_known)
		row(r, "output",
			arena_printf(r->a, "%s seen, %s kept, %s dropped",
				words_size(r->a, u->output_seen_bytes),
				words_size(r->a, u->output_kept_bytes),
				words_size(r->a, u->output_dropped_bytes)));
}

static void put_limits(struct report *r, const struct observation *o)
{
	const char *label = "limits";

	for (int i = 0; i < LIMIT_COUNT_; i++) {
		const struct observed_limit *l = &o->limits[i];
		char text[LIMIT_TEXT_SIZE];
		if (!l->asked.set)
			continue;
		row(r, label,
			arena_printf(r->a, "%s %s, enforced by %s", limit_name(i),
				limit_format(i, &l->asked, text),
				l->by == ENFORCED_NONE ? "nothing" : words_enforcer(l->by)));
		label = "";
	}
}

static void put_timing(struct report *r, const struct observation *o)
{
	char started[TIME_TEXT_SIZE], ended[TIME_TEXT_SIZE];

	row(r, "started", time_format_rfc3339(o->started_us, started));
	row(r, "ended", time_format_rfc3339(o->ended_us, ended));
	row(r, "timing",
		o->kill_us > 0
			? arena_printf(r->a, "%s to spawn, %s to kill",
				  words_duration(r->a, o->spawn_us),
				  words_duration(r->a, o->kill_us))
			: arena_printf(r->a, "%s to spawn", words_duration(r->a, o->spawn_us)));
	row(r, "host",
		arena_printf(r->a, "%s, bulkhead %s", visible(r, o->kernel, NAME_SHOWN),
			visible(r, o->version, NAME_SHOWN)));
}

const char *verdict_format_text(
	const struct verdict *v, const struct observation *o, struct arena *a)
{
	struct report r = {.out = BUF_INIT, .a = a};
	struct facts f;

	facts_derive(&f, o, a);
	put_head(&r, v, o);
	put_status(&r, v, &f);
	for (size_t i = 0; i < v->n_evidence; i++)
		put_evidence(&r, &v->evidence[i], i == 0 ? "evidence" : "");
	put_victims(&r, &f);
	put_usage(&r, &o->usage);
	put_limits(&r, o);
	put_timing(&r, o);
	const char *text = arena_strdup(a, buf_str(&r.out));
	buf_fini(&r.out);
	return text;
}
