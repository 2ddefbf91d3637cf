/* SPDX-License-Identifier: MIT */
#ifndef RUN_POLICY_FILE_H
#define RUN_POLICY_FILE_H

#include "model/policy.h"

/*
 * Policies in files. A name that is not a shipped one's is looked up as NAME.yaml in
 * $XDG_CONFIG_HOME/bulkhead/policies (~/.config without it) and then in /etc/bulkhead/policies;
 * anything else is a path. A file there with a shipped policy's name is never taken for it: only
 * its path names it.
 */

#define POLICY_SYSTEM_DIR "/etc/bulkhead/policies"

/* What policy_load() reads files through. */
extern const struct policy_source policy_files;

/*
 * The function of policy_files. Reads regular files of at most 1 MiB; a FIFO or device is refused
 * without waiting for it. @data is not used. Errors: BLAME_REQUEST when there is no such policy or
 * it is no such file, BLAME_HOST when it cannot be read.
 */
int policy_file_read(void *data, struct arena *a, const char *name_or_path, const char **ret_path,
	const char **ret_text, size_t *ret_size, struct error *e);

/* The directories of named policies, the caller's own (if any) first; in @a. */
struct strv policy_file_dirs(struct arena *a);

/* The names of the files in @dir that policy_load() would find, sorted; in @a. */
struct strv policy_file_names(struct arena *a, const char *dir);

#endif
