/* SPDX-License-Identifier: MIT */
#include "run/aftermath.h"

#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "kernel/mount.h"
#include "model/facts.h"
#include "run/image.h"

/* Which ends are looked into: what a program does that cannot go on. */
static bool has_failed(const struct observation *o)
{
	if (o->wait == WAIT_EXITED)
		return o->exit_code != 0;
	return o->wait == WAIT_SIGNALED &&
		(o->term_signal == SIGSEGV || o->term_signal == SIGBUS ||
			o->term_signal == SIGABRT);
}

static bool look_at_disk(int root, const char *path, bool own, struct disk *ret)
{
	struct statfs st;
	cleanup_fd int fd = mount_point(root, path);
	if (fd < 0 || fstatfs(fd, &st) < 0 || (own && st.f_type != TMPFS_MAGIC))
		return false;
	*ret = (struct disk){
		.path = path,
		.own = own,
		.size_bytes = (uint64_t)st.f_blocks * (uint64_t)st.f_bsize,
		.free_bytes = (uint64_t)(own ? st.f_bfree : st.f_bavail) * (uint64_t)st.f_bsize,
		.files_full = st.f_files > 0 && st.f_ffree == 0,
	};
	return true;
}

static void add_disk(struct observation *o, const struct disk *d, struct arena *a)
{
	if (o->n_disks == OBSERVATION_MAX_DISKS)
		return;
	o->disks[o->n_disks] = *d;
	o->disks[o->n_disks++].path = arena_strdup(a, d->path);
}

/* Those that bulkhead has given a size. */
static void look_at_own(const struct plan *plan, int root, struct observation *o, struct arena *a)
{
	for (size_t i = 0; i < plan->box.n; i++) {
		const struct step *step = &plan->box.v[i];
		struct disk d;
		if (step->kind == STEP_TMPFS && step->number > 0 &&
			look_at_disk(root, step->path, true, &d))
			add_disk(o, &d, a);
	}
}

/* The one it worked in is the host's, or one of those above: told of when it is full. */
static void look_at_cwd(const struct plan *plan, int root, struct observation *o, struct arena *a)
{
	for (size_t i = 0; i < plan->payload.n; i++) {
		const struct step *step = &plan->payload.v[i];
		struct disk d;
		if (step->kind != STEP_CHDIR || !look_at_disk(root, step->path, false, &d) ||
			!facts_disk_full(&d))
			continue;
		bool own = false;
		for (size_t j = 0; j < o->n_disks; j++)
			own |= o->disks[j].size_bytes == d.size_bytes &&
				strncmp(o->disks[j].path, d.path, strlen(o->disks[j].path)) == 0;
		if (!own)
			add_disk(o, &d, a);
	}
}

static void look_at_image(const struct plan *plan, int root, struct observation *o)
{
	bool limited = o->limits[LIMIT_ADDRESS_SPACE].asked.set ||
		o->inherited[LIMIT_ADDRESS_SPACE].soft_set;
	bool looks_so = o->wait == WAIT_SIGNALED ? o->term_signal == SIGSEGV : o->exit_code == 127;
	for (size_t i = 0; limited && looks_so && !o->image.known && i < plan->exec_paths.n; i++)
		image_look(root, plan->exec_paths.v[i], &o->image);
}

void aftermath_look(const struct plan *plan, int root, struct observation *o, struct arena *a)
{
	if (!has_failed(o) || root < 0)
		return;
	look_at_own(plan, root, o, a);
	look_at_cwd(plan, root, o, a);
	look_at_image(plan, root, o);
}
