/* SPDX-License-Identifier: MIT */
#ifndef RUN_DEADLINE_H
#define RUN_DEADLINE_H

#include <uv.h>

/*
 * For the callback of a timer that would decide that somebody is late: have @late decide, when events have had
 * their turn. libuv has timers before events: who was kept from the CPU finds both, and what had happened in
 * time is not to be taken for late. Whatever stops @timer, or starts it again, ends that, too.
 */
void deadline_after_events(uv_timer_t *timer, uv_timer_cb late);

#endif
