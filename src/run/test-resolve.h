/* SPDX-License-Identifier: MIT */
#ifndef RUN_TEST_RESOLVE_H
#define RUN_TEST_RESOLVE_H

/* (To be included after <cmocka.h> and what it needs.) */

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "run/resolve.h"

/* Policies' paths against a real tree, each test with one of its own, which is cwd and home. */
struct fixture {
	char dir[64];
	struct arena a;
	struct policy policy;
	struct host host;
	struct resolved r;
	struct error e;
};

static inline int setup(void **state)
{
	char template[] = "/var/tmp/bulkhead-resolve-XXXXXX";
	struct fixture *f = calloc(1, sizeof(*f));
	*state = f;
	if (!f || !mkdtemp(template) || !realpath(template, f->dir))
		return -1;
	f->policy.filesystem.root = "/";
	f->policy.filesystem.cwd = CWD_WRITE;
	f->host.cwd = f->host.home = f->dir;
	f->host.uid = 1000;
	return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	int r = nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	arena_fini(&f->a);
	free(f);
	return r;
}

/* ---- words for the tests ---- */

static inline const char *at(struct fixture *f, const char *name)
{
	return path_join(&f->a, f->dir, name);
}

static inline void make_dir(struct fixture *f, const char *name)
{
	assert_int_equal(mkdir(at(f, name), 0755), 0);
}

static inline void make_file(struct fixture *f, const char *name)
{
	int fd = open(at(f, name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
}

static inline void make_link(struct fixture *f, const char *target, const char *name)
{
	assert_int_equal(symlink(target, at(f, name)), 0);
}

static inline void hide(struct fixture *f, const char *path)
{
	strv_push(&f->a, &f->policy.filesystem.hide, path);
}

static inline void bind_to(
	struct fixture *f, struct bind_list *list, const char *source, const char *dest)
{
	struct bind_rule *v = arena_calloc(&f->a, list->n + 1, sizeof(*v));
	if (list->n > 0)
		memcpy(v, list->v, list->n * sizeof(*v));
	v[list->n] = (struct bind_rule){.source = source, .dest = dest};
	list->v = v;
	list->n++;
}

static inline void read_of(struct fixture *f, const char *source)
{
	bind_to(f, &f->policy.filesystem.read, source, NULL);
}

static inline void resolve(struct fixture *f)
{
	f->e = ERROR_INIT;
	if (resolve_paths(&f->r, &f->policy, &f->host, &f->a, &f->e) < 0)
		fail_msg("%s", f->e.text);
}

static inline void refused(struct fixture *f, const char *words)
{
	f->e = ERROR_INIT;
	assert_int_equal(resolve_paths(&f->r, &f->policy, &f->host, &f->a, &f->e), -1);
	assert_int_equal(f->e.blame, BLAME_REQUEST);
	if (!strstr(f->e.text, words))
		fail_msg("'%s' does not say '%s'", f->e.text, words);
}

static inline const struct resolved_path *find(const struct resolved_list *list, const char *dest)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i].dest, dest) == 0)
			return &list->v[i];
	return NULL;
}

static inline void shown(
	struct fixture *f, const struct resolved_list *list, const char *source, const char *dest)
{
	const struct resolved_path *p = find(list, at(f, dest));
	if (!p)
		fail_msg("nothing is at '%s'", dest);
	assert_string_equal(p->source, at(f, source));
}

static inline bool noted(const struct fixture *f, const char *words)
{
	for (size_t i = 0; i < f->r.notes.n; i++)
		if (strstr(f->r.notes.v[i], words))
			return true;
	return false;
}

#define RESOLVE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
