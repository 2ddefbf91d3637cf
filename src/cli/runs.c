/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/read-store.h"
#include "store/run-json.h"
#include "model/verdict.h"

#define DEFAULT_LIMIT 50
#define LIMIT_MAX     1000000

struct runs_options {
	struct run_filter filter;
	bool json;
};

static int refuse_cause(const char *value, struct error *e)
{
	const char *names[CAUSE_COUNT_ + 1];
	char shown[OPTION_SHOWN_SIZE];
	for (int i = 0; i < CAUSE_COUNT_; i++)
		names[i] = cause_name((enum cause)i);
	names[CAUSE_COUNT_] = NULL;
	const char *near = nearest_name(value, names);
	error_set(e, BLAME_REQUEST, 0, "'%s' is no cause", option_shown(value, shown));
	if (near)
		return error_hint(e, "did you mean '%s'?", near);
	return error_hint(e, "bulkhead-verdict(7) has the list");
}

static int set_option(void *data, const char *name, const char *value, struct error *e)
{
	struct runs_options *o = data;
	char shown[OPTION_SHOWN_SIZE];
	uint64_t limit;
	if (strcmp(name, "json") == 0) {
		o->json = true;
	} else if (strcmp(name, "key") == 0) {
		o->filter.key = value;
	} else if (strcmp(name, "cause") == 0) {
		if (cause_from_name(value) < 0)
			return refuse_cause(value, e);
		o->filter.cause = value;
	} else { /* --limit */
		if (parse_u64(value, LIMIT_MAX, &limit) < 0)
			return error_set(e, BLAME_REQUEST, 0, "'--limit %s': not a number up to %d",
				option_shown(value, shown), LIMIT_MAX);
		o->filter.limit = (size_t)limit;
	}
	return 0;
}

/* How wide a line may be; 0: as wide as it comes, for a file or a pipe. */
static size_t line_width(void)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

/* End a line that began at @start after @width bytes, not within a character. */
static void cut_line(struct buf *out, size_t start, size_t width)
{
	if (width < 4 || out->size - start <= width)
		return;
	size_t end = start + width - 3;
	while (end > start && ((unsigned char)out->data[end] & 0xc0) == 0x80)
		end--;
	out->size = end;
	buf_puts(out, "...");
}

static void put_duration(const struct run_row *row, char out[FORMAT_SIZE])
{
	if (row->state == RUN_ENDED && row->ended_us >= row->started_us)
		format_duration(row->ended_us - row->started_us, out);
	else
		strcpy(out, "-");
}

static void put_row(const struct run_row *row, size_t width, struct buf *out)
{
	char started[TIME_TEXT_SIZE], took[FORMAT_SIZE], status[16] = "-";
	size_t start = out->size;
	time_format_rfc3339(row->started_us, started);
	put_duration(row, took);
	if (row->exit_status >= 0)
		snprintf(status, sizeof status, "%d", row->exit_status);
	buf_put_visible(out, row->id, strlen(row->id));
	buf_printf(out, "  %.10s %.8s  %6s  ", started, started + 11, status);
	cleanup_buf struct buf cause = BUF_INIT;
	const char *name = row->cause ? row->cause : run_state_name(row->state);
	buf_put_visible(&cause, name, strlen(name));
	buf_printf(out, "%-16s  %10s  ", buf_str(&cause), took);
	run_row_command(row, out);
	cut_line(out, start, width);
	buf_putc(out, '\n');
}

static void put_table(const struct run_row *rows, size_t n, struct buf *out)
{
	size_t width = line_width();
	buf_printf(out, "%-16s  %-19s  %6s  %-16s  %10s  %s\n", "ID", "STARTED (UTC)", "STATUS",
		"CAUSE", "TIME", "COMMAND");
	for (size_t i = 0; i < n; i++)
		put_row(&rows[i], width, out);
}

static int list(const struct runs_options *o, struct buf *out, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_read_store struct read_store records = READ_STORE_INIT;
	struct run_row *rows;
	size_t n;
	if (read_store_open(&records, e) < 0 ||
		store_list(records.store, &o->filter, &a, &rows, &n, e) < 0)
		return -1;
	if (!o->json)
		put_table(rows, n, out);
	for (size_t i = 0; o->json && i < n; i++)
		run_row_put_json(&rows[i], out);
	return 0;
}

int cli_runs(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	struct runs_options o = {.filter = {.limit = DEFAULT_LIMIT}};
	cleanup_buf struct buf out = BUF_INIT;
	int status = 0;
	int r = read_options(COMMAND_RUNS, argc, argv, set_option, &o, NULL, &status, &e);
	if (r > 0)
		return status;
	if (r < 0 || list(&o, &out, &e) < 0 || write_out(STDOUT_FILENO, &out, &e) < 0)
		return cli_fail(&e);
	return 0;
}
