/* SPDX-License-Identifier: MIT */
#include "model/attach-frame.h"

#include <assert.h>
#include <string.h>

/* What the body of each kind may be; kinds that are none have no sender. */
static const struct {
	bool known;
	enum attach_sender sender;
	size_t least, most;
} kinds[] = {
	[ATTACH_STDIN] = {true, ATTACH_CLIENT, 0, ATTACH_BODY_MAX},
	[ATTACH_STDIN_END] = {true, ATTACH_CLIENT, 0, 0},
	[ATTACH_RESIZE] = {true, ATTACH_CLIENT, 4, 4},
	[ATTACH_SIGNAL] = {true, ATTACH_CLIENT, 4, 4},
	[ATTACH_CANCEL] = {true, ATTACH_CLIENT, 0, 0},
	[ATTACH_STDOUT] = {true, ATTACH_DAEMON, 0, ATTACH_BODY_MAX},
	[ATTACH_STDERR] = {true, ATTACH_DAEMON, 0, ATTACH_BODY_MAX},
	[ATTACH_GAP] = {true, ATTACH_DAEMON, 8, 8},
	[ATTACH_VERDICT] = {true, ATTACH_DAEMON, 0, ATTACH_JSON_MAX},
	[ATTACH_PROBLEM] = {true, ATTACH_DAEMON, 0, ATTACH_JSON_MAX},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool is_possible(unsigned kind, enum attach_sender sender, size_t size)
{
	return kind < N_KINDS && kinds[kind].known && kinds[kind].sender == sender &&
		size >= kinds[kind].least && size <= kinds[kind].most;
}

uint64_t attach_number_decode(const unsigned char *bytes, size_t size)
{
	uint64_t number = 0;
	for (size_t i = 0; i < size; i++)
		number = number << 8 | bytes[i];
	return number;
}

void attach_number_encode(uint64_t number, unsigned char *out, size_t size)
{
	for (size_t i = size; i > 0; i--) {
		out[i - 1] = (unsigned char)number;
		number >>= 8;
	}
}

void attach_head_encode(const struct attach_head *head, unsigned char out[ATTACH_HEAD_SIZE])
{
	assert(is_possible(head->kind, kinds[head->kind].sender, head->size));
	memset(out, 0, ATTACH_HEAD_SIZE);
	out[0] = (unsigned char)head->kind;
	attach_number_encode(head->size, out + 4, 4);
}

void attach_frame_put(struct buf *out, enum attach_kind kind, const void *body, size_t size)
{
	unsigned char head[ATTACH_HEAD_SIZE];
	attach_head_encode(&(struct attach_head){kind, size}, head);
	buf_add(out, head, sizeof head);
	buf_add(out, body, size);
}

void attach_bytes_put(struct buf *out, enum attach_kind kind, const char *bytes, size_t size)
{
	for (size_t piece; size > ATTACH_BODY_MAX; bytes += piece, size -= piece) {
		piece = ATTACH_BODY_MAX;
		attach_frame_put(out, kind, bytes, piece);
	}
	attach_frame_put(out, kind, bytes, size);
}

bool attach_head_decode(struct attach_head *ret, enum attach_sender sender,
	const unsigned char bytes[ATTACH_HEAD_SIZE])
{
	size_t size = attach_number_decode(bytes + 4, 4);
	if (bytes[1] || bytes[2] || bytes[3] || !is_possible(bytes[0], sender, size))
		return false;
	*ret = (struct attach_head){(enum attach_kind)bytes[0], size};
	return true;
}
