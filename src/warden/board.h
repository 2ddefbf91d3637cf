/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_BOARD_H
#define WARDEN_BOARD_H

#include "base/error.h"
#include "model/exec-event.h"
#include "warden/wire.h"

/*
 * The warden's end of a run's board (warden/wire.h): written here alone, read by the supervisor at any time, so each
 * text is there before the bit that says so.
 */

/* Map the memfd @fd, which must be sealed against shrinking. NULL with @e: it is not what was agreed. */
struct warden_board *board_map(int fd, struct error *e);
void board_unmap(struct warden_board *board); /* NULL: nothing */

void board_set_health(struct warden_board *board, enum warden_health health);

/*
 * Count one exec that ended. One that was refused or killed becomes an incident as well, of the payload too if
 * @payload; @hint may be NULL.
 */
void board_tell(
	struct warden_board *board, const struct exec_event *event, const char *hint, bool payload);

#endif
