/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdint.h>
#include <string.h>

#include "run/denied.h"

/* The records are the kernel's, the names in them are not, nor are other lines of the log. */

#define HEAD                                                                                       \
	"5,2000,16633418504,-;audit: type=1326 audit(1795277229.362:124): auid=4294967295 uid=0 "  \
	"gid=0 ses=1 "
#define TAIL                                                                                       \
	" exe=\"/usr/bin/python3.11\" sig=31 arch=c000003e syscall=1073741863 compat=0 ip=0x7f "   \
	"code=0x80000000"
#define GOOD HEAD "pid=4657 comm=\"python3\"" TAIL

static void test_a_call_is_named(void **state)
{
	struct denied_call call = {0};
	(void)state;
	assert_true(denied_parse(GOOD, 4657, &call));
	assert_true(call.known);
	assert_int_equal(call.arch, 0xc000003e);
	assert_int_equal(call.number, 1073741863);
	/* blanks and quotes come as hexadecimal digits */
	assert_true(denied_parse(HEAD "pid=4657 comm=2070696433" TAIL, 4657, &call));
}

static void test_what_is_no_record_of_ours(void **state)
{
	static const char *const table[] = {
		"",
		";",
		"5,1,2,-;",
		"5,1,2,-;audit: type=1326 ",
		HEAD "pid=4657",
		HEAD "pid=4658 comm=\"python3\"" TAIL,
		HEAD "pid=46570 comm=\"python3\"" TAIL,
		HEAD "pid=-1 comm=\"python3\"" TAIL,
		HEAD "pid= comm=\"python3\"" TAIL,
		/* a name is no field */
		HEAD "pid=1 comm=\"pid=4657\"" TAIL,
		/* logged and not killed */
		HEAD "pid=4657 comm=\"x\" exe=\"x\" sig=0 arch=c000003e syscall=1 code=0x7ffc0000",
		HEAD "pid=4657 comm=\"x\" exe=\"x\" sig=31 arch= syscall=1",
		HEAD "pid=4657 comm=\"x\" exe=\"x\" sig=31 syscall=1",
		/* of another type, and none at all */
		"5,1,2,-;audit: type=1300 pid=4657" TAIL,
		"5,1,2,-;x audit: type=1326 pid=4657" TAIL,
		/* written by somebody into the log */
		"12,1,2,-;audit: type=1326 x pid=4657 comm=\"x\"" TAIL,
		"audit: type=1326 x pid=4657 comm=\"x\"" TAIL,
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct denied_call call = {.number = 42};
		print_message("record %zu\n", i);
		assert_false(denied_parse(table[i], 4657, &call));
		assert_false(call.known);
		assert_int_equal(call.number, 42);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_call_is_named),
		cmocka_unit_test(test_what_is_no_record_of_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
