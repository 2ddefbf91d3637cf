/* SPDX-License-Identifier: MIT */
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define CHAINS_MIN 64

void table_init(struct table *t, const uint64_t key[2])
{
	*t = (struct table){.key = {key[0], key[1]}};
}

void table_fini(struct table *t)
{
	free(t->chains);
	t->chains = NULL;
	t->n_chains = t->n = 0;
}

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

/* SipHash-1-3 (Aumasson, Bernstein 2012), with the fewer rounds that are usual for tables. */
static void round_once(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void mix(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	round_once(v);
	v[0] ^= word;
}

static uint64_t hash(const struct table *t, const char *name)
{
	size_t size = strlen(name);
	uint64_t word,
		v[4] = {t->key[0] ^ 0x736f6d6570736575, t->key[1] ^ 0x646f72616e646f6d,
			t->key[0] ^ 0x6c7967656e657261, t->key[1] ^ 0x7465646279746573};
	for (size_t left = size; left >= sizeof(word); left -= sizeof(word)) {
		memcpy(&word, name + size - left, sizeof(word));
		mix(v, word);
	}
	word = (uint64_t)size << 56;
	memcpy(&word, name + size / sizeof(word) * sizeof(word), size % sizeof(word));
	mix(v, word);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		round_once(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void put(struct table_node **chains, size_t n_chains, struct table_node *node)
{
	struct table_node **chain = &chains[node->hash & (n_chains - 1)];
	node->next = *chain;
	*chain = node;
}

/* Twice as many chains. */
static void grow(struct table *t)
{
	size_t n = t->n_chains ? 2 * t->n_chains : CHAINS_MIN;
	struct table_node **chains = calloc(n, sizeof(struct table_node *));
	if (!chains && t->n_chains == 0)
		out_of_memory();
	if (!chains)
		return;
	for (size_t i = 0; i < t->n_chains; i++)
		for (struct table_node *node = t->chains[i], *next; node; node = next) {
			next = node->next;
			put(chains, n, node);
		}
	free(t->chains);
	t->chains = chains;
	t->n_chains = n;
}

void table_add(struct table *t, struct table_node *node, const char *name)
{
	if (t->n >= t->n_chains)
		grow(t);
	node->name = name;
	node->hash = hash(t, name);
	put(t->chains, t->n_chains, node);
	t->n++;
}

void table_remove(struct table *t, struct table_node *node)
{
	if (!node->name || t->n_chains == 0)
		return;
	struct table_node **at = &t->chains[node->hash & (t->n_chains - 1)];
	while (*at && *at != node)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = node->next;
	node->name = NULL;
	t->n--;
}

struct table_node *table_find(const struct table *t, const char *name)
{
	if (t->n == 0)
		return NULL;
	uint64_t wanted = hash(t, name);
	struct table_node *node = t->chains[wanted & (t->n_chains - 1)];
	while (node && (node->hash != wanted || strcmp(node->name, name) != 0))
		node = node->next;
	return node;
}
