/* SPDX-License-Identifier: MIT */
#include "api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STEP 16384

int api_connect(struct api *a, const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(to.sun_path, path);
	*a = API_INIT;
	a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (a->fd < 0)
		return -1;
	return connect(a->fd, (struct sockaddr *)&to, sizeof(to));
}

void api_close(struct api *a)
{
	if (a->fd >= 0)
		close(a->fd);
	free(a->answer);
	*a = API_INIT;
}

int api_send(struct api *a, const char *method, const char *target, const char *body)
{
	char text[STEP];
	int n = snprintf(text, sizeof(text),
		"%s %s HTTP/1.1\r\nHost: bulkhead\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		method, target, body ? strlen(body) : 0, body ? body : "");
	a->size = 0;
	if (n < 0 || (size_t)n >= sizeof(text)) {
		errno = EMSGSIZE;
		return -1;
	}
	for (int done = 0; done < n;) {
		ssize_t sent = send(a->fd, text + done, (size_t)(n - done), MSG_NOSIGNAL);
		if (sent < 0)
			return -1;
		done += (int)sent;
	}
	return 0;
}

/* Whether the whole answer is there: as long as it says, or up to the chunk that is the last. */
static bool is_complete(const struct api *a)
{
	static const char last[] = "\r\n0\r\n\r\n";
	const char *end = strstr(a->answer, "\r\n\r\n");
	const char *field = end ? strcasestr(a->answer, "\r\nContent-Length:") : NULL;
	if (!end)
		return false;
	if (field && field < end)
		return a->size >= (size_t)(end + 4 - a->answer) + strtoul(field + 17, NULL, 10);
	return a->size >= strlen(last) &&
		memcmp(a->answer + a->size - strlen(last), last, strlen(last)) == 0;
}

int api_receive(struct api *a)
{
	if (a->room - a->size < STEP) {
		char *more = realloc(a->answer, a->room + 2 * (size_t)STEP);
		if (!more)
			return -1;
		a->answer = more;
		a->room += 2 * (size_t)STEP;
	}
	ssize_t n = read(a->fd, a->answer + a->size, STEP - 1);
	if (n <= 0) {
		errno = n == 0 ? EPROTO : errno;
		return -1;
	}
	a->size += (size_t)n;
	a->answer[a->size] = '\0';
	if (!is_complete(a))
		return 0;
	int status = 0;
	if (sscanf(a->answer, "HTTP/1.%*d %d", &status) != 1 || status < 100) {
		errno = EPROTO;
		return -1;
	}
	return status;
}

int api_call(struct api *a, const char *method, const char *target, const char *body)
{
	int status = 0;
	if (api_send(a, method, target, body) < 0)
		return -1;
	while (status == 0)
		status = api_receive(a);
	return status;
}

const char *api_member(const struct api *a, const char *name, char *ret, size_t size)
{
	char quoted[64];
	snprintf(quoted, sizeof(quoted), "\"%s\"", name);
	const char *body = a->answer ? strstr(a->answer, "\r\n\r\n") : NULL;
	const char *at = body ? strstr(body, quoted) : NULL;
	if (!at)
		return NULL;
	at += strlen(quoted);
	at += strspn(at, " :");
	bool text = *at == '"';
	size_t n = strcspn(at + text, text ? "\"" : ",}] \n");
	snprintf(ret, size, "%.*s", (int)n, at + text);
	return ret;
}

bool api_is_ok(const struct api *a)
{
	char cause[32];
	if (api_member(a, "cause", cause, sizeof(cause)) && strcmp(cause, "ok") == 0)
		return true;
	fprintf(stderr, "warmstart: not the end of a good run: %.*s\n", (int)a->size,
		a->answer ? a->answer : "");
	return false;
}
