/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "model/plan-build.h"

/*
 * The box's file system.
 *
 * With the host's own root the mount namespace that the maker was born in is already a copy of the
 * host's tree: it is made read-only in place with one recursive mount_setattr(2), and what the run
 * may write is put back on top of it. That saves a second copy of the tree and a pivot_root(2). The
 * other roots, a directory or nothing at all, are pivoted into.
 *
 * The order:
 *   1 take detached copies of all that will be needed from the host's tree
 *   2 make or choose the root
 *   3 /dev; /proc is the payload's to mount
 *   4 private and shared directories, outer ones before those inside them
 *   5 hide what shall not be seen, last, so that nothing uncovers it again
 *   6 pivot
 */

#define EMPTY_DIR  PLAN_EMPTY_PLACE "/dir"
#define EMPTY_FILE PLAN_EMPTY_PLACE "/file"

enum item_kind { ITEM_TMPFS, ITEM_BIND };

/* One thing of stage 4. */
struct item {
	enum item_kind kind;
	const char *path;
	bool is_dir;
	int slot;
	uint64_t size;
	uint64_t mode;
	size_t order; /* equal paths keep the order in which they were asked for */
};

struct items {
	struct item *v;
	size_t n;
};

static int new_slot(struct plan_build *b)
{
	return b->plan->n_slots < PLAN_MAX_SLOTS ? b->plan->n_slots++ : -1;
}

static int too_many(struct plan_build *b)
{
	return error_set(b->e, BLAME_REQUEST, 0,
		"too many mounts: a box takes at most %d directories and devices from the host",
		PLAN_MAX_SLOTS);
}

static int depth(const char *path)
{
	int n = 0;
	for (; *path; path++)
		n += *path == '/' && path[1];
	return n;
}

static int by_depth(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int d = depth(x->path) - depth(y->path);
	return d ? d : x->order < y->order ? -1 : x->order > y->order;
}

static void add_item(struct items *items, struct item item)
{
	item.order = items->n;
	items->v[items->n++] = item;
}

/* ---- stage 1: from the host's tree ---- */

static int grab_binds(
	struct plan_build *b, struct items *items, const struct resolved_list *list, uint32_t flags)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct resolved_path *p = &list->v[i];
		int slot = new_slot(b);
		if (slot < 0)
			return too_many(b);
		bool idmap = b->plan->idmap.used && p->idmappable;
		plan_box(b, .kind = STEP_GRAB, .path = p->source, .slot = slot,
			.flags = flags | MOUNT_RECURSIVE | (idmap ? MOUNT_IDMAP : 0));
		add_item(items,
			(struct item){.kind = ITEM_BIND,
				.path = p->dest,
				.is_dir = p->is_dir,
				.slot = slot});
	}
	return 0;
}

/* Detached copies of single device nodes: inside a user namespace none can be made. */
static int grab_devices(struct plan_build *b, int *ret_first)
{
	const struct strv *names = &b->resolved->devices;
	*ret_first = b->plan->n_slots;
	for (size_t i = 0; i < names->n; i++) {
		int slot = new_slot(b);
		if (slot < 0)
			return too_many(b);
		plan_box(b, .kind = STEP_GRAB, .path = path_join(b->a, "/dev", names->v[i]),
			.slot = slot, .flags = MOUNT_NO_SUID | MOUNT_NO_EXEC);
	}
	return 0;
}

/* ---- stage 2 ---- */

static void choose_root(struct plan_build *b, int root_slot)
{
	uint32_t flags = MOUNT_READ_ONLY | MOUNT_NO_SUID | MOUNT_NO_DEV;
	/* the box's own root from here on, who is to own what is made in its tmpfs */
	if (b->plan->own_root)
		plan_box(b, .kind = STEP_IDS, .number = 0, .value = 0);
	if (!b->resolved->root)
		plan_box(b, .kind = STEP_ROOT_EMPTY, .flags = MOUNT_NO_SUID | MOUNT_NO_DEV);
	else if (root_slot >= 0)
		plan_box(b, .kind = STEP_ROOT_SLOT, .path = b->resolved->root, .slot = root_slot);
	else
		plan_box(b, .kind = STEP_ROOT_HERE, .flags = flags);
}

/* ---- stage 3 ---- */

static void attach_device(struct plan_build *b, const char *name, int slot)
{
	const char *path = path_join(b->a, "/dev", name);
	plan_box(b, .kind = STEP_MKFILE, .path = path, .number = 0444);
	plan_box(b, .kind = STEP_ATTACH, .path = path, .slot = slot, .flags = MOUNT_FILE);
}

static void make_dev(struct plan_build *b, int first_slot, int console_slot)
{
	static const char *const links[][2] = {
		{"/dev/fd", "/proc/self/fd"},
		{"/dev/stdin", "/proc/self/fd/0"},
		{"/dev/stdout", "/proc/self/fd/1"},
		{"/dev/stderr", "/proc/self/fd/2"},
		{"/dev/ptmx", "pts/ptmx"},
	};
	if (!b->resolved->root)
		plan_box(b, .kind = STEP_MKDIR, .path = "/dev", .number = 0755);
	plan_box(b, .kind = STEP_TMPFS, .path = "/dev", .value = 0755, .number = 64 << 20,
		.flags = MOUNT_NO_SUID | MOUNT_NO_EXEC);
	const struct strv *names = &b->resolved->devices;
	for (size_t i = 0; i < names->n; i++)
		attach_device(b, names->v[i], first_slot + (int)i);
	if (console_slot >= 0)
		attach_device(b, "console", console_slot);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		plan_box(b, .kind = STEP_SYMLINK, .path = links[i][0], .text = links[i][1]);
	plan_box(b, .kind = STEP_MKDIR, .path = "/dev/shm", .number = 01777);
	plan_box(b, .kind = STEP_MKDIR, .path = "/dev/pts", .number = 0755);
	plan_box(
		b, .kind = STEP_DEVPTS, .path = "/dev/pts", .flags = MOUNT_NO_SUID | MOUNT_NO_EXEC);
	plan_box(b, .kind = STEP_MKDIR, .path = EMPTY_DIR, .number = 0555);
	plan_box(b, .kind = STEP_MKFILE, .path = EMPTY_FILE, .number = 0444);
	plan_box(b, .kind = STEP_PROTECT, .path = PLAN_EMPTY_PLACE,
		.flags = MOUNT_READ_ONLY | MOUNT_NO_SUID | MOUNT_NO_DEV | MOUNT_NO_EXEC);
}

/*
 * A procfs shows the pid namespace of the process that mounts it, so the payload does that itself.
 *
 * The files of /proc that belong to the host's root are written by whoever has its uid, without
 * any capability: core_pattern, sysrq-trigger. A box with another uid needs no protection.
 *
 * Under an exec policy that is enforced nothing of it is written: /proc/PID/mem would put a program into
 * a process that was judged already.
 */
static void make_proc(struct plan_build *b)
{
	if (!b->resolved->root)
		plan_box(b, .kind = STEP_MKDIR, .path = "/proc", .number = 0555);
	bool judged = b->policy->exec.mode == EXEC_ENFORCE;
	plan_payload(b, .kind = STEP_PROC, .path = "/proc",
		.flags = MOUNT_NO_SUID | MOUNT_NO_DEV | MOUNT_NO_EXEC |
			(judged ? MOUNT_READ_ONLY : 0));
	for (size_t i = 0; i < b->resolved->protect.n; i++)
		plan_payload(b, .kind = STEP_PROTECT, .path = b->resolved->protect.v[i],
			.flags = MOUNT_READ_ONLY | MOUNT_NO_SUID | MOUNT_NO_DEV | MOUNT_NO_EXEC);
}

/* ---- stages 4 and 5 ---- */

static bool below_an_item(const struct items *items, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (items->v[i].kind == ITEM_TMPFS && strcmp(items->v[i].path, path) != 0 &&
			path_is_below(path, items->v[i].path))
			return true;
	return false;
}

static bool holds_an_item(const struct items *items, const char *path)
{
	for (size_t i = 0; i < items->n; i++)
		if (strcmp(items->v[i].path, path) != 0 && path_is_below(items->v[i].path, path))
			return true;
	return false;
}

static bool is_tmpfs(const struct items *items, const char *path)
{
	for (size_t i = 0; i < items->n; i++)
		if (items->v[i].kind == ITEM_TMPFS && strcmp(items->v[i].path, path) == 0)
			return true;
	return false;
}

static uint64_t tmp_size(const struct plan_build *b)
{
	const struct limit_value *v = &b->policy->limits.v[LIMIT_TMP_SIZE];
	return v->set ? v->value : 0;
}

static void collect_tmpfs(struct plan_build *b, struct items *items)
{
	for (size_t i = 0; i < b->resolved->tmpfs.n; i++)
		add_item(items,
			(struct item){.kind = ITEM_TMPFS,
				.path = b->resolved->tmpfs.v[i].dest,
				.is_dir = true,
				.size = tmp_size(b),
				.mode = 01777});
}

/*
 * A hidden directory in which something has to be shown is an empty tmpfs of its own; on top of
 * what is mounted there, if anything is.
 */
static void collect_hidden_parents(struct plan_build *b, struct items *items)
{
	size_t n = items->n;
	for (size_t i = 0; i < b->resolved->hide.n; i++) {
		const struct resolved_path *p = &b->resolved->hide.v[i];
		struct items before = {.v = items->v, .n = n};
		if (p->is_dir && holds_an_item(&before, p->dest) && !is_tmpfs(items, p->dest))
			add_item(items,
				(struct item){.kind = ITEM_TMPFS,
					.path = p->dest,
					.is_dir = true,
					.size = 1 << 20,
					.mode = 0755});
	}
}

static void make_mount_point(struct plan_build *b, const struct item *item)
{
	if (item->is_dir)
		plan_box(b, .kind = STEP_MKDIR, .path = item->path,
			.number = item->kind == ITEM_TMPFS ? item->mode : 0755);
	else
		plan_box(b, .kind = STEP_MKFILE, .path = item->path, .number = 0644);
}

static void place_items(struct plan_build *b, struct items *items)
{
	qsort(items->v, items->n, sizeof(*items->v), by_depth);
	for (size_t i = 0; i < items->n; i++) {
		const struct item *item = &items->v[i];
		if (!b->resolved->root || below_an_item(items, i, item->path) ||
			path_is_below(item->path, "/dev"))
			make_mount_point(b, item);
		if (item->kind == ITEM_TMPFS)
			plan_box(b, .kind = STEP_TMPFS, .path = item->path, .number = item->size,
				.value = item->mode, .flags = MOUNT_NO_SUID | MOUNT_NO_DEV);
		else
			plan_box(b, .kind = STEP_ATTACH, .path = item->path, .slot = item->slot,
				.flags = item->is_dir ? 0 : MOUNT_FILE);
	}
}

static void hide_the_rest(struct plan_build *b, const struct items *items)
{
	for (size_t i = 0; i < b->resolved->hide.n; i++) {
		const struct resolved_path *p = &b->resolved->hide.v[i];
		if (is_tmpfs(items, p->dest))
			continue; /* nothing of the host is seen there */
		struct step mask = {.kind = STEP_MASK,
			.path = p->dest,
			.text = p->is_dir ? EMPTY_DIR : EMPTY_FILE};
		if (b->plan->own_root)
			mask.flags =
				MOUNT_OPTIONAL; /* what even the box's root cannot reach is hidden */
		bool later = path_is_below(p->dest, "/proc");
		plan_add(b, later ? &b->plan->payload : &b->plan->box, mask);
	}
}

static int grab_root(struct plan_build *b, int *ret_slot)
{
	*ret_slot = -1;
	if (!b->resolved->root || strcmp(b->resolved->root, "/") == 0)
		return 0;
	*ret_slot = new_slot(b);
	plan_box(b, .kind = STEP_GRAB, .path = b->resolved->root, .slot = *ret_slot,
		.flags = MOUNT_RECURSIVE | MOUNT_READ_ONLY | MOUNT_NO_SUID | MOUNT_NO_DEV);
	return 0;
}

static int grab_console(struct plan_build *b, int *ret_slot)
{
	*ret_slot = -1;
	/* a program with a terminal of its own has no business with the caller's */
	if (!b->resolved->console || b->plan->tty)
		return 0;
	*ret_slot = new_slot(b);
	if (*ret_slot < 0)
		return too_many(b);
	plan_box(b, .kind = STEP_GRAB, .path = b->resolved->console, .slot = *ret_slot,
		.flags = MOUNT_NO_SUID | MOUNT_NO_EXEC);
	return 0;
}

int plan_mounts(struct plan_build *b)
{
	const struct resolved *r = b->resolved;
	size_t room = r->tmpfs.n + r->write.n + r->read.n + r->hide.n + 1;
	struct items items = {.v = arena_calloc(b->a, room, sizeof(struct item))};
	int root_slot, console_slot, first_device;
	if (3 * room + 64 > PLAN_MAX_STEPS)
		return too_many(b);
	collect_tmpfs(b, &items);
	if (grab_root(b, &root_slot) < 0 || grab_devices(b, &first_device) < 0 ||
		grab_console(b, &console_slot) < 0 ||
		grab_binds(b, &items, &r->read, MOUNT_READ_ONLY | MOUNT_NO_SUID | MOUNT_NO_DEV) <
			0 ||
		grab_binds(b, &items, &r->write, MOUNT_NO_SUID | MOUNT_NO_DEV) < 0)
		return -1;
	collect_hidden_parents(b, &items);
	choose_root(b, root_slot);
	make_dev(b, first_device, console_slot);
	make_proc(b);
	place_items(b, &items);
	hide_the_rest(b, &items);
	/* after the procfs, which may be mounted only where another one can be seen in full */
	if (!r->root || root_slot >= 0)
		plan_payload(b, .kind = STEP_PIVOT);
	if (!r->root)
		plan_payload(b, .kind = STEP_SEAL,
			.flags = MOUNT_READ_ONLY | MOUNT_NO_SUID | MOUNT_NO_DEV);
	return 0;
}
