/* SPDX-License-Identifier: MIT */
#include "warden/self.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "warden/seize.h"

/* What ends others of our session, or comes by accident. SIGTERM is the order to end, SIGCHLD about those we hold. */
static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGTSTP, SIGTTIN,
	SIGTTOU, SIGXFSZ, SIGWINCH, SIGCONT};

static void set_signals(void)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN}, as_ever = {.sa_handler = SIG_DFL};
	sigset_t none;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		sigaction(ignored[i], &ignore, NULL);
	/* ignored by whoever started us, the kernel would reap for us what we wait for */
	sigaction(SIGCHLD, &as_ever, NULL);
	sigaction(SIGTERM, &as_ever, NULL);
	seize_init();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_limits(void)
{
	const struct rlimit no_core = {0, 0};
	struct rlimit files;
	setrlimit(RLIMIT_CORE, &no_core);
	/* a descriptor for each call in flight, and a few for each run */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

int self_confine(struct error *e)
{
	set_signals();
	set_limits();
	setsid(); /* fails if we lead one already */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot confine the warden");
	return 0;
}
