/* SPDX-License-Identifier: MIT */
#include "run/plan-memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fd.h"
#include "jail/plan-image.h"

struct writer {
	struct buf strings;
	struct buf records;
};

static uint32_t put_string(struct writer *w, const char *s)
{
	if (!s)
		return PLAN_IMAGE_NONE;
	size_t at = w->strings.size;
	buf_add(&w->strings, s, strlen(s) + 1);
	return (uint32_t)at;
}

static void put_steps(struct writer *w, const struct steps *steps)
{
	for (size_t i = 0; i < steps->n; i++) {
		const struct step *step = &steps->v[i];
		/* of the exec GO says what and where */
		struct plan_image_step record = {
			.kind = step->kind,
			.flags = step->flags,
			.slot = step->slot,
			.path = put_string(w, step->kind == STEP_EXEC ? NULL : step->path),
			.text = put_string(w, step->text),
			.number = step->number,
			.value = step->value,
			.value2 = step->value2,
		};
		buf_add(&w->records, &record, sizeof(record));
	}
}

/* The default filter, and one that only allows more, is known to let the way to the exec through. */
static uint32_t flags_of(const struct plan *plan)
{
	return (plan->new_network ? PLAN_IMAGE_NEW_NETWORK : 0) |
		(plan->own_root ? PLAN_IMAGE_OWN_ROOT : 0) |
		(plan->policy->syscalls_deny.n == 0 ? PLAN_IMAGE_FILTER_EARLY : 0);
}

static void put_plan(struct writer *w, const struct plan *plan)
{
	struct plan_image_header header = {
		.magic = PLAN_IMAGE_MAGIC,
		.version = PLAN_IMAGE_VERSION,
		.flags = flags_of(plan),
		.n_box = (uint32_t)plan->box.n,
		.n_payload = (uint32_t)plan->payload.n,
		.n_filter = plan->n_filter,
		.n_writable = (uint32_t)plan->writable.n,
		.n_slots = (uint32_t)plan->n_slots,
		.exec = (uint32_t)plan->exec,
	};
	memcpy(header.cpu_mask, plan->cpu_mask, sizeof(header.cpu_mask));
	buf_add(&w->strings, "", 1);
	buf_add(&w->records, &header, sizeof(header));
	put_steps(w, &plan->box);
	put_steps(w, &plan->payload);
	if (plan->n_filter)
		buf_add(&w->records, plan->filter, plan->n_filter * sizeof(*plan->filter));
	for (size_t i = 0; i < plan->writable.n; i++) {
		uint32_t at = put_string(w, plan->writable.v[i]);
		buf_add(&w->records, &at, sizeof(at));
	}
	header.strings_bytes = (uint32_t)w->strings.size;
	memcpy(w->records.data, &header, sizeof(header));
	buf_add(&w->records, w->strings.data, w->strings.size);
}

static bool can_be_read(const struct buf *image)
{
	static struct plan_room room;
	struct plan plan;
	uint32_t flags;
	return plan_image_decode(image->data, image->size, &plan, &room, &flags) == 0;
}

int memfd_sealed(const char *name, const void *data, size_t size)
{
	static const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	cleanup_fd int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || fd_write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
		fcntl(fd, F_ADD_SEALS, seals) < 0)
		return -1;
	return fd_take(&fd);
}

int plan_memfd(const struct plan *plan, size_t *ret_bytes, struct error *e)
{
	struct writer w = {BUF_INIT, BUF_INIT};
	put_plan(&w, plan);
	int fd = -1;
	if (!can_be_read(&w.records))
		error_set(e, BLAME_REQUEST, 0,
			"the plan of this box is too large: fewer paths, please (%zu bytes)",
			w.records.size);
	else if ((fd = memfd_sealed("bulkhead-plan", w.records.data, w.records.size)) < 0)
		error_set(e, BLAME_HOST, errno, "cannot make a memfd for the plan of a box");
	*ret_bytes = w.records.size;
	buf_fini(&w.strings);
	buf_fini(&w.records);
	return fd;
}
