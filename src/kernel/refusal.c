/* SPDX-License-Identifier: MIT */
#include "kernel/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/bpf.h"
#include "kernel/btf.h"

/* The structs that are looked at have more members than this, and few others have. */
#define TASK_MEMBERS   64
#define SIGNAL_MEMBERS 32
#define MM_MEMBERS     24

/* The arguments of the tracepoints, one u64 each: vm_unmapped_area since 5.7, signal_generate 3.2. */
enum { ARG_ADDRESS, ARG_REQUEST };
enum { ARG_SIGNAL, ARG_INFO };
/* In struct vm_unmapped_area_info, behind its flags, since 3.8. */
#define REQUEST_LENGTH sizeof(unsigned long)

struct offsets {
	size_t mm, signal, parent, tgid; /* of task_struct */
	size_t total_vm; /* of mm_struct */
	size_t rlim; /* of signal_struct */
};

/* ---- the programs ---- */

/* Kept over calls of helpers: R6 the arguments, R7 the task, R8 a pointer that is followed. */
#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R6 BPF_REG_6
#define R7 BPF_REG_7
#define R8 BPF_REG_8
#define FP BPF_REG_10

/* Places in the stack frame. */
enum {
	FRAME_WORD = -8,
	FRAME_USED = -16,
	FRAME_ASKED = -24,
	FRAME_LIMIT = -32,
	FRAME_KEY = -40,
};

#define RECORD(member) ((int)offsetof(struct refusal_record, member))

static uint32_t key_of(enum refusal_limit limit, int leader)
{
	return (uint32_t)limit * 2 + (leader ? 0 : 1);
}

static void address_frame(struct bpf_program *p, int dst, int at)
{
	bpf_emit_move(p, dst, FP);
	bpf_emit_add(p, dst, at);
}

/* @size bytes of the kernel's at register @base and @offset, into the frame. */
static void read_kernel(struct bpf_program *p, int base, size_t offset, int32_t size, int frame)
{
	bpf_emit_move(p, R3, base);
	bpf_emit_add(p, R3, (int32_t)offset);
	bpf_emit_set(p, R2, size);
	address_frame(p, R1, frame);
	bpf_emit_call(p, BPF_FUNC_probe_read_kernel);
	bpf_emit_leave_if(p, BPF_JNE, R0, 0);
}

/* R8 = the pointer at @offset of what R7 points to. */
static void follow(struct bpf_program *p, size_t offset)
{
	read_kernel(p, R7, offset, sizeof(void *), FRAME_WORD);
	bpf_emit_load(p, R8, FP, FRAME_WORD);
}

/* Leave unless what runs is of the group; R7 = its task. */
static void keep_to_group(struct bpf_program *p, uint64_t group)
{
	bpf_emit_call(p, BPF_FUNC_get_current_cgroup_id);
	bpf_emit_set64(p, R1, group);
	bpf_emit(p, BPF_ALU64 | BPF_XOR | BPF_X, R0, R1, 0, 0);
	bpf_emit_leave_if(p, BPF_JNE, R0, 0);
	bpf_emit_call(p, BPF_FUNC_get_current_task);
	bpf_emit_move(p, R7, R0);
}

/*
 * R1 = the least that the mapping can be of, in bytes: for a large one the kernel looks for a place of one
 * huge page more, in which to align it (6.7).
 */
static void load_least(struct bpf_program *p, int32_t huge)
{
	bpf_emit_load(p, R1, FP, FRAME_ASKED);
	size_t small = bpf_emit_jump_if(p, BPF_JLT, R1, 2 * huge);
	bpf_emit_add(p, R1, -huge);
	bpf_land(p, small);
}

/* Leave unless the mapping that is asked for is beyond the limit: the same sum as the kernel's. */
static void keep_refused(struct bpf_program *p, const struct offsets *o)
{
	long page = sysconf(_SC_PAGESIZE);
	int page_shift = __builtin_ctzl((unsigned long)page);
	follow(p, o->mm);
	read_kernel(p, R8, o->total_vm, sizeof(uint64_t), FRAME_USED);
	follow(p, o->signal);
	read_kernel(
		p, R8, o->rlim + RLIMIT_AS * sizeof(struct rlimit), sizeof(uint64_t), FRAME_LIMIT);
	bpf_emit_load(p, R8, R6, sizeof(uint64_t) * ARG_REQUEST);
	read_kernel(p, R8, REQUEST_LENGTH, sizeof(uint64_t), FRAME_ASKED);
	load_least(p, (int32_t)(page * page / (long)sizeof(uint64_t)));
	bpf_emit(p, BPF_ALU64 | BPF_RSH | BPF_K, R1, 0, 0, page_shift);
	bpf_emit_load(p, R2, FP, FRAME_USED);
	bpf_emit(p, BPF_ALU64 | BPF_ADD | BPF_X, R1, R2, 0, 0);
	bpf_emit_load(p, R2, FP, FRAME_LIMIT);
	bpf_emit(p, BPF_ALU64 | BPF_RSH | BPF_K, R2, 0, 0, page_shift);
	bpf_emit(p, BPF_ALU64 | BPF_SUB | BPF_X, R1, R2, 0, 0);
	bpf_emit_leave_if(p, BPF_JSLE, R1, 0);
}

/* Leave unless it is the kernel's SIGXFSZ to whom it refuses a write: kill(2) gives a siginfo. */
static void keep_file_size(struct bpf_program *p)
{
	bpf_emit_load(p, R1, R6, sizeof(uint64_t) * ARG_SIGNAL);
	bpf_emit(p, BPF_ALU | BPF_MOV | BPF_X, R1, R1, 0, 0);
	bpf_emit_leave_if(p, BPF_JNE, R1, SIGXFSZ);
	bpf_emit_load(p, R1, R6, sizeof(uint64_t) * ARG_INFO);
	bpf_emit_leave_if(p, BPF_JNE, R1, 0);
}

static void clear_sizes(struct bpf_program *p)
{
	bpf_emit_set(p, R1, 0);
	bpf_emit_store(p, FP, FRAME_USED, R1);
	bpf_emit_store(p, FP, FRAME_ASKED, R1);
	bpf_emit_store(p, FP, FRAME_LIMIT, R1);
}

/* R8 = the record, by whose child the task is. */
static void find_record(struct bpf_program *p, const struct offsets *o, int records,
	enum refusal_limit limit, pid_t leaders_parent)
{
	follow(p, o->parent);
	read_kernel(p, R8, o->tgid, sizeof(uint32_t), FRAME_WORD);
	bpf_emit(p, BPF_LDX | BPF_MEM | BPF_W, R1, FP, FRAME_WORD, 0);
	bpf_emit_set(p, R2, (int32_t)key_of(limit, 1));
	bpf_emit(p, BPF_JMP | BPF_JEQ | BPF_K, R1, 0, 1, leaders_parent);
	bpf_emit_set(p, R2, (int32_t)key_of(limit, 0));
	bpf_emit_store32(p, FP, FRAME_KEY, R2);
	bpf_emit_map(p, R1, records);
	address_frame(p, R2, FRAME_KEY);
	bpf_emit_call(p, BPF_FUNC_map_lookup_elem);
	bpf_emit_leave_if(p, BPF_JEQ, R0, 0);
	bpf_emit_move(p, R8, R0);
}

static void note(struct bpf_program *p, int frame, int member)
{
	bpf_emit_load(p, R1, FP, frame);
	bpf_emit_store(p, R8, member, R1);
}

static void fill_record(struct bpf_program *p)
{
	bpf_emit_set(p, R1, 1);
	bpf_emit(p, BPF_STX | BPF_ATOMIC | BPF_DW, R8, R1, RECORD(count), BPF_ADD);
	note(p, FRAME_USED, RECORD(used));
	note(p, FRAME_ASKED, RECORD(asked));
	note(p, FRAME_LIMIT, RECORD(limit));
	bpf_emit_call(p, BPF_FUNC_ktime_get_ns);
	bpf_emit_store(p, R8, RECORD(time_ns), R0);
	bpf_emit_call(p, BPF_FUNC_get_current_pid_tgid);
	bpf_emit_store(p, R8, RECORD(tid), R0);
	bpf_emit_move(p, R1, R8);
	bpf_emit_add(p, R1, RECORD(comm));
	bpf_emit_set(p, R2, sizeof(((struct refusal_record *)0)->comm));
	bpf_emit_call(p, BPF_FUNC_get_current_comm);
}

static int attach(enum refusal_limit limit, const struct offsets *o, int records, uint64_t group,
	pid_t leaders_parent)
{
	struct bpf_program p = {.n = 0};
	bool space = limit == REFUSAL_ADDRESS_SPACE;
	bpf_emit_move(&p, R6, R1);
	if (space) {
		keep_to_group(&p, group);
		keep_refused(&p, o);
	} else {
		keep_file_size(&p);
		keep_to_group(&p, group);
		clear_sizes(&p);
	}
	find_record(&p, o, records, limit, leaders_parent);
	fill_record(&p);
	cleanup_fd int program =
		bpf_program_load(&p, BPF_PROG_TYPE_RAW_TRACEPOINT, "bulkhead_limit");
	return program < 0
		? program
		: bpf_tracepoint_attach(program, space ? "vm_unmapped_area" : "signal_generate");
}

/* ---- opening ---- */

static int find_offsets(struct offsets *ret)
{
	struct btf_field task[] = {{.name = "mm", .size = sizeof(void *)},
		{.name = "signal", .size = sizeof(void *)},
		{.name = "real_parent", .size = sizeof(void *)},
		{.name = "tgid", .size = sizeof(uint32_t)}};
	struct btf_field rlim = {.name = "rlim", .size = RLIM_NLIMITS * sizeof(struct rlimit)};
	/* all but all of mm_struct is in a struct without a name at its start */
	struct btf_field mm[] = {{.name = "total_vm", .size = sizeof(uint64_t)},
		{.name = "hiwater_vm", .size = sizeof(uint64_t)}};
	cleanup_fd int fd = open(BTF_OF_KERNEL, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : btf_find(fd, "task_struct", TASK_MEMBERS, task, 4);
	if (rc == 0)
		rc = btf_find(fd, "signal_struct", SIGNAL_MEMBERS, &rlim, 1);
	if (rc == 0)
		rc = btf_find(fd, "", MM_MEMBERS, mm, 2);
	*ret = (struct offsets){task[0].ret_offset, task[1].ret_offset, task[2].ret_offset,
		task[3].ret_offset, mm[0].ret_offset, rlim.ret_offset};
	return rc;
}

static int open_records(void)
{
	static const struct refusal_record none;
	int fd = bpf_map_open(
		sizeof(uint32_t), sizeof(none), REFUSAL_LIMIT_COUNT_ * 2, "bulkhead_limits");
	for (uint32_t key = 0; fd >= 0 && key < REFUSAL_LIMIT_COUNT_ * 2; key++) {
		int rc = bpf_map_put(fd, &key, &none);
		if (rc < 0) {
			close(fd);
			return rc;
		}
	}
	return fd;
}

static int attach_all(
	struct refusal_trace *t, uint64_t group, unsigned limits, pid_t leaders_parent)
{
	struct offsets offsets = {0};
	/* first of all what an ordinary user lacks: it costs one system call to learn */
	t->records = open_records();
	int rc = t->records < 0 ? t->records : find_offsets(&offsets);
	for (int i = 0; rc == 0 && i < REFUSAL_LIMIT_COUNT_; i++) {
		if (!(limits & 1u << i))
			continue;
		t->links[i] = attach(i, &offsets, t->records, group, leaders_parent);
		rc = t->links[i] < 0 ? t->links[i] : 0;
	}
	return rc;
}

int refusal_open(struct refusal_trace *ret, uint64_t group, unsigned limits, pid_t leaders_parent,
	struct error *e)
{
	struct refusal_trace t = REFUSAL_TRACE_INIT;
	int rc = attach_all(&t, group, limits, leaders_parent);
	if (rc == 0) {
		*ret = t;
		return 0;
	}
	refusal_close(&t);
	error_set(e, BLAME_HOST, -rc, "cannot trace what limits refuse");
	return rc == -EPERM ? error_hint(e, "it takes CAP_BPF and CAP_PERFMON") : -1;
}

int refusal_read(const struct refusal_trace *t, enum refusal_limit limit, int leader,
	struct refusal_record *ret)
{
	uint32_t key = key_of(limit, leader);
	return bpf_map_get(t->records, &key, ret);
}

void refusal_close(struct refusal_trace *t)
{
	for (int i = 0; i < REFUSAL_LIMIT_COUNT_; i++)
		t->links[i] = fd_close(t->links[i]);
	t->records = fd_close(t->records);
}
