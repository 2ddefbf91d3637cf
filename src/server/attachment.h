/* SPDX-License-Identifier: MIT */
#ifndef SERVER_ATTACHMENT_H
#define SERVER_ATTACHMENT_H

#include <stdbool.h>

#include "server/exchange.h"

/*
 * A client that is attached to a run: its connection speaks frames (model/attach-frame.h) from the upgrade
 * on. One buffer each way, and nothing is put into one before it is empty enough:
 *
 *   client ──► one frame ──► stdin of the program     not taken: the client is not read from
 *   client ◄── one block ◄── files of the run         not taken: the files are not read from
 */
struct attachment;

/*
 * Upgrade the exchange to one, when libmicrohttpd has sent its answer: this answers it. @run is held.
 */
void attachment_answer(struct exchange *x, struct live *run, struct stream *stream_take);

/* End all of a server at once: the clients see their connections close. */
void attachments_end(struct server *s);

#endif
