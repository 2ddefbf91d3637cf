/* SPDX-License-Identifier: MIT */
/* Of test-codec-plan.c: not part of the program. */
#include "model/test-codec-plan.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

const char golden_plans[] = TEST_GOLDEN "/plan/";

/* ---- reading a case; a member that nobody knows is a mistake in it ---- */

static void known(
	const struct golden_case *c, const char *what, json_t *object, const char *const *names)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		size_t i = 0;
		while (names[i] && strcmp(names[i], key) != 0)
			i++;
		if (!names[i])
			fail_msg("%s: there is no '%s' in a %s", c->name, key, what);
	}
}

static const char *text_of(json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : otherwise;
}

static bool flag_of(json_t *object, const char *key, bool otherwise)
{
	json_t *value = json_object_get(object, key);
	return value ? json_is_true(value) : otherwise;
}

static uint64_t number_of(json_t *object, const char *key, uint64_t otherwise)
{
	json_t *value = json_object_get(object, key);
	return value ? (uint64_t)json_integer_value(value) : otherwise;
}

static struct strv strings_of(struct golden_case *c, json_t *object, const char *key)
{
	struct strv list = {0};
	json_t *value;
	size_t i;

	json_array_foreach(json_object_get(object, key), i, value)
	{
		strv_push(c->a, &list, json_string_value(value));
	}
	return list;
}

bool golden_contains(const struct strv *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], text) == 0)
			return true;
	return false;
}

/* ---- the request ---- */

static struct bind_list binds_of(struct golden_case *c, const char *key)
{
	const struct strv texts = strings_of(c, c->request, key);
	struct bind_list list = {arena_calloc(c->a, texts.n + 1, sizeof *list.v), texts.n};
	struct error e = ERROR_INIT;

	for (size_t i = 0; i < texts.n; i++)
		if (bind_rule_parse(&list.v[i], c->a, texts.v[i], &e) < 0)
			fail_msg("%s: %s", c->name, e.text);
	return list;
}

static void read_limits(struct golden_case *c)
{
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(c->request, "limits"), key, value)
	{
		int limit = limit_from_name(key);
		if (limit < 0 ||
			limit_parse((enum limit)limit, json_string_value(value),
				&c->asked.limits[limit]) < 0)
			fail_msg("%s: limit '%s' is no limit", c->name, key);
		c->asked.limit_given[limit] = true;
	}
}

static void read_user(struct golden_case *c)
{
	const char *user = text_of(c->request, "user", NULL);
	unsigned uid, gid;

	c->asked.user_given = user != NULL;
	if (!user || strcmp(user, "self") == 0)
		c->asked.user.mode = USER_SELF;
	else if (strcmp(user, "isolated") == 0)
		c->asked.user.mode = USER_ISOLATED;
	else if (sscanf(user, "%u:%u", &uid, &gid) == 2)
		c->asked.user = (struct policy_user){USER_ID, uid, gid};
	else
		fail_msg("%s: user '%s'", c->name, user);
}

static void read_environment(struct golden_case *c)
{
	const char *key;
	json_t *value, *env = json_object_get(c->request, "env");
	struct policy_env *to = &c->asked.env;

	to->set = arena_calloc(c->a, json_object_size(env) + 1, sizeof *to->set);
	json_object_foreach(env, key, value)
	{
		to->set[to->n_set++] = (struct env_pair){key, json_string_value(value)};
	}
	to->unset = strings_of(c, c->request, "unset");
	to->clear = flag_of(c->request, "clear_env", false);
}

static void read_request(struct golden_case *c)
{
	static const char *const names[] = {"argv", "policy", "limits", "oom", "read", "write",
		"hide", "tmpfs", "root", "workdir", "env", "unset", "clear_env", "user", "network",
		"tty", "log", "key", "best_effort", "user_namespaces", "exec", "stdin_is_file",
		"nice", NULL};
	struct request *r = &c->asked;

	known(c, "request", c->request, names);
	r->argv = strings_of(c, c->request, "argv");
	if (r->argv.n == 0)
		strv_push(c->a, &r->argv, "true");
	r->policy = text_of(c->request, "policy", "default");
	read_limits(c);
	r->oom_given = json_object_get(c->request, "oom") != NULL;
	r->oom = r->oom_given ? (enum oom_mode)oom_mode_from_name(text_of(c->request, "oom", ""))
			      : OOM_GROUP;
	r->read = binds_of(c, "read");
	r->write = binds_of(c, "write");
	r->hide = strings_of(c, c->request, "hide");
	r->tmpfs = strings_of(c, c->request, "tmpfs");
	r->root = text_of(c->request, "root", NULL);
	r->workdir = text_of(c->request, "workdir", NULL);
	read_environment(c);
	read_user(c);
	r->network_given = json_object_get(c->request, "network") != NULL;
	r->network = strcmp(text_of(c->request, "network", "none"), "host") == 0 ? NETWORK_HOST
										 : NETWORK_NONE;
	r->tty = flag_of(c->request, "tty", false);
	r->key = text_of(c->request, "key", NULL);
	r->best_effort = flag_of(c->request, "best_effort", false);
}

/* ---- the host ---- */

static enum rung rung_of(const struct golden_case *c, const char *name)
{
	for (int i = 0; i < RUNG_COUNT_; i++)
		if (strcmp(rung_name((enum rung)i), name) == 0)
			return (enum rung)i;
	fail_msg("%s: there is no rung '%s'", c->name, name);
	return RUNG_NONE;
}

static void read_cgroup(struct golden_case *c, struct host_cgroup *cg)
{
	const struct strv without = strings_of(c, c->host, "without");

	cg->rung = rung_of(c, text_of(c->host, "rung", "cgroup-v2"));
	for (int i = 0; i < CONTROLLER_COUNT_ && cg->rung != RUNG_NONE; i++)
		if (!golden_contains(&without, controller_name((enum controller)i)))
			cg->base[i] = "/sys/fs/cgroup";
	cg->has_swap = cg->rung != RUNG_NONE && !golden_contains(&without, "swap");
	cg->why_not_better = text_of(c->host, "why", NULL);
	cg->remedy = text_of(c->host, "remedy", NULL);
}

static void read_host(struct golden_case *c)
{
	static const char *const names[] = {"uid", "gid", "privileged", "rung", "without", "why",
		"remedy", "userns", "cpus", "seccomp", "landlock", "mount_setattr", "idmap", "exec",
		NULL};
	struct host *h = &c->found;

	known(c, "host", c->host, names);
	h->uid = (uint32_t)number_of(c->host, "uid", 0);
	h->gid = (uint32_t)number_of(c->host, "gid", h->uid);
	h->privileged = flag_of(c->host, "privileged", h->uid == 0);
	h->home = h->uid == 0 ? "/root" : "/home/user";
	h->cwd = "/work";
	h->kernel = "6.12.0";
	h->kernel_version = 6 << 16 | 12;
	h->machine = "x86_64";
	h->n_cpus = (unsigned)number_of(c->host, "cpus", 4);
	h->cpu_mask[0] = (1ull << h->n_cpus) - 1;
	h->memory_bytes = 8ull << 30;
	h->userns.why = text_of(c->host, "userns", NULL);
	h->userns.remedy = text_of(c->host, "remedy", NULL);
	h->userns.usable = !h->userns.why;
	h->seccomp = flag_of(c->host, "seccomp", true);
	h->exec.why = text_of(c->host, "exec", NULL);
	h->exec.usable = !h->exec.why;
	h->landlock_abi = (int)number_of(c->host, "landlock", 6);
	h->mount_setattr = flag_of(c->host, "mount_setattr", true);
	h->clone_into_cgroup = h->proc_mountable = true;
	h->idmapped_mounts = flag_of(c->host, "idmap", h->privileged);
	read_cgroup(c, &h->cgroup);
}

/* ---- its files, as run/resolve.c would find them ---- */

static const char *absolute(struct golden_case *c, const char *path)
{
	return path_normalize(c->a, c->found.cwd, path_expand_home(c->a, c->found.home, path));
}

static void add_path(struct golden_case *c, struct resolved_list *list, const char *source,
	const char *dest, bool idmappable)
{
	if (!list->v)
		list->v = arena_calloc(c->a, 128, sizeof *list->v);
	const char *base = path_base(dest);
	list->v[list->n++] = (struct resolved_path){.source = source,
		.dest = dest,
		.is_dir = *base == '.' || !strchr(base, '.'),
		.idmappable = idmappable};
}

static void find_binds(
	struct golden_case *c, struct resolved_list *list, const struct bind_list *rules)
{
	const struct strv exist = strings_of(c, c->files, "exist");

	for (size_t i = 0; i < rules->n; i++) {
		const struct bind_rule *rule = &rules->v[i];
		const char *source = absolute(c, rule->source);
		if (!rule->optional || golden_contains(&exist, source))
			add_path(c, list, source, rule->dest ? absolute(c, rule->dest) : source,
				!rule->optional);
	}
}

static void find_hidden(struct golden_case *c)
{
	const struct strv exist = strings_of(c, c->files, "exist");
	const struct strv *hide = &c->policy.filesystem.hide;

	for (size_t i = 0; i < hide->n; i++) {
		const char *path = absolute(c, hide->v[i]);
		if (golden_contains(&exist, path) || golden_contains(&c->asked.hide, hide->v[i]))
			add_path(c, &c->resolved.hide, path, path, false);
	}
}

static void find_cwd(struct golden_case *c)
{
	struct resolved *r = &c->resolved;
	const char *workdir = c->policy.filesystem.workdir;

	r->cwd = workdir ? absolute(c, workdir) : c->found.cwd;
	if (workdir && (!r->root || strcmp(r->root, "/") != 0))
		return;
	r->cwd_writable = c->policy.filesystem.cwd == CWD_WRITE;
	add_path(c, r->cwd_writable ? &r->write : &r->read, r->cwd, r->cwd, true);
}

static void find_files(struct golden_case *c)
{
	static const char *const names[] = {"exist", "console", NULL};
	struct resolved *r = &c->resolved;
	const struct policy_filesystem *fs = &c->policy.filesystem;

	known(c, "set of files", c->files, names);
	r->root = fs->root ? absolute(c, fs->root) : NULL;
	add_path(c, &r->tmpfs, "/tmp", "/tmp", false);
	for (size_t i = 0; i < fs->tmpfs.n; i++)
		add_path(c, &r->tmpfs, fs->tmpfs.v[i], fs->tmpfs.v[i], false);
	find_binds(c, &r->write, &fs->write);
	find_binds(c, &r->read, &fs->read);
	find_cwd(c);
	find_hidden(c);
	strv_push(c->a, &r->devices, "null");
	strv_push(c->a, &r->devices, "urandom");
	r->console = text_of(c->files, "console", NULL);
	if (c->found.uid == 0 && c->policy.user.mode == USER_SELF)
		strv_push(c->a, &r->protect, "/proc/sys");
}

/* ---- request × host → plan ---- */

/* "enforce", "audit": with one rule; "deny": enforced, and nothing but git and /opt/x allowed. */
static void read_exec(const struct golden_case *c, struct policy_exec *ret)
{
	static struct exec_rule rule = {.pattern = "git push"};
	static struct exec_rule allows[] = {{.allow = true, .pattern = "git status"},
		{.pattern = "git push"}, {.allow = true, .pattern = "/opt/x"}};
	const char *mode = text_of(c->request, "exec", NULL);

	if (mode)
		*ret = (struct policy_exec){
			.mode = strcmp(mode, "audit") == 0 ? EXEC_AUDIT : EXEC_ENFORCE,
			.default_allow = true,
			.rules = &rule,
			.n_rules = 1};
	if (mode && strcmp(mode, "deny") == 0) {
		ret->default_allow = false;
		ret->rules = allows;
		ret->n_rules = 3;
	}
}

static int make_plan(struct golden_case *c, struct error *e)
{
	static char path[] = "PATH=/usr/bin:/bin", lang[] = "LANG=C.UTF-8", token[] = "API_TOKEN=x",
		    loader[] = "LD_PRELOAD=/x.so";
	static char *const callers[] = {path, lang, token, loader, NULL};

	if (policy_load(&c->policy, c->a, NULL, c->asked.policy, e) < 0 ||
		request_apply(&c->asked, &c->policy, c->a, e) < 0)
		return -1;
	find_files(c);
	c->input = (struct plan_input){.id = "06gzw6kxed68aspb",
		.argv = c->asked.argv,
		.environ = callers,
		.own_process_group = !c->resolved.console,
		.usual_priority = !flag_of(c->request, "nice", false),
		.capture_wanted = flag_of(c->request, "log", false) || c->policy.capture_log,
		.best_effort = c->asked.best_effort,
		.tty = c->asked.tty,
		.stdin_is_file = flag_of(c->request, "stdin_is_file", false),
		.isolated_base = 1000000000,
		.random = 2};
	c->policy.user_namespaces = flag_of(c->request, "user_namespaces", false);
	read_exec(c, &c->policy.exec);
	return plan_make(&c->plan, &c->policy, &c->found, &c->resolved, &c->input, c->a, e);
}

static void do_case(const char *name, golden_fn *check)
{
	static const char *const names[] = {"what", "request", "host", "files", NULL};
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	json_error_t fault;
	struct golden_case c = {.name = name, .a = &a};

	c.json = json_load_file(
		arena_printf(&a, "%s%s.json", golden_plans, name), JSON_REJECT_DUPLICATES, &fault);
	if (!c.json)
		fail_msg("%s: line %d: %s", name, fault.line, fault.text);
	known(&c, "case", c.json, names);
	c.request = json_object_get(c.json, "request");
	c.host = json_object_get(c.json, "host");
	c.files = json_object_get(c.json, "files");
	read_request(&c);
	read_host(&c);
	int made = make_plan(&c, &e);
	check(&c, made, &e);
	json_decref(c.json);
}

static int is_case(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');
	return dot && strcmp(dot, ".json") == 0;
}

void golden_for_each(golden_fn *check)
{
	struct dirent **entries;
	int n = scandir(golden_plans, &entries, is_case, alphasort);

	assert_true(n >= 30);
	for (int i = 0; i < n; i++) {
		char *name = entries[i]->d_name;
		name[strlen(name) - strlen(".json")] = 0;
		do_case(name, check);
		free(entries[i]);
	}
	free(entries);
}
