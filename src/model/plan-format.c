/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/parse.h"
#include "model/plan.h"

/* What a step does, for a person; %p is its path, %t its text. */
static const struct {
	const char *name;
	const char *words;
} kinds[] = {
	[STEP_GRAB] = {"grab", "take '%p' from the host"},
	[STEP_ROOT_HERE] = {"root-here", "make the host's tree read-only in the box"},
	[STEP_ROOT_SLOT] = {"root-slot", "put the root '%p' aside"},
	[STEP_ROOT_EMPTY] = {"root-empty", "make an empty root"},
	[STEP_ATTACH] = {"attach", "mount it at '%p'"},
	[STEP_TMPFS] = {"tmpfs", "mount a tmpfs at '%p'"},
	[STEP_PROC] = {"proc", "mount a procfs at '%p'"},
	[STEP_DEVPTS] = {"devpts", "mount a devpts at '%p'"},
	[STEP_PROTECT] = {"protect", "protect '%p' from writing"},
	[STEP_MASK] = {"mask", "hide '%p'"},
	[STEP_MKDIR] = {"mkdir", "make the directory '%p'"},
	[STEP_MKFILE] = {"mkfile", "make the file '%p'"},
	[STEP_SYMLINK] = {"symlink", "make the link '%p' to '%t'"},
	[STEP_PIVOT] = {"pivot", "pivot into the new root"},
	[STEP_SEAL] = {"seal", "make the root itself read-only"},
	[STEP_IDS] = {"ids", "take on the user"},
	[STEP_GROUPS] = {"groups", "enter the run's cgroups"},
	[STEP_CGROUPNS] = {"cgroupns", "make a cgroup namespace"},
	[STEP_OWN_GROUP] = {"own-group", "make a process group of its own"},
	[STEP_OWN_SESSION] = {"own-session", "make a session of its own"},
	[STEP_TERMINAL] = {"terminal", "make a session with a terminal of '%p'"},
	[STEP_RLIMIT] = {"rlimit", "set a resource limit"},
	[STEP_AFFINITY] = {"affinity", "bind to some CPUs"},
	[STEP_CHDIR] = {"chdir", "change to the directory '%p'"},
	[STEP_NO_NEW_PRIVS] = {"no-new-privs", "forbid new privileges"},
	[STEP_SCOPE] = {"scope", "keep signals and abstract sockets inside the box (Landlock)"},
	[STEP_CONFINE] = {"confine",
		"write only where the box may, also through open files (Landlock)"},
	[STEP_ALLOW_LIST] = {"allow-list",
		"execute only what the exec policy allows by name (Landlock)"},
	[STEP_DROP_CAPS] = {"drop-caps", "drop all capabilities"},
	[STEP_STDIO] = {"stdio", "set up stdin, stdout and stderr"},
	[STEP_CLOSE_FDS] = {"close-fds", "close all other descriptors"},
	[STEP_FILTER] = {"filter", "load the system call filter"},
	[STEP_LISTENER] = {"listener",
		"load the system call filter, and have the warden listen for execs"},
	[STEP_EXEC] = {"exec", "execute '%p'"},
};
static_assert(sizeof(kinds) / sizeof(kinds[0]) == STEP_COUNT_, "every step has a name");

const char *step_kind_name(enum step_kind kind)
{
	return kind < STEP_COUNT_ ? kinds[kind].name : "unknown";
}

static const char *resource_name(uint64_t resource)
{
	static const char *const names[] = {
		[RLIMIT_CORE] = "RLIMIT_CORE",
		[RLIMIT_NOFILE] = "RLIMIT_NOFILE",
		[RLIMIT_FSIZE] = "RLIMIT_FSIZE",
		[RLIMIT_AS] = "RLIMIT_AS",
		[RLIMIT_CPU] = "RLIMIT_CPU",
		[RLIMIT_NPROC] = "RLIMIT_NPROC",
		[RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
	};
	bool known = resource < sizeof(names) / sizeof(names[0]) && names[resource];
	return known ? names[resource] : "a resource limit";
}

/* What the words leave out. */
static void put_detail(struct buf *b, const struct step *step)
{
	char size[FORMAT_SIZE];
	switch (step->kind) {
	case STEP_GRAB:
		if (step->flags & MOUNT_READ_ONLY)
			buf_puts(b, ", read-only");
		if (step->flags & MOUNT_IDMAP)
			buf_puts(b, ", idmapped");
		break;
	case STEP_PROC:
		if (step->flags & MOUNT_READ_ONLY)
			buf_puts(b, ", read-only");
		break;
	case STEP_TMPFS:
		if (step->number)
			buf_printf(b, " of %s", format_size(step->number, size));
		break;
	case STEP_RLIMIT:
		buf_printf(b, ": %s %llu", resource_name(step->number),
			(unsigned long long)step->value);
		break;
	case STEP_IDS:
		buf_printf(b, " %llu:%llu", (unsigned long long)step->number,
			(unsigned long long)step->value);
		break;
	case STEP_FILTER:
	case STEP_LISTENER:
		buf_printf(b, " (%llu instructions)", (unsigned long long)step->number);
		break;
	default:
		break;
	}
}

const char *step_format(const struct step *step, struct arena *a)
{
	cleanup_buf struct buf b = BUF_INIT;
	const char *words =
		step->kind < STEP_COUNT_ ? kinds[step->kind].words : "do an unknown step";
	for (const char *p = words; *p; p++) {
		const char *value = *p != '%' ? NULL : p[1] == 'p' ? step->path : step->text;
		if (*p != '%')
			buf_putc(&b, *p);
		else
			p++;
		if (value)
			buf_put_visible(&b, value, __builtin_strlen(value));
	}
	put_detail(&b, step);
	return arena_strndup(a, buf_str(&b), b.size);
}

static void put_limits(struct buf *b, const struct plan *plan)
{
	char text[LIMIT_TEXT_SIZE];
	buf_puts(b, "limits\n");
	for (enum limit l = 0; l < LIMIT_COUNT_; l++) {
		const struct limit_value *v = &plan->policy->limits.v[l];
		if (!v->set)
			continue;
		const char *note = l == LIMIT_OUTPUT && !plan->capture
			? " (output is passed through, not captured)"
			: "";
		buf_printf(b, "  %-14s %-12s %s%s\n", limit_name(l), limit_format(l, v, text),
			enforced_by_name(plan->by[l]), note);
	}
}

static void put_steps(struct buf *b, const char *title, const struct steps *steps, struct arena *a)
{
	buf_printf(b, "%s\n", title);
	for (size_t i = 0; i < steps->n; i++)
		buf_printf(b, "  %3zu  %s\n", i + 1, step_format(&steps->v[i], a));
}

static void put_command(struct buf *b, const struct plan *plan)
{
	buf_puts(b, "command\n ");
	for (size_t i = 0; i < plan->argv.n; i++) {
		buf_puts(b, " ");
		buf_put_visible(b, plan->argv.v[i], __builtin_strlen(plan->argv.v[i]));
	}
	buf_puts(b, "\n");
}

static void put_exec(struct buf *b, const struct plan *plan)
{
	const struct policy_exec *exec = &plan->policy->exec;
	if (plan->exec == EXEC_OFF)
		return;
	buf_printf(b, "exec policy\n  %s, default %s, %zu %s%s\n", exec_mode_name(plan->exec),
		exec->default_allow ? "allow" : "deny", exec->n_rules,
		exec->n_rules == 1 ? "rule" : "rules",
		plan->exec == EXEC_AUDIT ? " (nothing is refused)" : "");
}

const char *plan_format_text(const struct plan *plan, const struct host *host, struct arena *a)
{
	cleanup_buf struct buf b = BUF_INIT;
	put_command(&b, plan);
	buf_printf(&b, "policy\n  %s\n", plan->policy->name);
	buf_printf(
		&b, "host\n  Linux %s, limits by %s\n", host->kernel, rung_name(host->cgroup.rung));
	put_limits(&b, plan);
	buf_printf(&b, "namespaces\n  user, pid, mount, ipc, uts%s%s\n",
		plan->wants_group ? ", cgroup" : "",
		plan->new_network ? ", net (loopback only)" : "");
	put_exec(&b, plan);
	put_steps(&b, "in the box", &plan->box, a);
	put_steps(&b, "before the exec", &plan->payload, a);
	for (size_t i = 0; i < plan->notes.n; i++)
		buf_printf(&b, "note: %s\n", plan->notes.v[i]);
	return arena_strndup(a, buf_str(&b), b.size);
}
