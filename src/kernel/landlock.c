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

long landlock_confine_writes(const char *const *paths, size_t n, int abi, unsigned scopes)
{
	/* Renaming is no affair of ours, but who is confined may not unless it is said. */
	uint64_t access =
		LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_REFER | (abi >= 3 ? ACCESS_TRUNCATE : 0);
	struct ruleset_attr attr = {.handled_access_fs = access, .scoped = scopes};
	long ruleset = abi < 2 ? -EINVAL : sys_landlock_create_ruleset(&attr, sizeof(attr), 0);
	long r = ruleset < 0 ? ruleset : 0;

	if (r < 0)
		return r == -E2BIG ? -EINVAL : r;
	for (size_t i = 0; i < n && r == 0; i++)
		r = allow_path(ruleset, access, paths[i]);
	allow_stdio(ruleset, access);
	if (r == 0)
		r = sys_landlock_restrict_self((int)ruleset, 0);
	sys_close((int)ruleset);
	return r;
}
