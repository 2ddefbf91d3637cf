/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "run/group-backend.h"

/* Writing limits, at first and again. */

/* What the kernel takes at most: PID_MAX_LIMIT, more of which cannot be anyhow. */
#define PIDS_LIMIT_MAX   4194304
#define CPUS_MILLI_MAX   100000000
#define CPU_QUOTA_MIN_US 1000

/* In the order in which they are lifted: memory and swap together may not be below memory. */
static const enum limit limits_of_groups[GROUP_LIMITS] = {
	LIMIT_SWAP, LIMIT_MEMORY, LIMIT_CPUS, LIMIT_PIDS};

/* What is worth saying besides the errno, by what the kernel means with it here. */
int group_hint(struct error *e, const struct host_cgroup *host)
{
	static const struct {
		int errnum;
		const char *text;
	} hints[] = {
		{EAGAIN,
			"a group above has reached its cgroup.max.descendants or cgroup.max.depth"},
		{EBUSY, "the group holds processes and so cannot have controllers for children"},
		{EINVAL, "a group above it allows less"},
		{ENOSPC, "the kernel has no more memory groups; are dead ones left over?"},
	};
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (e != NULL && e->errnum == hints[i].errnum)
			return error_hint(e, "%s", hints[i].text);
	}
	return host->remedy != NULL ? error_hint(e, "try: %s", host->remedy) : -1;
}

static int index_of(enum limit limit)
{
	for (int i = 0; i < GROUP_LIMITS; i++)
		if (limits_of_groups[i] == limit)
			return i;
	return -1;
}

static int rewrite(struct group *g, int i, int dir, const char *file, const char *text)
{
	int *kept = &g->limit_fd[i];
	char *last = g->limit_text[i];
	if (strcmp(last, text) == 0)
		return 0;
	if (*kept < 0)
		*kept = cgroup_open_file(dir, file, O_WRONLY);
	if (*kept < 0 || pwrite(*kept, text, strlen(text), 0) < 0)
		return -1;
	snprintf(last, sizeof(g->limit_text[i]), "%s", text);
	return 0;
}

/* With a descriptor that is kept, if there will be more of it. */
static int write_limit(
	struct group *g, int dir, enum limit limit, const char *file, const char *text)
{
	int i = g->relimited ? index_of(limit) : -1;
	return i >= 0 ? rewrite(g, i, dir, file, text) : cgroup_write(dir, file, text);
}

int group_write_limit(struct group *g, const struct group_spec *spec, const struct group_write *w,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	int fd = group_fd(g, w->controller);
	if (fd < 0)
		return 0;
	int r = write_limit(g, fd, w->limit, w->file, w->text);
	if (r < 0 && errno == ENOENT && g->ops->enable != NULL &&
		g->ops->enable(g, w->controller) == 0)
		r = write_limit(g, fd, w->limit, w->file, w->text);
	if (r == 0) {
		g->limited |= 1u << w->limit;
		ret_by[w->limit] = g->ops->by;
		return 0;
	}
	if (spec->limits->v[w->limit].origin != ORIGIN_ASKED)
		return 0;
	error_set(e, BLAME_HOST, errno, "cannot write '%s' to '%s/%s/%s'", w->text,
		g->base[w->controller], g->name, w->file);
	return group_hint(e, g->host);
}

int group_limit_pids(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	char text[24];
	const struct limit_value *pids = &spec->limits->v[LIMIT_PIDS];
	if (!pids->set)
		return 0;
	uint64_t value = pids->value < PIDS_LIMIT_MAX ? pids->value : PIDS_LIMIT_MAX;
	snprintf(text, sizeof(text), "%" PRIu64, value);
	struct group_write w = {CONTROLLER_PIDS, LIMIT_PIDS, "pids.max", text};
	return group_write_limit(g, spec, &w, ret_by, e);
}

uint64_t group_cpu_quota_us(const struct limit_value *cpus, uint64_t period_us)
{
	uint64_t milli = cpus->value < CPUS_MILLI_MAX ? cpus->value : CPUS_MILLI_MAX;
	uint64_t quota = milli * period_us / 1000;
	return quota > CPU_QUOTA_MIN_US ? quota : CPU_QUOTA_MIN_US;
}

bool group_host_has_no_swap(void)
{
	char text[CGROUP_TEXT_SIZE];
	if (file_read_text(AT_FDCWD, "/proc/swaps", text, sizeof(text)) < 0)
		return false;
	const char *newline = strchr(text, '\n');
	return newline == NULL || newline[1] == '\0';
}

/* ---- again ---- */

/* Swap is limited where memory is, only. */
static bool is_wanted(const struct limits *limits, enum limit l)
{
	bool memory = limits->v[LIMIT_MEMORY].set;
	return limits->v[l].set && (l != LIMIT_SWAP || memory);
}

static int lift(struct group *g, enum limit l, struct error *e)
{
	const struct group_lift *how = &g->ops->lift[l];
	int dir = group_fd(g, how->controller);
	if (write_limit(g, dir, l, how->file, how->text) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot write '%s' to '%s/%s/%s'", how->text,
			g->base[how->controller], g->name, how->file);
	g->limited &= ~(1u << l);
	g->memory_limit = l == LIMIT_MEMORY ? 0 : g->memory_limit;
	return 0;
}

/* What the host could do, and this group was made without. */
static int check_asked(const struct group *g, const struct limits *limits, struct error *e)
{
	for (int i = 0; i < GROUP_LIMITS; i++) {
		enum limit l = limits_of_groups[i];
		const struct limit_value *v = &limits->v[l];
		const char *base = g->host->base[g->ops->lift[l].controller];
		bool missing = g->ops->lift[l].file && !(g->limited & 1u << l) && base;
		if (is_wanted(limits, l) && v->origin == ORIGIN_ASKED && missing && l != LIMIT_SWAP)
			return error_set(e, BLAME_HOST, 0,
				"the control group '%s' was made without a means for %s", g->name,
				limit_option(l));
	}
	return 0;
}

int group_limit(struct group *g, const struct limits *limits, enum enforced_by ret_by[LIMIT_COUNT_],
	struct error *e)
{
	const struct group_spec spec = {.limits = limits, .oom_group = limits->oom == OOM_GROUP};
	for (int i = 0; i < GROUP_LIMITS; i++) {
		enum limit l = limits_of_groups[i];
		if ((g->limited & 1u << l) && !is_wanted(limits, l) && lift(g, l, e) < 0)
			return -1;
	}
	return g->ops->limit(g, &spec, ret_by, e) < 0 ? -1 : check_asked(g, limits, e);
}
