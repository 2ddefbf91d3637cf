/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_HINT_H
#define WARDEN_HINT_H

#include "base/buf.h"
#include "model/exec-event.h"

/*
 * One line on a run's standard error for an exec that was refused or killed. Never waits: a line for which there
 * is no room at once is lost. The descriptor's O_NONBLOCK is not ours to set, so what can be opened again is.
 */
enum hint_way { HINT_NONE, HINT_WRITE, HINT_SEND, HINT_NOWAIT };
struct hint {
	int fd;
	enum hint_way way;
	struct buf last; /* what was written last, and for whom */
	pid_t last_pid;
	size_t written; /* bytes so far, see HINT_MAX */
};

/*
 * So many bytes of a run's, and a line that says so: a file that they go to is not bounded by the box's own limits, for the
 * warden is outside of it.
 */
#define HINT_MAX (64u << 10)

/* @proc: a descriptor of /proc. @fd becomes ours; -1: no hints. */
void hint_init_take(struct hint *hint, int proc, int fd);
void hint_fini(struct hint *hint);
/*
 * Not more than HINT_MAX, and not twice the same for one process: who goes on along PATH after a refusal comes again.
 * @advice: of the rule, or NULL. @line is scratch. Text that others chose is made visible.
 */
void hint_tell(
	struct hint *hint, const struct exec_event *event, const char *advice, struct buf *line);

#endif
