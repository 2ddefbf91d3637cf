/* SPDX-License-Identifier: MIT */
#include "cli/learn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "cli/learn-files.h"
#include "model/exec-learn.h"
#include "run/policy-file.h"
#include "store/exec-log.h"

/* ---- the file ---- */

static int refuse_existing(const char *path, struct error *e)
{
	error_set(e, BLAME_REQUEST, 0, "'%s' is there already", path);
	return error_hint(e, "--learn replaces nothing: name another, or remove it");
}

int learn_open(struct learn *l, const char *path, struct error *e)
{
	const char *base = path_base(path);
	struct stat st;

	*l = LEARN_INIT;
	if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0 ||
		strlen(base) >= sizeof l->name)
		return error_set(e, BLAME_REQUEST, 0, "--learn '%s' does not name a file", path);
	char *dir = base == path ? strdup(".") : strndup(path, (size_t)(base - path));
	if (!dir)
		out_of_memory();
	l->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (l->dir < 0 || faccessat(l->dir, ".", W_OK, AT_EACCESS) < 0) {
		error_set(e, BLAME_REQUEST, errno, "cannot write '%s'", path);
		l->dir = fd_close(l->dir);
		return -1;
	}
	if (fstatat(l->dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		l->dir = fd_close(l->dir);
		return refuse_existing(path, e);
	}
	strcpy(l->name, base);
	l->path = path;
	return 0;
}

static int write_file(const struct learn *l, const struct buf *text, struct error *e)
{
	cleanup_fd int fd = openat(l->dir, l->name,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0644);

	if (fd < 0 && errno == EEXIST)
		return refuse_existing(l->path, e);
	if (fd >= 0 && fd_write_all(fd, text->data, text->size) == 0)
		return 0;
	error_set(e, BLAME_HOST, errno, "cannot write '%s'", l->path);
	if (fd >= 0)
		unlinkat(l->dir, l->name, 0); /* half a policy is another one */
	return -1;
}

/* ---- the run ---- */

void learn_relax(const struct learn *l, struct policy *p)
{
	if (l->path)
		p->exec.mode = EXEC_AUDIT;
}

int learn_log(struct learn *l, int recorded)
{
	if (!l->path || recorded >= 0)
		return recorded;
	l->log = memfd_create("exec.jsonl", MFD_CLOEXEC);
	if (l->log >= 0)
		fcntl(l->log, F_SETFL, O_APPEND);
	return l->log;
}

static struct exec_log_reader *open_log(
	struct learn *l, const struct record *record, struct error *e)
{
	struct exec_log_reader *r = NULL;

	if (l->log >= 0)
		return exec_log_open_fd_take(fd_take(&l->log));
	cleanup_fd int dir = run_dir_open(&record->place->state, record->begin.id);
	if (dir < 0)
		error_set(e, BLAME_HOST, errno, "cannot read what was executed");
	else
		exec_log_open(&r, dir, e);
	return r;
}

/* ---- what is said ---- */

static void warn(struct strv *warnings, struct arena *a, const char *text)
{
	strv_push(a, warnings, text);
}

static struct strv what_is_missing(const struct observation *o, const struct verdict *v,
	const struct exec_log_faults *faults, struct arena *a)
{
	struct strv w = {.v = NULL};
	const struct observed_exec *x = &o->exec;

	if (v->cause != CAUSE_OK)
		warn(&w, a,
			arena_printf(a,
				"The run ended with %s: what it did not come to is missing.",
				cause_name(v->cause)));
	if (x->warden_lost)
		warn(&w, a, "Its warden was lost: what was executed from then on is missing.");
	if (x->audit_dropped + faults->damaged > 0)
		warn(&w, a,
			arena_printf(a,
				"%" PRIu64 " of its execs were not recorded, and are missing.",
				x->audit_dropped + faults->damaged));
	return w;
}

static void tell(
	const struct learn *l, const struct exec_learned *learned, const struct strv *missing)
{
	uint64_t gaps = learned->more_gaps;

	for (size_t i = 0; i < learned->n_gaps; i++)
		gaps += learned->gaps[i].execs;
	log_line("learned %zu rule%s from %" PRIu64 " exec%s: '%s'", learned->n_rules,
		learned->n_rules == 1 ? "" : "s", learned->execs, learned->execs == 1 ? "" : "s",
		l->path);
	if (gaps > 0)
		log_line("warning: %" PRIu64 " exec%s not allowed by it; the file says which", gaps,
			gaps == 1 ? " is" : "s are");
	for (size_t i = 0; i < missing->n; i++)
		log_line("warning: %s", missing->v[i]);
}

/* Something else of the run's policy may forbid to enforce it. */
static void check(const struct learn *l, struct arena *a)
{
	struct policy p;
	struct error e = ERROR_INIT;

	if (policy_load(&p, a, &policy_files,
		    strchr(l->path, '/') ? l->path : path_join(a, ".", l->path), &e) < 0)
		log_line("warning: the learned policy cannot be used as it is: %s", e.text);
}

/* A file of the caller's is named so that it is found from everywhere. */
static const char *name_of_policy(const struct request *request, struct arena *a)
{
	char *real;

	if (!request->policy || policy_is_name(request->policy))
		return request->policy ? request->policy : "default";
	real = realpath(request->policy, NULL);
	const char *name = arena_strdup(a, real ? real : request->policy);
	free(real);
	return name;
}

/* ---- ---- */

static int read_execs(struct exec_learn *learned, struct exec_log_reader *r, struct error *e)
{
	int found = 1;

	while (found > 0) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct exec_event event;
		found = exec_log_next(r, &event, &a);
		if (found > 0)
			exec_learn_add(learned, &event);
	}
	return found < 0 ? error_set(e, BLAME_HOST, errno, "cannot read what was executed") : 0;
}

struct lesson {
	struct learn *l;
	const struct prepared *prepared;
	const struct request *request;
	const struct observation *o;
	const struct verdict *v;
	struct exec_log_reader *log;
	struct arena a;
};

static int write_policy(struct lesson *x, const struct exec_learned *learned, struct error *e)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct exec_log_faults faults = exec_log_faults(x->log);
	struct strv missing = what_is_missing(x->o, x->v, &faults, &x->a);
	const struct exec_lesson lesson = {
		.id = x->o->id,
		.extends = name_of_policy(x->request, &x->a),
		.argv = x->o->argv,
		.argc = x->o->argc,
		.warnings = missing.v,
		.n_warnings = missing.n,
	};

	if (!utf8_valid(lesson.extends, strlen(lesson.extends)))
		return error_set(e, BLAME_REQUEST, 0, "the name of the run's policy is not UTF-8");
	exec_learned_format(&text, learned, &lesson);
	if (write_file(x->l, &text, e) < 0)
		return -1;
	tell(x->l, learned, &missing);
	check(x->l, &x->a);
	return 0;
}

static int write_lesson(struct lesson *x, struct error *e)
{
	struct learn_files files;
	struct exec_learned learned;

	if (learn_files_open(&files, &x->prepared->resolved, &x->prepared->plan.envp, e) < 0)
		return -1;
	struct exec_learn *learn = exec_learn_new(
		&(struct exec_learn_files){.about = learn_files_about, .data = &files}, &x->a);
	int r = read_execs(learn, x->log, e);
	exec_learn_finish(learn, &learned);
	learn_files_close(&files);
	return r < 0 ? -1 : write_policy(x, &learned, e);
}

void learn_write(struct learn *l, const struct prepared *prepared, const struct request *request,
	const struct observation *o, const struct verdict *v, const struct record *record)
{
	struct error e = ERROR_INIT;
	struct lesson x = {
		.l = l, .prepared = prepared, .request = request, .o = o, .v = v, .a = ARENA_INIT};

	if (!l->path)
		return;
	if (o->wait == WAIT_NEVER_STARTED)
		error_set(&e, BLAME_REQUEST, 0, "the program was not started");
	else
		x.log = open_log(l, record, &e);
	if (!x.log || write_lesson(&x, &e) < 0)
		log_error("nothing was learned: %s", e.text);
	exec_log_close(x.log);
	arena_fini(&x.a);
	l->log = fd_close(l->log);
	l->dir = fd_close(l->dir);
}
