/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "model/filter-rules.h"
#include "model/filter.h"

/*
 * How the filter is made. libseccomp knows which number a name has on which architecture; the
 * program is written here, because three things it must say have no words there: "all but these
 * values", "all numbers above", and "the low half of this argument".
 *
 *   1. Every number 0 … FILTER_LAST_NUMBER has a fate: a plain action, or the rules to ask.
 *   2. Neighbours of equal fate are one range; above the last number follow ENOSYS and, on
 *      x86_64, x32's numbers.
 *   3. The ranges become a balanced tree of comparisons, the fates its leaves.
 *
 * A tree, since on loading the kernel walks the program for every number (to learn which are
 * always allowed and need no walk later): that is most of what loading costs.
 */

#define X32_FIRST  0x40000000u
#define NO_CALL    0xffffffffu /* what a tracer writes to skip a call */
#define N_NUMBERS  (FILTER_LAST_NUMBER + 1)
#define MAX_RANGES (N_NUMBERS + 3)

static_assert(8 + 4 * MAX_RANGES + 512 < BPF_MAXINSNS,
	"the worst case: every number its own leaf, two long jumps to each");

struct machine {
	const char *name;
	uint32_t audit; /* AUDIT_ARCH_… */
	uint32_t library; /* SCMP_ARCH_… */
	bool x32;
};

static const struct machine machines[FILTER_ARCH_COUNT_] = {
	[FILTER_X86_64] = {"x86_64", AUDIT_ARCH_X86_64, SCMP_ARCH_X86_64, true},
	[FILTER_AARCH64] = {"aarch64", AUDIT_ARCH_AARCH64, SCMP_ARCH_AARCH64, false},
};

#if defined(__x86_64__)
#define NATIVE FILTER_X86_64
#elif defined(__aarch64__)
#define NATIVE FILTER_AARCH64
#else
#error "no filter is written for this architecture"
#endif

/* What libseccomp may be too old to know. From 424 on the numbers are the same everywhere. */
static const struct {
	const char *name;
	int number;
} newer_calls[] = {
	{"cachestat", 451},
	{"fchmodat2", 452},
	{"map_shadow_stack", 453},
	{"futex_wake", 454},
	{"futex_wait", 455},
	{"futex_requeue", 456},
	{"statmount", 457},
	{"listmount", 458},
	{"lsm_get_self_attr", 459},
	{"lsm_set_self_attr", 460},
	{"lsm_list_modules", 461},
	{"mseal", 462},
	{"setxattrat", 463},
	{"getxattrat", 464},
	{"listxattrat", 465},
	{"removexattrat", 466},
	{"open_tree_attr", 467},
	{"file_getattr", 468},
	{"file_setattr", FILTER_LAST_NUMBER},
};

#define N_NEWER (sizeof(newer_calls) / sizeof(newer_calls[0]))

/* What happens to a number: rules are asked first, if there are any, then ret holds. */
struct fate {
	uint32_t ret;
	const struct filter_rule *rules;
};

struct range {
	uint32_t first; /* up to the next one's */
	struct fate fate;
};

struct compiler {
	const struct filter_spec *spec;
	const struct machine *machine;
	struct arena *a;
	struct fate fates[N_NUMBERS];
	struct range ranges[MAX_RANGES];
	size_t n_ranges;
	struct sock_filter *code;
	unsigned n;
};

/* ---- names ---- */

enum { NUMBER_UNKNOWN = -1, NUMBER_ELSEWHERE = -2 };

/* Number of @name; NUMBER_ELSEWHERE: only other architectures have it; NUMBER_UNKNOWN: none. */
static int number_of(const struct machine *m, const char *name)
{
	int number = seccomp_syscall_resolve_name_arch(m->library, name);

	if (number >= 0 && number <= FILTER_LAST_NUMBER)
		return number;
	for (size_t i = 0; i < N_NEWER; i++) {
		if (strcmp(newer_calls[i].name, name) == 0)
			return newer_calls[i].number;
	}
	return number == __NR_SCMP_ERROR ? NUMBER_UNKNOWN : NUMBER_ELSEWHERE;
}

static const char *nearest_call(const struct compiler *c, const char *name)
{
	struct strv known = {NULL, 0, 0};

	for (int i = 0; i <= FILTER_LAST_NUMBER; i++) {
		char *call = seccomp_syscall_resolve_num_arch(c->machine->library, i);
		if (call != NULL)
			strv_push(c->a, &known, arena_strdup(c->a, call));
		free(call);
	}
	for (size_t i = 0; i < N_NEWER; i++)
		strv_push(c->a, &known, newer_calls[i].name);
	return nearest_name(name, known.v);
}

static int unknown_call(
	const struct compiler *c, const char *list, const char *name, struct error *e)
{
	const char *near = nearest_call(c, name);

	error_set(e, BLAME_POLICY, 0, "syscalls.%s: unknown system call '%.64s'", list, name);
	return near != NULL ? error_hint(e, "did you mean '%s'?", near) : -1;
}

/* ---- fates ---- */

static bool applies(const struct compiler *c, const struct filter_rule *rule)
{
	return !(rule->namespaces && c->spec->user_namespaces) &&
		!(c->spec->siblings ? rule->no_siblings : rule->siblings) &&
		rule->exec <= c->spec->exec;
}

static void apply_rules(struct compiler *c)
{
	for (size_t i = 0; i < filter_n_rules; i++) {
		const struct filter_rule *rule = &filter_rules[i];
		int number = number_of(c->machine, rule->name);

		if (number < 0 || !applies(c, rule))
			continue;
		if (rule->test == FILTER_ALWAYS)
			c->fates[number].ret = rule->action;
		else if (c->fates[number].rules == NULL)
			c->fates[number].rules = rule;
	}
}

/*
 * With one of these a program is put where no exec, and no judge of execs, has seen it; with the last one
 * the judge is made to wait for memory that never comes.
 */
static bool undoes_exec_policy(enum exec_mode mode, const char *name)
{
	static const struct {
		const char *name;
		enum exec_mode from;
	} calls[] = {
		{"ptrace", EXEC_ENFORCE},
		{"process_vm_writev", EXEC_ENFORCE},
		{"pidfd_getfd", EXEC_ENFORCE},
		{"io_uring_setup", EXEC_ENFORCE},
		{"io_uring_enter", EXEC_ENFORCE},
		{"io_uring_register", EXEC_ENFORCE},
		{"execve", EXEC_AUDIT},
		{"execveat", EXEC_AUDIT},
		{"userfaultfd", EXEC_AUDIT},
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && mode != EXEC_OFF; i++) {
		if (mode >= calls[i].from && strcmp(calls[i].name, name) == 0)
			return true;
	}
	return false;
}

static int apply_allow(struct compiler *c, const char *name, struct error *e)
{
	int number = number_of(c->machine, name);

	if (undoes_exec_policy(c->spec->exec, name))
		return error_set(e, BLAME_POLICY, 0,
			"syscalls.allow: '%s' would let programs in past the exec policy", name);

	if (number == NUMBER_UNKNOWN)
		return unknown_call(c, "allow", name, e);
	if (number >= 0)
		c->fates[number] = (struct fate){SECCOMP_RET_ALLOW, NULL};
	return 0;
}

static const struct {
	const char *name;
	uint32_t ret;
} actions[] = {
	{"EPERM", FILTER_ERRNO(EPERM)},
	{"EACCES", FILTER_ERRNO(EACCES)},
	{"ENOSYS", FILTER_ERRNO(ENOSYS)},
	{"kill", SECCOMP_RET_KILL_PROCESS},
};

static int parse_action(const char *entry, const char *text, uint32_t *ret, struct error *e)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, text) != 0)
			continue;
		*ret = actions[i].ret;
		return 0;
	}
	return error_set(e, BLAME_POLICY, 0,
		"syscalls.deny: '%.64s': the action after ':' is EPERM, EACCES, ENOSYS or kill",
		entry);
}

/* Without these the program could not be started, or could not end. */
static bool is_vital(const char *name)
{
	static const char *const vital[] = {"execve", "exit", "exit_group", "rt_sigreturn"};

	for (size_t i = 0; i < sizeof(vital) / sizeof(vital[0]); i++) {
		if (strcmp(vital[i], name) == 0)
			return true;
	}
	return false;
}

/* What the payload still does under its filter before the first exec: it gives the listener away. */
static bool is_vital_to_warden(const struct compiler *c, const char *name)
{
	return c->spec->exec != EXEC_OFF &&
		(strcmp(name, "sendmsg") == 0 || strcmp(name, "prctl") == 0);
}

static bool is_listed(const struct strv *list, const char *name)
{
	for (size_t i = 0; list != NULL && i < list->n; i++) {
		if (strcmp(list->v[i], name) == 0)
			return true;
	}
	return false;
}

static int apply_deny(struct compiler *c, const char *entry, struct error *e)
{
	const char *colon = strchr(entry, ':');
	const char *name = arena_strndup(c->a, entry, strcspn(entry, ":"));
	int number = number_of(c->machine, name);
	uint32_t ret = FILTER_ERRNO(EPERM);

	if (number == NUMBER_UNKNOWN)
		return unknown_call(c, "deny", name, e);
	if (colon != NULL && parse_action(entry, colon + 1, &ret, e) < 0)
		return -1;
	if (is_vital(name))
		return error_set(e, BLAME_POLICY, 0,
			"syscalls.deny: '%s' cannot be denied: no program starts and ends without "
			"it",
			name);
	if (is_vital_to_warden(c, name))
		return error_set(e, BLAME_POLICY, 0,
			"syscalls.deny: '%s' cannot be denied under an exec policy: the warden is "
			"told of the program by it",
			name);
	if (is_listed(c->spec->allow, name))
		return error_set(
			e, BLAME_POLICY, 0, "syscalls: '%s' is both denied and allowed", name);
	if (number >= 0)
		c->fates[number] = (struct fate){ret, NULL};
	return 0;
}

static int decide_fates(struct compiler *c, struct error *e)
{
	const struct strv *allow = c->spec->allow, *deny = c->spec->deny;

	for (size_t i = 0; i < N_NUMBERS; i++)
		c->fates[i].ret = SECCOMP_RET_ALLOW;
	apply_rules(c);
	for (size_t i = 0; allow != NULL && i < allow->n; i++) {
		if (apply_allow(c, allow->v[i], e) < 0)
			return -1;
	}
	for (size_t i = 0; deny != NULL && i < deny->n; i++) {
		if (apply_deny(c, deny->v[i], e) < 0)
			return -1;
	}
	return 0;
}

/* ---- ranges ---- */

static void add_range(struct compiler *c, uint32_t first, struct fate fate)
{
	const struct range *last = c->n_ranges > 0 ? &c->ranges[c->n_ranges - 1] : NULL;

	if (last != NULL && last->fate.ret == fate.ret && last->fate.rules == fate.rules)
		return;
	c->ranges[c->n_ranges++] = (struct range){first, fate};
}

static void make_ranges(struct compiler *c)
{
	const struct fate absent = {FILTER_ERRNO(ENOSYS), NULL};

	for (uint32_t i = 0; i < N_NUMBERS; i++)
		add_range(c, i, c->fates[i]);
	add_range(c, N_NUMBERS, absent);
	if (c->machine->x32) {
		add_range(c, X32_FIRST, (struct fate){SECCOMP_RET_KILL_PROCESS, NULL});
		add_range(c, NO_CALL, absent);
	}
}

/* ---- code ---- */

/*
 * The code is written backwards, from the last instruction to the first: then what a jump leads to
 * is already there, and equal returns can be shared. A label counts instructions from the end.
 * What is not a jump goes on with the instruction that was written just before it.
 */
static unsigned emit(struct compiler *c, uint16_t code, uint32_t k)
{
	c->code[BPF_MAXINSNS - 1 - c->n] = (struct sock_filter){.code = code, .k = k};
	return c->n++;
}

/* How far a jump leads that is the next instruction to be written. */
static unsigned distance(const struct compiler *c, unsigned label)
{
	return c->n - label - 1;
}

/* A conditional jump reaches 255 instructions; two of room, for the other branch's long jump. */
static bool is_near(const struct compiler *c, unsigned label)
{
	return distance(c, label) <= UINT8_MAX - 2;
}

static unsigned emit_near(struct compiler *c, unsigned label)
{
	return is_near(c, label) ? label : emit(c, BPF_JMP | BPF_JA, distance(c, label));
}

static unsigned emit_jump(struct compiler *c, uint16_t op, uint32_t k, unsigned yes, unsigned no)
{
	struct sock_filter *jump;

	yes = emit_near(c, yes);
	no = emit_near(c, no);
	jump = &c->code[BPF_MAXINSNS - 1 - c->n];
	jump->jt = (uint8_t)distance(c, yes);
	jump->jf = (uint8_t)distance(c, no);
	jump->code = BPF_JMP | op | BPF_K;
	jump->k = k;
	return c->n++;
}

static unsigned emit_load(struct compiler *c, size_t offset)
{
	return emit(c, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

/* Both machines are little-endian: the low half comes first. */
static unsigned emit_load_arg(struct compiler *c, unsigned arg)
{
	return emit_load(c, offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t));
}

static unsigned emit_ret(struct compiler *c, uint32_t action)
{
	for (unsigned i = c->n; i-- > 0 && is_near(c, i);) {
		const struct sock_filter *op = &c->code[BPF_MAXINSNS - 1 - i];
		if (op->code == (BPF_RET | BPF_K) && op->k == action)
			return i;
	}
	return emit(c, BPF_RET | BPF_K, action);
}

/* @next is where to go on when the rule does not hold. */
static unsigned emit_rule(struct compiler *c, const struct filter_rule *rule, unsigned next)
{
	unsigned hit = emit_ret(c, rule->action);
	unsigned on_match = rule->test == FILTER_NONE_OF ? next : hit;
	unsigned label = rule->test == FILTER_NONE_OF ? hit : next;
	uint16_t op = rule->test == FILTER_ANY_BIT ? BPF_JSET : BPF_JEQ;

	for (size_t i = rule->n_values; i-- > 0;)
		label = emit_jump(c, op, rule->values[i], on_match, label);
	label = emit_load_arg(c, rule->arg);
	if (rule->guarded) {
		emit_jump(c, BPF_JEQ, rule->guard, label, next);
		label = emit_load_arg(c, 0);
	}
	return label;
}

static unsigned emit_fate(struct compiler *c, const struct fate *fate)
{
	const struct filter_rule *first = fate->rules, *end = first;
	unsigned label = emit_ret(c, fate->ret);

	if (first == NULL)
		return label;
	while (end < filter_rules + filter_n_rules && strcmp(end->name, first->name) == 0)
		end++;
	while (end-- > first) {
		if (applies(c, end))
			label = emit_rule(c, end, label);
	}
	return label;
}

static unsigned emit_tree(struct compiler *c, size_t first, size_t n)
{
	size_t half = n / 2;
	unsigned above, below;

	if (n == 1)
		return emit_fate(c, &c->ranges[first].fate);
	above = emit_tree(c, first + half, n - half);
	below = emit_tree(c, first, half);
	return emit_jump(c, BPF_JGE, c->ranges[first + half].first, above, below);
}

static void emit_program(struct compiler *c)
{
	unsigned foreign = emit_ret(c, SECCOMP_RET_KILL_PROCESS), native;

	emit_tree(c, 0, c->n_ranges);
	native = emit_load(c, offsetof(struct seccomp_data, nr));
	emit_jump(c, BPF_JEQ, c->machine->audit, native, foreign);
	emit_load(c, offsetof(struct seccomp_data, arch));
}

int filter_compile(const struct filter_spec *spec, struct arena *a, const struct sock_filter **ret,
	unsigned short *ret_len, struct error *e)
{
	enum filter_arch arch = spec->arch == FILTER_NATIVE ? NATIVE : spec->arch;
	struct compiler c = {.spec = spec, .machine = &machines[arch], .a = a};

	if (decide_fates(&c, e) < 0)
		return -1;
	make_ranges(&c);
	c.code = arena_calloc(a, BPF_MAXINSNS, sizeof(c.code[0]));
	emit_program(&c);
	*ret = c.code + BPF_MAXINSNS - c.n;
	*ret_len = (unsigned short)c.n;
	return 0;
}

/* ---- told afterwards ---- */

static const char *newer_name(uint32_t number)
{
	for (size_t i = 0; i < N_NEWER; i++) {
		if ((uint32_t)newer_calls[i].number == number)
			return newer_calls[i].name;
	}
	return NULL;
}

static const struct {
	uint32_t audit;
	const char *name;
} arches[] = {
	{AUDIT_ARCH_X86_64, "x86-64"},
	{AUDIT_ARCH_I386, "i386"},
	{AUDIT_ARCH_AARCH64, "aarch64"},
	{AUDIT_ARCH_ARM, "arm"},
};

static bool is_native(uint32_t arch)
{
	return arch == seccomp_arch_native();
}

static const char *arch_name(uint32_t arch, uint32_t number)
{
	if (arch == AUDIT_ARCH_X86_64 && number & X32_FIRST)
		return "x32";
	for (size_t i = 0; i < sizeof(arches) / sizeof(arches[0]); i++) {
		if (arches[i].audit == arch)
			return arches[i].name;
	}
	return "a foreign architecture";
}

const char *filter_call_name(uint32_t arch, uint32_t number, struct arena *a)
{
	bool x32 = arch == AUDIT_ARCH_X86_64 && number & X32_FIRST;
	uint32_t library = x32 ? SCMP_ARCH_X32 : arch;
	char *known = seccomp_syscall_resolve_num_arch(library, (int)number);
	const char *name = known ? arena_strdup(a, known) : NULL;

	free(known);
	if (!name && is_native(arch) && !x32)
		name = newer_name(number);
	if (!name)
		name = arena_printf(a, "number %u", number & ~(x32 ? X32_FIRST : 0));
	return is_native(arch) && !x32 ? name
				       : arena_printf(a, "%s (%s)", name, arch_name(arch, number));
}
