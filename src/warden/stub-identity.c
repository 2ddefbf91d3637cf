/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "warden/identity.h"

/* Stands in for warden/identity.c: knows no program by its inode, and reads what a file begins with. */
struct identity {
	int x;
};
struct identity *identity_new(const struct identity_spec *spec)
{
	(void)spec;
	return calloc(1, sizeof(struct identity));
}
void identity_free(struct identity *id)
{
	free(id);
}
void identity_find(struct identity *id, int root)
{
	(void)id;
	(void)root;
}
void identity_tell(struct identity *id, int fd, const struct stat *st, const char *called,
	const char *path, struct exec_file *ret, const unsigned char **ret_head,
	size_t *ret_head_size)
{
	static unsigned char head[IDENTITY_HEAD];
	char name[64];
	(void)id;
	(void)st;
	*ret = (struct exec_file){.called = called, .path = path};
	if (!ret_head)
		return;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	int file = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = pread(file, head, sizeof(head), 0);
	close(file);
	*ret_head = n < 0 ? NULL : head;
	*ret_head_size = n < 0 ? 0 : (size_t)n;
}
int identity_look_up(struct identity *id, int root, const char *cwd, const char *name,
	struct arena *a, const char **ret_path)
{
	(void)id;
	(void)root;
	(void)cwd;
	(void)name;
	(void)a;
	(void)ret_path;
	return -2;
}
