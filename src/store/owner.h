/* SPDX-License-Identifier: MIT */
#ifndef STORE_OWNER_H
#define STORE_OWNER_H

#include <stdbool.h>

/*
 * Who is alive. A supervisor holds, as long as one of its runs is on, a lock on one byte of the file
 * "lock"; which byte follows from the run's id. The kernel takes the lock away when the supervisor is
 * gone, however it went, so there is no pid that another process might have by now, and it is as
 * true from another pid namespace and after a reboot.
 *
 * The locks are those of an open file description (fcntl(2), F_OFD_SETLK; Linux 3.15): they do not
 * vanish when another part of the program closes the file, and a child that keeps the
 * descriptor would keep the lock, so it is close-on-exec, and opened after the run was started.
 */

/* Open the lock file of the directory @dir, for owner_hold() if @writable. A descriptor or -1. */
int owner_open(int dir, bool writable);

/* Hold, and let go of, the run @id. 0, or -1 with errno. */
int owner_hold(int fd, const char *id);
void owner_release(int fd, const char *id);

/*
 * True if somebody holds the run @id by another open file than @fd; also when it cannot be told, so that
 * a living run is never taken for a lost one.
 */
bool owner_alive(int fd, const char *id);

#endif
