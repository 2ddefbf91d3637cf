/* SPDX-License-Identifier: MIT */
#ifndef RUN_TEST_ZYGOTE_H
#define RUN_TEST_ZYGOTE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "jail/plan-image.h"
#include "jail/wire.h"
#include "kernel/idmap.h"
#include "kernel/sys.h"
#include "run/plan-memfd.h"
#include "run/zygote-link.h"

/*
 * Attacks on a live zygote by wrong and half-wrong records, plans and descriptors: for the unit test,
 * a bounded number of them, and for test/fuzz, any number. Each round begins with what would be right,
 * and spoils some of it. After each the zygote must have answered, live, and hold nothing but its
 * four descriptors; and no process may be left.
 */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: round %lu: %s (%s)\n", __FILE__, __LINE__,         \
				spoil_round, #condition, strerror(errno));                         \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static unsigned long spoil_round;
static uint64_t spoil_seed;

static inline uint32_t spoil_random(uint32_t below)
{
	spoil_seed = spoil_seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(spoil_seed >> 33) % below;
}

/* Change a few bytes, words or bits of it; or nothing. */
static inline void spoil(void *data, size_t size)
{
	static const uint32_t edges[] = {0, 1, 2, 8, 9, 32, 33, 127, 128, 512, 513, 65536, 65537,
		0x7fffffff, 0x80000000, 0xffffffff};
	unsigned char *bytes = data;
	for (uint32_t n = spoil_random(4); n > 0; n--) {
		size_t at = spoil_random((uint32_t)size);
		uint32_t edge = edges[spoil_random(16)];
		switch (spoil_random(3)) {
		case 0:
			bytes[at] ^= (unsigned char)(1u << spoil_random(8));
			break;
		case 1:
			bytes[at] = (unsigned char)spoil_random(256);
			break;
		default:
			at = at / 4 * 4;
			memcpy(bytes + at, &edge, size - at < 4 ? size - at : 4);
		}
	}
}

/* ---- who is there ---- */

/* Children who stay: the zygote, and the init and payload of a kept box. */
static pid_t spoil_known[3];

static inline bool is_known(pid_t pid)
{
	return pid == spoil_known[0] || pid == spoil_known[1] || pid == spoil_known[2];
}

/* One of the others, or 0. */
static inline pid_t other_child(void)
{
	char path[64], text[4096], *p = text;
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	MUST(file_read_text(AT_FDCWD, path, text, sizeof(text)) >= 0);
	for (long pid; (pid = strtol(p, &p, 10)) > 0;)
		if (!is_known((pid_t)pid))
			return (pid_t)pid;
	return 0;
}

/*
 * All of them end by themselves when their sockets and pipes do; an init not before its payload is
 * reaped. With @killing they are not waited for: a box whose life hangs on some other descriptor lives
 * as long as that.
 */
static inline void reap_all(bool killing)
{
	pid_t pid;
	alarm(30);
	while ((pid = other_child()) > 0) {
		if (killing)
			kill(pid, SIGKILL);
		MUST(!is_known(waitpid(-1, NULL, __WALL)));
	}
	alarm(0);
}

static inline unsigned count_of(pid_t pid)
{
	char path[64];
	unsigned n = 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *dir = opendir(path);
	MUST(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

/* ---- one round ---- */

struct spoiler {
	struct zygote z;
	char *image; /* of a plan that works */
	size_t image_size;
	const struct plan *plan;
	bool may_spoil_plans; /* what a wrong one does cannot do any harm */
};

struct round {
	struct zygote_request request;
	int fds[PACKET_MAX_FDS];
	unsigned n_fds;
	int talk, life; /* our ends */
};

static inline int sealed_copy(const struct spoiler *s)
{
	char *copy = malloc(s->image_size);
	memcpy(copy, s->image, s->image_size);
	if (s->may_spoil_plans && spoil_random(3) == 0)
		spoil(copy, s->image_size);
	int fd = memfd_sealed("spoiled", copy, s->image_size);
	free(copy);
	MUST(fd >= 0);
	return fd;
}

static inline void make_right(const struct spoiler *s, struct round *r, int init)
{
	int talk[2], life[2];
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, talk) == 0);
	MUST(pipe2(life, O_CLOEXEC) == 0);
	*r = (struct round){.talk = talk[0], .life = life[1]};
	r->request = (struct zygote_request){
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.kind = init >= 0 ? ZYGOTE_ENTRY : ZYGOTE_BOX,
		.serial = spoil_round,
		.image_bytes = s->image_size,
	};
	r->fds[r->n_fds++] = sealed_copy(s);
	r->fds[r->n_fds++] = talk[1];
	r->fds[r->n_fds++] = init >= 0 ? dup(init) : life[0];
	if (init >= 0)
		close(life[0]);
}

/* Other descriptors than are due, or in another order, or more or fewer. True if so. */
static inline bool spoil_fds(struct round *r)
{
	static const char *const files[] = {"/dev/null", "/", "/proc/self/ns/net", "/dev/ptmx"};
	switch (spoil_random(12)) {
	case 0:
		if (r->n_fds > 0)
			close(r->fds[--r->n_fds]);
		break;
	case 1:
		for (uint32_t n = spoil_random(PACKET_MAX_FDS - r->n_fds + 1); n > 0; n--)
			r->fds[r->n_fds++] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		break;
	case 2: {
		uint32_t i = spoil_random(r->n_fds), k = spoil_random(r->n_fds);
		int was = r->fds[i];
		r->fds[i] = r->fds[k];
		r->fds[k] = was;
		break;
	}
	case 3: {
		uint32_t i = spoil_random(r->n_fds);
		close(r->fds[i]);
		r->fds[i] = open(files[spoil_random(4)], O_RDONLY | O_NOCTTY | O_CLOEXEC);
		break;
	}
	default:
		return false;
	}
	return true;
}

/* What the zygote says within a moment; it has to say something. */
static inline long answer_of(const struct spoiler *s)
{
	struct pollfd p = {.fd = s->z.socket, .events = POLLIN};
	struct zygote_reply reply;
	struct packet packet;
	MUST(poll(&p, 1, 20000) == 1);
	MUST(packet_receive(s->z.socket, &reply, sizeof(reply), false, &packet) == 0);
	MUST(packet.size == sizeof(reply) && packet.n_fds == 0);
	MUST(reply.magic == WIRE_MAGIC && reply.version == WIRE_VERSION && reply.zero == 0);
	MUST(reply.pid != 0);
	return reply.pid;
}

static inline bool send_spoiled(const struct spoiler *s, struct round *r)
{
	size_t size = sizeof(r->request);
	char more[2 * sizeof(r->request)] = {0};
	bool hurt = spoil_random(3) == 0;
	if (hurt)
		spoil(&r->request, sizeof(r->request));
	if (hurt && spoil_random(8) == 0)
		size = spoil_random(sizeof(more));
	memcpy(more, &r->request, sizeof(r->request));
	long sent = packet_send(s->z.socket, (struct packet_bytes){more, size},
		(struct packet_bytes){0}, r->fds, r->n_fds);
	return sent == 0;
}

/* Whatever it says is thrown away, what comes with it closed; until it has nothing to say for a while. */
static inline void hear(int talk, int ms)
{
	struct pollfd p = {.fd = talk, .events = POLLIN};
	char record[256];
	struct packet packet;
	while (poll(&p, 1, ms) == 1) {
		long r = packet_receive(talk, record, sizeof(record), false, &packet);
		if (r == 0)
			packet_close_fds(&packet);
		if (r < 0 || packet.size == 0)
			return;
	}
}

static inline void send_down(int talk, const struct talk_down *right, const char *words, size_t n)
{
	struct talk_down record = *right;
	char copy[512] = "";
	int fds[4], n_fds = 0;
	if (n > 0)
		memcpy(copy, words, n);
	if (spoil_random(3) == 0)
		spoil(&record, sizeof(record));
	if (spoil_random(4) == 0)
		spoil(copy, n ? n : 1);
	if (spoil_random(8) == 0)
		n = spoil_random(sizeof(copy));
	int want = right->kind == TALK_GO && spoil_random(8) ? 3 : (int)spoil_random(5);
	if (right->kind == TALK_MAPS)
		want = spoil_random(8) ? 0 : want;
	while (n_fds < want)
		fds[n_fds++] = open("/dev/null", O_RDWR | O_CLOEXEC);
	packet_send(talk, (struct packet_bytes){&record, sizeof(record)},
		(struct packet_bytes){copy, n}, fds, (unsigned)n_fds);
	while (n_fds > 0)
		close(fds[--n_fds]);
}

/* Speak with what was made, more or less as one should. */
static inline void converse(const struct spoiler *s, struct round *r, pid_t maker)
{
	static const char words[] = "/bin/true\0true\0A=b\0";
	const struct talk_down maps = {.magic = WIRE_MAGIC, .kind = TALK_MAPS};
	const struct talk_down go = {.magic = WIRE_MAGIC,
		.kind = TALK_GO,
		.n_exec_paths = 1,
		.n_argv = 1,
		.n_env = 1,
		.words_bytes = sizeof(words)};
	if (r->request.kind == ZYGOTE_BOX && spoil_random(16)) {
		hear(r->talk, 0);
		idmap_write(maker, s->plan->uid_map, s->plan->gid_map, s->plan->deny_setgroups);
		send_down(r->talk, &maps, NULL, 0);
	}
	if (spoil_random(4) == 0)
		hear(r->talk, 5);
	send_down(r->talk, &go, words, sizeof(words));
	if (spoil_random(2))
		hear(r->talk, 5);
}

static inline void close_round(struct round *r)
{
	for (unsigned i = 0; i < r->n_fds; i++)
		fd_close(r->fds[i]);
	close(r->talk);
	close(r->life);
}

/* @init is the pidfd of a box that may be entered, or -1. */
static inline void spoil_once(const struct spoiler *s, int init)
{
	struct round r;
	spoil_round++;
	make_right(s, &r, spoil_random(2) ? init : -1);
	bool wrong = spoil_fds(&r);
	if (send_spoiled(s, &r)) {
		long maker = answer_of(s);
		if (maker > 0)
			converse(s, &r, (pid_t)maker);
	}
	close_round(&r);
	reap_all(wrong);
	MUST(count_of(s->z.pid) == 4);
}

/* ---- what is right ---- */

/*
 * A box to be entered, by a request that is not spoiled. Its init's pidfd; *ret_talk and *ret_life are what
 * keeps payload and init.
 */
static inline int keep_box(const struct spoiler *s, int *ret_talk, int *ret_life)
{
	static const int on = 1;
	const struct talk_down maps = {.magic = WIRE_MAGIC, .kind = TALK_MAPS};
	struct spoiler right = *s;
	struct round r;
	right.may_spoil_plans = false;
	make_right(&right, &r, -1);
	MUST(setsockopt(r.talk, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	MUST(packet_send(s->z.socket, (struct packet_bytes){&r.request, sizeof(r.request)},
		     (struct packet_bytes){0}, r.fds, r.n_fds) == 0);
	pid_t maker = (pid_t)answer_of(s), init = 0, payload = 0;
	MUST(maker > 0);
	for (unsigned seen = 0; seen != (1 << TALK_INIT | 1 << TALK_MADE | 1 << TALK_PARKED);) {
		struct talk_up up;
		struct packet packet;
		MUST(packet_receive(r.talk, &up, sizeof(up), true, &packet) == 0);
		MUST(packet.size == sizeof(up) && up.kind != TALK_FAILED);
		packet_close_fds(&packet);
		if (up.kind == TALK_BORN) {
			idmap_write(
				maker, s->plan->uid_map, s->plan->gid_map, s->plan->deny_setgroups);
			MUST(packet_send(r.talk, (struct packet_bytes){&maps, sizeof(maps)},
				     (struct packet_bytes){0}, NULL, 0) == 0);
			continue;
		}
		seen |= 1u << up.kind;
		init = up.kind == TALK_INIT ? packet.sender : init;
		payload = up.kind == TALK_PARKED ? packet.sender : payload;
	}
	for (unsigned i = 0; i < r.n_fds; i++)
		close(r.fds[i]);
	MUST(waitpid(maker, NULL, __WALL) == maker);
	spoil_known[1] = init;
	spoil_known[2] = payload;
	*ret_talk = r.talk;
	*ret_life = r.life;
	return (int)sys_pidfd_open(init, 0);
}

/*
 * A plan may be spoiled where nothing can be written: in a mount namespace of our own. Only the id maps
 * are, in /proc, where no step can make anything.
 */
static inline bool make_harmless(void)
{
	struct mount_attr all = {.attr_set = MOUNT_ATTR_RDONLY, .propagation = 1 << 18};
	struct mount_attr proc = {.attr_clr = MOUNT_ATTR_RDONLY};
	return unshare(CLONE_NEWNS) == 0 &&
		sys_mount_setattr(AT_FDCWD, "/", 0x8000 /* AT_RECURSIVE */, &all, sizeof(all)) ==
		0 &&
		sys_mount_setattr(AT_FDCWD, "/proc", 0, &proc, sizeof(proc)) == 0;
}

static inline void spoiler_open(struct spoiler *s, const char *path, const struct plan *plan)
{
	struct error e = ERROR_INIT;
	*s = (struct spoiler){.plan = plan, .may_spoil_plans = make_harmless()};
	int fd = plan_memfd(plan, &s->image_size, &e);
	MUST(fd >= 0);
	s->image = malloc(s->image_size);
	MUST(pread(fd, s->image, s->image_size, 0) == (ssize_t)s->image_size);
	close(fd);
	MUST(zygote_start(&s->z, path, &e) == 0);
	spoil_known[0] = s->z.pid;
}

/*
 * For a moment the zygote may be a child still, its status kept by a tracer: what looks for leaks in it at its end
 * is one. reap_all() has it then.
 */
static inline void spoiler_close(struct spoiler *s)
{
	zygote_end(&s->z);
	spoil_known[0] = 0;
	free(s->image);
}

#endif
