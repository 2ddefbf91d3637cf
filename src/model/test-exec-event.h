/* SPDX-License-Identifier: MIT */
#ifndef MODEL_TEST_EXEC_EVENT_H
#define MODEL_TEST_EXEC_EVENT_H

/* (To be included after <cmocka.h> and what it needs.) */

#include <string.h>

#include "model/exec-event.h"

static const struct exec_event whole = {
	.t_us = 1500,
	.pid = 4711,
	.parent = 4710,
	.inside_pid = 3,
	.outcome = EXEC_KILLED,
	.enforced = true,
	.cwd = "/home/ann",
	.called = "./build.sh",
	.executable = "/home/ann/build.sh",
	.interpreter = "/usr/bin/dash",
	.argv = {.v = (const char *[]){"./build.sh", "all"}, .n = 2},
	.argc = 2,
	.rule = "allow: ./build.sh",
	.why = "the first word",
	.real_executable = "/usr/bin/git",
	.real_argv = {.v = (const char *[]){"git", "push"}, .n = 2},
};

static inline void format(const struct exec_event *event, struct buf *b)
{
	buf_clear(b);
	exec_event_format(event, b);
}

static inline void read_back(const struct buf *b, struct exec_event *ret, struct arena *a)
{
	struct error e = ERROR_INIT;

	assert_true(b->size <= EXEC_EVENT_MAX_LINE);
	assert_ptr_equal(memchr(b->data, '\n', b->size), b->data + b->size - 1);
	if (exec_event_parse(ret, b->data, b->size, a, &e) < 0)
		fail_msg("%s", e.text);
}

static inline char *filled(struct arena *a, size_t size, const char *with)
{
	char *s = arena_alloc(a, size + 1);

	for (size_t i = 0; i < size; i++)
		s[i] = with[i % strlen(with)];
	return s;
}

static inline size_t kept_bytes(const struct strv *argv)
{
	size_t n = 0;

	for (size_t i = 0; i < argv->n; i++)
		n += strlen(argv->v[i]) + 1;
	return n;
}

#endif
