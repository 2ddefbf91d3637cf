/* SPDX-License-Identifier: MIT */
#include "run/raw-mode.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/sys.h"
#include "run/run.h"

/*
 * TCSANOW throughout: waiting for the output to drain would be waiting for a terminal that its user
 * may have stopped (Ctrl-S).
 */
static bool set(const struct raw_mode *m, const struct termios *modes)
{
	return tcsetattr(m->fd, TCSANOW, modes) == 0;
}

static bool is_background(int fd)
{
	pid_t foreground = tcgetpgrp(fd); /* -1: it is not our session's terminal */
	return foreground >= 0 && foreground != getpgrp();
}

static bool same_modes(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
		a->c_lflag == b->c_lflag && memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc)) == 0;
}

/* ---- the keeper ---- */

/* It holds nothing of the caller's but the terminal: a pipe kept open here would never end. */
static void drop_all_but(int *terminal, int *pipe)
{
	int kept[2] = {dup(*terminal), dup(*pipe)};
	if (kept[0] < 0 || kept[1] < 0 || dup2(kept[0], 0) < 0 || dup2(kept[1], 1) < 0)
		_exit(1);
	sys_close_range(2, ~0u, 0);
	*terminal = 0;
	*pipe = 1;
}

static _Noreturn void keep(const struct raw_mode *m, int pipe)
{
	int terminal = m->fd;
	struct termios now;
	char byte;
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	drop_all_but(&terminal, &pipe);
	if (read(pipe, &byte, 1) == 0 && tcgetattr(terminal, &now) == 0 &&
		same_modes(&now, &m->raw))
		tcsetattr(terminal, TCSANOW, &m->before);
	_exit(0);
}

/* Without a keeper all is as well but for the one case, so its failure is none. */
static void start_keeper(struct raw_mode *m)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	m->keeper = fork();
	if (m->keeper == 0) {
		close(ends[1]);
		keep(m, ends[0]);
	}
	fd_close(ends[0]);
	if (m->keeper > 0)
		m->keeper_pipe = ends[1];
	else
		fd_close(ends[1]);
}

static void end_keeper(struct raw_mode *m)
{
	/* not reaped yet, so the number is still its own */
	if (m->keeper > 0) {
		kill(m->keeper, SIGKILL);
		waitpid(m->keeper, NULL, 0);
	}
	m->keeper = 0;
	m->keeper_pipe = fd_close(m->keeper_pipe);
}

/* ---- in and out ---- */

/*
 * With the caller's own mask the kernel stops us (SIGTTOU) at an operation for the foreground only,
 * one that does nothing, and does it when the shell has put us there; or the user ends the job.
 */
void raw_mode_wait(int fd)
{
	sigset_t mask;
	if (!is_background(fd))
		return;
	sigprocmask(SIG_SETMASK, run_callers_mask(), &mask);
	tcflow(fd, TCOON);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

void raw_mode_open(struct raw_mode *m, int fd)
{
	*m = RAW_MODE_INIT;
	if (tcgetattr(fd, &m->before) < 0)
		return;
	m->fd = fd;
	m->raw = m->before;
	cfmakeraw(&m->raw);
	m->raw.c_cc[VMIN] = 1;
	m->raw.c_cc[VTIME] = 0;
	m->on = !is_background(fd) && set(m, &m->raw);
	tcgetattr(fd, &m->raw); /* as the driver has understood them */
	if (m->on)
		start_keeper(m);
}

void raw_mode_leave(struct raw_mode *m)
{
	if (m->on && !is_background(m->fd))
		set(m, &m->before);
	m->on = false;
}

bool raw_mode_again(struct raw_mode *m)
{
	if (m->fd < 0)
		return true;
	bool ours = !is_background(m->fd);
	/* stopped by a STOP we have not left it, and the modes are somebody else's by now */
	m->on = ours && set(m, &m->raw);
	return ours;
}

void raw_mode_close(struct raw_mode *m)
{
	raw_mode_leave(m);
	end_keeper(m);
	m->fd = -1;
}
