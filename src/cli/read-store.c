/* SPDX-License-Identifier: MIT */
#include "cli/read-store.h"

#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/help.h"

int read_store_open(struct read_store *ret, struct error *e)
{
	if (state_dir_open(&ret->dir, STATE_DIR_READ, e) < 0)
		return -1;
	return store_open_to_read(&ret->store, &ret->dir, STORE_WRITE, e);
}

void read_store_close(struct read_store *r)
{
	/* Where runs are few and short, nobody else has taken the time. */
	if (r->store)
		store_tidy(r->store, &RETENTION_DEFAULT, false);
	store_close(r->store);
	state_dir_close(&r->dir);
	*r = READ_STORE_INIT;
}

/* The one operand, if the command takes one. */
static int take_operand(enum command command, const char *value, const char **id, struct error *e)
{
	char shown[OPTION_SHOWN_SIZE];
	if (id && !*id) {
		*id = value;
		return 0;
	}
	const struct command_spec *c = command_spec(command);
	error_set(e, BLAME_REQUEST, 0, "'%s' is one word too many", option_shown(value, shown));
	return error_hint(e, "usage: bulkhead %s [options]%s%s", c->name, *c->operands ? " " : "",
		c->operands);
}

int read_options_or_none(enum command command, int argc, char **argv,
	int (*set)(void *data, const char *name, const char *value, struct error *e), void *data,
	const char **ret_id, int *ret_status, struct error *e)
{
	struct option_scan s;
	const struct option_spec *o;
	const char *value, *id = NULL;
	enum option_found found;
	option_scan_init(&s, command, argc, argv);
	while ((found = option_scan(&s, &o, &value, e)) != SCAN_END) {
		if (found == SCAN_ERROR)
			return -1;
		if (found == SCAN_OPTION && o->kind == OPTION_HELP) {
			*ret_status = help_print(command);
			return 1;
		}
		if (found == SCAN_OPTION ? set(data, o->name, value, e) < 0
					 : take_operand(command, value, ret_id ? &id : NULL, e) < 0)
			return -1;
	}
	if (ret_id)
		*ret_id = id;
	return 0;
}

int read_options(enum command command, int argc, char **argv,
	int (*set)(void *data, const char *name, const char *value, struct error *e), void *data,
	const char **ret_id, int *ret_status, struct error *e)
{
	int r = read_options_or_none(command, argc, argv, set, data, ret_id, ret_status, e);

	if (r != 0 || !ret_id || *ret_id)
		return r;
	return error_set(e, BLAME_REQUEST, 0, "which run? usage: bulkhead %s [options] ID",
		command_spec(command)->name);
}

int write_out(int fd, const struct buf *out, struct error *e)
{
	if (fd_write_all(fd, buf_str(out), out->size) == 0)
		return 0;
	return error_set(e, BLAME_HOST, errno, "cannot write to %s",
		fd == STDERR_FILENO ? "stderr" : "stdout");
}
