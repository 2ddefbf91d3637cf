/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>

#include "kernel/landlock.h"
#include "kernel/sys.h"

/* struct landlock_ruleset_attr of ABI 6. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

int landlock_abi(void)
{
	int abi = sys_landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? abi : 0;
}

long landlock_scope(unsigned scopes)
{
	struct ruleset_attr attr = {.scoped = scopes};
	long ruleset = sys_landlock_create_ruleset(&attr, sizeof(attr), 0), r;

	/* A kernel that does not know the last member says E2BIG: the same as "no such scope". */
	if (ruleset < 0)
		return ruleset == -E2BIG ? -EINVAL : ruleset;
	r = sys_landlock_restrict_self((int)ruleset, 0);
	sys_close((int)ruleset);
	return r;
}

/* ABI 2 and 3; kernel headers of Debian 12 have the first one only. */
#define ACCESS_REFER    (1ull << 13)
#define ACCESS_TRUNCATE (1ull << 14)

static long allow(long ruleset, uint64_t access, int fd)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
	long r = sys_landlock_add_rule((int)ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);

	if (r != -EINVAL)
		return r;
	rule.allowed_access &= ~ACCESS_REFER; /* a file */
	return sys_landlock_add_rule((int)ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static long allow_path(long ruleset, uint64_t access, const char *path)
{
	int fd = sys_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
	long r;

	if (fd < 0)
		return fd == -ENOENT || fd == -EACCES || fd == -ENOTDIR ? 0 : fd;
	r = allow(ruleset, access, fd);
	sys_close(fd);
	return r;
}

/* `> /dev/stderr` opens it anew. Pipes and sockets are no files to Landlock: EBADFD. */
static void allow_stdio(long ruleset, uint64_t access)
{
	for (int fd = 0; fd <= 2; fd++) {
		int flags = sys_fcntl(fd, F_GETFL, 0);
		if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
			allow(ruleset, access, fd);
	}
}

static long allow_writes(long ruleset, uint64_t access, const struct landlock_confinement *c)
{
	long r = 0;

	for (size_t i = 0; i < c->n_writable && r == 0; i++)
		r = allow_path(ruleset, access, c->writable[i]);
	allow_stdio(ruleset, access);
	return r;
}

long landlock_allow_execute(int ruleset, int fd)
{
	return allow(ruleset, LANDLOCK_ACCESS_FS_EXECUTE, fd);
}

long landlock_confine(const struct landlock_confinement *c)
{
	/* Renaming is no affair of ours, but who is confined may not unless it is said. */
	uint64_t writes = ACCESS_REFER;
	struct ruleset_attr attr = {.scoped = c->scopes};
	long ruleset, r = 0;

	if (c->writable)
		writes |= LANDLOCK_ACCESS_FS_WRITE_FILE | (c->abi >= 3 ? ACCESS_TRUNCATE : 0);
	attr.handled_access_fs = writes | (c->allow ? LANDLOCK_ACCESS_FS_EXECUTE : 0);
	ruleset = c->abi < 2 ? -EINVAL : sys_landlock_create_ruleset(&attr, sizeof(attr), 0);
	if (ruleset < 0)
		return ruleset == -E2BIG ? -EINVAL : ruleset;
	r = c->writable ? allow_writes(ruleset, writes, c) : allow_path(ruleset, writes, "/");
	if (r == 0 && c->allow)
		r = c->allow((int)ruleset, c->data);
	if (r == 0)
		r = sys_landlock_restrict_self((int)ruleset, 0);
	sys_close((int)ruleset);
	return r;
}

long landlock_confine_writes(const char *const *paths, size_t n, int abi, unsigned scopes)
{
	static const char *const none[1];
	const struct landlock_confinement c = {
		.writable = n ? paths : none, .n_writable = n, .abi = abi, .scopes = scopes};

	return landlock_confine(&c);
}
