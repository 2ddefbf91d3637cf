/* SPDX-License-Identifier: MIT */
#include "run/policy-book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"

static char dir[64], file[96];
static struct policy_book book;
static const uint64_t key[2] = {3, 4};

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/bulkhead-book-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/p.yaml", dir);
	policy_book_init(&book, key);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	policy_book_fini(&book);
	unlink(file);
	return rmdir(dir);
}

/* As if it had been written long ago: one of just now might still be changed unseen. */
static void write_policy(const char *text, long seconds_ago)
{
	struct timeval times[2];
	assert_int_equal(file_write_text(AT_FDCWD, file, text), 0);
	gettimeofday(&times[0], NULL);
	times[0].tv_sec -= seconds_ago;
	times[1] = times[0];
	assert_int_equal(utimes(file, times), 0);
}

static void create(const char *text, long seconds_ago)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	write_policy(text, seconds_ago);
}

static struct policy_page *open_page(const char *name)
{
	struct error e = ERROR_INIT;
	struct policy_page *page = policy_book_open(&book, name, &e);
	if (!page)
		print_error("%s\n", e.text);
	assert_non_null(page);
	return page;
}

static void test_what_was_read_once_is_there_again(void **state)
{
	(void)state;
	struct policy_page *first = open_page("tool"), *again = open_page("tool");
	assert_ptr_equal(first, again);
	assert_string_equal(first->policy.name, "tool");
	policy_page_let_go(first);
	policy_page_let_go(again);
}

static void test_a_changed_file_is_read_anew_and_the_old_page_stays_for_who_holds_it(void **state)
{
	(void)state;
	create("limits: {pids: 11}\n", 100);
	struct policy_page *old = open_page(file);
	struct policy_page *same = open_page(file);
	assert_ptr_equal(old, same);
	policy_page_let_go(same);
	create("limits: {pids: 12}\n", 50);
	struct policy_page *new = open_page(file);
	assert_int_equal(old->policy.limits.v[LIMIT_PIDS].value, 11);
	assert_int_equal(new->policy.limits.v[LIMIT_PIDS].value, 12);
	policy_page_let_go(old);
	policy_page_let_go(new);
}

/* Two changes within what a time stamp can tell apart. */
static void test_a_file_of_just_now_is_not_trusted(void **state)
{
	(void)state;
	create("limits: {pids: 11}\n", 0);
	struct policy_page *old = open_page(file);
	struct policy_page *new = open_page(file);
	assert_ptr_not_equal(old, new);
	policy_page_let_go(old);
	policy_page_let_go(new);
}

static void test_a_file_that_is_gone_or_wrong_is_an_error(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	create("limits: {pids: 11}\n", 100);
	policy_page_let_go(open_page(file));
	create("limits: {pids: none of your business}\n", 50);
	assert_null(policy_book_open(&book, file, &e));
	unlink(file);
	assert_null(policy_book_open(&book, file, &e));
	assert_int_equal(e.blame, BLAME_REQUEST);
	assert_null(policy_book_open(&book, "no-such-policy", &e));
	assert_int_equal(book.by_name.n, 0);
}

/* Many names are not many pages, and the last used ones stay. */
static void test_the_book_is_bounded(void **state)
{
	(void)state;
	char name[128];
	struct policy_page *kept = open_page("strict");
	create("limits: {pids: 11}\n", 100);
	strcpy(name, file);
	for (int i = 0; i < BOOK_MAX_PAGES + 20; i++) {
		/* one file by many names: one slash more each time */
		char path[sizeof(name) + BOOK_MAX_PAGES + 20];
		memset(path, '/', (size_t)i);
		strcpy(path + i, name);
		policy_page_let_go(open_page(path));
	}
	assert_true(book.by_name.n <= BOOK_MAX_PAGES);
	assert_string_equal(kept->policy.name, "strict");
	policy_page_let_go(kept);
}

static void test_a_policy_in_a_request(void **state)
{
	(void)state;
	static const char good[] = "{\"extends\": \"tool\", \"limits\": {\"pids\": 13}}";
	static const char path[] = "{\"extends\": \"/etc/passwd\"}";
	struct error e = ERROR_INIT;
	struct policy_page *page = policy_page_of_text(good, strlen(good), &e);
	assert_non_null(page);
	assert_int_equal(page->policy.limits.v[LIMIT_PIDS].value, 13);
	policy_page_let_go(page);
	assert_null(policy_page_of_text(path, strlen(path), &e));
	assert_int_equal(e.blame, BLAME_POLICY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_was_read_once_is_there_again),
		TEST(test_a_changed_file_is_read_anew_and_the_old_page_stays_for_who_holds_it),
		TEST(test_a_file_of_just_now_is_not_trusted),
		TEST(test_a_file_that_is_gone_or_wrong_is_an_error),
		TEST(test_the_book_is_bounded),
		TEST(test_a_policy_in_a_request),
	};
	return cmocka_run_group_tests_name("run-policy-book", tests, NULL, NULL);
}
