/* SPDX-License-Identifier: MIT */
#include "model/plan.h"

#include <assert.h>
#include <limits.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>

#include "base/path.h"
#include "model/filter.h"
#include "model/plan-build.h"

/* linux/landlock.h of Debian 12 is older than these (ABI 6, Linux 6.12). */
#define SCOPE_ABSTRACT_SOCKET 1u
#define SCOPE_SIGNAL          2u
#define SCOPE_ABI             6

/* Inside a box with an isolated user the payload is this uid of the box's own range. */
#define ISOLATED_UID   1000
#define ISOLATED_RANGE 65536

/* Queued signals and timers of a box; a user has a few ten thousand. */
#define SIGNALS_MAX 4096

void plan_add(struct plan_build *b, struct steps *steps, struct step step)
{
	(void)b;
	assert(steps->n < PLAN_MAX_STEPS);
	steps->v[steps->n++] = step;
}

static const struct limit_value *limit_of(const struct plan_build *b, enum limit limit)
{
	return &b->policy->limits.v[limit];
}

/* ---- what enforces which limit ---- */

static enum enforced_by cgroup_kind(const struct host *host)
{
	return host->cgroup.rung == RUNG_HYBRID ? ENFORCED_CGROUP_V1 : ENFORCED_CGROUP_V2;
}

static enum enforced_by by_controller(
	const struct plan_build *b, enum controller controller, enum enforced_by otherwise)
{
	const struct host_cgroup *c = &b->host->cgroup;
	return c->rung != RUNG_NONE && c->base[controller] ? cgroup_kind(b->host) : otherwise;
}

static enum enforced_by enforce_memory(const struct plan_build *b)
{
	return by_controller(b, CONTROLLER_MEMORY, ENFORCED_SAMPLED);
}

static enum enforced_by enforce_swap(const struct plan_build *b)
{
	enum enforced_by by = by_controller(b, CONTROLLER_MEMORY, ENFORCED_NONE);
	return b->host->cgroup.has_swap ? by : ENFORCED_NONE;
}

/* Whole CPUs can be had without a cgroup. */
static enum enforced_by enforce_cpus(const struct plan_build *b)
{
	bool whole = limit_of(b, LIMIT_CPUS)->value % 1000 == 0;
	return by_controller(b, CONTROLLER_CPU, whole ? ENFORCED_AFFINITY : ENFORCED_NONE);
}

/* RLIMIT_NPROC counts per user namespace, but the kernel never applies it to uid 0 of the host. */
static enum enforced_by enforce_pids(const struct plan_build *b)
{
	bool counted = b->host->uid != 0 || b->policy->user.mode != USER_SELF;
	return by_controller(b, CONTROLLER_PIDS, counted ? ENFORCED_RLIMIT : ENFORCED_NONE);
}

static enum enforced_by enforce_cpu_time(const struct plan_build *b)
{
	const struct host_cgroup *c = &b->host->cgroup;
	bool counted = c->base[CONTROLLER_CPUACCT] || c->base[CONTROLLER_CORE];
	return c->rung != RUNG_NONE && counted ? ENFORCED_SUPERVISOR : ENFORCED_SAMPLED;
}

static enum enforced_by enforce_by_supervisor(const struct plan_build *b)
{
	(void)b;
	return ENFORCED_SUPERVISOR;
}

static enum enforced_by enforce_by_rlimit(const struct plan_build *b)
{
	(void)b;
	return ENFORCED_RLIMIT;
}

static enum enforced_by enforce_by_tmpfs(const struct plan_build *b)
{
	(void)b;
	return ENFORCED_TMPFS;
}

static enum enforced_by (*const enforcers[LIMIT_COUNT_])(const struct plan_build *) = {
	[LIMIT_MEMORY] = enforce_memory,
	[LIMIT_SWAP] = enforce_swap,
	[LIMIT_CPUS] = enforce_cpus,
	[LIMIT_PIDS] = enforce_pids,
	[LIMIT_TIMEOUT] = enforce_by_supervisor,
	[LIMIT_CPU_TIME] = enforce_cpu_time,
	[LIMIT_IDLE_TIMEOUT] = enforce_by_supervisor,
	[LIMIT_OUTPUT] = enforce_by_supervisor,
	[LIMIT_FILE_SIZE] = enforce_by_rlimit,
	[LIMIT_TMP_SIZE] = enforce_by_tmpfs,
	[LIMIT_NOFILE] = enforce_by_rlimit,
	[LIMIT_ADDRESS_SPACE] = enforce_by_rlimit,
};

enum enforced_by plan_enforced_by(
	const struct policy *policy, const struct host *host, enum limit limit)
{
	const struct plan_build b = {.policy = policy, .host = host};
	return enforcers[limit](&b);
}

static int refuse_limit(struct plan_build *b, enum limit limit)
{
	const char *why = b->host->cgroup.why_not_better, *remedy = b->host->cgroup.remedy;
	error_set(b->e, BLAME_HOST, 0, "this host cannot enforce %s%s%s", limit_option(limit),
		why ? ": " : "", why ? why : "");
	if (remedy)
		error_hint(b->e, "%s", remedy);
	return error_hint(b->e, "or run without that limit: --best-effort");
}

/* A limit that was asked for is enforced or the run is refused. */
static int decide_limits(struct plan_build *b)
{
	for (enum limit l = 0; l < LIMIT_COUNT_; l++) {
		const struct limit_value *v = limit_of(b, l);
		if (!v->set)
			continue;
		b->plan->by[l] = enforcers[l](b);
		if (b->plan->by[l] != ENFORCED_NONE)
			continue;
		/* no swap asked for and no way to have any: nothing is left to enforce */
		bool asked = v->origin == ORIGIN_ASKED && !(l == LIMIT_SWAP && v->value == 0);
		if (asked && !b->input->best_effort)
			return refuse_limit(b, l);
		strv_push(b->a, &b->plan->notes,
			arena_printf(b->a, "nothing enforces %s here", limit_option(l)));
	}
	b->plan->sampled = b->plan->by[LIMIT_MEMORY] == ENFORCED_SAMPLED ||
		b->plan->by[LIMIT_CPU_TIME] == ENFORCED_SAMPLED;
	return 0;
}

/* ---- users ---- */

static int refuse_user(struct plan_build *b, const char *what)
{
	error_set(b->e, BLAME_HOST, 0, "%s needs the privileges of root", what);
	return error_hint(b->e, "run bulkhead as root, or with --user self");
}

static void map_identity(struct plan_build *b)
{
	b->plan->uid_map = b->plan->gid_map = "0 0 4294967295\n";
}

static int decide_user(struct plan_build *b)
{
	const struct policy_user *user = &b->policy->user;
	const struct host *host = b->host;
	struct plan *plan = b->plan;
	bool same = user->mode == USER_SELF ||
		(user->mode == USER_ID && user->uid == host->uid && user->gid == host->gid);
	if (host->privileged && user->mode != USER_ISOLATED) {
		map_identity(b);
		return 0;
	}
	if (host->privileged) {
		uint32_t base = b->input->isolated_base;
		plan->own_root = true;
		plan->uid_map = plan->gid_map =
			arena_printf(b->a, "0 %u %u\n", base, ISOLATED_RANGE);
		plan->idmap = (struct plan_idmap){.used = host->idmapped_mounts,
			.file_uid = host->uid,
			.file_gid = host->gid,
			.box_uid = base + ISOLATED_UID,
			.box_gid = base + ISOLATED_UID};
		return 0;
	}
	if (!same)
		return refuse_user(b,
			user->mode == USER_ISOLATED ? "--user isolated"
						    : "--user UID of another user");
	plan->uid_map = arena_printf(b->a, "%u %u 1\n", host->uid, host->uid);
	plan->gid_map = arena_printf(b->a, "%u %u 1\n", host->gid, host->gid);
	plan->deny_setgroups = true;
	return 0;
}

/* ---- the payload ---- */

static void add_rlimit(struct plan_build *b, int resource, uint64_t soft, uint64_t hard)
{
	plan_payload(b, .kind = STEP_RLIMIT, .number = (uint64_t)resource, .value = soft,
		.value2 = hard);
}

static void add_rlimits(struct plan_build *b)
{
	const struct limit_value *nofile = limit_of(b, LIMIT_NOFILE);
	const struct limit_value *file_size = limit_of(b, LIMIT_FILE_SIZE);
	const struct limit_value *space = limit_of(b, LIMIT_ADDRESS_SPACE);
	const struct limit_value *cpu = limit_of(b, LIMIT_CPU_TIME);
	/* 1, not 0: a core_pattern that starts a program on the host looks at that only */
	add_rlimit(b, RLIMIT_CORE, 1, 1);
	/* the kernel counts for all of a user, in its boxes and outside: none takes what others need */
	add_rlimit(b, RLIMIT_SIGPENDING, SIGNALS_MAX, SIGNALS_MAX);
	if (nofile->set)
		add_rlimit(b, RLIMIT_NOFILE, nofile->value, nofile->value);
	if (file_size->set)
		add_rlimit(b, RLIMIT_FSIZE, file_size->value, file_size->value);
	if (space->set)
		add_rlimit(b, RLIMIT_AS, space->value, space->value);
	if (cpu->set) {
		/* whole seconds, per process: the supervisor's count of the whole run is finer */
		uint64_t seconds = (cpu->value + 999999) / 1000000;
		add_rlimit(b, RLIMIT_CPU, seconds, seconds + 1);
	}
	if (b->plan->by[LIMIT_PIDS] == ENFORCED_RLIMIT) {
		uint64_t n = limit_of(b, LIMIT_PIDS)->value + 1; /* init is counted too */
		add_rlimit(b, RLIMIT_NPROC, n, n);
	}
}

/*
 * As many CPUs as --cpus needs, so that nproc and thread pools see them. Where they start differs
 * from run to run, or all boxes would meet on the first ones.
 */
static void add_affinity(struct plan_build *b)
{
	const struct limit_value *cpus = limit_of(b, LIMIT_CPUS);
	unsigned have = b->host->n_cpus;
	if (!cpus->set || have == 0)
		return;
	uint64_t want = (cpus->value + 999) / 1000;
	if (want >= have)
		return;
	unsigned start = b->input->random % have, seen = 0, total = sizeof(b->plan->cpu_mask) * 8;
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned cpu = 0, at = 0; cpu < total && want > 0; cpu++) {
			if (!(b->host->cpu_mask[cpu / 64] >> cpu % 64 & 1))
				continue;
			bool mine = pass == 0 ? at >= start : at < start;
			at++;
			if (!mine)
				continue;
			b->plan->cpu_mask[cpu / 64] |= 1ull << cpu % 64;
			want--;
			seen++;
		}
	}
	if (seen)
		plan_payload(b, .kind = STEP_AFFINITY, .number = seen);
}

static void add_credentials(struct plan_build *b)
{
	const struct policy_user *user = &b->policy->user;
	if (user->mode == USER_ISOLATED)
		plan_payload(b, .kind = STEP_IDS, .number = ISOLATED_UID, .value = ISOLATED_UID);
	else if (b->host->privileged)
		plan_payload(b, .kind = STEP_IDS,
			.number = user->mode == USER_ID ? user->uid : b->host->uid,
			.value = user->mode == USER_ID ? user->gid : b->host->gid);
}

static void collect_writable(struct plan_build *b)
{
	const struct resolved *r = b->resolved;
	struct strv *list = &b->plan->writable;
	for (size_t i = 0; i < r->write.n; i++)
		strv_push(b->a, list, r->write.v[i].dest);
	for (size_t i = 0; i < r->tmpfs.n; i++)
		strv_push(b->a, list, r->tmpfs.v[i].dest);
	strv_push(b->a, list, "/dev");
	strv_push(b->a, list, "/proc");
}

/*
 * An open file can be opened anew, through /proc/self/fd, and the mount that counts then is the one
 * that it came from: the host's, which is not read-only. Only Landlock looks at the file itself.
 */
static bool can_confine(struct plan_build *b)
{
	bool old = b->host->landlock_abi < PLAN_CONFINE_ABI;
	if (!b->input->stdin_is_file || b->plan->tty)
		return false;
	if (!old && !b->policy->user_namespaces)
		return true;
	strv_push(b->a, &b->plan->notes,
		arena_printf(b->a,
			"the program can write to the file that is its stdin, as far as the file's "
			"permissions go: %s",
			old ? "this kernel's Landlock is too old (5.19)"
			    : "what would keep it from that also forbids mounts"));
	return false;
}

static void add_landlock(struct plan_build *b)
{
	unsigned abi = (unsigned)b->host->landlock_abi;
	unsigned scopes = abi >= SCOPE_ABI ? SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL : 0;
	bool confines = can_confine(b);
	if (confines)
		collect_writable(b);
	if (plan_lists_programs(b)) {
		plan_payload(b, .kind = STEP_ALLOW_LIST, .number = abi, .value = scopes,
			.path = plan_search_path(&b->plan->envp), .text = plan_allowed_programs(b));
	} else if (confines) {
		plan_payload(b, .kind = STEP_CONFINE, .number = abi, .value = scopes);
	} else if (scopes) {
		plan_payload(b, .kind = STEP_SCOPE, .number = scopes);
	}
}

/*
 * The kernel shares the CPUs out by session first (sched(7), autogroups): in a session of its own a
 * program, however many processes it makes, takes no turns from bulkhead, nor from its caller. But
 * being nice counts within a session only.
 */
static void add_group(struct plan_build *b)
{
	if (!b->input->own_process_group || b->plan->tty) /* a terminal makes a session */
		return;
	if (b->input->usual_priority)
		plan_payload(b, .kind = STEP_OWN_SESSION);
	else
		plan_payload(b, .kind = STEP_OWN_GROUP);
}

static void plan_payload_steps(struct plan_build *b)
{
	if (b->plan->wants_group) {
		plan_payload(b, .kind = STEP_GROUPS);
		plan_payload(b, .kind = STEP_CGROUPNS);
	}
	add_group(b);
	add_affinity(b);
	plan_payload(b, .kind = STEP_STDIO);
	add_credentials(b);
	if (b->plan->tty) /* which is to belong to the payload's user */
		plan_payload(b, .kind = STEP_TERMINAL, .path = PLAN_PTMX);
	plan_payload(b, .kind = STEP_CHDIR, .path = b->resolved->cwd);
	plan_payload(b, .kind = STEP_NO_NEW_PRIVS);
	add_landlock(b);
	/* no descriptor is opened from here on: a low --nofile is the program's affair, not ours */
	add_rlimits(b);
	plan_payload(b, .kind = STEP_DROP_CAPS);
	plan_payload(b, .kind = STEP_CLOSE_FDS);
	if (b->plan->n_filter)
		plan_payload(b, .kind = b->plan->exec == EXEC_OFF ? STEP_FILTER : STEP_LISTENER,
			.number = b->plan->n_filter);
	plan_payload(b, .kind = STEP_EXEC, .path = b->plan->argv.v[0]);
}

const char *plan_search_path(const struct strv *envp)
{
	for (size_t i = 0; i < envp->n; i++)
		if (strncmp(envp->v[i], "PATH=", 5) == 0 && envp->v[i][5])
			return envp->v[i] + 5;
	return "/usr/local/bin:/usr/bin:/bin";
}

struct strv plan_exec_paths(const struct strv *envp, const char *name, struct arena *a)
{
	struct strv list = {0};
	if (strchr(name, '/')) {
		strv_push(a, &list, name);
		return list;
	}
	for (const char *p = plan_search_path(envp);; p++) {
		const char *end = strchrnul(p, ':');
		const char *dir = end > p ? arena_strndup(a, p, (size_t)(end - p)) : ".";
		strv_push(a, &list, path_join(a, dir, name));
		p = end;
		if (!*p)
			return list;
	}
}

static int decide_filter(struct plan_build *b)
{
	const struct policy *policy = b->policy;
	if (!b->host->seccomp) {
		if (!b->input->best_effort || policy->exec.mode != EXEC_OFF)
			return error_set(b->e, BLAME_HOST, 0,
				"this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER); "
				"run without one: --best-effort");
		strv_push(b->a, &b->plan->notes, "no system call filter: the kernel has none");
		return 0;
	}
	if (policy->syscalls_deny.n == 0 && policy->syscalls_allow.n == 0 &&
		!policy->user_namespaces && policy->exec.mode == EXEC_OFF) {
		b->plan->filter = filter_default(&b->plan->n_filter);
		return 0;
	}
	struct filter_spec spec = {.deny = &policy->syscalls_deny,
		.allow = &policy->syscalls_allow,
		.user_namespaces = policy->user_namespaces,
		.exec = policy->exec.mode};
	b->plan->exec = policy->exec.mode;
	return filter_compile(&spec, b->a, &b->plan->filter, &b->plan->n_filter, b->e);
}

/* The kernel refuses an id map with uid 0 of the namespace above to all but its CAP_SETFCAP (5.12). */
static void note_user_namespaces(struct plan_build *b)
{
	const struct policy_user *user = &b->policy->user;
	uint32_t uid = user->mode == USER_ID ? user->uid : b->host->uid;
	if (b->policy->user_namespaces && user->mode != USER_ISOLATED && uid == 0)
		strv_push(b->a, &b->plan->notes,
			"syscalls.user_namespaces is of little use to a program with uid 0, which "
			"the "
			"kernel refuses their id maps; try --user isolated");
}

static int check_host(struct plan_build *b)
{
	if (!b->host->mount_setattr)
		return error_set(b->e, BLAME_HOST, 0,
			"Linux %s is too old: a box needs 5.12 (mount_setattr)", b->host->kernel);
	if (!b->host->userns.usable) {
		error_set(b->e, BLAME_HOST, 0, "user namespaces cannot be used here: %s",
			b->host->userns.why ? b->host->userns.why : "the reason is not known");
		if (b->host->userns.remedy)
			error_hint(b->e, "%s", b->host->userns.remedy);
		return -1;
	}
	return 0;
}

/* Sections of a policy that ask for what `bulkhead run` has no means for are refused, not skipped. */
static int check_sections(struct plan_build *b)
{
	const struct policy *p = b->policy;
	const char *what = p->retry.attempts > 1           ? "retries"
		: p->breaker.key || p->breaker.cooldown_us ? "a breaker or cooldown"
		: p->capture_messages                      ? "messages"
							   : NULL;
	/* a run is the same without one, only later */
	if (p->pool.size && !b->input->has_pools)
		strv_push(b->a, &b->plan->notes,
			arena_printf(b->a, "the pool of policy '%s' is the daemon's", p->name));
	if (!what)
		return 0;
	if (b->input->best_effort) {
		strv_push(b->a, &b->plan->notes,
			arena_printf(
				b->a, "policy '%s' asks for %s, which is not done", p->name, what));
		return 0;
	}
	error_set(b->e, BLAME_POLICY, 0,
		"policy '%s' asks for %s, which this version of bulkhead cannot do", p->name, what);
	return error_hint(b->e, "run without: --best-effort");
}

static void decide_capture(struct plan_build *b)
{
	const struct limit_value *output = limit_of(b, LIMIT_OUTPUT);
	b->plan->capture = b->input->capture_wanted || limit_of(b, LIMIT_IDLE_TIMEOUT)->set ||
		(output->set && output->origin == ORIGIN_ASKED);
	if (!b->plan->capture)
		b->plan->by[LIMIT_OUTPUT] = ENFORCED_NONE;
}

int plan_make(struct plan *ret, const struct policy *policy, const struct host *host,
	const struct resolved *resolved, const struct plan_input *input, struct arena *a,
	struct error *e)
{
	struct plan plan = {.id = input->id, .policy = policy, .argv = input->argv};
	struct plan_build b = {&plan, policy, host, resolved, input, a, e};
	plan.new_network = policy->network == NETWORK_NONE;
	plan.tty = input->tty;
	plan.box.v = arena_calloc(a, PLAN_MAX_STEPS, sizeof(struct step));
	plan.payload.v = arena_calloc(a, PLAN_MAX_STEPS, sizeof(struct step));
	for (size_t i = 0; i < resolved->notes.n; i++)
		strv_push(a, &plan.notes, resolved->notes.v[i]);
	plan.wants_group = host->cgroup.rung != RUNG_NONE;
	if (check_host(&b) < 0 || check_sections(&b) < 0 || plan_check_exec(&b) < 0 ||
		decide_limits(&b) < 0 || decide_user(&b) < 0 || decide_filter(&b) < 0)
		return -1;
	decide_capture(&b);
	note_user_namespaces(&b);
	plan.envp = plan_environment(policy, input->environ, input->id, a);
	plan.exec_paths = plan_exec_paths(&plan.envp, plan.argv.v[0], a);
	if (plan_mounts(&b) < 0)
		return -1;
	plan_payload_steps(&b);
	*ret = plan;
	return 0;
}
