/* SPDX-License-Identifier: MIT */
#include "cli/uplink.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "run/caller-fd.h"

/* ---- frames ---- */

/* The frame whose body, of @size bytes, is in its place already. */
static void put_frame(struct uplink *u, enum attach_kind kind, size_t size)
{
	attach_head_encode(&(struct attach_head){kind, size}, u->frame);
	u->at = 0;
	u->size = ATTACH_HEAD_SIZE + size;
}

static int find_size_fd(void)
{
	struct winsize size;
	for (int fd = 0; fd < 3; fd++)
		if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
			return fd;
	return -1;
}

struct winsize uplink_window(void)
{
	struct winsize size = {0};
	int fd = find_size_fd();
	if (fd >= 0)
		ioctl(fd, TIOCGWINSZ, &size);
	return size;
}

static void put_size(struct uplink *u)
{
	struct winsize size = uplink_window();
	u->size_due = false;
	if (!size.ws_row || !size.ws_col)
		return;
	attach_number_encode(size.ws_row, u->frame + ATTACH_HEAD_SIZE, 2);
	attach_number_encode(size.ws_col, u->frame + ATTACH_HEAD_SIZE + 2, 2);
	put_frame(u, ATTACH_RESIZE, 4);
}

static void put_end(struct uplink *u)
{
	u->end_due = false;
	put_frame(u, ATTACH_STDIN_END, 0);
}

static void read_input(struct uplink *u)
{
	ssize_t n =
		read(u->input, u->frame + ATTACH_HEAD_SIZE, sizeof(u->frame) - ATTACH_HEAD_SIZE);
	if (n > 0) {
		put_frame(u, ATTACH_STDIN, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	uplink_stop_input(u);
	u->end_due = true;
}

/* ---- sending ---- */

static void give_up(struct uplink *u)
{
	uplink_stop_input(u);
	u->fd = -1;
	u->size = 0;
}

/* That the daemon has gone is seen, and said, by the other direction. */
static void send_some(struct uplink *u)
{
	ssize_t n = send(u->fd, u->frame + u->at, u->size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		give_up(u);
	if (n <= 0)
		return;
	u->at += (size_t)n;
	u->size -= (size_t)n;
}

bool uplink_sends(const struct uplink *u)
{
	return u->fd >= 0 && (u->size > 0 || u->size_due || u->end_due);
}

bool uplink_reads(const struct uplink *u)
{
	return u->fd >= 0 && u->input >= 0 && u->size == 0 && !u->end_due;
}

void uplink_go_on(struct uplink *u, bool readable)
{
	if (readable && uplink_reads(u))
		read_input(u);
	if (u->fd >= 0 && u->size == 0 && u->size_due)
		put_size(u);
	else if (u->fd >= 0 && u->size == 0 && u->end_due)
		put_end(u);
	if (u->fd >= 0 && u->size > 0)
		send_some(u);
}

/* ---- begin and end ---- */

void uplink_tell_size(struct uplink *u)
{
	u->size_due = u->fd >= 0;
}

void uplink_stop_input(struct uplink *u)
{
	if (u->input_own)
		fd_close(u->input);
	u->input = -1;
	u->input_own = false;
	u->end_due = false;
}

void uplink_open(struct uplink *u, int fd, bool with_stdin)
{
	int own = with_stdin ? caller_fd_reopen(0, O_RDONLY) : -1;
	u->fd = fd;
	u->input_own = own >= 0;
	u->input = own >= 0 ? own : with_stdin ? 0 : -1;
	u->end_due = u->size_due = false;
	u->at = u->size = 0;
}

void uplink_close(struct uplink *u)
{
	give_up(u);
}
