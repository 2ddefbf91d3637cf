/* SPDX-License-Identifier: MIT */
#include "kernel/scheduler.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "kernel/sys.h"
#include "kernel/test-child.h"

/* As the kernel has it, which is no business of ours elsewhere: policy, nice, runtime. */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static struct attr now(void)
{
	struct attr attr = {0};
	REQUIRE(sys_sched_getattr(0, (struct sched_attr *)&attr, sizeof(attr)) == 0);
	return attr;
}

static void become_usual(void)
{
	const struct sched_param none = {0};
	REQUIRE(sched_setscheduler(0, SCHED_OTHER, &none) == 0);
	if (getpriority(PRIO_PROCESS, 0) != 0 && setpriority(PRIO_PROCESS, 0, 0) < 0)
		_exit(NOT_HERE);
}

static void usual(void)
{
	become_usual();
	REQUIRE(scheduler_is_usual());
	REQUIRE(setpriority(PRIO_PROCESS, 0, 3) == 0 && !scheduler_is_usual());
}

static void batch_is_not_usual(void)
{
	const struct sched_param none = {0};
	become_usual();
	REQUIRE(sched_setscheduler(0, SCHED_BATCH, &none) == 0 && !scheduler_is_usual());
}

static bool has_slices(void)
{
	struct utsname name;
	unsigned major = 0, minor = 0;
	REQUIRE(uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2);
	return major > 6 || (major == 6 && minor >= 12);
}

/* Nothing else changes, and who is not privileged may. */
static void slice(void)
{
	REQUIRE(setpriority(PRIO_PROCESS, 0, 7) == 0);
	REQUIRE(geteuid() != 0 || setresuid(65534, 65534, 65534) == 0);
	struct attr before = now();
	REQUIRE(scheduler_set_slice(300) == 0);
	struct attr after = now();
	REQUIRE(!has_slices() || after.runtime == 300000);
	after.runtime = before.runtime;
	REQUIRE(memcmp(&before, &after, sizeof(before)) == 0);
}

static void real_time_is_left_alone(void)
{
	const struct sched_param first = {.sched_priority = 1};
	if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
		_exit(NOT_HERE);
	struct attr before = now();
	REQUIRE(scheduler_set_slice(300) == 0);
	struct attr after = now();
	REQUIRE(memcmp(&before, &after, sizeof(before)) == 0);
}

#define TEST(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		in_child(name);                                                                    \
	}
TEST(usual)
TEST(batch_is_not_usual)
TEST(slice)
TEST(real_time_is_left_alone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual),
		cmocka_unit_test(test_batch_is_not_usual),
		cmocka_unit_test(test_slice),
		cmocka_unit_test(test_real_time_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
