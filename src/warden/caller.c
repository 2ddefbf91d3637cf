/* SPDX-License-Identifier: MIT */
#include "warden/caller.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "kernel/task.h"

bool caller_exec(const struct notify_call *call, struct caller_exec *ret)
{
	const uint64_t *args = call->args;
	switch (call->nr) {
	case SYS_execve:
		*ret = (struct caller_exec){AT_FDCWD, args[0], args[1], args[2], 0, false};
		return true;
	case SYS_execveat:
		*ret = (struct caller_exec){
			(int)args[0], args[1], args[2], args[3], (uint32_t)args[4], true};
		return true;
	default:
		return false;
	}
}

/*
 * A string of at most @max bytes with its zero, when the first guess at its size was too small: each read takes
 * four times as much as the one before.
 */
static int read_string(pid_t tid, uint64_t address, size_t max, struct arena *a, const char **ret)
{
	for (size_t size = 512;; size *= 4) {
		if (size > max)
			size = max;
		char *text = arena_alloc(a, size);
		ssize_t n = task_read(tid, address, text, size);
		if (n <= 0)
			return n < 0 ? (int)n : -EFAULT;
		if (memchr(text, '\0', (size_t)n)) {
			*ret = text;
			return 0;
		}
		if ((size_t)n < size)
			return -EFAULT;
		if (size == max)
			return -ENAMETOOLONG;
	}
}

/* Pointers are read so many at a time, and then what they point to, with a guess at each one's size. */
#define BATCH       TASK_READ_PIECES
#define GUESS       96u
#define BRIEF_WORDS 24u

struct words {
	pid_t tid;
	struct arena *a;
	struct strv *list;
	size_t bytes; /* so far, as the kernel counts */
};

static int take_word(struct words *w, const char *word)
{
	w->bytes += strlen(word) + 1 + sizeof(uint64_t);
	if (w->bytes > CALLER_MAX_BYTES)
		return -E2BIG;
	strv_push(w->a, w->list, word);
	return 0;
}

static int take_long_word(struct words *w, uint64_t address)
{
	const char *word = NULL;
	int r = read_string(w->tid, address, CALLER_MAX_WORD, w->a, &word);
	if (r < 0)
		return r == -ENAMETOOLONG ? -E2BIG : r;
	return take_word(w, word);
}

/* What the words of a batch begin with: so many bytes of each, of which some may be another's already. */
struct beginnings {
	char bytes[BATCH * GUESS];
	size_t at[BATCH], size[BATCH];
};

/* How large one piece from *ret_low on is that has them all; 0: they are too far from each other. */
static size_t common_piece(const uint64_t *pointers, unsigned n, uint64_t *ret_low)
{
	uint64_t low = pointers[0], high = pointers[0];
	for (unsigned i = 1; i < n; i++) {
		low = pointers[i] < low ? pointers[i] : low;
		high = pointers[i] > high ? pointers[i] : high;
	}
	*ret_low = low;
	return high - low <= (BATCH - 1) * GUESS ? (size_t)(high - low) + GUESS : 0;
}

/* By one call, and as one piece where they lie as most callers have them: for the kernel a piece is dearer than its bytes. */
static int read_beginnings(pid_t tid, const uint64_t *pointers, unsigned n, struct beginnings *ret)
{
	struct task_piece pieces[BATCH];
	uint64_t low;
	size_t size = common_piece(pointers, n, &low);
	for (unsigned i = 0; i < n; i++) {
		pieces[i] = (struct task_piece){pointers[i], GUESS};
		ret->at[i] = size ? (size_t)(pointers[i] - low) : (size_t)i * GUESS;
	}
	ssize_t got = size ? task_read(tid, low, ret->bytes, size)
			   : task_read_pieces(tid, pieces, n, ret->bytes, (size_t)n * GUESS);
	if (got < 0 && got != -EFAULT)
		return (int)got;
	size_t end = got < 0 ? 0 : (size_t)got;
	for (unsigned i = 0; i < n; i++) {
		size_t left = ret->at[i] < end ? end - ret->at[i] : 0;
		ret->size[i] = left < GUESS ? left : GUESS;
	}
	return 0;
}

/* Words that all end within the guess come by one call; the others one by one. */
static int take_batch(struct words *w, const uint64_t *pointers, unsigned n)
{
	struct beginnings b;
	int r = read_beginnings(w->tid, pointers, n, &b);
	for (unsigned i = 0; i < n && r == 0; i++) {
		const char *word = b.bytes + b.at[i];
		r = memchr(word, '\0', b.size[i]) ? take_word(w, arena_strdup(w->a, word))
						  : take_long_word(w, pointers[i]);
	}
	return r;
}

/*
 * Up to BATCH pointers of a list that ends with a zero one, from @address on. Returns how many come before that;
 * BATCH: there are more. What lies behind the last need not be readable.
 */
static int read_pointers(pid_t tid, uint64_t address, uint64_t ret[BATCH])
{
	ssize_t n = task_read(tid, address, ret, BATCH * sizeof(uint64_t));
	if (n < 0)
		return (int)n;
	int whole = (int)((size_t)n / sizeof(uint64_t));
	for (int i = 0; i < whole; i++)
		if (ret[i] == 0)
			return i;
	return whole == BATCH ? BATCH : -EFAULT;
}

static int read_argv(struct words *w, uint64_t address)
{
	uint64_t pointers[BATCH];
	int n = address == 0 ? 0 : BATCH;
	for (uint64_t at = address; n == BATCH; at += sizeof(pointers)) {
		n = read_pointers(w->tid, at, pointers);
		int r = n > 0 ? take_batch(w, pointers, (unsigned)n) : n;
		if (r < 0)
			return r;
	}
	return 0;
}

/* What most calls are: a short path, and few words. */
struct brief {
	char path[GUESS];
	uint64_t pointers[BRIEF_WORDS];
};

/* Both with one call. How many words there are; -1: it is no such call, or cannot be read so. */
static int read_brief(pid_t tid, const struct caller_exec *x, struct brief *ret)
{
	const struct task_piece pieces[] = {
		{x->path, sizeof(ret->path)}, {x->argv, sizeof(ret->pointers)}};
	if (x->argv == 0 || task_read_pieces(tid, pieces, 2, ret, sizeof(*ret)) != sizeof(*ret) ||
		!memchr(ret->path, '\0', sizeof(ret->path)))
		return -1;
	for (int i = 0; i < (int)BRIEF_WORDS; i++)
		if (ret->pointers[i] == 0)
			return i;
	return -1;
}

int caller_read(pid_t tid, const struct caller_exec *x, struct arena *a, const char **ret_path,
	struct strv *ret_argv)
{
	struct brief brief;
	struct words w = {.tid = tid, .a = a, .list = ret_argv};
	*ret_argv = (struct strv){0};
	int n = read_brief(tid, x, &brief);
	if (n >= 0) {
		*ret_path = arena_strdup(a, brief.path);
		return n > 0 ? take_batch(&w, brief.pointers, (unsigned)n) : 0;
	}
	int r = read_string(tid, x->path, CALLER_MAX_PATH, a, ret_path);
	return r < 0 ? r : read_argv(&w, x->argv);
}

#define NAME_SIZE 32u

static const char *name_in(const char text[NAME_SIZE], const char *const *names)
{
	for (; *names; names++) {
		size_t size = strlen(*names);
		if (size < NAME_SIZE && memcmp(text, *names, size) == 0 && text[size] == '=')
			return *names;
	}
	return NULL;
}

/* A string may end less than so many bytes before a page that is not there. */
static int find_name(
	pid_t tid, const uint64_t *pointers, unsigned n, const char *const *names, const char **ret)
{
	char texts[BATCH * NAME_SIZE];
	struct task_piece pieces[BATCH];
	for (unsigned i = 0; i < n; i++)
		pieces[i] = (struct task_piece){pointers[i], NAME_SIZE};
	ssize_t got = task_read_pieces(tid, pieces, n, texts, (size_t)n * NAME_SIZE);
	if (got < 0 && got != -EFAULT)
		return (int)got;
	for (unsigned i = 0; i < n && !*ret; i++) {
		char alone[NAME_SIZE] = {0}, *text = texts + (size_t)i * NAME_SIZE;
		if (got < (ssize_t)(i + 1) * NAME_SIZE) {
			ssize_t r = task_read(tid, pointers[i], alone, NAME_SIZE);
			if (r < 0)
				return (int)r;
			text = alone;
		}
		*ret = name_in(text, names);
	}
	return 0;
}

int caller_environment(pid_t tid, uint64_t address, const char *const *names, const char **ret)
{
	uint64_t pointers[BATCH];
	int n = address == 0 ? 0 : BATCH;
	*ret = NULL;
	for (uint64_t at = address, seen = 0; n == BATCH && !*ret; at += sizeof(pointers)) {
		seen += sizeof(pointers);
		if (seen > CALLER_MAX_BYTES)
			return -E2BIG;
		n = read_pointers(tid, at, pointers);
		int r = n > 0 ? find_name(tid, pointers, (unsigned)n, names, ret) : n;
		if (r < 0)
			return r;
	}
	return 0;
}
