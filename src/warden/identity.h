/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_IDENTITY_H
#define WARDEN_IDENTITY_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/exec-rules.h"

/*
 * Which of the programs that rules name a file is: effects for the judge of model/exec-rules.h. Files
 * are a stranger's: only regular ones are read, nothing is waited for, and what the box can write is
 * looked at again each time, for neither its times nor its size tell of a change through a mapping.
 */
struct identity;

struct identity_spec {
	const char *const *programs; /* of exec_rules_programs(); borrowed */
	size_t n_programs; /* at most EXEC_MAX_PROGRAMS */
	const char *path; /* PATH of the box; NULL: the usual one. Borrowed until identity_find() */
	/*
	 * What the box can write, as absolute normalized paths; borrowed; with the root "/" only. NULL: what lies
	 * on a mount that is not read-only, which is right for the root of a running box.
	 */
	const char *const *writable;
	size_t n_writable;
};

/* Nothing is looked at yet. Never NULL. */
struct identity *identity_new(const struct identity_spec *spec);
void identity_free(struct identity *id); /* NULL: nothing */

/*
 * Find the programs below @root, a directory (O_PATH will do): a box's root while only bulkhead's own code runs in
 * it, or "/". An allow rule means the first file on PATH that the box cannot write; a deny rule that and
 * each of its name in the other directories of PATH and in the usual ones. @root is borrowed.
 * What is not there is no program. Again: forgets what it knew. 0; or -EMFILE: descriptors or memory have run out, and
 * it knows what it knew before.
 */
int identity_find(struct identity *id, int root);

/*
 * What the file behind @fd (O_PATH will do) is; @st is its fstat. Fills *ret: @called and @path are borrowed into
 * it; @path NULL: not known. A file that is no regular one, or that cannot be read, is known by its inode
 * alone. @ret_head (may be NULL) gets its first bytes, at most IDENTITY_HEAD, until the next call; NULL with
 * size 0: it cannot be read, or not now, for descriptors or memory have run out: that is not remembered. What the box cannot write and was seen before costs one fstatfs and a look into a table.
 */
#define IDENTITY_HEAD 256
void identity_tell(struct identity *id, int fd, const struct stat *st, const char *called,
	const char *path, struct exec_file *ret, const unsigned char **ret_head,
	size_t *ret_head_size);

/*
 * The file that execvp(3) would find for @name with the PATH given to identity_new(), below @root, which is also where
 * a name with a '/' is looked up; relative ones from @cwd (a path in the box; NULL: "/"). An O_PATH
 * descriptor, and where it is in *ret_path (in @a); or -errno.
 */
int identity_look_up(struct identity *id, int root, const char *cwd, const char *name,
	struct arena *a, const char **ret_path);

#endif
