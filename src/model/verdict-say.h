/* SPDX-License-Identifier: MIT */
#ifndef MODEL_VERDICT_SAY_H
#define MODEL_VERDICT_SAY_H

#include "model/facts.h"
#include "model/verdict.h"

/*
 * One function for each kind of cause: the summary, and how sure it is. "certain" rests on a kernel
 * counter or on our own recorded act; a summary that is only "likely" says what it is inferred from.
 */
void say_ok(struct verdict *v, const struct facts *f);
void say_exit_nonzero(struct verdict *v, const struct facts *f);
void say_crash(struct verdict *v, const struct facts *f);
void say_memory_limit(struct verdict *v, const struct facts *f);
void say_memory_above(struct verdict *v, const struct facts *f);
void say_memory_host(struct verdict *v, const struct facts *f);
void say_memory_sampled(struct verdict *v, const struct facts *f);
void say_memory_daemon(struct verdict *v, const struct facts *f);
void say_wall_timeout(struct verdict *v, const struct facts *f);
void say_idle_timeout(struct verdict *v, const struct facts *f);
void say_cpu_act(struct verdict *v, const struct facts *f);
void say_cpu_signal(struct verdict *v, const struct facts *f);
void say_output_limit(struct verdict *v, const struct facts *f);
void say_address_space(struct verdict *v, const struct facts *f);
void say_pids_limit(struct verdict *v, const struct facts *f);
void say_disk_limit(struct verdict *v, const struct facts *f);
void say_file_size_limit(struct verdict *v, const struct facts *f);
void say_syscall_denied(struct verdict *v, const struct facts *f);
void say_cancelled(struct verdict *v, const struct facts *f);
void say_shutdown(struct verdict *v, const struct facts *f);
void say_external_kill(struct verdict *v, const struct facts *f);
void say_unseen_external(struct verdict *v, const struct facts *f);
void say_not_found(struct verdict *v, const struct facts *f);
void say_not_executable(struct verdict *v, const struct facts *f);
void say_setup_failed(struct verdict *v, const struct facts *f);
void say_unknown(struct verdict *v, const struct facts *f);

/* ---- what they have in common ---- */

#define PATH_SHOWN 300

void say_sure(struct verdict *v, bool sure);
/* Our own act is certain, but for an OOM kill that may have come before it. */
void say_sure_of_act(struct verdict *v, const struct facts *f);
/* " of 64 MiB", or nothing for a limit that the observation does not have. */
const char *say_of_limit(const struct facts *f, enum limit limit);

#endif
