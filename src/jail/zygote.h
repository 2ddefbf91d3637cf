/* SPDX-License-Identifier: MIT */
#ifndef JAIL_ZYGOTE_H
#define JAIL_ZYGOTE_H

/*
 * The zygote: the process that does every clone for the daemon. It is small, so that a copy of it is
 * cheap; it knows no policy, keeps nothing of one request when it has answered it, waits for no
 * child (they are the daemon's), and ends when the socket does (docs/zygote-protocol.md).
 *
 * It is started with the socket as descriptor ZYGOTE_SOCKET and /dev/null as the three before it.
 * Returns the exit status: 0 when the daemon has closed the socket.
 */
int zygote_main(void);

#endif
