/* SPDX-License-Identifier: MIT */
#include "cli/downlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* ---- one frame ---- */

static bool is_output(enum attach_kind kind)
{
	return kind == ATTACH_STDOUT || kind == ATTACH_STDERR;
}

static void consume(struct downlink *d, size_t size)
{
	d->at += size;
	d->size -= size;
}

/* False if the caller has to read first. */
static bool pass_on(struct downlink *d, size_t size)
{
	struct sink *s = &d->sink[d->frame.kind == ATTACH_STDERR];
	size_t n = sink_write(s, d->at, size, &d->lost);
	consume(d, n);
	d->left -= n;
	d->blocked = n < size ? s : NULL;
	return !d->blocked;
}

/* The body of a frame that is no output is whole. */
static void act_on(struct downlink *d)
{
	struct buf *into = d->frame.kind == ATTACH_VERDICT ? &d->verdict
		: d->frame.kind == ATTACH_PROBLEM          ? &d->problem
							   : NULL;
	if (d->frame.kind == ATTACH_GAP)
		d->gap_bytes += attach_number_decode((const unsigned char *)d->gathered.data, 8);
	if (into) {
		buf_fini(into);
		*into = d->gathered;
		d->gathered = BUF_INIT;
	}
	buf_clear(&d->gathered);
	d->ended = d->frame.kind == ATTACH_VERDICT;
}

static bool take_body(struct downlink *d)
{
	size_t size = d->left < d->size ? d->left : d->size;
	if (is_output(d->frame.kind))
		return pass_on(d, size);
	buf_add(&d->gathered, d->at, size);
	consume(d, size);
	d->left -= size;
	if (d->left == 0)
		act_on(d);
	return true;
}

static int take_head(struct downlink *d, struct error *e)
{
	size_t missing = ATTACH_HEAD_SIZE - d->head_size;
	size_t size = missing < d->size ? missing : d->size;
	memcpy(d->head + d->head_size, d->at, size);
	d->head_size += size;
	consume(d, size);
	if (d->head_size < ATTACH_HEAD_SIZE)
		return 0;
	d->head_size = 0;
	if (!attach_head_decode(&d->frame, ATTACH_DAEMON, d->head))
		return error_set(e, BLAME_HOST, 0, "the daemon sends what makes no sense");
	d->left = d->frame.size;
	if (d->left == 0 && !is_output(d->frame.kind))
		act_on(d);
	return 0;
}

/* ---- all of them ---- */

static int take(struct downlink *d, struct error *e)
{
	while (d->size > 0 && !d->ended) {
		if (d->left == 0) {
			if (take_head(d, e) < 0)
				return -1;
		} else if (!take_body(d)) {
			break;
		}
	}
	return 0;
}

static int read_more(struct downlink *d, struct error *e)
{
	ssize_t n = recv(d->fd, d->buffer, sizeof(d->buffer), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return error_set(e, BLAME_HOST, n < 0 && errno != ECONNRESET ? errno : 0,
			"the daemon has closed the connection");
	d->at = d->buffer;
	d->size = (size_t)n;
	return 0;
}

int downlink_go_on(struct downlink *d, bool readable, struct error *e)
{
	if (readable && downlink_reads(d) && read_more(d, e) < 0)
		return -1;
	return take(d, e);
}

bool downlink_reads(const struct downlink *d)
{
	return d->size == 0;
}

int downlink_open(struct downlink *d, int fd, const struct buf *early, struct error *e)
{
	memset(d, 0, offsetof(struct downlink, buffer));
	d->fd = fd;
	sink_open(&d->sink[0], 1);
	sink_open(&d->sink[1], 2);
	if (early->size > sizeof(d->buffer))
		return error_set(e, BLAME_US, 0, "too much came with the answer");
	memcpy(d->buffer, early->size ? early->data : "", early->size);
	d->at = d->buffer;
	d->size = early->size;
	return take(d, e);
}

void downlink_close(struct downlink *d)
{
	sink_close(&d->sink[0]);
	sink_close(&d->sink[1]);
	buf_fini(&d->verdict);
	buf_fini(&d->problem);
	buf_fini(&d->gathered);
}
