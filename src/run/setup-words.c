/* SPDX-License-Identifier: MIT */
#include "run/setup-words.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "run/host.h"

/* Nothing is forbidden, there is just no more of something. Not ENOSPC: a sysctl says so. */
static bool is_scarcity(int errnum)
{
	return errnum == EAGAIN || errnum == ENOMEM || errnum == EMFILE || errnum == ENFILE;
}

int setup_refuse_userns(struct arena *a, int errnum, struct error *e)
{
	struct host_userns why = {0};
	error_set(e, BLAME_HOST, errnum, "cannot make the box's namespaces");
	if (is_scarcity(errnum))
		return -1;
	host_explain_userns(&why, a, errnum);
	if (why.why)
		error_hint(e, "%s", why.why);
	if (why.remedy)
		error_hint(e, "%s", why.remedy);
	return -1;
}

static const char *word_exec(const struct setup_words *w, const struct report *r, struct arena *a,
	struct setup_failure *ret)
{
	const char *name = w->argv0;
	bool found = r->detail >= 0 && (size_t)r->detail < w->exec_paths->n;
	const char *path = found ? w->exec_paths->v[r->detail] : name;
	ret->file_exists = found;
	if (r->errnum == ENOENT && !found)
		return arena_printf(a,
			strchr(name, '/') ? "'%s' does not exist in the box"
					  : "'%s' is not in any directory of PATH",
			name);
	if (r->errnum == ENOENT)
		return arena_printf(a,
			"'%s' names an interpreter or loader that does not exist in the box", path);
	if (r->errnum == ENOEXEC)
		return arena_printf(a,
			"'%s' is no program: neither an executable for this machine "
			"nor a script that begins with '#!'",
			path);
	if (r->errnum == EPERM && w->plan->exec == EXEC_ENFORCE)
		return arena_printf(a, "the exec policy refuses '%s'", path);
	if (r->errnum == ENOSYS && w->plan->exec != EXEC_OFF)
		return arena_printf(
			a, "cannot execute '%s': the warden of the exec policy has ended", path);
	return arena_printf(a, "cannot execute '%s': %s", path, errno_text(r->errnum));
}

static const char *word_step(const struct steps *steps, const struct report *r, struct arena *a)
{
	if (r->step < 0 || (size_t)r->step >= steps->n)
		return "the box reported a step that is not in its plan";
	return arena_printf(a, "cannot %s (step %d): %s", step_format(&steps->v[r->step], a),
		r->step + 1, errno_text(r->errnum));
}

/* The step that makes the warden a listener of the program's execs. */
static bool is_listener(const struct plan *plan, const struct report *r)
{
	return r->stage == REPORT_PAYLOAD && r->step >= 0 && (size_t)r->step < plan->payload.n &&
		plan->payload.v[r->step].kind == STEP_LISTENER;
}

static const char *why_no_listener(int errnum)
{
	switch (errnum) {
	case EBUSY:
		return "whoever has started bulkhead listens to its system calls already, and "
		       "there can be "
		       "one listener only (some container runtimes and sandboxes do so, and WSL2 "
		       "with "
		       "mirrored networking); run bulkhead outside of that, or with exec.mode off";
	case EINVAL:
	case ENOSYS:
		return "this kernel has no seccomp user notification (Linux 5.0); use a newer one, "
		       "or "
		       "exec.mode off";
	case EPIPE:
	case ECONNREFUSED:
	case ECONNRESET:
		return "the warden of the exec policy has ended";
	default:
		return NULL;
	}
}

static const char *word_maker(const struct report *r, struct arena *a)
{
	static const char *const words[MAKER_COUNT_] = {
		[MAKER_NAMESPACES] = "make the mount, ipc and uts namespaces",
		[MAKER_NETWORK] = "make a network namespace",
		[MAKER_STEPS] = "start a process that makes the box",
		[MAKER_PID_NAMESPACE] = "make a pid namespace",
		[MAKER_INIT] = "start the box's init",
		[MAKER_PAYLOAD] = "start the payload's process",
	};
	const char *what = r->step >= 0 && r->step < MAKER_COUNT_ ? words[r->step] : "do its work";
	return arena_printf(a, "cannot %s: %s", what, errno_text(r->errnum));
}

static bool is_forbidden(const struct host *host, const struct report *r)
{
	return r->stage != REPORT_PAYLOAD &&
		(r->errnum == EPERM || (r->errnum == EACCES && !host->privileged));
}

/*
 * Something was to appear where the root file system, which is read-only, has no place for it. That
 * one is a directory and the other is not shows as EINVAL of move_mount(2).
 */
static bool lacks_place(const struct plan *plan, const struct report *r)
{
	if (r->stage != REPORT_BOX || r->step < 0 || (size_t)r->step >= plan->box.n)
		return false;
	enum step_kind kind = plan->box.v[r->step].kind;
	bool missing = r->errnum == ENOENT || r->errnum == ENOTDIR;
	return (kind == STEP_TMPFS && missing) ||
		(kind == STEP_ATTACH && (missing || r->errnum == EINVAL));
}

/* The kernel shows a user namespace no more of /proc than is shown already. */
static bool is_proc_covered(const struct plan *plan, const struct report *r)
{
	return r->stage == REPORT_PAYLOAD && r->errnum == EPERM && r->step >= 0 &&
		(size_t)r->step < plan->payload.n && plan->payload.v[r->step].kind == STEP_PROC;
}

static const char *word_entry(const struct setup_words *w, const struct report *r, struct arena *a)
{
	static const char *const words[ENTRY_COUNT_] = {
		[ENTRY_PLAN] = "read the plan of the box",
		[ENTRY_JOIN] = "enter the box",
		[ENTRY_WORDS] = "take what is to be run",
		[ENTRY_TERMINAL] = "make a terminal",
		[ENTRY_LIMIT] = "set a limit",
		[ENTRY_DIRECTORY] = "change to the directory",
	};
	const char *what = r->step >= 0 && r->step < ENTRY_COUNT_ ? words[r->step] : "do its work";
	if (r->step == ENTRY_DIRECTORY && w->cwd)
		return arena_printf(a, "cannot change to the directory '%s': %s", w->cwd,
			errno_text(r->errnum));
	return arena_printf(a, "cannot %s: %s", what, errno_text(r->errnum));
}

static const char *word(const struct setup_words *w, const struct report *r, struct arena *a,
	struct setup_failure *ret)
{
	switch (r->stage) {
	case REPORT_MAKER:
		return word_maker(r, a);
	case REPORT_ENTRY:
		return word_entry(w, r, a);
	case REPORT_BOX:
		return word_step(&w->plan->box, r, a);
	default:
		return ret->stage == SETUP_EXEC ? word_exec(w, r, a, ret)
						: word_step(&w->plan->payload, r, a);
	}
}

/* Who asked for a command, or a directory, that is not there. */
static bool is_of_request(const struct report *r, bool exec)
{
	return exec || (r->stage == REPORT_ENTRY && r->step == ENTRY_DIRECTORY);
}

void setup_say(const struct setup_words *w, const struct report *r, struct arena *a,
	struct setup_failure *ret)
{
	const struct plan *plan = w->plan;
	bool exec = r->stage == REPORT_PAYLOAD && (size_t)r->step + 1 == plan->payload.n;
	*ret = (struct setup_failure){
		.stage = exec ? SETUP_EXEC : SETUP_BOX,
		.errnum = r->errnum,
		.blame = is_of_request(r, exec) ? BLAME_REQUEST : BLAME_HOST,
	};
	ret->what = word(w, r, a, ret);
	const char *lost = is_listener(plan, r) ? why_no_listener(r->errnum) : NULL;
	if (lost)
		ret->what = arena_printf(a, "%s; %s", ret->what, lost);
	if (lacks_place(plan, r)) {
		ret->blame = BLAME_REQUEST;
		ret->what = arena_printf(a,
			"%s; the root file system has no such place of this kind: "
			"name one that it has, or one below /tmp",
			ret->what);
	}
	if (is_proc_covered(plan, r))
		ret->what = arena_printf(a, "%s; %s%s", ret->what, HOST_PROC_COVERED,
			w->host->in_container ? "; " HOST_PROC_REMEDY : "");
	if (is_forbidden(w->host, r)) {
		struct host_userns why = {0};
		host_explain_userns(&why, a, r->errnum);
		ret->what = arena_printf(a, "%s%s%s%s%s", ret->what, why.why ? "; " : "",
			why.why ? why.why : "", why.remedy ? "; " : "",
			why.remedy ? why.remedy : "");
	}
}

void setup_say_vanished(const char *who, int status, struct arena *a, struct setup_failure *ret)
{
	*ret = (struct setup_failure){.stage = SETUP_BOX, .blame = BLAME_HOST};
	ret->what = WIFSIGNALED(status)
		? arena_printf(a, "%s was killed by signal %d", who, WTERMSIG(status))
		: arena_printf(a, "%s ended without a word", who);
}
