/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/codec-json.h"
#include "model/doctor.h"

static struct arena arena;
static struct doctor doctor;

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static struct host good_host(void)
{
	struct host h = {.kernel = "6.12.0",
		.machine = "x86_64",
		.n_cpus = 4,
		.privileged = true,
		.memory_bytes = 1 << 30,
		.seccomp = true,
		.landlock_abi = 6,
		.mount_setattr = true,
		.clone_into_cgroup = true,
		.proc_mountable = true,
		.idmapped_mounts = true};
	h.userns.usable = true;
	h.exec.usable = true;
	h.cgroup = (struct host_cgroup){.rung = RUNG_V2,
		.has_swap = true,
		.has_kill = true,
		.has_freeze = true,
		.has_memory_peak = true,
		.has_pids_peak = true,
		.has_oom_group = true,
		.has_pressure = true};
	for (int c = 0; c < CONTROLLER_COUNT_; c++)
		h.cgroup.base[c] = "/sys/fs/cgroup";
	return h;
}

static struct policy default_policy(void)
{
	struct policy p = {.name = "default"};
	p.limits.v[LIMIT_MEMORY] = (struct limit_value){true, ORIGIN_DEFAULT, 2ull << 30};
	p.limits.v[LIMIT_SWAP] = (struct limit_value){true, ORIGIN_DEFAULT, 0};
	p.limits.v[LIMIT_PIDS] = (struct limit_value){true, ORIGIN_DEFAULT, 512};
	return p;
}

static void examine(const struct host *h)
{
	struct policy p = default_policy();
	doctor_examine(&doctor, h, &p, &arena);
}

static const struct capability *find(const char *name)
{
	for (size_t i = 0; i < doctor.n; i++) {
		if (strcmp(doctor.capability[i].name, name) == 0)
			return &doctor.capability[i];
	}
	fail_msg("no capability '%s'", name);
	return NULL;
}

static void test_good_host(void **state)
{
	struct host h = good_host();
	(void)state;
	examine(&h);
	assert_true(doctor.full);
	for (size_t i = 0; i < doctor.n; i++) {
		assert_true(doctor.capability[i].ok);
		assert_null(doctor.capability[i].why);
		assert_null(doctor.capability[i].remedy);
	}
	assert_int_equal(doctor.limit[LIMIT_MEMORY].by, ENFORCED_CGROUP_V2);
	assert_null(strstr(doctor_format_text(&doctor, &arena), "missing"));
}

static void test_no_cgroups(void **state)
{
	struct host h = good_host();
	(void)state;
	h.cgroup = (struct host_cgroup){.rung = RUNG_NONE,
		.why_not_better = "not mounted",
		.remedy = "mount it",
		.has_swap = true};
	examine(&h);
	assert_false(doctor.full);
	assert_true(doctor.limit[LIMIT_MEMORY].degraded);
	assert_int_equal(doctor.limit[LIMIT_MEMORY].by, ENFORCED_SAMPLED);
	assert_false(doctor.limit[LIMIT_SWAP].degraded); /* there is none to be used */
	assert_string_equal(find("memory limit")->remedy, "mount it");
	const char *text = doctor_format_text(&doctor, &arena);
	assert_non_null(strstr(text, "why no better: not mounted"));
	assert_non_null(strstr(text, "try: mount it"));
	assert_non_null(strstr(text, "is not fully enforced"));
}

static void test_no_user_namespaces(void **state)
{
	struct host h = good_host();
	(void)state;
	h.userns = (struct host_userns){false, "a switch", "turn it"};
	h.proc_mountable = false;
	examine(&h);
	assert_false(doctor.full);
	assert_int_equal(find("user namespaces")->weight, CAPABILITY_NEEDED);
	assert_string_equal(find("user namespaces")->why, "a switch");
	assert_string_equal(find("user namespaces")->remedy, "turn it");
	assert_false(find("fresh /proc")->ok);
}

static void test_useful_things_do_not_degrade(void **state)
{
	struct host h = good_host();
	(void)state;
	h.landlock_abi = 0;
	h.idmapped_mounts = h.cgroup.has_oom_group = h.cgroup.has_pressure = false;
	h.cgroup.base[CONTROLLER_CPU] = NULL;
	examine(&h);
	assert_true(doctor.full);
	assert_false(find("landlock")->ok);
	assert_non_null(strstr(find("landlock")->why, "6.12.0"));
	assert_true(find("exec policies")->ok);
	h.exec = (struct host_exec){.why = "Yama", .remedy = "reboot"};
	examine(&h);
	assert_false(find("exec policies")->ok);
	assert_string_equal(find("exec policies")->why, "Yama");
	assert_string_equal(find("exec policies")->remedy, "reboot");
}

/* Nothing of the host can forge a line or break the JSON. */
static void test_hostile_names(void **state)
{
	struct host h = good_host();
	(void)state;
	h.cgroup.base[CONTROLLER_MEMORY] = "/sys/a\n  ok  \x1b[2J\"\xff";
	h.userns = (struct host_userns){false, "why\nnot \xff", NULL};
	h.kernel = NULL;
	h.machine = NULL;
	examine(&h);
	const char *text = doctor_format_text(&doctor, &arena);
	assert_null(strchr(text, 0x1b));
	assert_null(strstr(text, "\n  ok  \\x1b"));
	const char *json = codec_doctor_json(&doctor, &arena);
	json_t *o = json_loads(json, 0, NULL);
	assert_non_null(o);
	assert_true(json_is_false(json_object_get(o, "full")));
	assert_int_equal(json_object_size(json_object_get(o, "limits")), LIMIT_COUNT_);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_good_host, teardown),
		cmocka_unit_test_teardown(test_no_cgroups, teardown),
		cmocka_unit_test_teardown(test_no_user_namespaces, teardown),
		cmocka_unit_test_teardown(test_useful_things_do_not_degrade, teardown),
		cmocka_unit_test_teardown(test_hostile_names, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
