/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

static enum log_level current_level = LOG_NORMAL;

void log_set_level(enum log_level level)
{
	current_level = level;
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
	ssize_t written;
	do
		written = write(STDERR_FILENO, line.data, line.size);
	while (written < 0 && errno == EINTR);
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
