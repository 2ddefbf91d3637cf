/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "run/host-cgroup.h"

/* Which hierarchies are mounted where, and which group of each is ours. */

#define TOP           "/sys/fs/cgroup"
#define MOUNTINFO_MAX (1 << 20)

/* As v1 calls them; CORE has no v1 controller. */
const char *const cgroup_v1_name[CONTROLLER_COUNT_] = {
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
			       : cgroup_v1_name[c] != NULL &&
				lists_controller(f.at[dash + SUPER], f.size[dash + SUPER],
					cgroup_v1_name[c]);
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
bool cgroup_layout_standard(struct cgroup_layout *l, struct arena *a)
{
	long top = magic(TOP);
	if (top == CGROUP2_SUPER_MAGIC) {
		l->mount[CONTROLLER_CORE] = (struct cgroup_mount){TOP, "/", true};
		return true;
	}
	if (top != TMPFS_MAGIC)
		return false;
	for (int c = 0; c < CONTROLLER_COUNT_; c++) {
		const char *name = c == CONTROLLER_CORE ? "unified" : cgroup_v1_name[c];
		const char *path = arena_printf(a, TOP "/%s", name);
		long wanted = c == CONTROLLER_CORE ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC;
		if (magic(path) == wanted)
			l->mount[c] = (struct cgroup_mount){path, "/", c == CONTROLLER_CORE};
	}
	return l->mount[CONTROLLER_MEMORY].path != NULL;
}

void cgroup_layout_unusual(struct cgroup_layout *l, struct arena *a)
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
