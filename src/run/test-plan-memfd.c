/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "jail/plan-image.h"
#include "run/plan-memfd.h"

/* A small plan with one of everything that the image has to carry. */
static struct step box_steps[] = {
	{.kind = STEP_GRAB, .path = "/usr", .slot = 1, .flags = MOUNT_READ_ONLY},
	{.kind = STEP_ROOT_EMPTY},
	{.kind = STEP_ATTACH, .path = "/usr", .slot = 1},
	{.kind = STEP_TMPFS, .path = "/tmp", .number = 1 << 20, .value = 01777},
	{.kind = STEP_SYMLINK, .path = "/dev/fd", .text = "/proc/self/fd"},
	{.kind = STEP_MASK, .path = "/root", .text = "/dev/.bulkhead/dir"},
};
static struct step payload_steps[] = {
	{.kind = STEP_PROC, .path = "/proc"},
	{.kind = STEP_RLIMIT, .number = 7, .value = 64, .value2 = 128},
	{.kind = STEP_CHDIR, .path = "/tmp"},
	{.kind = STEP_FILTER, .number = 2},
	{.kind = STEP_EXEC, .path = "a command"},
};
static const struct sock_filter filter[] = {{6, 0, 0, 0x7fff0000}, {6, 0, 0, 0}};
static const char *writable[] = {"/tmp", "/dev"};
static struct policy policy;

static const struct plan whole = {
	.policy = &policy,
	.new_network = true,
	.own_root = true,
	.box = {.v = box_steps, .n = 6},
	.payload = {.v = payload_steps, .n = 5},
	.n_slots = 2,
	.cpu_mask = {5},
	.filter = filter,
	.n_filter = 2,
	.writable = {.v = writable, .n = 2},
};

static struct plan_room room;

/* A copy of the image of @plan; the caller's to free. */
static char *image_of(const struct plan *plan, size_t *ret_size)
{
	struct error e = ERROR_INIT;
	cleanup_fd int fd = plan_memfd(plan, ret_size, &e);
	char *copy = malloc(*ret_size);
	if (fd < 0)
		fail_msg("%s", e.text);
	assert_int_equal(pread(fd, copy, *ret_size, 0), *ret_size);
	return copy;
}

static void assert_same(const struct steps *a, const struct steps *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		const struct step *x = &a->v[i], *y = &b->v[i];
		assert_int_equal(x->kind, y->kind);
		assert_int_equal(x->flags, y->flags);
		assert_int_equal(x->slot, y->slot);
		assert_true(
			x->number == y->number && x->value == y->value && x->value2 == y->value2);
		if (x->kind != STEP_EXEC && x->path)
			assert_string_equal(x->path, y->path);
		if (x->text)
			assert_string_equal(x->text, y->text);
	}
}

static void it_comes_out_as_it_went_in(void **state)
{
	(void)state;
	size_t size;
	uint32_t flags;
	struct plan plan;
	char *image = image_of(&whole, &size);
	assert_int_equal(plan_image_decode(image, size, &plan, &room, &flags), 0);
	assert_same(&whole.box, &plan.box);
	assert_same(&whole.payload, &plan.payload);
	assert_true(plan.new_network && plan.own_root);
	assert_int_equal(plan.n_slots, 2);
	assert_int_equal(plan.cpu_mask[0], 5);
	assert_int_equal(plan.n_filter, 2);
	assert_memory_equal(plan.filter, filter, sizeof(filter));
	assert_int_equal(plan.writable.n, 2);
	assert_string_equal(plan.writable.v[1], "/dev");
	assert_true(flags & PLAN_IMAGE_FILTER_EARLY);
	free(image);
}

static void an_exec_policy_has_a_listener(void **state)
{
	(void)state;
	struct step steps[5];
	struct plan with = whole, out;
	size_t size;
	uint32_t flags;
	memcpy(steps, payload_steps, sizeof(steps));
	steps[3].kind = STEP_LISTENER;
	with.payload.v = steps;
	with.exec = EXEC_AUDIT;
	char *image = image_of(&with, &size);
	assert_int_equal(plan_image_decode(image, size, &out, &room, &flags), 0);
	assert_int_equal(out.exec, EXEC_AUDIT);
	free(image);
}

static void a_filter_of_the_policys_own_comes_late(void **state)
{
	(void)state;
	static const char *denied[] = {"execve", NULL};
	struct policy own = {.syscalls_deny = {.v = denied, .n = 1}};
	struct plan plan = whole;
	size_t size;
	uint32_t flags;
	plan.policy = &own;
	char *image = image_of(&plan, &size);
	assert_int_equal(plan_image_decode(image, size, &plan, &room, &flags), 0);
	assert_false(flags & PLAN_IMAGE_FILTER_EARLY);
	free(image);
}

static void it_cannot_be_changed(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	size_t size;
	cleanup_fd int fd = plan_memfd(&whole, &size, &e);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_ptr_equal(mmap(NULL, size, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

static void refused(const char *image, size_t size)
{
	uint32_t flags;
	struct plan plan;
	assert_int_equal(plan_image_decode(image, size, &plan, &room, &flags), -EPROTO);
}

/* Every length but the right one, each in memory of just that size. */
static void no_piece_of_it_will_do(void **state)
{
	(void)state;
	size_t size;
	char *image = image_of(&whole, &size);
	for (size_t n = 0; n < size; n++) {
		char *piece = malloc(n ? n : 1);
		memcpy(piece, image, n);
		refused(piece, n);
		free(piece);
	}
	char *more = calloc(1, size + 8);
	memcpy(more, image, size);
	refused(more, size + 1);
	refused(more, size + 8);
	free(more);
	free(image);
}

/* What is accepted is followed to the end: a wrong pointer would be found here. */
static size_t follow(const struct plan *plan)
{
	size_t sum = 0;
	const struct steps *lists[] = {&plan->box, &plan->payload};
	for (int l = 0; l < 2; l++)
		for (size_t i = 0; i < lists[l]->n; i++) {
			const struct step *s = &lists[l]->v[i];
			sum += (s->path ? strlen(s->path) : 0) + (s->text ? strlen(s->text) : 0);
			if (s->kind == STEP_GRAB || s->kind == STEP_ATTACH ||
				s->kind == STEP_ROOT_SLOT)
				assert_true(s->slot >= 0 && s->slot < PLAN_MAX_SLOTS);
		}
	for (size_t i = 0; i < plan->writable.n; i++)
		sum += strlen(plan->writable.v[i]);
	for (unsigned i = 0; i < plan->n_filter; i++)
		sum += plan->filter[i].code;
	return sum;
}

static void try_it(const char *image, size_t size)
{
	uint32_t flags;
	struct plan plan;
	if (plan_image_decode(image, size, &plan, &room, &flags) == 0)
		assert_true(follow(&plan) < 1 << 24);
}

/* Each byte, set to values that are the edges of something. */
static void each_byte_may_be_wrong(void **state)
{
	(void)state;
	static const unsigned char edges[] = {0, 1, 0x1f, 0x7f, 0x80, 0xfe, 0xff};
	size_t size;
	char *image = image_of(&whole, &size);
	for (size_t i = 0; i < size; i++) {
		char was = image[i];
		for (size_t k = 0; k < sizeof(edges); k++) {
			image[i] = (char)edges[k];
			try_it(image, size);
		}
		image[i] = was;
	}
	free(image);
}

static void many_words_may_be_wrong(void **state)
{
	(void)state;
	size_t size;
	uint64_t seed = 0x9e3779b97f4a7c15ull;
	char *image = image_of(&whole, &size), *copy = malloc(size);
	for (int round = 0; round < 20000; round++) {
		memcpy(copy, image, size);
		for (int n = 0; n < 1 + round % 4; n++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			uint32_t word = (uint32_t)(seed >> 33) >> (seed >> 27 & 31);
			memcpy(copy + (seed >> 40) % (size / 4) * 4, &word, 4);
		}
		try_it(copy, size);
	}
	free(copy);
	free(image);
}

/* One field each, so that each check has a test that fails without it. */
static void each_rule_holds(void **state)
{
	(void)state;
	size_t size;
	char *image = image_of(&whole, &size);
	struct plan_image_header *h = (struct plan_image_header *)image;
	struct plan_image_step *steps = (struct plan_image_step *)(h + 1);
	struct {
		uint32_t *field, value;
	} wrong[] = {
		{&h->magic, 0}, {&h->version, 3}, {&h->flags, 8}, {&h->exec, EXEC_ENFORCE + 1},
		{&h->exec, EXEC_AUDIT}, /* and nobody listens */
		{&h->n_payload, 0}, {&h->n_slots, PLAN_MAX_SLOTS + 1},
		{&h->n_slots, 1}, /* and one step has slot 1 */
		{&h->strings_bytes, UINT32_MAX}, {&h->n_filter, 3},
		{&steps[0].kind, STEP_EXEC}, /* not in this list */
		{&steps[0].kind, STEP_COUNT_}, {&steps[0].zero, 1},
		{&steps[0].path, PLAN_IMAGE_NONE}, {&steps[0].path, h->strings_bytes},
		{&steps[0].path, 0}, /* an empty string */
		{(uint32_t *)&steps[0].slot, UINT32_MAX}, {&steps[4].text, PLAN_IMAGE_NONE},
		{&steps[6].kind, STEP_TMPFS}, /* of the other list */
		{&steps[6].kind, STEP_EXEC}, /* a second one */
		{&steps[9].kind, STEP_LISTENER}, /* for no warden */
		{&steps[10].kind, STEP_STDIO}, /* and none at the end */
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint32_t was = *wrong[i].field;
		*wrong[i].field = wrong[i].value;
		refused(image, size);
		*wrong[i].field = was;
	}
	image[size - 1] = 'x';
	refused(image, size);
	free(image);
}

static void what_is_too_large_is_refused_here(void **state)
{
	(void)state;
	static const char *many[PLAN_IMAGE_WRITABLE + 1];
	struct plan plan = whole;
	struct error e = ERROR_INIT;
	size_t size;
	for (size_t i = 0; i <= PLAN_IMAGE_WRITABLE; i++)
		many[i] = "/x";
	plan.writable = (struct strv){.v = many, .n = PLAN_IMAGE_WRITABLE};
	free(image_of(&plan, &size));
	plan.writable.n++;
	assert_int_equal(plan_memfd(&plan, &size, &e), -1);
	assert_int_equal(e.blame, BLAME_REQUEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_out_as_it_went_in),
		cmocka_unit_test(an_exec_policy_has_a_listener),
		cmocka_unit_test(a_filter_of_the_policys_own_comes_late),
		cmocka_unit_test(it_cannot_be_changed),
		cmocka_unit_test(no_piece_of_it_will_do),
		cmocka_unit_test(each_byte_may_be_wrong),
		cmocka_unit_test(many_words_may_be_wrong),
		cmocka_unit_test(each_rule_holds),
		cmocka_unit_test(what_is_too_large_is_refused_here),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
