/* SPDX-License-Identifier: MIT */
#include "run/group-name.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"
#include "kernel/proc-stat.h"

#define PREFIX "bulkhead-"

/* The number in "pid:[4026531836]", which the link is, without looking up what it points to. */
static uint64_t own_pid_namespace(void)
{
	char text[64];
	uint64_t inode = 0;
	ssize_t n = readlink("/proc/self/ns/pid", text, sizeof(text) - 1);
	if (n < 0)
		return 0;
	text[n] = '\0';
	return sscanf(text, "pid:[%" SCNu64 "]", &inode) == 1 ? inode : 0;
}

/* /proc may be of another pid namespace, with other numbers in it. */
static bool proc_is_ours(void)
{
	char text[16], own[16];
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);
	if (n < 0)
		return false;
	text[n] = '\0';
	snprintf(own, sizeof(own), "%d", getpid());
	return strcmp(text, own) == 0;
}

const struct group_owner *group_owner_self(void)
{
	static struct group_owner self;
	if (self.pid != getpid()) {
		struct proc_stat stat;
		self = (struct group_owner){.pid_namespace = own_pid_namespace(), .pid = getpid()};
		if (proc_is_ours() && proc_stat_read(-1, self.pid, &stat))
			self.start = stat.starttime;
	}
	return &self;
}

static bool id_is_valid(const char *id)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";
	size_t n = strlen(id);
	return n > 0 && n <= GROUP_ID_MAX && strspn(id, allowed) == n;
}

bool group_name_format(char *out, const struct group_owner *owner, const char *id)
{
	if (!id_is_valid(id))
		return false;
	snprintf(out, GROUP_NAME_SIZE, PREFIX "%" PRIu64 ".%d.%" PRIu64 "-%s", owner->pid_namespace,
		owner->pid, owner->start, id);
	return true;
}

/* A decimal number up to @stop, written the one way that we write it. */
static bool take_number(const char **p, char stop, uint64_t max, uint64_t *ret)
{
	char digits[24];
	const char *end = strchr(*p, stop);
	size_t n = end == NULL ? 0 : (size_t)(end - *p);
	if (n == 0 || n >= sizeof(digits) || (n > 1 && **p == '0'))
		return false;
	memcpy(digits, *p, n);
	digits[n] = '\0';
	if (parse_u64(digits, max, ret) < 0)
		return false;
	*p = end + 1;
	return true;
}

bool group_name_parse(const char *name, struct group_owner *ret, const char **ret_id)
{
	const char *p = name;
	uint64_t inode, pid, start;
	if (strncmp(p, PREFIX, strlen(PREFIX)) != 0)
		return false;
	p += strlen(PREFIX);
	if (!take_number(&p, '.', UINT64_MAX, &inode) || !take_number(&p, '.', INT32_MAX, &pid) ||
		!take_number(&p, '-', UINT64_MAX, &start) || inode == 0 || pid == 0 ||
		!id_is_valid(p))
		return false;
	*ret = (struct group_owner){.pid_namespace = inode, .pid = (pid_t)pid, .start = start};
	*ret_id = p;
	return true;
}

bool group_owner_is_dead(const struct group_owner *owner)
{
	struct proc_stat stat;
	const struct group_owner *self = group_owner_self();
	if (owner->pid_namespace != self->pid_namespace || self->pid_namespace == 0)
		return false;
	/* kill() sees also what a /proc with hidepid hides. */
	if (kill(owner->pid, 0) < 0 && errno == ESRCH)
		return true;
	if (owner->start == 0 || self->start == 0)
		return false;
	if (!proc_stat_read(-1, owner->pid, &stat))
		return false;
	return stat.starttime != owner->start || stat.state == 'Z' || stat.state == 'X';
}
