/* SPDX-License-Identifier: MIT */
#ifndef CLI_POLICY_MATCH_H
#define CLI_POLICY_MATCH_H

#include "base/arena.h"
#include "base/error.h"
#include "model/policy.h"

/*
 * What would the exec policy of @policy say to @command (at least one word) here and now? The files are this host's, PATH is
 * ours or the policy's. Writes *ret_text, in @a: words or, if @json, an object. 0: allowed; 1: denied; -1
 * with @e.
 */
int policy_match(const struct policy *policy, const struct strv *command, bool json,
	struct arena *a, const char **ret_text, struct error *e);

#endif
