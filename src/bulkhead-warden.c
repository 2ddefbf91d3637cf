/* SPDX-License-Identifier: MIT */
#include "warden/warden.h"

/* What decides execs for a box with an exec policy; bulkhead and bulkheadd start it. Of no use on its own. */
int main(void)
{
	return warden_main();
}
