/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/fd.h"
#include "store/record.h"
#include "store/timeline-file.h"

/* The run's directory: there already when its output is kept in it, or since an earlier point. */
static int open_run_dir(struct record *r)
{
	struct error e = ERROR_INIT;
	int fd;
	struct state_dir *state = &r->place->state;
	if (state->fd < 0 && state_dir_open(state, STATE_DIR_CREATE, &e) < 0)
		return -1;
	fd = run_dir_open(state, r->begin.id);
	return fd >= 0 || errno != ENOENT ? fd : run_dir_make(state, r->begin.id, &e);
}

/* Losing it is not worth a word: what else is wrong with the state directory is said elsewhere. */
void record_timeline(struct record *r, const struct timeline *t)
{
	if (!r->wanted)
		return;
	cleanup_fd int dir = open_run_dir(r);
	uint64_t size;
	if (dir >= 0 && timeline_file_write(dir, t, &size) == 0)
		r->timeline_bytes = size;
}
