/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/operands.h"
#include "cli/read-store.h"
#include "cli/remove.h"
#include "model/api-client.h"
#include "run/policy-file.h"

/* Making one may have to wait for its turn. */
#define MAKE_TIMEOUT_S 300

/* ---- box create ---- */

/* What paths are relative to: the daemon's own directory and home are not the caller's. */
struct place {
	const char *cwd, *home;
	struct arena *a;
};

static const char *absolute(const struct place *p, const char *path)
{
	return path_normalize(p->a, p->cwd, path_expand_home(p->a, p->home, path));
}

static int make_binds_absolute(const struct place *p, struct bind_list *list, struct error *e)
{
	char shown[OPTION_SHOWN_SIZE];
	for (size_t i = 0; i < list->n; i++) {
		struct bind_rule *rule = &list->v[i];
		rule->source = absolute(p, rule->source);
		if (strchr(rule->source, ':'))
			return error_set(e, BLAME_REQUEST, 0,
				"a path with a ':' cannot be shown in a kept box: '%s'",
				option_shown(rule->source, shown));
	}
	return 0;
}

static void make_paths_absolute(const struct place *p, struct strv *list)
{
	for (size_t i = 0; i < list->n; i++)
		list->v[i] = absolute(p, list->v[i]);
}

static int make_absolute(struct request *r, struct arena *a, struct error *e)
{
	char cwd[PATH_MAX];
	const struct place p = {cwd, getenv("HOME"), a};
	if (!getcwd(cwd, sizeof(cwd)))
		return error_set(e, BLAME_HOST, errno, "cannot tell the working directory");
	if (make_binds_absolute(&p, &r->read, e) < 0 || make_binds_absolute(&p, &r->write, e) < 0)
		return -1;
	make_paths_absolute(&p, &r->hide);
	make_paths_absolute(&p, &r->tmpfs);
	if (r->root)
		r->root = absolute(&p, r->root);
	if (r->workdir)
		r->workdir = absolute(&p, r->workdir);
	return 0;
}

/* A policy that only its path names is read here: with the caller's rights, not the daemon's. */
static int load_policy(
	struct policy *ret, const struct request *request, struct arena *a, struct error *e)
{
	if (policy_load(ret, a, &policy_files, request->policy, e) < 0)
		return -1;
	return request_apply(request, ret, a, e);
}

static int body_of(const char **ret, struct request *request, struct arena *a, struct error *e)
{
	struct policy policy;
	bool named = !request->policy || policy_is_name(request->policy);
	if (options_check_names(request, e) < 0 || make_absolute(request, a, e) < 0)
		return -1;
	if (!named && load_policy(&policy, request, a, e) < 0)
		return -1;
	*ret = api_format_box(request, named ? NULL : &policy, a);
	return 0;
}

static int create(struct request *request, struct arena *a, struct error *e)
{
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	cleanup_buf struct buf out = BUF_INIT;
	struct client_call call = {
		.method = "POST", .path = "/v1/boxes?wait=1", .timeout_s = MAKE_TIMEOUT_S};
	struct api_box box;
	if (body_of(&call.body, request, a, e) < 0 || client_call(&call, &answer, e) < 0 ||
		api_parse_box(&box, answer.body.data, answer.body.size, a, e) < 0)
		return -1;
	buf_put_visible(&out, box.id, strlen(box.id));
	buf_putc(&out, '\n');
	return write_out(STDOUT_FILENO, &out, e);
}

int cli_box_create(int argc, char **argv)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	struct request request;
	int parsed = options_parse_box(&request, &a, argc, argv, &e);
	if (parsed > 0)
		return help_print(COMMAND_BOX_CREATE);
	if (parsed < 0)
		return cli_fail(&e);
	options_set_verbosity(&request);
	return create(&request, &a, &e) < 0 ? cli_fail(&e) : 0;
}

/* ---- box list ---- */

static int set_json(void *data, const char *name, const char *value, struct error *e)
{
	(void)name; /* --json is the only one */
	(void)value;
	(void)e;
	*(bool *)data = true;
	return 0;
}

static void put_cell(struct buf *out, const char *text, int width)
{
	size_t before = out->size;
	buf_put_visible(out, text ? text : "-", strlen(text ? text : "-"));
	int filled = (int)(out->size - before);
	buf_printf(out, "%*s", filled < width ? width - filled + 2 : 2, "");
}

static void put_box(struct buf *out, const struct api_box *box)
{
	put_cell(out, box->id, 16);
	put_cell(out, box->state, 8);
	buf_printf(out, "%5" PRIu64 "  ", box->runs);
	put_cell(out, box->since, 27);
	put_cell(out, box->policy, 10);
	if (box->fault)
		buf_put_visible(out, box->fault, strlen(box->fault));
	while (out->size && out->data[out->size - 1] == ' ')
		out->data[--out->size] = '\0';
	buf_putc(out, '\n');
}

static void put_boxes(struct buf *out, const struct api_boxes *boxes)
{
	buf_printf(out, "%-16s  %-8s  %5s  %-27s  %s\n", "ID", "STATE", "RUNS", "SINCE (UTC)",
		"POLICY");
	for (size_t i = 0; i < boxes->n; i++)
		put_box(out, &boxes->v[i]);
}

static int list(bool json, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	cleanup_buf struct buf out = BUF_INIT;
	struct api_boxes boxes;
	const struct client_call call = {.method = "GET", .path = "/v1/boxes"};
	if (client_call(&call, &answer, e) < 0 ||
		api_parse_boxes(&boxes, answer.body.data, answer.body.size, &a, e) < 0)
		return -1;
	if (json)
		return write_out(STDOUT_FILENO, &answer.body, e);
	put_boxes(&out, &boxes);
	return write_out(STDOUT_FILENO, &out, e);
}

int cli_box_list(int argc, char **argv)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	bool json = false;
	const struct operands_form form = {COMMAND_BOX_LIST, 0, 0, set_json, &json};
	struct strv none;
	int status = 0;
	int r = operands_read(&none, &form, argc, argv, &a, &status, &e);
	if (r > 0)
		return status;
	return r < 0 || list(json, &e) < 0 ? cli_fail(&e) : 0;
}

/* ---- box rm ---- */

int cli_box_rm(int argc, char **argv)
{
	static const struct remove_kind boxes = {COMMAND_BOX_RM, "/v1/boxes/%s",
		"/v1/boxes/%s?now=1", "/v1/boxes/%s?wait=1", "DELETE"};
	return remove_command(&boxes, argc, argv);
}
