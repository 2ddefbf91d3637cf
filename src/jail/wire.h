/* SPDX-License-Identifier: MIT */
#ifndef JAIL_WIRE_H
#define JAIL_WIRE_H

#include <stdint.h>

#include "jail/box.h"

/*
 * What the daemon says to its zygote, and to what the zygote has cloned. docs/zygote-protocol.md is
 * the same in words. Two kinds of socket, both SOCK_SEQPACKET, records of fixed size, one record a packet,
 * descriptors by SCM_RIGHTS in the order of the enum. Whoever gets a record of another size, magic,
 * kind or number of descriptors closes the socket: nothing is cut, nothing guessed.
 *
 *   daemon ◄──── zygote socket ────► zygote     one for all: requests, replies in any order
 *   daemon ◄──── talk socket ──────► one box    one for each request: the other end is in it
 *
 * A box:      request BOX → reply (maker) → daemon writes the id maps → MAPS → MADE
 *             → … PARKED → GO → [TERMINAL] → end of file (the exec has happened)
 * An entry:   request ENTRY → reply (maker) → MADE → PARKED → GO → [TERMINAL] → end of file
 *
 * At any point FAILED and then the end of file. GO may be sent before PARKED has come. All processes
 * are children of the daemon (CLONE_PARENT); that a pid is one is asked of the kernel before it is
 * believed.
 */
#define WIRE_MAGIC   0x62756c6bu /* "bulk" */
#define WIRE_VERSION 1u

enum zygote_kind { ZYGOTE_BOX = 1, ZYGOTE_ENTRY = 2 };

enum {
	WIRE_NEW_NETWORK = 1, /* BOX */
	WIRE_PIPE_IGNORED = 2, /* the payload has SIGPIPE ignored */
	WIRE_INTO_CGROUP = 4, /* there is such a descriptor */
	WIRE_FLAGS_ALL_ = 7,
};

/*
 * Descriptors with a request: the plan (a sealed memfd, jail/plan-image.h), the talk socket, then
 * for BOX the life pipe and n_slots trees, for ENTRY init's pidfd and the box's root; then with
 * WIRE_INTO_CGROUP the payload's v2 directory, then n_tasks files of v1.
 */
#define WIRE_MAX_SLOTS 32

struct zygote_request {
	uint32_t magic, version;
	uint32_t kind, flags;
	uint64_t serial; /* comes back in the reply */
	uint64_t signal_mask;
	uint64_t image_bytes; /* size of the plan's memfd */
	uint32_t n_tasks;
	uint32_t n_slots;
	int32_t slots[WIRE_MAX_SLOTS]; /* which slot of the plan each tree is for */
};

/* With @pid > 0 one descriptor: its pidfd. */
struct zygote_reply {
	uint32_t magic, version;
	uint64_t serial;
	int32_t pid; /* of the maker, or -errno */
	uint32_t zero;
};

enum talk_kind {
	/* to the daemon */
	TALK_MADE = 1, /* init and payload exist; a descriptor: the box's root */
	TALK_PARKED, /* all is done that needs no GO */
	TALK_TERMINAL, /* two descriptors: master and slave */
	TALK_FAILED,
	/* from the daemon */
	TALK_MAPS,
	TALK_GO, /* descriptors: stdin, stdout, stderr, then the words if they are not in the packet */
};

struct talk_up {
	uint32_t magic, kind;
	int32_t init_pid, payload_pid;
	uint32_t root_is_here;
	uint32_t zero;
	struct report report;
};

#define WIRE_MAX_RLIMITS 8
#define WIRE_MAX_WORDS   65536 /* what is in the packet itself; a memfd has up to 16 MiB */
#define WIRE_MAX_MEMFD   (16u << 20)

/*
 * GO is this record and, when words_bytes is at most WIRE_MAX_WORDS, so many bytes behind it in the
 * same packet; else they are in a sealed memfd. Words are, each with its zero byte: n_exec_paths to
 * be tried in turn, n_argv, n_env, and the working directory, which is empty for the plan's.
 */
struct talk_go {
	uint32_t magic, kind;
	uint32_t n_exec_paths, n_argv, n_env;
	uint32_t words_bytes;
	uint32_t tty;
	uint32_t n_rlimits;
	struct {
		uint64_t resource, soft, hard;
	} rlimits[WIRE_MAX_RLIMITS];
	struct pty_look look;
};

_Static_assert(sizeof(struct zygote_request) == 48 + 4 * WIRE_MAX_SLOTS, "fixed");
_Static_assert(sizeof(struct zygote_reply) == 24, "fixed");

#endif
