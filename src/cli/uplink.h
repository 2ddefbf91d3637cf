/* SPDX-License-Identifier: MIT */
#ifndef CLI_UPLINK_H
#define CLI_UPLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "model/attach-frame.h"

/*
 * What goes to the daemon while a run is attached: the caller's stdin and the size of its terminal's
 * window. One frame at a time; the caller is read when the last one has been sent. Signals go
 * another way (docs/api.md), since a program that does not read holds all this up.
 */
struct uplink {
	int fd; /* borrowed; -1: the daemon takes nothing any more */
	int input; /* stdin, or our own opening of it; -1: it has ended, or is not wanted */
	bool input_own;
	bool end_due; /* the end of stdin is still to be told */
	bool size_due; /* the window's size is */
	size_t at, size;
	unsigned char frame[ATTACH_HEAD_SIZE + 32768];
};

/* @with_stdin: send it; else the run gets nothing, and no end. */
void uplink_open(struct uplink *u, int fd, bool with_stdin);
void uplink_close(struct uplink *u);

/* What the caller's terminal says of its window; all 0 if there is none. */
struct winsize uplink_window(void);
/* Tell the window's size, now and whenever this is called again. */
void uplink_tell_size(struct uplink *u);
/* Read stdin no more: the program does not. */
void uplink_stop_input(struct uplink *u);

/* What is waited for: the connection to take the frame, or stdin. */
bool uplink_sends(const struct uplink *u);
bool uplink_reads(const struct uplink *u);
/* Go on as far as can be without blocking; @readable: stdin is, or it has ended. */
void uplink_go_on(struct uplink *u, bool readable);

#endif
