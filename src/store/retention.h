/* SPDX-License-Identifier: MIT */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

#include <stdint.h>

#include "store/state-dir.h"

/*
 * How much is kept. What is beyond goes oldest first, a little at each tidying, so that no run
 * pays for a large clean-up. A run that is still on is never removed.
 */
struct retention {
	uint64_t max_age_us;
	uint64_t max_runs;
	uint64_t max_bytes; /* of runs/: kept output. The row stays when only this goes */
	unsigned batch; /* at most so many rows, and so many directories, at a time */
};

#define RETENTION_DEFAULT ((struct retention){30ull * 24 * 3600 * 1000000, 10000, 1ull << 30, 128})

struct store;

/*
 * Remove what is beyond @r by now, a batch of it. 0, or -1 when the data base did not let us;
 * nothing is lost then but time.
 */
int retention_apply(struct store *s, const struct retention *r, uint64_t now_us);

/*
 * Once a day: directories in runs/ older than @r allows, whether a row knows them or not (a data base
 * that was put aside leaves such), damaged data bases of that age, and what a creation that was killed left.
 */
void retention_sweep(const struct state_dir *dir, const struct retention *r, uint64_t now_us);

#endif
