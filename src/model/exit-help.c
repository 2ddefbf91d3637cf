/* SPDX-License-Identifier: MIT */
#include "model/exit-help.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"
#include "model/cause.h"
#include "model/signal-name.h"
#include "model/words.h"

#define RAW_MAX (255 * 256)

/* ---- the number ---- */

static struct exit_number from_signal(int signal)
{
	return (struct exit_number){.status = 128 + signal, .signal = signal, .negative = true};
}

static struct exit_number from_status(uint64_t status)
{
	struct exit_number n = {.raw = status > 255};

	n.status = (int)(n.raw ? status / 256 : status);
	n.signal = n.status > 128 && n.status <= 128 + SIGNAL_MAX ? n.status - 128 : 0;
	return n;
}

int exit_number_parse(struct exit_number *ret, const char *text, struct error *e)
{
	uint64_t value;
	int named = signal_from_name(text);

	if (named > 0) {
		*ret = from_signal(named);
		return 0;
	}
	if (text[0] == '-' && parse_u64(text + 1, SIGNAL_MAX, &value) == 0 && value > 0) {
		*ret = from_signal((int)value);
		return 0;
	}
	if (parse_u64(text, RAW_MAX, &value) == 0 && (value <= 255 || value % 256 == 0)) {
		*ret = from_status(value);
		return 0;
	}
	return error_set(e, BLAME_REQUEST, 0,
		"no exit status: 0 to 255, -1 to -%d or a signal's name, or 256 times a status as "
		"wait(2) has it",
		SIGNAL_MAX);
}

/* ---- which causes make it ---- */

enum { STATUSES_MAX = 5 };

/* What each cause looks like as a rule; up to a 0, but for ok. */
static const struct {
	int statuses[STATUSES_MAX];
	bool any_signal; /* 128+N for every N */
	bool any_own; /* whatever the program itself may say */
} looks[] = {
	[CAUSE_OK] = {{0}},
	[CAUSE_EXIT_NONZERO] = {{0}, .any_own = true},
	[CAUSE_CRASH] = {{128 + SIGSEGV, 128 + SIGABRT, 128 + SIGBUS, 128 + SIGFPE, 128 + SIGILL},
		.any_signal = true},
	[CAUSE_MEMORY_LIMIT] = {{128 + SIGKILL}, .any_own = true}, /* without a memory cgroup */
	[CAUSE_MEMORY_ANCESTOR] = {{128 + SIGKILL}},
	[CAUSE_MEMORY_HOST] = {{128 + SIGKILL}},
	[CAUSE_MEMORY_DAEMON] = {{128 + SIGKILL, 128 + SIGTERM}, .any_signal = true},
	[CAUSE_ADDRESS_SPACE] = {{128 + SIGSEGV, 128 + SIGABRT, 127, 1}, .any_own = true},
	[CAUSE_CPU_TIME_LIMIT] = {{128 + SIGXCPU, 128 + SIGKILL, 128 + SIGTERM}, .any_own = true},
	[CAUSE_WALL_TIMEOUT] = {{EXIT_TIMEOUT}},
	[CAUSE_IDLE_TIMEOUT] = {{EXIT_TIMEOUT}},
	[CAUSE_OUTPUT_LIMIT] = {{128 + SIGKILL}, .any_own = true},
	[CAUSE_FILE_SIZE_LIMIT] = {{128 + SIGXFSZ}, .any_own = true},
	[CAUSE_DISK_LIMIT] = {{1}, .any_own = true},
	[CAUSE_PIDS_LIMIT] = {{1}, .any_own = true},
	[CAUSE_EXEC_DENIED] = {{EXIT_NOT_EXECUTABLE, 128 + SIGKILL}, .any_own = true},
	[CAUSE_SYSCALL_DENIED] = {{128 + SIGSYS}, .any_own = true},
	[CAUSE_CANCELLED] = {{128 + SIGINT, 128 + SIGTERM, 128 + SIGHUP, 128 + SIGKILL},
		.any_own = true},
	[CAUSE_SHUTDOWN] = {{128 + SIGTERM, 128 + SIGKILL}, .any_own = true},
	[CAUSE_EXTERNAL_KILL] = {{128 + SIGKILL, 128 + SIGTERM, 128 + SIGHUP, 128 + SIGINT},
		.any_signal = true},
	[CAUSE_NOT_FOUND] = {{EXIT_NOT_FOUND}},
	[CAUSE_NOT_EXECUTABLE] = {{EXIT_NOT_EXECUTABLE}},
	[CAUSE_SETUP_FAILED] = {{EXIT_REFUSED}},
	[CAUSE_SUPERVISOR_LOST] = {{EXIT_REFUSED}, .any_own = true},
	[CAUSE_COOLDOWN] = {{EXIT_NOT_RUN}},
	[CAUSE_BREAKER_OPEN] = {{EXIT_NOT_RUN}},
};
static_assert(sizeof looks / sizeof *looks == CAUSE_COUNT_, "each cause has its statuses");

bool exit_may_be(enum cause cause, int status, bool *ret_typical)
{
	bool cancelled = cause == CAUSE_CANCELLED; /* it may take its time to end well */

	*ret_typical = status == 0 && cause == CAUSE_OK;
	for (size_t i = 0; i < STATUSES_MAX && looks[cause].statuses[i]; i++)
		*ret_typical |= looks[cause].statuses[i] == status;
	if (*ret_typical || status == 0)
		return *ret_typical || cancelled;
	return looks[cause].any_own ||
		(looks[cause].any_signal && status > 128 && status <= 128 + SIGNAL_MAX);
}

/* ---- who says so ---- */

enum kind {
	KIND_STATUS, /* a number that stands for itself */
	KIND_SHELL, /* 128+N */
	KIND_SIGNAL, /* -N */
};

/* The signal's name stands between before and after, for all but KIND_STATUS. */
static const struct saying {
	enum kind kind;
	int from, to; /* statuses; 128+N for signal N */
	const char *who, *before, *after;
} sayings[] = {
	{KIND_SHELL, 129, 192, "sh, bash, make, CI", "its child died of ",
		": a shell makes 128+N of signal N; or the program itself said exit(128+N)"},
	{KIND_SHELL, 129, 192, "docker, podman, crun", "the container's first process died of ",
		", or exited with this very number"},
	{KIND_SHELL, 129, 192, "Python's subprocess",
		"an exit status: of a shell in between, or the program's own; it writes ",
		" itself as a negative number"},
	{KIND_SHELL, 129, 192, "systemd",
		"code=exited, status=128+N: the same as Python; it writes code=killed for ",
		" itself"},
	{KIND_SHELL, 129, 192, "bulkhead run", "", " ended the program, or a limit of its did"},
	{KIND_SHELL, 137, 137, "timeout -k, docker stop, queues",
		"its time was over, or a stop was asked for, and ",
		" followed because it did not end"},
	{KIND_SHELL, 143, 143, "docker stop, queues, systemd", "it was asked to stop by ", ""},
	{KIND_SIGNAL, 129, 192, "Python's subprocess", "the program itself died of ",
		": there is no shell in between, and no exit status"},
	{KIND_SIGNAL, 129, 192, "sh, docker, bulkhead", "they write 128+N for ", ""},
	{KIND_SIGNAL, 129, 192, "systemd", "code=killed, with the name ", " behind the number"},
	{KIND_SIGNAL, 129, 192, "Node", "code null, signal '", "'"},
	{KIND_STATUS, 0, 0, "everybody", "success", NULL},
	{KIND_STATUS, 1, 1, "most programs", "a failure of their own; Python after an exception",
		NULL},
	{KIND_STATUS, 2, 2, "most programs", "wrong usage; make: an error in a recipe", NULL},
	{KIND_STATUS, 64, 78, "programs with <sysexits.h>",
		"64 usage, 65 data, 66 no input, 69 unavailable, 70 internal, 71 system, 73 "
		"cannot create, 74 input or output, 75 try again, 77 no permission, 78 "
		"configuration",
		NULL},
	{KIND_STATUS, EXIT_NOT_RUN, EXIT_NOT_RUN, "bulkhead run",
		"not run: cooldown, or an open breaker", NULL},
	{KIND_STATUS, EXIT_TIMEOUT, EXIT_TIMEOUT, "timeout(1), bulkhead run",
		"still running at its time-out", NULL},
	{KIND_STATUS, EXIT_REFUSED, EXIT_REFUSED, "docker, timeout(1), bulkhead run",
		"they themselves failed; the program was not run", NULL},
	{KIND_STATUS, 126, 126, "sh, docker, env, bulkhead run",
		"found, but not executable: no permission, a directory, noexec, a wrong format",
		NULL},
	{KIND_STATUS, 127, 127, "sh, docker, env, bulkhead run",
		"the program was not found, or the interpreter it names", NULL},
	{KIND_STATUS, 127, 127, "the dynamic loader",
		"a library is missing, or could not be mapped ('failed to map segment': ulimit "
		"-v)",
		NULL},
	{KIND_STATUS, 128, 128, "git, bash", "git: a fatal error; bash: exit with no number", NULL},
	{KIND_STATUS, 200, 243, "systemd",
		"it could not start the program: 200 chdir, 203 exec, 217 user, 218 "
		"capabilities, 226 namespace, 228 seccomp (systemd.exec(5))",
		NULL},
	{KIND_STATUS, 255, 255, "ssh, Perl, programs that say -1",
		"ssh: the connection failed; else exit(-1)", NULL},
};

static bool says(const struct saying *s, const struct exit_number *n)
{
	if (n->status < s->from || n->status > s->to)
		return false;
	if (s->kind == KIND_STATUS)
		return !n->negative;
	return n->signal > 0 && (s->kind == KIND_SIGNAL) == n->negative;
}

static const char *meaning(const struct saying *s, const struct exit_number *n, struct arena *a)
{
	if (s->kind == KIND_STATUS)
		return s->before;
	return arena_printf(a, "%s%s%s", s->before, words_signal(a, n->signal), s->after);
}

static_assert(sizeof sayings / sizeof *sayings <= EXIT_MAX_LINES, "room for each");

/* ---- what to look at next ---- */

static const struct next {
	int status; /* 0: of every number but success */
	const char *command, *tells;
} nexts[] = {
	{128 + SIGKILL, "dmesg -T | grep -iE 'oom-kill|killed process'",
		"was it the kernel's OOM killer: constraint= and oom_memcg= name the limit"},
	{128 + SIGKILL, "grep oom /sys/fs/cgroup/PATH/memory.events",
		"the same by group, as counters; v1: memory.oom_control (PATH: /proc/PID/cgroup)"},
	{128 + SIGKILL, "docker inspect -f '{{.State.OOMKilled}}' CONTAINER",
		"what docker saw of it; false proves nothing for a child process"},
	{128 + SIGKILL, "systemctl show -p Result,ExecMainCode,ExecMainStatus UNIT",
		"Result=oom-kill, timeout, signal"},
	{128 + SIGKILL, "journalctl --since -1h -t systemd-oomd -t earlyoom",
		"was it a user-space out-of-memory daemon"},
	{128 + SIGKILL, "ulimit -H -t", "the hard limit of CPU time kills too"},
	{128 + SIGTERM, "journalctl --since -1h | grep -iE 'stopping|shutting down|preempt'",
		"who was stopping things then: a service manager, docker stop, a job queue"},
	{128 + SIGSEGV, "ulimit -v; ulimit -s",
		"a refused allocation (with no output at all: inside exec) or a full stack"},
	{128 + SIGSEGV, "coredumpctl info; dmesg -T | grep segfault", "where it crashed"},
	{128 + SIGABRT, "coredumpctl info", "where it aborted; its stderr says why as a rule"},
	{128 + SIGBUS, "df -h /dev/shm /tmp", "a mapped file on a full or cut-off file system"},
	{128 + SIGILL, "lscpu", "built for another processor, or a deliberate trap"},
	{128 + SIGXCPU, "ulimit -t", "the limit of CPU time, in seconds"},
	{128 + SIGXFSZ, "ulimit -f", "the limit of file size, in blocks"},
	{128 + SIGSYS, "journalctl -k --grep type=1326",
		"which system call a seccomp filter refused"},
	{128 + SIGPIPE, "the other end of its pipe", "its reader ended first (head, grep -q)"},
	{128 + SIGINT, "the terminal, or the tool that ran it", "Ctrl-C, or a cancelled job"},
	{128 + SIGHUP, "the terminal, or the tool that ran it", "the session ended; see nohup(1)"},
	{126, "ls -l FILE; file FILE; findmnt -T FILE -o OPTIONS", "permissions, format, noexec"},
	{127, "command -v PROGRAM; head -n 1 FILE; ldd FILE",
		"the program, its interpreter, its libraries"},
	{127, "ulimit -v", "a library that cannot be mapped gives 127 too"},
	{1, "the end of its stderr",
		"MemoryError, 'No space left', 'Resource temporarily "
		"unavailable' are limits in disguise"},
	{0, "bulkhead run -- COMMAND", "names the cause, with its evidence, next time"},
	{0, "bulkhead runs", "if it was run by bulkhead: its verdict; bulkhead explain ID"},
};

static_assert(sizeof nexts / sizeof *nexts <= EXIT_MAX_LINES, "room for each");

static bool helps(const struct next *next, const struct exit_number *n)
{
	return next->status ? next->status == n->status : n->status != 0;
}

size_t exit_help_sayings(
	struct exit_line ret[EXIT_MAX_LINES], const struct exit_number *n, struct arena *a)
{
	size_t size = 0;

	for (size_t i = 0; i < sizeof sayings / sizeof *sayings; i++)
		if (says(&sayings[i], n))
			ret[size++] =
				(struct exit_line){sayings[i].who, meaning(&sayings[i], n, a)};
	return size;
}

size_t exit_help_nexts(struct exit_line ret[EXIT_MAX_LINES], const struct exit_number *n)
{
	size_t size = 0;

	for (size_t i = 0; i < sizeof nexts / sizeof *nexts; i++)
		if (helps(&nexts[i], n))
			ret[size++] = (struct exit_line){nexts[i].command, nexts[i].tells};
	return size;
}

/* ---- text ---- */

static const char *title(const struct exit_number *n, struct arena *a)
{
	const char *raw = n->raw ? " (as wait(2) has it, 256 times the exit status)" : "";

	if (n->negative)
		return arena_printf(a, "-%d: %s", n->signal, words_signal(a, n->signal));
	if (n->signal)
		return arena_printf(a, "%d = 128 + %d, %s%s", n->status, n->signal,
			words_signal(a, n->signal), raw);
	return arena_printf(a, "%d%s", n->status, raw);
}

static void put_sayings(struct buf *b, const struct exit_number *n, struct arena *a)
{
	struct exit_line lines[EXIT_MAX_LINES];
	size_t size = exit_help_sayings(lines, n, a);

	buf_puts(b,
		size ? "\nwho says so\n"
		     : "\nNo convention has this number: it is the program's own.\n");
	for (size_t i = 0; i < size; i++)
		buf_printf(b, "  %-31s %s\n", lines[i].left, lines[i].right);
}

static void put_causes(struct buf *b, const struct exit_number *n)
{
	bool typical;

	buf_puts(b, "\ncauses that look so, by bulkhead's names\n");
	for (int i = 0; i < CAUSE_COUNT_; i++)
		if (exit_may_be(i, n->status, &typical) && typical)
			buf_printf(b, "  %-31s %s (retry: %s)\n", cause_name(i), cause_meaning(i),
				retry_name(cause_info(i)->retry));
	if (n->status != 0 && !n->negative)
		buf_printf(b, "  %-31s a program may say exit(%d) by itself: %s\n",
			cause_name(CAUSE_EXIT_NONZERO), n->status,
			"the number alone proves nothing");
}

static void put_nexts(struct buf *b, const struct exit_number *n)
{
	struct exit_line lines[EXIT_MAX_LINES];
	size_t size = exit_help_nexts(lines, n);

	if (size > 0)
		buf_puts(b, "\nwhat to look at next\n");
	for (size_t i = 0; i < size; i++)
		buf_printf(b, "  %s\n      %s\n", lines[i].left, lines[i].right);
}

const char *exit_help_text(const struct exit_number *n, struct arena *a)
{
	cleanup_buf struct buf b = BUF_INIT;

	buf_printf(&b, "%s\n", title(n, a));
	put_sayings(&b, n, a);
	put_causes(&b, n);
	put_nexts(&b, n);
	return arena_strdup(a, buf_str(&b));
}
