/* SPDX-License-Identifier: MIT */
#ifndef RUN_HOST_EXEC_H
#define RUN_HOST_EXEC_H

#include "base/arena.h"
#include "model/host.h"

/*
 * Can this host hold an exec policy? Fills in @h->exec; its texts are in @a. With @deep it is tried, by
 * short-lived children; without, only asked: a run finds out by itself.
 */
void host_check_exec(struct host *h, struct arena *a, bool deep);

#endif
