/* SPDX-License-Identifier: MIT */
#ifndef CLI_VERDICT_FILE_H
#define CLI_VERDICT_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * Where --verdict goes. It is opened before the run, since the program may write in the same
 * directory: a link that it leaves under the verdict's name is replaced, never followed.
 */
struct verdict_file {
	int fd; /* open for writing: fd:N, a FIFO, a device; else -1 */
	int dir; /* the directory of a file that is to be made or replaced, else -1 */
	mode_t mode; /* that of the file it replaces; 0: there is none yet */
	char name[256];
};

#define VERDICT_FILE_INIT ((struct verdict_file){.fd = -1, .dir = -1})

/*
 * @target: "fd:N" or a path; /dev/stdout, /dev/fd/N and their like are descriptors too. To be called
 * before anything else is opened. 0; or -1 with @e, nothing left open.
 */
int verdict_file_open(struct verdict_file *ret, const char *target, struct error *e);
/*
 * Write it, a file whole or not at all; a descriptor that takes nothing is given up after ten
 * seconds. 0, or -1 with @e. Closes.
 */
int verdict_file_write(struct verdict_file *f, const char *text, size_t size, struct error *e);

#endif
