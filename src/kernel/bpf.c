/* SPDX-License-Identifier: MIT */
#include "kernel/bpf.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static int call(int command, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, command, attr, sizeof(*attr));
	return r < 0 ? -errno : (int)r;
}

/* ---- programs ---- */

void bpf_emit(struct bpf_program *p, unsigned op, int dst, int src, int off, int32_t imm)
{
	struct bpf_insn insn = {.code = (uint8_t)op, .off = (int16_t)off, .imm = imm};
	insn.dst_reg = (unsigned)dst & 15;
	insn.src_reg = (unsigned)src & 15;
	if (p->n < BPF_PROGRAM_MAX)
		p->code[p->n] = insn;
	p->n++;
}

void bpf_emit_move(struct bpf_program *p, int dst, int src)
{
	bpf_emit(p, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

void bpf_emit_set(struct bpf_program *p, int dst, int32_t value)
{
	bpf_emit(p, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value);
}

void bpf_emit_add(struct bpf_program *p, int dst, int32_t value)
{
	bpf_emit(p, BPF_ALU64 | BPF_ADD, dst, 0, 0, value); /* BPF_K is 0 */
}

void bpf_emit_load(struct bpf_program *p, int dst, int src, int off)
{
	bpf_emit(p, BPF_LDX | BPF_MEM | BPF_DW, dst, src, off, 0);
}

void bpf_emit_store(struct bpf_program *p, int dst, int off, int src)
{
	bpf_emit(p, BPF_STX | BPF_MEM | BPF_DW, dst, src, off, 0);
}

void bpf_emit_store32(struct bpf_program *p, int dst, int off, int src)
{
	bpf_emit(p, BPF_STX | BPF_MEM | BPF_W, dst, src, off, 0);
}

/* The instructions of two words. */
void bpf_emit_set64(struct bpf_program *p, int dst, uint64_t value)
{
	bpf_emit(p, BPF_LD | BPF_IMM | BPF_DW, dst, 0, 0, (int32_t)value);
	bpf_emit(p, 0, 0, 0, 0, (int32_t)(value >> 32));
}

void bpf_emit_map(struct bpf_program *p, int dst, int map_fd)
{
	bpf_emit(p, BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_FD, 0, map_fd);
	bpf_emit(p, 0, 0, 0, 0, 0);
}

void bpf_emit_call(struct bpf_program *p, int32_t helper)
{
	bpf_emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

void bpf_emit_leave_if(struct bpf_program *p, unsigned op, int dst, int32_t value)
{
	if (p->n_out < sizeof(p->out) / sizeof(p->out[0]))
		p->out[p->n_out++] = p->n;
	else
		p->n = BPF_PROGRAM_MAX;
	bpf_emit(p, BPF_JMP | op | BPF_K, dst, 0, 0, value);
}

void bpf_emit_leave(struct bpf_program *p)
{
	bpf_emit_leave_if(p, BPF_JA, 0, 0);
}

size_t bpf_emit_jump_if(struct bpf_program *p, unsigned op, int dst, int32_t value)
{
	bpf_emit(p, BPF_JMP | op | BPF_K, dst, 0, 0, value);
	return p->n - 1;
}

void bpf_land(struct bpf_program *p, size_t jump)
{
	if (jump < BPF_PROGRAM_MAX)
		p->code[jump].off = (int16_t)(p->n - jump - 1);
}

int bpf_program_load(struct bpf_program *p, enum bpf_prog_type type, const char *name)
{
	union bpf_attr attr = {.prog_type = type};
	size_t end = p->n;
	bpf_emit_set(p, BPF_REG_0, 0);
	bpf_emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	if (p->n > BPF_PROGRAM_MAX)
		return -E2BIG;
	for (size_t i = 0; i < p->n_out; i++)
		p->code[p->out[i]].off = (int16_t)(end - p->out[i] - 1);
	attr.insns = (uintptr_t)p->code;
	attr.insn_cnt = (uint32_t)p->n;
	attr.license =
		(uintptr_t) "Dual MIT/GPL"; /* the helpers that read kernel memory ask for it */
	snprintf(attr.prog_name, sizeof(attr.prog_name), "%s", name);
	return call(BPF_PROG_LOAD, &attr);
}

/* ---- maps ---- */

int bpf_map_open(size_t key_size, size_t value_size, unsigned entries, const char *name)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_HASH,
		.key_size = (uint32_t)key_size,
		.value_size = (uint32_t)value_size,
		.max_entries = entries,
		.map_flags = BPF_F_NO_PREALLOC,
	};
	snprintf(attr.map_name, sizeof(attr.map_name), "%s", name);
	return call(BPF_MAP_CREATE, &attr);
}

static int element(int command, int map, const void *key, const void *value)
{
	union bpf_attr attr = {.map_fd = (uint32_t)map};
	attr.key = (uintptr_t)key;
	attr.value = (uintptr_t)value;
	return call(command, &attr);
}

int bpf_map_put(int map, const void *key, const void *value)
{
	return element(BPF_MAP_UPDATE_ELEM, map, key, value);
}

int bpf_map_get(int map, const void *key, void *ret_value)
{
	return element(BPF_MAP_LOOKUP_ELEM, map, key, ret_value);
}

int bpf_map_drop(int map, const void *key)
{
	return element(BPF_MAP_DELETE_ELEM, map, key, NULL);
}

/* ---- tracepoints ---- */

int bpf_tracepoint_attach(int program, const char *tracepoint)
{
	union bpf_attr attr = {0};
	attr.raw_tracepoint.name = (uintptr_t)tracepoint;
	attr.raw_tracepoint.prog_fd = (uint32_t)program;
	return call(BPF_RAW_TRACEPOINT_OPEN, &attr);
}
