/* SPDX-License-Identifier: MIT */
#include <linux/seccomp.h>
#include <string.h>

#include "model/filter.h"

/* What becomes of one system call, told afterwards: the machine, as far as our compiler uses it. */

static bool load(const struct seccomp_data *data, uint32_t offset, uint32_t *ret)
{
	if (offset % sizeof(*ret) != 0 || offset > sizeof(*data) - sizeof(*ret))
		return false;
	memcpy(ret, (const char *)data + offset, sizeof(*ret));
	return true;
}

static bool holds(const struct sock_filter *op, uint32_t a)
{
	switch (BPF_OP(op->code)) {
	case BPF_JEQ:
		return a == op->k;
	case BPF_JGE:
		return a >= op->k;
	case BPF_JSET:
		return (a & op->k) != 0;
	default:
		return false;
	}
}

uint32_t filter_fate(
	const struct sock_filter *code, unsigned short n, uint32_t arch, uint32_t number)
{
	const struct seccomp_data data = {.nr = (int)number, .arch = arch};
	uint32_t a = 0;

	for (uint64_t at = 0; at < n; at++) {
		const struct sock_filter *op = &code[at];
		if (op->code == (BPF_RET | BPF_K))
			return op->k;
		if (op->code == (BPF_JMP | BPF_JA))
			at += op->k;
		else if (BPF_CLASS(op->code) == BPF_JMP)
			at += holds(op, a) ? op->jt : op->jf;
		else if (op->code != (BPF_LD | BPF_W | BPF_ABS) || !load(&data, op->k, &a))
			break;
	}
	return SECCOMP_RET_ALLOW;
}
