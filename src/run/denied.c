/* SPDX-License-Identifier: MIT */
#include "run/denied.h"

#include <linux/seccomp.h>
#include <poll.h>
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

static void wait_for_record(int fd, pid_t pid, struct denied_call *ret)
{
	uint64_t end = time_monotonic_us() + DENIED_WAIT_MS * US_PER_MS, now;
	read_log(fd, pid, ret);
	while (!ret->known && (now = time_monotonic_us()) < end) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, (int)((end - now) / US_PER_MS) + 1) <= 0)
			return;
		read_log(fd, pid, ret);
	}
}

void denied_find(struct observation *o, const struct plan *plan, struct arena *a)
{
	struct denied_call *call = &o->denied;
	if (o->wait != WAIT_SIGNALED || o->term_signal != SIGSYS || o->leader_pid == 0)
		return;
	cleanup_fd int fd = kmsg_open();
	if (fd < 0)
		return;
	wait_for_record(fd, o->leader_pid, call);
	if (!call->known)
		return;
	call->name = filter_call_name(call->arch, call->number, a);
	uint32_t fate = filter_fate(plan->filter, plan->n_filter, call->arch, call->number);
	call->by_filter = (fate & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_KILL_PROCESS;
}
