/* SPDX-License-Identifier: MIT */
#include "warden/call.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct calls calls; /* large */

static struct call *begin(struct slot *slot, pid_t tid, pid_t pid)
{
	const struct notify_call notify = {.tid = tid};
	struct call *call = call_new(&calls, slot, &notify);
	if (call)
		call->ids.pid = pid;
	return call;
}

/* As many as there may be, and not one more; those that are over make room. */
static void test_limit(void **state)
{
	struct call **all = calloc(CALLS_MAX, sizeof(*all));
	struct slot slot = {0};
	(void)state;
	assert_non_null(all);
	for (unsigned i = 0; i < CALLS_MAX; i++)
		assert_non_null(all[i] = begin(&slot, 1, 1));
	assert_null(begin(&slot, 1, 1));
	assert_int_equal(slot.n_calls, CALLS_MAX);
	call_free(&calls, all[9]);
	assert_non_null(all[9] = begin(&slot, 1, 1));
	assert_null(begin(&slot, 1, 1));
	for (unsigned i = 0; i < CALLS_MAX; i++)
		call_free(&calls, all[i]);
	assert_int_equal(slot.n_calls, 0);
	assert_int_equal(calls.n, 0);
	assert_in_range(calls.n_unused, 1, 1000); /* the memory of a storm is given back */
	calls_fini(&calls);
	free(all);
}

/* Numbers that share a chain, in each order of leaving. */
static void test_chains(void **state)
{
	static const pid_t tids[] = {5, 5 + (pid_t)CALLS_CHAINS, 5 + 2 * (pid_t)CALLS_CHAINS};
	struct slot slot = {0};
	(void)state;
	for (unsigned first = 0; first < 3; first++) {
		struct call *call[3];
		for (unsigned i = 0; i < 3; i++) {
			call[i] = begin(&slot, tids[i], tids[i] + 100);
			assert_null(calls_by_tid(&calls, tids[i]));
			calls_add(&calls, call[i]);
		}
		assert_int_equal(calls.n_in_flight, 3);
		for (unsigned k = 0; k < 3; k++) {
			unsigned leaves = (first + k) % 3;
			assert_ptr_equal(calls_by_tid(&calls, tids[leaves]), call[leaves]);
			assert_ptr_equal(
				calls_by_process(&calls, tids[leaves] + 100), call[leaves]);
			calls_remove(&calls, call[leaves]);
			calls_remove(&calls, call[leaves]); /* is nothing */
			assert_null(calls_by_tid(&calls, tids[leaves]));
			assert_null(calls_by_process(&calls, tids[leaves] + 100));
			assert_int_equal(calls.n_in_flight, 2 - k);
			call_free(&calls, call[leaves]);
		}
	}
	calls_fini(&calls);
}

/* Neither files nor what was found out is left for the next. */
static void test_begun_anew(void **state)
{
	struct slot slot = {0};
	struct call *call = begin(&slot, 5, 6);
	(void)state;
	call->files[0].fd = open("/", O_PATH | O_CLOEXEC);
	call->n_files = 1;
	call->told = call->held = true;
	int fd = call->files[0].fd;
	assert_true(fd >= 0);
	call_reset(call);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_true(!call->told && !call->held && call->n_files == 0);
	assert_true(call->notify.tid == 5 && call->slot == &slot);
	call->files[0].fd = open("/", O_PATH | O_CLOEXEC);
	call->n_files = 1;
	fd = call->files[0].fd;
	call_free(&calls, call);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_ptr_equal(begin(&slot, 7, 8), call);
	assert_int_equal(call->n_files, 0);
	call_free(&calls, call);
	calls_fini(&calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_begun_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
