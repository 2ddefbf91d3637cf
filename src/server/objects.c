/* SPDX-License-Identifier: MIT */
#include "server/objects.h"

#include <string.h>

#include "base/json-text.h"
#include "base/time.h"
#include "store/run-json.h"
#include "store/spool-line.h"

static void put_value(struct buf *out, const char *value)
{
	if (value)
		json_put_bytes(out, value, strlen(value));
	else
		buf_puts(out, "null");
}

void object_put_member(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, ",\"%s\":", name);
	put_value(out, value);
}

static void put_id(struct buf *out, const char *id, const char *state)
{
	buf_puts(out, "{\"id\":");
	put_value(out, id);
	object_put_member(out, "state", state);
}

static void put_exit_status(struct buf *out, int status)
{
	if (status >= 0)
		buf_printf(out, ",\"exit_status\":%d", status);
	else
		buf_puts(out, ",\"exit_status\":null");
}

/* A verdict is stored as the line that it was written as. */
static void put_verdict(struct buf *out, const char *json)
{
	buf_puts(out, ",\"verdict\":");
	if (!json) {
		buf_puts(out, "null");
		return;
	}
	size_t size = strlen(json);
	while (size > 0 && json[size - 1] == '\n')
		size--;
	buf_add(out, json, size);
}

void object_put_run(struct buf *out, const struct live *live)
{
	put_id(out, live_id(live), live_state_name(live_state(live)));
	object_put_member(out, "box", live_box(live));
	object_put_member(out, "key", live_key(live));
	object_put_member(out, "policy", live_policy(live));
	buf_printf(out, ",\"tty\":%s", live_has_terminal(live) ? "true" : "false");
	put_exit_status(out, live_exit_status(live));
	put_verdict(out, live_verdict_json(live));
	buf_putc(out, '}');
}

void object_put_row(struct buf *out, const struct run_row *row)
{
	put_id(out, row->id, run_state_name(row->state));
	object_put_member(out, "box", NULL);
	object_put_member(out, "key", row->key);
	object_put_member(out, "policy", row->policy);
	buf_puts(out, ",\"tty\":false");
	put_exit_status(out, row->exit_status);
	put_verdict(out, row->verdict);
	buf_putc(out, '}');
}

void object_put_listed_row(struct buf *out, const struct run_row *row)
{
	run_row_put_json(row, out);
	while (out->size > 0 && out->data[out->size - 1] == '\n')
		out->data[--out->size] = '\0';
}

/* As much of the command as a record keeps. */
static size_t count_listed(const struct strv *argv)
{
	size_t size = 0, n = 0;
	while (n < argv->n && (size += strlen(argv->v[n]) + 1) <= RUN_ARGV_MAX)
		n++;
	return n;
}

void object_put_listed_run(struct buf *out, const struct live *live)
{
	const struct strv argv = live_argv(live);
	const struct run_row row = {
		.id = live_id(live),
		.key = live_key(live),
		.policy = live_policy(live),
		.argv = argv.v,
		.argc = count_listed(&argv),
		.argv_cut = count_listed(&argv) < argv.n,
		.exit_status = -1,
	};
	run_row_put_json_as(&row, live_state_name(live_state(live)), out);
	while (out->size > 0 && out->data[out->size - 1] == '\n')
		out->data[--out->size] = '\0';
}

void object_put_box(struct buf *out, const struct box *box)
{
	char since[TIME_TEXT_SIZE];
	put_id(out, box_id(box), box_state_name(box_state(box)));
	object_put_member(out, "policy", box_policy(box));
	buf_printf(out, ",\"runs\":%u", box_n_runs(box));
	object_put_member(out, "since", time_format_rfc3339(box_since_us(box), since));
	object_put_member(out, "fault", box_fault(box));
	buf_putc(out, '}');
}
