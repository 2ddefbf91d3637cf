/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/image.h"

/* Programs are files of strangers: every field is changed, and every length cut. */

struct file {
	Elf64_Ehdr head;
	Elf64_Phdr segment[3];
	char loader[16];
};

static void make(struct file *ret)
{
	*ret = (struct file){
		.head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64},
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phoff = offsetof(struct file, segment),
			.e_phnum = 3},
		.segment = {{.p_type = PT_LOAD, .p_vaddr = 0x400123, .p_memsz = 0x1000},
			{.p_type = PT_LOAD, .p_vaddr = 0x500000, .p_memsz = 0x2001},
			{.p_type = PT_INTERP,
				.p_offset = offsetof(struct file, loader),
				.p_filesz = sizeof("/lib/ld.so")}},
		.loader = "/lib/ld.so",
	};
}

static int file_of(const void *bytes, size_t size)
{
	int fd = memfd_create("program", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	return fd;
}

static bool read_image(const void *bytes, size_t size, uint64_t *ret_span)
{
	char loader[IMAGE_LOADER_SIZE];
	int fd = file_of(bytes, size);
	bool good = image_read(fd, ret_span, loader);
	assert_non_null(memchr(loader, 0, sizeof(loader)));
	close(fd);
	return good;
}

static void test_span_and_loader(void **state)
{
	struct file f;
	char loader[IMAGE_LOADER_SIZE];
	uint64_t span;
	(void)state;
	make(&f);
	int fd = file_of(&f, sizeof(f));
	assert_true(image_read(fd, &span, loader));
	assert_int_equal(span, 0x503000 - 0x400000);
	assert_string_equal(loader, "/lib/ld.so");
	close(fd);
}

static void test_what_is_no_program(void **state)
{
	uint64_t span;
	struct file f;
	(void)state;
	assert_false(read_image("", 0, &span));
	assert_false(read_image("#!/bin/sh\n", 10, &span));
	make(&f);
	f.head.e_ident[EI_CLASS] = ELFCLASS32;
	assert_false(read_image(&f, sizeof(f), &span));
	make(&f);
	f.head.e_phnum = 0;
	assert_false(read_image(&f, sizeof(f), &span));
	make(&f);
	f.head.e_phnum = 0xffff;
	assert_false(read_image(&f, sizeof(f), &span));
	make(&f);
	f.head.e_phoff = UINT64_MAX - 8;
	assert_false(read_image(&f, sizeof(f), &span));
}

static void test_sizes_beyond_all_memory(void **state)
{
	static const uint64_t sizes[] = {UINT64_MAX, INT64_MAX, (uint64_t)1 << 63};
	uint64_t span;
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct file f;
		make(&f);
		f.segment[1].p_memsz = sizes[i];
		assert_false(read_image(&f, sizeof(f), &span));
		make(&f);
		f.segment[1].p_vaddr = sizes[i];
		assert_false(read_image(&f, sizeof(f), &span));
	}
}

static void test_loaders_name(void **state)
{
	uint64_t span;
	struct file f;
	(void)state;
	make(&f);
	f.segment[2].p_filesz--; /* without its end */
	assert_false(read_image(&f, sizeof(f), &span));
	make(&f);
	f.segment[2].p_filesz = IMAGE_LOADER_SIZE + 1;
	assert_false(read_image(&f, sizeof(f), &span));
	make(&f);
	f.segment[2].p_filesz = 0;
	assert_false(read_image(&f, sizeof(f), &span));
	make(&f);
	f.segment[2].p_offset = INT64_MAX;
	assert_false(read_image(&f, sizeof(f), &span));
}

static void test_cut_and_spoilt(void **state)
{
	static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
	struct file f;
	uint64_t span;
	(void)state;
	make(&f);
	for (size_t size = 0; size < offsetof(struct file, loader); size++)
		assert_false(read_image(&f, size, &span));
	for (size_t at = 0; at < sizeof(f); at++)
		for (size_t i = 0; i < sizeof(values); i++) {
			make(&f);
			((unsigned char *)&f)[at] = values[i];
			if (read_image(&f, sizeof(f), &span))
				assert_in_range(span, 1, INT64_MAX);
		}
}

/* ---- in a root ---- */

static char top[] = "/tmp/test-image-XXXXXX";

static int make_root(void **state)
{
	struct file f;
	(void)state;
	if (!mkdtemp(top) || chdir(top) < 0)
		return -1;
	make(&f);
	strcpy(f.loader, "/loader");
	f.segment[2].p_filesz = sizeof("/loader");
	int fd = open("program", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	int written = write(fd, &f, sizeof(f)) == sizeof(f);
	close(fd);
	f.segment[2].p_type = PT_NULL;
	fd = open("loader", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	written += write(fd, &f, sizeof(f)) == sizeof(f);
	close(fd);
	fd = open("script", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	written += write(fd, "#! /program -x\n", 15) == 15;
	close(fd);
	return written == 3 && mkfifo("pipe", 0666) == 0 && symlink("/program", "link") == 0 &&
			symlink("../../../../etc/passwd", "outside") == 0
		? 0
		: -1;
}

static int remove_root(void **state)
{
	static const char *const names[] = {
		"program", "loader", "script", "pipe", "link", "outside"};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(names[i]);
	return chdir("/") < 0 || rmdir(top) < 0;
}

static void test_files_in_a_root(void **state)
{
	static const char *const programs[] = {"/program", "/script", "/link"};
	static const char *const none[] = {"/pipe", "/outside", "/no such", "/", "/../program/x"};
	int root = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct image image = {0};
		image_look(root, programs[i], &image);
		assert_true(image.known && image.has_loader);
		assert_int_equal(image.mapped_bytes, 2 * 0x103000);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct image image = {0};
		image_look(root, none[i], &image);
		assert_false(image.known);
	}
	close(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span_and_loader),
		cmocka_unit_test(test_what_is_no_program),
		cmocka_unit_test(test_sizes_beyond_all_memory),
		cmocka_unit_test(test_loaders_name),
		cmocka_unit_test(test_cut_and_spoilt),
		cmocka_unit_test(test_files_in_a_root),
	};
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
