/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <sys/prctl.h>

#include "kernel/cred.h"
#include "kernel/sys.h"

#define CAP_HEADER ((struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3})

/* Capability sets are two words of 32 bits: there are no more numbers than these. */
#define MAX_CAPS 64

#define SECUREBITS                                                                                 \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED |                          \
		SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static long set_groups(gid_t gid)
{
	long r = sys_setgroups(0, NULL);

	/* EPERM with CAP_SETGID: /proc/PID/setgroups says deny, see user_namespaces(7). */
	if (r < 0 && r != -EPERM)
		return r;
	return sys_setresgid(gid, gid, gid);
}

/* The kernel empties the effective set when root becomes someone else: fill it up again. */
static long raise_permitted(void)
{
	struct __user_cap_header_struct header = CAP_HEADER;
	struct __user_cap_data_struct sets[2] = {{0}};
	long r = sys_capget(&header, sets);

	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++)
		sets[i].effective = sets[i].permitted;
	return sys_capset(&header, sets);
}

long cred_set_ids(uid_t uid, gid_t gid)
{
	bool leaves_root = uid != 0 && sys_getuid() == 0;
	long r = set_groups(gid);

	if (r == 0 && leaves_root)
		r = sys_prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (r == 0)
		r = sys_setresuid(uid, uid, uid);
	if (r == 0 && leaves_root)
		r = raise_permitted();
	return r;
}

long cred_no_new_privs(void)
{
	return sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/*
 * Only what is held is dropped: asking is a tenth of the price. Above the kernel's last
 * capability the question itself is refused.
 */
long cred_drop_bounding(void)
{
	for (long cap = 0; cap < MAX_CAPS; cap++) {
		long r = sys_prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (r == -EINVAL)
			break;
		if (r == 1)
			r = sys_prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

static long lock_securebits(void)
{
	long now = sys_prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);

	if (now < 0 || (now & SECUREBITS) == SECUREBITS)
		return now < 0 ? now : 0;
	return sys_prctl(PR_SET_SECUREBITS, SECUREBITS | (now & ~(long)SECBIT_KEEP_CAPS), 0, 0, 0);
}

long cred_drop_all_caps(void)
{
	struct __user_cap_header_struct header = CAP_HEADER;
	static const struct __user_cap_data_struct none[2];
	long r = cred_drop_bounding();

	if (r == 0)
		r = lock_securebits();
	if (r == 0)
		r = sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return r == 0 ? sys_capset(&header, none) : r;
}
