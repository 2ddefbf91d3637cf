/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_AUDIT_H
#define WARDEN_AUDIT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/exec-event.h"

/* The exec.jsonl of one run: a line for each exec, one write(2) each, up to so many bytes. */
struct audit {
	int fd; /* opened O_APPEND; -1: none is written */
	uint64_t max_bytes, bytes;
	bool torn; /* the last line ended in the middle */
};

/* The descriptor becomes ours. */
void audit_init_take(struct audit *audit, int fd, uint64_t max_bytes);
void audit_fini(struct audit *audit);
/* False: the line was dropped, for there was no room for it, or it came out torn. @line is scratch. */
bool audit_tell(struct audit *audit, const struct exec_event *event, struct buf *line);

#endif
