/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_WARDEN_H
#define WARDEN_WARDEN_H

/*
 * All that bulkhead-warden does: serve the control socket that is descriptor WARDEN_CONTROL (warden/wire.h). Returns its exit
 * status: 0 ended in good order; 1 it could not begin; 2 had to give up waiting for calls in flight.
 */
int warden_main(void);

#endif
