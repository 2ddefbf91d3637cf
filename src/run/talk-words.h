/* SPDX-License-Identifier: MIT */
#ifndef RUN_TALK_WORDS_H
#define RUN_TALK_WORDS_H

#include "run/talk.h"

/*
 * Send GO with @words on @socket. 0; 1 when nobody is there to take it; -1 with @e, and nothing was
 * sent.
 */
int talk_words_send(int socket, const struct talk_words *words, struct error *e);

#endif
