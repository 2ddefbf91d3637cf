/* SPDX-License-Identifier: MIT */
#ifndef RUN_QUEUE_H
#define RUN_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Who waits for room, and whose turn it is: round robin between users, first come first served
 * within each, so that one who sends a thousand runs delays nobody who sends one.
 *
 * A run that does not fit yet is passed over by those of others that do, but not for ever: after
 * QUEUE_PATIENCE times nobody goes before it.
 */
#define QUEUE_PATIENCE 64

struct queue_user;

struct queue_entry {
	struct queue_user *user; /* NULL: it is in no queue */
	struct queue_entry *next, **at;
};

/* Bounded by what is in all: an empty one costs nothing and is not kept. */
struct queue_user {
	uid_t uid;
	size_t n;
	unsigned passed; /* how often its first one did not fit when it was its turn */
	struct queue_entry *first, **last;
	struct queue_user *next, *previous; /* the ring */
	struct queue_user *chain; /* of the table */
};

#define QUEUE_CHAINS 64

struct queue {
	size_t most_each, most_in_all, n;
	struct queue_user *turn; /* whose it is; NULL: nobody waits */
	struct queue_user *by_uid[QUEUE_CHAINS];
};

void queue_init(struct queue *q, size_t most_each, size_t most_in_all);
/* False: it is full, for this user or for all (or there is no memory). */
bool queue_put(struct queue *q, struct queue_entry *entry, uid_t uid);
/* Somebody who waits no more. Nothing to do for what is in no queue. */
void queue_remove(struct queue *q, struct queue_entry *entry);
/*
 * The next that @fits, taken out; NULL when nobody does who may go now. @fits is asked once for each
 * user at most.
 */
struct queue_entry *queue_take(
	struct queue *q, bool (*fits)(void *data, struct queue_entry *entry), void *data);

#endif
