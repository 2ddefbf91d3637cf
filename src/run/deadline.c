/* SPDX-License-Identifier: MIT */
#include "run/deadline.h"

/*
 * With 0 it would be due within the same turn, before any event. With 1 it might be, too: the clock is rounded down
 * to milliseconds, and another timer's callback may set it anew.
 */
#define A_TURN_MS 2

void deadline_after_events(uv_timer_t *timer, uv_timer_cb late)
{
	uv_update_time(timer->loop);
	uv_timer_start(timer, late, A_TURN_MS, 0);
}
