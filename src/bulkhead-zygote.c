/* SPDX-License-Identifier: MIT */
#include "jail/zygote.h"

/* What makes the boxes for bulkheadd, which starts it; of no use on its own. */
int main(void)
{
	return zygote_main();
}
