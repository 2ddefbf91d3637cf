/* SPDX-License-Identifier: MIT */
#ifndef RUN_ISOLATED_H
#define RUN_ISOLATED_H

#include <stdint.h>

#include "base/error.h"

/*
 * A range of 65,536 uids that no other box on this host has at the same time, for --user isolated.
 * It lies where nothing else takes its uids from (systemd's list of ranges ends below it), and is
 * held by a lock on one byte of /run/bulkhead.uids for as long as *ret_fd is open.
 */
#define ISOLATED_FIRST_UID 0x70000000u
#define ISOLATED_SLOTS     4096u

int isolated_take(uint32_t random, uint32_t *ret_base, int *ret_fd, struct error *e);
/* The same with the locks on the file @path, which is made if it is not there. */
int isolated_take_from(
	const char *path, uint32_t random, uint32_t *ret_base, int *ret_fd, struct error *e);

#endif
