/* SPDX-License-Identifier: MIT */
#include "kernel/notify.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include "kernel/sys.h"

#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#endif

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* The kernel copies as much as it knows of; what a later one adds must find room. */
union notification {
	struct seccomp_notif notif;
	unsigned char room[256];
};
union response {
	struct seccomp_notif_resp resp;
	unsigned char room[128];
};

int notify_probe(void)
{
	struct seccomp_notif_sizes sizes = {0};
	int r = sys_seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes);
	if (r < 0)
		return r;
	bool fits = sizes.seccomp_notif >= sizeof(struct seccomp_notif) &&
		sizes.seccomp_notif <= sizeof(union notification) &&
		sizes.seccomp_notif_resp >= sizeof(struct seccomp_notif_resp) &&
		sizes.seccomp_notif_resp <= sizeof(union response) &&
		sizes.seccomp_data >= sizeof(struct seccomp_data);
	return fits ? 0 : -EINVAL;
}

bool notify_waits_killably(void)
{
	/* an unknown flag is refused before the program is looked for */
	return sys_seccomp(SECCOMP_SET_MODE_FILTER,
		       SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		       NULL) == -EFAULT;
}

bool notify_is_listener(int fd)
{
	uint64_t none = UINT64_MAX;
	/* ids count up from a random number: this one is not given out, and other files know no such call */
	int r = sys_ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, SYS_PTR(&none));
	return r == -ENOENT || r == 0;
}

int notify_wake_in_step(int listener)
{
	return sys_ioctl(
		listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

int notify_receive(int listener, struct notify_call *ret)
{
	union notification n = {.room = {0}}; /* the kernel wants zeros */
	int r = sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, SYS_PTR(&n));
	if (r < 0)
		return r;
	*ret = (struct notify_call){
		.id = n.notif.id,
		.tid = (pid_t)n.notif.pid,
		.nr = n.notif.data.nr,
		.arch = n.notif.data.arch,
		.instruction = n.notif.data.instruction_pointer,
	};
	for (unsigned i = 0; i < NOTIFY_ARGS; i++)
		ret->args[i] = n.notif.data.args[i];
	return 0;
}

bool notify_valid(int listener, uint64_t id)
{
	return sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, SYS_PTR(&id)) == 0;
}

static int answer(int listener, uint64_t id, int error, unsigned flags)
{
	union response r = {.room = {0}};
	r.resp.id = id;
	r.resp.error = error;
	r.resp.flags = flags;
	return sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, SYS_PTR(&r));
}

int notify_continue(int listener, uint64_t id)
{
	return answer(listener, id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

int notify_fail(int listener, uint64_t id, int errnum)
{
	return answer(listener, id, -errnum, 0);
}
