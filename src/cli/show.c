/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/commands.h"
#include "cli/read-store.h"
#include "model/verdict.h"
#include "store/lost.h"

static int set_option(void *data, const char *name, const char *value, struct error *e)
{
	bool *json = data;
	(void)name; /* there is only --json */
	(void)value;
	(void)e;
	*json = true;
	return 0;
}

/* For a person, of a run that is still on. */
static void put_running(const struct run_row *row, struct buf *out)
{
	char started[TIME_TEXT_SIZE];
	buf_printf(out, "run %s is on since %s (bulkhead's pid %d): ", row->id,
		time_format_rfc3339(row->started_us, started), (int)row->pid);
	run_row_command(row, out);
	buf_putc(out, '\n');
}

/*
 * The observation is what the verdict was made of, and the text needs both. A run that was lost has
 * not been observed to its end, so its verdict is another one.
 */
static int put_verdict(const struct run_row *row, struct arena *a, struct buf *out, struct error *e)
{
	struct observation o, unused;
	struct verdict v;
	if (!row->observation)
		return error_set(e, BLAME_HOST, 0,
			"run '%s' was recorded without its observation; 'show --json' has its "
			"verdict",
			row->id);
	if (observation_parse_json(&o, row->observation, strlen(row->observation), a, e) < 0)
		return error_wrap(e, "the record of run '%s'", row->id);
	if (row->state == RUN_LOST)
		lost_verdict(&v, &unused, row, o.ended_us);
	else
		verdict_decide(&v, &o, a);
	buf_puts(out, verdict_format_text(&v, &o, a));
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

static int show(const char *id, bool json, struct buf *out, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_read_store struct read_store records = READ_STORE_INIT;
	struct run_row row;
	if (read_store_open(&records, e) < 0 || store_find(records.store, id, &a, &row, e) < 0)
		return -1;
	if (json)
		put_json(&row, out);
	else if (row.state == RUN_ON)
		put_running(&row, out);
	else
		return put_verdict(&row, &a, out, e);
	return 0;
}

int cli_show(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	const char *id;
	bool json = false;
	int status = 0;
	int r = read_options(COMMAND_SHOW, argc, argv, set_option, &json, &id, &status, &e);
	if (r > 0)
		return status;
	if (r < 0 || show(id, json, &out, &e) < 0 || write_out(STDOUT_FILENO, &out, &e) < 0)
		return cli_fail(&e);
	return 0;
}
