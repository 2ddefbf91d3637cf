/* SPDX-License-Identifier: MIT */
#ifndef MODEL_TEST_EXEC_RULES_H
#define MODEL_TEST_EXEC_RULES_H

/* For unit tests: the files of test/golden/exec/files.txt, as warden/identity.h would tell of them. */

#include "model/test-golden.h"

#include "base/path.h"
#include "model/exec-rules.h"

#define CWD       "/home/u/p"
#define MAX_FILES 128

struct fake_file {
	const char *path, *content, *target;
	bool writable, loader;
};

struct fake_disk {
	struct fake_file v[MAX_FILES];
	size_t n;
	const struct exec_rules *rules;
	struct arena *a;
};

static inline char *take_word(char **line)
{
	char *word = *line + strspn(*line, " \t");
	char *end = word + strcspn(word, " \t");
	*line = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

static inline void read_disk(struct fake_disk *d, struct arena *a)
{
	size_t size;
	char *text = read_file(a, TEST_GOLDEN "/exec/files.txt", &size);
	assert_non_null(text);
	*d = (struct fake_disk){.a = a};
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		struct fake_file file = {0};
		if (*line == '#')
			continue;
		file.path = take_word(&line);
		file.content = take_word(&line);
		if (strcmp(file.content, "->") == 0)
			file.target = take_word(&line);
		for (char *flag; *(flag = take_word(&line));) {
			file.writable = file.writable || strcmp(flag, "writable") == 0;
			file.loader = file.loader || strcmp(flag, "loader") == 0;
		}
		assert_true(d->n < MAX_FILES);
		d->v[d->n++] = file;
	}
}

/* Links followed. */
static inline const struct fake_file *disk_find(const struct fake_disk *d, const char *path)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->v[i].path, path) == 0)
			return d->v[i].target ? disk_find(d, d->v[i].target) : &d->v[i];
	return NULL;
}

static inline void set(struct exec_programs *set, size_t i)
{
	set->bits[i / 64] |= 1ull << (i % 64);
}

/* Program @i of the rules is what @name means. */
static inline void tell_program(
	const struct fake_disk *d, size_t i, const char *name, struct exec_file *ret)
{
	static const char *const dirs[] = {"/usr/local/bin", "/usr/bin", "/usr/sbin", "/bin"};
	const struct fake_file *self = disk_find(d, ret->path);
	bool found = false;
	for (size_t j = 0; j < sizeof dirs / sizeof *dirs; j++) {
		const char *path = *name == '/' ? name : path_join(d->a, dirs[j], name);
		const struct fake_file *file = disk_find(d, path);
		if (!file || file->writable)
			continue;
		if (strcmp(file->content, self->content) == 0)
			set(&ret->is, i);
		if (file == self && !found && j < 2)
			set(&ret->exactly, i);
		found = true;
	}
}

/* As the warden resolves what is called. False: there is no such file. */
static inline bool disk_tell(const struct fake_disk *d, const char *called, struct exec_file *ret)
{
	static const char root[] = "/proc/self/root/";
	const char *path = called;
	if (strncmp(path, root, sizeof root - 1) == 0)
		path += sizeof root - 2;
	const struct fake_file *file = disk_find(d, path_normalize(d->a, CWD, path));
	if (!file)
		return false;
	*ret = (struct exec_file){.called = called,
		.path = file->path,
		.writable = file->writable,
		.loader = file->loader};
	const char *const *programs;
	size_t n = exec_rules_programs(d->rules, &programs);
	for (size_t i = 0; i < n; i++)
		tell_program(d, i, programs[i], ret);
	return true;
}

/* As execvp(3) looks. */
static inline bool disk_look_up(void *data, const char *name, struct exec_file *ret)
{
	const struct fake_disk *d = data;
	if (strchr(name, '/'))
		return disk_tell(d, name, ret);
	return disk_tell(d, path_join(d->a, "/usr/local/bin", name), ret) ||
		disk_tell(d, path_join(d->a, "/usr/bin", name), ret);
}

/* Words separated by blanks; '…' for those with blanks in them. */
static inline struct strv read_argv(struct arena *a, char *text)
{
	struct strv argv = {0};
	for (char *p = text; *p;) {
		p += strspn(p, " ");
		if (*p == '\0')
			break;
		char stop = *p == '\'' ? *p++ : ' ';
		char *end = strchr(p, stop);
		size_t n = end ? (size_t)(end - p) : strlen(p);
		strv_push(a, &argv, arena_strndup(a, p, n));
		p += n + (p[n] != '\0');
	}
	return argv;
}

#endif
