/* SPDX-License-Identifier: MIT */
#ifndef JAIL_ALLOW_LIST_H
#define JAIL_ALLOW_LIST_H

/*
 * What may be executed under a policy that denies by default, besides what the warden says of it: the programs
 * that its rules allow, what scripts among them name as their interpreter, and the loaders of all of these;
 * as they are found in the box. The warden judges each exec by itself: this is the wall behind it, for what
 * should never have come so far.
 */
struct allow_list {
	const char
		*names; /* a line for each: a base name, looked up in path, or an absolute path */
	const char *path; /* as in PATH; what is not absolute in it is passed over */
};

/* For landlock_confinement.allow; @data is a struct allow_list. What is not there is passed over. */
long allow_list_put(int ruleset, const void *data);

#endif
