/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "kernel/ptrace.h"
#include "kernel/task.h"
#include "warden/caller.h"
#include "warden/judge.h"

/*
 * At the exec stop: the kernel has read path, argv, script and environment from memory and files that others could write
 * until a moment ago, and nothing can change any more what it has made of them. The new stack is
 * nobody else's: from its top, argc, the pointers of argv, a zero, those of the environment, a zero; the strings lie one
 * behind the other, argv's first.
 */
struct image {
	pid_t pid;
	uint64_t stack, argc, strings; /* address of argv[0] */
	size_t size; /* so much of the stack's top is here; for most programs the words are in it */
	unsigned char top[2048];
};

static int look_at(pid_t pid, struct image *ret)
{
	struct ptrace_regs regs;
	uint64_t first[2];
	int r = ptrace_regs(pid, &regs);
	if (r < 0)
		return r;
	ssize_t n = task_read(pid, regs.stack, ret->top, sizeof(ret->top));
	if (n < (ssize_t)sizeof(first))
		return n < 0 ? (int)n : -EFAULT;
	memcpy(first, ret->top, sizeof(first));
	ret->pid = pid;
	ret->stack = regs.stack;
	ret->argc = first[0];
	ret->strings = first[1];
	ret->size = (size_t)n;
	return 0;
}

/* Memory of the image from some address on, piece by piece. */
struct reader {
	pid_t pid;
	uint64_t at;
	const unsigned char *here;
	size_t left;
	unsigned char buffer[4096];
};

static void read_from(struct reader *r, const struct image *image, uint64_t address)
{
	uint64_t offset = address - image->stack;
	r->pid = image->pid;
	r->at = address;
	r->left = 0;
	if (address < image->stack || offset >= image->size)
		return;
	r->here = image->top + offset;
	r->left = image->size - (size_t)offset;
	r->at += r->left;
}

static bool refill(struct reader *r)
{
	ssize_t n = task_read(r->pid, r->at, r->buffer, sizeof(r->buffer));
	if (n <= 0)
		return false;
	r->at += (uint64_t)n;
	r->here = r->buffer;
	r->left = (size_t)n;
	return true;
}

/* @word and its zero come next. */
static bool is_next(struct reader *r, const char *word)
{
	size_t left = strlen(word) + 1;
	while (left > 0) {
		if (r->left == 0 && !refill(r))
			return false;
		size_t n = r->left < left ? r->left : left;
		if (memcmp(r->here, word, n) != 0)
			return false;
		r->here += n;
		r->left -= n;
		word += n;
		left -= n;
	}
	return true;
}

static bool has_words(const struct image *image, const struct strv *words)
{
	struct reader r;
	if (image->argc != words->n) /* before Linux 5.18 there may be none, and "" is as good */
		return image->argc == 0 && words->n == 1 && !words->v[0][0];
	read_from(&r, image, image->strings);
	for (size_t i = 0; i < words->n; i++)
		if (!is_next(&r, words->v[i]))
			return false;
	return true;
}

static bool same_programs(const struct exec_programs *a, const struct exec_programs *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* What the box can write may have become another program between judgement and exec. */
static bool is_still(struct judge *j, const struct call_file *file)
{
	const struct exec_file *then = &file->file;
	struct exec_file now;
	struct stat st;
	if (!then->writable)
		return true;
	if (fstat(file->fd, &st) < 0)
		return false;
	identity_tell(j->identity, file->fd, &st, then->called, then->path, &now, NULL, NULL);
	return same_programs(&now.is, &then->is) && same_programs(&now.exactly, &then->exactly) &&
		now.loader == then->loader;
}

static bool all_are_still(struct judge *j, const struct call *call)
{
	for (unsigned i = 0; i < call->n_files; i++)
		if (!is_still(j, &call->files[i]))
			return false;
	return true;
}

static bool runs(struct judge *j, const struct image *image, const struct call_file *file)
{
	struct stat st;
	return find_exe_stat(&j->finder, image->pid, &st) == 0 && st.st_dev == file->st.st_dev &&
		st.st_ino == file->st.st_ino;
}

static const char *const variables[] = {
	/* what makes interpreters run somebody else's code before, or instead of, the script's */
	"PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX", "BASH_ENV", "ENV",
	"PERL5LIB", "PERLLIB", "PERL5OPT", "PERL5DB", "RUBYLIB", "RUBYOPT", "NODE_OPTIONS",
	"NODE_PATH", "LUA_INIT", "LUA_INIT_5_2", "LUA_INIT_5_3", "LUA_INIT_5_4", "LUA_INIT_5_5",
	"PHPRC", "PHP_INI_SCAN_DIR",
	/* what makes the loader, or a library that many programs have, do it */
	"LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "GCONV_PATH", "OPENSSL_CONF",
	"OPENSSL_ENGINES", "OPENSSL_MODULES", NULL};
#define N_OF_INTERPRETERS 21

const char *const *judge_variables(const struct call *call)
{
	return call->n_files > 1 ? variables : variables + N_OF_INTERPRETERS;
}

static bool environment_is_clean(
	struct judge *j, const struct call *call, const struct image *image)
{
	const char *name;
	uint64_t at = image->stack + (image->argc + 2) * sizeof(uint64_t);
	return j->policy.default_allow ||
		(caller_environment(image->pid, at, judge_variables(call), &name) == 0 && !name);
}

/* NULL: nothing is wrong with it. */
static const char *fault_of(struct judge *j, struct call *call, const struct image *image)
{
	if (!runs(j, image, &call->files[call->n_files - 1]))
		return "another file was executed than the one that was judged";
	if (!has_words(image, &call->expected))
		return "the arguments are not those that were judged";
	if (!all_are_still(j, call))
		return "the file was changed after it was judged";
	if (!environment_is_clean(j, call, image))
		return "the environment was changed after it was judged";
	return NULL;
}

/* So much of the real argv as the evidence takes. */
static void read_words(const struct image *image, struct arena *a, struct strv *ret)
{
	char *text = arena_alloc(a, EXEC_EVENT_MAX_ARGV + 1);
	ssize_t n = task_read(image->pid, image->strings, text, EXEC_EVENT_MAX_ARGV);
	for (ssize_t at = 0; at < n && ret->n < image->argc;) {
		strv_push(a, ret, text + at);
		at += (ssize_t)strlen(text + at) + 1;
	}
}

bool judge_image(struct judge *j, struct call *call, pid_t pid)
{
	struct image image;
	int r = look_at(pid, &image);
	const char *fault = r < 0  ? "what it has become cannot be looked at"
		: !call->predicted ? NULL
				   : fault_of(j, call, &image);
	if (!call->predicted)
		call->event.executable = find_exe(&j->finder, pid, &call->arena);
	if (!fault)
		return true;
	call->event.why = fault;
	call->event.real_executable = find_exe(&j->finder, pid, &call->arena);
	if (r == 0)
		read_words(&image, &call->arena, &call->event.real_argv);
	return false;
}
