/* SPDX-License-Identifier: MIT */
#ifndef MODEL_DOCTOR_H
#define MODEL_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "model/host.h"
#include "model/limits.h"
#include "model/policy.h"

/*
 * What a host can enforce, for the person who has to mend what it cannot. Pure: a host and a
 * policy in, findings and text out.
 */

/* How much a missing capability takes from a run. */
enum capability_weight {
	CAPABILITY_NEEDED, /* without it nothing runs */
	CAPABILITY_WANTED, /* without it a default run is not fully enforced */
	CAPABILITY_USEFUL, /* a default run does without */
	CAPABILITY_COUNT_,
};

struct capability {
	const char *name;
	enum capability_weight weight;
	bool ok;
	const char *meaning; /* for a run, as it is */
	const char *why; /* it is missing; or NULL */
	const char *remedy; /* a command; or NULL */
};

struct doctor_limit {
	bool in_default; /* a default run has it */
	enum enforced_by by;
	bool degraded; /* it is in the default, and enforced by nothing, or by sampling only */
};

#define DOCTOR_MAX_CAPABILITIES 24

struct doctor {
	const struct host *host;
	struct capability capability[DOCTOR_MAX_CAPABILITIES];
	size_t n;
	struct doctor_limit limit[LIMIT_COUNT_];
	bool full; /* a default run can be made, and fully enforced */
};

/* @policy is the default policy. */
void doctor_examine(
	struct doctor *ret, const struct host *host, const struct policy *policy, struct arena *a);
/* For a person, with a newline at the end; in @a. */
const char *doctor_format_text(const struct doctor *d, struct arena *a);
/* One JSON object and a newline; in @a. */
const char *codec_doctor_json(const struct doctor *d, struct arena *a);
/* "needed", "wanted", "useful". */
const char *capability_weight_name(enum capability_weight weight);

#endif
