/* SPDX-License-Identifier: MIT */
#ifndef RUN_TEST_ENGINE_H
#define RUN_TEST_ENGINE_H

/* (To be included after <cmocka.h> and what it needs.) */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/time.h"
#include "run/engine.h"

/*
 * An engine with real boxes, driven as a daemon drives it. At the end of each test no process, group,
 * descriptor or handle may be left.
 */
#define MAX_TOLD 4096

struct told {
	char id[RUN_ID_SIZE];
	struct buf output;
	unsigned begun, ended, gone;
	enum cause cause;
	int exit_code, term_signal;
	unsigned char confidence;
	size_t n_acts;
	uid_t cancel_uids[OBSERVATION_MAX_ACTS];
};

struct rig {
	uv_loop_t loop;
	struct engine *engine;
	char zygote[PATH_MAX];
	int n_fds;
	unsigned n_groups;
	bool stopped;
	struct told told[MAX_TOLD];
	size_t n_told;
};

extern struct rig rig;

static inline int rig_count_fds(void)
{
	int n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* Groups of this very process. */
unsigned rig_count_groups(void);
unsigned rig_count_children(void);

struct told *rig_told(const char *id);
/* As @options, with what is 0 there by default. */
void rig_open(const struct engine_options *options);
/* Stop, close, and look for what is left. */
void rig_close(void);
int rig_setup(void **state);
int rig_teardown(void **state);

/* Turn the loop until @done, for a minute at most. */
void rig_until(bool (*done)(void *data), void *data);

struct live *rig_run(const struct engine_request *request);
/* "sh -c SCRIPT", in @box or one of its own. Held. */
struct live *rig_sh(const char *box, const char *script);
/* Wait for its end, let it go. */
struct told *rig_end(struct live *l);
struct box *rig_box(const char *policy_text);
void rig_box_gone(struct box *b);

/* First of all in a test. */
#define NEEDS_ROOT()                                                                               \
	do {                                                                                       \
		if (getuid() != 0) {                                                               \
			print_message("only root may make groups and boxes everywhere\n");         \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

/* Until @l is in @state. */
void rig_reach(struct live *l, enum live_state state);
/* Until its output has @text. */
void rig_says(struct live *l, const char *text);
/* Until nothing happens for @ms. */
void rig_quiet(unsigned ms);
/* Nothing of a run that has ended is left, and what is made ahead is there. */
void rig_settle(void);
/* The pids of this process's children that are named @comm; how many. */
unsigned rig_find_children(const char *comm, pid_t *ret, unsigned room);

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

#endif
