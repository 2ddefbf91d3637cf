/* SPDX-License-Identifier: MIT */
#include "warden/control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/notify.h"

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

int control_check(const struct warden_record *record, const struct packet *packet, struct error *e)
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
	return (int)packet_send(socket, (struct packet_bytes){&record, sizeof(record)},
		(struct packet_bytes){0}, NULL, 0);
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
	struct packet packet;
	long r = packet_receive(socket, bytes, sizeof(bytes), false, &packet);
	if (r < 0)
		return (int)r;
	if (packet.size != 1 || packet.n_fds < 1 || packet.n_fds > 2 ||
		!notify_is_listener(packet.fds[0])) {
		packet_close_fds(&packet);
		return -EPROTO;
	}
	*ret_listener = packet.fds[0];
	*ret_stderr = packet.n_fds == 2 ? packet.fds[1] : -1;
	return 0;
}
