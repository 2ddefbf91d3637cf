/* SPDX-License-Identifier: MIT */
#include "cli/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "kernel/scheduler.h"
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

static int load_policy(
	struct prepared *p, const struct request *request, struct arena *a, struct error *e)
{
	struct policy_source source = {.read = policy_file_read};
	const char *name = request->policy ? request->policy : "default";
	if (policy_load(&p->policy, a, &source, name, e) < 0 ||
		request_apply(request, &p->policy, a, e) < 0)
		return -1;
	return policy_check(&p->policy, e);
}

static int fill_input(struct prepared *p, const struct request *request, struct error *e)
{
	extern char **environ;
	uint64_t random = random_u64();
	run_id_format(time_realtime_us() / 1000, random, p->id);
	p->input = (struct plan_input){
		.id = p->id,
		.argv = request->argv,
		.environ = environ,
		.own_process_group = !has_terminal(),
		.usual_priority = scheduler_is_usual(),
		.capture_wanted = request->log_dir || p->policy.capture_log,
		.best_effort = request->best_effort,
		.tty = request->tty,
		.random = (uint32_t)(random >> 32),
	};
	if (check_stdio(&p->input.stdin_is_file, e) < 0)
		return -1;
	bool isolated = p->policy.user.mode == USER_ISOLATED && p->host.privileged;
	return isolated ? isolated_take(p->input.random, &p->input.isolated_base, &p->uids_fd, e)
			: 0;
}

int prepare_policy(
	struct prepared *ret, const struct request *request, struct arena *a, struct error *e)
{
	*ret = (struct prepared){.uids_fd = -1};
	return check_arguments(&request->argv, e) < 0 ? -1 : load_policy(ret, request, a, e);
}

int prepare_plan(
	struct prepared *ret, const struct request *request, struct arena *a, struct error *e)
{
	host_probe(&ret->host, a, false);
	if (fill_input(ret, request, e) < 0 ||
		resolve_paths(&ret->resolved, &ret->policy, &ret->host, a, e) < 0)
		return -1;
	return plan_make(&ret->plan, &ret->policy, &ret->host, &ret->resolved, &ret->input, a, e);
}
