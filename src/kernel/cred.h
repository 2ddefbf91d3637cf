/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CRED_H
#define KERNEL_CRED_H

#include <sys/types.h>

/*
 * Who a process is and what it may, for the child: no libc, the calling thread only, 0 or -errno.
 * The order that works: cred_set_ids, cred_no_new_privs, cred_drop_all_caps.
 */

/*
 * Real, effective and saved user and group become @uid and @gid; supplementary groups are dropped.
 * Where the kernel forbids setgroups(2) (the user namespace of an ordinary user) the caller's own
 * groups stay, which are no more than it had. Capabilities are kept, also when root becomes someone
 * else: what follows may need them, and cred_drop_all_caps() ends them.
 */
long cred_set_ids(uid_t uid, gid_t gid);

/* No execve can give privileges any more: set-user-ID and file capabilities are ignored. */
long cred_no_new_privs(void);

/* Empty the bounding set, here and in all children: what is held already is still held. */
long cred_drop_bounding(void);

/*
 * Give up every capability for good: bounding, ambient, inheritable, permitted and effective set;
 * and by locked secure bits uid 0 is a user like any other. Without CAP_SETPCAP the bounding set
 * and the bits cannot be changed: EPERM, unless there was nothing left to drop.
 */
long cred_drop_all_caps(void);

#endif
