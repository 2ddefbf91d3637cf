/* SPDX-License-Identifier: MIT */
#include "jail/plan-image.h"

#include <errno.h>
#include <string.h>

/* In which of the lists a kind of step may be, and what it may not be without. */
enum {
	IN_BOX = 1,
	IN_PAYLOAD = 2,
	WITH_PATH = 4,
	WITH_TEXT = 8,
	WITH_SLOT = 16,
};

static const uint8_t kinds[STEP_COUNT_] = {
	[STEP_GRAB] = IN_BOX | WITH_PATH | WITH_SLOT,
	[STEP_ROOT_HERE] = IN_BOX,
	[STEP_ROOT_SLOT] = IN_BOX | WITH_SLOT,
	[STEP_ROOT_EMPTY] = IN_BOX,
	[STEP_ATTACH] = IN_BOX | WITH_PATH | WITH_SLOT,
	[STEP_TMPFS] = IN_BOX | WITH_PATH,
	[STEP_PROC] = IN_BOX | IN_PAYLOAD | WITH_PATH,
	[STEP_DEVPTS] = IN_BOX | IN_PAYLOAD | WITH_PATH,
	[STEP_PROTECT] = IN_BOX | IN_PAYLOAD | WITH_PATH,
	[STEP_MASK] = IN_BOX | IN_PAYLOAD | WITH_PATH | WITH_TEXT,
	[STEP_MKDIR] = IN_BOX | WITH_PATH,
	[STEP_MKFILE] = IN_BOX | WITH_PATH,
	[STEP_SYMLINK] = IN_BOX | WITH_PATH | WITH_TEXT,
	[STEP_PIVOT] = IN_BOX | IN_PAYLOAD,
	[STEP_SEAL] = IN_BOX | IN_PAYLOAD,
	[STEP_IDS] = IN_BOX | IN_PAYLOAD,
	[STEP_GROUPS] = IN_PAYLOAD,
	[STEP_CGROUPNS] = IN_PAYLOAD,
	[STEP_OWN_GROUP] = IN_PAYLOAD,
	[STEP_OWN_SESSION] = IN_PAYLOAD,
	[STEP_TERMINAL] = IN_PAYLOAD | WITH_PATH,
	[STEP_RLIMIT] = IN_PAYLOAD,
	[STEP_AFFINITY] = IN_PAYLOAD,
	[STEP_CHDIR] = IN_PAYLOAD | WITH_PATH,
	[STEP_NO_NEW_PRIVS] = IN_PAYLOAD,
	[STEP_SCOPE] = IN_PAYLOAD,
	[STEP_CONFINE] = IN_PAYLOAD,
	[STEP_ALLOW_LIST] = IN_PAYLOAD | WITH_PATH,
	[STEP_DROP_CAPS] = IN_PAYLOAD,
	[STEP_STDIO] = IN_PAYLOAD,
	[STEP_CLOSE_FDS] = IN_PAYLOAD,
	[STEP_FILTER] = IN_PAYLOAD,
	[STEP_LISTENER] = IN_PAYLOAD,
	[STEP_EXEC] = IN_PAYLOAD,
};

struct reader {
	const struct plan_image_header *header;
	const struct plan_image_step *steps;
	const struct sock_filter *filter;
	const uint32_t *writable;
	const char *strings;
};

/* The parts by their counts, all of which are small: no sum of these overflows. */
static bool find_parts(const void *image, size_t size, struct reader *r)
{
	const struct plan_image_header *h = image;
	if (size < sizeof(*h) || size > PLAN_IMAGE_MAX || (uintptr_t)image % _Alignof(uint64_t))
		return false;
	if (h->magic != PLAN_IMAGE_MAGIC || h->version != PLAN_IMAGE_VERSION ||
		h->exec > EXEC_ENFORCE || h->flags & ~(uint32_t)PLAN_IMAGE_FLAGS_ALL_ ||
		h->n_box > PLAN_MAX_STEPS || h->n_payload == 0 || h->n_payload > PLAN_MAX_STEPS ||
		h->n_filter > UINT16_MAX || h->n_writable > PLAN_IMAGE_WRITABLE ||
		h->n_slots > PLAN_MAX_SLOTS || h->strings_bytes == 0 ||
		h->strings_bytes > PLAN_IMAGE_MAX)
		return false;
	const char *at = (const char *)image + sizeof(*h);
	*r = (struct reader){.header = h, .steps = (const struct plan_image_step *)at};
	at += (h->n_box + h->n_payload) * sizeof(struct plan_image_step);
	r->filter = (const struct sock_filter *)at;
	at += h->n_filter * sizeof(struct sock_filter);
	r->writable = (const uint32_t *)at;
	at += h->n_writable * sizeof(uint32_t);
	r->strings = at;
	return (size_t)(at - (const char *)image) + h->strings_bytes == size &&
		r->strings[h->strings_bytes - 1] == 0;
}

static bool read_string(const struct reader *r, uint32_t at, bool needed, const char **ret)
{
	*ret = NULL;
	if (at == PLAN_IMAGE_NONE)
		return !needed;
	if (at >= r->header->strings_bytes)
		return false;
	*ret = r->strings + at;
	return !needed || **ret;
}

/* sched_setaffinity's and Landlock's numbers and the like are for the kernel to judge. */
static bool read_step(
	const struct reader *r, const struct plan_image_step *from, unsigned list, struct step *ret)
{
	if (from->kind >= STEP_COUNT_ || from->zero != 0)
		return false;
	unsigned needs = kinds[from->kind];
	*ret = (struct step){
		.kind = (enum step_kind)from->kind,
		.flags = from->flags,
		.slot = from->slot,
		.number = from->number,
		.value = from->value,
		.value2 = from->value2,
	};
	if (needs & WITH_SLOT && (from->slot < 0 || (uint32_t)from->slot >= r->header->n_slots))
		return false;
	return needs & list && read_string(r, from->path, needs & WITH_PATH, &ret->path) &&
		read_string(r, from->text, needs & WITH_TEXT, &ret->text);
}

static bool read_steps(
	const struct reader *r, size_t first, size_t n, unsigned list, struct step *v)
{
	for (size_t i = 0; i < n; i++)
		if (!read_step(r, &r->steps[first + i], list, &v[i]))
			return false;
	return true;
}

/* The exec is the last step and there is no other. */
static bool ends_with_exec(const struct step *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((v[i].kind == STEP_EXEC) != (i + 1 == n))
			return false;
	return true;
}

/* Without one there would be an exec policy that nobody holds. */
static bool has_listener(const struct step *v, size_t n, bool wanted)
{
	size_t filters = 0, listeners = 0;
	for (size_t i = 0; i < n; i++) {
		filters += v[i].kind == STEP_FILTER;
		listeners += v[i].kind == STEP_LISTENER;
	}
	return wanted ? listeners == 1 && filters == 0 : listeners == 0;
}

static bool read_writable(const struct reader *r, const char **v)
{
	for (uint32_t i = 0; i < r->header->n_writable; i++)
		if (!read_string(r, r->writable[i], true, &v[i]))
			return false;
	return true;
}

long plan_image_decode(const void *image, size_t size, struct plan *ret, struct plan_room *room,
	uint32_t *ret_flags)
{
	struct reader r;
	if (!find_parts(image, size, &r))
		return -EPROTO;
	const struct plan_image_header *h = r.header;
	if (!read_steps(&r, 0, h->n_box, IN_BOX, room->box) ||
		!read_steps(&r, h->n_box, h->n_payload, IN_PAYLOAD, room->payload) ||
		!ends_with_exec(room->payload, h->n_payload) ||
		!has_listener(room->payload, h->n_payload, h->exec != EXEC_OFF) ||
		!read_writable(&r, room->writable))
		return -EPROTO;
	*ret = (struct plan){
		.new_network = h->flags & PLAN_IMAGE_NEW_NETWORK,
		.own_root = h->flags & PLAN_IMAGE_OWN_ROOT,
		.box = {.v = room->box, .n = h->n_box},
		.payload = {.v = room->payload, .n = h->n_payload},
		.n_slots = (int)h->n_slots,
		.filter = r.filter,
		.n_filter = (unsigned short)h->n_filter,
		.exec = (enum exec_mode)h->exec,
		.writable = {.v = room->writable, .n = h->n_writable},
	};
	memcpy(ret->cpu_mask, h->cpu_mask, sizeof(ret->cpu_mask));
	*ret_flags = h->flags;
	return 0;
}
