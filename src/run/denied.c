/* SPDX-License-Identifier: MIT */
#include "run/denied.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "model/filter.h"

#define US_PER_MS 1000

/* As many as the log of a busy host has. */
#define MAX_RECORDS 20000
/* Above it the facility is not the kernel's: anybody who may write to the log has written it. */
#define PRIORITY_MAX 7

/* "PRIORITY,NUMBER,TIME,FLAGS;TEXT": the text, if the kernel itself has written it; or NULL. */
static const char *kernels_text(const char *record)
{
	unsigned priority;
	const char *text = strchr(record, ';');
	if (!text || sscanf(record, "%u,", &priority) != 1 || priority > PRIORITY_MAX)
		return NULL;
	return text + 1;
}

/*
 * "audit: type=1326 audit(T:N): … pid=P comm="…" exe="…" sig=31 arch=A syscall=N …". A name with blanks or
 * quotes in it is written in hexadecimal, so that none looks like a field.
 */
bool denied_parse(const char *record, pid_t pid, struct denied_call *ret)
{
	static const char head[] = "audit: type=1326 ";
	const char *text = kernels_text(record);
	const char *process = text ? strstr(text, " pid=") : NULL;
	const char *call = text ? strstr(text, " sig=") : NULL;
	struct denied_call found = {.known = true};
	int of, signal;
	if (!process || !call || strncmp(text, head, strlen(head)) != 0)
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
	char record[8192];
	for (int i = 0; i < MAX_RECORDS; i++) {
		ssize_t n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && (errno == EPIPE || errno == EINVAL || errno == EINTR))
			continue; /* overwritten meanwhile, or longer than any that we look for */
		if (n <= 0)
			return;
		record[n] = 0;
		record[strcspn(record, "\n")] = 0;
		denied_parse(record, pid, ret);
	}
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
	cleanup_fd int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	wait_for_record(fd, o->leader_pid, call);
	if (!call->known)
		return;
	call->name = filter_call_name(call->arch, call->number, a);
	uint32_t fate = filter_fate(plan->filter, plan->n_filter, call->arch, call->number);
	call->by_filter = (fate & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_KILL_PROCESS;
}
