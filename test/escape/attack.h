/* SPDX-License-Identifier: MIT */
#ifndef ESCAPE_ATTACK_H
#define ESCAPE_ATTACK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Each attack tries one way out of a box and judges for itself what came of it. Where it would
 * work, it does no harm: it opens what it would have written, asks what it would have taken, and
 * takes back what it made. So the same program can show, outside of a box, that it would work.
 */
enum outcome {
	STOPPED = 0,
	WORKED = 1,
	NOT_APPLICABLE = 2, /* no such thing on this machine, or nothing was given to attack */
};

struct attack {
	const char *name;
	enum outcome (*run)(const char *arg); /* arg: "" if none was given */
	/* Run by root outside of a box, in a mount namespace of its own, it must work. */
	bool control;
};

extern const struct attack mount_attacks[], kernel_attacks[], process_attacks[], file_attacks[],
	nested_attacks[], limit_attacks[];

/* Say what was seen (one line, printf-like) and return the outcome. */
enum outcome stopped(const char *format, ...) __attribute__((format(printf, 1, 2)));
enum outcome worked(const char *format, ...) __attribute__((format(printf, 1, 2)));
enum outcome not_applicable(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* By the result of a system call that should have failed: errno tells why it did. */
enum outcome judge(long result, const char *what);

/* Can @path be opened with @flags? The descriptor is closed at once. */
enum outcome judge_open(const char *path, int flags);

/* The same for a list that ends with NULL: the first that opens. Missing files are passed over. */
enum outcome judge_any_open(const char *const *paths, int flags);

/* Run @body in a child; the wait status. */
int in_child(void (*body)(void));

#endif
