/* SPDX-License-Identifier: MIT */
#include "run/companion.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const places[] = {"", "../libexec/bulkhead/"};

int companion_find(const char *name, char ret_path[PATH_MAX], struct error *e)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return error_set(e, BLAME_HOST, errno, "cannot read '/proc/self/exe'");
	self[n] = 0;
	*(strrchr(self, '/') + 1) = 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int size = snprintf(ret_path, PATH_MAX, "%s%s%s", self, places[i], name);
		if (size < PATH_MAX && access(ret_path, X_OK) == 0)
			return 0;
	}
	return error_set(e, BLAME_HOST, 0, "'%s' is neither in '%s' nor in '%s../libexec/bulkhead'",
		name, self, self);
}
