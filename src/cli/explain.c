/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/read-store.h"
#include "model/exit-help.h"
#include "model/explain.h"
#include "model/run-id.h"
#include "model/stored-verdict.h"

#define FILE_MAX ((size_t)64 << 20)

struct explain_request {
	const char *what; /* ID or FILE */
	const char *exit;
	bool json;
};

/* ---- from an observation ---- */

static int explain_observation(const struct explain_request *r, const char *text, size_t size,
	const struct explain_source *source, struct buf *out, struct arena *a, struct error *e)
{
	struct explain_source s = *source;
	struct observation o;
	struct explanation x;

	if (observation_parse_json(&o, text, size, a, e) < 0)
		return -1;
	s.id = s.id ? s.id : o.id;
	verdict_explain(&x, &o, a);
	buf_puts(out,
		r->json ? explain_format_json(&x, &o, &s, a) : explain_format_text(&x, &o, &s, a));
	return 0;
}

static int explain_row(const struct explain_request *r, const struct run_row *row,
	const char *stored_cause, struct buf *out, struct arena *a, struct error *e)
{
	struct explain_source source = {.id = row->id,
		.from = row->state == RUN_LOST ? "the little that is known of a run whose bulkhead "
						 "was killed"
					       : "the stored observation",
		.stored_cause = stored_cause};

	if (row->state == RUN_ON)
		return error_set(e, BLAME_REQUEST, 0,
			"run '%s' has not ended: there is nothing to explain yet", row->id);
	if (!row->observation)
		return error_set(
			e, BLAME_HOST, 0, "run '%s' was recorded without its observation", row->id);
	if (explain_observation(r, row->observation, strlen(row->observation), &source, out, a, e) <
		0)
		return error_wrap(e, "the record of run '%s'", row->id);
	return 0;
}

static int explain_run(const struct explain_request *r, struct buf *out, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_read_store struct read_store records = READ_STORE_INIT;
	struct run_row row;

	if (read_store_open(&records, e) < 0 || store_find(records.store, r->what, &a, &row, e) < 0)
		return -1;
	return explain_row(r, &row, row.cause, out, &a, e);
}

/* ---- from a file ---- */

static bool is_stdin(const char *path)
{
	return strcmp(path, "-") == 0;
}

/* The whole of it: of a pipe too, but never more than FILE_MAX bytes. 0; or -1 with @e. */
static int read_all(const char *path, struct buf *ret, struct error *e)
{
	char block[16384], shown[OPTION_SHOWN_SIZE];
	cleanup_fd int fd = is_stdin(path) ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
					   : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && ret->size <= FILE_MAX) {
		n = read(fd, block, sizeof block);
		if (n > 0)
			buf_add(ret, block, (size_t)n);
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (n < 0)
		return error_set(
			e, BLAME_REQUEST, errno, "cannot read '%s'", option_shown(path, shown));
	if (ret->size > FILE_MAX)
		return error_set(e, BLAME_REQUEST, 0, "'%s' is larger than 64 MiB",
			option_shown(path, shown));
	return 0;
}

/* If this very run was recorded here, its observation says more than its verdict. */
static bool explain_recorded(const struct explain_request *r, const struct stored_verdict *v,
	struct buf *out, struct arena *a)
{
	struct error e = ERROR_INIT;
	cleanup_read_store struct read_store records = READ_STORE_INIT;
	struct run_row row;

	if (!v->id || !run_id_valid(v->id) || read_store_open(&records, &e) < 0 ||
		store_find(records.store, v->id, a, &row, &e) < 0)
		return false;
	return explain_row(r, &row, cause_name(v->cause), out, a, &e) == 0;
}

static int explain_document(const struct explain_request *r, const struct buf *text,
	struct buf *out, struct arena *a, struct error *e)
{
	static const struct explain_source file = {.from = "the observation in the file"};
	enum document_kind kind;
	struct stored_verdict v;

	if (stored_verdict_parse(&v, &kind, buf_str(text), text->size, a, e) < 0)
		return -1;
	if (kind == DOCUMENT_OBSERVATION)
		return explain_observation(r, buf_str(text), text->size, &file, out, a, e);
	if (!explain_recorded(r, &v, out, a))
		buf_puts(out, r->json ? stored_verdict_json(&v, a) : stored_verdict_text(&v, a));
	return 0;
}

static int explain_file(const struct explain_request *r, struct buf *out, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	char shown[OPTION_SHOWN_SIZE];

	if (read_all(r->what, &text, e) < 0)
		return -1;
	if (explain_document(r, &text, out, &a, e) < 0)
		return error_wrap(e, "'%s'", option_shown(r->what, shown));
	return 0;
}

/* ---- from a number ---- */

static int explain_exit(const struct explain_request *r, struct buf *out, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct exit_number n;
	char shown[OPTION_SHOWN_SIZE];

	if (exit_number_parse(&n, r->exit, e) < 0)
		return error_wrap(e, "'--exit %s'", option_shown(r->exit, shown));
	buf_puts(out, r->json ? exit_help_json(&n, &a) : exit_help_text(&n, &a));
	return 0;
}

/* ---- the command line ---- */

/* An id has neither, a file of a verdict has: it is "verdict.json" or has a directory before it. */
static bool is_file(const char *what)
{
	return is_stdin(what) || strpbrk(what, "./") != NULL;
}

static int set_option(void *data, const char *name, const char *value, struct error *e)
{
	struct explain_request *r = data;

	(void)e;
	if (strcmp(name, "exit") == 0)
		r->exit = value;
	else
		r->json = true;
	return 0;
}

static int explain(const struct explain_request *r, struct buf *out, struct error *e)
{
	if (r->what && r->exit)
		return error_set(e, BLAME_REQUEST, 0, "'--exit' stands alone: a number has no run");
	if (!r->what && !r->exit)
		return error_set(e, BLAME_REQUEST, 0, "what? usage: bulkhead explain [options] %s",
			command_spec(COMMAND_EXPLAIN)->operands);
	if (r->exit)
		return explain_exit(r, out, e);
	return is_file(r->what) ? explain_file(r, out, e) : explain_run(r, out, e);
}

int cli_explain(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	struct explain_request r = {.what = NULL};
	int status = 0;
	int got = read_options_or_none(
		COMMAND_EXPLAIN, argc, argv, set_option, &r, &r.what, &status, &e);

	if (got > 0)
		return status;
	if (got < 0 || explain(&r, &out, &e) < 0 || write_out(STDOUT_FILENO, &out, &e) < 0)
		return cli_fail(&e);
	return 0;
}
