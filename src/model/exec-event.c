/* SPDX-License-Identifier: MIT */
#include "model/exec-event.h"

#include <assert.h>
#include <string.h>

static const char *const outcomes[] = {
	[EXEC_STARTED] = "started",
	[EXEC_REFUSED] = "refused",
	[EXEC_KILLED] = "killed",
	[EXEC_FAILED] = "failed",
};
static_assert(sizeof outcomes / sizeof *outcomes == EXEC_OUTCOME_COUNT_, "complete");

const char *exec_outcome_name(enum exec_outcome outcome)
{
	return (unsigned)outcome < EXEC_OUTCOME_COUNT_ ? outcomes[outcome] : "invalid";
}

int exec_outcome_from_name(const char *name)
{
	for (int i = 0; i < EXEC_OUTCOME_COUNT_; i++)
		if (strcmp(name, outcomes[i]) == 0)
			return i;
	return -1;
}
