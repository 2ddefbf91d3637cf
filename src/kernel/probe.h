/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PROBE_H
#define KERNEL_PROBE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What this kernel lets us do. The first group asks and changes nothing; the second tries, each in
 * a short-lived child that is reaped before the function returns, for at most PROBE_TIMEOUT_MS.
 * The caller is single-threaded.
 */
#define PROBE_TIMEOUT_MS 2000

bool probe_seccomp(void);
/* The ABI of Landlock; 0: none. */
int probe_landlock(void);
bool probe_mount_setattr(void);
/*
 * euid 0 with CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID in our user namespace, which knows every id:
 * root in one of a few ids may map no more than these.
 */
bool probe_privileged(void);
/* True if our root directory is not that of the mount namespace: no user namespace from there. */
bool probe_chrooted(void);

/*
 * Make a user namespace with ourselves mapped into it, and do a first thing in it that needs its
 * capabilities. 0, or the errno of what failed; *ret_made tells whether it was the thing within.
 */
int probe_userns(bool *ret_made);
/* Mount a new procfs in a new pid namespace of a new user namespace. 0 or an errno. */
int probe_proc_mount(void);
/*
 * What an exec policy needs: be given the listener of a filter, and trace a process in a user namespace of
 * its own. 0, or the errno of what failed; *ret_listener tells whether it was the tracing. EBUSY: whoever
 * has started us has a listener already.
 */
int probe_exec(bool *ret_listener);
/*
 * Have a child enter the cgroup v2 directory @into_cgroup (-1: none) at its birth, and by writing
 * "0" to each of the @n_tasks files; then it exits. 0 or an errno.
 */
int probe_enter_cgroup(int into_cgroup, const int *tasks, unsigned n_tasks);

#endif
