/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "store/exec-log.h"
#include "store/record.h"

int record_open_execs(struct record *r)
{
	struct error e = ERROR_INIT;

	if (!r->wanted || r->execs >= 0)
		return r->execs;
	cleanup_fd int dir = record_run_dir(r, &e);
	if (dir >= 0)
		r->execs = exec_log_create(dir);
	if (dir >= 0 && r->execs < 0)
		error_set(&e, BLAME_HOST, errno, "cannot make '" EXEC_LOG_NAME "'");
	if (r->execs < 0)
		log_line("warning: the execs of this run are not kept: %s", e.text);
	return r->execs;
}

uint64_t record_close_execs(struct record *r)
{
	struct stat st = {.st_size = 0};

	if (r->execs >= 0)
		fstat(r->execs, &st);
	r->execs = fd_close(r->execs);
	return (uint64_t)st.st_size;
}
