/* SPDX-License-Identifier: MIT */
#include "server/figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "base/time.h"
#include "server/server.h"

struct sources {
	struct engine_stats engine;
	const struct server *server;
};

static uint64_t connections(const struct sources *s)
{
	return peers_count(&s->server->peers);
}

static uint64_t exchanges(const struct sources *s)
{
	return s->server->n_exchanges;
}

static uint64_t resident_bytes(const struct sources *s)
{
	char text[128];
	uint64_t total, resident;
	(void)s;
	if (file_read_text(AT_FDCWD, "/proc/self/statm", text, sizeof text) < 0 ||
		sscanf(text, "%20" SCNu64 " %20" SCNu64, &total, &resident) != 2)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t since_s(const struct sources *s)
{
	return s->server->since_us / US_PER_SEC;
}

#define ENGINE(member)                                                                             \
	static uint64_t engine_##member(const struct sources *s)                                   \
	{                                                                                          \
		return (uint64_t)s->engine.member;                                                 \
	}
ENGINE(boxes)
ENGINE(parked)
ENGINE(queued)
ENGINE(starting)
ENGINE(running)
ENGINE(pool_hits)
ENGINE(pool_misses)
ENGINE(forks)
ENGINE(preload_restarts)
ENGINE(refused_total)
ENGINE(zygote_restarts)
ENGINE(wardens)
ENGINE(wardens_lost)
ENGINE(execs_started)
ENGINE(execs_refused)
ENGINE(execs_killed)
ENGINE(memory_promised_bytes)
ENGINE(memory_bytes)

#define SERVER(name, member)                                                                       \
	static uint64_t name(const struct sources *s)                                              \
	{                                                                                          \
		return s->server->member;                                                          \
	}
SERVER(requests, figures.requests_total)
SERVER(attached, n_attachments)
SERVER(accepted, peers.accepted_total)
SERVER(turned_away, peers.refused_total)
SERVER(evicted, peers.evicted_total)

enum kind { GAUGE, COUNTER };

static const struct figure {
	const char *name; /* in JSON */
	const char *metric; /* without "bulkhead_", and "_total" of a counter */
	enum kind kind;
	uint64_t (*get)(const struct sources *s);
	const char *help;
} figures[] = {
	{"boxes", "boxes", GAUGE, engine_boxes,
		"Boxes that live: kept, pooled, and of single runs."},
	{"parked", "parked_boxes", GAUGE, engine_parked, "Boxes of the pool that wait for a run."},
	{"queued", "runs_queued", GAUGE, engine_queued, "Runs that wait for room."},
	{"starting", "runs_starting", GAUGE, engine_starting, "Runs on their way to exec."},
	{"running", "runs_running", GAUGE, engine_running, "Runs that are on."},
	{"pool_hits", "pool_hits", COUNTER, engine_pool_hits, "Runs that found a box ready."},
	{"pool_misses", "pool_misses", COUNTER, engine_pool_misses,
		"Runs of a pooled policy that found none ready."},
	{"forks", "forks", COUNTER, engine_forks, "Runs that were forked from a warmed program."},
	{"preload_restarts", "preload_restarts", COUNTER, engine_preload_restarts,
		"Warmed programs that served forks and ended unasked."},
	{"refused_total", "refused_runs", COUNTER, engine_refused_total,
		"Runs and boxes that were refused."},
	{"zygote_restarts", "zygote_restarts", COUNTER, engine_zygote_restarts,
		"How often the zygote had to be started anew."},
	{"wardens", "wardens", GAUGE, engine_wardens, "Wardens of boxes with an exec policy."},
	{"wardens_lost", "wardens_lost", COUNTER, engine_wardens_lost,
		"Wardens that ended before their box did."},
	{"execs_started", "execs_started", COUNTER, engine_execs_started,
		"Execs under a policy that were as they had been judged, of runs that have ended."},
	{"execs_refused", "execs_refused", COUNTER, engine_execs_refused,
		"Execs that a policy refused, of runs that have ended."},
	{"execs_killed", "execs_killed", COUNTER, engine_execs_killed,
		"Processes killed for another exec than the one judged, of runs that have ended."},
	{"memory_promised_bytes", "memory_promised_bytes", GAUGE, engine_memory_promised_bytes,
		"Memory limits of all that live, together."},
	{"memory_bytes", "memory_admitted_bytes", GAUGE, engine_memory_bytes,
		"What memory limits may promise together."},
	{"connections", "connections", GAUGE, connections, "Clients that are connected."},
	{"requests_working", "requests_working", GAUGE, exchanges,
		"Requests that are not fully answered."},
	{"attachments", "attachments", GAUGE, attached, "Clients that are attached to a run."},
	{"requests_total", "requests", COUNTER, requests, "Requests since the start."},
	{"connections_accepted_total", "connections_accepted", COUNTER, accepted,
		"Connections since the start."},
	{"connections_turned_away_total", "connections_turned_away", COUNTER, turned_away,
		"Connections that were refused."},
	{"connections_evicted_total", "connections_evicted", COUNTER, evicted,
		"Idle connections that gave way to a new one."},
	{"resident_memory_bytes", "resident_memory_bytes", GAUGE, resident_bytes,
		"Memory of the daemon itself."},
	{"start_time_seconds", "start_time_seconds", GAUGE, since_s,
		"When the daemon started, in Unix time."},
};

static struct sources look(struct server *s)
{
	struct sources sources = {.server = s};
	engine_stats(s->engine, &sources.engine);
	return sources;
}

/* ---- JSON ---- */

static void put_causes(const struct sources *s, struct buf *out)
{
	buf_printf(out, "\"runs_total\":%" PRIu64 ",\"runs_by_cause\":{", s->engine.runs_total);
	for (int i = 0; i < CAUSE_COUNT_; i++)
		buf_printf(out, "%s\"%s\":%" PRIu64, i ? "," : "", cause_name(i),
			s->engine.runs_by_cause[i]);
	buf_puts(out, "}");
}

void figures_put_json(struct server *s, struct buf *out)
{
	const struct sources sources = look(s);
	buf_puts(out, "{");
	for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
		buf_printf(out, "\"%s\":%" PRIu64 ",", figures[i].name, figures[i].get(&sources));
	put_causes(&sources, out);
	buf_puts(out, "}\n");
}

/* ---- OpenMetrics ---- */

static void put_family(struct buf *out, const char *name, enum kind kind, const char *help)
{
	buf_printf(out, "# TYPE bulkhead_%s %s\n# HELP bulkhead_%s %s\n", name,
		kind == COUNTER ? "counter" : "gauge", name, help);
}

static void put_runs(const struct sources *s, struct buf *out)
{
	put_family(out, "runs", COUNTER, "Runs that have ended, by cause.");
	for (int i = 0; i < CAUSE_COUNT_; i++)
		buf_printf(out, "bulkhead_runs_total{cause=\"%s\"} %" PRIu64 "\n", cause_name(i),
			s->engine.runs_by_cause[i]);
}

static void put_statuses(const struct sources *s, struct buf *out)
{
	put_family(out, "answers", COUNTER, "Answers, by the class of their status.");
	for (int i = 2; i < 6; i++)
		buf_printf(out, "bulkhead_answers_total{status=\"%dxx\"} %" PRIu64 "\n", i,
			s->server->figures.status_total[i]);
}

void figures_put_openmetrics(struct server *s, struct buf *out)
{
	const struct sources sources = look(s);
	for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
		const struct figure *f = &figures[i];
		put_family(out, f->metric, f->kind, f->help);
		buf_printf(out, "bulkhead_%s%s %" PRIu64 "\n", f->metric,
			f->kind == COUNTER ? "_total" : "", f->get(&sources));
	}
	put_runs(&sources, out);
	put_statuses(&sources, out);
	buf_puts(out, "# EOF\n");
}
