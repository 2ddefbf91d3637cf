/* SPDX-License-Identifier: MIT */
#include "run/resolve.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "kernel/mount.h"
#include "run/lookup.h"

#define MAX_PATHS 256

struct resolver {
	struct resolved *r;
	const struct policy *policy;
	const struct host *host;
	struct arena *a;
	struct lookup lookup;
	struct error *e;
};

static int too_many(struct resolver *x)
{
	return error_set(x->e, BLAME_REQUEST, 0,
		"too many paths: a run takes at most %d of one kind", MAX_PATHS);
}

static int add(struct resolver *x, struct resolved_list *list, struct resolved_path path)
{
	if (!list->v)
		list->v = arena_calloc(x->a, MAX_PATHS, sizeof(*list->v));
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i].dest, path.dest) == 0 &&
			strcmp(list->v[i].source, path.source) == 0)
			return 0;
	if (list->n == MAX_PATHS)
		return too_many(x);
	list->v[list->n++] = path;
	return 0;
}

/*
 * Absolute, "~" expanded, without "." and "..": as text. From the run's working directory; what is
 * needed to find that, from the caller's.
 */
static const char *absolute(struct resolver *x, const char *path)
{
	const char *base = x->r->cwd ? x->r->cwd : x->host->cwd ? x->host->cwd : "/";
	if (x->host->home)
		path = path_expand_home(x->a, x->host->home, path);
	return path_normalize(x->a, base, path);
}

static const char *real_path(struct resolver *x, const char *path)
{
	char buf[PATH_MAX];
	return realpath(path, buf) ? arena_strdup(x->a, buf) : NULL;
}

/* ---- what the policy names ---- */

static bool is_below_any(const char *path, const char *const *dirs)
{
	for (; *dirs; dirs++)
		if (path_is_below(path, *dirs))
			return true;
	return false;
}

static bool is_any(const char *path, const char *const *dirs)
{
	for (; *dirs; dirs++)
		if (strcmp(path, *dirs) == 0)
			return true;
	return false;
}

static int refuse_destination(struct resolver *x, const char *dest)
{
	static const char *const ours[] = {"/", "/dev", "/proc", NULL};
	if (path_is_below(dest, PLAN_EMPTY_PLACE)) /* what hides things comes from there */
		return error_set(x->e, BLAME_REQUEST, 0, "'%s' is of the box's own making", dest);
	if (path_is_below(dest, "/proc") && strcmp(dest, "/proc") != 0)
		return error_set(x->e, BLAME_REQUEST, 0,
			"'%s' cannot be given to a box, which has a /proc of its own", dest);
	if (!is_any(dest, ours))
		return 0;
	error_set(x->e, BLAME_REQUEST, 0, "'%s' cannot be given to a box as it is", dest);
	return error_hint(x->e, "name the directories below it that are needed");
}

static int add_bind(struct resolver *x, struct resolved_list *list, const struct bind_rule *rule)
{
	struct stat st;
	const char *text = absolute(x, rule->source);
	const char *source = real_path(x, text);
	if (!source || stat(source, &st) < 0) {
		if (rule->optional)
			return 0;
		return error_set(x->e, BLAME_REQUEST, errno, "cannot use '%s' in the box", text);
	}
	const char *dest = rule->dest ? absolute(x, rule->dest) : x->r->root ? source : text;
	if (refuse_destination(x, dest) < 0)
		return -1;
	return add(x, list,
		(struct resolved_path){.source = source,
			.dest = dest,
			.is_dir = S_ISDIR(st.st_mode),
			.idmappable = !rule->optional});
}

static int add_binds(struct resolver *x, struct resolved_list *list, const struct bind_list *rules)
{
	for (size_t i = 0; i < rules->n; i++)
		if (add_bind(x, list, &rules->v[i]) < 0)
			return -1;
	return 0;
}

/* ---- hidden paths ---- */

static bool has_foreign_root(const struct resolver *x)
{
	return x->r->root && strcmp(x->r->root, "/") != 0;
}

/* As the box sees it: links of a foreign root stay in there, and the names are the box's own. */
static bool find_in_root(struct resolver *x, const char *path, struct lookup_answer *ret)
{
	struct stat st;
	cleanup_fd int root = open(x->r->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int fd = root < 0 ? -1 : mount_point(root, path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	*ret = (struct lookup_answer){.real = path, .is_dir = S_ISDIR(st.st_mode)};
	return true;
}

static bool is_hidden_at(const struct resolved_list *hide, const char *dest)
{
	for (size_t i = 0; i < hide->n; i++)
		if (strcmp(hide->v[i].dest, dest) == 0)
			return true;
	return false;
}

static int add_hide(struct resolver *x, const char *real, const char *dest, bool is_dir)
{
	if (is_hidden_at(&x->r->hide, dest))
		return 0;
	return add(x, &x->r->hide,
		(struct resolved_path){.source = real, .dest = dest, .is_dir = is_dir});
}

/*
 * By its real name, for that is what is mounted on: /var/run is /run. In a root that is put
 * together from pieces it may be there under the name that was given as well, or only.
 */
static int hide_one(struct resolver *x, const char *path)
{
	struct lookup_answer at;
	/* every root has a procfs like the host's */
	bool foreign = has_foreign_root(x) && !path_is_below(path, "/proc");
	if (!(foreign ? find_in_root(x, path, &at) : lookup(&x->lookup, path, &at)))
		return 0;
	if (add_hide(x, at.real, at.real, at.is_dir) < 0)
		return -1;
	return x->r->root ? 0 : add_hide(x, at.real, path, at.is_dir);
}

static bool matches(const char *name, const char *pattern)
{
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		policy_name_matches(pattern, name);
}

/* "DIR/PATTERN" with '*' at the start or end of its last word. */
static int hide_pattern(struct resolver *x, const char *path)
{
	const char *pattern = path_base(path);
	const char *dir =
		path_normalize(x->a, arena_strndup(x->a, path, (size_t)(pattern - path)), ".");
	DIR *d = opendir(has_foreign_root(x) ? path_join(x->a, x->r->root, dir + 1) : dir);
	int r = 0;
	for (struct dirent *entry; r == 0 && d && (entry = readdir(d));)
		if (matches(entry->d_name, pattern))
			r = hide_one(x, path_join(x->a, dir, entry->d_name));
	if (d)
		closedir(d);
	return r;
}

static int add_hidden(struct resolver *x)
{
	for (size_t i = 0; i < x->policy->filesystem.hide.n; i++) {
		const char *path = absolute(x, x->policy->filesystem.hide.v[i]);
		if (strcmp(path, "/") == 0)
			return error_set(x->e, BLAME_REQUEST, 0, "'/' cannot be hidden");
		int r = strchr(path_base(path), '*') ? hide_pattern(x, path) : hide_one(x, path);
		if (r < 0)
			return -1;
	}
	return 0;
}

/* What is hidden stays hidden where a directory above it is shown under another name. */
static int hide_renamed(struct resolver *x, const struct resolved_list *binds)
{
	size_t n = x->r->hide.n;
	for (size_t i = 0; i < binds->n; i++) {
		const struct resolved_path *bind = &binds->v[i];
		for (size_t j = 0; j < n && strcmp(bind->source, bind->dest) != 0; j++) {
			const struct resolved_path *h = &x->r->hide.v[j];
			const char *rest = h->source + strlen(bind->source);
			if (strcmp(h->source, bind->source) == 0 ||
				!path_is_below(h->source, bind->source))
				continue;
			if (add_hide(x, h->source, path_join(x->a, bind->dest, rest), h->is_dir) <
				0)
				return -1;
		}
	}
	return 0;
}

/*
 * Directories on the way to what is mounted, which a user of another uid may not pass through:
 * hidden, so that an empty one of the box's own takes their place.
 */
static int hide_impassable(struct resolver *x, const struct resolved_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *dest = list->v[i].dest;
		for (const char *p = dest + 1; (p = strchr(p, '/')); p++) {
			struct stat st;
			const char *dir = arena_strndup(x->a, dest, (size_t)(p - dest));
			if (stat(dir, &st) == 0 && !(st.st_mode & S_IXOTH) && hide_one(x, dir) < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- the working directory ---- */

/*
 * Where a writable working directory would be the host itself, or a directory that everybody
 * shares, it is not made writable: that takes an explicit --write.
 */
static const char *why_not_writable(struct resolver *x, const char *cwd)
{
	static const char *const system[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
		"/usr", "/etc", "/boot", "/proc", "/sys", NULL};
	static const char *const exact[] = {
		"/", "/dev", "/var", "/home", "/run", "/opt", "/srv", "/mnt", "/media", NULL};
	if (is_below_any(cwd, system) || is_any(cwd, exact))
		return "it belongs to the system";
	for (size_t i = 0; i < x->r->tmpfs.n; i++)
		if (strcmp(cwd, x->r->tmpfs.v[i].dest) == 0)
			return "the box has a private one in its place";
	return NULL;
}

static int find_cwd(struct resolver *x)
{
	const char *workdir = x->policy->filesystem.workdir;
	if (!x->host->cwd) {
		if (workdir && workdir[0] == '/') {
			x->r->cwd = path_normalize(x->a, "/", workdir);
			return 0;
		}
		error_set(x->e, BLAME_REQUEST, 0, "the working directory has been removed");
		return error_hint(x->e, "cd to one that exists, or name one with --workdir");
	}
	x->r->cwd = x->host->cwd;
	if (workdir)
		x->r->cwd = absolute(x, workdir);
	return 0;
}

static bool is_dest_of(const struct resolved_list *list, const char *path)
{
	for (size_t i = 0; i < list->n; i++)
		if (path_is_below(path, list->v[i].dest))
			return true;
	return false;
}

static int refuse_cwd(struct resolver *x, int errnum)
{
	for (size_t i = 0; i < x->r->tmpfs.n; i++)
		if (path_is_below(x->r->cwd, x->r->tmpfs.v[i].dest))
			return 0;
	return error_set(
		x->e, BLAME_REQUEST, errnum, "cannot use working directory '%s'", x->r->cwd);
}

static void note_cwd(struct resolver *x, const char *what, const char *why)
{
	strv_push(x->a, &x->r->notes,
		arena_printf(x->a, "the working directory '%s' is %s in the box: %s", x->r->cwd,
			what, why));
}

/*
 * Show the working directory in the box, writable or not, unless something is mounted there. What
 * it may be is judged by where links lead: they may be of the run's own making.
 */
static int add_cwd(struct resolver *x)
{
	struct stat st;
	bool explicit = is_dest_of(&x->r->write, x->r->cwd) || is_dest_of(&x->r->read, x->r->cwd);
	const char *workdir = x->policy->filesystem.workdir;
	bool foreign_root = !x->r->root || has_foreign_root(x);
	if (explicit || (workdir && foreign_root))
		return 0;
	const char *real = real_path(x, x->r->cwd);
	if (!real || stat(real, &st) < 0)
		return refuse_cwd(x, errno);
	if (!S_ISDIR(st.st_mode))
		return refuse_cwd(x, ENOTDIR);
	x->r->cwd = real;
	const char *why_not = why_not_writable(x, real);
	if (x->policy->filesystem.cwd == CWD_WRITE && why_not)
		note_cwd(x, "not writable", why_not);
	x->r->cwd_writable = x->policy->filesystem.cwd == CWD_WRITE && !why_not;
	if (why_not)
		return 0;
	struct bind_rule rule = {.source = real};
	return add_bind(x, x->r->cwd_writable ? &x->r->write : &x->r->read, &rule);
}

/* To be in a directory does not uncover it. */
static void check_cwd_is_seen(struct resolver *x)
{
	if (!is_hidden_at(&x->r->hide, x->r->cwd))
		return;
	x->r->cwd_writable = false;
	note_cwd(x, "empty", "the policy hides it");
}

/* ---- the rest ---- */

static int find_root(struct resolver *x)
{
	struct stat st;
	const char *root = x->policy->filesystem.root;
	if (!root) {
		x->r->root = NULL;
		return 0;
	}
	x->r->root = real_path(x, absolute(x, root));
	if (!x->r->root || stat(x->r->root, &st) < 0)
		return error_set(x->e, BLAME_REQUEST, errno, "cannot use '%s' as root", root);
	if (!S_ISDIR(st.st_mode))
		return error_set(x->e, BLAME_REQUEST, ENOTDIR, "cannot use '%s' as root", root);
	return 0;
}

/* /tmp is always the box's own; a --write of /tmp itself is mounted on top of it. */
static int add_tmpfs(struct resolver *x)
{
	struct resolved_path tmp = {.source = "/tmp", .dest = "/tmp", .is_dir = true};
	if (add(x, &x->r->tmpfs, tmp) < 0)
		return -1;
	for (size_t i = 0; i < x->policy->filesystem.tmpfs.n; i++) {
		const char *path = absolute(x, x->policy->filesystem.tmpfs.v[i]);
		if (refuse_destination(x, path) < 0 ||
			add(x, &x->r->tmpfs,
				(struct resolved_path){
					.source = path, .dest = path, .is_dir = true}) < 0)
			return -1;
	}
	return 0;
}

static void find_devices(struct resolver *x)
{
	static const char *const names[] = {"null", "zero", "full", "random", "urandom", "tty"};
	cleanup_fd int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (dev >= 0 && faccessat(dev, names[i], F_OK, 0) == 0)
			strv_push(x->a, &x->r->devices, names[i]);
}

/* So that ttyname(3) finds the caller's terminal, which the box's own devpts does not show. */
static void find_console(struct resolver *x)
{
	char path[64];
	ssize_t n = isatty(0) ? readlink("/proc/self/fd/0", path, sizeof(path) - 1) : -1;
	if (n <= 0)
		return;
	path[n] = 0;
	if (strncmp(path, "/dev/", 5) == 0 && access(path, F_OK) == 0)
		x->r->console = arena_strdup(x->a, path);
}

static bool is_hosts_root(const struct resolver *x)
{
	const struct policy_user *user = &x->policy->user;
	uint32_t uid = user->mode == USER_ID ? user->uid : x->host->uid;
	return uid == 0 && user->mode != USER_ISOLATED;
}

/*
 * What the host's root may write by its uid alone: where the kernel asks for a capability as well
 * (/proc/kcore, /proc/mtrr) nothing has to be done. Each that is there costs a mount.
 */
static void find_protected(struct resolver *x)
{
	static const char *const paths[] = {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq",
		"/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi", "/proc/driver", "/proc/asound",
		"/proc/dynamic_debug"};
	if (!is_hosts_root(x))
		return;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (access(paths[i], F_OK) == 0)
			strv_push(x->a, &x->r->protect, paths[i]);
}

/* With the host's network names are resolved as on the host, also where /run is hidden. */
static int show_resolver(struct resolver *x)
{
	const char *conf = x->policy->network == NETWORK_HOST && x->r->root
		? real_path(x, "/etc/resolv.conf")
		: NULL;
	if (!conf || !path_is_below(conf, "/run"))
		return 0;
	struct bind_rule rule = {.source = conf, .optional = true};
	return add_bind(x, &x->r->read, &rule);
}

static int resolve(struct resolver *x)
{
	const struct policy *policy = x->policy;
	struct resolved *r = x->r;
	if (find_root(x) < 0 || find_cwd(x) < 0 || add_tmpfs(x) < 0 ||
		add_binds(x, &r->read, &policy->filesystem.read) < 0 ||
		add_binds(x, &r->write, &policy->filesystem.write) < 0 || add_cwd(x) < 0 ||
		show_resolver(x) < 0 || add_hidden(x) < 0 || hide_renamed(x, &r->read) < 0 ||
		hide_renamed(x, &r->write) < 0)
		return -1;
	check_cwd_is_seen(x);
	/* the names of root's keys, which are the host's */
	if (is_hosts_root(x) && hide_one(x, "/proc/keys") < 0)
		return -1;
	if (policy->user.mode == USER_ISOLATED &&
		(hide_impassable(x, &r->write) < 0 || hide_impassable(x, &r->read) < 0))
		return -1;
	find_devices(x);
	find_console(x);
	find_protected(x);
	return 0;
}

int resolve_paths(struct resolved *ret, const struct policy *policy, const struct host *host,
	struct arena *a, struct error *e)
{
	*ret = (struct resolved){0};
	struct resolver x = {.r = ret, .policy = policy, .host = host, .a = a, .e = e};
	lookup_init(&x.lookup, a);
	int r = resolve(&x);
	lookup_fini(&x.lookup);
	return r;
}
