/* SPDX-License-Identifier: MIT */
#include "model/doctor.h"

#include <assert.h>

#include "model/plan.h"

static const char *const weight_names[] = {
	[CAPABILITY_NEEDED] = "needed",
	[CAPABILITY_WANTED] = "wanted",
	[CAPABILITY_USEFUL] = "useful",
};
static_assert(
	sizeof weight_names / sizeof *weight_names == CAPABILITY_COUNT_, "a name for each weight");

const char *capability_weight_name(enum capability_weight weight)
{
	return weight_names[weight];
}

/* ---- what there is ---- */

static bool has_userns(const struct host *h)
{
	return h->userns.usable;
}

static bool has_mount_setattr(const struct host *h)
{
	return h->mount_setattr;
}

static bool has_proc(const struct host *h)
{
	return h->proc_mountable;
}

static bool has_seccomp(const struct host *h)
{
	return h->seccomp;
}

static bool has_landlock(const struct host *h)
{
	return h->landlock_abi > 0;
}

static bool has_exec(const struct host *h)
{
	return h->exec.usable;
}

static bool has_idmap(const struct host *h)
{
	return h->idmapped_mounts;
}

static bool has_memory(const struct host *h)
{
	return h->cgroup.base[CONTROLLER_MEMORY] != NULL;
}

static bool has_swap(const struct host *h)
{
	return h->cgroup.has_swap;
}

static bool has_pids(const struct host *h)
{
	return h->cgroup.base[CONTROLLER_PIDS] != NULL;
}

static bool has_cpu(const struct host *h)
{
	return h->cgroup.base[CONTROLLER_CPU] != NULL;
}

static bool has_kill(const struct host *h)
{
	return h->cgroup.has_kill;
}

static bool has_freeze(const struct host *h)
{
	return h->cgroup.has_freeze;
}

static bool has_oom_group(const struct host *h)
{
	return h->cgroup.has_oom_group;
}

static bool has_peaks(const struct host *h)
{
	return h->cgroup.has_memory_peak && h->cgroup.has_pids_peak;
}

static bool has_pressure(const struct host *h)
{
	return h->cgroup.has_pressure;
}

/* ---- why it is not there ---- */

struct cause_of {
	const char *why, *remedy;
};

static struct cause_of userns_cause(const struct host *h, struct arena *a)
{
	(void)a;
	return (struct cause_of){h->userns.why, h->userns.remedy};
}

static struct cause_of cgroup_cause(const struct host *h, struct arena *a)
{
	(void)a;
	return (struct cause_of){h->cgroup.why_not_better, h->cgroup.remedy};
}

static struct cause_of exec_cause(const struct host *h, struct arena *a)
{
	(void)a;
	return (struct cause_of){h->exec.why, h->exec.remedy};
}

static struct cause_of kernel_cause(const struct host *h, struct arena *a)
{
	return (struct cause_of){
		arena_printf(a, "not in Linux %s", h->kernel != NULL ? h->kernel : "?"), NULL};
}

/* What the v2 tree alone has: where there is a tree, the kernel is too old. */
static struct cause_of core_cause(const struct host *h, struct arena *a)
{
	return h->cgroup.base[CONTROLLER_CORE] != NULL ? kernel_cause(h, a) : cgroup_cause(h, a);
}

static struct cause_of proc_cause(const struct host *h, struct arena *a)
{
	(void)a;
	if (!h->userns.usable)
		return (struct cause_of){"there are no user namespaces", NULL};
	return (struct cause_of){HOST_PROC_COVERED, h->in_container ? HOST_PROC_REMEDY : NULL};
}

static struct cause_of idmap_cause(const struct host *h, struct arena *a)
{
	if (!h->privileged)
		return (struct cause_of){"only root may make them", "sudo bulkhead run …"};
	if (h->mount_setattr)
		return (struct cause_of){"the file system of / cannot be idmapped", NULL};
	return kernel_cause(h, a);
}

/* ---- the table ---- */

static const struct {
	const char *name;
	enum capability_weight weight;
	bool (*has)(const struct host *h);
	const char *with, *without;
	struct cause_of (*cause)(const struct host *h, struct arena *a);
} capabilities[] = {
	{"user namespaces", CAPABILITY_NEEDED, has_userns,
		"a run gets namespaces of its own and no capability outside of them",
		"no box can be made", userns_cause},
	{"mount_setattr", CAPABILITY_NEEDED, has_mount_setattr,
		"the whole root of a box is made read-only in one step",
		"no box can be made (needs Linux 5.12)", kernel_cause},
	{"seccomp filter", CAPABILITY_NEEDED, has_seccomp, "dangerous system calls are refused",
		"no box can be made but by --best-effort", kernel_cause},
	{"fresh /proc", CAPABILITY_NEEDED, has_proc, "a run sees only its own processes",
		"no box can be made: it would see the host's processes", proc_cause},
	{"memory limit", CAPABILITY_WANTED, has_memory,
		"the kernel holds the whole run to --memory, and counts why it was killed",
		"memory is sampled: a short peak is missed, and a verdict is less certain",
		cgroup_cause},
	{"swap limit", CAPABILITY_WANTED, has_swap, "memory cannot be evaded into swap",
		"a run may swap beyond --memory", cgroup_cause},
	{"pids limit", CAPABILITY_WANTED, has_pids, "a fork bomb stops at --pids",
		"processes are limited per user, if at all", cgroup_cause},
	{"cpu limit", CAPABILITY_USEFUL, has_cpu, "--cpus takes fractions of a CPU",
		"--cpus takes whole CPUs only, by affinity", cgroup_cause},
	{"kill at once", CAPABILITY_USEFUL, has_kill,
		"all processes of a run die in one step (cgroup.kill)",
		"a run is ended through its pid namespace", core_cause},
	{"freeze", CAPABILITY_USEFUL, has_freeze, "a run can be stopped as a whole (cgroup.freeze)",
		"only its processes one by one can be stopped", core_cause},
	{"oom group", CAPABILITY_USEFUL, has_oom_group,
		"at the memory limit the kernel ends the run as a whole",
		"at the memory limit bulkhead ends what the kernel left of the run", cgroup_cause},
	{"peaks", CAPABILITY_USEFUL, has_peaks, "a verdict tells the peaks of memory and processes",
		"a verdict tells them only in part", core_cause},
	{"pressure", CAPABILITY_USEFUL, has_pressure,
		"a verdict tells how long a run waited for CPU, memory and io",
		"a verdict does not tell what a run waited for", core_cause},
	{"landlock", CAPABILITY_USEFUL, has_landlock,
		"signals and abstract sockets are kept inside the box too",
		"namespaces alone keep signals inside the box", kernel_cause},
	{"exec policies", CAPABILITY_USEFUL, has_exec,
		"what a policy's exec rules refuse is not executed",
		"a policy with exec rules is refused", exec_cause},
	{"idmapped mounts", CAPABILITY_USEFUL, has_idmap,
		"--user isolated can write where its caller can",
		"--user isolated writes only what everyone may", idmap_cause},
};
static_assert(sizeof capabilities / sizeof *capabilities <= DOCTOR_MAX_CAPABILITIES, "room");

/* ---- the examination ---- */

static void examine_capability(struct doctor *d, size_t i, struct arena *a)
{
	struct capability *c = &d->capability[i];
	*c = (struct capability){.name = capabilities[i].name, .weight = capabilities[i].weight};
	c->ok = capabilities[i].has(d->host);
	c->meaning = c->ok ? capabilities[i].with : capabilities[i].without;
	if (c->ok)
		return;
	struct cause_of cause = capabilities[i].cause(d->host, a);
	c->why = cause.why;
	c->remedy = cause.remedy;
	if (c->weight != CAPABILITY_USEFUL)
		d->full = false;
}

static void examine_limit(struct doctor *d, enum limit limit, const struct policy *policy)
{
	struct doctor_limit *l = &d->limit[limit];
	const struct limit_value *v = &policy->limits.v[limit];
	l->in_default = v->set;
	l->by = plan_enforced_by(policy, d->host, limit);
	l->degraded = v->set && (l->by == ENFORCED_NONE || l->by == ENFORCED_SAMPLED);
	/* No swap was asked for, and there is none. */
	if (limit == LIMIT_SWAP && v->value == 0 && d->host->cgroup.has_swap)
		l->degraded = false;
	if (l->degraded)
		d->full = false;
}

void doctor_examine(
	struct doctor *ret, const struct host *host, const struct policy *policy, struct arena *a)
{
	*ret = (struct doctor){.host = host, .full = true};
	ret->n = sizeof capabilities / sizeof *capabilities;
	for (size_t i = 0; i < ret->n; i++)
		examine_capability(ret, i, a);
	for (int l = 0; l < LIMIT_COUNT_; l++)
		examine_limit(ret, (enum limit)l, policy);
}
