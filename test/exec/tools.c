/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"

/* What attacks are made of. */

char probe[PATH_MAX], own[PATH_MAX], foreign[PATH_MAX], own_dynamic[PATH_MAX],
	foreign_dynamic[PATH_MAX], preloaded[PATH_MAX];
struct shared *shared;
static char *const plain_environment[] = {NULL};

void give_up(const char *what)
{
	fprintf(stderr, "exec-attacks: %s: %s\n", what, strerror(errno));
	exit(3);
}

uint32_t random_number(uint32_t below)
{
	static uint32_t seed;

	if (seed == 0)
		seed = (uint32_t)getpid() * 2654435761u | 1;
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % below;
}

void set_word(volatile uint64_t *word, const char text[8])
{
	uint64_t value;

	memcpy(&value, text, sizeof(value));
	*word = value;
}

void flip(volatile uint64_t *word, const char a[8], const char b[8], unsigned n)
{
	while (n-- > 0) {
		set_word(word, a);
		for (volatile uint32_t i = random_number(2000); i > 0; i--)
			;
		set_word(word, b);
		for (volatile uint32_t i = random_number(2000); i > 0; i--)
			;
	}
}

void flip_argument(void)
{
	flip(&shared->word, FOREIGN_WORD, OWN_WORD, 10);
}

void try_exec(const char *path, char *const argv[])
{
	syscall(SYS_execve, path, argv, plain_environment);
	shared->errnum = errno;
}

void try_execveat(int fd, const char *path, int flags)
{
	char *argv[] = {(char *)"probe", (char *)OWN_WORD, NULL};

	syscall(SYS_execveat, fd, path, argv, plain_environment, flags);
	shared->errnum = errno;
}

void exec_probe(void)
{
	try_exec(probe, (char *const *)shared->argv);
}

static int call_body(void *child)
{
	void (*body)(void) = (void (*)(void))child;

	body();
	return 0;
}

pid_t spawn_on_stack(int flags, void (*child)(void))
{
	static _Alignas(64) char stack[64 * 1024];

	return MUST(clone(call_body, stack + sizeof(stack), flags | SIGCHLD, (void *)child));
}

pid_t spawn_sharing(int flags, void (*child)(void))
{
	pid_t pid = (pid_t)MUST(syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));

	if (pid == 0)
		child();
	return pid;
}

int copy_to_fd(const char *from, int fd, unsigned more)
{
	char bytes[65536];
	int in = MUST(open(from, O_RDONLY | O_CLOEXEC));
	ssize_t n;

	while ((n = MUST(read(in, bytes, sizeof(bytes)))) > 0)
		if (write(fd, bytes, (size_t)n) != n)
			give_up("write");
	memset(bytes, 0, sizeof(bytes));
	if (more && write(fd, bytes, more) != (ssize_t)more)
		give_up("write");
	close(in);
	return fd;
}

void copy_program(const char *from, const char *to, mode_t mode, unsigned more)
{
	unlink(to);
	int fd = MUST(open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700));

	copy_to_fd(from, fd, more);
	MUST(fchmod(fd, mode));
	close(fd);
}

void write_file(const char *path, const char *text, mode_t mode)
{
	unlink(path);
	int fd = MUST(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700));

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		give_up(path);
	MUST(fchmod(fd, mode));
	close(fd);
}

const char *here(const char *name)
{
	static char paths[2][PATH_MAX + 64];
	static unsigned turn;
	char cwd[PATH_MAX];
	char *path = paths[turn++ % 2];

	if (!getcwd(cwd, sizeof(cwd)))
		give_up("getcwd");
	snprintf(path, sizeof(paths[0]), "%s/%s", cwd, name);
	return path;
}

static void name_program(char *ret, const char *directory, const char *name)
{
	if (snprintf(ret, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX || access(ret, R_OK) < 0)
		give_up(name);
}

static void name_programs(void)
{
	char directory[PATH_MAX] = "";
	ssize_t n = MUST(readlink("/proc/self/exe", directory, sizeof(directory) - 1));

	directory[n] = '\0';
	*strrchr(directory, '/') = '\0';
	name_program(probe, directory, "probe");
	name_program(own, directory, "own");
	name_program(foreign, directory, "foreign");
	name_program(own_dynamic, directory, "own-dynamic");
	name_program(foreign_dynamic, directory, "foreign-dynamic");
	name_program(preloaded, directory, "preloaded.so");
}

void prepare_programs(void)
{
	name_programs();
	copy_program(own, OWN_PATH, 0755, 0);
	copy_program(foreign, FOREIGN_PATH, 0755, 0);
	shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		give_up("mmap");
	set_word(&shared->word, OWN_WORD);
	memcpy(shared->own_word, OWN_WORD, 8);
	memcpy(shared->foreign_word, FOREIGN_WORD, 8);
	shared->argv[0] = (char *)"probe";
	shared->argv[1] = (char *)&shared->word;
}
