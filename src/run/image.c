/* SPDX-License-Identifier: MIT */
#include "run/image.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/sys.h"

/* What the kernel takes, too: all headers in one page. */
#define MAX_SEGMENTS 64
#define HEAD_SIZE    256

static bool read_exactly(int fd, void *buf, size_t size, uint64_t at)
{
	return at <= INT64_MAX && pread(fd, buf, size, (off_t)at) == (ssize_t)size;
}

/* ---- ELF ---- */

static bool add_segment(const Elf64_Phdr *h, uint64_t *low, uint64_t *high)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), end;
	if (__builtin_add_overflow(h->p_vaddr, h->p_memsz, &end) || end > INT64_MAX)
		return false;
	end = (end + page - 1) / page * page;
	*low = h->p_vaddr / page * page < *low ? h->p_vaddr / page * page : *low;
	*high = end > *high ? end : *high;
	return true;
}

static bool read_loader(int fd, const Elf64_Phdr *h, char loader[IMAGE_LOADER_SIZE])
{
	size_t size = h->p_filesz;
	if (size < 2 || size > IMAGE_LOADER_SIZE || !read_exactly(fd, loader, size, h->p_offset))
		return false;
	return loader[size - 1] == 0;
}

bool image_read(int fd, uint64_t *ret_span, char ret_loader[IMAGE_LOADER_SIZE])
{
	Elf64_Ehdr head;
	uint64_t low = UINT64_MAX, high = 0;
	ret_loader[0] = 0;
	if (!read_exactly(fd, &head, sizeof(head), 0) ||
		memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
		head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof(Elf64_Phdr) ||
		head.e_phnum > MAX_SEGMENTS)
		return false;
	for (unsigned i = 0; i < head.e_phnum; i++) {
		Elf64_Phdr h;
		uint64_t at;
		if (__builtin_add_overflow(head.e_phoff, i * sizeof(h), &at) ||
			!read_exactly(fd, &h, sizeof(h), at))
			return false;
		if (h.p_type == PT_LOAD && !add_segment(&h, &low, &high))
			return false;
		if (h.p_type == PT_INTERP && !read_loader(fd, &h, ret_loader))
			return false;
	}
	*ret_span = high > low ? high - low : 0;
	return high > low;
}

/* ---- files ---- */

/* What opening does to a device or a pipe shall not happen: it is looked at first. */
static int open_regular(int root, const char *path)
{
	char self[64];
	struct stat st;
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	cleanup_fd int fd = sys_openat2(root, path, &how, sizeof(how));
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* "#! /bin/sh -e": the interpreter's file, or -1. */
static int open_interpreter(int root, int script)
{
	char head[HEAD_SIZE] = "";
	ssize_t n = pread(script, head, sizeof(head) - 1, 0);
	if (n < 3 || strncmp(head, "#!", 2) != 0)
		return -1;
	char *path = head + 2 + strspn(head + 2, " \t");
	path[strcspn(path, " \t\n")] = 0;
	return *path == '/' ? open_regular(root, path) : -1;
}

static bool add_loader(int root, const char *loader, uint64_t *span)
{
	char none[IMAGE_LOADER_SIZE];
	uint64_t more;
	cleanup_fd int fd = open_regular(root, loader);
	return fd >= 0 && image_read(fd, &more, none) &&
		!__builtin_add_overflow(*span, more, span) && *span <= INT64_MAX;
}

void image_look(int root, const char *path, struct image *ret)
{
	char loader[IMAGE_LOADER_SIZE];
	uint64_t span;
	cleanup_fd int file = open_regular(root, path);
	cleanup_fd int interpreter = file < 0 ? -1 : open_interpreter(root, file);
	if (!image_read(interpreter >= 0 ? interpreter : file, &span, loader))
		return;
	if (*loader && !add_loader(root, loader, &span))
		return;
	*ret = (struct image){.known = true, .mapped_bytes = span, .has_loader = *loader != 0};
}
