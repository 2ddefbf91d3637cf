/* SPDX-License-Identifier: MIT */
#include "run/queue.h"

#include <stdlib.h>

void queue_init(struct queue *q, size_t most_each, size_t most_in_all)
{
	*q = (struct queue){.most_each = most_each, .most_in_all = most_in_all};
}

/* ---- users ---- */

static struct queue_user **place_of(struct queue *q, uid_t uid)
{
	struct queue_user **place = &q->by_uid[uid % QUEUE_CHAINS];
	while (*place && (*place)->uid != uid)
		place = &(*place)->chain;
	return place;
}

/* Last in the round: all others have their turn first. */
static void join_ring(struct queue *q, struct queue_user *user)
{
	if (!q->turn) {
		q->turn = user->next = user->previous = user;
		return;
	}
	user->next = q->turn;
	user->previous = q->turn->previous;
	user->previous->next = user;
	user->next->previous = user;
}

static struct queue_user *user_new(struct queue *q, uid_t uid)
{
	struct queue_user **place = place_of(q, uid), *user = *place;
	if (user)
		return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	user->last = &user->first;
	*place = user;
	join_ring(q, user);
	return user;
}

static void user_free(struct queue *q, struct queue_user *user)
{
	struct queue_user **place = place_of(q, user->uid);
	*place = user->chain;
	user->next->previous = user->previous;
	user->previous->next = user->next;
	if (q->turn == user)
		q->turn = user->next == user ? NULL : user->next;
	free(user);
}

/* ---- entries ---- */

bool queue_put(struct queue *q, struct queue_entry *entry, uid_t uid)
{
	if (q->n >= q->most_in_all)
		return false;
	struct queue_user *user = user_new(q, uid);
	if (!user || user->n >= q->most_each) {
		if (user && user->n == 0)
			user_free(q, user);
		return false;
	}
	*entry = (struct queue_entry){.user = user, .at = user->last};
	*user->last = entry;
	user->last = &entry->next;
	user->n++;
	q->n++;
	return true;
}

void queue_remove(struct queue *q, struct queue_entry *entry)
{
	struct queue_user *user = entry->user;
	if (!user)
		return;
	if (user->first == entry)
		user->passed = 0; /* the patience was for that one */
	*entry->at = entry->next;
	if (entry->next)
		entry->next->at = entry->at;
	else
		user->last = entry->at;
	*entry = (struct queue_entry){0};
	q->n--;
	if (--user->n == 0)
		user_free(q, user);
}

struct queue_entry *queue_take(
	struct queue *q, bool (*fits)(void *data, struct queue_entry *entry), void *data)
{
	struct queue_user *user = q->turn;
	if (!user)
		return NULL;
	do {
		struct queue_entry *entry = user->first;
		if (fits(data, entry)) {
			/* before it is removed, and perhaps its user with it */
			q->turn = user->next;
			queue_remove(q, entry);
			return entry;
		}
		if (user->passed >= QUEUE_PATIENCE)
			return NULL;
		user->passed++;
		user = user->next;
	} while (user != q->turn);
	return NULL;
}
