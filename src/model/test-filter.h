/* SPDX-License-Identifier: MIT */
#ifndef MODEL_TEST_FILTER_H
#define MODEL_TEST_FILTER_H

#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>

#include "model/filter.h"

/* For tests of filters, after cmocka.h: what the kernel does with a program, instruction by instruction. */

#define X32  0x40000000u
#define KILL SECCOMP_RET_KILL_PROCESS

struct program {
	const struct sock_filter *code;
	unsigned short n;
};

/* ---- the machine ---- */

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t word;

	assert_true(offset % 4 == 0 && offset <= sizeof(*data) - 4);
	memcpy(&word, (const char *)data + offset, sizeof(word));
	return word;
}

static bool holds(const struct sock_filter *op, uint32_t a)
{
	switch (op->code) {
	case BPF_JMP | BPF_JEQ | BPF_K:
		return a == op->k;
	case BPF_JMP | BPF_JGE | BPF_K:
		return a >= op->k;
	case BPF_JMP | BPF_JSET | BPF_K:
		return (a & op->k) != 0;
	}
	fail_msg("instruction 0x%02x is not known", op->code);
	return false;
}

static uint32_t simulate(const struct program *p, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (unsigned at = 0; at < p->n; at++) {
		const struct sock_filter *op = &p->code[at];

		if (op->code == (BPF_RET | BPF_K))
			return op->k;
		if (op->code == (BPF_LD | BPF_W | BPF_ABS))
			a = load(data, op->k);
		else if (op->code == (BPF_JMP | BPF_JA))
			at += op->k;
		else
			at += holds(op, a) ? op->jt : op->jf;
	}
	fail_msg("the program ran over its end");
	return 0;
}

/* What the kernel checks before it takes a program. */
static void assert_well_formed(const struct program *p)
{
	assert_true(p->n > 0 && p->n <= BPF_MAXINSNS);
	assert_int_equal(p->code[p->n - 1].code, BPF_RET | BPF_K);
	for (unsigned i = 0; i < p->n; i++) {
		const struct sock_filter *op = &p->code[i];

		if (op->code == (BPF_JMP | BPF_JA))
			assert_true(op->k < p->n - i - 1u);
		else if (BPF_CLASS(op->code) == BPF_JMP)
			assert_true(i + 1u + (op->jt > op->jf ? op->jt : op->jf) < p->n);
	}
}

static struct program compile(struct arena *a, const struct filter_spec *spec)
{
	struct error e = ERROR_INIT;
	struct program p = {NULL, 0};

	if (filter_compile(spec, a, &p.code, &p.n, &e) < 0)
		fail_msg("%s", e.text);
	assert_well_formed(&p);
	return p;
}

#endif
