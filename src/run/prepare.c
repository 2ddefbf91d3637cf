/* SPDX-License-Identifier: MIT */
#include "run/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "kernel/scheduler.h"
#include "run/host-exec.h"
#include "run/host.h"
#include "run/isolated.h"
#include "run/policy-file.h"
#include "run/resolve.h"

/* linux/binfmts.h: MAX_ARG_STRLEN. */
#define ARGUMENT_MAX (32 * 4096)

static int check_arguments(const struct strv *argv, struct error *e)
{
	if (argv->n == 0 || argv->v[0][0] == 0)
		return error_set(e, BLAME_REQUEST, 0, "the command is an empty word");
	for (size_t i = 0; i < argv->n; i++) {
		size_t size = strlen(argv->v[i]) + 1;
		if (size > ARGUMENT_MAX)
			return error_set(e, BLAME_REQUEST, 0,
				"argument %zu is %zu bytes long; the kernel takes at most %d", i,
				size - 1, ARGUMENT_MAX - 1);
	}
	return 0;
}

static uint64_t random_u64(void)
{
	uint64_t value = 0;
	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value))
		value = time_monotonic_us() * 0x9e3779b97f4a7c15ull ^ (uint64_t)getpid();
	return value;
}

static bool has_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/*
 * What the caller gave for stdin, stdout and stderr. A directory leads past everything that the box
 * hides: openat(0, "etc/shadow") is not stopped by any mount of the box's.
 */
static int check_stdio(bool *ret_is_file, struct error *e)
{
	static const char *const names[] = {"stdin", "stdout", "stderr"};
	*ret_is_file = false;
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;
		int flags = fcntl(fd, F_GETFL);
		if (flags < 0 || fstat(fd, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode) || (flags & O_PATH))
			return error_set(e, BLAME_REQUEST, 0,
				"%s is a %s, which leads out of any box", names[fd],
				S_ISDIR(st.st_mode) ? "directory" : "mere path");
		*ret_is_file |= (flags & O_ACCMODE) == O_RDONLY &&
			(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
	}
	return 0;
}

struct prepare_caller prepare_caller_self(void)
{
	extern char **environ;
	return (struct prepare_caller){.environ = environ, .is_us = true};
}

static int load_policy(struct prepared *p, const struct request *request,
	const struct prepare_caller *caller, struct arena *a, struct error *e)
{
	struct policy_source source = {.read = policy_file_read};
	const char *name = request->policy ? request->policy : "default";
	if (caller->policy)
		p->policy = *caller->policy;
	else if (policy_load(&p->policy, a, &source, name, e) < 0)
		return -1;
	if (request_apply(request, &p->policy, a, e) < 0)
		return -1;
	return policy_check(&p->policy, e);
}

static void name_run(struct prepared *p, const struct prepare_caller *caller, uint64_t random)
{
	if (caller->id)
		memcpy(p->id, caller->id, sizeof(p->id));
	else
		run_id_format(time_realtime_us() / 1000, random, p->id);
}

/* What is parked gets its command later: any word stands for it in the plan. */
static struct strv command_of(const struct request *request, const struct prepare_caller *caller)
{
	static const char *none[] = {"-", NULL};
	bool later = caller->parked && request->argv.n == 0;
	return later ? (struct strv){.v = none, .n = 1} : request->argv;
}

static void fill_input(
	struct prepared *p, const struct request *request, const struct prepare_caller *caller)
{
	uint64_t random = random_u64();
	name_run(p, caller, random);
	p->input = (struct plan_input){
		.id = p->id,
		.argv = command_of(request, caller),
		.environ = caller->environ,
		.own_process_group = !caller->is_us || !has_terminal(),
		.usual_priority = scheduler_is_usual(),
		.capture_wanted = caller->capture || request->log_dir || p->policy.capture_log,
		.best_effort = request->best_effort,
		.has_pools = !caller->is_us,
		.tty = request->tty,
		.random = (uint32_t)(random >> 32),
	};
}

static int take_uids(struct prepared *p, struct error *e)
{
	bool isolated = p->policy.user.mode == USER_ISOLATED && p->host.privileged;
	return isolated ? isolated_take(p->input.random, &p->input.isolated_base, &p->uids_fd, e)
			: 0;
}

static void learn_host(struct prepared *p, const struct prepare_caller *caller, struct arena *a)
{
	if (caller->host)
		p->host = *caller->host;
	else
		host_probe(&p->host, a, false);
	if (p->policy.exec.mode != EXEC_OFF)
		host_check_exec(&p->host, a, false);
	if (caller->is_us)
		return;
	p->host.cwd = caller->cwd;
	p->host.home = caller->home;
}

int prepare_policy(struct prepared *ret, const struct request *request,
	const struct prepare_caller *caller, struct arena *a, struct error *e)
{
	const struct strv argv = command_of(request, caller);
	*ret = (struct prepared){.uids_fd = -1};
	return check_arguments(&argv, e) < 0 ? -1 : load_policy(ret, request, caller, a, e);
}

static int find_paths(
	struct prepared *p, const struct prepare_caller *caller, struct arena *a, struct error *e)
{
	if (resolve_paths(&p->resolved, &p->policy, &p->host, a, e) < 0)
		return -1;
	if (!caller->is_us)
		p->resolved.console = NULL; /* it would be the daemon's */
	return 0;
}

int prepare_plan(struct prepared *ret, const struct request *request,
	const struct prepare_caller *caller, struct arena *a, struct error *e)
{
	learn_host(ret, caller, a);
	fill_input(ret, request, caller);
	if ((caller->is_us && check_stdio(&ret->input.stdin_is_file, e) < 0) ||
		take_uids(ret, e) < 0)
		return -1;
	if (find_paths(ret, caller, a, e) == 0 &&
		plan_make(&ret->plan, &ret->policy, &ret->host, &ret->resolved, &ret->input, a,
			e) == 0)
		return 0;
	ret->uids_fd = fd_close(ret->uids_fd);
	return -1;
}

/* ---- a run in a box that there is ---- */

/* The first of what was asked for that a box has or has not from its making on; NULL: none. */
static const char *asks_for_box(const struct prepared *box, const struct request *r)
{
	const char *policy = box->policy.name ? box->policy.name : "";
	return r->policy && strcmp(r->policy, policy) != 0                      ? "another policy"
		: r->read.n || r->write.n || r->hide.n || r->tmpfs.n || r->root ? "other paths"
		: r->workdir                                                    ? "a --workdir"
		: r->user_given                                                 ? "another user"
		: r->network_given                                              ? "another network"
		: r->limit_given[LIMIT_TMP_SIZE] ? "another --tmp-size"
						 : NULL;
}

int prepare_entry_check(const struct prepared *box, const struct request *request, struct error *e)
{
	const char *what = asks_for_box(box, request);
	return what ? error_set(e, BLAME_REQUEST, EINVAL, "a run in a box cannot have %s", what)
		    : 0;
}

int prepare_entry(struct prepared *ret, const struct prepared *box, const struct request *request,
	const struct prepare_caller *caller, struct arena *a, struct error *e)
{
	struct prepare_caller inside = *caller;
	inside.policy = &box->policy;
	if (prepare_policy(ret, request, &inside, a, e) < 0 ||
		prepare_entry_check(box, request, e) < 0)
		return -1;
	ret->host = box->host;
	ret->resolved = box->resolved;
	fill_input(ret, request, &inside);
	ret->input.isolated_base = box->input.isolated_base;
	ret->input.best_effort |= box->input.best_effort;
	return plan_make(&ret->plan, &ret->policy, &ret->host, &ret->resolved, &ret->input, a, e);
}

/* ---- the observation of it ---- */

static const char *policy_name(const struct prepared *p, const struct request *request)
{
	const char *name = request->policy ? request->policy : "default";
	return p->policy.name ? p->policy.name : name;
}

void observation_begin(
	struct observation *o, const struct prepared *p, const struct request *request)
{
	*o = (struct observation){
		.id = p->id,
		.key = request->key,
		.policy = policy_name(p, request),
		.argv = request->argv.v,
		.argc = request->argv.n,
		.attempt = 1,
		.rung = p->host.cgroup.rung,
		.privileged = p->host.privileged,
		.wait = WAIT_NEVER_STARTED,
		.seccomp = p->plan.n_filter > 0,
		.exec.mode = p->plan.exec,
		.oom = p->policy.limits.oom,
		.grace_us = p->policy.limits.grace_us,
		.started_us = time_realtime_us(),
		.ended_us = time_realtime_us(),
		.kernel = p->host.kernel ? p->host.kernel : "",
		.version = BULKHEAD_VERSION,
	};
	for (int l = 0; l < LIMIT_COUNT_; l++) {
		o->limits[l].asked = p->policy.limits.v[l];
		o->limits[l].by = p->plan.by[l];
	}
	if (!p->plan.capture)
		o->limits[LIMIT_OUTPUT] = (struct observed_limit){0};
}
