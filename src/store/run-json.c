/* SPDX-License-Identifier: MIT */
#include "store/run-json.h"

#include <string.h>

#include "base/json-text.h"
#include "base/time.h"

static void put_member(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, ",\"%s\":", name);
	if (value)
		json_put_bytes(out, value, strlen(value));
	else
		buf_puts(out, "null");
}

static void put_time(struct buf *out, const char *name, uint64_t us)
{
	char text[TIME_TEXT_SIZE];
	put_member(out, name, us ? time_format_rfc3339(us, text) : NULL);
}

void run_row_put_json_as(const struct run_row *row, const char *state, struct buf *out)
{
	buf_puts(out, "{\"id\":");
	json_put_bytes(out, row->id, strlen(row->id));
	put_member(out, "state", state);
	put_member(out, "key", row->key);
	put_member(out, "policy", row->policy);
	buf_puts(out, ",\"argv\":[");
	for (size_t i = 0; i < row->argc; i++) {
		if (i > 0)
			buf_putc(out, ',');
		json_put_bytes(out, row->argv[i], strlen(row->argv[i]));
	}
	buf_printf(out, "],\"argv_complete\":%s", row->argv_cut ? "false" : "true");
	put_member(out, "cause", row->cause);
	if (row->exit_status >= 0)
		buf_printf(out, ",\"exit_status\":%d", row->exit_status);
	else
		buf_puts(out, ",\"exit_status\":null");
	put_time(out, "started", row->started_us);
	put_time(out, "ended", row->ended_us);
	buf_puts(out, "}\n");
}

void run_row_put_json(const struct run_row *row, struct buf *out)
{
	run_row_put_json_as(row, run_state_name(row->state), out);
}
