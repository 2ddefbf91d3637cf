/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LANDLOCK_H
#define KERNEL_LANDLOCK_H

#include <stddef.h>

/* Landlock's scopes (ABI 6, Linux 6.12), which older kernel headers lack. */
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ull << 0)
#define LANDLOCK_SCOPE_SIGNAL               (1ull << 1)
#endif

/* The kernel's Landlock ABI, from 1; 0 where it is not there or switched off. */
int landlock_abi(void);

/*
 * From now on the calling thread and all it will make cannot connect to an abstract socket of, or
 * (@scopes: LANDLOCK_SCOPE_…) send a signal to, a process outside: kill(0, …) ends at the box's
 * wall, though the process group reaches beyond it. Nothing else is restricted. Needs no_new_privs
 * or CAP_SYS_ADMIN. 0 or -errno: EINVAL below ABI 6, EOPNOTSUPP or ENOSYS without Landlock.
 * For the child: no libc.
 */
long landlock_scope(unsigned scopes);

/*
 * From now on they open files for writing, or cut them (ABI 3), only below the @n directories or
 * files @paths, and what is open for writing as 0, 1 or 2; whatever name they are opened by, such as
 * /proc/self/fd/0, and through whatever mount. What does not exist or cannot be reached is passed over.
 * Mounting is over as well: Landlock forbids it with any rule for files. 0 or -errno: EOPNOTSUPP
 * or ENOSYS without Landlock, EINVAL below ABI 2, which could not rename. For the child: no libc.
 *
 * @scopes as above, in the same call: a second set of rules would forbid what the first one does
 * not mention, to rename from one directory to another.
 */
long landlock_confine_writes(const char *const *paths, size_t n, int abi, unsigned scopes);

/*
 * The same by parts, for what landlock_confine_writes() has no words for. @allow names what may be executed,
 * with landlock_allow_execute(), and by nothing else will anything be: loaders and interpreters count
 * too, libraries do not. It returns 0 or -errno.
 */
struct landlock_confinement {
	const char *const *writable; /* NULL: writing is not confined */
	size_t n_writable;
	long (*allow)(int ruleset, const void *data); /* NULL: executing is not confined */
	const void *data;
	int abi;
	unsigned scopes;
};
long landlock_confine(const struct landlock_confinement *c);
/* The file @fd, or all below the directory @fd, may be executed. 0 or -errno. */
long landlock_allow_execute(int ruleset, int fd);

#endif
