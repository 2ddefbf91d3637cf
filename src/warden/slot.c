/* SPDX-License-Identifier: MIT */
#include "warden/slot.h"

#include "base/fd.h"
#include "warden/board.h"

void slot_tell(
	struct slot *slot, const struct exec_event *event, const char *advice, struct buf *line)
{
	bool payload = event->pid == slot->payload && !slot->payload_started;
	board_tell(slot->board, event, advice, payload);
	if (event->outcome == EXEC_STARTED && payload)
		slot->payload_started = true;
	if (event->enforced && (event->outcome == EXEC_REFUSED || event->outcome == EXEC_KILLED))
		hint_tell(&slot->hint, event, advice, line);
	if (!audit_tell(&slot->audit, event, line))
		atomic_fetch_add_explicit(&slot->board->audit_dropped, 1, memory_order_release);
}

void slot_release(struct slot *slot)
{
	slot->socket = fd_close(slot->socket);
	slot->listener = fd_close(slot->listener);
	audit_fini(&slot->audit);
	hint_fini(&slot->hint);
}
