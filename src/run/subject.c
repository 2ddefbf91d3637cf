/* SPDX-License-Identifier: MIT */
#include "run/subject.h"

#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "jail/box.h"
#include "kernel/sys.h"

bool subject_has_init(const struct subject *s)
{
	return !s->kept && s->init_pidfd >= 0;
}

void subject_tell_ended(struct subject *s)
{
	static const char word = LIFE_ENDED;
	if (s->life_fd < 0)
		return;
	/* an init that is dead already leaves nobody to be told */
	ssize_t n = write(s->life_fd, &word, 1);
	(void)n;
	s->life_fd = fd_close(s->life_fd);
}

static void send_signal(int pidfd, int sig)
{
	if (pidfd >= 0)
		sys_pidfd_send_signal(pidfd, sig, NULL, 0);
}

void subject_signal(const struct subject *s, int sig)
{
	if (!s->payload_reaped)
		send_signal(s->payload_pidfd, sig);
}

void subject_signal_group(const struct subject *s, int sig)
{
	/* not reaped, so the number is its own, and its group's */
	if (!s->payload_reaped && s->payload > 0 && getpgid(s->payload) == s->payload)
		kill(-s->payload, sig);
	else
		subject_signal(s, sig);
}

void subject_kill(const struct subject *s)
{
	send_signal(s->maker_pidfd, SIGKILL);
	if (!subject_has_init(s))
		subject_signal(s, SIGKILL); /* else it goes with init */
	else if (!s->init_reaped)
		send_signal(s->init_pidfd, SIGKILL);
}

void subject_fini(struct subject *s)
{
	s->maker_pidfd = fd_close(s->maker_pidfd);
	s->payload_pidfd = fd_close(s->payload_pidfd);
	s->init_pidfd = fd_close(s->init_pidfd);
	s->life_fd = fd_close(s->life_fd);
	s->root = fd_close(s->root);
}
