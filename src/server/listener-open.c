/* SPDX-License-Identifier: MIT */
#include "server/listener-open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"

#define BACKLOG    1024
#define LOCK_TRIES 100

/* ---- the lock ---- */

static int lock_path(const char *path, char ret[PATH_MAX], struct error *e)
{
	if ((size_t)snprintf(ret, PATH_MAX, "%s.lock", path) >= PATH_MAX)
		return error_set(e, BLAME_REQUEST, ENAMETOOLONG, "socket '%.100s...'", path);
	return 0;
}

/* False: who held it has removed the file meanwhile, and others may have made it anew. */
static bool is_still_there(int fd, const char *path)
{
	struct stat held, there;
	return fstat(fd, &held) == 0 && lstat(path, &there) == 0 && held.st_ino == there.st_ino &&
		held.st_dev == there.st_dev;
}

int listener_lock(const char *path, struct error *e)
{
	char lock[PATH_MAX];
	if (lock_path(path, lock, e) < 0)
		return -1;
	for (int i = 0; i < LOCK_TRIES; i++) {
		cleanup_fd int fd =
			open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
		if (fd < 0)
			return error_set(e, BLAME_HOST, errno, "cannot make '%s'", lock);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return error_set(
				e, BLAME_REQUEST, 0, "another daemon listens at '%s'", path);
		if (is_still_there(fd, lock))
			return fd_take(&fd);
	}
	return error_set(e, BLAME_HOST, EAGAIN, "cannot lock '%s'", lock);
}

void listener_unlock(int fd, const char *path)
{
	char lock[PATH_MAX];
	if (lock_path(path, lock, NULL) == 0 && is_still_there(fd, lock))
		unlink(lock);
	fd_close(fd);
}

/* ---- a path ---- */

static int fill_address(struct sockaddr_un *ret, const char *path, struct error *e)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof ret->sun_path)
		return error_set(e, BLAME_REQUEST, 0,
			"the socket's path '%s' is longer than the %zu bytes that the kernel takes",
			path, sizeof ret->sun_path - 1);
	memcpy(ret->sun_path, path, strlen(path));
	return 0;
}

/* Nobody listens at a socket whose daemon has died; a client is refused there. */
static int check_stale(const struct sockaddr_un *address, struct error *e)
{
	const char *path = address->sun_path;
	struct stat st;
	if (lstat(path, &st) < 0)
		return errno == ENOENT
			? 0
			: error_set(e, BLAME_HOST, errno, "cannot look at '%s'", path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(e, BLAME_REQUEST, 0, "'%s' is there, and is no socket", path);
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a socket");
	if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
		errno != ECONNREFUSED)
		return error_set(e, BLAME_REQUEST, 0, "something listens at '%s'", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return error_set(e, BLAME_HOST, errno, "cannot remove '%s'", path);
	return 0;
}

/* It must be nobody else's from the first moment on. */
static int bind_privately(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)address, sizeof *address);
	int errnum = errno;
	umask(mask);
	errno = errnum;
	return rc;
}

int listener_open_path(struct listener *ret, const char *path, struct error *e)
{
	struct sockaddr_un address;
	struct stat st;
	if (fill_address(&address, path, e) < 0 || check_stale(&address, e) < 0)
		return -1;
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a socket");
	if (bind_privately(fd, &address) < 0 || lstat(path, &st) < 0 || listen(fd, BACKLOG) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot listen at '%s'", path);
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	ret->born = st.st_mtim;
	ret->fd = fd_take(&fd);
	return 0;
}

static bool is_ours(const struct listener *at)
{
	struct stat st;
	return lstat(at->path, &st) == 0 && st.st_ino == at->ino && st.st_dev == at->dev &&
		st.st_mtim.tv_sec == at->born.tv_sec && st.st_mtim.tv_nsec == at->born.tv_nsec;
}

void listener_remove_path(struct listener *at)
{
	if (at->made && is_ours(at))
		unlink(at->path);
	at->made = false;
}

/* ---- TCP ---- */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int refuse_address(const char *text, struct error *e)
{
	return error_set(e, BLAME_REQUEST, 0,
		"'%.100s' is no address to listen on, such as 127.0.0.1:8080, [::1]:8080 or 8080",
		text);
}

/* Numbers only: names would need a resolver. */
static int parse_host(union address *ret, const char *host, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	if (size >= 2 && host[0] == '[' && host[size - 1] == ']') {
		ret->any.sa_family = AF_INET6;
		host++;
		size -= 2;
	} else {
		ret->any.sa_family = AF_INET;
	}
	if (size == 0 && ret->any.sa_family == AF_INET) {
		ret->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return 0;
	}
	if (size >= sizeof text)
		return -1;
	memcpy(text, host, size);
	text[size] = '\0';
	void *where = ret->any.sa_family == AF_INET ? (void *)&ret->v4.sin_addr
						    : (void *)&ret->v6.sin6_addr;
	return inet_pton(ret->any.sa_family, text, where) == 1 ? 0 : -1;
}

static int parse_address(union address *ret, const char *text, struct error *e)
{
	const char *colon = strrchr(text, ':');
	const char *port_text = colon ? colon + 1 : text;
	uint64_t port;
	*ret = (union address){.any.sa_family = AF_UNSPEC};
	if (parse_host(ret, text, colon ? (size_t)(colon - text) : 0) < 0 ||
		parse_u64(port_text, UINT16_MAX, &port) < 0)
		return refuse_address(text, e);
	*(ret->any.sa_family == AF_INET ? &ret->v4.sin_port : &ret->v6.sin6_port) =
		htons((uint16_t)port);
	return 0;
}

int listener_open_tcp(struct listener *ret, const char *text, struct error *e)
{
	union address address;
	int on = 1;
	if (parse_address(&address, text, e) < 0)
		return -1;
	socklen_t size = address.any.sa_family == AF_INET ? sizeof address.v4 : sizeof address.v6;
	cleanup_fd int fd =
		socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a socket for '%s'", text);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, &address.any, size) < 0 || listen(fd, BACKLOG) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot listen on '%s'", text);
	ret->fd = fd_take(&fd);
	return 0;
}

/* ---- from systemd ---- */

static uint64_t take_number(const char *name)
{
	const char *text = getenv(name);
	uint64_t value;
	if (!text || parse_u64(text, INT32_MAX, &value) < 0)
		value = 0;
	unsetenv(name);
	return value;
}

int listener_count_inherited(void)
{
	uint64_t pid = take_number("LISTEN_PID"), n = take_number("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return pid == (uint64_t)getpid() ? (int)n : 0;
}

int listener_take_inherited(struct listener *at, bool tcp_allowed, struct error *e)
{
	int domain, type, listens;
	socklen_t size = sizeof(int);
	if (getsockopt(at->fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
		getsockopt(at->fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
		getsockopt(at->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0)
		return error_set(e, BLAME_REQUEST, errno, "inherited descriptor %d", at->fd);
	if (type != SOCK_STREAM || !listens ||
		(domain != AF_UNIX && domain != AF_INET && domain != AF_INET6))
		return error_set(e, BLAME_REQUEST, 0,
			"inherited descriptor %d is no socket to take clients from", at->fd);
	at->is_tcp = domain != AF_UNIX;
	if (at->is_tcp && !tcp_allowed) {
		error_set(e, BLAME_REQUEST, 0, "inherited descriptor %d is a TCP socket", at->fd);
		return error_hint(e, "give a --token-file too");
	}
	if (fcntl(at->fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(at->fd, F_SETFL, O_NONBLOCK) < 0)
		return error_set(e, BLAME_HOST, errno, "inherited descriptor %d", at->fd);
	return 0;
}
