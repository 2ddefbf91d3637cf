/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "warden/identity-parts.h"

/*
 * A dynamic loader as the program (`ld.so /bin/x`) runs what no exec shows. It is known by its
 * name and by its make: a shared object with a name of its own (DT_SONAME) and an entry point that asks for no loader
 * itself. Programs have no such name, libraries no entry point or a loader. Copies are made alike.
 */
#define MAX_HEADERS 64
#define MAX_DYNAMIC 256

static bool read_at(int fd, void *ret, size_t size, uint64_t offset)
{
	return offset <= INT64_MAX && pread(fd, ret, size, (off_t)offset) == (ssize_t)size;
}

/* Does the dynamic section have a name, and does it not say that this is a program? */
static bool names_itself(int fd, const Elf64_Phdr *dynamic)
{
	Elf64_Dyn v[MAX_DYNAMIC];
	size_t n = dynamic->p_filesz / sizeof *v;
	bool named = false;
	if (n > MAX_DYNAMIC)
		n = MAX_DYNAMIC;
	if (!read_at(fd, v, n * sizeof *v, dynamic->p_offset))
		return false;
	for (size_t i = 0; i < n && v[i].d_tag != DT_NULL; i++) {
		if (v[i].d_tag == DT_FLAGS_1 && (v[i].d_un.d_val & DF_1_PIE))
			return false;
		named = named || v[i].d_tag == DT_SONAME;
	}
	return named;
}

bool identity_is_loader(int fd, const unsigned char *head, size_t size)
{
	Elf64_Ehdr elf;
	Elf64_Phdr v[MAX_HEADERS];
	const Elf64_Phdr *dynamic = NULL;
	if (size < sizeof elf)
		return false;
	memcpy(&elf, head, sizeof elf);
	if (memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_ident[EI_CLASS] != ELFCLASS64 ||
		elf.e_type != ET_DYN || elf.e_entry == 0 || elf.e_phentsize != sizeof *v ||
		elf.e_phnum > MAX_HEADERS || !read_at(fd, v, elf.e_phnum * sizeof *v, elf.e_phoff))
		return false;
	for (size_t i = 0; i < elf.e_phnum; i++) {
		if (v[i].p_type == PT_INTERP)
			return false;
		if (v[i].p_type == PT_DYNAMIC)
			dynamic = &v[i];
	}
	return dynamic && names_itself(fd, dynamic);
}

bool identity_is_loader_name(const char *path)
{
	static const char *const prefixes[] = {"ld-linux", "ld-musl-", "ld-uClibc", "ld64.so"};
	const char *base = path_base(path);
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (strncmp(base, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	if (strncmp(base, "ld-", 3) == 0 && strspn(base + 3, "0123456789.") > 0 &&
		strstr(base, ".so"))
		return true;
	return strncmp(base, "ld.so", 5) == 0 &&
		strspn(base + 5, ".0123456789") == strlen(base + 5);
}
