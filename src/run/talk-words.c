/* SPDX-License-Identifier: MIT */
#include "run/talk-words.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "run/plan-memfd.h"

/* All words one after the other, each with its zero byte. */
struct packer {
	char *to; /* NULL: only counted */
	size_t size;
};

static void pack(struct packer *p, const char *s)
{
	size_t n = strlen(s) + 1;
	if (p->to)
		memcpy(p->to + p->size, s, n);
	p->size += n;
}

static size_t pack_all(const struct talk_words *words, char *to)
{
	const struct strv *const lists[] = {&words->exec_paths, &words->argv, &words->envp};
	struct packer p = {.to = to};
	for (size_t l = 0; l < 3; l++)
		for (size_t i = 0; i < lists[l]->n; i++)
			pack(&p, lists[l]->v[i]);
	pack(&p, words->cwd ? words->cwd : "");
	return p.size;
}

static int check(const struct talk_words *words, size_t size, struct error *e)
{
	size_t n = words->exec_paths.n + words->argv.n + words->envp.n;
	if (words->argv.n == 0 || words->exec_paths.n == 0)
		return error_set(e, BLAME_REQUEST, EINVAL, "no command is given");
	if (size > WIRE_MAX_MEMFD || n > WIRE_MAX_STRINGS)
		return error_set(e, BLAME_REQUEST, E2BIG,
			"arguments and environment are too large: %zu bytes, of at most %u", size,
			WIRE_MAX_MEMFD);
	if (words->n_rlimits > WIRE_MAX_RLIMITS)
		return error_set(e, BLAME_US, EINVAL, "too many limits for one program");
	return 0;
}

static void fill_record(const struct talk_words *words, size_t size, struct talk_down *ret)
{
	*ret = (struct talk_down){
		.magic = WIRE_MAGIC,
		.kind = TALK_GO,
		.n_exec_paths = (uint32_t)words->exec_paths.n,
		.n_argv = (uint32_t)words->argv.n,
		.n_env = (uint32_t)words->envp.n,
		.words_bytes = (uint32_t)size,
		.tty = words->tty,
		.n_rlimits = words->n_rlimits,
		.warden = words->warden != NULL,
	};
	if (words->tty)
		ret->look = words->look;
	for (unsigned i = 0; i < words->n_rlimits; i++) {
		ret->rlimits[i].resource = (uint64_t)words->rlimits[i].resource;
		ret->rlimits[i].soft = words->rlimits[i].soft;
		ret->rlimits[i].hard = words->rlimits[i].hard;
	}
}

/* Words that do not fit into a packet. */
static int put_aside(const struct talk_words *words, size_t size, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	char *text = arena_alloc(&a, size);
	pack_all(words, text);
	int fd = memfd_sealed("bulkhead-words", text, size);
	if (fd < 0)
		error_set(e, BLAME_HOST, errno, "cannot make a memfd for the arguments");
	return fd;
}

int talk_words_send(int socket, const struct talk_words *words, struct error *e)
{
	static char text[WIRE_MAX_WORDS];
	struct talk_down record;
	struct packet_bytes inside = {0};
	cleanup_fd int memfd = -1;
	int fds[5];
	unsigned n = 0;
	size_t size = pack_all(words, NULL);
	if (check(words, size, e) < 0)
		return -1;
	fill_record(words, size, &record);
	for (; n < 3 && !words->tty; n++)
		fds[n] = words->stdio[n];
	if (words->warden)
		fds[n++] = *words->warden;
	if (size <= sizeof(text)) {
		inside = (struct packet_bytes){text, pack_all(words, text)};
	} else {
		memfd = put_aside(words, size, e);
		if (memfd < 0)
			return -1;
		fds[n++] = memfd;
	}
	long r =
		packet_send(socket, (struct packet_bytes){&record, sizeof(record)}, inside, fds, n);
	if (r == -EPIPE || r == -ECONNRESET)
		return 1;
	return r < 0 ? error_set(e, BLAME_HOST, (int)-r,
			       "cannot send its arguments to a program's process")
		     : 0;
}
