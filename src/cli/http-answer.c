/* SPDX-License-Identifier: MIT */
#include "cli/http-answer.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"

/* Longer than this nobody is asked to wait. */
#define RETRY_AFTER_MAX 86400

static int refuse(struct http_answer *a, const char *fault)
{
	a->fault = fault;
	return -1;
}

/* ---- the head ---- */

static void take_type(struct http_answer *a)
{
	size_t size = strcspn(a->value, "; \t");
	memcpy(a->type, a->value, size);
	a->type[size] = '\0';
}

static void take_retry_after(struct http_answer *a)
{
	uint64_t s;
	if (parse_u64(a->value, RETRY_AFTER_MAX, &s) == 0)
		a->retry_after_s = (unsigned)s;
}

/* A header field is whole: keep what it says if it is one that we know. */
static void end_field(struct http_answer *a)
{
	static const struct {
		const char *name;
		void (*take)(struct http_answer *a);
	} known[] = {{"Content-Type", take_type}, {"Retry-After", take_retry_after}};
	static_assert(sizeof(a->type) >= sizeof(a->value), "take_type() copies it");
	bool fits = a->field_size < sizeof(a->field) && a->value_size < sizeof(a->value);

	for (size_t i = 0; fits && a->in_value && i < sizeof(known) / sizeof(known[0]); i++) {
		a->field[a->field_size] = a->value[a->value_size] = '\0';
		if (strcasecmp(a->field, known[i].name) == 0)
			known[i].take(a);
	}
	a->field_size = a->value_size = 0;
	a->in_value = false;
}

/* Append to one of the two arrays; what does not fit is counted only. */
static void gather(char *to, size_t room, size_t *at, const char *bytes, size_t size)
{
	if (*at < room && size < room - *at)
		memcpy(to + *at, bytes, size);
	*at += size;
}

static int on_header_field(http_parser *p, const char *bytes, size_t size)
{
	struct http_answer *a = p->data;
	if (a->in_value)
		end_field(a);
	gather(a->field, sizeof(a->field), &a->field_size, bytes, size);
	return 0;
}

static int on_header_value(http_parser *p, const char *bytes, size_t size)
{
	struct http_answer *a = p->data;
	a->in_value = true;
	gather(a->value, sizeof(a->value), &a->value_size, bytes, size);
	return 0;
}

static int on_headers_complete(http_parser *p)
{
	struct http_answer *a = p->data;
	end_field(a);
	if (p->http_major != 1)
		return refuse(a, "it is not HTTP/1.1");
	if (p->status_code < 200 && !p->upgrade)
		return refuse(a, "an interim answer was not asked for");
	a->status = p->status_code;
	a->upgraded = p->upgrade;
	return 0;
}

/* ---- the body ---- */

static int on_body(http_parser *p, const char *bytes, size_t size)
{
	struct http_answer *a = p->data;
	if (size > HTTP_ANSWER_MAX_BODY - a->body.size)
		return refuse(a, "its body is larger than 16 MiB");
	buf_add(&a->body, bytes, size);
	return 0;
}

/* Paused so that not a byte of what follows is taken for a second answer. */
static int on_message_complete(http_parser *p)
{
	struct http_answer *a = p->data;
	a->complete = true;
	if (!a->upgraded)
		http_parser_pause(p, 1);
	return 0;
}

/* ---- all of it ---- */

void http_answer_init(struct http_answer *a)
{
	*a = (struct http_answer){.body = BUF_INIT};
	http_parser_set_max_header_size(HTTP_ANSWER_MAX_HEAD);
	http_parser_init(&a->parser, HTTP_RESPONSE);
	a->parser.data = a;
}

void http_answer_fini(struct http_answer *a)
{
	buf_fini(&a->body);
}

static int fail(struct http_answer *a, struct error *e)
{
	const char *why =
		a->fault ? a->fault : http_errno_description(HTTP_PARSER_ERRNO(&a->parser));
	return error_set(e, BLAME_HOST, 0, "its answer makes no sense: %s", why);
}

static size_t execute(struct http_answer *a, const char *bytes, size_t size)
{
	static const http_parser_settings settings = {
		.on_header_field = on_header_field,
		.on_header_value = on_header_value,
		.on_headers_complete = on_headers_complete,
		.on_body = on_body,
		.on_message_complete = on_message_complete,
	};
	return http_parser_execute(&a->parser, &settings, bytes, size);
}

int http_answer_feed(
	struct http_answer *a, const char *bytes, size_t size, size_t *ret_used, struct error *e)
{
	size_t used = execute(a, bytes, size);
	enum http_errno error = HTTP_PARSER_ERRNO(&a->parser);

	a->begun |= size > 0;
	if (error == HPE_HEADER_OVERFLOW)
		refuse(a, "its head is larger than 16 KiB");
	if (error != HPE_OK && !(error == HPE_PAUSED && a->complete))
		return fail(a, e);
	*ret_used = used;
	return 0;
}

int http_answer_end(struct http_answer *a, struct error *e)
{
	execute(a, "", 0);
	if (a->complete)
		return 0;
	if (!a->fault)
		a->fault = a->begun ? "the connection was closed in the middle of it"
				    : "the connection was closed without one";
	return fail(a, e);
}
