/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used; /* of data */
	bool fresh; /* all zero beyond what is used */
	alignas(max_align_t) char data[];
};

/* With malloc's own header a little below a power of two, and below its mmap threshold. */
#define CHUNK_MIN ((size_t)8 * 1024 - sizeof(struct arena_chunk) - 32)
#define CHUNK_MAX ((size_t)64 * 1024)

/*
 * The first chunk of the first arena, which is the one that lives as long as the process: pages of
 * it that are not used are never touched, where malloc's would be, to make them zero.
 */
#define FIRST_SIZE ((size_t)128 * 1024)
static struct {
	struct arena_chunk chunk;
	char data[FIRST_SIZE];
} first;
static bool first_taken;

void out_of_memory(void)
{
	static const char line[] = "bulkhead: out of memory\n";
	ssize_t ignored = write(STDERR_FILENO, line, sizeof line - 1);
	(void)ignored;
	_exit(125);
}

void arena_fini(struct arena *a)
{
	while (a->head) {
		struct arena_chunk *chunk = a->head;
		a->head = chunk->next;
		if (chunk != &first.chunk)
			free(chunk);
	}
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *kept = NULL;
	for (struct arena_chunk *next, *chunk = a->head; chunk; chunk = next) {
		next = chunk->next;
		if (!kept && (chunk->size <= CHUNK_MAX || chunk == &first.chunk))
			kept = chunk;
		else if (chunk != &first.chunk)
			free(chunk);
	}
	if (kept)
		*kept = (struct arena_chunk){.size = kept->size};
	a->head = kept;
}

size_t arena_size(const struct arena *a)
{
	size_t size = 0;
	for (const struct arena_chunk *chunk = a->head; chunk; chunk = chunk->next)
		size += sizeof *chunk + chunk->size;
	return size;
}

static struct arena_chunk *chunk_new(struct arena *a, size_t size)
{
	size_t room = CHUNK_MIN;
	if (!first_taken && size <= FIRST_SIZE) {
		first_taken = true;
		first.chunk =
			(struct arena_chunk){.next = a->head, .size = FIRST_SIZE, .fresh = true};
		a->head = &first.chunk;
		return a->head;
	}
	if (a->head) /* doubled, so that a large policy does not become thousands of chunks */
		room = a->head->size < CHUNK_MAX / 2 ? a->head->size * 2 : CHUNK_MAX;
	if (room < size)
		room = size;
	struct arena_chunk *chunk = malloc(sizeof *chunk + room);
	if (!chunk)
		out_of_memory();
	*chunk = (struct arena_chunk){.next = a->head, .size = room};
	a->head = chunk;
	return chunk;
}

void *arena_alloc(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	if (size > PTRDIFF_MAX - sizeof(struct arena_chunk) - align)
		out_of_memory();
	if (size == 0)
		size = 1;
	size = (size + align - 1) & ~(align - 1);
	struct arena_chunk *chunk = a->head;
	if (!chunk || chunk->size - chunk->used < size)
		chunk = chunk_new(a, size);
	void *p = chunk->data + chunk->used;
	chunk->used += size;
	return chunk->fresh ? p : memset(p, 0, size);
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(n, size, &total))
		out_of_memory();
	return arena_alloc(a, total);
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	if (!s)
		return NULL;
	n = strnlen(s, n);
	char *copy = arena_alloc(a, n + 1);
	memcpy(copy, s, n);
	return copy;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0) /* more than INT_MAX bytes */
		out_of_memory();
	char *text = arena_alloc(a, (size_t)n + 1);
	vsnprintf(text, (size_t)n + 1, format, again);
	va_end(again);
	return text;
}

void strv_push(struct arena *a, struct strv *list, const char *s)
{
	if (list->n + 1 >= list->room) {
		size_t room = list->room ? list->room * 2 : 8;
		const char **v = arena_calloc(a, room, sizeof *v);
		if (list->n > 0)
			memcpy(v, list->v, list->n * sizeof *v);
		list->v = v;
		list->room = room;
	}
	list->v[list->n++] = s;
	list->v[list->n] = NULL;
}
