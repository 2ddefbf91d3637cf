/* SPDX-License-Identifier: MIT */
#include "jail/box.h"

void report_failure(
	struct new_box *box, enum report_stage stage, size_t step, long error, int detail)
{
	if (box->report.stage != REPORT_NONE)
		return;
	box->report = (struct report){
		.stage = stage,
		.step = (int32_t)step,
		.errnum = (int32_t)-error,
		.detail = detail,
	};
}
