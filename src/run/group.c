/* SPDX-License-Identifier: MIT */
#include "run/group.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/time.h"
#include "run/group-backend.h"

#define CLOSE_TIMEOUT_US (2 * US_PER_SEC)

/*
 * The v2 directory is made first and removed last. It is the one that ends processes, so that a
 * group which is found half made, or half removed, can still be emptied.
 */
static const enum controller order[] = {CONTROLLER_CORE, CONTROLLER_MEMORY, CONTROLLER_PIDS,
	CONTROLLER_CPU, CONTROLLER_CPUACCT, CONTROLLER_IO};
_Static_assert(sizeof(order) / sizeof(order[0]) == CONTROLLER_COUNT_, "order");

static const struct group_ops *const ops_of[] = {
	[RUNG_V2] = &group_v2_ops,
	[RUNG_DELEGATED] = &group_v2_ops,
	[RUNG_HYBRID] = &group_v1_ops,
	[RUNG_NONE] = &group_none_ops,
};
_Static_assert(sizeof(ops_of) / sizeof(ops_of[0]) == RUNG_COUNT_, "ops_of");

/* ---- making ---- */

static struct group *group_new(const struct host_cgroup *host, const struct group_spec *spec)
{
	struct group *g = calloc(1, sizeof(*g));
	if (g == NULL)
		return NULL;
	g->users = 1;
	g->host = host;
	g->relimited = spec->relimited;
	g->cache = spec->cache;
	group_nest(g, spec->parent);
	g->ops = ops_of[host->rung];
	g->entry.into_fd = g->slow_entry.into_fd = -1;
	g->oom_fd = g->oom_kill_fd = g->events_fd = -1;
	g->cpu_fd = g->memory_fd = g->pids_fd = -1;
	for (int i = 0; i < 3; i++)
		g->pressure_fd[i] = -1;
	for (int i = 0; i < GROUP_LIMITS; i++)
		g->limit_fd[i] = -1;
	for (int c = 0; c < CONTROLLER_COUNT_; c++)
		g->dir[c] = (struct group_dir){.fd = -1, .shared_with = (enum controller)c};
	return g;
}

int group_fd(const struct group *g, enum controller controller)
{
	return g->dir[g->dir[controller].shared_with].fd;
}

int group_procs_fd(const struct group *g)
{
	for (size_t i = 0; i < CONTROLLER_COUNT_; i++) {
		if (g->dir[order[i]].fd >= 0)
			return g->dir[order[i]].fd;
	}
	return -1;
}

/* The controller whose directory @c is in already, because both are mounted together. */
static enum controller find_shared(const struct group *g, enum controller c)
{
	for (size_t i = 0; i < CONTROLLER_COUNT_; i++) {
		const struct group_dir *made = &g->dir[order[i]];
		if (made->fd >= 0 && strcmp(made->base, g->base[c]) == 0)
			return order[i];
	}
	return c;
}

static int make_at(struct group *g, struct group_dir *dir, int base, struct error *e)
{
	if (base < 0 || cgroup_make(base, g->name) < 0) {
		error_set(e, BLAME_HOST, errno, "cannot make the control group '%s/%s'", dir->base,
			g->name);
		return group_hint(e, g->host);
	}
	dir->fd = cgroup_open_at(base, g->name);
	if (dir->fd >= 0)
		return 0;
	error_set(
		e, BLAME_HOST, errno, "cannot open the control group '%s/%s'", dir->base, g->name);
	cgroup_remove(base, g->name);
	return -1;
}

static int make_dir(struct group *g, enum controller c, struct error *e)
{
	struct group_dir *dir = &g->dir[c];
	bool own = false;
	dir->shared_with = find_shared(g, c);
	if (dir->shared_with != c)
		return 0;
	dir->base = g->base[c];
	int base = group_base_open(g, c, &own);
	int r = make_at(g, dir, base, e);
	if (own)
		fd_close(base);
	return r;
}

static int make_dirs(struct group *g, const struct group_spec *spec, struct error *e)
{
	unsigned needs = g->ops->needs(g->host, spec);
	_Static_assert(CONTROLLER_COUNT_ < 32, "set");
	for (size_t i = 0; i < CONTROLLER_COUNT_; i++) {
		enum controller c = order[i];
		if ((needs & 1u << c) && g->host->base[c] != NULL && make_dir(g, c, e) < 0)
			return -1;
	}
	return 0;
}

static int make_entry(struct group *g, struct error *e)
{
	g->entry.into_fd = group_fd(g, CONTROLLER_CORE);
	for (int c = 0; c < CONTROLLER_COUNT_; c++) {
		const struct group_dir *dir = &g->dir[c];
		if (g->ops->entry_file == NULL || c == CONTROLLER_CORE || dir->fd < 0)
			continue;
		int fd = cgroup_open_file(dir->fd, g->ops->entry_file, O_WRONLY);
		if (fd < 0) {
			return error_set(e, BLAME_HOST, errno, "cannot open '%s/%s/%s'", dir->base,
				g->name, g->ops->entry_file);
		}
		g->entry.tasks[g->entry.n_tasks++] = fd;
	}
	if (group_nest_entry(g) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot enter the box's control groups");
	return 0;
}

int group_wake(struct group *g, struct error *e)
{
	if (g->rests && make_entry(g, e) < 0)
		return -1;
	g->rests = false;
	return 0;
}

/* ---- unmaking ---- */

static void close_entry(struct group_entry *entry)
{
	for (unsigned i = 0; i < entry->n_tasks; i++)
		fd_close(entry->tasks[i]);
	entry->n_tasks = 0;
	entry->into_fd = -1;
}

static void close_fds(struct group *g)
{
	close_entry(&g->entry);
	close_entry(&g->slow_entry);
	for (int i = 0; i < GROUP_LIMITS; i++)
		g->limit_fd[i] = fd_close(g->limit_fd[i]);
	while (g->n_files > 0)
		fd_close(g->file[--g->n_files].fd);
	g->oom_fd = fd_close(g->oom_fd);
	g->oom_kill_fd = fd_close(g->oom_kill_fd);
	g->events_fd = fd_close(g->events_fd);
	g->cpu_fd = fd_close(g->cpu_fd);
	g->memory_fd = fd_close(g->memory_fd);
	g->pids_fd = fd_close(g->pids_fd);
	for (int i = 0; i < 3; i++)
		g->pressure_fd[i] = fd_close(g->pressure_fd[i]);
}

/* With no descriptor left for the base: what was made has to go all the same. */
static int remove_by_path(const struct group *g, enum controller c)
{
	char path[PATH_MAX];
	int size = snprintf(path, sizeof(path), "%s/%s", g->base[c], g->name);
	return size < (int)sizeof(path) ? rmdir(path) : -1;
}

static int remove_dir(const struct group *g, enum controller c)
{
	bool own = false;
	int base = group_base_open(g, c, &own);
	bool scarce = base < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM);
	int r = base >= 0 ? cgroup_remove(base, g->name) : scarce ? remove_by_path(g, c) : -1;
	if (r < 0 && (base >= 0 || scarce) && errno == ENOENT)
		r = 0;
	if (own)
		fd_close(base);
	return r;
}

/* In the reverse order; the first that cannot be removed, with errno, or CONTROLLER_COUNT_. */
static enum controller remove_dirs(struct group *g)
{
	enum controller left = CONTROLLER_COUNT_;
	int errnum = 0;
	for (size_t i = CONTROLLER_COUNT_; i-- > 0;) {
		if (g->dir[order[i]].fd >= 0 && remove_dir(g, order[i]) < 0 &&
			left == CONTROLLER_COUNT_) {
			left = order[i];
			errnum = errno;
		}
	}
	errno = errnum;
	return left;
}

/* What children need of it is there until the last of them is gone. */
static void group_free(struct group *g)
{
	close_fds(g);
	if (--g->users > 0)
		return;
	for (int c = 0; c < CONTROLLER_COUNT_; c++) {
		fd_close(g->dir[c].fd);
		free(g->path[c]);
	}
	group_ladder_close(&g->ladder);
	if (g->parent)
		group_free(g->parent);
	else if (g->host->self_leaf)
		group_self_leave(g->host->base[CONTROLLER_CORE]);
	free(g);
}

/* ---- life ---- */

static int open_all(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	if (!g->parent && g->host->self_leaf &&
		group_self_enter(g->host->base[CONTROLLER_CORE]) < 0) {
		error_set(e, BLAME_HOST, errno, "cannot move into a group of our own below '%s'",
			g->host->base[CONTROLLER_CORE]);
		return group_hint(e, g->host);
	}
	if (make_dirs(g, spec, e) < 0 || (!spec->box && make_entry(g, e) < 0) ||
		g->ops->limit(g, spec, ret_by, e) < 0)
		return -1;
	if (spec->box && g->ops->hold)
		g->ops->hold(g);
	if (!spec->box)
		g->ops->watch(g, spec);
	if (!spec->relimited) /* else group_reset() does it */
		group_snapshot(g);
	return 0;
}

static int open_new(struct group **ret, const struct host_cgroup *host,
	const struct group_spec *spec, enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	enum enforced_by by[LIMIT_COUNT_];
	struct group *g = group_new(host, spec);
	if (g == NULL)
		return error_set(e, BLAME_HOST, ENOMEM, "cannot make control groups");
	memcpy(by, ret_by, sizeof(by));
	if (!group_name_format(g->name, group_owner_self(), spec->id)) {
		error_set(e, BLAME_US, 0, "'%s' cannot name a control group", spec->id);
	} else if (open_all(g, spec, by, e) == 0) {
		memcpy(ret_by, by, sizeof(by));
		*ret = g;
		return 0;
	}
	remove_dirs(g);
	group_free(g);
	return -1;
}

int group_open(struct group **ret, const struct host_cgroup *host, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	struct error why = ERROR_INIT;
	struct group *g = group_cache_take(spec, ret_by);
	if (g != NULL) {
		*ret = g;
		return 0;
	}
	int r = open_new(ret, host, spec, ret_by, &why);
	/* what is kept for later must not be what there is too little of now */
	if (r < 0 && spec->cache && spec->cache->n > 0) {
		why = ERROR_INIT;
		group_cache_clear(spec->cache);
		r = open_new(ret, host, spec, ret_by, &why);
	}
	if (r < 0 && e)
		*e = why;
	return r;
}

const char *group_id(const struct group *g)
{
	struct group_owner owner;
	const char *id;
	return group_name_parse(g->name, &owner, &id) ? id : g->name;
}

const struct group_entry *group_entry(const struct group *g)
{
	return &g->entry;
}

/* ---- the end ---- */

static int say_what_is_left(struct group *g, enum controller left, int errnum, struct error *e)
{
	pid_t pids[8];
	cleanup_buf struct buf list = BUF_INIT;
	ssize_t n = cgroup_procs(g->dir[left].fd, pids, 8);
	for (ssize_t i = 0; i < n; i++)
		buf_printf(&list, "%s%d", i == 0 ? "; processes in it: " : " ", pids[i]);
	return error_set(e, BLAME_HOST, errnum, "cannot remove the control group '%s/%s'%s",
		g->dir[left].base, g->name, buf_str(&list));
}

bool group_discard(struct group *g)
{
	bool gone = remove_dirs(g) == CONTROLLER_COUNT_;
	group_free(g);
	return gone;
}

bool group_try_close(struct group *g, bool last, struct error *e)
{
	if (group_cache_put(g))
		return true;
	if (g->cache)
		group_cache_drop(g->cache, g); /* below a box's own are those of its runs */
	/* Most often it is empty already, and the kernel says so by removing it. */
	enum controller left = remove_dirs(g);
	if (left != CONTROLLER_COUNT_ && !last)
		return false;
	if (left != CONTROLLER_COUNT_)
		say_what_is_left(g, left, errno, e);
	group_free(g);
	return true;
}

int group_close(struct group *g, struct error *e)
{
	struct error left = ERROR_INIT;
	if (group_try_close(g, false, NULL))
		return 0;
	group_wait_empty(group_procs_fd(g), time_monotonic_us() + CLOSE_TIMEOUT_US);
	group_try_close(g, true, &left);
	if (left.blame == BLAME_NONE)
		return 0;
	if (e)
		*e = left;
	return -1;
}
