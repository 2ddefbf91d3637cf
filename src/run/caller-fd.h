/* SPDX-License-Identifier: MIT */
#ifndef RUN_CALLER_FD_H
#define RUN_CALLER_FD_H

#include <stdint.h>

/*
 * Waiting on descriptors that the caller has, too. Whether one blocks is a property of what is
 * open, not of the descriptor: making it non-blocking, as libuv does with all that it is given,
 * would show in the caller, and in all who have it from there.
 */

/*
 * The terminal or pipe @fd opened once more with @flags (O_RDONLY, …), non-blocking, for us alone;
 * close-on-exec. -1: it is something else, or may not be opened.
 */
int caller_fd_reopen(int fd, int flags);

/*
 * An epoll that is readable when @fd is ready for @events (EPOLLIN, …), which libuv may have.
 * -1 for what epoll does not take, and what is always ready: regular files and the like of
 * /dev/null.
 */
int caller_fd_watch(int fd, uint32_t events);

#endif
