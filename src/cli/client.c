/* SPDX-License-Identifier: MIT */
#include "cli/client.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "model/api-client.h"
#include "store/socket-path.h"

static int refuse_connection(const char *path, struct error *e)
{
	int errnum = errno;
	if (errnum == EAGAIN)
		return error_set(e, BLAME_HOST, 0,
			"the daemon at '%s' has taken no connection within %d s", path,
			CLIENT_CONNECT_TIMEOUT_S);
	if (errnum == ENOENT || errnum == ECONNREFUSED) {
		error_set(e, BLAME_HOST, 0, "no daemon at '%s'", path);
		return error_hint(e, "start one with 'bulkhead serve'");
	}
	error_set(e, BLAME_HOST, errnum, "cannot connect to the daemon at '%s'", path);
	if (errnum == EACCES)
		error_hint(e,
			"it is not yours; start one with 'bulkhead serve', and name its "
			"socket in BULKHEAD_SOCKET");
	return -1;
}

/* What is asked of it, and what the program reads, is for nobody else to see. */
static int check_peer(int fd, const char *path, struct error *e)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot tell whose '%s' is", path);
	if (peer.uid == 0 || peer.uid == geteuid())
		return 0;
	return error_set(e, BLAME_HOST, 0,
		"what listens at '%s' belongs to uid %u, neither you nor root", path, peer.uid);
}

static int connect_within(int fd, const struct sockaddr_un *address)
{
	struct timeval limit = {.tv_sec = CLIENT_CONNECT_TIMEOUT_S};
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -1;
	return connect(fd, (const struct sockaddr *)address, sizeof(*address));
}

static int open_connection(const char *path, struct error *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(e, BLAME_REQUEST, 0,
			"the socket's path '%s' is longer than the %zu bytes that the kernel takes",
			path, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path));
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a socket");
	if (connect_within(fd, &address) < 0)
		return refuse_connection(path, e);
	if (check_peer(fd, path, e) < 0)
		return -1;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot use the connection");
	return fd_take(&fd);
}

/* ---- one exchange ---- */

struct exchange {
	int fd;
	uint64_t deadline_us;
	struct http_answer *answer;
	struct buf *early; /* where what follows an upgrade goes */
};

/* 0 when @events are there; -1 with errno, ETIMEDOUT at the deadline. */
static int await(const struct exchange *x, short events)
{
	for (;;) {
		struct pollfd p = {.fd = x->fd, .events = events};
		uint64_t now = time_monotonic_us();
		int r = now < x->deadline_us ? poll(&p, 1, (int)((x->deadline_us - now) / 1000) + 1)
					     : 0;
		if (r > 0)
			return 0;
		if (r == 0)
			errno = ETIMEDOUT;
		if (r == 0 || errno != EINTR)
			return -1;
	}
}

static bool is_passing(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static int send_all(const struct exchange *x, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = send(x->fd, bytes, size, MSG_NOSIGNAL);
		if (n < 0 && (!is_passing() || await(x, POLLOUT) < 0))
			return -1;
		bytes += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int take(struct exchange *x, const char *bytes, size_t size, struct error *e)
{
	size_t used = 0;
	if (http_answer_feed(x->answer, bytes, size, &used, e) < 0)
		return -1;
	if (x->early)
		buf_add(x->early, bytes + used, size - used);
	return 0;
}

static int receive(struct exchange *x, struct error *e)
{
	char bytes[16384];
	while (!x->answer->complete) {
		ssize_t n = recv(x->fd, bytes, sizeof(bytes), 0);
		if (n < 0 && is_passing() && await(x, POLLIN) == 0)
			continue;
		if (n < 0 && errno == ECONNRESET) /* closed with a part of the request unread */
			n = 0;
		if (n < 0)
			return error_set(e, BLAME_HOST, errno, "it does not answer");
		if ((n == 0 ? http_answer_end(x->answer, e) : take(x, bytes, (size_t)n, e)) < 0)
			return -1;
	}
	return 0;
}

static void put_request(struct buf *b, const struct client_call *call, const char *protocol)
{
	buf_printf(b, "%s %s HTTP/1.1\r\nHost: bulkhead\r\n", call->method, call->path);
	if (protocol)
		buf_printf(b, "Connection: Upgrade\r\nUpgrade: %s\r\n", protocol);
	else
		buf_puts(b, "Connection: close\r\n");
	if (call->body)
		buf_printf(b, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
			strlen(call->body));
	else if (strcmp(call->method, "POST") == 0)
		buf_puts(b, "Content-Length: 0\r\n");
	buf_puts(b, "\r\n");
	buf_puts(b, call->body ? call->body : "");
}

/*
 * A server that refuses what it has not read to the end closes before it is all sent; its answer
 * is there all the same.
 */
static int exchange(
	struct exchange *x, const struct client_call *call, const char *protocol, struct error *e)
{
	cleanup_buf struct buf request = BUF_INIT;
	put_request(&request, call, protocol);
	bool sent = send_all(x, request.data, request.size) == 0;
	int errnum = errno;
	if (!sent && errnum != EPIPE && errnum != ECONNRESET)
		return error_set(e, BLAME_HOST, errnum, "it does not take the request");
	return receive(x, e);
}

static int converse(struct exchange *x, const struct client_call *call, const char *protocol,
	const char *path, struct error *e)
{
	unsigned timeout_s = call->timeout_s ? call->timeout_s : CLIENT_TIMEOUT_S;
	x->deadline_us = time_monotonic_us() + timeout_s * US_PER_SEC;
	if (exchange(x, call, protocol, e) < 0)
		return error_wrap(e, "the daemon at '%s'", path);
	unsigned status = x->answer->status;
	if (protocol ? x->answer->upgraded : status >= 200 && status < 300)
		return 0;
	return api_problem(x->answer->status, x->answer->retry_after_s, x->answer->body.data,
		x->answer->body.size, e);
}

int client_call(const struct client_call *call, struct http_answer *ret, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	http_answer_init(ret);
	const char *path = socket_path(&a, e);
	cleanup_fd int fd = path ? open_connection(path, e) : -1;
	struct exchange x = {.fd = fd, .answer = ret};
	return fd < 0 ? -1 : converse(&x, call, NULL, path, e);
}

int client_upgrade(
	struct client_stream *ret, const char *target, const char *protocol, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	const struct client_call call = {.method = "GET", .path = target};
	const char *path = socket_path(&a, e);
	cleanup_fd int fd = path ? open_connection(path, e) : -1;
	struct buf early = BUF_INIT;
	struct exchange x = {.fd = fd, .answer = &answer, .early = &early};
	http_answer_init(&answer);
	if (fd < 0 || converse(&x, &call, protocol, path, e) < 0) {
		buf_fini(&early);
		return -1;
	}
	*ret = (struct client_stream){fd_take(&fd), early};
	return 0;
}

void client_stream_close(struct client_stream *s)
{
	s->fd = fd_close(s->fd);
	buf_fini(&s->early);
}

/* ---- paths ---- */

/* RFC 3986 section 2.3; a segment of dots alone would be a way up. */
static void put_segment(struct buf *b, const char *word)
{
	bool dots = word[strspn(word, ".")] == '\0';
	for (const unsigned char *c = (const unsigned char *)word; *c; c++)
		if (isalnum(*c) || strchr("-_~", *c) || (*c == '.' && !dots))
			buf_putc(b, (char)*c);
		else
			buf_printf(b, "%%%02X", *c);
}

const char *client_path(struct arena *a, const char *format, ...)
{
	cleanup_buf struct buf b = BUF_INIT;
	va_list words;
	va_start(words, format);
	for (const char *c = format; *c; c++) {
		if (c[0] == '%' && c[1] == 's') {
			put_segment(&b, va_arg(words, const char *));
			c++;
		} else {
			buf_putc(&b, *c);
		}
	}
	va_end(words);
	return arena_strdup(a, buf_str(&b));
}
