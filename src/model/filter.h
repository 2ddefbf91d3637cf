/* SPDX-License-Identifier: MIT */
#ifndef MODEL_FILTER_H
#define MODEL_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/policy.h"

/*
 * The seccomp filter of a box: which of the kernel's doors a stranger's program finds locked.
 *
 * It is a deny-list, because programs are many and their needs are not known: what is known is
 * which calls have no use inside a box and a history of holes (filter-rules.c has each with its
 * reason). What the filter does with a call is one of
 *
 *   allow     the kernel decides, as for any process without capabilities
 *   EPERM     denied, and the program may as well know
 *   ENOSYS    "this kernel has no such thing": where programs then take another way
 *   notify    whoever holds the filter's listener decides: execve and execveat under an exec policy
 *   kill      SIGSYS to the whole process: foreign architectures and x32, whose numbers mean
 *             something else, and what a policy asks to be killed for
 *
 * Numbers above FILTER_LAST_NUMBER get ENOSYS: nobody has judged them yet.
 */

enum filter_arch { FILTER_NATIVE, FILTER_X86_64, FILTER_AARCH64, FILTER_ARCH_COUNT_ };

/* The newest system call that was looked at (file_setattr, Linux 6.17; the same everywhere). */
#define FILTER_LAST_NUMBER 469

struct filter_spec {
	/* "NAME" (EPERM), "NAME:EPERM", "NAME:EACCES", "NAME:ENOSYS" or "NAME:kill"; may be NULL */
	const struct strv *deny;
	/* names taken off the deny-list with all rules for them; may be NULL */
	const struct strv *allow;
	/*
	 * The program may make namespaces of its own and mount in them: clone, unshare and setns are
	 * free, and so are the calls for mounts, which the kernel allows to nobody else. Not so cgroup
	 * namespaces: who has one may mount the control groups that hold the run, and write to them
	 * what its uid may.
	 */
	bool user_namespaces;
	/*
	 * The program may clone siblings of itself, children of its own parent (CLONE_PARENT): what
	 * serves forks has to. Its forks get filter_siblings() on top.
	 */
	bool siblings;
	/*
	 * Under an exec policy execve and execveat are told to a listener. With EXEC_ENFORCE nothing may start or
	 * change a program past it: who could name what is executed by a bare descriptor, or write into
	 * another process, would have the judge look at something else.
	 */
	enum exec_mode exec;
	enum filter_arch arch;
};

/*
 * Compile @spec. The program lives in @a, is at most BPF_MAXINSNS long and is accepted by
 * seccomp(2) on that architecture. 0; or -1 with e set (BLAME_POLICY): a name that is no system
 * call, an action that is none, a name both denied and allowed, one without which no program
 * can start or end, or one allowed that would undo the exec policy.
 */
int filter_compile(const struct filter_spec *spec, struct arena *a, const struct sock_filter **ret,
	unsigned short *ret_len, struct error *e);

/*
 * What filter_compile() gives for this machine and a spec that is all zero, made when bulkhead
 * was built: costs nothing.
 */
const struct sock_filter *filter_default(unsigned short *ret_len);

/*
 * What takes from one who has a filter of this machine with filter_spec.siblings what that gave it:
 * clone with CLONE_PARENT is EPERM, all else is allowed.
 */
const struct sock_filter *filter_siblings(unsigned short *ret_len);

/*
 * What the filter of @n instructions at @code does with the call @number of @arch (AUDIT_ARCH_…) whose
 * arguments are all 0: SECCOMP_RET_… Filters of filter_compile() only.
 */
uint32_t filter_fate(
	const struct sock_filter *code, unsigned short n, uint32_t arch, uint32_t number);
/* "getpid", "getpid (x32)", "number 500 (i386)"; in @a. */
const char *filter_call_name(uint32_t arch, uint32_t number, struct arena *a);

#endif
