/* SPDX-License-Identifier: MIT */
#include "store/lost.h"

void lost_verdict(
	struct verdict *ret, struct observation *ret_o, const struct run_row *row, uint64_t now_us)
{
	*ret_o = (struct observation){
		.id = row->id,
		.key = row->key,
		.policy = row->policy,
		.argv = row->argv,
		.argc = row->argc,
		.attempt = 1,
		.wait = WAIT_UNKNOWN,
		.started_us = row->started_us,
		.ended_us = now_us,
		.kernel = "",
		.version = BULKHEAD_VERSION,
	};
	*ret = (struct verdict){
		.cause = CAUSE_SUPERVISOR_LOST,
		.confidence = CONFIDENCE_CERTAIN,
		.retry = RETRY_LATER,
		.summary = "its bulkhead was gone before the run had ended; found so at the time "
			   "given as its end",
		.evidence = {{.fact = "supervisor_gone",
			.where = "lock",
			.text = "nobody holds the lock of this run"}},
		.n_evidence = 1,
		.exit_status = EXIT_REFUSED,
	};
}
