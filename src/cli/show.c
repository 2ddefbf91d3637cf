/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/read-store.h"
#include "cli/show-execs.h"
#include "store/run-json.h"
#include "model/html.h"
#include "model/timeline.h"
#include "model/verdict.h"
#include "store/lost.h"
#include "store/timeline-file.h"

struct show_options {
	bool json, html, execs;
};

static int set_option(void *data, const char *name, const char *value, struct error *e)
{
	struct show_options *o = data;
	(void)value;
	*(strcmp(name, "html") == 0                  ? &o->html
			: strcmp(name, "execs") == 0 ? &o->execs
						     : &o->json) = true;
	if (o->json && o->html)
		return error_set(e, BLAME_REQUEST, 0, "'--json' contradicts '--html'");
	if (o->execs && o->html)
		return error_set(
			e, BLAME_REQUEST, 0, "'--execs' contradicts '--html', which has them");
	return 0;
}

/* ---- the timeline ---- */

/* True if the terminal, or whoever reads it, takes UTF-8. */
static bool locale_is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	const char *value = NULL;
	for (size_t i = 0; i < sizeof names / sizeof *names && (!value || !*value); i++)
		value = getenv(names[i]);
	return value && (strcasestr(value, "utf-8") || strcasestr(value, "utf8"));
}

static bool wants_color(void)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");
	if (no && *no)
		return false;
	return isatty(STDOUT_FILENO) == 1 && terminal && *terminal && strcmp(terminal, "dumb") != 0;
}

/* What there is of it, in @a; NULL if there is none. */
static struct timeline *read_timeline(
	const struct read_store *records, const char *id, struct arena *a)
{
	struct timeline *t = arena_new(a, struct timeline);
	size_t bad = 0;
	cleanup_fd int dir = run_dir_open(&records->dir, id);
	if (dir < 0 || timeline_file_read(dir, t, &bad) < 0)
		return NULL;
	if (bad > 0)
		log_line("%zu line%s of the timeline %s damaged and left out", bad,
			bad == 1 ? "" : "s", bad == 1 ? "is" : "are");
	return t;
}

static struct plot_style style_of_terminal(void)
{
	return (struct plot_style){.utf8 = locale_is_utf8(), .color = wants_color()};
}

static void put_timeline(
	const struct timeline *t, const struct observation *o, struct arena *a, struct buf *out)
{
	if (t)
		buf_puts(out, timeline_format_text(t, o, style_of_terminal(), a));
}

/* ---- the run ---- */

/* For a person, of a run that is still on. */
static void put_running(
	const struct run_row *row, const struct timeline *t, struct arena *a, struct buf *out)
{
	static const struct observation nothing;
	char started[TIME_TEXT_SIZE];
	buf_printf(out, "run %s is on since %s (bulkhead's pid %d): ", row->id,
		time_format_rfc3339(row->started_us, started), (int)row->pid);
	run_row_command(row, out);
	buf_putc(out, '\n');
	put_timeline(t, &nothing, a, out);
}

/*
 * The observation is what the verdict was made of, and the text needs both. A run that was lost has
 * not been observed to its end, so its verdict is another one.
 */
static int judge(const struct run_row *row, struct verdict *v, struct observation *o,
	struct arena *a, struct error *e)
{
	struct observation unused;
	if (!row->observation)
		return error_set(e, BLAME_HOST, 0,
			"run '%s' was recorded without its observation; 'show --json' has its "
			"verdict",
			row->id);
	if (observation_parse_json(o, row->observation, strlen(row->observation), a, e) < 0)
		return error_wrap(e, "the record of run '%s'", row->id);
	if (row->state == RUN_LOST)
		lost_verdict(v, &unused, row, o->ended_us);
	else
		verdict_decide(v, o, a);
	return 0;
}

static int put_ended(const struct run_row *row, const struct timeline *t, struct arena *a,
	struct buf *out, struct error *e)
{
	struct observation o;
	struct verdict v;
	if (judge(row, &v, &o, a, e) < 0)
		return -1;
	buf_puts(out, verdict_format_text(&v, &o, a));
	put_timeline(t, &o, a, out);
	return 0;
}

static int put_page(const struct read_store *records, const struct run_row *row,
	const struct timeline *t, struct arena *a, struct buf *out, struct error *e)
{
	struct observation o;
	struct verdict v;
	struct error none = ERROR_INIT;
	if (row->state == RUN_ON)
		return error_set(e, BLAME_REQUEST, 0,
			"run '%s' has not ended: there is no page of it yet", row->id);
	if (judge(row, &v, &o, a, e) < 0)
		return -1;
	const struct exec_tree *execs = show_read_execs(records, row->id, a, &none);
	buf_puts(out, verdict_format_html(&v, &o, t, execs, a));
	return 0;
}

/* Without an observation all is shown that there is: the file says it by itself. */
static int put_execs(const struct read_store *records, const struct run_row *row, bool json,
	struct arena *a, struct buf *out, struct error *e)
{
	struct observation o = {.exec = {.mode = EXEC_OFF}};
	struct error none = ERROR_INIT;
	if (json)
		return show_execs_json(records, row->id, e);
	const struct exec_tree *t = show_read_execs(records, row->id, a, e);
	if (!t)
		return -1;
	if (row->observation)
		observation_parse_json(&o, row->observation, strlen(row->observation), a, &none);
	show_put_execs(out, row->id, t, row->state == RUN_ON ? NULL : &o, style_of_terminal());
	return 0;
}

static void put_json(const struct run_row *row, struct buf *out)
{
	if (!row->verdict) {
		run_row_put_json(row, out);
		return;
	}
	buf_puts(out, row->verdict);
	if (out->size == 0 || out->data[out->size - 1] != '\n')
		buf_putc(out, '\n');
}

static int show(
	const char *id, const struct show_options *options, struct buf *out, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_read_store struct read_store records = READ_STORE_INIT;
	struct run_row row;
	if (read_store_open(&records, e) < 0 || store_find(records.store, id, &a, &row, e) < 0)
		return -1;
	if (options->execs)
		return put_execs(&records, &row, options->json, &a, out, e);
	if (options->json) {
		put_json(&row, out);
		return 0;
	}
	const struct timeline *t = read_timeline(&records, row.id, &a);
	if (options->html)
		return put_page(&records, &row, t, &a, out, e);
	if (row.state != RUN_ON)
		return put_ended(&row, t, &a, out, e);
	put_running(&row, t, &a, out);
	return 0;
}

int cli_show(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	struct show_options options = {.json = false};
	const char *id;
	int status = 0;
	int r = read_options(COMMAND_SHOW, argc, argv, set_option, &options, &id, &status, &e);
	if (r > 0)
		return status;
	if (r < 0 || show(id, &options, &out, &e) < 0 || write_out(STDOUT_FILENO, &out, &e) < 0)
		return cli_fail(&e);
	return 0;
}
