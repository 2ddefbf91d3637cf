/* SPDX-License-Identifier: MIT */
#include "jail/allow-list.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "kernel/landlock.h"
#include "kernel/sys.h"

#define PATH_ROOM 4096
/* linux/binfmts.h: BINPRM_BUF_SIZE, and how often the kernel follows a script to another. */
#define HEAD_SIZE    256
#define SCRIPTS_MAX  5
#define SEGMENTS_MAX 128

/* The interpreter of "#! /bin/sh -e"; false: none, or a relative one, of which nobody knows where it is. */
static bool script_interpreter(const char *head, size_t size, char *ret)
{
	size_t at = 2, n = 0;
	if (size < 3 || head[0] != '#' || head[1] != '!')
		return false;
	while (at < size && (head[at] == ' ' || head[at] == '\t'))
		at++;
	while (at + n < size && !strchr(" \t\n", head[at + n]))
		n++;
	memcpy(ret, head + at, n);
	ret[n] = 0;
	return *ret == '/';
}

static bool segment_path(int fd, uint64_t offset, uint64_t size, char *ret)
{
	if (size < 2 || size > PATH_ROOM)
		return false;
	if (sys_pread64(fd, ret, size, (off_t)offset) != (ssize_t)size || ret[size - 1] != 0)
		return false;
	return *ret == '/';
}

/* The loader that an executable of 64 bits names. Those of 32 cannot run: their system calls are killed. */
static bool elf_loader(int fd, const char *head, size_t size, char *ret)
{
	Elf64_Ehdr elf;
	Elf64_Phdr segment = {0};
	if (size < sizeof(elf))
		return false;
	memcpy(&elf, head, sizeof(elf));
	if (memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_ident[EI_CLASS] != ELFCLASS64 ||
		elf.e_phentsize != sizeof(segment))
		return false;
	for (unsigned i = 0; i < elf.e_phnum && i < SEGMENTS_MAX; i++) {
		uint64_t at = elf.e_phoff + i * sizeof(segment);
		if (sys_pread64(fd, &segment, sizeof(segment), (off_t)at) != sizeof(segment))
			return false;
		if (segment.p_type == PT_INTERP)
			return segment_path(fd, segment.p_offset, segment.p_filesz, ret);
	}
	return false;
}

/* One that may be executed but not read is taken as it is: its loader it shares with others. */
static int open_program(const char *path)
{
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	return fd == -EACCES ? sys_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0) : fd;
}

static bool is_absent(long r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -EACCES || r == -ELOOP || r == -ENXIO;
}

/* @path, and what the kernel loads for it, one after the other; @path is overwritten. */
static long put_program(int ruleset, char path[PATH_ROOM])
{
	char head[HEAD_SIZE] = {0};
	for (int depth = 0; depth <= SCRIPTS_MAX; depth++) {
		int fd = open_program(path);
		if (fd < 0)
			return is_absent(fd) ? 0 : fd;
		long r = landlock_allow_execute(ruleset, fd);
		ssize_t size = sys_pread64(fd, head, sizeof(head), 0);
		bool more = size > 0 &&
			(script_interpreter(head, (size_t)size, path) ||
				elf_loader(fd, head, (size_t)size, path));
		sys_close(fd);
		if (r < 0 || !more)
			return r;
	}
	return 0;
}

static bool join(char *ret, const char *dir, size_t dir_size, const char *name, size_t size)
{
	if (dir_size + 1 + size >= PATH_ROOM)
		return false;
	memcpy(ret, dir, dir_size);
	ret[dir_size] = '/';
	memcpy(ret + dir_size + 1, name, size);
	ret[dir_size + 1 + size] = 0;
	return true;
}

static size_t until(const char *s, char end)
{
	size_t n = 0;
	while (s[n] && s[n] != end)
		n++;
	return n;
}

static long put_found(int ruleset, const char *search, const char *name, size_t size)
{
	char path[PATH_ROOM];
	long r = 0;
	for (const char *dir = search; r == 0; dir++) {
		size_t n = until(dir, ':');
		if (*dir == '/' && join(path, dir, n, name, size))
			r = put_program(ruleset, path);
		dir += n;
		if (!*dir)
			break;
	}
	return r;
}

long allow_list_put(int ruleset, const void *data)
{
	const struct allow_list *list = data;
	long r = 0;
	for (const char *name = list->names; *name && r == 0;) {
		size_t size = until(name, '\n');
		char path[PATH_ROOM];
		if (*name != '/')
			r = put_found(ruleset, list->path, name, size);
		else if (join(path, "", 0, name + 1, size - 1))
			r = put_program(ruleset, path);
		name += size + (name[size] != 0);
	}
	return r;
}
