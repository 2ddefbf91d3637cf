/* SPDX-License-Identifier: MIT */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

/*
 * Memory that is given back all at once: a request, a policy, a plan and a verdict each point into
 * one arena and need no free of their own. Running out of memory ends the process with status 125
 * and one line on stderr: no caller could do better.
 */
struct arena {
	struct arena_chunk *head;
};

#define ARENA_INIT    ((struct arena){NULL})
#define cleanup_arena __attribute__((cleanup(arena_fini)))

void arena_fini(struct arena *a);
/* Give all back but for one chunk of ordinary size, for what is filled again and again. */
void arena_reset(struct arena *a);
/* How many bytes it takes, what is not used yet counted. */
size_t arena_size(const struct arena *a);

/* Say so on stderr and end the process with status 125, calling nothing that needs memory. */
void out_of_memory(void) __attribute__((noreturn));

/* Zeroed, aligned for any type, never NULL (also for @size 0). */
void *arena_alloc(struct arena *a, size_t size);
/* The same for @n things of @size bytes, overflow checked. */
void *arena_calloc(struct arena *a, size_t n, size_t size);
char *arena_strdup(struct arena *a, const char *s); /* NULL for NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))

/* A list of borrowed strings; v[n] is always NULL once something was pushed. */
struct strv {
	const char **v;
	size_t n;
	size_t room;
};

void strv_push(struct arena *a, struct strv *list, const char *s);

#endif
