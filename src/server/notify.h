/* SPDX-License-Identifier: MIT */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

/*
 * Tell who started us (sd_notify(3)): "READY=1", "STOPPING=1". Nothing is done without $NOTIFY_SOCKET;
 * that it fails is of no consequence to us.
 */
void notify(const char *state);

#endif
