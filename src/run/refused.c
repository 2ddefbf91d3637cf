/* SPDX-License-Identifier: MIT */
#include "run/refused.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"

static const struct {
	int resource;
	enum limit limit;
	uint64_t unit; /* in the unit of the limit */
} inherited[] = {
	{RLIMIT_AS, LIMIT_ADDRESS_SPACE, 1},
	{RLIMIT_FSIZE, LIMIT_FILE_SIZE, 1},
	{RLIMIT_CPU, LIMIT_CPU_TIME, US_PER_SEC},
};

static bool put_down(rlim_t value, uint64_t unit, uint64_t *ret)
{
	if (value == RLIM_INFINITY || value > INT64_MAX / unit)
		return false;
	*ret = value * unit;
	return true;
}

void refused_inherit(struct observation *o)
{
	for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++) {
		struct rlimit limit;
		struct inherited_limit *l = &o->inherited[inherited[i].limit];
		if (getrlimit(inherited[i].resource, &limit) < 0)
			continue;
		l->soft_set = put_down(limit.rlim_cur, inherited[i].unit, &l->soft);
		l->hard_set = put_down(limit.rlim_max, inherited[i].unit, &l->hard);
	}
}

static bool is_limited(const struct observation *o, enum limit limit)
{
	return o->limits[limit].asked.set || o->inherited[limit].soft_set;
}

void refused_open(struct refused *r, const struct observation *o, int group)
{
	struct error e = ERROR_INIT;
	struct stat st;
	unsigned limits = is_limited(o, LIMIT_ADDRESS_SPACE) ? 1u << REFUSAL_ADDRESS_SPACE : 0;
	limits |= is_limited(o, LIMIT_FILE_SIZE) ? 1u << REFUSAL_FILE_SIZE : 0;
	if (limits == 0)
		return;
	r->watched = group >= 0 && fstat(group, &st) == 0 &&
		refusal_open(&r->trace, st.st_ino, limits, getpid(), &e) == 0;
}

static void put(struct observation *o, const struct refusal_record *record, enum limit limit,
	bool leader, uint64_t started_us)
{
	uint64_t at_us = record->time_ns / 1000;
	struct refusal *to = &o->refusals[o->n_refusals++];
	*to = (struct refusal){
		.limit = limit,
		.leader = leader,
		.count = record->count,
		.at_us = at_us > started_us ? at_us - started_us : 0,
		.used_bytes = record->used * (uint64_t)sysconf(_SC_PAGESIZE),
		.asked_bytes = record->asked < INT64_MAX ? record->asked : INT64_MAX,
		.limit_bytes = record->limit < INT64_MAX ? record->limit : INT64_MAX,
		.pid = (pid_t)record->pid,
	};
	memcpy(to->comm, record->comm, sizeof(record->comm));
}

void refused_tell(const struct refused *r, struct observation *o, uint64_t started_us)
{
	static const enum limit limits[REFUSAL_LIMIT_COUNT_] = {
		[REFUSAL_ADDRESS_SPACE] = LIMIT_ADDRESS_SPACE,
		[REFUSAL_FILE_SIZE] = LIMIT_FILE_SIZE,
	};
	_Static_assert(REFUSAL_LIMIT_COUNT_ * 2 <= OBSERVATION_MAX_REFUSALS, "room for each");
	o->refusals_watched = r->watched;
	for (int i = 0; r->watched && i < REFUSAL_LIMIT_COUNT_ * 2; i++) {
		struct refusal_record record;
		bool leader = i % 2 == 0;
		if (refusal_read(&r->trace, i / 2, leader, &record) == 0 && record.count > 0)
			put(o, &record, limits[i / 2], leader, started_us);
	}
}

void refused_close(struct refused *r)
{
	refusal_close(&r->trace);
	r->watched = false;
}
