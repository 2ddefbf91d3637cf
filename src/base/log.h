/* SPDX-License-Identifier: MIT */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * Lines for a person on stderr, "bulkhead: TEXT", one write(2) each so that they are not torn
 * among other output; control bytes are shown as \xNN. Failures to write are ignored: stderr may
 * be closed. So is one that nobody reads: a line is lost that has waited for LOG_WAIT_MS (but on a
 * terminal), and those after it unless there is room at once.
 */
#define LOG_WAIT_MS 3000

enum log_level {
	LOG_QUIET, /* errors of bulkhead itself only */
	LOG_NORMAL, /* and the line that says how a run ended, and warnings */
	LOG_VERBOSE, /* and what is done */
};

void log_set_level(enum log_level level);
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
