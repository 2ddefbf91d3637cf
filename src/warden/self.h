/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_SELF_H
#define WARDEN_SELF_H

#include "base/error.h"

/*
 * What the warden makes of itself before it looks at anything of a stranger's: ends with its parent and by no signal of a
 * terminal, cannot be traced, gains no privileges, leaves no core. 0 or -1 with @e.
 */
int self_confine(struct error *e);

/*
 * And no system call from now on but those that serving takes; others fail with EPERM: nothing is started, connected to,
 * made, renamed or removed. 0 or -1 with @e.
 */
int self_restrict(struct error *e);

#endif
