/* SPDX-License-Identifier: MIT */
#include "model/limits.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

/* 292 years: a deadline in nanoseconds on the monotonic clock still fits 63 bits. */
#define MAX_US    ((uint64_t)INT64_MAX / 1000)
#define MAX_BYTES ((uint64_t)INT64_MAX) /* off_t, and what cgroup files take */

static const struct limit_row {
	const char *name, *option;
	enum limit_unit unit;
	/*
	 * The values that make sense. 0 would be "unlimited" to some (a tmpfs, RLIMIT_CPU rounded
	 * up) and "nothing" to others: where it is nonsense, it is refused.
	 */
	uint64_t min, max;
	uint64_t least; /* of what a program can start with at all; 0: as min */
} rows[] = {
	[LIMIT_MEMORY] = {"memory", "--memory", UNIT_BYTES, 1, MAX_BYTES, .least = 1 << 20},
	[LIMIT_SWAP] = {"swap", "--swap", UNIT_BYTES, 0, MAX_BYTES},
	[LIMIT_CPUS] = {"cpus", "--cpus", UNIT_MILLI_CPUS, 10, 8192 * 1000}, /* NR_CPUS */
	[LIMIT_PIDS] = {"pids", "--pids", UNIT_COUNT, 1, 4194304}, /* PID_MAX_LIMIT */
	[LIMIT_TIMEOUT] = {"timeout", "--timeout", UNIT_US, 1, MAX_US},
	[LIMIT_CPU_TIME] = {"cpu_time", "--cpu-time", UNIT_US, 1, MAX_US},
	[LIMIT_IDLE_TIMEOUT] = {"idle_timeout", "--idle-timeout", UNIT_US, 1, MAX_US},
	[LIMIT_OUTPUT] = {"output", "--output-limit", UNIT_BYTES, 0, MAX_BYTES},
	[LIMIT_FILE_SIZE] = {"file_size", "--file-size", UNIT_BYTES, 0, MAX_BYTES},
	[LIMIT_TMP_SIZE] = {"tmp_size", "--tmp-size", UNIT_BYTES, 1, MAX_BYTES},
	[LIMIT_NOFILE] = {"nofile", "--nofile", UNIT_COUNT, 1, INT32_MAX, /* an fd is an int */
		4},
	[LIMIT_ADDRESS_SPACE] = {"address_space", "--address-space", UNIT_BYTES, 1, MAX_BYTES,
		1 << 20},
};
static_assert(sizeof rows / sizeof *rows == LIMIT_COUNT_, "a row for each limit");

static const char *const enforced_by_names[] = {
	[ENFORCED_NONE] = "none",
	[ENFORCED_CGROUP_V2] = "cgroup-v2",
	[ENFORCED_CGROUP_V1] = "cgroup-v1",
	[ENFORCED_RLIMIT] = "rlimit",
	[ENFORCED_SUPERVISOR] = "supervisor",
	[ENFORCED_SAMPLED] = "sampled",
	[ENFORCED_TMPFS] = "tmpfs",
	[ENFORCED_AFFINITY] = "affinity",
};
static_assert(sizeof enforced_by_names / sizeof *enforced_by_names == ENFORCED_COUNT_,
	"a name for each enforcer");

static const char *const oom_mode_names[] = {
	[OOM_GROUP] = "group",
	[OOM_PROCESS] = "process",
};
static_assert(sizeof oom_mode_names / sizeof *oom_mode_names == OOM_COUNT_, "a name for each mode");

const char *limit_name(enum limit limit)
{
	return rows[limit].name;
}

const char *limit_option(enum limit limit)
{
	return rows[limit].option;
}

enum limit_unit limit_unit(enum limit limit)
{
	return rows[limit].unit;
}

const char *enforced_by_name(enum enforced_by by)
{
	return enforced_by_names[by];
}

const char *oom_mode_name(enum oom_mode mode)
{
	return oom_mode_names[mode];
}

uint64_t limit_least(enum limit limit)
{
	return rows[limit].least ? rows[limit].least : rows[limit].min;
}

int limit_from_name(const char *name)
{
	for (int i = 0; i < LIMIT_COUNT_; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return i;
	}
	return -1;
}

int oom_mode_from_name(const char *name)
{
	for (int i = 0; i < OOM_COUNT_; i++) {
		if (strcmp(oom_mode_names[i], name) == 0)
			return i;
	}
	return -1;
}

static const char *format_count(uint64_t count, char *out)
{
	snprintf(out, FORMAT_SIZE, "%" PRIu64, count);
	return out;
}

static const struct unit_row {
	int (*parse)(const char *text, uint64_t *ret);
	const char *(*format)(uint64_t value, char *out);
} unit_rows[] = {
	[UNIT_BYTES] = {parse_size, format_size},
	[UNIT_US] = {parse_duration, format_duration},
	[UNIT_COUNT] = {NULL, format_count},
	[UNIT_MILLI_CPUS] = {parse_cpus, format_milli},
};
static_assert(LIMIT_TEXT_SIZE >= FORMAT_SIZE + sizeof " CPUs", "any unit's text fits");

const char *limit_format(enum limit limit, const struct limit_value *value, char *out)
{
	if (!value->set) {
		snprintf(out, LIMIT_TEXT_SIZE, "unlimited");
		return out;
	}
	unit_rows[rows[limit].unit].format(value->value, out);
	if (rows[limit].unit == UNIT_MILLI_CPUS)
		strcat(out, value->value == 1000 ? " CPU" : " CPUs");
	return out;
}

int limit_parse(enum limit limit, const char *text, struct limit_value *ret)
{
	const struct limit_row *row = &rows[limit];
	struct limit_value value = {.set = false, .origin = ORIGIN_ASKED};
	if (strcmp(text, "unlimited") == 0 || strcmp(text, "none") == 0) {
		*ret = value;
		return 0;
	}
	int (*parse)(const char *, uint64_t *) = unit_rows[row->unit].parse;
	int r = parse ? parse(text, &value.value) : parse_u64(text, UINT64_MAX, &value.value);
	if (r < 0)
		return -1;
	if (value.value < row->min || value.value > row->max) {
		errno = ERANGE;
		return -1;
	}
	value.set = true;
	*ret = value;
	return 0;
}
