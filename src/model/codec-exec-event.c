/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/json-text.h"
#include "model/exec-event.h"

/*
 * exec.jsonl:
 *
 *   {"t_us":5120,"outcome":"started","enforced":true,"pid":4711,"parent":4710,"inside_pid":3,
 *    "argc":2,"argv":["git","status"],"called":"/usr/bin/git","executable":"/usr/bin/git",
 *    "cwd":"/home/ann/project","rule":"allow: git","why":"…"}
 */

/* printf would take longer than all the rest. */
static void put_number(struct buf *b, uint64_t value)
{
	char digits[20];
	size_t i = sizeof digits;

	do
		digits[--i] = (char)('0' + value % 10);
	while (value /= 10);
	buf_add(b, digits + i, sizeof digits - i);
}

/* How much of @s is kept if @max bytes are the most; a character is not cut in two. */
static size_t kept_size(const char *s, size_t max, bool *ret_cut)
{
	size_t size = strnlen(s, max + 1);

	*ret_cut = size > max;
	if (!*ret_cut)
		return size;
	for (size_t back = 1; back < 4 && back <= max; back++)
		if (utf8_is_cut(s + max - back, back))
			return max - back;
	return max;
}

static void put_key(struct buf *b, const char *key)
{
	buf_add(b, ",\"", 2);
	buf_puts(b, key);
	buf_add(b, "\":", 2);
}

static void put_text(struct buf *b, const char *key, const char *s)
{
	bool cut;

	if (!s)
		return;
	put_key(b, key);
	json_put_bytes(b, s, kept_size(s, EXEC_EVENT_MAX_TEXT, &cut));
}

static void put_pid(struct buf *b, const char *key, pid_t pid)
{
	if (pid <= 0)
		return;
	put_key(b, key);
	put_number(b, (uint64_t)pid);
}

/* True if the last word that was put is cut. */
static bool put_argv(struct buf *b, const char *key, const struct strv *argv)
{
	size_t room = EXEC_EVENT_MAX_ARGV;
	bool cut = false;

	put_key(b, key);
	buf_putc(b, '[');
	for (size_t i = 0; i < argv->n && room > 0 && !cut; i++) {
		size_t size = kept_size(argv->v[i], room - 1, &cut);
		if (i > 0)
			buf_putc(b, ',');
		json_put_bytes(b, argv->v[i], size);
		room -= size + 1;
	}
	buf_putc(b, ']');
	return cut;
}

void exec_event_format(const struct exec_event *event, struct buf *b)
{
	buf_puts(b, "{\"t_us\":");
	put_number(b, event->t_us);
	put_text(b, "outcome", exec_outcome_name(event->outcome));
	put_key(b, "enforced");
	buf_puts(b, event->enforced ? "true" : "false");
	put_pid(b, "pid", event->pid);
	put_pid(b, "parent", event->parent);
	put_pid(b, "inside_pid", event->inside_pid);
	put_key(b, "argc");
	put_number(b, event->argc > event->argv.n ? event->argc : event->argv.n);
	if (put_argv(b, "argv", &event->argv) || event->argv_cut)
		buf_puts(b, ",\"argv_cut\":true");
	put_text(b, "called", event->called);
	put_text(b, "executable", event->executable);
	put_text(b, "interpreter", event->interpreter);
	put_text(b, "cwd", event->cwd);
	put_text(b, "rule", event->rule);
	put_text(b, "why", event->why);
	put_text(b, "real_executable", event->real_executable);
	if (event->real_argv.n > 0)
		put_argv(b, "real_argv", &event->real_argv);
	buf_puts(b, "}\n");
}
