/* SPDX-License-Identifier: MIT */
#ifndef RUN_SUBJECT_H
#define RUN_SUBJECT_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Who is watched: the processes of one run, whoever has cloned them. All of them are our own children, and
 * a pid is theirs until they are reaped. Filled by whoever spawns: what is not there (yet) is 0 and -1.
 *
 * What has a box of its own has an init of its own, with whose end everything ends. In a kept box
 * (@kept) init is the box's: it is named so that one can tell who is who, and neither killed,
 * waited for nor told anything on account of a run.
 */
struct subject {
	int maker_pidfd; /* while it works; reaped by whoever spawns */
	pid_t payload;
	int payload_pidfd;
	pid_t init;
	int init_pidfd; /* -1 with kept */
	int life_fd; /* how init is told that the payload has ended; -1 with kept */
	int root; /* of the box: what it is looked into through */
	bool kept;
	/* Set by the watch. */
	bool payload_reaped, init_reaped;
	int init_status; /* its exit status; -1: it has none */
};

#define SUBJECT_INIT                                                                               \
	((struct subject){.maker_pidfd = -1,                                                       \
		.payload_pidfd = -1,                                                               \
		.init_pidfd = -1,                                                                  \
		.life_fd = -1,                                                                     \
		.root = -1})

/* The run's own init: with its end everything ends. */
bool subject_has_init(const struct subject *s);
/* Tell init that the payload has ended. */
void subject_tell_ended(struct subject *s);
/* A signal to the payload, unless it is reaped. */
void subject_signal(const struct subject *s, int sig);
/* The same for its whole process group if it leads one, as the kernel does with what is typed. */
void subject_signal_group(const struct subject *s, int sig);
/* KILL to init, if it is the run's own, to the payload and to the maker, as far as they are there. */
void subject_kill(const struct subject *s);
/* Close all descriptors; kills and reaps nobody. */
void subject_fini(struct subject *s);

#endif
