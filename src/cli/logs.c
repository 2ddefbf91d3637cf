/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/read-store.h"
#include "store/output-read.h"

/* Output is gathered up to this, as long as it goes to the same descriptor. */
#define GATHER_SIZE 65536

struct logs_options {
	int stream; /* -1: both */
	bool raw, json;
};

static int set_option(void *data, const char *name, const char *value, struct error *e)
{
	struct logs_options *o = data;
	char shown[OPTION_SHOWN_SIZE];
	if (strcmp(name, "raw") == 0) {
		o->raw = true;
	} else if (strcmp(name, "json") == 0) {
		o->json = true;
	} else { /* --stream */
		o->stream = output_stream_from_name(value);
		if (o->stream < 0)
			return error_set(e, BLAME_REQUEST, 0, "'--stream %s': stdout or stderr",
				option_shown(value, shown));
	}
	if (o->raw && o->json)
		return error_set(e, BLAME_REQUEST, 0, "'--raw' contradicts '--json'");
	return 0;
}

struct writer {
	const struct logs_options *options;
	struct buf gathered;
	int fd; /* where it goes */
	bool terminal[3]; /* by descriptor */
};

static int flush(struct writer *w, struct error *e)
{
	int r = w->gathered.size ? write_out(w->fd, &w->gathered, e) : 0;
	buf_clear(&w->gathered);
	return r;
}

/* Lines and tabs stay; anything else that a terminal would obey is shown instead. */
static void put_harmless(struct buf *out, const char *s, size_t size)
{
	while (size > 0) {
		size_t n = 0;
		while (n < size && s[n] != '\n' && s[n] != '\t')
			n++;
		buf_put_visible(out, s, n);
		if (n < size)
			buf_putc(out, s[n++]);
		s += n;
		size -= n;
	}
}

static int put_data(struct writer *w, const struct output_event *event, struct error *e)
{
	int fd =
		event->stream == OUTPUT_STDERR && !w->options->json ? STDERR_FILENO : STDOUT_FILENO;
	if ((fd != w->fd || w->gathered.size > GATHER_SIZE) && flush(w, e) < 0)
		return -1;
	w->fd = fd;
	if (w->options->json)
		output_event_format(
			&w->gathered, event->t_us, event->stream, event->data, event->size);
	else if (w->terminal[fd] && !w->options->raw)
		put_harmless(&w->gathered, event->data, event->size);
	else
		buf_add(&w->gathered, event->data, event->size);
	return 0;
}

/* What is not there any more is told of beside the output, or, in JSON, within it. */
static int put_gap(struct writer *w, const struct output_event *event, struct error *e)
{
	/* In JSON: what stands before and behind the number. */
	static const struct {
		const char *text, *before, *behind;
	} gaps[] = {
		[OUTPUT_DROPPED] = {"bytes of output were not kept here",
			"{\"dropped_bytes\":", "}\n"},
		[OUTPUT_REPAIRED] = {"bytes of a line that was cut off here were removed",
			"{\"repaired\":{\"removed_bytes\":", "}}\n"},
		[OUTPUT_DAMAGED] = {"bytes of the log are damaged here",
			"{\"damaged_bytes\":", "}\n"},
	};
	if (w->options->json) {
		buf_printf(&w->gathered, "%s%" PRIu64 "%s", gaps[event->kind].before, event->count,
			gaps[event->kind].behind);
		return 0;
	}
	if (flush(w, e) < 0)
		return -1;
	log_line("%" PRIu64 " %s", event->count, gaps[event->kind].text);
	return 0;
}

static int copy(struct output_reader *r, struct writer *w, struct error *e)
{
	struct output_event event;
	int got;
	while ((got = output_reader_next(r, &event)) > 0) {
		bool data = event.kind == OUTPUT_DATA;
		if (data && w->options->stream >= 0 && (int)event.stream != w->options->stream)
			continue;
		if ((data ? put_data(w, &event, e) : put_gap(w, &event, e)) < 0)
			return -1;
	}
	if (got < 0 && errno == EBADMSG)
		return error_set(e, BLAME_HOST, 0,
			"the log was written over by something else: from here on it is none");
	if (got < 0)
		return error_set(e, BLAME_HOST, errno, "cannot read the log");
	return flush(w, e);
}

static int open_log_dir(const struct read_store *records, const struct run_row *row)
{
	if (row->log_dir)
		return open(row->log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return run_dir_open(&records->dir, row->id);
}

static int open_log(const char *id, struct output_reader **ret, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_read_store struct read_store records = READ_STORE_INIT;
	struct run_row row;
	if (read_store_open(&records, e) < 0 || store_find(records.store, id, &a, &row, e) < 0)
		return -1;
	cleanup_fd int dir = open_log_dir(&records, &row);
	if (dir >= 0 && output_reader_open(ret, dir, e) == 0)
		return 0;
	if (dir < 0)
		error_set(e, BLAME_HOST, errno, "cannot open its directory");
	if (e->errnum != ENOENT)
		return error_wrap(e, "the log of run '%s'", row.id);
	error_set(e, BLAME_REQUEST, 0, "run '%s' has no log", row.id);
	return error_hint(e,
		"output is kept when a run is given --log DIR or a limit that needs it, "
		"until it is too old");
}

static int logs(const char *id, const struct logs_options *o, struct error *e)
{
	struct output_reader *reader = NULL;
	struct writer w = {.options = o, .gathered = BUF_INIT, .fd = STDOUT_FILENO};
	w.terminal[STDOUT_FILENO] = isatty(STDOUT_FILENO) == 1;
	w.terminal[STDERR_FILENO] = isatty(STDERR_FILENO) == 1;
	if (open_log(id, &reader, e) < 0)
		return -1;
	int r = copy(reader, &w, e);
	output_reader_close(reader);
	buf_fini(&w.gathered);
	return r;
}

int cli_logs(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	struct logs_options o = {.stream = -1};
	const char *id;
	int status = 0;
	int r = read_options(COMMAND_LOGS, argc, argv, set_option, &o, &id, &status, &e);
	if (r > 0)
		return status;
	if (r < 0 || logs(id, &o, &e) < 0)
		return cli_fail(&e);
	return 0;
}
