/* SPDX-License-Identifier: MIT */
#ifndef RUN_TALK_WORDS_H
#define RUN_TALK_WORDS_H

#include "run/talk.h"

/*
 * Send GO with @words on @socket. 0; or -1 with @e, and nothing was sent. -EPIPE, that nobody is there
 * to take it, is 0: that is seen otherwise.
 */
int talk_words_send(int socket, const struct talk_words *words, struct error *e);

#endif
