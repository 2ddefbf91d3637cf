/* SPDX-License-Identifier: MIT */
#include "warden/audit.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

/* One after the other: each is told by its time. */
static struct exec_event event_of(uint64_t t_us)
{
	return (struct exec_event){.t_us = t_us, .outcome = EXEC_STARTED, .called = "/bin/true"};
}

static bool tell(struct audit *audit, uint64_t t_us)
{
	cleanup_buf struct buf line = BUF_INIT;
	const struct exec_event event = event_of(t_us);
	return audit_tell(audit, &event, &line);
}

/* Of a time of one digit. */
static size_t line_size(void)
{
	cleanup_buf struct buf line = BUF_INIT;
	const struct exec_event event = event_of(1);
	exec_event_format(&event, &line);
	return line.size;
}

static struct audit begin(uint64_t max_bytes)
{
	struct audit audit;
	int fd = memfd_create("audit", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	audit_init_take(&audit, fd, max_bytes);
	return audit;
}

/* The times of the lines that can be read, and in *ret_bad how many cannot. */
static size_t times(const struct audit *audit, uint64_t ret[16], unsigned *ret_bad)
{
	cleanup_arena struct arena a = ARENA_INIT;
	char text[4096];
	size_t n = 0;
	ssize_t size = pread(audit->fd, text, sizeof(text) - 1, 0);
	*ret_bad = 0;
	assert_true(size >= 0);
	text[size] = 0;
	for (char *line = text, *end; *line; line = end + (*end == '\n')) {
		struct exec_event event;
		struct error e = ERROR_INIT;
		end = strchrnul(line, '\n');
		if (exec_event_parse(&event, line, (size_t)(end - line), &a, &e) < 0)
			++*ret_bad;
		else
			ret[n++] = event.t_us;
	}
	return n;
}

static void test_none(void **state)
{
	struct audit audit;
	(void)state;
	audit_init_take(&audit, -1, 1 << 20);
	assert_true(tell(&audit, 1));
	assert_int_equal(audit.bytes, 0);
	audit_fini(&audit);
}

/* To the byte: what does not fit is not begun, and smaller ones may come yet. */
static void test_cap(void **state)
{
	size_t size = line_size();
	uint64_t t[16];
	unsigned bad;
	(void)state;
	for (size_t less = 0; less < 3; less++) {
		struct audit audit = begin(3 * size - less);
		assert_true(tell(&audit, 1) && tell(&audit, 2));
		assert_int_equal(tell(&audit, 1000), false);
		assert_int_equal(tell(&audit, 3), less == 0);
		assert_false(tell(&audit, 4));
		assert_int_equal(lseek(audit.fd, 0, SEEK_END), audit.bytes);
		assert_int_equal(times(&audit, t, &bad), less ? 2 : 3);
		assert_int_equal(bad, 0);
		audit_fini(&audit);
	}
	struct audit audit = begin(0);
	assert_false(tell(&audit, 1));
	assert_int_equal(lseek(audit.fd, 0, SEEK_END), 0);
	audit_fini(&audit);
}

static struct rlimit before;

/* As a full disk does: the write that reaches @size is short, later ones fail. */
static void allow(uint64_t size)
{
	struct rlimit limit = {.rlim_cur = size, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* One line is lost wherever it was torn, and the next begins anew. */
static void test_torn(void **state)
{
	size_t size = line_size();
	uint64_t t[16];
	unsigned bad;
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	for (size_t at = 0; at <= size; at++) {
		struct audit audit = begin(1 << 20);
		assert_true(tell(&audit, 1));
		allow(size + at);
		assert_int_equal(tell(&audit, 2), at == size);
		assert_false(tell(&audit, 3)); /* of which nothing comes */
		assert_int_equal(audit.torn, at > 0 && at < size);
		allow(before.rlim_max);
		assert_true(tell(&audit, 4));
		assert_false(audit.torn);
		/* without its newline alone it is whole */
		bool lost = at < size - 1;
		assert_int_equal(times(&audit, t, &bad), lost ? 2 : 3);
		assert_int_equal(bad, lost && at > 0);
		assert_int_equal(t[0], 1);
		assert_int_equal(t[lost ? 1 : 2], 4);
		assert_int_equal(lseek(audit.fd, 0, SEEK_END), audit.bytes);
		audit_fini(&audit);
	}
	setrlimit(RLIMIT_FSIZE, &before);
}

/* The newline that ends a torn line is counted, too. */
static void test_torn_at_the_cap(void **state)
{
	size_t size = line_size();
	(void)state;
	getrlimit(RLIMIT_FSIZE, &before);
	for (size_t more = 0; more < 2; more++) {
		struct audit audit = begin(2 * size + 10 + more);
		assert_true(tell(&audit, 1));
		allow(size + 10);
		assert_false(tell(&audit, 2));
		allow(before.rlim_max);
		assert_int_equal(tell(&audit, 3), more == 1);
		assert_true(audit.bytes <= audit.max_bytes);
		audit_fini(&audit);
	}
	setrlimit(RLIMIT_FSIZE, &before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_torn_at_the_cap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
