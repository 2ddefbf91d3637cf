/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "kernel/sys.h"
#include "run/foreground.h"

/* ---- which are ours ---- */

/*
 * What the caller wants to be ignored (nohup, a script's job in the background) is ignored by the
 * program, which inherits that, and not read by us as a wish to end it.
 */
static bool is_left_ignored(int sig)
{
	struct sigaction now;
	return (sig == SIGHUP || sig == SIGINT || sig == SIGQUIT) &&
		sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static void handled_signals(sigset_t *ret)
{
	static const int list[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH,
		SIGUSR1, SIGUSR2, SIGCHLD};
	sigemptyset(ret);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (!is_left_ignored(list[i]))
			sigaddset(ret, list[i]);
}

static sigset_t callers_mask;
static bool pipe_was_ignored;

void run_block_signals(void)
{
	sigset_t set;
	handled_signals(&set);
	sigaddset(&set, SIGTTOU); /* taking the terminal back is no reason to be stopped */
	sigaddset(&set, SIGXFSZ); /* a record beyond the caller's RLIMIT_FSIZE is lost, not we */
	sigprocmask(SIG_BLOCK, &set, &callers_mask);
	/* ignored, the kernel would reap our children itself, and no status be left to learn */
	signal(SIGCHLD, SIG_DFL);
	pipe_was_ignored = signal(SIGPIPE, SIG_IGN) == SIG_IGN;
}

bool run_pipe_was_ignored(void)
{
	return pipe_was_ignored;
}

const sigset_t *run_callers_mask(void)
{
	return &callers_mask;
}

int signals_open(void)
{
	sigset_t set;
	handled_signals(&set);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* ---- what each does ---- */

/*
 * Who shares the terminal is of our process group: a shell's `fg` has told it already, as a rule, when it tells
 * us. A second CONT would interrupt what it is doing (a full-screen program that draws its screen anew loses a part
 * of that), or undo the next stop.
 */
static void let_go_on(struct foreground *f)
{
	struct subject *s = &f->spawn.subject;
	if (terminal_is_shared(&f->terminal) && !s->payload_reaped &&
		terminal_program_goes_on(s->payload))
		return;
	if (!terminal_stop_is_pending(&f->terminal)) /* else it has been stopped anew meanwhile */
		subject_signal_group(s, SIGCONT);
}

/*
 * With a terminal of the program's own, and stdin none: a Ctrl-Z in the caller's is no byte of the
 * input, but a signal, which has come to us alone. False if there was none.
 */
static bool stop_as_told(struct foreground *f, uint64_t *ret_stopped_us)
{
	uint64_t before = time_monotonic_us();
	sigset_t cont;
	if (!f->terminal.told_to_stop)
		return false;
	f->terminal.told_to_stop = false;
	terminal_stop_as_told();
	/* the CONT that has ended it is not to be passed on twice */
	sigemptyset(&cont);
	sigaddset(&cont, SIGCONT);
	sigtimedwait(&cont, NULL, &(struct timespec){0});
	*ret_stopped_us = time_monotonic_us() - before;
	return true;
}

static void on_child(struct foreground *f)
{
	struct watch *w = &f->watch;
	struct subject *s = &f->spawn.subject;
	siginfo_t info = {0};
	bool tty = f->request->plan->tty;
	if (w->state != WATCH_RUNNING || s->payload_reaped ||
		!(tty || terminal_is_shared(&f->terminal)))
		return;
	if (sys_waitid(P_PIDFD, s->payload_pidfd, &info, WSTOPPED | WNOHANG, NULL) < 0 ||
		info.si_pid == 0)
		return;
	uint64_t stopped_us;
	if (!terminal_may_stop(&f->terminal))
		return;
	if (!tty)
		terminal_stop_self(&f->terminal, &stopped_us);
	else if (!relay_suspend(&f->relay, &stopped_us) && !stop_as_told(f, &stopped_us))
		return;
	w->stopped_us += stopped_us;
	f->output.last_us += stopped_us;
	let_go_on(f);
	uv_update_time(&f->loop);
}

/*
 * In a session of its own the payload is an orphan to job control (its parent is in another one), and
 * TSTP, if it does not catch that, would do nothing.
 */
static int meant_by(const struct foreground *f, int sig)
{
	pid_t payload = f->spawn.subject.payload;
	return sig == SIGTSTP && getsid(payload) == payload ? SIGSTOP : sig;
}

static void pass_on(struct foreground *f, int sig)
{
	if (sig == SIGCONT)
		let_go_on(f);
	else
		subject_signal(&f->spawn.subject, meant_by(f, sig));
}

/* Of a stop and what continues it the last one counts, as for the kernel. */
static void keep_other(sigset_t *others, int sig)
{
	if (sig == SIGCONT)
		sigdelset(others, SIGTSTP);
	if (sig == SIGTSTP)
		sigdelset(others, SIGCONT);
	sigaddset(others, sig);
}

/*
 * The program may run, and its caller know it, before we have read that it does: what a first
 * signal asks for waits until then. A second request to end is not kept waiting.
 */
static bool keep_early(struct foreground *f, int sig, pid_t pid, uid_t uid, bool from_terminal)
{
	struct early_signals *early = &f->early;
	if (f->watch.state != WATCH_STARTING || early->cancel)
		return false;
	if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP) {
		early->cancel = sig;
		early->pid = pid;
		early->uid = uid;
		early->from_terminal = from_terminal;
	} else if (sig != SIGCHLD) {
		keep_other(&early->others, sig);
	}
	return true;
}

void signals_act_on_early(struct foreground *f)
{
	const struct early_signals early = f->early;
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&early.others, sig) == 1)
			pass_on(f, sig);
	if (early.cancel && early.from_terminal &&
		terminal_told_all(&f->terminal, f->spawn.subject.payload, early.cancel))
		pass_on(f, early.cancel); /* the terminal's own may have come before the process */
	if (early.cancel)
		killer_cancel(&f->watch, early.cancel, early.pid, early.uid, early.from_terminal);
	if (terminal_is_shared(&f->terminal) && terminal_stop_is_pending(&f->terminal))
		pass_on(f, SIGTSTP); /* likewise */
	on_child(f); /* it may have stopped itself already */
}

static void on_signal(struct foreground *f, const struct signalfd_siginfo *s)
{
	int sig = (int)s->ssi_signo;
	bool from_kernel = s->ssi_code > 0; /* SI_KERNEL: the terminal */
	pid_t pid = from_kernel ? 0 : (pid_t)s->ssi_pid;
	bool ending = f->watch.state > WATCH_RUNNING || f->early.cancel;
	if (sig == SIGCHLD)
		warden_look(&f->warden); /* whatever the state: a stopped one holds up all others */
	if (f->over)
		return;
	if (f->request->plan->tty && relay_signal(&f->relay, sig, ending))
		return;
	if (sig == SIGTSTP && from_kernel)
		terminal_note_stop(&f->terminal);
	if (keep_early(f, sig, pid, s->ssi_uid, from_kernel))
		return;
	switch (sig) {
	case SIGCHLD:
		on_child(f);
		break;
	case SIGINT:
	case SIGTERM:
	case SIGHUP:
		killer_cancel(&f->watch, sig, pid, s->ssi_uid, from_kernel);
		break;
	default:
		/* WINCH, QUIT, TSTP, CONT, USR1, USR2: the payload's, unless it has got it already */
		if (!from_kernel)
			pass_on(f, sig);
		else if (!terminal_told_all(&f->terminal, f->spawn.subject.payload, sig))
			subject_signal_group(&f->spawn.subject, meant_by(f, sig));
	}
}

void signals_read(uv_poll_t *handle, int status, int events)
{
	struct foreground *f = handle->data;
	struct signalfd_siginfo info;
	(void)status;
	(void)events;
	while (read(f->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(f, &info);
}
