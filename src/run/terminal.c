/* SPDX-License-Identifier: MIT */
#include "run/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "kernel/proc-stat.h"

/*
 * Who reads in the background has the kernel stop its whole group. We stop when the payload has,
 * so that the time is known to be none of its own, and to be sure that it has.
 */
static void block_stop_for_reading(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTTIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

void terminal_open(struct terminal *t)
{
	*t = (struct terminal){.fd = -1, .group = getpgrp()};
	t->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return;
	block_stop_for_reading();
	t->leader = getsid(0) == getpid();
	t->foreground = tcgetpgrp(t->fd) == t->group;
	/* who is not the last of a pipeline does not own the screen: a pager has it, in modes of its own */
	t->modes_known =
		t->foreground && isatty(STDOUT_FILENO) == 1 && tcgetattr(t->fd, &t->modes) == 0;
}

bool terminal_is_shared(const struct terminal *t)
{
	return t->fd >= 0;
}

bool terminal_told_all(const struct terminal *t, pid_t payload, int sig)
{
	return terminal_is_shared(t) && getpgid(payload) == t->group &&
		!(sig == SIGHUP && t->leader);
}

void terminal_note_stop(struct terminal *t)
{
	t->told_to_stop = true;
}

/* What was pending since has not stopped the program if we are in the foreground by now. */
static bool is_in_background(const struct terminal *t)
{
	return terminal_is_shared(t) && tcgetpgrp(t->fd) != t->group;
}

bool terminal_stop_is_pending(const struct terminal *t)
{
	sigset_t pending;
	if (sigpending(&pending) < 0)
		return false;
	bool access = sigismember(&pending, SIGTTIN) == 1 || sigismember(&pending, SIGTTOU) == 1;
	return sigismember(&pending, SIGTSTP) == 1 || (access && is_in_background(t));
}

bool terminal_may_stop(const struct terminal *t)
{
	pid_t parent = getppid();
	return t->told_to_stop || terminal_stop_is_pending(t) ||
		(getsid(parent) == getsid(0) && getpgid(parent) != getpgrp());
}

/* SIGTTOU, which is what a background process gets for this, is blocked in the supervisor. */
static void give_terminal_to(const struct terminal *t, pid_t group)
{
	if (t->fd >= 0 && group > 0)
		tcsetpgrp(t->fd, group);
}

/* What stands behind @name, "\nNAME:", in a process's status, put into @text. Empty: there is none. */
static const char *status_of(pid_t pid, const char *name, char *text, size_t size)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	const char *p = file_read_text(-1, path, text, size) > 0 ? strstr(text, name) : NULL;
	return p ? p + strlen(name) : "";
}

/* In how many pid namespaces a process has a number, from ours inwards; 0 if there is none. */
static int namespaces_of(pid_t pid)
{
	char text[4096];
	int n = 0;
	for (const char *p = status_of(pid, "\nNSpid:", text, sizeof(text)); *p && *p != '\n'; p++)
		n += *p == '\t';
	return n;
}

static bool stop_is_on_its_way_to(pid_t pid)
{
	static const int stops[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
	char text[4096];
	uint64_t pending = strtoull(status_of(pid, "\nShdPnd:", text, sizeof(text)), NULL, 16);
	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
		if (pending >> (stops[i] - 1) & 1)
			return true;
	return false;
}

bool terminal_program_goes_on(pid_t payload)
{
	struct proc_stat stat;
	/* in this order: what was on its way may have come meanwhile, not the other way round */
	return !stop_is_on_its_way_to(payload) && proc_stat_read(-1, payload, &stat) &&
		!strchr("TtZ", stat.state);
}

/*
 * A group of the box's own making. When we stop in the midst of a script, the shell above may have
 * taken the terminal already: it is not for us to give that back to it.
 */
static bool is_of_box(pid_t group)
{
	return group > 0 && namespaces_of(group) > namespaces_of(getpid());
}

void terminal_stop_self(struct terminal *t, uint64_t *ret_stopped_us)
{
	uint64_t before = time_monotonic_us();
	pid_t had = t->fd >= 0 ? tcgetpgrp(t->fd) : -1;
	/* SIGSTOP: the others are not delivered to an orphaned process group */
	raise(SIGSTOP);
	t->told_to_stop = false;
	*ret_stopped_us = time_monotonic_us() - before;
	/* a shell puts our group into the foreground; what runs inside may have one of its own */
	if (t->foreground && is_of_box(had) && tcgetpgrp(t->fd) == t->group)
		give_terminal_to(t, had);
}

void terminal_stop_as_told(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL); /* here it is done, or not */
	sigprocmask(SIG_BLOCK, &set, NULL);
}

void terminal_close(struct terminal *t, bool killed)
{
	if (t->fd < 0)
		return;
	/* all groups of the box are gone: one that is there is the caller's, who put us aside */
	pid_t has = tcgetpgrp(t->fd);
	if (t->foreground && has != t->group && kill(-has, 0) < 0 && errno == ESRCH)
		give_terminal_to(t, t->group);
	/* not TCSADRAIN: its user may have stopped the terminal (Ctrl-S) */
	if (killed && t->modes_known && tcgetpgrp(t->fd) == t->group)
		tcsetattr(t->fd, TCSANOW, &t->modes);
	t->fd = fd_close(t->fd);
}
