/* SPDX-License-Identifier: MIT */
#include "run/host-cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "kernel/probe.h"
#include "run/group-backend.h"

#define TOP                   "/sys/fs/cgroup"
#define MEMBERSHIP_SIZE       16384
#define MOUNTINFO_MAX         (1 << 20)
#define MAX_LEVELS            64

#define VERSION(major, minor) ((major) << 16 | (minor))

/* As v1 calls them; CORE has no v1 controller. */
static const char *const v1_names[CONTROLLER_COUNT_] = {
	[CONTROLLER_MEMORY] = "memory",
	[CONTROLLER_PIDS] = "pids",
	[CONTROLLER_CPU] = "cpu",
	[CONTROLLER_CPUACCT] = "cpuacct",
	[CONTROLLER_IO] = "blkio",
	[CONTROLLER_CORE] = NULL,
};

/* ---- membership ---- */

/* "…/.." at the start: outside of our namespace. " (deleted)" at the end: removed. */
static bool is_usable_path(const char *path)
{
	static const char deleted[] = " (deleted)";
	size_t size = strlen(path), n = strlen(deleted);
	if (path[0] != '/' || strncmp(path, "/..", 3) == 0)
		return false;
	return size < n || strcmp(path + size - n, deleted) != 0;
}

/* True if @controllers (up to @size, comma-separated) has @controller; v2's list is empty. */
static bool lists_controller(const char *controllers, size_t size, const char *controller)
{
	if (controller == NULL)
		return size == 0;
	size_t n = strlen(controller);
	const char *end = controllers + size;
	for (const char *p = controllers; p < end;) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t word = (size_t)((comma != NULL ? comma : end) - p);
		if (word == n && memcmp(p, controller, n) == 0)
			return true;
		p += word + 1;
	}
	return false;
}

/* A line is ID:CONTROLLERS:PATH; the path may have colons, but the kernel allows no newline. */
char *cgroup_membership(const char *text, const char *controller, struct arena *a)
{
	for (const char *line = text; *line != '\0';) {
		size_t size = strcspn(line, "\n");
		const char *first = memchr(line, ':', size);
		const char *second = first == NULL
			? NULL
			: memchr(first + 1, ':', size - (size_t)(first + 1 - line));
		if (second != NULL &&
			lists_controller(first + 1, (size_t)(second - first - 1), controller)) {
			size_t start = (size_t)(second + 1 - line);
			char *path = arena_strndup(a, second + 1, size - start);
			return is_usable_path(path) ? path : NULL;
		}
		line += size + (line[size] == '\n');
	}
	return NULL;
}

char *cgroup_directory(const struct cgroup_mount *mount, const char *path, struct arena *a)
{
	if (mount->path == NULL || path == NULL)
		return NULL;
	if (strcmp(mount->root, "/") != 0) {
		size_t n = strlen(mount->root);
		if (strncmp(path, mount->root, n) != 0 || (path[n] != '/' && path[n] != '\0'))
			return NULL;
		path += n;
	}
	return strcmp(path, "/") == 0 || *path == '\0' ? arena_strdup(a, mount->path)
						       : arena_printf(a, "%s%s", mount->path, path);
}

/* ---- layout ---- */

/* \040 and its like in mountinfo. */
static char *unescape(struct arena *a, const char *s, size_t size)
{
	char *out = arena_alloc(a, size + 1), *p = out;
	for (size_t i = 0; i < size; i++) {
		const char *d = s + i + 1;
		if (s[i] == '\\' && i + 3 < size && d[0] >= '0' && d[0] <= '3' && d[1] >= '0' &&
			d[1] <= '7' && d[2] >= '0' && d[2] <= '7') {
			*p++ = (char)((d[0] - '0') << 6 | (d[1] - '0') << 3 | (d[2] - '0'));
			i += 3;
		} else {
			*p++ = s[i];
		}
	}
	return out;
}

#define MAX_FIELDS 64

struct fields {
	const char *at[MAX_FIELDS];
	size_t size[MAX_FIELDS];
	unsigned n;
};

static void split(struct fields *f, const char *line, size_t size)
{
	const char *end = line + size;
	for (f->n = 0; line < end && f->n < MAX_FIELDS; f->n++) {
		const char *blank = memchr(line, ' ', (size_t)(end - line));
		f->at[f->n] = line;
		f->size[f->n] = (size_t)((blank != NULL ? blank : end) - line);
		line += f->size[f->n] + 1;
	}
}

static bool field_is(const struct fields *f, unsigned i, const char *s)
{
	return i < f->n && f->size[i] == strlen(s) && memcmp(f->at[i], s, f->size[i]) == 0;
}

/* id parent dev ROOT PATH options… - TYPE source SUPER: the v1 controllers are among SUPER. */
static void parse_line(struct cgroup_layout *layout, const char *line, size_t size, struct arena *a)
{
	enum { ROOT = 3, PATH = 4, OPTIONAL = 6, TYPE = 1, SUPER = 3 };
	struct fields f;
	split(&f, line, size);
	unsigned dash = OPTIONAL;
	while (dash < f.n && !field_is(&f, dash, "-"))
		dash++;
	bool v2 = field_is(&f, dash + TYPE, "cgroup2");
	if ((!v2 && !field_is(&f, dash + TYPE, "cgroup")) || dash + SUPER >= f.n)
		return;
	for (int c = 0; c < CONTROLLER_COUNT_; c++) {
		struct cgroup_mount *m = &layout->mount[c];
		bool here = v2 ? c == CONTROLLER_CORE
			       : v1_names[c] != NULL &&
				lists_controller(
					f.at[dash + SUPER], f.size[dash + SUPER], v1_names[c]);
		if (!here || m->path != NULL)
			continue;
		*m = (struct cgroup_mount){.path = unescape(a, f.at[PATH], f.size[PATH]),
			.root = unescape(a, f.at[ROOT], f.size[ROOT]),
			.v2 = v2};
	}
}

void cgroup_layout_parse(struct cgroup_layout *ret, const char *text, struct arena *a)
{
	*ret = (struct cgroup_layout){0};
	while (*text != '\0') {
		size_t size = strcspn(text, "\n");
		parse_line(ret, text, size, a);
		text += size + (text[size] == '\n');
	}
}

static long magic(const char *path)
{
	struct statfs st;
	return statfs(path, &st) == 0 ? (long)st.f_type : 0;
}

/* The usual places: nearly every host has one of two layouts. */
static bool standard_layout(struct cgroup_layout *l, struct arena *a)
{
	long top = magic(TOP);
	if (top == CGROUP2_SUPER_MAGIC) {
		l->mount[CONTROLLER_CORE] = (struct cgroup_mount){TOP, "/", true};
		return true;
	}
	if (top != TMPFS_MAGIC)
		return false;
	for (int c = 0; c < CONTROLLER_COUNT_; c++) {
		const char *name = c == CONTROLLER_CORE ? "unified" : v1_names[c];
		const char *path = arena_printf(a, TOP "/%s", name);
		long wanted = c == CONTROLLER_CORE ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC;
		if (magic(path) == wanted)
			l->mount[c] = (struct cgroup_mount){path, "/", c == CONTROLLER_CORE};
	}
	return l->mount[CONTROLLER_MEMORY].path != NULL;
}

static void unusual_layout(struct cgroup_layout *l, struct arena *a)
{
	char chunk[4096];
	ssize_t n;
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_fd int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && text.size < MOUNTINFO_MAX && (n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(&text, chunk, (size_t)n);
	cgroup_layout_parse(l, buf_str(&text), a);
	for (int c = 0; c < CONTROLLER_COUNT_; c++) {
		struct cgroup_mount *m = &l->mount[c];
		/* Another mount may lie over it. */
		if (m->path != NULL &&
			magic(m->path) != (m->v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))
			*m = (struct cgroup_mount){0};
	}
}

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
	const char *controller = m->v2 ? NULL : v1_names[c];
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
			note(s, OBSTACLE_NOT_MOUNTED, arena_printf(s->a, TOP "/%s", v1_names[c]));
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

void host_probe_cgroup(
	struct host_cgroup *ret, struct arena *a, const struct host *host, bool words)
{
	struct search s = {.a = a, .host = host, .c = ret};
	*ret = (struct host_cgroup){.rung = RUNG_NONE};
	bool standard = standard_layout(&s.layout, a);
	if (standard)
		find(&s);
	/* Not there, or it is not our own group that is there (a bind mount in a container). */
	if (!standard || s.finding.obstacle == OBSTACLE_NOT_VISIBLE) {
		*ret = (struct host_cgroup){.rung = RUNG_NONE};
		s.finding = (struct cgroup_finding){.obstacle = OBSTACLE_NONE};
		unusual_layout(&s.layout, a);
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
