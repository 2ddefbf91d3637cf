/* SPDX-License-Identifier: MIT */
#ifndef MODEL_SENDER_H
#define MODEL_SENDER_H

#include "model/facts.h"

/*
 * What is known of who sent a signal, and what follows from not knowing. The name of a process is
 * its own choice; its cgroup is not, if not that of another.
 */

/* True if it is a process other than bulkhead and not the kernel. */
bool sender_is_process(const struct killer *k);
/* True if @k is about the signal that ended the payload. */
bool sender_ended_it(const struct facts *f);
/*
 * The systemd unit that its cgroup stands for: the last part of the path that ends in ".service" or
 * ".scope". NULL: none, or not known. In @a.
 */
const char *sender_unit(const struct killer *k, struct arena *a);
/* "bash[777] (uid 1000, ssh.service)", and for one in the box "sh[778] (pid 3 in the box)". */
const char *sender_words(const struct facts *f);

/* A user-space out-of-memory daemon: by its name, or (*ret_sure) by the system's unit it runs in. */
bool sender_is_memory_daemon(const struct facts *f, bool *ret_sure);

/*
 * For a signal whose sender was not seen: is it one that people, supervisors and daemons send, and that a
 * program seldom sends itself? Not if it came while the program was hardly started.
 */
bool sender_unseen_outside(const struct facts *f);
/* Why it was not seen: "sender not visible to an ordinary user". */
const char *sender_unseen_words(const struct facts *f);

#endif
