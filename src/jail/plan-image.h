/* SPDX-License-Identifier: MIT */
#ifndef JAIL_PLAN_IMAGE_H
#define JAIL_PLAN_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "model/plan.h"

/*
 * A plan in one piece of memory, as it goes to another process: what is needed between clone and
 * exec, and nothing of what differs from run to run (argv, env, exec_paths come with GO).
 *
 *   header │ steps: n_box, then n_payload │ filter: n_filter │ writable: n_writable │ strings
 *
 * The parts follow each other without a gap and fill the image to its last byte. A string is its
 * offset in the last part, which ends with a zero byte; PLAN_IMAGE_NONE is no string. Numbers are the
 * machine's own: both ends are one build on one machine.
 */
#define PLAN_IMAGE_MAGIC    0x706c616eu /* "plan" */
#define PLAN_IMAGE_VERSION  2u
#define PLAN_IMAGE_MAX      (1u << 20)
#define PLAN_IMAGE_WRITABLE 256
#define PLAN_IMAGE_NONE     UINT32_MAX

enum {
	PLAN_IMAGE_NEW_NETWORK = 1,
	PLAN_IMAGE_OWN_ROOT = 2,
	PLAN_IMAGE_FILTER_EARLY = 4, /* the filter forbids nothing that comes after GO */
	PLAN_IMAGE_FLAGS_ALL_ = 7,
};

struct plan_image_header {
	uint32_t magic, version;
	uint32_t flags;
	uint32_t n_box, n_payload, n_filter, n_writable, n_slots;
	uint32_t strings_bytes;
	uint32_t exec; /* enum exec_mode: not EXEC_OFF, and GO comes with the warden's socket */
	uint64_t cpu_mask[16];
};

struct plan_image_step {
	uint32_t kind, flags;
	int32_t slot;
	uint32_t path, text, zero;
	uint64_t number, value, value2;
};

_Static_assert(sizeof(struct plan_image_header) == 40 + 128, "fixed");
_Static_assert(sizeof(struct plan_image_step) == 48, "fixed");

/* Where the steps are unpacked to. */
struct plan_room {
	struct step box[PLAN_MAX_STEPS], payload[PLAN_MAX_STEPS];
	const char *writable[PLAN_IMAGE_WRITABLE];
};

/*
 * Unpack @image into @ret, whose steps are in @room and whose strings and filter are in the image
 * itself: both stay for as long as @ret is used, and the image must not change meanwhile (a sealed
 * memfd). Every byte of it is checked: 0, or -EPROTO, and then *ret is as it was. Allocates nothing.
 */
long plan_image_decode(const void *image, size_t size, struct plan *ret, struct plan_room *room,
	uint32_t *ret_flags);

#endif
