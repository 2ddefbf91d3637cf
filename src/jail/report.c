/* SPDX-License-Identifier: MIT */
#include "jail/box.h"
#include "kernel/sys.h"

void report_failure(
	const struct box *box, enum report_stage stage, size_t step, long error, int detail)
{
	struct report report = {
		.stage = stage,
		.step = (int32_t)step,
		.errnum = (int32_t)-error,
		.detail = detail,
	};
	sys_write(box->report, &report, sizeof(report));
}
