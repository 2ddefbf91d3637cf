/* SPDX-License-Identifier: MIT */
#include "model/policy-keys.h"

#include <assert.h>
#include <string.h>

#include "base/time.h"

#define MINUTE (60 * US_PER_SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const char *const oom_words[] = {"group", "process", NULL};
static const char *const cwd_words[] = {"write", "read", NULL};
static const char *const network_words[] = {"none", "host", NULL};
static const char *const user_words[] = {"self", "isolated", NULL};
static const char *const exec_words[] = {"off", "audit", "enforce", NULL};
static const char *const default_words[] = {"deny", "allow", NULL};
static const char *const serve_words[] = {"once", "forks", NULL};
static const char *const switch_words[] = {"off", "on", NULL};
static_assert(OOM_GROUP == 0 && OOM_COUNT_ == 2, "oom_words is in this order");
static_assert(CWD_WRITE == 0 && CWD_COUNT_ == 2, "cwd_words is in this order");
static_assert(NETWORK_NONE == 0 && NETWORK_COUNT_ == 2, "network_words is in this order");
static_assert(USER_SELF == 0 && USER_ISOLATED == 1, "user_words is in this order");
static_assert(EXEC_OFF == 0 && EXEC_AUDIT == 1 && EXEC_COUNT_ == 3, "exec_words is in this order");
static_assert(SERVE_ONCE == 0 && SERVE_COUNT_ == 2, "serve_words is in this order");

#define AT(path)  .offset = offsetof(struct policy, path), .member = #path
#define LIMIT(id) .kind = KEY_LIMIT, .limit = (id), .nullable = true, AT(limits.v[id])

const struct policy_section policy_sections[] = {
	{"limits", "What the run may use. null is no limit."},
	{"filesystem",
		"What the run sees of the file system. All of it is read-only but for what "
		"is listed here."},
	{"env", "The environment: the caller's, less what is unset, and then what is set."},
	{"exec", "Which programs may be executed."},
	{"syscalls", "Changes to the deny-list of system calls."},
	{"retry", "Whether and how a run that failed is tried again."},
	{"breaker", "When runs of the same key are no longer tried."},
	{"pool", "Boxes that are made ready before they are asked for."},
	{"capture", "What is kept of a run besides its verdict."},
	{NULL, NULL},
};

const struct policy_key policy_keys[] = {
	{"limits", "memory", LIMIT(LIMIT_MEMORY),
		.help = "Memory of the whole run; at least 1 MiB."},
	{"limits", "swap", LIMIT(LIMIT_SWAP), .help = "Swap beyond the memory; 0 is none."},
	{"limits", "cpus", LIMIT(LIMIT_CPUS), .help = "How many CPUs' time it may use at once."},
	{"limits", "pids", LIMIT(LIMIT_PIDS), .help = "Processes and threads at the same time."},
	{"limits", "timeout", LIMIT(LIMIT_TIMEOUT), .help = "Wall time."},
	{"limits", "cpu_time", LIMIT(LIMIT_CPU_TIME), .help = "CPU time of the whole run."},
	{"limits", "idle_timeout", LIMIT(LIMIT_IDLE_TIMEOUT),
		.help = "Time without any output. Output is captured to see it."},
	{"limits", "output", LIMIT(LIMIT_OUTPUT),
		.help = "Bytes of stdout and stderr together; more ends the run."},
	{"limits", "file_size", LIMIT(LIMIT_FILE_SIZE), .help = "Size of any one file written."},
	{"limits", "tmp_size", LIMIT(LIMIT_TMP_SIZE),
		.help = "Size of the private /tmp. What lies in it counts as memory."},
	{"limits", "nofile", LIMIT(LIMIT_NOFILE),
		.help = "Open files of each process; at least 4."},
	{"limits", "address_space", LIMIT(LIMIT_ADDRESS_SPACE),
		.help = "Virtual memory of each process; at least 1 MiB."},
	{"limits", "oom", KEY_CHOICE, AT(limits.oom), .choices = oom_words,
		.help = "What ends at the memory limit: the whole run, or only the kernel's "
			"victim."},
	{"limits", "grace", KEY_DURATION, AT(limits.grace_us), .max = HOUR,
		.help = "Time between asking it to end (TERM) and killing it."},

	{"filesystem", "root", KEY_STRING, AT(filesystem.root), .item = ITEM_ROOT, .nullable = true,
		.help = "The root file system: / or the directory of another one. null: an empty "
			"one, "
			"with what read and write name."},
	{"filesystem", "write", KEY_BINDS, AT(filesystem.write), .item = ITEM_BIND,
		.inherits = true, .help = "What it may write, PATH or PATH:DEST."},
	{"filesystem", "read", KEY_BINDS, AT(filesystem.read), .item = ITEM_BIND, .inherits = true,
		.help = "What else it may read, PATH or PATH:DEST: from outside the root, at "
			"another "
			"place, or below what is hidden."},
	{"filesystem", "hide", KEY_STRINGS, AT(filesystem.hide), .item = ITEM_HIDE,
		.inherits = true,
		.help = "What it must not see. A '*' may end the last component. What does not "
			"exist "
			"is skipped."},
	{"filesystem", "tmpfs", KEY_STRINGS, AT(filesystem.tmpfs), .item = ITEM_PATH,
		.inherits = true, .help = "Empty, writable directories in memory."},
	{"filesystem", "cwd", KEY_CHOICE, AT(filesystem.cwd), .choices = cwd_words,
		.help = "What it may do with the working directory."},

	{NULL, "network", KEY_CHOICE, AT(network), .choices = network_words,
		.help = "none: loopback only. host: the host's network."},
	{NULL, "user", KEY_USER, AT(user), .choices = user_words,
		.help = "Who it runs as: the caller, a uid range of its own, or UID[:GID]."},

	{"env", "set", KEY_ENV, AT(env), .item = ITEM_NAME, .inherits = true,
		.help = "Variables to set. Numbers are taken as written; other values that are not "
			"strings are refused."},
	{"env", "unset", KEY_STRINGS, AT(env.unset), .item = ITEM_PATTERN, .inherits = true,
		.help = "Variables to drop. A '*' at the beginning, at the end or both stands for "
			"any "
			"text, and the letters' case is then ignored."},
	{"env", "clear", KEY_BOOL, AT(env.clear), .help = "Drop all variables of the caller."},

	{"exec", "mode", KEY_CHOICE, AT(exec.mode), .choices = exec_words,
		.help = "off: no rules apply. audit: they are only noted. enforce: they decide."},
	{"exec", "default", KEY_FLAG, AT(exec.default_allow), .choices = default_words,
		.help = "What happens to a program that no rule names."},
	{"exec", "builtin", KEY_FLAG, AT(exec.builtin), .choices = switch_words,
		.help = "The built-in deny rules: what ends the machine, changes its kernel, "
			"writes "
			"to its disks or leaves the box."},
	{"exec", "rules", KEY_RULES, AT(exec), .inherits = true,
		.help = "Rules, each {allow: COMMAND} or {deny: COMMAND, hint: TEXT}. They come "
			"before "
			"those of the policy that is extended."},

	{"syscalls", "deny", KEY_STRINGS, AT(syscalls_deny), .item = ITEM_SYSCALL, .inherits = true,
		.help = "System calls to deny as well: NAME, or NAME:ACTION with EPERM, EACCES, "
			"ENOSYS "
			"or kill."},
	{"syscalls", "allow", KEY_STRINGS, AT(syscalls_allow), .item = ITEM_SYSCALL,
		.inherits = true, .help = "System calls to take off the built-in deny-list."},
	{"syscalls", "user_namespaces", KEY_BOOL, AT(user_namespaces),
		.help = "Let the program make namespaces of its own, and mount in them: what "
			"browsers and bubblewrap need for a sandbox inside."},

	{"retry", "attempts", KEY_NUMBER, AT(retry.attempts), .min = 1, .max = 100,
		.help = "How often it is tried, the first time included."},
	{"retry", "on", KEY_STRINGS, AT(retry.on), .item = ITEM_OUTCOME,
		.help = "What is worth another try: causes, or the verdict's advice (same, later, "
			"larger)."},
	{"retry", "backoff", KEY_DURATION, AT(retry.backoff_us), .max = DAY,
		.help = "Time before the second try; it doubles from try to try."},
	{"retry", "max_backoff", KEY_DURATION, AT(retry.max_backoff_us), .max = DAY,
		.help = "The longest time between two tries."},
	{"retry", "grow", KEY_FACTOR, AT(retry.grow_milli), .min = 1000, .max = 100 * 1000,
		.help = "Factor for the limit that was hit, when the advice was larger."},
	{"retry", "grow_max", KEY_SIZE, AT(retry.grow_max_bytes), .min = 1, .max = 1ull << 50,
		.nullable = true, .help = "Memory beyond which no limit grows."},

	{"breaker", "key", KEY_STRING, AT(breaker.key), .nullable = true,
		.help = "What runs are counted under. null: no breaker and no cooldown."},
	{"breaker", "cooldown", KEY_DURATION, AT(breaker.cooldown_us), .min = 1000, .max = 30 * DAY,
		.nullable = true,
		.help = "Time after a failure in which runs of the key are refused."},
	{"breaker", "on", KEY_STRINGS, AT(breaker.on), .item = ITEM_OUTCOME,
		.help = "What counts as a failure: causes, or the verdict's advice."},
	{"breaker", "threshold", KEY_NUMBER, AT(breaker.threshold), .max = 1000000,
		.help = "Failures within the window that open the breaker; 0 is never."},
	{"breaker", "window", KEY_DURATION, AT(breaker.window_us), .min = 1000, .max = 30 * DAY,
		.help = "The time in which failures are counted."},

	{"pool", "size", KEY_NUMBER, AT(pool.size), .max = 1024,
		.help = "Boxes kept ready; with serve: forks forks."},
	{"pool", "preload", KEY_STRINGS, AT(pool.preload), .nullable = true,
		.help = "Command and arguments to run in each box while it waits."},
	{"pool", "serve", KEY_CHOICE, AT(pool.serve), .choices = serve_words,
		.help = "once: each box is for one run. forks: the preload command runs in one "
			"box, "
			"and each run is a fork of it there."},

	{"capture", "log", KEY_BOOL, AT(capture_log), .help = "Keep stdout and stderr."},
	{"capture", "messages", KEY_STRING, AT(capture_messages), .nullable = true,
		.help = "A file below the working directory whose lines are kept as messages."},
};
const size_t policy_keys_count = sizeof policy_keys / sizeof *policy_keys;

const struct policy_key *policy_key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < policy_keys_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		bool same = section && key->section ? strcmp(section, key->section) == 0
						    : section == key->section;
		if (same && strcmp(key->name, name) == 0)
			return key;
	}
	return NULL;
}
