/* SPDX-License-Identifier: MIT */
#ifndef RUN_TALK_RECORDS_H
#define RUN_TALK_RECORDS_H

#include "run/talk.h"

/* What a talk is told, for talk.c, which decides what comes of it. */

/*
 * Do what a record says. False: it does not belong here, or something failed on the way; then why is
 * known if it was not the record. What is kept of its descriptors is taken out of @packet.
 */
bool talk_take_record(struct talk *t, const struct talk_up *up, struct packet *packet);
/* There is a maker: the zygote says so, or it itself. False: it is none. */
bool talk_take_maker(struct talk *t, pid_t pid);
/* Close our copies of what went to the zygote. */
void talk_close_theirs(struct talk *t);
bool talk_is_new_box(const struct talk *t);

/* Why it fails; the first reason counts. @what is borrowed. */
void talk_blame(struct talk *t, enum blame blame, int errnum, const char *what);
void talk_blame_error(struct talk *t, const struct error *e);
void talk_blame_protocol(struct talk *t);

#endif
