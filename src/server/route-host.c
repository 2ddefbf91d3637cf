/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "model/doctor.h"
#include "run/host.h"
#include "run/policy-file.h"
#include "server/exchange.h"
#include "server/figures.h"
#include "server/handlers.h"
#include "server/objects.h"

#define JSON "application/json"

/* Trials are made for it, in children: once. The host does not change much, but for limits on us. */
void handle_host(struct exchange *x)
{
	static struct buf known;
	struct buf body = BUF_INIT;
	struct error e = ERROR_INIT;
	if (known.size == 0) {
		struct arena *a = &x->arena;
		struct policy policy;
		struct host host;
		struct doctor doctor;
		if (policy_load(&policy, a, NULL, "default", &e) < 0) {
			exchange_fail(x, &e);
			return;
		}
		host_probe(&host, a, true);
		doctor_examine(&doctor, &host, &policy, a);
		buf_puts(&known, codec_doctor_json(&doctor, a));
	}
	buf_add(&body, known.data, known.size);
	exchange_answer_take(x, 200, &body, JSON);
}

/* ---- policies ---- */

/* One that cannot be read is listed all the same: somebody thinks that it is there. */
static void put_policy(struct buf *out, struct arena *a, const char *name, const char *from)
{
	struct policy policy;
	struct error e = ERROR_INIT;
	int rc = policy_load(&policy, a, &policy_files, name, &e);
	if (out->data[out->size - 1] != '[')
		buf_putc(out, ',');
	buf_printf(out, "{\"name\":\"%s\"", name);
	object_put_member(out, "from", from);
	object_put_member(out, "fault", rc < 0 ? e.text : NULL);
	buf_putc(out, '}');
}

void handle_policy_list(struct exchange *x)
{
	struct buf body = BUF_INIT;
	struct arena *a = &x->arena;
	struct strv dirs = policy_file_dirs(a);
	buf_puts(&body, "{\"policies\":[");
	for (const char *const *name = policy_shipped_names(); *name; name++)
		put_policy(&body, a, *name, "bulkhead");
	for (size_t i = 0; i < dirs.n; i++) {
		struct strv names = policy_file_names(a, dirs.v[i]);
		for (size_t j = 0; j < names.n; j++)
			put_policy(&body, a, names.v[j], dirs.v[i]);
	}
	buf_puts(&body, "]}\n");
	exchange_answer_take(x, 200, &body, JSON);
}

void handle_policy_get(struct exchange *x)
{
	struct buf body = BUF_INIT;
	struct error e = ERROR_INIT;
	struct policy policy;
	if (policy_load(&policy, &x->arena, &policy_files, x->id, &e) < 0) {
		if (e.blame == BLAME_REQUEST)
			e.errnum = ENOENT;
		exchange_fail(x, &e);
		return;
	}
	buf_puts(&body, policy_format_json(&policy, &x->arena));
	exchange_answer_take(x, 200, &body, JSON);
}

/* ---- figures ---- */

void handle_stats(struct exchange *x)
{
	struct buf body = BUF_INIT;
	figures_put_json(x->server, &body);
	exchange_answer_take(x, 200, &body, JSON);
}

void handle_metrics(struct exchange *x)
{
	struct buf body = BUF_INIT;
	figures_put_openmetrics(x->server, &body);
	exchange_answer_take(
		x, 200, &body, "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

void handle_breakers(struct exchange *x)
{
	struct buf body = BUF_INIT;
	buf_puts(&body, "{\"breakers\":[]}\n");
	exchange_answer_take(x, 200, &body, JSON);
}

void handle_health(struct exchange *x)
{
	struct buf body = BUF_INIT;
	struct error e = ERROR_INIT;
	if (x->server->stopping) {
		error_set(&e, BLAME_HOST, 0, "the daemon is shutting down");
		exchange_refuse(x, PROBLEM_UNAVAILABLE, &e);
		return;
	}
	buf_puts(&body, "{\"status\":\"ok\"}\n");
	exchange_answer_take(x, 200, &body, JSON);
}
