/* SPDX-License-Identifier: MIT */
#include "run/group.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/time.h"
#include "run/group-backend.h"

#define CLOSE_TIMEOUT_US (2 * US_PER_SEC)
/* What the kernel takes at most: PID_MAX_LIMIT, more of which cannot be anyhow. */
#define PIDS_LIMIT_MAX   4194304
#define CPUS_MILLI_MAX   100000000
#define CPU_QUOTA_MIN_US 1000

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

static struct group *group_new(const struct host_cgroup *host)
{
	struct group *g = calloc(1, sizeof(*g));
	if (g == NULL)
		return NULL;
	g->host = host;
	g->ops = ops_of[host->rung];
	g->entry.into_fd = -1;
	g->oom_fd = g->oom_kill_fd = g->events_fd = -1;
	g->cpu_fd = g->memory_fd = g->pids_fd = -1;
	for (int i = 0; i < 3; i++)
		g->pressure_fd[i] = -1;
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

/* What is worth saying besides the errno, by what the kernel means with it here. */
static int hint(struct error *e, const struct host_cgroup *host)
{
	static const struct {
		int errnum;
		const char *text;
	} hints[] = {
		{EAGAIN,
			"a group above has reached its cgroup.max.descendants or cgroup.max.depth"},
		{EBUSY, "the group holds processes and so cannot have controllers for children"},
		{EINVAL, "a group above it allows less"},
		{ENOSPC, "the kernel has no more memory groups; are dead ones left over?"},
	};
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (e != NULL && e->errnum == hints[i].errnum)
			return error_hint(e, "%s", hints[i].text);
	}
	return host->remedy != NULL ? error_hint(e, "try: %s", host->remedy) : -1;
}

/* The controller whose directory @c is in already, because both are mounted together. */
static enum controller find_shared(const struct group *g, enum controller c)
{
	for (size_t i = 0; i < CONTROLLER_COUNT_; i++) {
		const struct group_dir *made = &g->dir[order[i]];
		if (made->fd >= 0 && strcmp(made->base, g->host->base[c]) == 0)
			return order[i];
	}
	return c;
}

static int make_dir(struct group *g, enum controller c, struct error *e)
{
	const char *base = g->host->base[c];
	struct group_dir *dir = &g->dir[c];
	dir->shared_with = find_shared(g, c);
	if (dir->shared_with != c)
		return 0;
	cleanup_fd int base_fd = cgroup_open(base);
	if (base_fd < 0 || cgroup_make(base_fd, g->name) < 0) {
		error_set(e, BLAME_HOST, errno, "cannot make the control group '%s/%s'", base,
			g->name);
		return hint(e, g->host);
	}
	dir->base = base;
	dir->fd = cgroup_open_at(base_fd, g->name);
	if (dir->fd >= 0)
		return 0;
	error_set(e, BLAME_HOST, errno, "cannot open the control group '%s/%s'", base, g->name);
	cgroup_remove(base_fd, g->name);
	return -1;
}

static int make_dirs(struct group *g, const struct group_spec *spec, struct error *e)
{
	unsigned needs = g->ops->needs(g->host, spec);
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
	return 0;
}

int group_write_limit(struct group *g, const struct group_spec *spec, const struct group_write *w,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	int fd = group_fd(g, w->controller);
	if (fd < 0)
		return 0;
	int r = cgroup_write(fd, w->file, w->text);
	if (r < 0 && errno == ENOENT && g->ops->enable != NULL &&
		g->ops->enable(g, w->controller) == 0)
		r = cgroup_write(fd, w->file, w->text);
	if (r == 0) {
		ret_by[w->limit] = g->ops->by;
		return 0;
	}
	if (spec->limits->v[w->limit].origin != ORIGIN_ASKED)
		return 0;
	error_set(e, BLAME_HOST, errno, "cannot write '%s' to '%s/%s/%s'", w->text,
		g->host->base[w->controller], g->name, w->file);
	return hint(e, g->host);
}

int group_limit_pids(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	char text[24];
	const struct limit_value *pids = &spec->limits->v[LIMIT_PIDS];
	if (!pids->set)
		return 0;
	uint64_t value = pids->value < PIDS_LIMIT_MAX ? pids->value : PIDS_LIMIT_MAX;
	snprintf(text, sizeof(text), "%" PRIu64, value);
	struct group_write w = {CONTROLLER_PIDS, LIMIT_PIDS, "pids.max", text};
	return group_write_limit(g, spec, &w, ret_by, e);
}

uint64_t group_cpu_quota_us(const struct limit_value *cpus, uint64_t period_us)
{
	uint64_t milli = cpus->value < CPUS_MILLI_MAX ? cpus->value : CPUS_MILLI_MAX;
	uint64_t quota = milli * period_us / 1000;
	return quota > CPU_QUOTA_MIN_US ? quota : CPU_QUOTA_MIN_US;
}

bool group_host_has_no_swap(void)
{
	char text[CGROUP_TEXT_SIZE];
	if (file_read_text(AT_FDCWD, "/proc/swaps", text, sizeof(text)) < 0)
		return false;
	const char *newline = strchr(text, '\n');
	return newline == NULL || newline[1] == '\0';
}

/* ---- unmaking ---- */

static void close_fds(struct group *g)
{
	for (unsigned i = 0; i < g->entry.n_tasks; i++)
		fd_close(g->entry.tasks[i]);
	g->entry.n_tasks = 0;
	g->entry.into_fd = -1;
	g->oom_fd = fd_close(g->oom_fd);
	g->oom_kill_fd = fd_close(g->oom_kill_fd);
	g->events_fd = fd_close(g->events_fd);
	g->cpu_fd = fd_close(g->cpu_fd);
	g->memory_fd = fd_close(g->memory_fd);
	g->pids_fd = fd_close(g->pids_fd);
	for (int i = 0; i < 3; i++)
		g->pressure_fd[i] = fd_close(g->pressure_fd[i]);
}

static int remove_dir(const struct group_dir *dir, const char *name)
{
	cleanup_fd int base = cgroup_open(dir->base);
	if (base < 0)
		return -1;
	return cgroup_remove(base, name) < 0 && errno != ENOENT ? -1 : 0;
}

/* In the reverse order; the first that cannot be removed, with errno, or CONTROLLER_COUNT_. */
static enum controller remove_dirs(struct group *g)
{
	enum controller left = CONTROLLER_COUNT_;
	int errnum = 0;
	for (size_t i = CONTROLLER_COUNT_; i-- > 0;) {
		struct group_dir *dir = &g->dir[order[i]];
		if (dir->fd >= 0 && remove_dir(dir, g->name) < 0 && left == CONTROLLER_COUNT_) {
			left = order[i];
			errnum = errno;
		}
	}
	errno = errnum;
	return left;
}

static void group_free(struct group *g)
{
	close_fds(g);
	for (int c = 0; c < CONTROLLER_COUNT_; c++)
		fd_close(g->dir[c].fd);
	if (g->host->self_leaf)
		group_self_leave(g->host->base[CONTROLLER_CORE]);
	free(g);
}

/* ---- life ---- */

static int open_all(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	if (g->host->self_leaf && group_self_enter(g->host->base[CONTROLLER_CORE]) < 0) {
		error_set(e, BLAME_HOST, errno, "cannot move into a group of our own below '%s'",
			g->host->base[CONTROLLER_CORE]);
		return hint(e, g->host);
	}
	if (make_dirs(g, spec, e) < 0 || make_entry(g, e) < 0 ||
		g->ops->limit(g, spec, ret_by, e) < 0)
		return -1;
	g->ops->watch(g, spec);
	group_snapshot(g);
	return 0;
}

int group_open(struct group **ret, const struct host_cgroup *host, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	enum enforced_by by[LIMIT_COUNT_];
	struct group *g = group_new(host);
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

bool group_try_close(struct group *g, bool last, struct error *e)
{
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
