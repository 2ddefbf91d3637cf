/* SPDX-License-Identifier: MIT */
#ifndef STORE_LOST_H
#define STORE_LOST_H

#include "model/verdict.h"
#include "store/store.h"

/*
 * The verdict of a run whose supervisor is gone, and the little that is known of it, from its row.
 * What points somewhere points into @row. Found at @now_us (wall clock).
 */
void lost_verdict(
	struct verdict *ret, struct observation *ret_o, const struct run_row *row, uint64_t now_us);

#endif
