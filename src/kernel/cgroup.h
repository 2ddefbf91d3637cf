/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CGROUP_H
#define KERNEL_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Control groups, one function per operation (cgroups(7), Documentation/admin-guide/cgroup-v2.rst
 * and cgroup-v1/). A group is a directory fd; its files are opened below that, never through a
 * path that could have been exchanged meanwhile, and never through a symbolic link.
 *
 * Unless said otherwise: 0 (or the thing), or -1 with errno. All fds are close-on-exec. Reads are
 * bounded by CGROUP_TEXT_SIZE (EFBIG beyond it), numbers that are none are EBADMSG.
 */
#define CGROUP_TEXT_SIZE 4096

/* The group at absolute @path, following symbolic links: for the bases, which root made. */
int cgroup_open(const char *path);
/* The group @name below @base. */
int cgroup_open_at(int base, const char *name);
/* The group above, or what the hierarchy is mounted in when @group is its root. */
int cgroup_open_parent(int group);
int cgroup_make(int base, const char *name);
/* EBUSY while there are processes or children in it. */
int cgroup_remove(int base, const char *name);

int cgroup_open_file(int group, const char *file, int flags);
int cgroup_write(int group, const char *file, const char *text);
int cgroup_write_u64(int group, const char *file, uint64_t value);
/* The text of @file, terminated by NUL, in @buf; its length. */
ssize_t cgroup_read(int group, const char *file, char *buf, size_t size);
/* The text of an fd of cgroup_open_file(), anew from its start. */
ssize_t cgroup_reread(int fd, char *buf, size_t size);
/*
 * The same in one system call, for files that the kernel makes in one piece (all but lists of
 * processes and the statistics of devices). EFBIG when it is not all there.
 */
ssize_t cgroup_reread_piece(int fd, char *buf, size_t size);
int cgroup_read_u64(int group, const char *file, uint64_t *ret);
/* The number after @key in a file of lines "KEY NUMBER"; ENODATA when there is no such line. */
int cgroup_read_key(int group, const char *file, const char *key, uint64_t *ret);
bool cgroup_has_file(int group, const char *file);

/* The same on text already read. */
int cgroup_text_u64(const char *text, uint64_t *ret);
int cgroup_text_key(const char *text, const char *key, uint64_t *ret);
/* True if @word is one of the blank-separated words of @text (cgroup.controllers). */
bool cgroup_text_has_word(const char *text, const char *word);
/* total= of the line of a pressure file that starts with @kind ("some", "full"), in µs. */
int cgroup_text_pressure(const char *text, const char *kind, uint64_t *ret_us);
/* The sum of FIELD=NUMBER over all lines of io.stat. */
uint64_t cgroup_text_io(const char *text, const char *field);

/* v2: SIGKILL to every process, also those that are being forked (5.14). */
int cgroup_kill(int group);
/* v2: ask for everything to be stopped or continued (5.2); cgroup.events tells when it is. */
int cgroup_freeze(int group, bool frozen);
/* v2: 1 if a process is in the group or below it, 0 if none, -1 with errno. Not for the root. */
int cgroup_populated(int group);
/* 1 if cgroup.procs lists a process of the group itself, 0 if none, -1 with errno. */
int cgroup_has_procs(int group);
/*
 * The processes of the group itself, as our pid namespace counts, at most @room; the number. One
 * outside of our pid namespace is 0.
 */
ssize_t cgroup_procs(int group, pid_t *pids, size_t room);
/*
 * Have @signal sent to each process of the group that our pid namespace can name, through a pidfd
 * which is checked to still be of this group. The number signalled, at most 4,096:
 * repeated, it comes down to 0 when there is nobody left.
 */
ssize_t cgroup_signal_each(int group, int signal);

/*
 * The path, from the root of the v2 hierarchy where it is mounted in one of the usual places, of the group
 * with the id (inode number) @id, into @ret of @size bytes. 0; or -1 with errno: ESTALE for one
 * that is gone, ENOENT without such a mount, EPERM without CAP_DAC_READ_SEARCH.
 */
int cgroup_path_of_id(uint64_t id, char *ret, size_t size);

/* An eventfd that counts when v1 group @group is out of memory; told before the kill. */
int cgroup_v1_oom_event(int group);
/* Wait at most @timeout_ms for a change of v2 file @fd, which was read before. 1, 0, or -1. */
int cgroup_wait_change(int fd, int timeout_ms);

#endif
