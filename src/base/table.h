/* SPDX-License-Identifier: MIT */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Things found by a name. The nodes are embedded in the things, the names are borrowed from them:
 * adding and taking out allocate nothing but the array, which doubles as it fills. Where no memory is
 * left for a larger array the chains grow longer instead. Names may be a client's: the hash is
 * keyed, so that nobody can have all of his in one chain.
 */
struct table_node {
	struct table_node *next;
	const char *name;
	uint64_t hash;
};

struct table {
	struct table_node **chains;
	size_t n_chains, n;
	uint64_t key[2];
};

/* @key is random. Nothing is allocated before the first thing comes. */
void table_init(struct table *t, const uint64_t key[2]);
/* The things themselves are not touched. */
void table_fini(struct table *t);

/* There must be nothing of that name yet. @name lives as long as the node is in here. */
void table_add(struct table *t, struct table_node *node, const char *name);
/* Nothing to do for what is not in here. */
void table_remove(struct table *t, struct table_node *node);
/* NULL: there is none. */
struct table_node *table_find(const struct table *t, const char *name);

#endif
