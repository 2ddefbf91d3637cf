/* SPDX-License-Identifier: MIT */
#ifndef MODEL_WORDS_H
#define MODEL_WORDS_H

#include "model/facts.h"

/*
 * Phrases that verdicts are made of; all in the facts' arena. What came from the program or the
 * kernel (names, paths) is hostile and shown with control bytes and invalid UTF-8 as \xNN.
 */

/* "SIGKILL", "signal 40". */
const char *words_signal(struct arena *a, int signal);
/* "64 MiB" and the like; returns "" for a limit that is not set. */
const char *words_limit(const struct facts *f, enum limit limit);
/*
 * The same for a limit of each process; for one that bulkhead had itself "64 MiB (inherited: ulimit -v)".
 */
const char *words_bound(const struct facts *f, enum limit limit);
const char *words_size(struct arena *a, uint64_t bytes);
const char *words_duration(struct arena *a, uint64_t us);
/* At most @max bytes of @s ("…" if there were more), visible; "" for NULL. */
const char *words_visible(struct arena *a, const char *s, size_t max);
/* "python3[12]"; without the number if @pid is 0, "a process" if both are unknown. */
const char *words_process(struct arena *a, const char comm[17], pid_t pid);
/* "python3[12] and 3 more"; "a process" when no victim was seen. */
const char *words_victims(const struct facts *f);
/* The system call that was denied: "getpid (x32)". */
const char *words_call(const struct facts *f);
/* Where the OOM killer came: "at its own memory limit of 64 MiB", … */
const char *words_oom_place(const struct facts *f);
/* How the payload ended: "exited with 1", "died of SIGSEGV (signal 11)", … */
const char *words_end(const struct facts *f);
/* What became of it after our deciding act: "SIGTERM did not end it, SIGKILL did", … */
const char *words_end_of_act(const struct facts *f);
/* enforced_by_name(), "none" for what is none of them. */
const char *words_enforcer(enum enforced_by by);
/* " after 0.41 s". */
const char *words_after(const struct facts *f);

#endif
