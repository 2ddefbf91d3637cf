/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_CALLER_H
#define WARDEN_CALLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "kernel/notify.h"

/*
 * What the caller of execve(2) has in its memory: a stranger's, who may change it at any time, between two reads of
 * ours too. What is read here is only what gets judged; whether the kernel saw the same is found out at
 * the exec stop.
 */

#define CALLER_MAX_WORD (128u << 10) /* MAX_ARG_STRLEN, with its zero */
#define CALLER_MAX_BYTES                                                                           \
	(6u << 20) /* all words with their zeros and pointers; the kernel's own bound */
#define CALLER_MAX_PATH 4096u /* PATH_MAX, with its zero */

/* The arguments of a call by their meaning, whichever of the two it is. */
struct caller_exec {
	int dir; /* AT_FDCWD or the caller's descriptor */
	uint64_t path, argv, envp; /* addresses */
	uint32_t flags; /* of execveat(2) */
	bool by_execveat; /* the kernel names scripts by way of /dev/fd then */
};
/* False: the call is neither. */
bool caller_exec(const struct notify_call *call, struct caller_exec *ret);

/*
 * Path and argv of a call (argv at address 0: empty, as for the kernel); strings in @a. 0, or -errno: EFAULT,
 * ENAMETOOLONG, E2BIG, ESRCH, EPERM.
 */
int caller_read(pid_t tid, const struct caller_exec *x, struct arena *a, const char **ret_path,
	struct strv *ret_argv);

/*
 * Does the environment at @address set one of @names ("LD_PRELOAD")? At most 31 bytes each, NULL-terminated. *ret:
 * which; NULL: none. 0 or -errno.
 */
int caller_environment(pid_t tid, uint64_t address, const char *const *names, const char **ret);

#endif
