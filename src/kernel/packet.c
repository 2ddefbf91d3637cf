/* SPDX-License-Identifier: MIT */
#include "kernel/packet.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "kernel/sys.h"

/* Room for one kind of message after the other: first who sends, then what he sends. */
#define CONTROL_SIZE (CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(PACKET_MAX_FDS * sizeof(int)))

long packet_send(int socket, struct packet_bytes record, struct packet_bytes words, const int *fds,
	unsigned n)
{
	_Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(PACKET_MAX_FDS * sizeof(int))];
	struct iovec parts[2] = {
		{(void *)(uintptr_t)record.data, record.size},
		{(void *)(uintptr_t)words.data, words.size},
	};
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = words.size ? 2 : 1};
	if (n > PACKET_MAX_FDS)
		return -EMSGSIZE;
	if (n > 0) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(n * sizeof(int))};
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	ssize_t sent = sys_sendmsg(socket, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent < 0 ? sent : (size_t)sent == record.size + words.size ? 0 : -EMSGSIZE;
}

void packet_close_fds(struct packet *p)
{
	for (unsigned i = 0; i < p->n_fds; i++)
		if (p->fds[i] >= 0)
			sys_close(p->fds[i]);
	p->n_fds = 0;
}

/* What there is no room for is closed. Returns how many there were. */
static size_t take_fds(const unsigned char *data, size_t size, struct packet *ret)
{
	size_t n = size / sizeof(int);
	for (size_t i = 0; i < n; i++) {
		int fd;
		memcpy(&fd, data + i * sizeof(int), sizeof(fd));
		if (ret->n_fds < PACKET_MAX_FDS)
			ret->fds[ret->n_fds++] = fd;
		else
			sys_close(fd);
	}
	return n;
}

/*
 * The kernel has written these headers, but they are walked as if it had not. Returns the number of
 * descriptors.
 */
static size_t take_control(const unsigned char *control, size_t size, struct packet *ret)
{
	struct cmsghdr c;
	size_t n = 0;
	for (size_t at = 0; at + sizeof(c) <= size; at += CMSG_ALIGN(c.cmsg_len)) {
		memcpy(&c, control + at, sizeof(c));
		if (c.cmsg_len < CMSG_LEN(0) || c.cmsg_len > size - at)
			return n;
		const unsigned char *data = control + at + CMSG_LEN(0);
		size_t bytes = c.cmsg_len - CMSG_LEN(0);
		if (c.cmsg_level != SOL_SOCKET)
			continue;
		if (c.cmsg_type == SCM_RIGHTS)
			n += take_fds(data, bytes, ret);
		struct ucred who;
		if (c.cmsg_type == SCM_CREDENTIALS && bytes >= sizeof(who)) {
			memcpy(&who, data, sizeof(who));
			ret->sender = who.pid;
		}
	}
	return n;
}

/* An empty packet looks like the end of file. */
static bool has_ended(int socket)
{
	struct pollfd end = {.fd = socket};
	struct timespec now = {0};
	return sys_ppoll(&end, 1, &now, NULL) == 1 && end.revents & (POLLHUP | POLLERR);
}

long packet_receive(int socket, void *data, size_t size, bool wait, struct packet *ret)
{
	_Alignas(struct cmsghdr) unsigned char control[CONTROL_SIZE];
	struct iovec bytes = {data, size};
	struct msghdr m = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;
	ret->size = 0;
	ret->n_fds = 0;
	ret->sender = 0;
	ret->reset = false;
	do {
		n = sys_recvmsg(socket, &m, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
		ret->reset |= n == -ECONNRESET; /* once, before what has come still */
	} while (n == -EINTR || n == -ECONNRESET);
	if (n < 0)
		return n;
	size_t came = take_control(control, m.msg_controllen, ret);
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || came > PACKET_MAX_FDS) {
		/* there was room for all that may come: one more could not be had */
		bool full = !(m.msg_flags & MSG_TRUNC) && came < PACKET_MAX_FDS;
		packet_close_fds(ret);
		ret->size = full ? (size_t)n : 0;
		return full ? -EMFILE : -EPROTO;
	}
	if (n == 0 && (came > 0 || !has_ended(socket))) {
		packet_close_fds(ret);
		return -EPROTO;
	}
	ret->size = (size_t)n;
	return 0;
}
