/* SPDX-License-Identifier: MIT */
#ifndef RUN_TEST_TALK_SCENES_H
#define RUN_TEST_TALK_SCENES_H

#include "run/test-talk.h"

/* The bench of one test, its scene, and others beside it. */

static struct request nothing_asked;
static char text[65536];

static struct bench bench;
static struct scene scene, others[8];

static inline void setup_with(const struct request *request)
{
	scene = (struct scene){0};
	memset(others, 0, sizeof(others));
	bench_open(&bench, request);
}

static inline void setup(void **state)
{
	(void)state;
	setup_with(&nothing_asked);
}

/* A kept box whose first payload stays parked. */
static inline void open_kept(void)
{
	scene.keeps = true;
	act_open(&scene, &bench, -1);
	until_parked(&scene);
}

/* Away with it, and with its payload if that never ran. */
static inline void close_kept(void)
{
	if (!scene.running && !scene.failed) {
		talk_abort(&scene.talk);
		until_failed(&scene);
	}
	act_close(&scene);
	box_end(&scene.box);
	bench_close(&bench);
}

static inline int run_in(struct scene *act, const char *script)
{
	act_open(act, &bench, scene.box.init.pidfd);
	until_parked(act);
	int status = run_shell(act, script, text, sizeof(text));
	act_close(act);
	return status;
}

#endif
