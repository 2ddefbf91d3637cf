/* SPDX-License-Identifier: MIT */
#ifndef RUN_STRAYS_H
#define RUN_STRAYS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Reap those of our children that have died in the pid namespace with the inode @inside (of /proc/PID/ns/pid), but for its
 * @init: whoever of it is known to us must have been reaped before.
 *
 * One that could not be traced (not dumpable) does not say to an unprivileged parent which namespace it was in. Of these
 * are reaped those that have died in some namespace below ours and whom we hold no pidfd of, as we do of
 * everybody that we wait for. So @coming must not be true: that a pidfd may be on its way to us, or that somebody
 * is waited for without.
 *
 * Reads /proc once, if any child of ours is dead; does not wait. How many there were.
 */
unsigned strays_reap(ino_t inside, pid_t init, bool coming);

#endif
