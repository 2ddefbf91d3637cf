/* SPDX-License-Identifier: MIT */
#include <linux/landlock.h>
#include <errno.h>

#include "kernel/landlock.h"
#include "kernel/sys.h"

/* struct landlock_ruleset_attr of ABI 6. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

int landlock_abi(void)
{
	int abi = sys_landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? abi : 0;
}

long landlock_scope(unsigned scopes)
{
	struct ruleset_attr attr = {.scoped = scopes};
	long ruleset = sys_landlock_create_ruleset(&attr, sizeof(attr), 0), r;

	/* A kernel that does not know the last member says E2BIG: the same as "no such scope". */
	if (ruleset < 0)
		return ruleset == -E2BIG ? -EINVAL : ruleset;
	r = sys_landlock_restrict_self((int)ruleset, 0);
	sys_close((int)ruleset);
	return r;
}
