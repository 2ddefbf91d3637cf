/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jail/allow-list.h"
#include "kernel/cred.h"
#include "kernel/landlock.h"
#include "kernel/test-child.h"

/* What the kernel still executes when a list is in force: with real programs of the machine. */

static char place[] = "/tmp/bulkhead-allow-list-XXXXXX";

static const char *at(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", place, name);
	return path;
}

static void put(const char *name, const void *data, size_t size)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size && close(fd) == 0);
}

#define SCRIPT(name, text) put((name), (text), strlen(text))

/* Exit status of the program at @path, or -errno of its exec. */
static int execute(const char *path, const char *argument)
{
	int tell[2], error = 0, status;
	REQUIRE(pipe2(tell, O_CLOEXEC) == 0);
	pid_t pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		execl(path, path, argument, (char *)NULL);
		error = errno;
		_exit(write(tell[1], &error, sizeof(error)) == sizeof(error) ? 1 : 2);
	}
	close(tell[1]);
	ssize_t n = read(tell[0], &error, sizeof(error));
	close(tell[0]);
	REQUIRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return n > 0 ? -error : WEXITSTATUS(status);
}

static void confine(const char *names, const char *path)
{
	const struct allow_list list = {.names = names, .path = path};
	const struct landlock_confinement c = {
		.allow = allow_list_put, .data = &list, .abi = landlock_abi()};
	if (landlock_abi() < 2)
		_exit(NOT_HERE);
	REQUIRE(cred_no_new_privs() == 0);
	REQUIRE(landlock_confine(&c) == 0);
}

static void only_what_is_named(void)
{
	confine("true\nno-such-program\n/none/such\n", "/nowhere:/usr/bin:relative:/bin");
	REQUIRE(execute("/usr/bin/true", NULL) == 0);
	REQUIRE(execute("/usr/bin/false", NULL) == -EACCES);
	REQUIRE(execute("/bin/sh", NULL) == -EACCES);
}

static void nothing_at_all(void)
{
	confine("", "/usr/bin");
	REQUIRE(execute("/usr/bin/true", NULL) == -EACCES);
}

static void paths_and_directories(void)
{
	confine("/usr/bin/../bin/true", "");
	REQUIRE(execute("/usr/bin/true", NULL) == 0);
	REQUIRE(execute("/usr/bin/false", NULL) == -EACCES);
}

/* Through links, and by another name of the same file; not a copy. */
static void the_file_not_its_name(void)
{
	REQUIRE(symlink("/usr/bin/true", at("link")) == 0);
	confine("true", "/usr/bin");
	REQUIRE(execute(at("link"), NULL) == 0);
	REQUIRE(execute("/proc/self/root/usr/bin/true", NULL) == 0);
}

static void scripts_with_interpreters(void)
{
	SCRIPT("one", "#! /bin/sh -e\nexit 7\n");
	SCRIPT("two", "#!/bin/sh\nexit 8\n");
	char text[256];
	snprintf(text, sizeof(text), "#!%s\n", at("one"));
	SCRIPT("three", text);
	snprintf(text, sizeof(text), "%s\n%s", at("one"), at("three"));
	confine(text, "/usr/bin");
	REQUIRE(execute(at("one"), NULL) == 7);
	REQUIRE(execute(at("three"), NULL) == 7);
	REQUIRE(execute(at("two"), NULL) == -EACCES);
	REQUIRE(execute("/usr/bin/true", NULL) == -EACCES);
}

/* Heads that promise what is not there; none of them may do more than be passed over. */
static void hostile_files(void)
{
	Elf64_Ehdr elf = {.e_phoff = UINT64_MAX - 3,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = UINT16_MAX};
	Elf64_Phdr segment = {.p_type = PT_INTERP, .p_offset = 0, .p_filesz = UINT64_MAX};
	memcpy(elf.e_ident, ELFMAG, SELFMAG);
	elf.e_ident[EI_CLASS] = ELFCLASS64;
	put("far", &elf, sizeof(elf));
	char both[sizeof(elf) + sizeof(segment)];
	elf.e_phoff = sizeof(elf);
	memcpy(both, &elf, sizeof(elf));
	memcpy(both + sizeof(elf), &segment, sizeof(segment));
	put("long", both, sizeof(both));
	put("cut", &elf, 20);
	SCRIPT("empty", "");
	SCRIPT("bare", "#!");
	SCRIPT("blank", "#!    ");
	SCRIPT("relative", "#!sh\n");
	char loop[256];
	snprintf(loop, sizeof(loop), "#!%s\n", at("loop"));
	SCRIPT("loop", loop);
	REQUIRE(mkfifo(at("fifo"), 0755) == 0);
	char names[2048] = "true\n";
	static const char *const all[] = {
		"far", "long", "cut", "empty", "bare", "blank", "relative", "loop", "fifo"};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		strcat(names, at(all[i]));
		strcat(names, "\n");
	}
	confine(names, "/usr/bin");
	REQUIRE(execute("/usr/bin/true", NULL) == 0);
	REQUIRE(execute("/bin/sh", NULL) == -EACCES);
}

/* Nothing but executing is forbidden. */
static void files_as_ever(void)
{
	REQUIRE(mkdir(at("a"), 0755) == 0 && mkdir(at("b"), 0755) == 0);
	confine("true", "/usr/bin");
	SCRIPT("a/file", "text");
	REQUIRE(rename(at("a/file"), at("b/file")) == 0);
	REQUIRE(truncate(at("b/file"), 1) == 0);
	REQUIRE(unlink(at("b/file")) == 0);
}

static void in_place(void (*body)(void))
{
	char command[128];
	assert_non_null(mkdtemp(strcpy(place, "/tmp/bulkhead-allow-list-XXXXXX")));
	snprintf(command, sizeof(command), "rm -rf '%s'", place);
	in_child(body);
	assert_int_equal(system(command), 0);
}

#define TEST(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		in_place(name);                                                                    \
	}
TEST(only_what_is_named)
TEST(nothing_at_all)
TEST(paths_and_directories)
TEST(the_file_not_its_name)
TEST(scripts_with_interpreters)
TEST(hostile_files)
TEST(files_as_ever)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_is_named),
		cmocka_unit_test(test_nothing_at_all),
		cmocka_unit_test(test_paths_and_directories),
		cmocka_unit_test(test_the_file_not_its_name),
		cmocka_unit_test(test_scripts_with_interpreters),
		cmocka_unit_test(test_hostile_files),
		cmocka_unit_test(test_files_as_ever),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
