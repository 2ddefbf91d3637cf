/* SPDX-License-Identifier: MIT */
#include "run/run.h"

#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/exec.h"
#include "cli/help.h"
#include "cli/learn.h"
#include "cli/options.h"
#include "run/prepare.h"
#include "store/exec-log.h"
#include "store/record.h"
#include "cli/verdict-file.h"
#include "run/group.h"

/* request → policy → plan → spawn → watch → verdict → record */

struct run {
	struct request request;
	struct prepared prepared;
	struct run_request execution; /* until it is settled */
	struct observation o;
	struct record record;
	struct verdict_file verdict_file;
	struct learn learn;
};

static void starting(void *data)
{
	struct run *run = data;
	group_janitor(&run->prepared.host.cgroup);
	record_begin(&run->record);
}

static void idle(void *data)
{
	record_idle(&((struct run *)data)->record);
}

static void output(void *data, int stream, const char *bytes, size_t size, uint64_t at_us)
{
	record_output(&((struct run *)data)->record, stream, bytes, size, at_us);
}

static void timeline(void *data, const struct timeline *t)
{
	record_timeline(&((struct run *)data)->record, t);
}

static int exec_log(void *data, uint64_t *ret_max_bytes)
{
	struct run *run = data;
	*ret_max_bytes = EXEC_LOG_MAX_BYTES;
	return learn_log(&run->learn, record_open_execs(&run->record));
}

static void fail_setup(struct run *run, const struct error *e, struct arena *a)
{
	run->o.setup = (struct setup_failure){.stage = SETUP_HOST,
		.errnum = e->errnum,
		.blame = e->blame,
		.what = arena_strdup(a, e->text)};
}

static void execute(struct run *run, uint64_t began_us, struct arena *a)
{
	run->execution = (struct run_request){
		.plan = &run->prepared.plan,
		.host = &run->prepared.host,
		.hooks = {run, starting, idle, output, timeline, exec_log},
		.began_us = began_us,
	};
	for (size_t i = 0; i < run->prepared.plan.notes.n; i++)
		log_verbose("note: %s", run->prepared.plan.notes.v[i]);
	run_execute(&run->o, &run->execution, a);
}

static void settle(void)
{
	struct error left = ERROR_INIT;
	run_settle(&left);
	if (left.blame != BLAME_NONE)
		log_line("warning: %s", left.text);
}

static int get_ready(struct run *run, struct arena *a, struct error *e)
{
	const struct prepare_caller us = prepare_caller_self();
	run_begin();
	if (prepare_policy(&run->prepared, &run->request, &us, a, e) < 0)
		return -1;
	learn_relax(&run->learn, &run->prepared.policy);
	run_network(run->prepared.policy.network == NETWORK_NONE);
	return prepare_plan(&run->prepared, &run->request, &us, a, e);
}

static int conclude(struct run *run, struct arena *a)
{
	struct verdict verdict;
	struct error e = ERROR_INIT;
	record_close_log(&run->record, &run->o);
	verdict_decide(&verdict, &run->o, a);
	const char *json = verdict_format_json(&verdict, &run->o, a);
	if (verdict_file_write(&run->verdict_file, json, strlen(json), &e) < 0)
		log_error("%s", e.text);
	record_end(&run->record, &verdict, &run->o, json, a);
	if (verdict.cause == CAUSE_SETUP_FAILED)
		log_error("%s", verdict_format_line(&verdict, a));
	else if (verdict.cause != CAUSE_OK)
		log_line("%s", verdict_format_line(&verdict, a));
	learn_write(&run->learn, &run->prepared, &run->request, &run->o, &verdict, &run->record);
	record_close(&run->record);
	return verdict.exit_status;
}

static int open_targets(struct run *run, struct arena *a, struct error *e)
{
	bool capture = run->prepared.plan.capture;
	return capture ? record_open_log(&run->record, run->request.log_dir, a, e) : 0;
}

int cli_run(int argc, char **argv)
{
	uint64_t began_us = time_monotonic_us();
	/* the run's strings live as long as the process: nothing is freed on the way out */
	static struct arena a;
	static struct run run;
	struct error e = ERROR_INIT;

	run_block_signals();
	run.verdict_file = VERDICT_FILE_INIT;
	run.learn = LEARN_INIT;
	int parsed = options_parse_run(&run.request, &a, argc, argv, &e);
	if (parsed != 0)
		return parsed > 0 ? help_print(COMMAND_RUN) : cli_fail(&e);
	if (run.request.box)
		return exec_in_box(&run.request, &a);
	options_set_verbosity(&run.request);
	if (run_check_descriptors(0, &e) < 0)
		return cli_fail(&e);
	if (run.request.verdict &&
		verdict_file_open(&run.verdict_file, run.request.verdict, &e) < 0)
		return cli_fail(&e);
	if (run.request.learn && learn_open(&run.learn, run.request.learn, &e) < 0)
		return cli_fail(&e);
	int ready = get_ready(&run, &a, &e);
	observation_begin(&run.o, &run.prepared, &run.request);
	bool ours = ready < 0 && e.blame != BLAME_HOST;
	record_init(&run.record, NULL, &run.o, !run.request.no_record && !ours);
	if (ready < 0 || open_targets(&run, &a, &e) < 0)
		fail_setup(&run, &e, &a);
	else
		execute(&run, began_us, &a);
	int status = conclude(&run, &a);
	settle();
	return status;
}
