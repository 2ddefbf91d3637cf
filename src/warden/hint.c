/* SPDX-License-Identifier: MIT */
#include "warden/hint.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"

/* A new description of the same pipe or terminal, of which O_NONBLOCK is ours alone. -1: not to be had. */
static int open_again(int proc, int fd)
{
	char name[32];
	snprintf(name, sizeof(name), "self/fd/%d", fd);
	/* never our controlling terminal; then it cannot stop us for writing in the background either */
	return openat(proc, name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static enum hint_way way_for(int proc, int *fd)
{
	struct stat st;
	if (fstat(*fd, &st) < 0)
		return HINT_NONE;
	if (S_ISSOCK(st.st_mode))
		return HINT_SEND;
	if (S_ISREG(st.st_mode))
		return HINT_WRITE; /* its offset is to be shared with the others' */
	int again = open_again(proc, *fd);
	if (again < 0)
		return S_ISFIFO(st.st_mode) ? HINT_NOWAIT : HINT_NONE;
	fd_close(*fd);
	*fd = again;
	return HINT_WRITE;
}

void hint_init_take(struct hint *hint, int proc, int fd)
{
	*hint = (struct hint){.fd = fd, .last = BUF_INIT};
	if (fd >= 0)
		hint->way = way_for(proc, &hint->fd);
}

void hint_fini(struct hint *hint)
{
	hint->fd = fd_close(hint->fd);
	hint->way = HINT_NONE;
	buf_fini(&hint->last);
}

#define MAX_TEXT  300 /* bytes of a name or word before they are made visible */
#define MAX_WORDS 12

static void put_text(struct buf *line, const char *text)
{
	size_t n = strnlen(text, MAX_TEXT + 1);
	buf_put_visible(line, text, n > MAX_TEXT ? MAX_TEXT : n);
	if (n > MAX_TEXT)
		buf_puts(line, "…");
}

static void put_words(struct buf *line, const struct strv *words, const char *otherwise)
{
	if (words->n == 0)
		put_text(line, otherwise ? otherwise : "?");
	for (size_t i = 0; i < words->n && i < MAX_WORDS; i++) {
		if (i > 0 && line->size >= PIPE_BUF / 2)
			break;
		if (i > 0)
			buf_putc(line, ' ');
		put_text(line, words->v[i]);
	}
	if (words->n > MAX_WORDS)
		buf_puts(line, " …");
}

static void word(const struct exec_event *event, const char *advice, struct buf *line)
{
	buf_clear(line);
	buf_puts(line, "bulkhead: ");
	if (event->outcome == EXEC_KILLED) {
		buf_puts(line, "killed: '");
		put_words(line, &event->real_argv, event->real_executable);
		buf_puts(line, "' took the place of '");
		put_words(line, &event->argv, event->called);
		buf_puts(line, "'");
	} else {
		buf_puts(line, "not allowed to execute '");
		put_words(line, &event->argv, event->called);
		buf_puts(line, "' (");
		put_text(line, event->rule ? event->rule : "no rule");
		buf_puts(line, ")");
	}
	if (advice) {
		buf_puts(line, "; ");
		put_text(line, advice);
	}
	/* what is not longer than this is written whole or not at all */
	if (line->size > PIPE_BUF - 1) {
		line->size = PIPE_BUF - 4;
		while (((unsigned char)line->data[line->size] & 0xc0) == 0x80)
			line->size--; /* in the middle of a character */
		buf_puts(line, "…");
	}
	buf_putc(line, '\n');
}

static bool is_repeated(struct hint *hint, pid_t pid, const struct buf *line)
{
	if (pid == hint->last_pid && line->size == hint->last.size &&
		memcmp(line->data, hint->last.data, line->size) == 0)
		return true;
	hint->last_pid = pid;
	buf_clear(&hint->last);
	buf_add(&hint->last, line->data, line->size);
	return false;
}

static void write_line(struct hint *hint, const struct buf *line)
{
	struct iovec all = {line->data, line->size};
	ssize_t n = hint->way == HINT_SEND
		? send(hint->fd, line->data, line->size, MSG_DONTWAIT | MSG_NOSIGNAL)
		: hint->way == HINT_NOWAIT ? pwritev2(hint->fd, &all, 1, -1, RWF_NOWAIT)
					   : write(hint->fd, line->data, line->size);
	hint->written += n > 0 ? (size_t)n : 0;
}

void hint_tell(
	struct hint *hint, const struct exec_event *event, const char *advice, struct buf *line)
{
	if (hint->way == HINT_NONE)
		return;
	word(event, advice, line);
	if (is_repeated(hint, event->pid, line))
		return;
	if (hint->written + line->size <= HINT_MAX) {
		write_line(hint, line);
		return;
	}
	buf_clear(line);
	buf_puts(line, "bulkhead: … further refusals are in the record\n");
	write_line(hint, line);
	hint->way = HINT_NONE;
}
