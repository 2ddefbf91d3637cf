/* SPDX-License-Identifier: MIT */
#ifndef RUN_KMSG_H
#define RUN_KMSG_H

#include <stdbool.h>
#include <stddef.h>

/* The kernel's log, record by record, see /dev/kmsg in the kernel's Documentation/ABI. */

/* A record and its end; longer ones are passed over, none of those looked for is. */
#define KMSG_RECORD_SIZE 8192
/* As many as the log of a busy host has: a run's own are at its end, but reading starts at its head. */
#define KMSG_MAX_RECORDS 20000

/* A descriptor that never blocks, the caller's; -1 where the log may not be read. */
int kmsg_open(void);

/*
 * The next record, without what follows its first line, in @record of KMSG_RECORD_SIZE bytes. False
 * when there is none by now. @fd may be -1, and anything that gives a record a read(2).
 */
bool kmsg_next(int fd, char *record);

/*
 * Of "PRIORITY,NUMBER,TIME,FLAGS;TEXT" the text, if the kernel itself has written it and it begins
 * with @head; else NULL. What a process writes to the log has another facility in its priority.
 */
const char *kmsg_text(const char *record, const char *head);

#endif
