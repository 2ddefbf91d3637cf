/* SPDX-License-Identifier: MIT */
#ifndef RUN_TALK_CHILD_H
#define RUN_TALK_CHILD_H

#include "run/talk.h"

/* A process of a talk: held by a pidfd from when it is heard of, watched and reaped by the loop. */
void talk_child_init(struct talk_child *c, struct talk *t, void (*changed)(struct talk_child *c));

/*
 * It is @pid. As the kernel says that this is a child of ours, whom nobody else can reap, the number
 * stays its own. 0; -ECHILD: it is none, or another one than @c was before; else no pidfd is to be had,
 * -errno, and the process is killed, and to be looked for (talk_child_look()).
 */
int talk_child_adopt(struct talk_child *c, pid_t pid);

/* Reap it when it ends; and KILL it first. Harmless if there is none. */
void talk_child_watch(struct talk_child *c);
void talk_child_kill(struct talk_child *c);

/* Reap one that is held by no pidfd, if it has ended. False: it has not. */
bool talk_child_look(struct talk_child *c);

/*
 * Reap what is in the process group that @maker led, but for @known, whose end is told otherwise: those
 * of its children who died before they told of themselves. True if nobody is in it (any more).
 */
bool talk_child_sweep(const struct talk_child *maker, const struct talk_child *known);

/* It is the caller's from now on. */
struct talk_process talk_child_take(struct talk_child *c);

#endif
