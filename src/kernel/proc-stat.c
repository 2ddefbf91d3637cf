/* SPDX-License-Identifier: MIT */
#include "kernel/proc-stat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

/* Places of the fields, from 1. */
enum {
	STATE = 3,
	PPID = 4,
	SESSION = 6,
	FLAGS = 9,
	UTIME = 14,
	STIME,
	CUTIME,
	CSTIME,
	STARTTIME = 22,
	RSS = 24,
};

/* One number and the blank or line end behind it; some are negative, none of ours. */
static bool take(const char **p, uint64_t *ret)
{
	char *end;
	if (**p != '-' && (**p < '0' || **p > '9'))
		return false;
	errno = 0;
	*ret = strtoull(*p, &end, 10);
	if (errno != 0 || (*end != ' ' && *end != '\n' && *end != '\0'))
		return false;
	*p = *end ? end + 1 : end;
	return true;
}

bool proc_stat_parse(const char *text, struct proc_stat *ret)
{
	uint64_t field[RSS + 1];
	const char *p = strrchr(text, ')');
	if (!p || p[1] != ' ' || p[2] == '\0' || p[2] == ' ' || p[3] != ' ')
		return false;
	char state = p[2];
	p += 4;
	for (int i = STATE + 1; i <= RSS; i++)
		if (!take(&p, &field[i]))
			return false;
	*ret = (struct proc_stat){
		.state = state,
		.ppid = (pid_t)field[PPID],
		.session = (pid_t)field[SESSION],
		.flags = (unsigned)field[FLAGS],
		.utime = field[UTIME],
		.stime = field[STIME],
		.cutime = field[CUTIME],
		.cstime = field[CSTIME],
		.starttime = field[STARTTIME],
		.rss = field[RSS],
	};
	return true;
}

bool proc_stat_read(int proc, pid_t pid, struct proc_stat *ret)
{
	char path[32], text[1024];
	snprintf(path, sizeof(path), "%s%d/stat", proc < 0 ? "/proc/" : "", (int)pid);
	if (file_read_text(proc, path, text, sizeof(text)) < 0)
		return false;
	if (proc_stat_parse(text, ret))
		return true;
	errno = ESRCH;
	return false;
}
