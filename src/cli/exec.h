/* SPDX-License-Identifier: MIT */
#ifndef CLI_EXEC_H
#define CLI_EXEC_H

#include "base/arena.h"
#include "model/request.h"

/*
 * Run the command of @request in the box request->box, which the daemon keeps, to its end. Signals
 * are blocked (run_block_signals()). Returns the exit status; what went wrong has been said.
 */
int exec_in_box(const struct request *request, struct arena *a);

#endif
