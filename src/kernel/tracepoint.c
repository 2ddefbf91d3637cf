/* SPDX-License-Identifier: MIT */
#include "kernel/tracepoint.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "kernel/bpf.h"
#include "kernel/btf.h"

/* task_struct has about 250 members; the structs that are looked at by name are few. */
#define TASK_MEMBERS 64
/* The inode of the first pid namespace: PROC_PID_INIT_INO, ABI since 3.8. */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCu
/* What send_signal() is given in place of a pointer: SEND_SIG_NOINFO and SEND_SIG_PRIV. */
#define SEND_SIG_PRIV 1

/* TRACE_SIGNAL_DELIVERED and TRACE_SIGNAL_LOSE_INFO: delivered, but for want of memory without its siginfo. */
#define RESULT_DELIVERED 0
#define RESULT_LOSE_INFO 4

/* The arguments of signal_generate, one u64 each, as they have been since 3.2. */
enum { ARG_SIG, ARG_INFO, ARG_TASK, ARG_GROUP, ARG_RESULT };

/* Where to look in a struct task_struct. */
struct task_offsets {
	size_t tgid, comm;
};

struct target {
	uint64_t ns_dev, ns_ino;
	struct trace_signals signals;
};

static_assert(sizeof(struct trace_signal) == 64, "a record's place is found by a shift");
#define RECORD_SHIFT 6
static_assert(sizeof(struct trace_victim) == 32, "and that of a victim");
#define VICTIM_SHIFT 5
static_assert((TRACE_VICTIMS & (TRACE_VICTIMS - 1)) == 0, "a power of two");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "two words are stored as one");

/* ---- the program ---- */

/* Kept over calls of helpers: R6 the arguments, R7 the target's entry, R8 the record in it. */
#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R4 BPF_REG_4
#define R6 BPF_REG_6
#define R7 BPF_REG_7
#define R8 BPF_REG_8
#define FP BPF_REG_10

/* Places in the stack frame. */
#define FRAME_KEY      (-8)
#define FRAME_WORD     (-16)
#define FRAME_GROUP    (-24)

#define RECORD(member) ((int)offsetof(struct trace_signal, member))

static void load_arg(struct bpf_program *p, int dst, int arg)
{
	bpf_emit_load(p, dst, R6, 8 * arg);
}

/* The low 32 bits of a register: an int argument's upper ones say nothing. */
static void cut(struct bpf_program *p, int reg)
{
	bpf_emit(p, BPF_ALU | BPF_MOV | BPF_X, reg, reg, 0, 0);
}

static void address_frame(struct bpf_program *p, int dst, int at)
{
	bpf_emit_move(p, dst, FP);
	bpf_emit_add(p, dst, at);
}

/* The pid of the process that gets the signal into FRAME_KEY. */
static void find_pid(struct bpf_program *p, const struct task_offsets *task)
{
	load_arg(p, R3, ARG_TASK);
	bpf_emit_add(p, R3, (int32_t)task->tgid);
	bpf_emit_set(p, R2, sizeof(uint32_t));
	address_frame(p, R1, FRAME_KEY);
	bpf_emit_call(p, BPF_FUNC_probe_read_kernel);
	bpf_emit_leave_if(p, BPF_JNE, R0, 0);
}

/* R0 = the entry of @map at the key in the frame, or 0. */
static void look_up(struct bpf_program *p, int map, int key)
{
	bpf_emit_map(p, R1, map);
	address_frame(p, R2, key);
	bpf_emit_call(p, BPF_FUNC_map_lookup_elem);
}

/*
 * Leave unless the signal was delivered: one that is ignored, or pending already, ends nobody. Then
 * R8 = its record.
 */
static void find_record(struct bpf_program *p)
{
	load_arg(p, R1, ARG_RESULT);
	cut(p, R1);
	bpf_emit(p, BPF_JMP | BPF_JEQ | BPF_K, R1, 0, 1, RESULT_DELIVERED);
	bpf_emit_leave_if(p, BPF_JNE, R1, RESULT_LOSE_INFO);
	load_arg(p, R8, ARG_SIG);
	cut(p, R8);
	bpf_emit_leave_if(p, BPF_JGT, R8, TRACE_SIGNALS - 1);
	bpf_emit(p, BPF_ALU64 | BPF_LSH | BPF_K, R8, 0, 0, RECORD_SHIFT);
	bpf_emit(p, BPF_ALU64 | BPF_ADD | BPF_X, R8, R7, 0, 0);
	bpf_emit_add(p, R8, offsetof(struct target, signals));
}

static void note(struct bpf_program *p, int32_t helper, int member)
{
	bpf_emit_call(p, helper);
	bpf_emit_store(p, R8, member, R0);
}

static void note_sender(struct bpf_program *p)
{
	note(p, BPF_FUNC_ktime_get_ns, RECORD(time_ns));
	note(p, BPF_FUNC_get_current_pid_tgid, RECORD(tid));
	note(p, BPF_FUNC_get_current_uid_gid, RECORD(uid));
	note(p, BPF_FUNC_get_current_cgroup_id, RECORD(cgroup));
	bpf_emit_move(p, R1, R8);
	bpf_emit_add(p, R1, RECORD(comm));
	bpf_emit_set(p, R2, sizeof(((struct trace_signal *)0)->comm));
	bpf_emit_call(p, BPF_FUNC_get_current_comm);
}

/* Zeroes where the sender is not in that namespace: the helper fills them in either way. */
static void note_inside(struct bpf_program *p)
{
	bpf_emit_load(p, R1, R7, offsetof(struct target, ns_dev));
	bpf_emit_load(p, R2, R7, offsetof(struct target, ns_ino));
	address_frame(p, R3, FRAME_WORD);
	bpf_emit_set(p, R4, sizeof(struct bpf_pidns_info));
	bpf_emit_call(p, BPF_FUNC_get_ns_current_pid_tgid);
	bpf_emit_load(p, R1, FP, FRAME_WORD);
	bpf_emit_store(p, R8, RECORD(inside_tid), R1);
}

static void note_info(struct bpf_program *p)
{
	load_arg(p, R3, ARG_INFO);
	bpf_emit_move(p, R1, R3);
	bpf_emit_add(p, R1, TRACE_INFO_NONE);
	bpf_emit_set(p, R2, 0);
	bpf_emit_store32(p, R8, RECORD(code), R2);
	bpf_emit_store32(p, R8, RECORD(info), R1);
	bpf_emit_leave_if(p, BPF_JLE, R3, SEND_SIG_PRIV);
	bpf_emit_store32(p, R8, RECORD(info), R2);
	bpf_emit_add(p, R3, offsetof(siginfo_t, si_code));
	bpf_emit_set(p, R2, sizeof(int32_t));
	address_frame(p, R1, FRAME_WORD);
	bpf_emit_call(p, BPF_FUNC_probe_read_kernel);
	bpf_emit(p, BPF_LDX | BPF_MEM | BPF_W, R1, FP, FRAME_WORD, 0);
	bpf_emit_store32(p, R8, RECORD(code), R1);
}

/* A signal to the process at R0, which is watched. */
static void note_signal(struct bpf_program *p)
{
	bpf_emit_move(p, R7, R0);
	find_record(p);
	note_sender(p);
	note_inside(p);
	note_info(p);
}

/*
 * A signal to any other: leave unless it is the OOM killer's, who sends SIGKILL on the kernel's own
 * account, on the time of a process of a group that is watched. R7 = the group's entry.
 */
static void find_group(struct bpf_program *p, int map)
{
	load_arg(p, R1, ARG_SIG);
	cut(p, R1);
	bpf_emit_leave_if(p, BPF_JNE, R1, SIGKILL);
	load_arg(p, R1, ARG_INFO);
	bpf_emit_leave_if(p, BPF_JNE, R1, SEND_SIG_PRIV);
	bpf_emit_call(p, BPF_FUNC_get_current_cgroup_id);
	bpf_emit_store(p, FP, FRAME_GROUP, R0);
	look_up(p, map, FRAME_GROUP);
	bpf_emit_leave_if(p, BPF_JEQ, R0, 0);
	bpf_emit_move(p, R7, R0);
}

/* The kernel kills for want of memory one at a time: nobody else counts meanwhile. */
static void note_victim(struct bpf_program *p, const struct task_offsets *task)
{
	bpf_emit_load(p, R8, R7, offsetof(struct trace_victims, n));
	bpf_emit_move(p, R1, R8);
	bpf_emit_add(p, R1, 1);
	bpf_emit_store(p, R7, offsetof(struct trace_victims, n), R1);
	bpf_emit(p, BPF_ALU64 | BPF_AND | BPF_K, R8, 0, 0, TRACE_VICTIMS - 1);
	bpf_emit(p, BPF_ALU64 | BPF_LSH | BPF_K, R8, 0, 0, VICTIM_SHIFT);
	bpf_emit(p, BPF_ALU64 | BPF_ADD | BPF_X, R8, R7, 0, 0);
	bpf_emit_add(p, R8, offsetof(struct trace_victims, v));
	note(p, BPF_FUNC_ktime_get_ns, offsetof(struct trace_victim, time_ns));
	bpf_emit(p, BPF_LDX | BPF_MEM | BPF_W, R1, FP, FRAME_KEY, 0);
	bpf_emit_store32(p, R8, offsetof(struct trace_victim, pid), R1);
	load_arg(p, R3, ARG_TASK);
	bpf_emit_add(p, R3, (int32_t)task->comm);
	bpf_emit_set(p, R2, sizeof(((struct trace_victim *)0)->comm));
	bpf_emit_move(p, R1, R8);
	bpf_emit_add(p, R1, offsetof(struct trace_victim, comm));
	bpf_emit_call(p, BPF_FUNC_probe_read_kernel);
}

static int load_program(const struct trace *t, const struct task_offsets *task)
{
	struct bpf_program p = {.n = 0};
	bpf_emit_move(&p, R6, R1);
	find_pid(&p, task);
	look_up(&p, t->targets, FRAME_KEY);
	size_t other = bpf_emit_jump_if(&p, BPF_JEQ, R0, 0);
	note_signal(&p);
	bpf_emit_leave(&p);
	bpf_land(&p, other);
	find_group(&p, t->groups);
	note_victim(&p, task);
	return bpf_program_load(&p, BPF_PROG_TYPE_RAW_TRACEPOINT, "bulkhead_signal");
}

/* ---- opening ---- */

static int in_first_namespace(struct error *e)
{
	struct stat st;
	if (stat("/proc/self/ns/pid", &st) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot read '/proc/self/ns/pid'");
	if (st.st_ino != FIRST_PID_NAMESPACE)
		return error_set(e, BLAME_HOST, 0,
			"bulkhead runs in a pid namespace, and the kernel traces the host's pids");
	return 0;
}

static int find_offsets(struct task_offsets *ret, struct error *e)
{
	struct btf_field fields[] = {
		{.name = "tgid", .size = sizeof(uint32_t)},
		{.name = "comm", .size = sizeof(((struct trace_victim *)0)->comm)},
	};
	cleanup_fd int fd = open(BTF_OF_KERNEL, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : btf_find(fd, "task_struct", TASK_MEMBERS, fields, 2);
	if (rc < 0)
		return error_set(e, BLAME_HOST, -rc,
			"cannot learn the kernel's types from '" BTF_OF_KERNEL "'");
	*ret = (struct task_offsets){.tgid = fields[0].ret_offset, .comm = fields[1].ret_offset};
	return 0;
}

static int refuse(struct trace *t, int rc, const char *what, struct error *e)
{
	trace_close(t);
	error_set(e, BLAME_HOST, -rc, "cannot %s", what);
	if (rc == -EPERM)
		error_hint(e, "it takes CAP_BPF and CAP_PERFMON");
	return -1;
}

int trace_open(struct trace *ret, unsigned targets, struct error *e)
{
	struct trace t = TRACE_INIT;
	struct task_offsets task = {0};
	/* first of all what an ordinary user lacks: it costs one system call to learn */
	t.targets =
		bpf_map_open(sizeof(uint32_t), sizeof(struct target), targets, "bulkhead_target");
	if (t.targets < 0)
		return refuse(&t, t.targets, "trace signals with bpf(2)", e);
	t.groups = bpf_map_open(
		sizeof(uint64_t), sizeof(struct trace_victims), targets, "bulkhead_groups");
	if (t.groups < 0)
		return refuse(&t, t.groups, "trace signals with bpf(2)", e);
	if (in_first_namespace(e) < 0 || find_offsets(&task, e) < 0) {
		trace_close(&t);
		return -1;
	}
	t.program = load_program(&t, &task);
	if (t.program < 0)
		return refuse(&t, t.program, "load the program that traces signals", e);
	*ret = t;
	return 0;
}

int trace_begin(struct trace *t, struct error *e)
{
	t->link = bpf_tracepoint_attach(t->program, "signal_generate");
	if (t->link < 0)
		return refuse(t, t->link, "attach to the tracepoint signal_generate", e);
	return 0;
}

void trace_close(struct trace *t)
{
	t->link = fd_close(t->link);
	t->program = fd_close(t->program);
	t->targets = fd_close(t->targets);
	t->groups = fd_close(t->groups);
}

/* ---- one target ---- */

/* As the kernel has a dev_t in itself, not as stat(2) gives it. */
static uint64_t kernel_dev(dev_t dev)
{
	return (uint64_t)major(dev) << 20 | minor(dev);
}

int trace_watch(const struct trace *t, pid_t pid, dev_t ns_dev, ino_t ns_ino)
{
	uint32_t key = (uint32_t)pid;
	struct target target = {.ns_dev = kernel_dev(ns_dev), .ns_ino = ns_ino};
	return bpf_map_put(t->targets, &key, &target);
}

int trace_read(const struct trace *t, pid_t pid, struct trace_signals *ret)
{
	uint32_t key = (uint32_t)pid;
	struct target target;
	int rc = bpf_map_get(t->targets, &key, &target);
	if (rc == 0)
		*ret = target.signals;
	return rc;
}

void trace_forget(const struct trace *t, pid_t pid)
{
	uint32_t key = (uint32_t)pid;
	bpf_map_drop(t->targets, &key);
}

int trace_watch_group(const struct trace *t, uint64_t group)
{
	static const struct trace_victims none;
	return bpf_map_put(t->groups, &group, &none);
}

int trace_read_group(const struct trace *t, uint64_t group, struct trace_victims *ret)
{
	return bpf_map_get(t->groups, &group, ret);
}

void trace_forget_group(const struct trace *t, uint64_t group)
{
	bpf_map_drop(t->groups, &group);
}
