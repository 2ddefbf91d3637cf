/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "warden/identity-parts.h"

/* A root of its own in a temporary directory: /usr/bin is a box's, /w is what the box can write. */
struct rig {
	char dir[64];
	struct arena a;
	struct identity *id;
	int root;
	const char *writable[1];
};

enum { GIT, TOOL, OTHER, BY_PATH, MISSING, N_PROGRAMS };
static const char *const programs[N_PROGRAMS] = {
	"git", "tool", "other", "/opt/x/deploy", "no-such-program"};

static const char *at(struct rig *r, const char *path)
{
	return arena_printf(&r->a, "%s%s", r->dir, path);
}

static void put(struct rig *r, const char *path, const char *text)
{
	int fd = open(at(r, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static void *copy_of(const char *path, size_t *ret_size)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	assert_int_equal(fstat(fd, &st), 0);
	char *data = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_size = (size_t)st.st_size;
	return data;
}

static int set_up(void **state)
{
	static const char *const dirs[] = {"/usr", "/usr/bin", "/usr/sbin", "/opt", "/opt/x", "/w"};
	struct rig *r = calloc(1, sizeof *r);
	strcpy(r->dir, "/tmp/test-identity-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		assert_int_equal(mkdir(at(r, dirs[i]), 0755), 0);
	put(r, "/usr/bin/git", "the git of the host");
	put(r, "/usr/bin/tool", "the tool of the host");
	put(r, "/usr/sbin/other", "not on PATH");
	put(r, "/opt/x/deploy", "by its path");
	r->root = open(r->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r->writable[0] = at(r, "/w");
	*state = r;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	struct rig *r = *state;
	identity_free(r->id);
	close(r->root);
	nftw(r->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	arena_fini(&r->a);
	free(r);
	return 0;
}

/* Those of /w are first on PATH. */
static void begin(struct rig *r)
{
	const struct identity_spec spec = {.programs = programs,
		.n_programs = N_PROGRAMS,
		.path = "/w:/usr/bin",
		.writable = r->writable,
		.n_writable = 1};
	r->id = identity_new(&spec);
	assert_int_equal(identity_find(r->id, r->root), 0);
}

static struct exec_file tell(struct rig *r, const char *path)
{
	struct exec_file file;
	struct stat st;
	const char *whole = at(r, path);
	cleanup_fd int fd = open(whole, O_PATH | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	identity_tell(r->id, fd, &st, path, identity_path_of(fd, &r->a), &file, NULL, NULL);
	return file;
}

static bool is(struct exec_programs set, unsigned i)
{
	return set.bits[i / 64] >> (i % 64) & 1;
}

static void test_what_path_finds(void **state)
{
	struct rig *r = *state;
	put(r, "/w/git", "another one, of the box's own");
	begin(r);
	struct exec_file git = tell(r, "/usr/bin/git"), own = tell(r, "/w/git");
	struct exec_file other = tell(r, "/usr/sbin/other"), deploy = tell(r, "/opt/x/deploy");
	assert_true(is(git.is, GIT) && is(git.exactly, GIT) && !git.writable);
	assert_false(is(git.is, TOOL) || is(git.is, MISSING));
	/* of that name and on PATH, but the box can write it: only a deny rule is about it */
	assert_true(is(own.is, GIT) && !is(own.exactly, GIT) && own.writable);
	assert_true(is(other.is, OTHER) && !is(other.exactly, OTHER));
	assert_true(is(deploy.is, BY_PATH) && is(deploy.exactly, BY_PATH));
}

static void test_copies_and_links(void **state)
{
	struct rig *r = *state;
	begin(r);
	put(r, "/w/copy", "the git of the host");
	put(r, "/w/same-size", "the gut of the host");
	assert_int_equal(link(at(r, "/usr/bin/git"), at(r, "/w/hard")), 0);
	assert_int_equal(symlink("/usr/bin/git", at(r, "/w/nowhere")), 0);
	struct exec_file copy = tell(r, "/w/copy"), same = tell(r, "/w/same-size");
	struct exec_file hard = tell(r, "/w/hard");
	assert_true(is(copy.is, GIT) && !is(copy.exactly, GIT) && copy.writable);
	assert_false(is(same.is, GIT));
	assert_true(is(hard.is, GIT) && hard.writable);
}

/* A change through a mapping need not show in any time of the file. */
static void test_changed_in_place(void **state)
{
	struct rig *r = *state;
	begin(r);
	put(r, "/w/x", "the git of the hose");
	assert_false(is(tell(r, "/w/x").is, GIT));
	int fd = open(at(r, "/w/x"), O_RDWR | O_CLOEXEC);
	char *p = mmap(NULL, 19, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	assert_true(p != MAP_FAILED);
	p[17] = 's';
	p[18] = 't';
	assert_true(is(tell(r, "/w/x").is, GIT));
	p[18] = 'x';
	assert_false(is(tell(r, "/w/x").is, GIT));
	munmap(p, 19);
}

/* The host is updated while the box lives: the new file is the program, what the old one was is not. */
static void test_replaced(void **state)
{
	struct rig *r = *state;
	begin(r);
	assert_true(is(tell(r, "/usr/bin/git").exactly, GIT));
	put(r, "/usr/bin/new", "git, a newer one");
	assert_int_equal(rename(at(r, "/usr/bin/new"), at(r, "/usr/bin/git")), 0);
	assert_true(is(tell(r, "/usr/bin/git").exactly, GIT));
	put(r, "/w/copy", "git, a newer one");
	assert_true(is(tell(r, "/w/copy").is, GIT));
	assert_true(is(tell(r, "/usr/bin/tool").exactly, TOOL));
}

static void test_more_files_than_are_kept(void **state)
{
	struct rig *r = *state;
	begin(r);
	for (int i = 0; i < 3 * IDENTITY_SETS * IDENTITY_WAYS; i++) {
		put(r, "/usr/bin/x", "some text");
		assert_false(is(tell(r, "/usr/bin/x").is, GIT));
		assert_int_equal(rename(at(r, "/usr/bin/x"), at(r, "/usr/bin/y")), 0);
	}
	assert_true(is(tell(r, "/usr/bin/git").exactly, GIT));
}

/* Nothing is waited for, and links do not lead out of the root. */
static void test_hostile_files(void **state)
{
	struct rig *r = *state;
	struct exec_file file;
	struct stat st;
	assert_int_equal(mkfifo(at(r, "/w/git"), 0755), 0);
	assert_int_equal(symlink("../../../../../../etc/passwd", at(r, "/w/tool")), 0);
	assert_int_equal(symlink("other", at(r, "/w/other")), 0);
	begin(r);
	file = tell(r, "/w/git");
	assert_false(is(file.is, GIT) || file.loader);
	int fd = open("/etc/passwd", O_PATH | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	identity_tell(r->id, fd, &st, "x", NULL, &file, NULL, NULL);
	close(fd);
	assert_false(is(file.is, TOOL));
	assert_true(file.writable); /* nobody knows where it is */
	assert_true(is(tell(r, "/usr/bin/tool").exactly, TOOL));
}

static void test_head(void **state)
{
	struct rig *r = *state;
	struct exec_file file;
	struct stat st;
	const unsigned char *head;
	size_t size;
	begin(r);
	put(r, "/usr/bin/script", "#!/bin/sh\n");
	put(r, "/usr/bin/empty", "");
	for (int i = 0; i < 2; i++) { /* looked at, and known */
		int fd = open(at(r, "/usr/bin/script"), O_PATH | O_CLOEXEC);
		assert_int_equal(fstat(fd, &st), 0);
		identity_tell(r->id, fd, &st, "x", at(r, "/usr/bin/script"), &file, &head, &size);
		close(fd);
		assert_int_equal(size, 10);
		assert_memory_equal(head, "#!/bin/sh\n", 10);
		assert_false(file.writable);
	}
	int fd = open(at(r, "/usr/bin/empty"), O_PATH | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	identity_tell(r->id, fd, &st, "x", at(r, "/usr/bin/empty"), &file, &head, &size);
	close(fd);
	assert_null(head);
	assert_int_equal(size, 0);
}

static void test_loaders(void **state)
{
	struct rig *r = *state;
	size_t size = 0;
	char *loader = copy_of("/lib64/ld-linux-x86-64.so.2", &size);
	char *shell = copy_of("/bin/sh", &size);
	begin(r);
	put(r, "/w/ld-linux-x86-64.so.2", "x");
	put(r, "/w/ld-2.31.so", "x");
	put(r, "/w/ld.so", "x");
	put(r, "/w/ld.so.conf-check", "x");
	put(r, "/w/ld-check", "x");
	assert_true(tell(r, "/w/ld-linux-x86-64.so.2").loader);
	assert_true(tell(r, "/w/ld-2.31.so").loader && tell(r, "/w/ld.so").loader);
	assert_false(tell(r, "/w/ld-check").loader || tell(r, "/w/ld.so.conf-check").loader);
	if (loader && shell) {
		free(loader);
		loader = copy_of("/lib64/ld-linux-x86-64.so.2", &size);
		int fd = open(at(r, "/w/innocent"), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
		assert_int_equal(fd_write_all(fd, loader, size), 0);
		assert_int_equal(fd_write_all(fd, "and more", 8), 0); /* no copy byte by byte */
		close(fd);
		assert_true(tell(r, "/w/innocent").loader);
		free(shell);
		shell = copy_of("/bin/sh", &size);
		fd = open(at(r, "/w/shell"), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
		assert_int_equal(fd_write_all(fd, shell, size), 0);
		close(fd);
		assert_false(tell(r, "/w/shell").loader);
	}
	free(loader);
	free(shell);
}

/* Each byte of the headers changed: an answer, and no read beyond what there is (the sanitizers look). */
static void test_hostile_elf(void **state)
{
	struct rig *r = *state;
	size_t size = 0;
	unsigned char *loader = copy_of("/lib64/ld-linux-x86-64.so.2", &size);
	if (!loader)
		skip();
	int fd = open(at(r, "/w/x"), O_RDWR | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(fd_write_all(fd, loader, size), 0);
	for (size_t i = 0; i < 64 + 4 * 56; i++)
		for (int value = 0; value < 256; value += 255) {
			unsigned char byte = (unsigned char)value;
			assert_int_equal(pwrite(fd, &byte, 1, (off_t)i), 1);
			unsigned char head[IDENTITY_HEAD];
			assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
			(void)identity_is_loader(fd, head, sizeof head);
			assert_int_equal(pwrite(fd, loader + i, 1, (off_t)i), 1);
		}
	unsigned char head[IDENTITY_HEAD];
	assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
	assert_true(identity_is_loader(fd, head, sizeof head));
	close(fd);
	free(loader);
}

static void test_look_up(void **state)
{
	struct rig *r = *state;
	const char *path = NULL;
	begin(r);
	put(r, "/w/own", "x");
	int fd = identity_look_up(r->id, r->root, "/w", "git", &r->a, &path);
	assert_true(fd >= 0);
	close(fd);
	assert_string_equal(path_base(path), "git");
	fd = identity_look_up(r->id, r->root, "/w", "./own", &r->a, &path);
	assert_true(fd >= 0);
	close(fd);
	assert_string_equal(path, at(r, "/w/own"));
	assert_true(identity_look_up(r->id, r->root, "/w", "nothing", &r->a, &path) < 0);
	assert_true(identity_look_up(r->id, r->root, "/w", "", &r->a, &path) < 0);
	assert_true(identity_look_up(r->id, r->root, NULL, "usr", &r->a, &path) < 0);
}

/* ── When descriptors run out ────────────────────────────────────────────────────────────────── */

/* No more than @n can be opened from now on. */
static struct rlimit leave_room_for(unsigned n)
{
	struct rlimit before, few;
	int next = fcntl(0, F_DUPFD_CLOEXEC, 0);
	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){(rlim_t)next + n, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	return before;
}

/* As tell() when only @room more can be opened; *ret_readable: it has a head. */
static struct exec_file tell_in_need(
	struct rig *r, const char *path, unsigned room, bool *ret_readable)
{
	struct exec_file file;
	struct stat st;
	const unsigned char *head;
	size_t size;
	cleanup_fd int fd = open(at(r, path), O_PATH | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	const char *real = identity_path_of(fd, &r->a);
	struct rlimit before = leave_room_for(room);
	identity_tell(r->id, fd, &st, path, real, &file, &head, &size);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	*ret_readable = head != NULL;
	return file;
}

/* What cannot be looked at now might be anything, and is looked at again later. */
static void test_in_need_nothing_is_remembered(void **state)
{
	struct rig *r = *state;
	begin(r);
	for (unsigned room = 0; room < 3; room++) {
		bool readable;
		put(r, "/usr/bin/same-size", "the gut of the host");
		put(r, "/usr/bin/copy", "the git of the host");
		assert_true(is(tell_in_need(r, "/usr/bin/same-size", room, &readable).is, GIT));
		assert_int_equal(readable, room > 0);
		assert_true(is(tell_in_need(r, "/usr/bin/copy", room, &readable).is, GIT));
		put(r, "/usr/bin/script", "#!/bin/sh\n");
		tell_in_need(r, "/usr/bin/script", room, &readable);
		assert_int_equal(readable, room > 0);
		tell_in_need(r, "/usr/bin/script", 8, &readable);
		assert_true(readable);
		assert_int_equal(unlink(at(r, "/usr/bin/script")), 0);
		assert_false(is(tell(r, "/usr/bin/same-size").is, GIT));
		assert_true(is(tell(r, "/usr/bin/copy").is, GIT));
		assert_int_equal(unlink(at(r, "/usr/bin/same-size")), 0);
	}
}

static void test_in_need_nothing_is_forgotten(void **state)
{
	struct rig *r = *state;
	begin(r);
	for (unsigned room = 0; room < 2; room++) {
		struct rlimit before = leave_room_for(room);
		assert_int_equal(identity_find(r->id, r->root), -EMFILE);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_true(is(tell(r, "/usr/bin/git").exactly, GIT));
		assert_true(is(tell(r, "/opt/x/deploy").exactly, BY_PATH));
	}
}

/* The host is updated when nothing can be opened: the new file cannot be read then, and is the program afterwards. */
static void test_in_need_replaced(void **state)
{
	struct rig *r = *state;
	bool readable;
	begin(r);
	for (unsigned room = 0; room < 2; room++) {
		put(r, "/usr/bin/new", room ? "git, a newer one" : "git, another");
		assert_int_equal(rename(at(r, "/usr/bin/new"), at(r, "/usr/bin/git")), 0);
		tell_in_need(r, "/usr/bin/git", room, &readable);
		/* one descriptor at a time is enough to look for all of them */
		assert_int_equal(readable, room > 1);
		assert_true(is(tell(r, "/usr/bin/git").exactly, GIT));
		assert_true(is(tell(r, "/usr/bin/tool").exactly, TOOL));
	}
}

/* However many directories PATH has, the last of it and the usual ones are looked in, with a few descriptors. */
static void test_long_path(void **state)
{
	struct rig *r = *state;
	struct buf path = BUF_INIT;
	for (int i = 0; i < 600; i++)
		buf_printf(&path, "/%s/%d:", i == 500 ? "late" : "none", i);
	assert_int_equal(mkdir(at(r, "/late"), 0755), 0);
	assert_int_equal(mkdir(at(r, "/late/500"), 0755), 0);
	put(r, "/late/500/tool", "found late");
	const struct identity_spec spec = {.programs = programs,
		.n_programs = N_PROGRAMS,
		.path = buf_str(&path),
		.writable = r->writable,
		.n_writable = 1};
	r->id = identity_new(&spec);
	struct rlimit before = leave_room_for(4);
	assert_int_equal(identity_find(r->id, r->root), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(is(tell(r, "/late/500/tool").exactly, TOOL));
	assert_true(
		is(tell(r, "/usr/bin/git").is, GIT) && is(tell(r, "/usr/sbin/other").is, OTHER));
	buf_fini(&path);
}

#define WITH_RIG(f) cmocka_unit_test_setup_teardown((f), set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(test_what_path_finds),
		WITH_RIG(test_copies_and_links),
		WITH_RIG(test_changed_in_place),
		WITH_RIG(test_replaced),
		WITH_RIG(test_more_files_than_are_kept),
		WITH_RIG(test_hostile_files),
		WITH_RIG(test_head),
		WITH_RIG(test_loaders),
		WITH_RIG(test_hostile_elf),
		WITH_RIG(test_look_up),
		WITH_RIG(test_in_need_nothing_is_remembered),
		WITH_RIG(test_in_need_nothing_is_forgotten),
		WITH_RIG(test_in_need_replaced),
		WITH_RIG(test_long_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
