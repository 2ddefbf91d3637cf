/* SPDX-License-Identifier: MIT */
#include "model/html.h"

#include <inttypes.h>
#include <string.h>

#include "base/time.h"
#include "model/explain.h"
#include "model/facts.h"
#include "model/words.h"

#define ARGS_SHOWN 200
#define ARG_SHOWN  2000

static const char style[] =
	"body{font:15px/1.45 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;"
	"color:#1c1e21;background:#fff}"
	"h1{font-size:1.35em;margin:0 0 .3em}h2{font-size:1.05em;margin:1.6em 0 .4em}"
	".cause{font-family:ui-monospace,monospace}.sub{color:#666}"
	"code,pre{font-family:ui-monospace,monospace;font-size:.92em;white-space:pre-wrap;"
	"overflow-wrap:anywhere}"
	"table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;"
	"padding:.2em .8em .2em 0;border-bottom:1px solid #8883;overflow-wrap:anywhere}"
	"th{font-weight:600;white-space:nowrap;width:1%}"
	"figure{margin:1em 0}figcaption{margin-bottom:.2em}"
	"svg{width:100%;height:auto;display:block;background:#8881}"
	".area{fill:#3b7dd833}.line{fill:none;stroke:#3b7dd8;stroke-width:1.5}"
	".limit{stroke:#c0392b;stroke-width:1.5;stroke-dasharray:6 4}"
	".act{stroke:#d35400;stroke-width:2}.stop{fill:transparent}.stop:hover{fill:#8883}"
	".axis{display:flex;justify-content:space-between;color:#666;font-size:.85em}"
	".yes{font-weight:600}.tree{font-family:ui-monospace,monospace;font-size:.92em;"
	"white-space:pre-wrap}"
	"@media(prefers-color-scheme:dark){body{color:#e4e6eb;background:#18191a}"
	".sub,.axis{color:#aaa}}";

void html_put(struct buf *b, const char *text)
{
	cleanup_buf struct buf visible = BUF_INIT;

	if (!text)
		return;
	buf_put_visible(&visible, text, strlen(text));
	for (const char *c = buf_str(&visible); *c; c++) {
		const char *escaped = *c == '&' ? "&amp;"
			: *c == '<'             ? "&lt;"
			: *c == '>'             ? "&gt;"
			: *c == '"'             ? "&quot;"
			: *c == '\''            ? "&#39;"
						: NULL;
		if (escaped)
			buf_puts(b, escaped);
		else
			buf_putc(b, *c);
	}
}

static void put_row(struct buf *b, const char *head, const char *text)
{
	buf_puts(b, "<tr><th>");
	html_put(b, head);
	buf_puts(b, "</th><td>");
	html_put(b, text);
	buf_puts(b, "</td></tr>\n");
}

static void put_section(struct buf *b, const char *title)
{
	buf_puts(b, "<h2>");
	html_put(b, title);
	buf_puts(b, "</h2>\n");
}

/* ---- its parts ---- */

static void put_head(struct buf *b, const struct verdict *v, const struct observation *o)
{
	buf_puts(b,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src 'unsafe-inline'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<title>");
	html_put(b, cause_name(v->cause));
	buf_puts(b, " - run ");
	html_put(b, o->id ? o->id : "(no id)");
	buf_printf(b, "</title>\n<style>%s</style></head><body>\n", style);
}

static void put_cause(struct buf *b, const struct verdict *v, struct arena *a)
{
	buf_puts(b, "<h1><span class=\"cause\">");
	html_put(b, cause_name(v->cause));
	buf_puts(b, "</span></h1>\n<p>");
	html_put(b, verdict_format_line(v, a) + strlen(cause_name(v->cause)) + 2);
	buf_puts(b, "</p>\n<p class=\"sub\">");
	html_put(b,
		arena_printf(a, "%s: %s. Retry: %s. Exit status of bulkhead: %d.",
			confidence_name(v->confidence), cause_meaning(v->cause),
			retry_name(v->retry), v->exit_status));
	buf_puts(b, "</p>\n");
}

static void put_command(struct buf *b, const struct observation *o, struct arena *a)
{
	buf_puts(b, "<pre>");
	size_t i = 0;
	for (; i < o->argc && i < ARGS_SHOWN; i++) {
		if (i > 0)
			buf_putc(b, ' ');
		html_put(b, words_visible(a, o->argv[i], ARG_SHOWN));
	}
	uint64_t more = o->argc - i + o->argv_left_out.words;
	if (more > 0)
		buf_printf(b, " … (%" PRIu64 " more)", more);
	buf_puts(b, "</pre>\n");
}

static void put_run(struct buf *b, const struct observation *o, struct arena *a)
{
	char time[TIME_TEXT_SIZE];

	buf_puts(b, "<table>\n");
	put_row(b, "run", o->id);
	put_row(b, "policy", o->policy);
	if (o->key)
		put_row(b, "key", o->key);
	put_row(b, "started", time_format_rfc3339(o->started_us, time));
	put_row(b, "wall time", words_duration(a, o->usage.wall_us));
	if (o->usage.cpu_known)
		put_row(b, "CPU time",
			arena_printf(a, "%s user, %s system",
				words_duration(a, o->usage.cpu_user_us),
				words_duration(a, o->usage.cpu_system_us)));
	put_row(b, "host",
		arena_printf(a, "%s, bulkhead %s", o->kernel ? o->kernel : "",
			o->version ? o->version : ""));
	buf_puts(b, "</table>\n");
}

static void put_events(struct buf *b, const struct observation *o, struct arena *a)
{
	size_t n = o->n_acts < OBSERVATION_MAX_ACTS ? o->n_acts : OBSERVATION_MAX_ACTS;

	put_section(b, "What happened");
	buf_puts(b, "<table>\n");
	put_row(b, "0", "the program was started");
	for (size_t i = 0; i < n; i++)
		put_row(b, words_duration(a, o->acts[i].at_us),
			arena_printf(a, "bulkhead sent %s to %s: %s",
				words_signal(a, o->acts[i].signal),
				o->acts[i].whole_run ? "the whole run" : "the program",
				act_reason_name(o->acts[i].reason)));
	struct facts f;
	facts_derive(&f, o, a);
	for (size_t i = 0; i < f.n_victims; i++)
		put_row(b, "",
			arena_printf(a, "the OOM killer took %s%s",
				words_process(a, o->victims[i].comm, o->victims[i].pid),
				o->victims[i].leader ? ", the program itself" : ""));
	put_row(b, words_duration(a, o->usage.wall_us), words_end(&f));
	buf_puts(b, "</table>\n");
}

static void put_evidence(struct buf *b, const struct verdict *v, struct arena *a)
{
	put_section(b, "Evidence");
	buf_puts(b, "<table>\n");
	for (size_t i = 0; i < v->n_evidence; i++) {
		const struct evidence *e = &v->evidence[i];
		const char *figures = e->has_before && e->has_after
			? arena_printf(a, "%" PRIu64 " → %" PRIu64 " ", e->before, e->after)
			: e->has_after ? arena_printf(a, "%" PRIu64 " ", e->after)
				       : "";
		put_row(b, e->fact,
			arena_printf(a, "%s%s%s%s%s", figures, e->text ? e->text : "",
				e->where ? " (" : "", e->where ? e->where : "",
				e->where ? ")" : ""));
	}
	for (size_t i = 0; i < v->n_contributing; i++)
		put_row(b, "also", v->contributing[i]);
	buf_puts(b, "</table>\n");
}

/* Why it was judged so: bulkhead explain. */
static void put_reasons(struct buf *b, const struct observation *o, struct arena *a)
{
	struct explanation x;
	struct look looks[EXPLAIN_MAX_LOOKS];
	size_t n = explain_looks(looks, o, a);

	put_section(b, "Looked at");
	buf_puts(b, "<table>\n");
	for (size_t i = 0; i < n; i++)
		put_row(b, i > 0 && looks[i].what == looks[i - 1].what ? "" : looks[i].what,
			looks[i].said);
	buf_puts(b, "</table>\n<details><summary>How the cause follows</summary><table>\n");
	verdict_explain(&x, o, a);
	for (size_t i = 0; i <= x.decided; i++)
		put_row(b,
			arena_printf(a, "%s %s",
				i < x.decided ? "not" : "so:", cause_name(x.steps[i].cause)),
			i < x.decided ? x.steps[i].why_not : x.verdict.summary);
	buf_puts(b, "</table></details>\n");
}

const char *verdict_format_html(const struct verdict *v, const struct observation *o,
	const struct timeline *t, const struct exec_tree *execs, struct arena *a)
{
	cleanup_buf struct buf b = BUF_INIT;

	put_head(&b, v, o);
	put_cause(&b, v, a);
	put_command(&b, o, a);
	put_run(&b, o, a);
	put_section(&b, "Over time");
	if (t && t->n >= 2)
		html_put_plots(&b, t, o, a);
	else
		buf_puts(&b,
			"<p class=\"sub\">No timeline: the run was shorter than two points "
			"of it, or it was not kept.</p>\n");
	put_events(&b, o, a);
	if (execs)
		html_put_execs(&b, execs, &o->exec);
	put_evidence(&b, v, a);
	put_reasons(&b, o, a);
	buf_puts(&b, "</body></html>\n");
	return arena_strdup(a, buf_str(&b));
}
