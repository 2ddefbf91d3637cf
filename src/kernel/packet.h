/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PACKET_H
#define KERNEL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Packets of a SOCK_SEQPACKET socket, with descriptors (unix(7), SCM_RIGHTS). A packet is had whole or not at all. Usable
 * between clone and exec.
 */

/* What the longest of ours has: a request for a box (jail/wire.h). */
#define PACKET_MAX_FDS 44

struct packet_bytes {
	const void *data;
	size_t size;
};

/* Send one packet: @record, @words behind it (of size 0: none), @n descriptors. Does not wait: -EAGAIN. 0 or -errno. */
long packet_send(int socket, struct packet_bytes record, struct packet_bytes words, const int *fds,
	unsigned n);

struct packet {
	size_t size; /* 0: end of file */
	unsigned n_fds;
	int fds[PACKET_MAX_FDS];
	int32_t sender; /* pid, where the socket has SO_PASSCRED; else 0 */
	bool reset; /* the other end is closed, and has not read all that was sent to it */
};

/*
 * Take one packet of at most @size bytes. Its descriptors are close-on-exec and the caller's. Waits if @wait is set,
 * else -EAGAIN. Whatever is too long, has more descriptors than there was room for, or no bytes and is not the end, is
 * taken, and refused: -EPROTO. So it is where the process may have no more descriptors: -EMFILE; then @data and ret->size
 * are as they came, so that who has to answer knows to whom. Nothing is open then.
 */
long packet_receive(int socket, void *data, size_t size, bool wait, struct packet *ret);
void packet_close_fds(struct packet *p);

#endif
