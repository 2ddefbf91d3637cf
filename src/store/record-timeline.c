/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "store/record.h"
#include "store/timeline-file.h"

/* Losing it is not worth a word: what else is wrong with the state directory is said elsewhere. */
void record_timeline(struct record *r, const struct timeline *t)
{
	if (!r->wanted)
		return;
	struct error e = ERROR_INIT;
	cleanup_fd int dir = record_run_dir(r, &e);
	uint64_t size;
	if (dir >= 0 && timeline_file_write(dir, t, &size) == 0)
		r->timeline_bytes = size;
}
