/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_WIRE_H
#define WARDEN_WIRE_H

#include <stdatomic.h>
#include <stdint.h>

#include "model/exec-rules.h"

/*
 * What a supervisor says to the warden of a box, and where the warden writes what it did.
 * docs/warden-protocol.md is the same in words.
 *
 *   supervisor ─── control socket (SEQPACKET, fd 3 of the warden) ───► warden    START, RUN, RUN, …
 *   warden     ─── READY or REFUSED, once ────────────────────────────► supervisor
 *   payload    ─── run socket (SEQPACKET), one for each run ──────────► warden   one byte + its listener
 *   warden     ─── board (shared memory), one for each run ───────────► supervisor
 *
 * The end of file of the control socket begins the shutdown. So does SIGTERM. Records have a fixed size;
 * another size, magic, kind or number of descriptors is refused, whole.
 */
#define WARDEN_MAGIC   0x62777264u /* "bwrd" */
#define WARDEN_VERSION 1u
#define WARDEN_CONTROL 3

enum warden_kind {
	WARDEN_START = 1, /* fds: rules (sealed memfd of exec_policy_pack()); n: its size */
	WARDEN_RUN, /* fds: run socket, board (memfd), then with the flags: audit, stderr */
	WARDEN_READY,
	WARDEN_REFUSED, /* errnum, text */
};

enum {
	WARDEN_HAS_AUDIT = 1, /* a file opened O_APPEND: exec.jsonl of the run */
	WARDEN_HAS_STDERR = 2, /* where the run's standard error goes: for hints */
};

struct warden_record {
	uint32_t magic, version;
	uint32_t kind, flags;
	uint64_t n;
	uint64_t started_us; /* RUN: monotonic clock at the run's start */
	uint64_t audit_max_bytes; /* RUN: more is counted as dropped */
	int32_t errnum;
	uint32_t zero;
	char path
		[4096]; /* START: PATH of the box, in which bare program names of rules are looked up */
	char text[256];
};
#define WARDEN_MAX_FDS 4

/* An exec that was refused or killed, for the verdict. Texts are cut to fit, and always end in a zero. */
struct warden_incident {
	int32_t pid; /* as the host counts */
	int32_t inside_pid;
	uint64_t at_us; /* after the run's start */
	char rule[256], hint[256], why[512];
	char called[512], executable[512];
	char argv[2048]; /* as judged; words separated by zeros, and one more at the end */
	char real_executable[512]; /* killed: what came instead */
	char real_argv[2048];
};

enum warden_health {
	WARDEN_HEALTH_NONE, /* not told yet: no listener came */
	WARDEN_HEALTH_SERVING,
	WARDEN_HEALTH_ENDED, /* the last process of the run is gone, or the warden shut down in good order */
	WARDEN_HEALTH_DRAIN_LATE, /* it had to give up after WARDEN_DRAIN_MS */
};
#define WARDEN_DRAIN_MS 2000

/*
 * One page-aligned block for each run, in a memfd sealed against a change of its size. The warden writes;
 * the supervisor reads, at any time, also when the warden is dead, and believes no text to end by
 * itself. What is told of an exec is written before its caller hears or dies of it.
 */
struct warden_board {
	uint32_t magic, version;
	_Atomic uint32_t health;
	uint32_t zero;
	_Atomic uint64_t started, refused, killed, failed; /* by outcome */
	_Atomic uint64_t in_flight; /* judged, not ended yet */
	_Atomic uint64_t audit_dropped; /* lines */
	_Atomic uint32_t
		incidents; /* bit 0: first_refused is written; 1: last_refused; 2: killed; 3: payload */
	uint32_t zero2;
	struct warden_incident first_refused, last_refused, first_killed;
	struct warden_incident payload; /* of the run's first process: refused or killed */
};

_Static_assert(sizeof(struct warden_record) == 48 + 4096 + 256, "fixed");

#endif
