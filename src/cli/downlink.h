/* SPDX-License-Identifier: MIT */
#ifndef CLI_DOWNLINK_H
#define CLI_DOWNLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/sink.h"
#include "model/attach-frame.h"

/*
 * What comes from the daemon while a run is attached: output, which goes to the caller's stdout and
 * stderr, and at last the verdict.
 *
 *   connection ──► one buffer ──► stdout or stderr, whichever the frame is for
 *
 * The connection is read again when all that was read before is gone: a caller who does not read holds
 * up the connection, and with that the daemon's sending; nothing grows.
 */
struct downlink {
	int fd; /* borrowed */
	struct sink sink[2];
	bool lost; /* a caller's descriptor has gone; whoever acts on it clears it */
	bool ended; /* the verdict is here */
	uint64_t gap_bytes; /* of output that was not kept */
	struct buf verdict;
	struct buf problem; /* the newest of them */
	/* private */
	struct sink *blocked; /* what is waited for, or NULL */
	unsigned char head[ATTACH_HEAD_SIZE];
	size_t head_size;
	struct attach_head frame;
	size_t left; /* of the frame's body */
	struct buf gathered; /* a body that is no output */
	const char *at;
	size_t size;
	char buffer[65536];
};

/* @early, at most what the buffer holds, was read from @fd already. 0, or -1 with @e. */
int downlink_open(struct downlink *d, int fd, const struct buf *early, struct error *e);
void downlink_close(struct downlink *d);
/* True if the next thing is to read from the connection; else d->blocked is waited for. */
bool downlink_reads(const struct downlink *d);
/*
 * Go on as far as can be without blocking: after @readable at most one read. 0; or -1 with @e
 * (BLAME_HOST): the connection has ended before the verdict, or what came is no frame.
 */
int downlink_go_on(struct downlink *d, bool readable, struct error *e);

#endif
