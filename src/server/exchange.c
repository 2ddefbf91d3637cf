/* SPDX-License-Identifier: MIT */
#include "server/exchange.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "server/stream.h"
#include "server/token.h"

/* What a client may go on sending after it was refused, before it is cut off. */
#define DROPPED_MAX SERVER_BODIES_MAX
#define SMALL_BODY  ((uint64_t)1 << 20)

struct engine_client exchange_client(const struct exchange *x)
{
	return (struct engine_client){.uid = x->peer->uid};
}

bool exchange_flag(const struct exchange *x, enum query query)
{
	return x->query[query] && strcmp(x->query[query], "1") == 0;
}

/* ---- life ---- */

static struct exchange *exchange_new(struct server *s, struct MHD_Connection *connection)
{
	struct exchange *x = calloc(1, sizeof *x);
	if (!x)
		out_of_memory();
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	x->server = s;
	x->connection = connection;
	x->peer = info->socket_context;
	x->next = s->exchanges;
	x->at = &s->exchanges;
	if (x->next)
		x->next->at = &x->next;
	s->exchanges = x;
	s->figures.requests_total++;
	s->n_exchanges++;
	return x;
}

static void wait_no_more(struct exchange *x)
{
	live_wait_no_more(&x->run_waiter);
	live_follow_no_more(&x->follower);
	box_wait_no_more(&x->box_waiter);
	peer_watch_no_more(x->peer);
}

void exchange_hold_run(struct exchange *x, struct live *live)
{
	if (x->live)
		return;
	x->live = live;
	live_hold(live);
}

static void hold_box(struct exchange *x, struct box *box)
{
	if (x->box)
		return;
	x->box = box;
	box_hold(box);
}

static void exchange_free(struct exchange *x)
{
	wait_no_more(x);
	stream_free(x->stream);
	if (x->response)
		MHD_destroy_response(x->response);
	if (x->live)
		live_let_go(x->live);
	if (x->box)
		box_let_go(x->box);
	x->server->body_bytes -= x->body_counted;
	x->server->n_exchanges--;
	server_less(x->server);
	*x->at = x->next;
	if (x->next)
		x->next->at = x->at;
	buf_fini(&x->body);
	arena_fini(&x->arena);
	free(x);
}

void exchange_completed(void *server, struct MHD_Connection *connection, void **context,
	enum MHD_RequestTerminationCode code)
{
	struct exchange *x = *context;
	(void)server;
	(void)connection;
	(void)code;
	if (!x)
		return;
	*context = NULL;
	peer_set_busy(x->peer, false);
	exchange_free(x);
}

/* ---- answers ---- */

void exchange_set_header(struct exchange *x, const char *name, const char *value)
{
	if (MHD_add_response_header(x->response, name, value) != MHD_YES)
		out_of_memory();
}

void exchange_answer_response(struct exchange *x, unsigned status, struct MHD_Response *response)
{
	if (!response)
		out_of_memory();
	if (x->response) /* something failed on the way to another answer */
		MHD_destroy_response(x->response);
	x->response = response;
	x->status = status;
}

void exchange_answer_take(struct exchange *x, unsigned status, struct buf *body, const char *type)
{
	static char nothing[1];
	bool empty = body->size == 0;
	exchange_answer_response(x, status,
		MHD_create_response_from_buffer(body->size, empty ? nothing : body->data,
			empty ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE));
	if (empty)
		buf_fini(body);
	*body = BUF_INIT;
	exchange_set_header(x, "Content-Type", type);
}

void exchange_answer_nothing(struct exchange *x)
{
	static char nothing[1];
	exchange_answer_response(
		x, 204, MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT));
}

void exchange_refuse(struct exchange *x, enum problem problem, const struct error *e)
{
	struct buf body = BUF_INIT;
	bool streamed = x->route && x->route->body == BODY_STREAM;
	problem_format(&body, problem, e, streamed ? (long long)x->taken_bytes : -1);
	exchange_answer_take(x, problem_status(problem), &body, "application/problem+json");
	if (problem_is_passing(problem))
		exchange_set_header(x, "Retry-After", "1");
	if (problem == PROBLEM_UNAUTHORIZED)
		exchange_set_header(x, "WWW-Authenticate", "Bearer");
}

void exchange_fail(struct exchange *x, const struct error *e)
{
	bool ending = x->server->stopping && e->errnum == ESHUTDOWN;
	exchange_refuse(x, ending ? PROBLEM_UNAVAILABLE : problem_of(e), e);
}

void exchange_fail_body(struct exchange *x, const struct error *e)
{
	if (e->blame == BLAME_REQUEST && e->errnum == ENOENT)
		exchange_refuse(x, PROBLEM_INVALID, e);
	else
		exchange_fail(x, e);
}

static void refuse_with(struct exchange *x, enum problem problem, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void refuse_with(struct exchange *x, enum problem problem, const char *format, ...)
{
	struct error e = {.blame = BLAME_REQUEST};
	va_list args;
	va_start(args, format);
	vsnprintf(e.text, sizeof e.text, format, args);
	va_end(args);
	exchange_refuse(x, problem, &e);
}

/* ---- waiting ---- */

void exchange_resume(struct exchange *x)
{
	wait_no_more(x);
	if (!x->suspended)
		return;
	x->suspended = false;
	MHD_resume_connection(x->connection);
	http_kick(&x->server->http);
}

static void on_gone(void *data)
{
	struct exchange *x = data;
	struct engine_client client = exchange_client(x);
	const char *gone = x->query[QUERY_GONE];
	x->gone = true;
	if (gone && strcmp(gone, "cancel") == 0 && x->live)
		live_cancel(x->live, false, &client, NULL);
	exchange_resume(x);
}

void exchange_give_up(struct exchange *x)
{
	x->gone = true;
	exchange_resume(x);
}

static void suspend(struct exchange *x)
{
	if (x->suspended)
		return;
	x->suspended = true;
	peer_set_busy(x->peer, true); /* it waits for us, also in the middle of its body */
	MHD_suspend_connection(x->connection);
	peer_watch(x->peer, on_gone, x);
}

static void tell(struct exchange *x)
{
	void (*told)(struct exchange *) = x->told;
	x->told = NULL;
	if (told)
		told(x);
	exchange_resume(x);
}

#define EXCHANGE_OF(member, pointer)                                                               \
	((struct exchange *)((char *)(pointer)-offsetof(struct exchange, member)))

static void on_run(struct live_waiter *w, struct live *live)
{
	(void)live;
	tell(EXCHANGE_OF(run_waiter, w));
}

static void on_box(struct box_waiter *w, struct box *box)
{
	(void)box;
	tell(EXCHANGE_OF(box_waiter, w));
}

static void on_more(struct live_follower *f, struct live *live)
{
	(void)live;
	exchange_resume(EXCHANGE_OF(follower, f));
}

void exchange_wait_run(struct exchange *x, struct live *live, void (*told)(struct exchange *x))
{
	exchange_hold_run(x, live);
	x->told = told;
	x->run_waiter.told = on_run;
	live_wait(live, &x->run_waiter);
	suspend(x);
}

static void begin_box_wait(struct exchange *x, struct box *box, void (*told)(struct exchange *x))
{
	hold_box(x, box);
	x->told = told;
	x->box_waiter.told = on_box;
	suspend(x);
}

void exchange_wait_made(struct exchange *x, struct box *box, void (*told)(struct exchange *x))
{
	begin_box_wait(x, box, told);
	box_wait_made(box, &x->box_waiter);
}

void exchange_wait_gone(struct exchange *x, struct box *box, void (*told)(struct exchange *x))
{
	begin_box_wait(x, box, told);
	box_wait_gone(box, &x->box_waiter);
}

void exchange_wait_more(struct exchange *x, struct live *live)
{
	exchange_hold_run(x, live);
	x->follower.told = on_more;
	live_follow(live, &x->follower);
	suspend(x);
}

/* ---- what comes ---- */

static enum MHD_Result take_query(
	void *data, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct exchange *x = data;
	int query = query_from_name(name);
	(void)kind;
	if (query < 0 || !(x->route->queries & 1u << query)) {
		refuse_with(x, PROBLEM_INVALID, "parameter '%.64s' has no meaning here", name);
		return MHD_NO;
	}
	const char *text = value ? query_decode(value, &x->arena) : "1";
	const char *fault = !text ? "is not UTF-8, or is badly escaped"
		: x->query[query] ? "is there twice"
				  : query_fault((enum query)query, text);
	if (fault) {
		refuse_with(x, PROBLEM_INVALID, "parameter '%s' %s", name, fault);
		return MHD_NO;
	}
	x->query[query] = text;
	return MHD_YES;
}

static const char *header(const struct exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static bool is_json(const char *type)
{
	static const char json[] = "application/json";
	size_t size = sizeof json - 1;
	return type && strncasecmp(type, json, size) == 0 &&
		(type[size] == '\0' || type[size] == ';' || type[size] == ' ');
}

/* Whether a body comes, as far as the headers tell; how long it is, or 0 when they do not. */
static bool has_body(const struct exchange *x, uint64_t *ret_size)
{
	const char *length = header(x, "Content-Length");
	*ret_size = 0;
	return header(x, "Transfer-Encoding") ||
		(length && (parse_u64(length, UINT64_MAX, ret_size) < 0 || *ret_size > 0));
}

static bool check_body(struct exchange *x)
{
	uint64_t size;
	bool some = has_body(x, &size);
	if (x->route->body == BODY_STREAM || !some)
		return true;
	if (x->route->body == BODY_NONE)
		refuse_with(x, PROBLEM_INVALID, "this takes no body");
	else if (!is_json(header(x, "Content-Type")))
		refuse_with(x, PROBLEM_MEDIA_TYPE, "the body must be application/json");
	else if (size > x->route->body_max)
		refuse_with(x, PROBLEM_TOO_LARGE, "the body is longer than %zu bytes",
			x->route->body_max);
	else
		return true;
	return false;
}

static bool is_authorized(const struct exchange *x)
{
	return !x->peer->is_tcp ||
		token_is_right(x->server->options.token, header(x, "Authorization"));
}

static void begin(struct exchange *x, const char *method, const char *path)
{
	cleanup_buf struct buf allow = BUF_INIT;
	struct error e = ERROR_INIT;
	enum problem problem;

	if (!is_authorized(x)) {
		refuse_with(x, PROBLEM_UNAUTHORIZED, "the token is missing or wrong");
		return;
	}
	const struct route *route = route_find(method, path, x->id, &allow, &problem, &e);
	if (!route) {
		exchange_refuse(x, problem, &e);
		if (problem == PROBLEM_METHOD)
			exchange_set_header(x, "Allow", buf_str(&allow));
		return;
	}
	x->route = route;
	MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, take_query, x);
	if (!x->response)
		check_body(x);
}

static void refuse_body(struct exchange *x)
{
	x->body_refused = true;
	x->server->body_bytes -= x->body_counted;
	x->body_counted = 0;
	buf_fini(&x->body);
}

static void collect(struct exchange *x, const char *data, size_t size)
{
	if (size > x->route->body_max - x->body.size) {
		refuse_with(x, PROBLEM_TOO_LARGE, "the body is longer than %zu bytes",
			x->route->body_max);
		refuse_body(x);
		return;
	}
	if (size > SERVER_BODIES_MAX - x->server->body_bytes) {
		struct error e = ERROR_INIT;
		error_set(&e, BLAME_HOST, 0, "too many bytes of requests are being received");
		exchange_refuse(x, PROBLEM_UNAVAILABLE, &e);
		refuse_body(x);
		return;
	}
	buf_add(&x->body, data, size);
	x->body_counted += size;
	x->server->body_bytes += size;
}

/* Returns how much of it was taken. */
static size_t take_body(struct exchange *x, const char *data, size_t size)
{
	if (x->body_refused || x->response) {
		x->body_refused = true;
		x->taken_bytes += size;
		return size;
	}
	if (x->route->body == BODY_JSON) {
		collect(x, data, size);
		return size;
	}
	size_t taken = x->route->take(x, data, size);
	x->taken_bytes += x->response ? 0 : taken;
	return taken;
}

static void call_route(struct exchange *x)
{
	x->state = EXCHANGE_WORKING;
	peer_set_busy(x->peer, true);
	x->route->handle(x);
	/* it is in the arena by now, or of no use */
	x->server->body_bytes -= x->body_counted;
	x->body_counted = 0;
	buf_fini(&x->body);
}

/* What there is to say now goes to libmicrohttpd. */
static enum MHD_Result reply(struct exchange *x)
{
	if (x->gone)
		return MHD_NO;
	if (!x->response || x->suspended || x->state == EXCHANGE_ANSWERING)
		return MHD_YES;
	x->state = EXCHANGE_ANSWERING;
	peer_set_busy(x->peer, true);
	if (x->status / 100 < 6)
		x->server->figures.status_total[x->status / 100]++;
	enum MHD_Result rc = MHD_queue_response(x->connection, x->status, x->response);
	MHD_destroy_response(x->response);
	x->response = NULL;
	return rc;
}

static enum MHD_Result go_on(struct exchange *x, const char *data, size_t *size)
{
	if (x->gone)
		return MHD_NO;
	if (*size > 0) {
		peer_set_busy(x->peer, false); /* and it has just done something */
		*size -= take_body(x, data, *size);
		return x->body_refused && x->taken_bytes > DROPPED_MAX ? MHD_NO : MHD_YES;
	}
	if (x->state == EXCHANGE_COMING && !x->response)
		call_route(x);
	return reply(x);
}

/* Who is cut off in the middle of sending one may not come to read why. */
static bool is_small_body(const struct exchange *x)
{
	uint64_t size;
	return has_body(x, &size) && size <= SMALL_BODY;
}

enum MHD_Result exchange_serve(void *server, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **context)
{
	struct exchange *x = *context;
	(void)version;
	if (x)
		return go_on(x, data, size);
	*context = x = exchange_new(server, connection);
	begin(x, method, url);
	if (!x->response || !is_small_body(x))
		return reply(x);
	x->body_refused = true; /* said when it has come */
	return MHD_YES;
}
