/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/btf.h"

/*
 * A small file of types, well-formed until a case spoils it:
 *   1 int "int"; 2 struct "small" {int pid}; 3 struct "task" {int pid; int tgid; int flag:3}
 */
struct image {
	struct btf_header header;
	struct {
		struct btf_type type;
		uint32_t encoding;
	} integer;
	struct {
		struct btf_type type;
		struct btf_member pid;
	} small;
	struct {
		struct btf_type type;
		struct btf_member pid, tgid, flag;
	} task;
	char strings[32];
};

enum { AT_INT = 1, AT_SMALL = 5, AT_TASK = 11, AT_PID = 16, AT_TGID = 20, AT_FLAG = 25 };
static const char strings[32] = "\0int\0small\0task\0pid\0tgid\0flag";

#define STRUCT(members) (BTF_KIND_STRUCT << 24 | 1u << 31 | (members))

static void make(struct image *ret)
{
	const size_t types = offsetof(struct image, strings) - sizeof(struct btf_header);
	*ret = (struct image){
		.header = {.magic = BTF_MAGIC,
			.version = BTF_VERSION,
			.hdr_len = sizeof(struct btf_header),
			.type_len = (uint32_t)types,
			.str_off = (uint32_t)types,
			.str_len = sizeof(strings)},
		.integer = {{AT_INT, BTF_KIND_INT << 24, {4}}, 32},
		.small = {{AT_SMALL, STRUCT(1), {4}}, {AT_PID, 1, 0}},
		.task = {{AT_TASK, STRUCT(3), {64}}, {AT_PID, 1, 256}, {AT_TGID, 1, 288},
			{AT_FLAG, 1, 3u << 24 | 320}},
	};
	memcpy(ret->strings, strings, sizeof(strings));
}

static int file_of(const void *bytes, size_t size)
{
	int fd = memfd_create("btf", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	return fd;
}

static int find_in(const void *bytes, size_t size, const char *structure, const char *member)
{
	struct btf_field field = {.name = member, .size = 4};
	int fd = file_of(bytes, size);
	int rc = btf_find(fd, structure, 1, &field, 1);
	close(fd);
	return rc < 0 ? rc : (int)field.ret_offset;
}

static int find(const struct image *image, const char *structure, const char *member)
{
	return find_in(image, sizeof(*image), structure, member);
}

static void test_finds(void **state)
{
	struct image image;
	struct btf_field both[] = {{"tgid", 4, 0}, {"pid", 4, 0}};
	(void)state;
	make(&image);
	assert_int_equal(find(&image, "task", "pid"), 32);
	assert_int_equal(find(&image, "task", "tgid"), 36);
	assert_int_equal(find(&image, "small", "pid"), 0);
	int fd = file_of(&image, sizeof(image));
	assert_int_equal(btf_find(fd, "task", 2, both, 2), 0);
	assert_int_equal(both[0].ret_offset, 36);
	assert_int_equal(both[1].ret_offset, 32);
	close(fd);
}

/* Of those without a name, the one that has it all. */
static void test_finds_without_a_name(void **state)
{
	struct image image;
	(void)state;
	make(&image);
	assert_int_equal(find(&image, "", "tgid"), -ENOENT);
	image.small.type.name_off = image.task.type.name_off = 0;
	assert_int_equal(find(&image, "", "tgid"), 36);
	assert_int_equal(find(&image, "", "pid"), 0);
	assert_int_equal(find(&image, "", "none"), -ENOENT);
	image.task.tgid.offset = 61 * 8;
	assert_int_equal(find(&image, "", "tgid"), -EBADMSG);
}

static void test_does_not_find(void **state)
{
	struct image image;
	struct btf_field pid = {"pid", 4, 0};
	(void)state;
	make(&image);
	assert_int_equal(find(&image, "tas", "pid"), -ENOENT);
	assert_int_equal(find(&image, "task", "tgi"), -ENOENT);
	assert_int_equal(find(&image, "task", "tgid2"), -ENOENT);
	assert_int_equal(find(&image, "task", "flag"), -ENOENT); /* a bit-field has no address */
	assert_int_equal(
		find(&image, "a name that is longer than any that is looked for", "pid"), -ENOENT);
	int fd = file_of(&image, sizeof(image));
	assert_int_equal(btf_find(fd, "small", 2, &pid, 1), -ENOENT); /* too few members */
	close(fd);
}

/* Without the flag the whole word is the offset. */
static void test_offsets_of_both_kinds(void **state)
{
	struct image image;
	(void)state;
	make(&image);
	image.task.type.info = BTF_KIND_STRUCT << 24 | 3;
	assert_int_equal(find(&image, "task", "tgid"), 36);
	image.task.tgid.offset = 289;
	assert_int_equal(find(&image, "task", "tgid"), -ENOENT);
}

static void test_member_beyond_its_struct(void **state)
{
	struct image image;
	(void)state;
	make(&image);
	image.task.tgid.offset = 60 * 8;
	assert_int_equal(find(&image, "task", "tgid"), 60);
	image.task.tgid.offset = 61 * 8;
	assert_int_equal(find(&image, "task", "tgid"), -EBADMSG);
	image.task.tgid.offset = 0xfffff8;
	assert_int_equal(find(&image, "task", "tgid"), -EBADMSG);
	image.task.type.info = BTF_KIND_STRUCT << 24 | 3;
	image.task.tgid.offset = 0xfffffff8;
	assert_int_equal(find(&image, "task", "tgid"), -EBADMSG);
}

static void test_header(void **state)
{
	struct image image;
	(void)state;
	make(&image);
	image.header.magic = 0x9feb;
	assert_int_equal(find(&image, "task", "pid"), -EBADMSG);
	make(&image);
	image.header.version = 2;
	assert_int_equal(find(&image, "task", "pid"), -EBADMSG);
	make(&image);
	image.header.hdr_len = 8;
	assert_int_equal(find(&image, "task", "pid"), -EBADMSG);
	make(&image);
	image.header.type_len = UINT32_MAX;
	assert_int_equal(find(&image, "task", "pid"), -EBADMSG);
	make(&image);
	image.header.type_off = UINT32_MAX;
	assert_int_equal(find(&image, "task", "pid"), -EBADMSG);
}

static void test_strings_out_of_bounds(void **state)
{
	struct image image;
	(void)state;
	make(&image);
	image.task.type.name_off = UINT32_MAX;
	assert_int_equal(find(&image, "task", "pid"), -ENOENT);
	make(&image);
	image.header.str_len = AT_TASK + 4; /* its NUL is not within */
	assert_int_equal(find(&image, "task", "pid"), -ENOENT);
	make(&image);
	image.header.str_off = UINT32_MAX - 8;
	assert_int_equal(find(&image, "task", "pid"), -EBADMSG); /* claimed, but not in the file */
}

static void test_types_out_of_bounds(void **state)
{
	struct image image;
	(void)state;
	make(&image);
	image.integer.type.info = 31u << 24; /* a kind of tomorrow: its end is not known */
	assert_int_equal(find(&image, "task", "pid"), -EBADMSG);
	make(&image);
	image.integer.type.info = 0;
	assert_int_equal(find(&image, "task", "pid"), -EBADMSG);
	make(&image);
	image.small.type.info = STRUCT(0xffff);
	assert_int_equal(find(&image, "task", "pid"), -EBADMSG);
	make(&image);
	image.task.type.info = STRUCT(4);
	assert_int_equal(find(&image, "task", "none"), -EBADMSG);
	make(&image);
	image.header.type_len -= 4;
	assert_int_equal(find(&image, "task", "none"), -EBADMSG);
}

/* Cut anywhere, it is refused or found, and never read beyond its end. */
static void test_cut_short(void **state)
{
	struct image image;
	(void)state;
	make(&image);
	for (size_t size = 0; size < sizeof(image); size++) {
		int rc = find_in(&image, size, "task", "tgid");
		assert_true(rc == -EBADMSG || (rc == 36 && size > offsetof(struct image, strings)));
	}
}

/* Every byte changed to a few others: an answer or a refusal, in any case an end. */
static void test_every_byte_spoilt(void **state)
{
	static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
	struct image image;
	(void)state;
	for (size_t at = 0; at < sizeof(image); at++)
		for (size_t i = 0; i < sizeof(values); i++) {
			make(&image);
			((unsigned char *)&image)[at] = values[i];
			int rc = find(&image, "task", "tgid");
			assert_true(rc == -EBADMSG || rc == -ENOENT || (rc >= 0 && rc <= 1 << 28));
		}
}

/* This kernel's own: what is found there agrees with itself. */
static void test_of_this_kernel(void **state)
{
	struct btf_field fields[] = {{"pid", 4, 0}, {"tgid", 4, 0}, {"comm", 16, 0}};
	(void)state;
	int fd = open(BTF_OF_KERNEL, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		skip();
	assert_int_equal(btf_find(fd, "task_struct", 64, fields, 3), 0);
	assert_int_equal(fields[1].ret_offset, fields[0].ret_offset + 4);
	assert_true(fields[2].ret_offset > fields[1].ret_offset);
	assert_int_equal(btf_find(fd, "no_such_struct", 64, fields, 3), -ENOENT);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds),
		cmocka_unit_test(test_finds_without_a_name),
		cmocka_unit_test(test_does_not_find),
		cmocka_unit_test(test_offsets_of_both_kinds),
		cmocka_unit_test(test_member_beyond_its_struct),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_strings_out_of_bounds),
		cmocka_unit_test(test_types_out_of_bounds),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_every_byte_spoilt),
		cmocka_unit_test(test_of_this_kernel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
