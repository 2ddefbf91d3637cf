/* SPDX-License-Identifier: MIT */
#ifndef RUN_HOST_H
#define RUN_HOST_H

#include "base/arena.h"
#include "model/host.h"

/*
 * Find out about this machine. With @deep false only what a run needs, cheaply (a few dozen µs: no
 * trial namespaces, no trial cgroups; what cannot be known without trying is assumed to work); with @deep true (doctor) everything is
 * tried for real, in short-lived children that are reaped, and reasons and remedies are worded.
 * Never fails: what cannot be learned is taken as absent.
 */
void host_probe(struct host *ret, struct arena *a, bool deep);

/*
 * Why a user namespace cannot be made, after clone(CLONE_NEWUSER) failed with @errnum or the first
 * privileged step in one did: the switch that forbids it (sysctls user.max_user_namespaces,
 * kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns, a container's
 * seccomp filter) and the command that mends it. Fills in why and remedy.
 */
void host_explain_userns(struct host_userns *ret, struct arena *a, int errnum);

/* True in a container: its runtime left one of the usual marks. */
bool host_in_container(void);

#endif
