/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BTF_H
#define KERNEL_BTF_H

#include <stddef.h>

/*
 * Where members lie in the running kernel's structs, from its type information (BTF, /sys/kernel/btf/vmlinux,
 * CONFIG_DEBUG_INFO_BTF; format: the kernel's Documentation/bpf/btf.rst). Every length and offset in
 * the file is checked; what is wrong is refused and never followed.
 */
#define BTF_OF_KERNEL "/sys/kernel/btf/vmlinux"

struct btf_field {
	const char *name; /* at most 31 bytes */
	size_t size; /* what will be read there, in bytes */
	size_t ret_offset; /* from the start of the struct, in bytes */
};

/*
 * Find the first struct named @structure with at least @least members, and all @n @fields in it
 * (plain ones: no bit-fields, none inside another struct). @fd is a file of BTF. The names of smaller
 * structs are not looked at, which is what makes it quick. 0; -ENOENT when the struct or one of the
 * members is not there; -EBADMSG when it is no valid BTF; -errno of read(2).
 *
 * With "" the first struct without a name that has all of them: such are inside others (mm_struct
 * is one), and the offsets count from its own start.
 */
int btf_find(int fd, const char *structure, size_t least, struct btf_field *fields, size_t n);

#endif
