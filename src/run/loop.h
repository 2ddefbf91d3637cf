/* SPDX-License-Identifier: MIT */
#ifndef RUN_LOOP_H
#define RUN_LOOP_H

#include <uv.h>

/*
 * The event loop of a process of ours, one that has its waits whatever others use up.
 *
 * The kernel counts the watches of epoll(7) for each user (fs.epoll.max_user_watches), of whom a box with the
 * caller's uid is a part: a program there can use up all. libuv takes a watch that it is refused for a fault of its own
 * and calls abort(). So the calls of epoll that it makes are ours (loop.c defines them, for all of the program), and
 * for this loop a watch that the kernel has no room or memory for is kept here, and waited for with ppoll(2). Every
 * other epoll instance is told of the refusal, as ever.
 */

/* uv_loop_init(), of the one loop of the process that is to be like that: the last one opened. 0 or UV_E…. */
int loop_open(uv_loop_t *loop);

/* How many descriptors are waited for with ppoll(2) now. */
size_t loop_spares(void);

#endif
