/* SPDX-License-Identifier: MIT */
#include "model/signal-name.h"

#include <signal.h>
#include <string.h>

int signal_from_name(const char *text)
{
	const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;

	for (int i = 1; i <= SIGNAL_MAX; i++) {
		const char *known = sigabbrev_np(i);
		if (known && strcmp(known, name) == 0)
			return i;
	}
	return 0;
}
