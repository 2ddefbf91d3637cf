/* SPDX-License-Identifier: MIT */
#ifndef CLI_LEARN_FILES_H
#define CLI_LEARN_FILES_H

#include "model/exec-learn.h"
#include "model/plan.h"

/* The files of a box that is gone, as far as the host still has them. */
struct learn_files {
	const struct resolved *resolved; /* borrowed */
	const char *path; /* PATH of the box */
	int root;
};

/* 0, or -1 with @e. */
int learn_files_open(struct learn_files *f, const struct resolved *resolved,
	const struct strv *envp, struct error *e);
void learn_files_close(struct learn_files *f);
/* exec_learn_files.about; data is a struct learn_files. */
bool learn_files_about(void *data, const char *program, const struct exec_event *event,
	struct arena *a, const char **ret_why);

#endif
