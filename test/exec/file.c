/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

/* Names and files that change while they are judged, or after. */

static void exec_program(void)
{
	char *argv[] = {(char *)"program", NULL};

	try_exec("./program", argv);
}

static void pause_a_little(void)
{
	for (volatile uint32_t wait = random_number(2000); wait > 0; wait--)
		;
}

/* ---- links and names ---- */

static void link_to(const char *target)
{
	unlink("next");
	MUST(symlink(target, "next"));
	MUST(rename("next", "program"));
}

static void link_to_own(void)
{
	link_to(OWN_PATH);
}

static void change_link(void)
{
	link_to(FOREIGN_PATH);
	pause_a_little();
	link_to(OWN_PATH);
	pause_a_little();
}

static void two_links(void)
{
	unlink("other");
	MUST(symlink(FOREIGN_PATH, "other"));
	link_to(OWN_PATH);
}

static void two_files(void)
{
	copy_program(own, "program", 0755, 0);
	copy_program(foreign, "other", 0755, 0);
}

static void exchange(void)
{
	MUST(renameat2(AT_FDCWD, "other", AT_FDCWD, "program", RENAME_EXCHANGE));
	pause_a_little();
}

static void two_directories(void)
{
	mkdir("program-in", 0700);
	mkdir("other", 0700);
	copy_program(own, "program-in/program", 0755, 0);
	copy_program(foreign, "other/program", 0755, 0);
}

static void exchange_directories(void)
{
	MUST(renameat2(AT_FDCWD, "other", AT_FDCWD, "program-in", RENAME_EXCHANGE));
	pause_a_little();
}

static void exec_in_directory(void)
{
	char *argv[] = {(char *)"program", NULL};

	try_exec("./program-in/program", argv);
}

/* ---- scripts: the kernel reads the first line by itself ---- */

static char own_script[512], foreign_script[512];

static void name_interpreters(void)
{
	snprintf(own_script, sizeof(own_script), "#!%-400s\n", here(OWN_PATH));
	snprintf(foreign_script, sizeof(foreign_script), "#!%-400s\n", here(FOREIGN_PATH));
}

static void one_script(void)
{
	name_interpreters();
	write_file("program", own_script, 0755);
}

static void two_scripts(void)
{
	one_script();
	write_file("other", foreign_script, 0755);
}

/* It can be executed only meanwhile: so it has to lie still for longer than it is written to. */
static void pause_longer(void)
{
	for (volatile uint32_t wait = random_number(100000); wait > 0; wait--)
		;
}

/* A file that is open for writing cannot be executed, nor the other way round: it is opened anew. */
static void write_over(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 && errno == ETXTBSY)
		return;
	MUST(fd);
	MUST(pwrite(fd, bytes, size, 0));
	close(fd);
}

static void rewrite_script(void)
{
	write_over("program", foreign_script, strlen(foreign_script));
	pause_longer();
	write_over("program", own_script, strlen(own_script));
	pause_longer();
}

static void link_interpreter(void)
{
	char script[512];

	two_links();
	MUST(rename("program", "interpreter"));
	snprintf(script, sizeof(script), "#!%s\n", here("./interpreter"));
	write_file("program", script, 0755);
}

static void exchange_interpreter(void)
{
	MUST(renameat2(AT_FDCWD, "other", AT_FDCWD, "interpreter", RENAME_EXCHANGE));
	pause_a_little();
}

/* ---- one file, other content ---- */

static char own_bytes[65536], foreign_bytes[65536];
static size_t own_size, foreign_size;

static size_t read_program(const char *path, char *bytes, size_t size)
{
	int fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
	ssize_t n = MUST(read(fd, bytes, size));

	close(fd);
	return (size_t)n;
}

static void read_programs(void)
{
	own_size = read_program(own, own_bytes, sizeof(own_bytes));
	foreign_size = read_program(foreign, foreign_bytes, sizeof(foreign_bytes));
	copy_program(own, "program", 0755, 0);
	if (own_size != foreign_size)
		give_up("programs of one size");
}

static void rewrite_program(void)
{
	write_over("program", foreign_bytes, foreign_size);
	pause_longer();
	write_over("program", own_bytes, own_size);
	pause_longer();
}

/* Write through memory: some file systems change no time for that. */
static void map_over(const char *path, const char *bytes, size_t size)
{
	int fd = MUST(open(path, O_RDWR | O_CLOEXEC));
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		give_up("mmap");
	memcpy(memory, bytes, size);
	munmap(memory, size);
	close(fd);
}

static char quiet_file[] = "/tmp/bulkhead-exec-XXXXXX";

static void remove_quiet_file(void)
{
	unlink(quiet_file);
}

static void make_quiet_file(void)
{
	int fd;

	read_programs();
	fd = MUST(mkstemp(quiet_file));
	MUST(fchmod(fd, 0755));
	MUST(ftruncate(fd, (off_t)own_size));
	close(fd);
	atexit(remove_quiet_file);
}

/* Have it found harmless, then change it behind the back of who remembers that. */
static void exec_what_was_harmless(void)
{
	char *argv[] = {(char *)"program", NULL};
	pid_t first;

	map_over(quiet_file, own_bytes, own_size);
	first = MUST(fork());
	if (first == 0) {
		try_exec(quiet_file, argv);
		_exit(1);
	}
	waitpid(first, NULL, 0);
	map_over(quiet_file, foreign_bytes, foreign_size);
	try_exec(quiet_file, argv);
}

const struct attack file_attacks[] = {
	{"link-renamed", true, .prepare = link_to_own, .child = exec_program,
		.beside = change_link},
	{"link-exchanged", true, .prepare = two_links, .child = exec_program, .beside = exchange},
	{"file-exchanged", true, .prepare = two_files, .child = exec_program, .beside = exchange},
	{"directory-exchanged", true, .prepare = two_directories, .child = exec_in_directory,
		.beside = exchange_directories},
	{"script-exchanged", true, .prepare = two_scripts, .child = exec_program,
		.beside = exchange},
	{"script-rewritten", true, .prepare = one_script, .child = exec_program,
		.beside = rewrite_script},
	{"interpreter-exchanged", true, .prepare = link_interpreter, .child = exec_program,
		.beside = exchange_interpreter},
	{"file-rewritten", true, .prepare = read_programs, .child = exec_program,
		.beside = rewrite_program},
	{"file-rewritten-quietly", false, .prepare = make_quiet_file,
		.child = exec_what_was_harmless},
	{0},
};
