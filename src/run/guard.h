/* SPDX-License-Identifier: MIT */
#ifndef RUN_GUARD_H
#define RUN_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * What keeps the supervisor at work on a host that has too little of everything. It must not reach
 * the program: a box that the OOM killer passes over, or one that could make it do so, would be an
 * attack on everything else on the host.
 *
 * Against the OOM killer it therefore does something only when the program has a memory of its own,
 * that is after the exec: init, which shares ours, is protected with us by the same act, and the
 * program has what the caller had, the value and the bound below it, because nobody has changed
 * either.
 */

/*
 * Wait less for a CPU where many want one. Without it a box full of processes keeps its own deadline
 * from being seen. Not by priority: who makes us copy much output would have that for himself. To be
 * called when the maker has been cloned, whose children would have it too.
 */
void guard_turns(void);

/* A short run is not worth the while. */
#define GUARD_AFTER_US 10000

/*
 * Have the OOM killer look elsewhere, as far as we may: an ordinary user may not, and nothing is
 * done nor said, and so where it cannot be known whether @payload (0: it is reaped) has come to its
 * exec. False: it has not; ask again.
 */
bool guard_memory(pid_t payload);

#endif
