/* SPDX-License-Identifier: MIT */
#include "run/denied.h"

#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/time.h"
#include "model/filter.h"
#include "run/kmsg.h"

#define US_PER_MS 1000

/*
 * "audit: type=1326 audit(T:N): … pid=P comm="…" exe="…" sig=31 arch=A syscall=N …". A name with blanks or
 * quotes in it is written in hexadecimal, so that none looks like a field.
 */
bool denied_parse(const char *record, pid_t pid, struct denied_call *ret)
{
	static const char head[] = "audit: type=1326 ";
	const char *text = kmsg_text(record, head);
	const char *process = text ? strstr(text, " pid=") : NULL;
	const char *call = text ? strstr(text, " sig=") : NULL;
	struct denied_call found = {.known = true};
	int of, signal;
	if (!process || !call)
		return false;
	if (sscanf(process, " pid=%d", &of) != 1 || of != pid ||
		sscanf(call, " sig=%d arch=%x syscall=%u", &signal, &found.arch, &found.number) !=
			3 ||
		signal != SIGSYS)
		return false;
	*ret = found;
	return true;
}

/* The last one of @pid that there is by now; the records are whole, and nothing is waited for. */
static void read_log(int fd, pid_t pid, struct denied_call *ret)
{
	char record[KMSG_RECORD_SIZE];
	for (int i = 0; i < KMSG_MAX_RECORDS && kmsg_next(fd, record); i++)
		denied_parse(record, pid, ret);
}

void denied_begin(struct denied *d, const struct observation *o)
{
	bool killed = o->wait == WAIT_SIGNALED && o->term_signal == SIGSYS && o->leader_pid != 0;
	*d = DENIED_INIT;
	if (!killed)
		return;
	d->fd = kmsg_open();
	d->until_us = time_monotonic_us() + (uint64_t)DENIED_WAIT_MS * US_PER_MS;
}

static void judge(struct denied_call *call, const struct plan *plan, struct arena *a)
{
	call->name = filter_call_name(call->arch, call->number, a);
	uint32_t fate = filter_fate(plan->filter, plan->n_filter, call->arch, call->number);
	call->by_filter = (fate & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_KILL_PROCESS;
}

bool denied_look(struct denied *d, struct observation *o, const struct plan *plan, struct arena *a)
{
	if (d->fd < 0)
		return true;
	read_log(d->fd, o->leader_pid, &o->denied);
	if (!o->denied.known && time_monotonic_us() < d->until_us)
		return false;
	if (o->denied.known)
		judge(&o->denied, plan, a);
	denied_close(d);
	return true;
}

void denied_close(struct denied *d)
{
	d->fd = fd_close(d->fd);
}
