/* SPDX-License-Identifier: MIT */
#include "cli/policy-match.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json-text.h"
#include "base/path.h"
#include "model/exec-rules.h"
#include "warden/identity.h"
#include "warden/shebang.h"

struct matcher {
	const struct policy *policy;
	struct exec_rules *rules;
	struct identity *id;
	int root;
	const char *cwd;
	struct strv writable;
	struct arena *a;
};

/* What there is to say of the call. */
struct match {
	struct strv argv;
	struct exec_judgement judgement;
	const char *path; /* NULL: no such file here */
	const char *interpreter; /* of a script, when it was asked about */
};

/* ── What the box would be able to write ─────────────────────────────────────────────────────── */

static void add_writable(struct matcher *m, const char *path)
{
	path = path_expand_home(m->a, getenv("HOME"), path);
	strv_push(m->a, &m->writable, path_normalize(m->a, m->cwd, path));
}

static void find_writable(struct matcher *m)
{
	const struct policy_filesystem *fs = &m->policy->filesystem;
	for (size_t i = 0; i < fs->write.n; i++)
		add_writable(m, fs->write.v[i].dest ? fs->write.v[i].dest : fs->write.v[i].source);
	for (size_t i = 0; i < fs->tmpfs.n; i++)
		add_writable(m, fs->tmpfs.v[i]);
	add_writable(m, "/tmp");
	add_writable(m, "/dev");
	if (fs->cwd == CWD_WRITE)
		add_writable(m, fs->workdir ? fs->workdir : ".");
}

static const char *path_of(const struct policy *p)
{
	for (size_t i = 0; i < p->env.n_set; i++)
		if (strcmp(p->env.set[i].key, "PATH") == 0)
			return p->env.set[i].value;
	return getenv("PATH");
}

/* ── Files ───────────────────────────────────────────────────────────────────────────────────── */

static bool look_up(struct matcher *m, const char *name, struct exec_file *ret,
	const unsigned char **ret_head, size_t *ret_size)
{
	const char *path = NULL;
	struct stat st;
	cleanup_fd int fd = identity_look_up(m->id, m->root, m->cwd, name, m->a, &path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	identity_tell(m->id, fd, &st, name, path, ret, ret_head, ret_size);
	return true;
}

static bool find_file(void *data, const char *name, struct exec_file *ret)
{
	return look_up(data, name, ret, NULL, NULL);
}

/* ── Judging ─────────────────────────────────────────────────────────────────────────────────── */

/* What the kernel would load for a script, and for that if it is one, too. */
static void judge_interpreters(struct matcher *m, struct match *match, const char *name,
	const unsigned char *head, size_t size)
{
	const struct exec_lookup lookup = {find_file, m};
	struct strv argv = match->argv, next;
	for (unsigned i = 0; i < SHEBANG_DEPTH; i++) {
		const char *interpreter, *argument;
		struct exec_file file;
		struct exec_judgement judgement;
		if (shebang_parse(head, size, m->a, &interpreter, &argument) != SHEBANG_SCRIPT)
			return;
		next = (struct strv){0};
		shebang_argv(interpreter, argument, name, &argv, m->a, &next);
		if (!look_up(m, interpreter, &file, &head, &size))
			return;
		match->interpreter = file.path;
		exec_rules_judge_interpreter(m->rules, &file, &next, &lookup, m->a, &judgement);
		if (judgement.verdict == EXEC_DENY) {
			judgement.why = arena_printf(m->a, "of its interpreter '%.200s': %s",
				interpreter, judgement.why);
			match->judgement = judgement;
			return;
		}
		argv = next;
		name = interpreter;
	}
}

static void judge(struct matcher *m, struct match *match)
{
	const struct exec_lookup lookup = {find_file, m};
	const char *name = match->argv.v[0];
	const unsigned char *head = NULL;
	size_t size = 0;
	struct exec_file file;
	bool found = look_up(m, name, &file, &head, &size);
	if (!found)
		file = (struct exec_file){.called = name, .writable = true};
	match->path = found ? file.path : NULL;
	exec_rules_judge(m->rules, &file, &match->argv, &lookup, m->a, &match->judgement);
	if (found && match->judgement.verdict == EXEC_ALLOW)
		judge_interpreters(
			m, match, strchr(name, '/') || !file.path ? name : file.path, head, size);
}

static void judge_nothing(struct match *match)
{
	match->judgement = (struct exec_judgement){
		.verdict = EXEC_ALLOW,
		.rule_text = "mode: off",
		.why = "the policy's exec.mode is off: nothing is judged",
	};
}

/* ── Saying it ───────────────────────────────────────────────────────────────────────────────── */

static void put_line(struct buf *b, const char *name, const char *text)
{
	if (!text)
		return;
	buf_printf(b, "  %-12s ", name);
	buf_put_visible(b, text, strlen(text));
	buf_putc(b, '\n');
}

static const char *in_words(const struct matcher *m, const struct match *match)
{
	cleanup_buf struct buf b = BUF_INIT;
	const struct exec_judgement *j = &match->judgement;
	buf_puts(&b, j->verdict == EXEC_ALLOW ? "allowed:" : "denied:");
	for (size_t i = 0; i < match->argv.n; i++) {
		buf_putc(&b, ' ');
		buf_put_visible(&b, match->argv.v[i], strlen(match->argv.v[i]));
	}
	buf_putc(&b, '\n');
	put_line(&b, "rule", j->rule_text);
	put_line(&b, "why", j->why);
	put_line(&b, "hint", j->hint);
	put_line(
		&b, "file", match->path ? match->path : "not found here; only its name was judged");
	put_line(&b, "interpreter", match->interpreter);
	if (m->policy->exec.mode == EXEC_AUDIT)
		put_line(&b, "mode", "audit: it is noted, and goes on");
	return arena_strdup(m->a, buf_str(&b));
}

static void put_member(struct buf *b, const char *name, const char *text)
{
	buf_printf(b, "  \"%s\": ", name);
	if (text)
		json_put_bytes(b, text, strlen(text));
	else
		buf_puts(b, "null");
	buf_puts(b, ",\n");
}

static const char *as_json(const struct matcher *m, const struct match *match)
{
	cleanup_buf struct buf b = BUF_INIT;
	const struct exec_judgement *j = &match->judgement;
	buf_puts(&b, "{\n");
	put_member(&b, "verdict", j->verdict == EXEC_ALLOW ? "allow" : "deny");
	put_member(&b, "mode", exec_mode_name(m->policy->exec.mode));
	put_member(&b, "ground", exec_ground_name(j->ground));
	put_member(&b, "rule", j->rule_text);
	put_member(&b, "why", j->why);
	put_member(&b, "hint", j->hint);
	put_member(&b, "executable", match->path);
	put_member(&b, "interpreter", match->interpreter);
	buf_printf(&b, "  \"depth\": %u,\n  \"argv\": [", j->depth);
	for (size_t i = 0; i < match->argv.n; i++) {
		buf_puts(&b, i > 0 ? ", " : "");
		json_put_bytes(&b, match->argv.v[i], strlen(match->argv.v[i]));
	}
	buf_puts(&b, "]\n}\n");
	return arena_strdup(m->a, buf_str(&b));
}

static int begin(struct matcher *m, struct error *e)
{
	const char *const *programs;
	char cwd[4096];
	if (exec_rules_compile(&m->rules, &m->policy->exec, m->a, e) < 0)
		return error_wrap(e, "policy '%s'", m->policy->name);
	m->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m->root < 0 || !getcwd(cwd, sizeof cwd))
		return error_set(e, BLAME_HOST, errno, "cannot look at files");
	m->cwd = arena_strdup(m->a, cwd);
	find_writable(m);
	size_t n_programs = exec_rules_programs(m->rules, &programs);
	const struct identity_spec spec = {
		.n_programs = n_programs,
		.programs = programs,
		.path = path_of(m->policy),
		.writable = m->writable.v,
		.n_writable = m->writable.n,
	};
	m->id = identity_new(&spec);
	int r = identity_find(m->id, m->root);
	return r < 0 ? error_set(e, BLAME_HOST, -r, "cannot look for the programs of the rules")
		     : 0;
}

int policy_match(const struct policy *policy, const struct strv *command, bool json,
	struct arena *a, const char **ret_text, struct error *e)
{
	struct matcher m = {.policy = policy, .a = a, .root = -1};
	struct match match = {.argv = *command};
	int status = 0;
	if (policy->exec.mode == EXEC_OFF)
		judge_nothing(&match);
	else if ((status = begin(&m, e)) == 0)
		judge(&m, &match);
	identity_free(m.id);
	fd_close(m.root);
	if (status < 0)
		return -1;
	*ret_text = json ? as_json(&m, &match) : in_words(&m, &match);
	return match.judgement.verdict == EXEC_ALLOW ? 0 : 1;
}
