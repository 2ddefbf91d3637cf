/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PTY_H
#define KERNEL_PTY_H

#include <stdbool.h>
#include <sys/ioctl.h>

/*
 * Pseudoterminals, pty(7). They belong to the devpts that their ptmx is in, and are named there
 * only; a descriptor works anywhere. All of it may be called between clone and exec: results are 0
 * or -errno, and nothing blocks.
 */
struct pty {
	int master; /* non-blocking */
	int slave;
};

#define PTY_INIT ((struct pty){-1, -1})

/* How a terminal is to be when a program first sees it. */
struct pty_look {
	struct winsize size;
	bool has_modes; /* else the kernel's own */
	_Alignas(8) unsigned char modes[64]; /* the kernel's struct termios (TCGETS), 36 bytes */
};

/* Open a pair by the file @ptmx of a devpts; the slave by descriptor (TIOCGPTPEER, Linux 4.13). */
long pty_open(const char *ptmx, struct pty *ret);

/* Modes and size of the terminal @fd are from now on those of @look. */
long pty_put_look(int fd, const struct pty_look *look);

/*
 * A new session for this process, with @slave as its controlling terminal. EPERM: it leads a
 * process group already.
 */
long pty_control(int slave);
/* @slave becomes the controlling terminal of the session that this process leads. */
long pty_lead(int slave);

/* Pass copies of both ends on over a Unix socket (SCM_RIGHTS). */
long pty_send(int socket, const struct pty *pty);

/*
 * What pty_send() has sent, close-on-exec; -EAGAIN if nothing has come yet, -EMFILE if there was
 * no room for descriptors, -EPROTO for anything that is no pair of them. On failure none is open.
 */
long pty_receive(int socket, struct pty *ret);

#endif
