/* SPDX-License-Identifier: MIT */
#ifndef JAIL_WIRE_H
#define JAIL_WIRE_H

#include <stdint.h>

#include "jail/box.h"
#include "kernel/packet.h"

/*
 * What the daemon says to its zygote, and to what the zygote has cloned. docs/zygote-protocol.md is
 * the same in words. Two kinds of socket, both SOCK_SEQPACKET, records of fixed size, one record a
 * packet, descriptors by SCM_RIGHTS in the order of the enum. What has another size, magic, kind or
 * number of descriptors is refused, whole: nothing is cut, nothing guessed.
 *
 *   daemon ◄──── zygote socket ────► zygote     one for all: requests, replies in any order
 *   daemon ◄──── talk socket ──────► one box    one for each request: the other end is in it
 *
 * A box:      request BOX → BORN (maker), daemon writes the id maps → MAPS
 *             → INIT (init), MADE (maker), PARKED (payload), in any order → GO → [TERMINAL]
 *             → end of file: the exec has happened
 * An entry:   request ENTRY → BORN (maker) → MADE, PARKED → GO → [TERMINAL] → end of file
 *
 * At any point FAILED and then the end of file. The zygote's reply says whether there will be a BORN;
 * when the zygote has died without one, BORN or the end of file on the talk socket says the same.
 * All processes are children of the daemon (CLONE_PARENT). Who sent a record of a talk socket is told
 * by the kernel (SCM_CREDENTIALS); that a pid in one is a child's is asked of it before it is believed.
 */
#define WIRE_MAGIC   0x62756c6bu /* "bulk" */
#define WIRE_VERSION 2u

enum zygote_kind { ZYGOTE_BOX = 1, ZYGOTE_ENTRY = 2 };

enum {
	WIRE_PIPE_IGNORED = 1, /* the payload has SIGPIPE ignored */
	WIRE_INTO_CGROUP = 2, /* there is such a descriptor */
	WIRE_FLAGS_ALL_ = 3,
};

/*
 * Descriptors with a request: the plan (a sealed memfd, jail/plan-image.h), the talk socket, then
 * for BOX the life pipe and n_slots trees, for ENTRY init's pidfd; then with WIRE_INTO_CGROUP the
 * payload's v2 directory, then n_tasks files of v1.
 */
#define WIRE_MAX_SLOTS 32

struct zygote_request {
	uint32_t magic, version;
	uint32_t kind, flags;
	uint64_t serial; /* comes back in the reply */
	uint64_t signal_mask; /* the payload's */
	uint64_t image_bytes; /* size of the plan's memfd */
	uint32_t n_tasks;
	uint32_t n_slots;
	int32_t slots[WIRE_MAX_SLOTS]; /* which slot of the plan each tree is for; the rest is 0 */
};

struct zygote_reply {
	uint32_t magic, version;
	uint64_t serial; /* 0: of what could not be read */
	int32_t pid; /* of the maker, or -errno */
	uint32_t zero;
};

enum talk_kind {
	/* to the daemon */
	TALK_BORN = 1, /* from the maker: it exists */
	TALK_INIT, /* from init of a new box: it exists */
	TALK_MADE, /* from the maker: the payload exists; of a box with a descriptor: its root */
	TALK_PARKED, /* from the payload: all is done that needs no GO */
	TALK_TERMINAL, /* from the payload: two descriptors, master and slave */
	TALK_FAILED, /* from either: the last record */
	/* from the daemon */
	TALK_MAPS,
	TALK_GO, /* descriptors: stdin, stdout, stderr unless tty; the warden's socket if there is
		  * one; then the words if in a memfd */
	TALK_COUNT_,
};

struct talk_up {
	uint32_t magic, kind;
	int32_t payload_pid; /* of MADE and FAILED; 0: there is none */
	uint32_t root_is_here; /* of MADE: the root is the mount namespace's own */
	struct report report; /* of FAILED */
};

#define WIRE_MAX_RLIMITS 8
#define WIRE_MAX_WORDS   65536 /* bytes in the packet itself; all more is in a memfd */
#define WIRE_MAX_MEMFD   (16u << 20)
#define WIRE_MAX_STRINGS (1u << 20) /* more than exec(2) takes */

/* MAPS is this record with all else 0. */
struct talk_down {
	uint32_t magic, kind;
	/*
	 * GO: when words_bytes is at most WIRE_MAX_WORDS, so many bytes follow in the same packet; else
	 * they are in a sealed memfd of that size. Words are, each with its zero byte: n_exec_paths to
	 * be tried in turn, n_argv, n_env, and the working directory, which is empty for the plan's.
	 */
	uint32_t n_exec_paths, n_argv, n_env;
	uint32_t words_bytes;
	uint32_t tty; /* 0 or 1 */
	uint32_t n_rlimits;
	uint32_t warden; /* 0 or 1, as the plan has an exec policy or not: its socket comes along */
	uint32_t zero;
	struct {
		uint64_t resource, soft, hard;
	} rlimits[WIRE_MAX_RLIMITS];
	struct pty_look look; /* of the terminal */
};

_Static_assert(sizeof(struct zygote_request) == 48 + 4 * WIRE_MAX_SLOTS, "fixed");
_Static_assert(sizeof(struct zygote_reply) == 24, "fixed");
_Static_assert(sizeof(struct talk_up) == 16 + sizeof(struct report), "fixed");
_Static_assert(
	sizeof(struct talk_down) == 40 + 24 * WIRE_MAX_RLIMITS + sizeof(struct pty_look), "fixed");

_Static_assert(3 + WIRE_MAX_SLOTS + 1 + BOX_MAX_TASKS <= PACKET_MAX_FDS, "all fit in a packet");

#endif
