/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_TEST_RIG_H
#define WARDEN_TEST_RIG_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "model/exec-event.h"
#include "model/policy.h"
#include "warden/wire.h"

/*
 * A warden in a process of its own, runs that it watches, and payloads under the filter: real processes, no box.
 * Everything that fails fails the test.
 */
struct rig {
	pid_t warden;
	int control;
};

/* @rules: "allow git", "deny: …" as in a policy, NULL-terminated; each may have "| hint". */
struct rig rig_start(enum exec_mode mode, bool default_allow, const char *const *rules);
/* Its end by the end of its control socket; asserts that it comes in time, and returns its wait status. */
int rig_stop(struct rig *rig);

struct rig_run {
	struct warden_board *board;
	int socket; /* the payload's end */
	int audit; /* a memfd */
	int stderr_fd; /* read end of the run's standard error */
	pid_t payload;
};
struct rig_run rig_add_run(struct rig *rig);
/* A child under the filter whose listener the warden has; it does @body, and exits with what that returns. */
void rig_launch(struct rig_run *run, int (*body)(void));
/* Its wait status. */
int rig_wait(struct rig_run *run);
void rig_end_run(struct rig_run *run);
/* Wait until @condition's counter is at least @n. */
void rig_until(const _Atomic uint64_t *counter, uint64_t n);
void rig_until_health(const struct rig_run *run, enum warden_health health);

/* The lines of exec.jsonl so far; strings in @a. */
size_t rig_events(const struct rig_run *run, struct arena *a, struct exec_event **ret);
/*
 * One run of @body, which has to return 0, under a warden of its own with @mode and @rules: what its board says in
 * the end.
 */
struct warden_board rig_run_body(enum exec_mode mode, const char *const *rules, int (*body)(void));

/* What came to standard error so far, without waiting. */
const char *rig_stderr(const struct rig_run *run, char *text, size_t size);

/*
 * Wardens and payloads that are started from now on do without what Linux 5.19 has brought: a received call is
 * interrupted by any signal, and its caller is interrupted when it has been answered.
 */
extern bool rig_is_old;

/* Bodies of payloads: what they return is their exit status, 0 when all was as it should be. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			dprintf(STDERR_FILENO, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__,       \
				#condition, errno);                                                \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

/* fork, exec of @argv, wait: the wait status, or -errno of the exec. For bodies. */
int run_program(const char *path, char *const argv[]);
int run_words(const char *path, ...) __attribute__((sentinel));

#endif
