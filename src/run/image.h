/* SPDX-License-Identifier: MIT */
#ifndef RUN_IMAGE_H
#define RUN_IMAGE_H

#include <stddef.h>

#include "model/observation.h"

/*
 * How much address space exec has to map of a program: of an ELF file from its lowest segment to its
 * highest, and of the loader that it names; of a script, of its interpreter. Where that is more than
 * RLIMIT_AS, the kernel has given the old program up when it notices, and kills with SIGSEGV.
 *
 * The files are a stranger's: regular ones only are opened, nothing outside @root (a directory), and little
 * is read. What is no valid program leaves *ret unknown.
 */
void image_look(int root, const char *path, struct image *ret);

/* The span of the segments of the ELF file at @fd, and its loader's path. False if it is none. */
#define IMAGE_LOADER_SIZE 256
bool image_read(int fd, uint64_t *ret_span, char ret_loader[IMAGE_LOADER_SIZE]);

#endif
