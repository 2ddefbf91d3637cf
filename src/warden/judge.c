/* SPDX-License-Identifier: MIT */
#include "warden/judge.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "warden/caller.h"

#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif

void judge_init(struct judge *j, int proc)
{
	*j = (struct judge){.pid_namespace = -1};
	finder_init(&j->finder, proc);
}

int judge_compile(struct judge *j, const char *path, struct error *e)
{
	struct identity_spec spec = {0};
	if (exec_rules_compile(&j->rules, &j->policy, &j->arena, e) < 0)
		return -1;
	j->enforce = j->policy.mode == EXEC_ENFORCE;
	j->path = path[0] ? arena_strdup(&j->arena, path) : NULL;
	spec.path = j->path;
	spec.n_programs = exec_rules_programs(j->rules, &spec.programs);
	j->identity = identity_new(&spec);
	return 0;
}

void judge_fini(struct judge *j)
{
	identity_free(j->identity);
	finder_fini(&j->finder);
	j->pid_namespace = fd_close(j->pid_namespace);
	arena_fini(&j->arena);
}

int judge_know_box(struct judge *j, const struct call *call)
{
	char name[32];
	pid_t tid = call->notify.tid;
	int r = j->knows_box ? 0 : finder_open_root(&j->finder, tid);
	if (r < 0 || j->knows_box)
		return r;
	snprintf(name, sizeof(name), "%d/ns/pid", tid);
	cleanup_fd int ns = openat(j->finder.proc, name, O_RDONLY | O_CLOEXEC);
	if (!notify_valid(call->slot->listener, call->notify.id)) {
		finder_fini(&j->finder); /* it was another's who has that number now */
		return -ESRCH;
	}
	r = identity_find(j->identity, j->finder.root);
	if (r < 0)
		return r;
	j->pid_namespace = fd_take(&ns);
	j->knows_box = true;
	return 0;
}

int judge_identify(struct judge *j, struct call *call)
{
	if (call->ids.pid > 0)
		return 0;
	int r = task_ids(j->finder.proc, call->notify.tid, &call->ids);
	if (r < 0)
		call->ids = (struct task_ids){.pid = call->notify.tid};
	return r;
}

void judge_detail(struct judge *j, struct call *call)
{
	struct exec_event *event = &call->event;
	judge_identify(j, call);
	event->pid = call->ids.pid;
	event->parent = call->ids.parent;
	if (!event->inside_pid)
		event->inside_pid = task_inside_pid(j->finder.proc, j->pid_namespace, event->pid);
	if (!event->cwd)
		event->cwd = find_cwd(&j->finder, event->pid, &call->arena);
}

void judge_refuse(struct call *call, const char *what, const char *why)
{
	call->judgement = exec_deny_static(what, why);
}

static enum judge_result refuse(struct call *call, const char *what, const char *why)
{
	judge_refuse(call, what, why);
	return JUDGE_REFUSED;
}

/* What reading its memory said. */
static enum judge_result unreadable(struct call *call, int r, int *ret_errno)
{
	if (r == -ESRCH)
		return JUDGE_GONE;
	if (r == -EPERM)
		return refuse(call, "a caller that cannot be looked at",
			"its memory may not be read: it runs a program that is not readable");
	*ret_errno = -r;
	return JUDGE_FAILS;
}

/* Where only the named may run, nothing may be put into them from outside. */
static enum judge_result judge_environment(
	struct judge *j, struct call *call, uint64_t envp, int *ret_errno)
{
	const char *name;
	if (j->policy.default_allow)
		return JUDGE_ALLOWED;
	int r = caller_environment(call->notify.tid, envp, judge_variables(call), &name);
	if (r < 0)
		return unreadable(call, r, ret_errno);
	if (!name)
		return JUDGE_ALLOWED;
	return refuse(call, arena_printf(&call->arena, "%s in the environment", name),
		"with default: deny nothing is loaded into an allowed program");
}

/* Programs that wrappers would start are looked up as the box would find them. */
struct lookup {
	struct judge *judge;
	struct call *call;
};

static bool look_up(void *data, const char *name, struct exec_file *ret)
{
	const struct lookup *l = data;
	struct identity *id = l->judge->identity;
	struct stat st;
	const char *path;
	if (!l->call->event.cwd && name[0] != '/' && strchr(name, '/'))
		l->call->event.cwd =
			find_cwd(&l->judge->finder, l->call->notify.tid, &l->call->arena);
	cleanup_fd int fd = identity_look_up(
		id, l->judge->finder.root, l->call->event.cwd, name, &l->call->arena, &path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	identity_tell(id, fd, &st, name, path, ret, NULL, NULL);
	return true;
}

/* The beginning of a file; size 0 may be an empty one. */
struct head {
	bool readable;
	size_t size;
	unsigned char bytes[IDENTITY_HEAD];
};
_Static_assert(IDENTITY_HEAD == SHEBANG_HEAD, "what the kernel looks at");

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#endif

/*
 * A program whose system calls the filter kills anyhow: its registers would not be what we read either. Or one that only an
 * emulator can run: where binfmt_misc has one, that is what would stand at the exec stop, and be killed there.
 */
static bool is_foreign(const struct head *head)
{
	const size_t machine = offsetof(Elf64_Ehdr, e_machine);
	const unsigned char *bytes = head->bytes;
	if (head->size < machine + 2 || memcmp(bytes, ELFMAG, SELFMAG) != 0)
		return false;
	return bytes[EI_CLASS] == ELFCLASS32 ||
		(bytes[machine] | bytes[machine + 1] << 8) != OUR_MACHINE;
}

static void judge_file(struct judge *j, struct call *call, bool interpreter)
{
	struct lookup l = {j, call};
	const struct exec_lookup lookup = {look_up, &l};
	const struct exec_file *file = &call->files[call->n_files - 1].file;
	if (interpreter)
		exec_rules_judge_interpreter(
			j->rules, file, &call->expected, &lookup, &call->arena, &call->judgement);
	else
		exec_rules_judge(
			j->rules, file, &call->expected, &lookup, &call->arena, &call->judgement);
}

/* Find @called, add it to the files. 0 or -errno. */
static int add_file(struct judge *j, struct call *call, const struct place *place,
	const char *called, struct head *ret_head)
{
	struct found found;
	struct call_file *file = &call->files[call->n_files];
	const unsigned char *head;
	int r = find_file(&j->finder, place, called, &call->arena, &found);
	if (r < 0)
		return r;
	*file = (struct call_file){.fd = found.fd, .st = found.st};
	call->n_files++;
	identity_tell(j->identity, file->fd, &file->st, called, found.path, &file->file, &head,
		&ret_head->size);
	/* it is there until the next question only, and wrappers ask some */
	ret_head->readable = head != NULL;
	if (head)
		memcpy(ret_head->bytes, head, ret_head->size);
	return 0;
}

/* How the kernel names a script to its interpreter. */
static const char *script_name(struct call *call, const struct caller_exec *x, const char *called)
{
	if (!x->by_execveat || called[0] == '/' || x->dir == AT_FDCWD)
		return called;
	return arena_printf(&call->arena, "/dev/fd/%d/%s", x->dir, called);
}

/* The file that was added last. */
static enum judge_result judge_last(struct judge *j, struct call *call, const struct head *head)
{
	const struct exec_file *file = &call->files[call->n_files - 1].file;
	if (call->n_files == 1)
		call->event.executable = file->path;
	else
		call->event.interpreter = file->path;
	judge_file(j, call, call->n_files > 1);
	if (call->judgement.verdict == EXEC_DENY)
		return JUDGE_REFUSED;
	if (!head->readable)
		return refuse(call, "a file that cannot be read", "what it is cannot be found out");
	if (is_foreign(head))
		return refuse(call, "a program of another architecture",
			"its system calls could not be judged");
	return JUDGE_ALLOWED;
}

/*
 * An interpreter opens its script once more, by its name, when nobody holds it any longer: where only the named may run,
 * that name has to lead to the same file still. @name is as the interpreter gets it.
 */
static enum judge_result judge_script_name(struct judge *j, struct call *call, const char *name)
{
	if (j->policy.default_allow ||
		find_is_fixed(&j->finder, name, &call->files[0].st, &call->arena))
		return JUDGE_ALLOWED;
	return refuse(call, "a script by a name that can change",
		"its interpreter opens it by that name again: call it by its absolute path, "
		"without "
		"links in directories that the box can write");
}

/*
 * One file after the other until one that is no script; call->expected becomes what that one is given. What begins like a
 * script and is none the kernel will not have (ENOEXEC): it may try.
 */
static enum judge_result judge_files(
	struct judge *j, struct call *call, const struct caller_exec *x, int *ret_errno)
{
	const char *name = call->event.called, *interpreter, *argument;
	struct place place = {call->notify.tid, x->dir, !(x->flags & AT_SYMLINK_NOFOLLOW)};
	struct head head;
	for (;;) {
		int r = add_file(j, call, &place, name, &head);
		enum judge_result result = r < 0 ? JUDGE_FAILS : judge_last(j, call, &head);
		*ret_errno = -r;
		if (result != JUDGE_ALLOWED ||
			shebang_parse(head.bytes, head.size, &call->arena, &interpreter,
				&argument) != SHEBANG_SCRIPT)
			return result;
		if (call->n_files == CALL_MAX_FILES) {
			*ret_errno = ELOOP;
			return JUDGE_FAILS;
		}
		if (call->n_files == 1) {
			name = script_name(call, x, name);
			if (judge_script_name(j, call, name) != JUDGE_ALLOWED)
				return JUDGE_REFUSED;
		}
		struct strv given = call->expected;
		shebang_argv(interpreter, argument, name, &given, &call->arena, &call->expected);
		name = interpreter;
		place = (struct place){call->notify.tid, AT_FDCWD, true};
	}
}

static enum judge_result judge_flags(struct call *call, const struct caller_exec *x)
{
	if (x->flags & AT_EMPTY_PATH)
		return refuse(call, "a file without a name",
			"execveat with AT_EMPTY_PATH executes what no rule can name");
	if (find_is_descriptor(call->event.called))
		return refuse(call, "a file by its descriptor",
			"what is executed by way of /proc/self/fd may have no name");
	if (x->flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EXECVE_CHECK))
		return refuse(
			call, "an unknown way to execute", "execveat with flags of a later kernel");
	return JUDGE_ALLOWED;
}

enum judge_result judge_call(struct judge *j, struct call *call, int *ret_errno)
{
	struct caller_exec x;
	struct exec_event *event = &call->event;
	pid_t tid = call->notify.tid;
	if (!caller_exec(&call->notify, &x))
		return refuse(
			call, "an unknown call", "the filter tells of execve and execveat alone");
	int r = caller_read(tid, &x, &call->arena, &event->called, &event->argv);
	if (r < 0)
		return unreadable(call, r, ret_errno);
	/* so the kernel does it, from Linux 5.18 on */
	if (event->argv.n == 0)
		strv_push(&call->arena, &event->argv, "");
	event->argc = event->argv.n;
	call->expected = event->argv;
	enum judge_result result = judge_flags(call, &x);
	if (result == JUDGE_ALLOWED)
		result = judge_files(j, call, &x, ret_errno);
	if (result == JUDGE_ALLOWED)
		result = judge_environment(j, call, x.envp, ret_errno);
	call->predicted = result == JUDGE_ALLOWED;
	event->rule = call->judgement.rule_text;
	event->why = call->judgement.why;
	return result;
}
