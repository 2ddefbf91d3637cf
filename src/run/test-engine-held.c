/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>

#include "run/engine-internal.h"
#include "run/test-engine.h"
#include "run/test-tracer.h"

/* Processes whose end somebody holds up who traces them, in boxes and outside of them. */

/* Whom we fork from now on is born in the pid namespace of @pid. */
static void bear_in(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(setns(fd, CLONE_NEWPID), 0);
	close(fd);
}

/* How they call @pid who are in its own namespace. */
static pid_t number_inside(pid_t pid)
{
	char path[64], text[4096];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	assert_true(file_read_text(-1, path, text, sizeof(text)) > 0);
	char *line = strstr(text, "\nNSpid:\t");
	assert_non_null(line);
	line[1 + strcspn(line + 1, "\n")] = 0;
	return (pid_t)strtol(strrchr(line, '\t'), NULL, 10);
}

/* ---- kept boxes ---- */

/* Whose run was given up long ago: nobody waits for it, and the kernel's end of the box does. */
static void test_a_box_ends_when_a_tracer_lets_go(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct error e = ERROR_INIT;
	struct box *b = rig_box(NULL);
	bear_in(b->inside.init.pid);
	pid_t given_up = start_traceable();
	bear_in(getpid());
	pid_t tracer = start_tracer(given_up, 0);
	assert_int_equal(box_remove(b, true, &e), 0);
	rig_quiet(1500); /* it has been looked for */
	assert_int_equal(box_state(b), BOX_STOPPING);
	end_tracer(tracer);
	rig_box_gone(b);
}

/* It goes with init: the one who is parked is not waited for before that. */
static void test_a_tracer_in_the_box_holds_up_nothing(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct error e = ERROR_INIT;
	struct box *b = rig_box(NULL);
	pid_t parked = talk_payload_pid(&b->spare->talk);
	bear_in(b->inside.init.pid);
	start_tracer(number_inside(parked), 0);
	bear_in(getpid());
	uint64_t before = time_monotonic_us();
	assert_int_equal(box_remove(b, true, &e), 0);
	rig_box_gone(b);
	assert_true(time_monotonic_us() - before < TALK_KILL_MS * 1000 - US_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_a_box_ends_when_a_tracer_lets_go),
		RIG_TEST(test_a_tracer_in_the_box_holds_up_nothing),
	};
	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests_name("run-engine-held", tests, NULL, NULL);
}
