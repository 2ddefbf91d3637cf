/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BPF_H
#define KERNEL_BPF_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

/*
 * bpf(2): small programs written out by hand, and the maps that they share with us. All of it needs
 * CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN) in the first user namespace, Linux 5.8. Descriptors
 * are close-on-exec; functions return one, or 0, or -errno.
 */

#define BPF_PROGRAM_MAX 128

/*
 * A program being written. What does not fit is dropped and remembered: bpf_program_load() then
 * refuses it.
 */
struct bpf_program {
	struct bpf_insn code[BPF_PROGRAM_MAX];
	size_t n;
	size_t out[16]; /* jumps to the end, patched by bpf_program_load() */
	size_t n_out;
};

/* Append one instruction; see the kernel's Documentation/bpf/standardization/instruction-set.rst. */
void bpf_emit(struct bpf_program *p, unsigned op, int dst, int src, int off, int32_t imm);
/* Registers and memory of 64 bits, if not said otherwise. */
void bpf_emit_move(struct bpf_program *p, int dst, int src);
void bpf_emit_set(struct bpf_program *p, int dst, int32_t value);
void bpf_emit_add(struct bpf_program *p, int dst, int32_t value);
void bpf_emit_load(struct bpf_program *p, int dst, int src, int off);
void bpf_emit_store(struct bpf_program *p, int dst, int off, int src);
void bpf_emit_store32(struct bpf_program *p, int dst, int off, int src);
/* The constant @value of 64 bits. */
void bpf_emit_set64(struct bpf_program *p, int dst, uint64_t value);
void bpf_emit_map(struct bpf_program *p, int dst, int map_fd);
void bpf_emit_call(struct bpf_program *p, int32_t helper);
/* End the program, with 0, if @dst OP @value; @op is BPF_JEQ, BPF_JNE, BPF_JGT, … */
void bpf_emit_leave_if(struct bpf_program *p, unsigned op, int dst, int32_t value);

/* End the program here. */
void bpf_emit_leave(struct bpf_program *p);
/* Jump if so to where bpf_land() is called with what is returned. */
size_t bpf_emit_jump_if(struct bpf_program *p, unsigned op, int dst, int32_t value);
void bpf_land(struct bpf_program *p, size_t jump);

/* End @p and load it, under the name @name (at most 15 bytes). */
int bpf_program_load(struct bpf_program *p, enum bpf_prog_type type, const char *name);

/* A hash table of at most @entries, allocated as they come. */
int bpf_map_open(size_t key_size, size_t value_size, unsigned entries, const char *name);
int bpf_map_put(int map, const void *key, const void *value);
int bpf_map_get(int map, const void *key, void *ret_value);
int bpf_map_drop(int map, const void *key);

/* Run the program at each pass of the tracepoint until the descriptor that is returned is closed. */
int bpf_tracepoint_attach(int program, const char *tracepoint);

#endif
