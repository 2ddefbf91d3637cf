/* SPDX-License-Identifier: MIT */
#include "model/admission.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

/* One kind of what there is. */
static const struct {
	size_t at;
	const char *name;
} kinds[] = {
	{offsetof(struct share, runs), "runs"},
	{offsetof(struct share, boxes), "boxes"},
	{offsetof(struct share, memory_bytes), "memory"},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))
_Static_assert(sizeof(struct share) == N_KINDS * sizeof(uint64_t), "kinds");

static uint64_t of(const struct share *share, size_t kind)
{
	return *(const uint64_t *)((const char *)share + kinds[kind].at);
}

static enum admitted ask_for(const struct admission *a, const struct share *wanted, size_t kind)
{
	uint64_t most = of(&a->most, kind), taken = of(&a->taken, kind), want = of(wanted, kind);
	if (want == 0)
		return ADMITTED_YES;
	if (want > most)
		return ADMITTED_NEVER;
	/* taken may be above most, where the kernel was kinder than we thought */
	return taken <= most - want ? ADMITTED_YES : ADMITTED_LATER;
}

enum admitted admission_ask(const struct admission *a, const struct share *wanted)
{
	enum admitted worst = ADMITTED_YES;
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		enum admitted answer = ask_for(a, wanted, kind);
		worst = answer > worst ? answer : worst;
	}
	return worst;
}

/* N_KINDS: none. */
static size_t scarce_kind(const struct admission *a, const struct share *wanted)
{
	enum admitted worst = admission_ask(a, wanted);
	size_t kind = 0;
	while (kind < N_KINDS && (worst == ADMITTED_YES || ask_for(a, wanted, kind) != worst))
		kind++;
	return kind;
}

const char *admission_scarce(const struct admission *a, const struct share *wanted)
{
	size_t kind = scarce_kind(a, wanted);
	return kind < N_KINDS ? kinds[kind].name : "nothing";
}

static const char *figure(size_t kind, uint64_t n, char text[FORMAT_SIZE])
{
	if (kinds[kind].at == offsetof(struct share, memory_bytes))
		return format_size(n, text);
	snprintf(text, FORMAT_SIZE, "%" PRIu64, n);
	return text;
}

const char *admission_explain(
	const struct admission *a, const struct share *wanted, char text[ADMISSION_TEXT])
{
	char asked[FORMAT_SIZE], left[FORMAT_SIZE], most[FORMAT_SIZE];
	size_t kind = scarce_kind(a, wanted);
	if (kind == N_KINDS)
		return strcpy(text, "there is room");
	uint64_t all = of(&a->most, kind), taken = of(&a->taken, kind);
	figure(kind, of(wanted, kind), asked);
	figure(kind, taken < all ? all - taken : 0, left);
	figure(kind, all, most);
	const char *of_what = kinds[kind].at == offsetof(struct share, memory_bytes)
		? "of memory promised by limits"
		: kinds[kind].name;
	const char *verb = of(wanted, kind) == 1 ? "is" : "are";
	if (ask_for(a, wanted, kind) == ADMITTED_NEVER)
		snprintf(text, ADMISSION_TEXT,
			"there are never more than %s %s, and %s %s asked for", most, of_what,
			asked, verb);
	else
		snprintf(text, ADMISSION_TEXT, "%s of %s %s are left now, and %s %s asked for",
			left, most, of_what, asked, verb);
	return text;
}

void admission_take(struct admission *a, const struct share *share)
{
	a->taken.runs += share->runs;
	a->taken.boxes += share->boxes;
	a->taken.memory_bytes += share->memory_bytes;
}

static void subtract(uint64_t *from, uint64_t what)
{
	*from = *from > what ? *from - what : 0;
}

void admission_give_back(struct admission *a, const struct share *share)
{
	subtract(&a->taken.runs, share->runs);
	subtract(&a->taken.boxes, share->boxes);
	subtract(&a->taken.memory_bytes, share->memory_bytes);
}

uint64_t admission_memory(const struct limits *limits)
{
	const struct limit_value *memory = &limits->v[LIMIT_MEMORY];
	return memory->set && memory->origin == ORIGIN_ASKED ? memory->value : 0;
}
