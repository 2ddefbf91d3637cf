/* SPDX-License-Identifier: MIT */
#include "cli/option-table.h"

#include <assert.h>

#include "model/request.h"

static const char *const oom_words[] = {"group", "process", NULL};
static const char *const user_words[] = {"self", "isolated", NULL};
static const char *const net_words[] = {"none", "host", NULL};
static const char *const stream_words[] = {"stdout", "stderr", NULL};

#define RUN       (OPTION_FOR(COMMAND_RUN) | OPTION_FOR(COMMAND_PLAN))
#define BOX       (RUN | OPTION_FOR(COMMAND_BOX_CREATE)) /* what makes a box */
#define IN_BOX    (RUN | OPTION_FOR(COMMAND_EXEC)) /* what a run may have in one that is made */
#define BOTH      (BOX | OPTION_FOR(COMMAND_EXEC))
#define ENDS      (OPTION_FOR(COMMAND_BOX_RM) | OPTION_FOR(COMMAND_KILL))
#define ATTACH    OPTION_FOR(COMMAND_ATTACH)
#define SERVE     OPTION_FOR(COMMAND_SERVE)
#define RUNS_ONLY OPTION_FOR(COMMAND_RUNS)
#define LOGS_ONLY OPTION_FOR(COMMAND_LOGS)
#define SHOW_ONLY OPTION_FOR(COMMAND_SHOW)
#define EXPLAIN   OPTION_FOR(COMMAND_EXPLAIN)
#define WITH_JSON                                                                                  \
	(OPTION_FOR(COMMAND_PLAN) | OPTION_FOR(COMMAND_DOCTOR) | OPTION_FOR(COMMAND_RUNS) |        \
		OPTION_FOR(COMMAND_SHOW) | OPTION_FOR(COMMAND_LOGS) |                              \
		OPTION_FOR(COMMAND_EXPLAIN) | OPTION_FOR(COMMAND_POLICY) |                         \
		OPTION_FOR(COMMAND_BOX_LIST))
#define ANY      (OPTION_FOR(COMMAND_COUNT_) - 1)
#define FIELD(f) offsetof(struct request, f)

const struct option_spec option_table[] = {
	{"policy", 0, OPTION_POLICY, "NAME|FILE", "start from this policy (default: default)",
		OPTIONS_LIMITS, BOX, .field = FIELD(policy)},
	{"memory", 0, OPTION_LIMIT, "SIZE", "memory of the whole run", OPTIONS_LIMITS, BOTH,
		.field = LIMIT_MEMORY},
	{"swap", 0, OPTION_LIMIT, "SIZE", "swap beyond that; 0 for none", OPTIONS_LIMITS, BOTH,
		.field = LIMIT_SWAP},
	{"cpus", 0, OPTION_LIMIT, "N", "CPUs, also a fraction: 0.5", OPTIONS_LIMITS, BOTH,
		.field = LIMIT_CPUS},
	{"pids", 0, OPTION_LIMIT, "N", "processes and threads", OPTIONS_LIMITS, BOTH,
		.field = LIMIT_PIDS},
	{"timeout", 0, OPTION_LIMIT, "DUR", "wall time", OPTIONS_LIMITS, BOTH,
		.field = LIMIT_TIMEOUT},
	{"cpu-time", 0, OPTION_LIMIT, "DUR", "CPU time of the whole run", OPTIONS_LIMITS, BOTH,
		.field = LIMIT_CPU_TIME},
	{"idle-timeout", 0, OPTION_LIMIT, "DUR", "time without any output", OPTIONS_LIMITS, BOTH,
		.field = LIMIT_IDLE_TIMEOUT},
	{"output-limit", 0, OPTION_LIMIT, "SIZE", "stdout and stderr together", OPTIONS_LIMITS,
		BOTH, .field = LIMIT_OUTPUT},
	{"file-size", 0, OPTION_LIMIT, "SIZE", "any one file that is written", OPTIONS_LIMITS, BOTH,
		.field = LIMIT_FILE_SIZE},
	{"tmp-size", 0, OPTION_LIMIT, "SIZE", "the private /tmp", OPTIONS_LIMITS, BOX,
		.field = LIMIT_TMP_SIZE},
	{"nofile", 0, OPTION_LIMIT, "N", "open files of each process", OPTIONS_LIMITS, BOTH,
		.field = LIMIT_NOFILE},
	{"address-space", 0, OPTION_LIMIT, "SIZE", "virtual memory of each process", OPTIONS_LIMITS,
		BOTH, .field = LIMIT_ADDRESS_SPACE},
	{"oom", 0, OPTION_OOM, "group|process",
		"at the memory limit end the whole run (default), or leave it to the kernel's "
		"victim",
		OPTIONS_LIMITS, BOTH, .choices = oom_words},
	{"grace", 0, OPTION_GRACE, "DUR", "between TERM and KILL (default: 2s)", OPTIONS_LIMITS,
		BOTH},
	{"best-effort", 0, OPTION_FLAG, NULL, "run also if the host cannot enforce a limit",
		OPTIONS_LIMITS, BOTH, .field = FIELD(best_effort)},

	{"read", 0, OPTION_BIND, "PATH[:DEST]", "show PATH, read-only, at DEST", OPTIONS_FILES, BOX,
		.repeatable = true, .field = FIELD(read)},
	{"write", 0, OPTION_BIND, "PATH[:DEST]", "show PATH, writable, at DEST", OPTIONS_FILES, BOX,
		.repeatable = true, .field = FIELD(write)},
	{"hide", 0, OPTION_HIDE, "PATH", "make PATH unreadable", OPTIONS_FILES, BOX,
		.repeatable = true, .field = FIELD(hide)},
	{"tmpfs", 0, OPTION_TMPFS, "PATH", "an empty directory in memory at PATH", OPTIONS_FILES,
		BOX, .repeatable = true, .field = FIELD(tmpfs)},
	{"root", 0, OPTION_DIR, "DIR", "use DIR as the root file system", OPTIONS_FILES, BOX,
		.field = FIELD(root)},
	{"workdir", 0, OPTION_DIR, "DIR", "start in DIR (default: where you are)", OPTIONS_FILES,
		BOTH, .field = FIELD(workdir)},

	{"env", 0, OPTION_ENV, "K=V|K", "set K to V, or pass K on whatever the policy says",
		OPTIONS_SURROUNDINGS, BOTH, .repeatable = true},
	{"unset", 0, OPTION_UNSET, "K", "remove K; '*' at an end stands for any text",
		OPTIONS_SURROUNDINGS, BOX, .repeatable = true, .field = FIELD(env.unset)},
	{"clear-env", 0, OPTION_FLAG, NULL, "pass on nothing but what --env says",
		OPTIONS_SURROUNDINGS, BOX, .field = FIELD(env.clear)},
	{"user", 0, OPTION_USER, "self|isolated|UID[:GID]",
		"who the program is: you, a uid of its own, or this one", OPTIONS_SURROUNDINGS, BOX,
		.choices = user_words},
	{"net", 0, OPTION_NET, "none|host", "no network, or the host's", OPTIONS_SURROUNDINGS, BOX,
		.choices = net_words},
	{"tty", 't', OPTION_FLAG, NULL, "give the program a terminal of its own",
		OPTIONS_SURROUNDINGS, IN_BOX, .field = FIELD(tty)},

	{"box", 0, OPTION_BOX, "BOX", "run it in this box, which the daemon keeps",
		OPTIONS_SURROUNDINGS, OPTION_FOR(COMMAND_RUN), .field = FIELD(box)},

	{"key", 0, OPTION_KEY, "KEY", "a name of yours for runs that belong together",
		OPTIONS_OUTPUT, IN_BOX, .field = FIELD(key)},
	{"verdict", 0, OPTION_VERDICT, "FILE|fd:N", "write the verdict, as JSON, there",
		OPTIONS_OUTPUT, IN_BOX | ATTACH, .field = FIELD(verdict)},
	{"log", 0, OPTION_DIR, "DIR", "capture the output, and keep it in DIR", OPTIONS_OUTPUT, RUN,
		.field = FIELD(log_dir)},
	{"learn", 0, OPTION_FILE, "FILE",
		"refuse nothing of what is executed, and write a policy there that allows it",
		OPTIONS_OUTPUT, OPTION_FOR(COMMAND_RUN), .field = FIELD(learn)},
	{"no-record", 0, OPTION_FLAG, NULL, "write no record of the run", OPTIONS_OUTPUT, RUN,
		.field = FIELD(no_record)},
	{"quiet", 0, OPTION_FLAG, NULL, "say nothing of how the run ended", OPTIONS_OUTPUT,
		BOTH | ATTACH, .field = FIELD(quiet)},
	{"verbose", 0, OPTION_FLAG, NULL, "say what is done", OPTIONS_OUTPUT, BOTH,
		.field = FIELD(verbose)},
	{"limit", 0, OPTION_OWN_VALUE, "N", "the newest N runs (default: 50; 0: all)",
		OPTIONS_OUTPUT, RUNS_ONLY},
	{"cause", 0, OPTION_OWN_VALUE, "CAUSE", "runs that ended for this cause", OPTIONS_OUTPUT,
		RUNS_ONLY},
	{"key", 0, OPTION_OWN_VALUE, "KEY", "runs that were given this key", OPTIONS_OUTPUT,
		RUNS_ONLY},
	{"stream", 0, OPTION_OWN_VALUE, "stdout|stderr", "only what was written there",
		OPTIONS_OUTPUT, LOGS_ONLY, .choices = stream_words},
	{"raw", 0, OPTION_OWN_FLAG, NULL, "every byte as it was, also to a terminal",
		OPTIONS_OUTPUT, LOGS_ONLY},
	{"html", 0, OPTION_OWN_FLAG, NULL, "write a page that stands alone, with plots",
		OPTIONS_OUTPUT, SHOW_ONLY},
	{"execs", 0, OPTION_OWN_FLAG, NULL,
		"show what was executed, as a tree, instead of the verdict", OPTIONS_OUTPUT,
		SHOW_ONLY},
	{"exit", 0, OPTION_OWN_VALUE, "N", "what this exit status or signal may mean",
		OPTIONS_OUTPUT, EXPLAIN},
	{"now", 0, OPTION_OWN_FLAG, NULL, "kill at once, without a grace time", OPTIONS_OUTPUT,
		ENDS},
	{"stdin", 0, OPTION_OWN_FLAG, NULL, "send standard input to the run", OPTIONS_OUTPUT,
		ATTACH},
	{"socket", 0, OPTION_OWN_PATH, "PATH", "listen at this Unix socket", OPTIONS_OUTPUT, SERVE},
	{"listen", 0, OPTION_OWN_VALUE, "[ADDR:]PORT", "listen there too, with TCP", OPTIONS_OUTPUT,
		SERVE},
	{"token-file", 0, OPTION_OWN_PATH, "FILE", "what TCP clients have to know", OPTIONS_OUTPUT,
		SERVE},
	{"state", 0, OPTION_OWN_PATH, "DIR", "keep the records there", OPTIONS_OUTPUT, SERVE},
	{"pool", 0, OPTION_OWN_POLICY, "POLICY", "keep boxes of this policy ready", OPTIONS_OUTPUT,
		SERVE, .repeatable = true},
	{"max-runs", 0, OPTION_OWN_VALUE, "N", "runs at the same time", OPTIONS_OUTPUT, SERVE},
	{"max-boxes", 0, OPTION_OWN_VALUE, "N", "boxes at the same time", OPTIONS_OUTPUT, SERVE},
	{"max-queue", 0, OPTION_OWN_VALUE, "N", "runs of one user that wait", OPTIONS_OUTPUT,
		SERVE},
	{"max-connections", 0, OPTION_OWN_VALUE, "N", "connections of one user", OPTIONS_OUTPUT,
		SERVE},
	{"memory", 0, OPTION_OWN_VALUE, "SIZE", "what all limits together may promise",
		OPTIONS_OUTPUT, SERVE},
	{"quiet", 0, OPTION_OWN_FLAG, NULL, "say nothing but what goes wrong", OPTIONS_OUTPUT,
		SERVE},
	{"verbose", 0, OPTION_OWN_FLAG, NULL, "say what is done", OPTIONS_OUTPUT, SERVE},
	{"json", 0, OPTION_OWN_FLAG, NULL, "write JSON, for programs", OPTIONS_OUTPUT, WITH_JSON},
	{"help", 'h', OPTION_HELP, NULL, "show this", OPTIONS_OUTPUT, ANY},
};

const size_t option_table_size = sizeof(option_table) / sizeof(option_table[0]);
static_assert(sizeof(option_table) / sizeof(option_table[0]) <= 64, "struct option_scan's seen");

bool option_takes_value(const struct option_spec *o)
{
	return o->metavar != NULL;
}

const char *option_group_title(enum option_group group)
{
	static const char *const titles[] = {
		[OPTIONS_LIMITS] = "Policy and limits",
		[OPTIONS_FILES] = "Files",
		[OPTIONS_SURROUNDINGS] = "Environment, user, network, terminal",
		[OPTIONS_OUTPUT] = "Verdict, record and messages",
	};
	static_assert(sizeof(titles) / sizeof(titles[0]) == OPTIONS_GROUP_COUNT_, "titles");

	return titles[group];
}
