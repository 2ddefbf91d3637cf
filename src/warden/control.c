/* SPDX-License-Identifier: MIT */
#include "warden/control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/notify.h"

void control_close_fds(struct control_packet *packet)
{
	for (unsigned i = 0; i < packet->n_fds; i++)
		packet->fds[i] = fd_close(packet->fds[i]);
	packet->n_fds = 0;
}

static void take_fds(struct msghdr *m, struct control_packet *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (ret->n_fds < WARDEN_MAX_FDS)
				ret->fds[ret->n_fds++] = fd;
			else
				fd_close(fd);
		}
	}
}

int control_receive(int socket, void *data, size_t size, struct control_packet *ret)
{
	_Alignas(struct cmsghdr) unsigned char room[CMSG_SPACE(WARDEN_MAX_FDS * sizeof(int))];
	struct iovec bytes = {data, size};
	struct msghdr m = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room),
	};
	ssize_t n;
	*ret = (struct control_packet){0};
	do
		n = recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET
			? 0
			: -errno; /* the other end closed with something unread */
	take_fds(&m, ret);
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		bool full = !(m.msg_flags & MSG_TRUNC) && ret->n_fds < WARDEN_MAX_FDS;
		control_close_fds(ret);
		return full ? -EMFILE : -EPROTO;
	}
	ret->size = (size_t)n;
	return 0;
}

/* What belongs to each kind that is sent to us. */
static const struct kind {
	const char *name;
	unsigned fds, flags_allowed;
} kinds[] = {
	[WARDEN_START] = {"START", 1, 0},
	[WARDEN_RUN] = {"RUN", 2, WARDEN_HAS_AUDIT | WARDEN_HAS_STDERR},
};
#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

static bool is_text(const char *text, size_t room)
{
	return memchr(text, '\0', room) != NULL;
}

int control_check(
	const struct warden_record *record, const struct control_packet *packet, struct error *e)
{
	if (packet->size != sizeof(*record))
		return error_set(e, BLAME_US, 0, "a record of %zu bytes", packet->size);
	if (record->magic != WARDEN_MAGIC || record->version != WARDEN_VERSION)
		return error_set(e, BLAME_US, 0, "a record of another version of bulkhead");
	if (record->kind >= N_KINDS || !kinds[record->kind].name)
		return error_set(e, BLAME_US, 0, "a record of kind %u", record->kind);
	const struct kind *kind = &kinds[record->kind];
	if (record->flags & ~kind->flags_allowed || record->zero != 0)
		return error_set(e, BLAME_US, 0, "%s with unknown flags", kind->name);
	unsigned fds = kind->fds + (unsigned)__builtin_popcount(record->flags);
	if (packet->n_fds != fds)
		return error_set(e, BLAME_US, 0, "%s with %u descriptors instead of %u", kind->name,
			packet->n_fds, fds);
	if (!is_text(record->path, sizeof(record->path)) ||
		!is_text(record->text, sizeof(record->text)))
		return error_set(e, BLAME_US, 0, "%s with a text that does not end", kind->name);
	return 0;
}

int control_answer(int socket, const struct error *e)
{
	struct warden_record record = {
		.magic = WARDEN_MAGIC,
		.version = WARDEN_VERSION,
		.kind = e ? WARDEN_REFUSED : WARDEN_READY,
	};
	if (e) {
		record.errnum = e->errnum;
		memcpy(record.text, e->text, strnlen(e->text, sizeof(record.text) - 1));
	}
	ssize_t n = send(socket, &record, sizeof(record), MSG_DONTWAIT | MSG_NOSIGNAL);
	return n == sizeof(record) ? 0 : n < 0 ? -errno : -EMSGSIZE;
}

#define RULES_MAX (16u << 20)

int control_read_rules(
	int fd, uint64_t size, struct arena *a, struct policy_exec *ret, struct error *e)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat st;
	int has = fcntl(fd, F_GET_SEALS);
	if (has < 0 || (has & seals) != seals)
		return error_set(e, BLAME_US, 0, "rules that are not sealed");
	if (fstat(fd, &st) < 0 || st.st_size < 0 || (uint64_t)st.st_size != size ||
		size > RULES_MAX)
		return error_set(e, BLAME_US, 0, "rules of another size");
	void *data = arena_alloc(a, size);
	if (pread(fd, data, size, 0) != (ssize_t)size)
		return error_set(e, BLAME_HOST, errno, "cannot read the rules");
	return exec_policy_unpack(ret, data, size, a, e);
}

int control_receive_listener(int socket, int *ret_listener, int *ret_stderr)
{
	char bytes[2];
	struct control_packet packet;
	int r = control_receive(socket, bytes, sizeof(bytes), &packet);
	if (r < 0)
		return r;
	if (packet.size != 1 || packet.n_fds < 1 || packet.n_fds > 2 ||
		!notify_is_listener(packet.fds[0])) {
		control_close_fds(&packet);
		return -EPROTO;
	}
	*ret_listener = packet.fds[0];
	*ret_stderr = packet.n_fds == 2 ? packet.fds[1] : -1;
	return 0;
}
