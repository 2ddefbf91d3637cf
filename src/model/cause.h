/* SPDX-License-Identifier: MIT */
#ifndef MODEL_CAUSE_H
#define MODEL_CAUSE_H

#include "model/verdict.h"

/* Where the exit status of `bulkhead run` comes from. */
enum status_rule {
	STATUS_OWN, /* the program's own, or 128+N */
	STATUS_OWN_OR_126, /* the same; 126 if it never started */
	STATUS_CUT_OFF, /* the same, but never 0: a limit cut the program off */
	STATUS_TIMEOUT,
	STATUS_KILLED, /* 128+9, also where it had time to exit by itself */
	STATUS_REFUSED,
	STATUS_NOT_EXECUTABLE,
	STATUS_NOT_FOUND,
	STATUS_NOT_RUN,
};

/* What is the same for every verdict of one cause. */
struct cause_info {
	const char *name;
	enum retry retry;
	enum status_rule status;
	const char *meaning;
};

/* Never NULL: what is no cause has the row of CAUSE_SUPERVISOR_LOST. */
const struct cause_info *cause_info(enum cause cause);

#endif
