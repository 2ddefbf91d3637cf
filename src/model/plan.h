/* SPDX-License-Identifier: MIT */
#ifndef MODEL_PLAN_H
#define MODEL_PLAN_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/host.h"
#include "model/policy.h"

/*
 * The ordered list of kernel operations that make one box and start one payload in it. It is made
 * by a pure function of policy, host and resolved paths, shown by `bulkhead plan`, and interpreted
 * by jail/child.c, which decides nothing.
 *
 * Two lists, two processes:
 *
 *   box      done by the maker, once, inside the new user, mount, network, ipc and uts namespaces:
 *            the mounts. It then clones init (pid 1) and the payload.
 *   payload  done by the payload before its exec: /proc, groups, limits, credentials, filter.
 *
 * A detached mount tree made by STEP_GRAB lives in a slot until STEP_ATTACH puts it in its place,
 * so that sources are taken from the host's tree before anything of it is changed. Destinations
 * are relative to the box's root and resolved inside it (openat2 RESOLVE_IN_ROOT).
 */
enum step_kind {
	/* box */
	STEP_GRAB, /* slot = detached copy of the tree at path; MOUNT_… flags put on it */
	STEP_ROOT_HERE, /* the box's root is the mount namespace's own: private, and flags on all */
	STEP_ROOT_SLOT, /* the box's root is slot's tree: put aside, to be pivoted into */
	STEP_ROOT_EMPTY, /* the box's root is a new tmpfs */
	STEP_ATTACH, /* slot at path */
	STEP_TMPFS, /* a new tmpfs at path, of number bytes (0: no bound), with value as mode */
	STEP_PROC, /* a new procfs of the box's pid namespace at path */
	STEP_DEVPTS, /* a new devpts at path */
	STEP_PROTECT, /* what is at path, bound onto itself with flags; skipped if not there */
	STEP_MASK, /* the empty directory or file at text, copied over path */
	STEP_MKDIR, /* path with number as mode, and the missing directories above it */
	STEP_MKFILE, /* an empty file, to attach something to */
	STEP_SYMLINK, /* path → text */
	STEP_PIVOT, /* into the root put aside; the old one is gone */
	STEP_SEAL, /* flags on the box's root mount alone (not on what is mounted in it) */
	/* box or payload; so are STEP_PROTECT and STEP_MASK */
	STEP_IDS, /* uid number, gid value; supplementary groups dropped */
	/* payload */
	STEP_GROUPS, /* into the run's cgroups (the v1 ones; v2 happened at clone) */
	STEP_CGROUPNS, /* a cgroup namespace rooted there */
	STEP_OWN_GROUP, /* a process group of its own */
	STEP_OWN_SESSION, /* and a session of its own, without a terminal */
	STEP_TERMINAL, /* a new session with a new pty of the devpts whose ptmx is at path */
	STEP_RLIMIT, /* resource number: soft value, hard value2 */
	STEP_AFFINITY, /* to the CPUs of plan->cpu_mask */
	STEP_CHDIR, /* to path */
	STEP_NO_NEW_PRIVS,
	STEP_SCOPE, /* Landlock: number = LANDLOCK_SCOPE_…: what may not leave the box */
	STEP_CONFINE, /* STEP_SCOPE of value, and files are written below plan->writable only;
			 number: the ABI */
	STEP_ALLOW_LIST, /* STEP_SCOPE, and STEP_CONFINE if plan->writable is not empty; and no program is
			    executed but those named in text, a line each, as found by the PATH path */
	STEP_DROP_CAPS, /* all sets, for good */
	STEP_STDIO, /* the run's stdin, stdout, stderr; the caller's signal mask */
	STEP_CLOSE_FDS, /* everything above 2, but for what exec closes */
	STEP_FILTER, /* the seccomp filter */
	STEP_LISTENER, /* the same, with its listener sent to the warden; no descriptor but stdio stays */
	STEP_EXEC, /* the first of plan->exec_paths that can be */
	STEP_COUNT_,
};

enum {
	MOUNT_READ_ONLY = 1,
	MOUNT_NO_SUID = 2,
	MOUNT_NO_DEV = 4,
	MOUNT_NO_EXEC = 8,
	MOUNT_RECURSIVE = 16,
	MOUNT_OPTIONAL = 32, /* nothing is said when the source does not exist */
	MOUNT_IDMAP = 64, /* ownership as the idmap of the plan says */
	MOUNT_FILE = 128, /* the mount point to be made is a file */
};

struct step {
	enum step_kind kind;
	const char *path;
	const char *text;
	uint64_t number, value, value2;
	uint32_t flags;
	int slot;
};

/* Where the empty directory and file are in a box that STEP_MASK copies. */
#define PLAN_EMPTY_PLACE "/dev/.bulkhead"

/* The box's own devpts, so that a terminal has a name in there. */
#define PLAN_PTMX      "/dev/pts/ptmx"

#define PLAN_MAX_SLOTS 128
#define PLAN_MAX_STEPS 512

struct steps {
	struct step *v;
	size_t n;
};

/* Namespaces of the box, besides pid, mount, ipc, uts, cgroup, which are always new. */
struct plan_idmap {
	bool used;
	uint32_t file_uid, file_gid; /* as on disk */
	uint32_t box_uid, box_gid; /* as the kernel counts, outside the box */
};

struct plan {
	const char *id;
	const struct policy *policy;
	bool new_network; /* with its loopback interface up */
	const char *uid_map, *gid_map; /* as written to /proc/PID/uid_map */
	bool deny_setgroups;
	bool own_root; /* plan->box takes on the box's own root (STEP_IDS) */
	struct plan_idmap idmap;
	struct steps box;
	struct steps payload;
	int n_slots;
	struct strv argv;
	struct strv envp;
	struct strv exec_paths; /* tried in turn */
	uint64_t cpu_mask[16]; /* 1,024 CPUs */
	const struct sock_filter *filter;
	unsigned short n_filter;
	enum exec_mode exec; /* EXEC_OFF: there is no warden, and STEP_FILTER; else STEP_LISTENER */
	struct strv writable; /* for STEP_CONFINE: what the box may write */
	/* Limit by limit: what is going to enforce it; the cgroup's own are set when the groups exist. */
	enum enforced_by by[LIMIT_COUNT_];
	bool wants_group; /* a limit or the kill needs the run's cgroups */
	bool capture; /* stdout and stderr are piped through the supervisor */
	bool tty; /* the payload has a pty, whose other end the supervisor relays */
	bool sampled; /* memory is sampled */
	/* Things a person should know that are no errors, NULL-terminated once there is one. */
	struct strv notes;
};

/* A path of the policy as found on this host (run/resolve.c). */
struct resolved_path {
	const char *source; /* absolute, no symlinks */
	const char *dest; /* absolute, normalized, inside the box */
	bool is_dir;
	bool idmappable; /* the caller's own: to be idmapped where the box's user is another one */
};

struct resolved_list {
	struct resolved_path *v;
	size_t n;
};

/* What the file system says to the policy's paths. */
struct resolved {
	const char *root; /* "/", another root, or NULL for an empty one */
	const char *cwd; /* where the payload starts, inside the box */
	bool cwd_writable; /* and a bind of it is among write */
	struct resolved_list write, read, hide, tmpfs;
	struct strv devices; /* of /dev, those that exist: "null", "zero", … */
	const char *console; /* the caller's terminal device, or NULL */
	struct strv protect; /* of /proc, those that exist: what root could write through */
	struct strv notes;
};

/* What differs from run to run and is neither policy nor host. */
struct plan_input {
	const char *id;
	struct strv argv;
	char *const *environ; /* the caller's */
	bool own_process_group; /* there is no controlling terminal to share */
	bool usual_priority; /* of the caller: nothing that would count within his session only */
	bool capture_wanted; /* --log */
	bool best_effort;
	bool has_pools; /* the caller keeps boxes ready, if a policy wants them */
	bool tty; /* a terminal of its own, in place of all that the caller has */
	bool stdin_is_file; /* one of the caller's 0, 1, 2 is a file or disk, open for reading only */
	uint32_t isolated_base; /* first host uid of this run's range, for --user isolated */
	uint32_t random; /* spreads the CPUs chosen for --cpus */
};

/*
 * Make the plan. -1 with e: a limit that was asked for cannot be enforced here (BLAME_HOST, with
 * the remedy) and best_effort is not set, or the request makes no sense on this host.
 */
int plan_make(struct plan *ret, const struct policy *policy, const struct host *host,
	const struct resolved *resolved, const struct plan_input *input, struct arena *a,
	struct error *e);

/* PATH as in @envp, or what stands for it. */
const char *plan_search_path(const struct strv *envp);
/* Where execvp(3) would look for @name with PATH as in @envp, in its order. */
struct strv plan_exec_paths(const struct strv *envp, const char *name, struct arena *a);

/* What would enforce @limit for a run under @policy on @host, whether it is set or not. */
enum enforced_by plan_enforced_by(
	const struct policy *policy, const struct host *host, enum limit limit);

/* The step in words, subject in quotes: "mount a tmpfs at '/tmp'"; in @a. */
const char *step_format(const struct step *step, struct arena *a);
const char *step_kind_name(enum step_kind kind);

/* The plan for a person, and as JSON; in @a. */
const char *plan_format_text(const struct plan *plan, const struct host *host, struct arena *a);
const char *plan_format_json(const struct plan *plan, const struct host *host, struct arena *a);

/* The environment of the payload: @environ less what the policy unsets, plus what it sets. */
struct strv plan_environment(
	const struct policy *policy, char *const *environ, const char *id, struct arena *a);

#endif
