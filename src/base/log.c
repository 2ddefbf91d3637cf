/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

static enum log_level current_level = LOG_NORMAL;

void log_set_level(enum log_level level)
{
	current_level = level;
}

/*
 * A program may have filled a pipe that its caller reads only when we have ended. Not so a terminal:
 * who has stopped it will let it go on.
 */
static bool has_room(void)
{
	static bool gave_up;
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	int n;
	if (isatty(STDERR_FILENO) == 1)
		return true;
	while ((n = poll(&p, 1, gave_up ? 0 : LOG_WAIT_MS)) < 0 && errno == EINTR)
		;
	gave_up = n == 0;
	return n != 0;
}

static void put_line(struct buf *line)
{
	ssize_t written;
	/* no more than fits into a pipe that poll(2) calls writable */
	if (line->size > PIPE_BUF) {
		line->size = PIPE_BUF;
		line->data[PIPE_BUF - 1] = '\n';
	}
	if (!has_room())
		return;
	do
		written = write(STDERR_FILENO, line->data, line->size);
	while (written < 0 && errno == EINTR);
}

static void log_vline(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static void log_vline(const char *format, va_list args)
{
	int saved = errno;
	/* Longer text is cut: an error's own has at most half of this. */
	char text[2048];
	int n = vsnprintf(text, sizeof text, format, args);
	cleanup_buf struct buf line = BUF_INIT;
	buf_puts(&line, "bulkhead: ");
	if (n > 0)
		buf_put_visible(&line, text, strlen(text));
	buf_putc(&line, '\n');
	put_line(&line);
	errno = saved;
}

void log_error(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	log_vline(format, args);
	va_end(args);
}

void log_line(const char *format, ...)
{
	if (current_level < LOG_NORMAL)
		return;
	va_list args;
	va_start(args, format);
	log_vline(format, args);
	va_end(args);
}

void log_verbose(const char *format, ...)
{
	if (current_level < LOG_VERBOSE)
		return;
	va_list args;
	va_start(args, format);
	log_vline(format, args);
	va_end(args);
}
