/* SPDX-License-Identifier: MIT */
#include "run/host-cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "kernel/probe.h"
#include "run/group-backend.h"

#define TOP                   "/sys/fs/cgroup"
#define MEMBERSHIP_SIZE       16384
#define MOUNTINFO_MAX         (1 << 20)
#define MAX_LEVELS            64

#define VERSION(major, minor) ((major) << 16 | (minor))

/* ---- bases ---- */

struct search {
	struct arena *a;
	const struct host *host;
	struct host_cgroup *c;
	struct cgroup_finding finding;
	struct cgroup_layout layout;
	char membership[MEMBERSHIP_SIZE];
};

/* The first obstacle is the nearest one, and so the one to be told. */
static void note(struct search *s, enum cgroup_obstacle obstacle, const char *where)
{
	if (s->finding.obstacle != OBSTACLE_NONE)
		return;
	s->finding.obstacle = obstacle;
	s->finding.where = where;
}

static enum cgroup_obstacle obstacle_of(int errnum)
{
	return errnum == EROFS     ? OBSTACLE_READ_ONLY
		: errnum == ENOENT ? OBSTACLE_NOT_VISIBLE
				   : OBSTACLE_PERMISSION;
}

static char *own_directory(struct search *s, int c)
{
	const struct cgroup_mount *m = &s->layout.mount[c];
	const char *controller = m->v2 ? NULL : cgroup_v1_name[c];
	char *dir = cgroup_directory(m, cgroup_membership(s->membership, controller, s->a), s->a);
	if (dir != NULL)
		strv_push(s->a, &s->finding.own, dir);
	return dir;
}

/* v1, and the v2 tree of a hybrid: groups go below our own, wherever that may be written. */
static void find_below_own(struct search *s, int c)
{
	if (s->layout.mount[c].path == NULL) {
		if (c == CONTROLLER_MEMORY || c == CONTROLLER_PIDS)
			note(s, OBSTACLE_NOT_MOUNTED,
				arena_printf(s->a, TOP "/%s", cgroup_v1_name[c]));
		return;
	}
	char *dir = own_directory(s, c);
	if (dir == NULL)
		note(s, OBSTACLE_NOT_VISIBLE, s->layout.mount[c].path);
	else if (faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS) < 0)
		note(s, obstacle_of(errno), dir);
	else
		s->c->base[c] = dir;
}

static void find_hybrid(struct search *s)
{
	/* Not io: group-v1.c has no use for it. */
	for (int c = 0; c < CONTROLLER_COUNT_; c++) {
		if (c != CONTROLLER_IO)
			find_below_own(s, c);
	}
	s->c->rung = RUNG_NONE;
	for (int c = 0; c < CONTROLLER_COUNT_; c++) {
		if (s->c->base[c] != NULL)
			s->c->rung = RUNG_HYBRID;
	}
	if (s->c->rung == RUNG_HYBRID)
		note(s, OBSTACLE_V1, s->layout.mount[CONTROLLER_MEMORY].path);
	int memory =
		s->c->base[CONTROLLER_MEMORY] ? cgroup_open(s->c->base[CONTROLLER_MEMORY]) : -1;
	s->c->has_swap = memory >= 0 && cgroup_has_file(memory, "memory.memsw.limit_in_bytes");
	fd_close(memory);
}

/* Everything that making groups in @group, and born into them from our own, writes to. */
static int may_write(int group)
{
	static const char *const files[] = {"cgroup.procs", "cgroup.subtree_control"};
	if (faccessat(group, ".", W_OK, AT_EACCESS) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (faccessat(group, files[i], W_OK, AT_EACCESS) < 0)
			return -1;
	}
	return 0;
}

static bool holds_only_us(int group)
{
	pid_t pids[2];
	return cgroup_procs(group, pids, 2) == 1 && pids[0] == getpid();
}

static void take_base(struct search *s, const char *dir, const char *controllers)
{
	struct host_cgroup *c = s->c;
	c->rung = s->host->uid == 0 ? RUNG_V2 : RUNG_DELEGATED;
	c->base[CONTROLLER_MEMORY] = c->base[CONTROLLER_PIDS] = c->base[CONTROLLER_CORE] = dir;
	if (cgroup_text_has_word(controllers, "cpu"))
		c->base[CONTROLLER_CPU] = dir;
	if (cgroup_text_has_word(controllers, "io"))
		c->base[CONTROLLER_IO] = dir;
}

/*
 * May runs' groups be made in @dir? The real root (the only group without cgroup.type) may hold
 * processes beside children with controllers; any other one may not.
 */
static bool try_base(struct search *s, const char *dir, bool *ret_busy)
{
	char controllers[CGROUP_TEXT_SIZE];
	cleanup_fd int group = cgroup_open(dir);
	if (group < 0 || may_write(group) < 0) {
		note(s, obstacle_of(errno), dir);
		return false;
	}
	if (cgroup_read(group, "cgroup.controllers", controllers, sizeof(controllers)) < 0 ||
		!cgroup_text_has_word(controllers, "memory") ||
		!cgroup_text_has_word(controllers, "pids")) {
		note(s, OBSTACLE_NO_CONTROLLERS, dir);
		return false;
	}
	if (cgroup_has_file(group, "cgroup.type") && cgroup_has_procs(group) != 0) {
		*ret_busy = true;
		return false;
	}
	take_base(s, dir, controllers);
	return true;
}

/* The group that has only us in it would do too, once we have stepped aside. */
static void take_own(struct search *s, const char *dir)
{
	char controllers[CGROUP_TEXT_SIZE];
	cleanup_fd int group = cgroup_open(dir);
	s->finding.obstacle = OBSTACLE_NONE;
	if (group < 0 || !holds_only_us(group) ||
		cgroup_read(group, "cgroup.controllers", controllers, sizeof(controllers)) < 0) {
		note(s, OBSTACLE_PROCESSES, dir);
		return;
	}
	take_base(s, dir, controllers);
	s->c->self_leaf = true;
}

static bool go_up(char *dir, const char *top)
{
	char *slash = strrchr(dir, '/');
	if (strcmp(dir, top) == 0 || slash == NULL || slash == dir)
		return false;
	*slash = '\0';
	return true;
}

static void find_v2(struct search *s)
{
	const char *top = s->layout.mount[CONTROLLER_CORE].path;
	char *own = own_directory(s, CONTROLLER_CORE);
	bool own_busy = false;
	s->c->rung = RUNG_NONE;
	if (own == NULL) {
		note(s, OBSTACLE_NOT_VISIBLE, top);
		return;
	}
	char *dir = arena_strdup(s->a, own);
	for (int level = 0; level < MAX_LEVELS; level++) {
		bool busy = false;
		if (try_base(s, dir, &busy)) {
			s->finding.obstacle = OBSTACLE_NONE;
			return;
		}
		if (level == 0)
			own_busy = busy;
		if (!go_up(dir, top))
			break;
	}
	if (own_busy)
		take_own(s, own);
	else
		note(s, OBSTACLE_PROCESSES, own);
}

/* ---- what the files can do ---- */

/* By version: the root group has none of these files, and others may not be there yet to look at. */
static void learn_features(struct host_cgroup *c, const struct host *host)
{
	unsigned v = host->kernel_version;
	bool core = c->base[CONTROLLER_CORE] != NULL;
	bool v2 = c->rung == RUNG_V2 || c->rung == RUNG_DELEGATED;
	c->has_kill = core && v >= VERSION(5, 14);
	c->has_freeze = core && v >= VERSION(5, 2);
	c->has_pressure = core && v >= VERSION(4, 20) && access("/proc/pressure/cpu", F_OK) == 0;
	c->has_memory_peak = v2 ? v >= VERSION(5, 19) : c->base[CONTROLLER_MEMORY] != NULL;
	c->has_pids_peak = c->base[CONTROLLER_PIDS] != NULL && v >= VERSION(6, 1);
	c->has_oom_group = v2 && v >= VERSION(4, 19);
}

/* Swap is limited where the kernel counts it, and where there is none to be used. */
static void learn_swap(struct search *s)
{
	bool v2 = s->c->rung == RUNG_V2 || s->c->rung == RUNG_DELEGATED;
	if (v2 && s->finding.own.n > 0) {
		cleanup_fd int own = cgroup_open(s->finding.own.v[0]);
		/* Where our own group has no memory controller its file says nothing. */
		s->c->has_swap = own >= 0 &&
			(!cgroup_has_file(own, "memory.max") ||
				cgroup_has_file(own, "memory.swap.max"));
	}
	if (!s->c->has_swap)
		s->c->has_swap = group_host_has_no_swap();
}

/* A user's service manager can give what this user may not take. */
static bool has_systemd_user(const struct host *host, struct arena *a)
{
	return access(arena_printf(a, "/run/user/%u/systemd/private", host->uid), F_OK) == 0;
}

static bool is_pure_v2(const struct cgroup_layout *l)
{
	return l->mount[CONTROLLER_CORE].path != NULL && l->mount[CONTROLLER_MEMORY].path == NULL &&
		l->mount[CONTROLLER_PIDS].path == NULL;
}

static void find(struct search *s)
{
	if (file_read_text(AT_FDCWD, "/proc/self/cgroup", s->membership, sizeof(s->membership)) <=
		0)
		s->membership[0] = '\0';
	if (!is_pure_v2(&s->layout))
		find_hybrid(s);
	else if (s->host->clone_into_cgroup)
		find_v2(s);
	else
		note(s, OBSTACLE_KERNEL, s->host->kernel);
}

/* What a remount takes: a mount point, which our own group is not as a rule. */
static const char *find_mount(const struct search *s)
{
	for (int c = 0; s->finding.where && c < CONTROLLER_COUNT_; c++) {
		const char *mount = s->layout.mount[c].path;
		if (mount && path_is_below(s->finding.where, mount))
			return mount;
	}
	return NULL;
}

void host_probe_cgroup(
	struct host_cgroup *ret, struct arena *a, const struct host *host, bool words)
{
	struct search s = {.a = a, .host = host, .c = ret};
	*ret = (struct host_cgroup){.rung = RUNG_NONE};
	bool standard = cgroup_layout_standard(&s.layout, a);
	if (standard)
		find(&s);
	/* Not there, or it is not our own group that is there (a bind mount in a container). */
	if (!standard || s.finding.obstacle == OBSTACLE_NOT_VISIBLE) {
		*ret = (struct host_cgroup){.rung = RUNG_NONE};
		s.finding = (struct cgroup_finding){.obstacle = OBSTACLE_NONE};
		cgroup_layout_unusual(&s.layout, a);
		if (s.layout.mount[CONTROLLER_CORE].path == NULL &&
			s.layout.mount[CONTROLLER_MEMORY].path == NULL)
			note(&s, OBSTACLE_NOT_MOUNTED, TOP);
		else
			find(&s);
	}
	learn_features(ret, host);
	learn_swap(&s);
	if (!words && ret->base[CONTROLLER_MEMORY] != NULL && ret->base[CONTROLLER_PIDS] != NULL)
		return;
	s.finding.mount = find_mount(&s);
	s.finding.uid = host->uid;
	s.finding.pure_v2 = is_pure_v2(&s.layout);
	s.finding.container = host->in_container;
	s.finding.systemd_user = has_systemd_user(host, a);
	host_explain_cgroup(ret, a, &s.finding);
}

/* ---- trying ---- */

static const struct limits trial_limits = {
	.v =
		{
			[LIMIT_MEMORY] = {true, ORIGIN_ASKED, 64 << 20},
			[LIMIT_SWAP] = {true, ORIGIN_DEFAULT, 0},
			[LIMIT_PIDS] = {true, ORIGIN_ASKED, 16},
			[LIMIT_CPUS] = {true, ORIGIN_DEFAULT, 100},
		},
};

static int try_group(
	const struct host_cgroup *c, enum enforced_by by[LIMIT_COUNT_], struct error *e)
{
	struct group *g;
	struct error closing = ERROR_INIT;
	const struct group_spec spec = {.id = "trial", .limits = &trial_limits, .oom_group = true};
	if (group_open(&g, c, &spec, by, e) < 0)
		return -1;
	const struct group_entry *entry = group_entry(g);
	int errnum = probe_enter_cgroup(entry->into_fd, entry->tasks, entry->n_tasks);
	if (errnum != 0)
		error_set(e, BLAME_HOST, errnum, "a process cannot enter a new control group");
	group_kill(g);
	if (group_close(g, &closing) < 0 && errnum == 0)
		*e = closing;
	return e->blame == BLAME_NONE ? 0 : -1;
}

void host_try_cgroup(struct host_cgroup *c, struct arena *a)
{
	struct error e = ERROR_INIT;
	enum enforced_by by[LIMIT_COUNT_] = {ENFORCED_NONE};
	if (c->rung == RUNG_NONE)
		return;
	if (try_group(c, by, &e) < 0) {
		const char *remedy = c->remedy;
		*c = (struct host_cgroup){.rung = RUNG_NONE,
			.remedy = remedy,
			.why_not_better = arena_strdup(a, e.text)};
		return;
	}
	if (by[LIMIT_CPUS] == ENFORCED_NONE)
		c->base[CONTROLLER_CPU] = NULL;
	c->has_swap = by[LIMIT_SWAP] != ENFORCED_NONE;
}
