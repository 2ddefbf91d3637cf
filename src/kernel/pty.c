/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/pty.h"
#include "kernel/sys.h"

/* A message of one byte with room for the two descriptors. */
struct message {
	struct msghdr header;
	struct iovec bytes;
	char byte;
	_Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(2 * sizeof(int))];
};

static void prepare(struct message *m)
{
	*m = (struct message){.bytes = {&m->byte, 1}};
	m->header = (struct msghdr){.msg_iov = &m->bytes,
		.msg_iovlen = 1,
		.msg_control = m->control,
		.msg_controllen = sizeof(m->control)};
}

static void close_both(const struct pty *pty)
{
	if (pty->master >= 0)
		sys_close(pty->master);
	if (pty->slave >= 0)
		sys_close(pty->slave);
}

long pty_open(const char *ptmx, struct pty *ret)
{
	const int flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
	int unlocked = 0;
	struct pty pty = PTY_INIT;
	pty.master = sys_openat(AT_FDCWD, ptmx, flags | O_NONBLOCK, 0);
	if (pty.master < 0)
		return pty.master;
	long r = sys_ioctl(pty.master, TIOCSPTLCK, SYS_PTR(&unlocked));
	if (r == 0)
		r = pty.slave = sys_ioctl(pty.master, TIOCGPTPEER, flags);
	if (r < 0) {
		close_both(&pty);
		return r;
	}
	*ret = pty;
	return 0;
}

long pty_put_look(int fd, const struct pty_look *look)
{
	long r = look->has_modes ? sys_ioctl(fd, TCSETS, SYS_PTR(look->modes)) : 0;
	return r < 0 ? r : sys_ioctl(fd, TIOCSWINSZ, SYS_PTR(&look->size));
}

long pty_control(int slave)
{
	long r = sys_setsid();
	return r < 0 ? r : pty_lead(slave);
}

long pty_lead(int slave)
{
	return sys_ioctl(slave, TIOCSCTTY, 0);
}

long pty_send(int socket, const struct pty *pty)
{
	struct message m;
	prepare(&m);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m.header);
	*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(2 * sizeof(int))};
	memcpy(CMSG_DATA(c), (const int[]){pty->master, pty->slave}, 2 * sizeof(int));
	ssize_t n = sys_sendmsg(socket, &m.header, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? n : 0;
}

long pty_receive(int socket, struct pty *ret)
{
	struct message m;
	int fds[2] = {-1, -1};
	prepare(&m);
	ssize_t n = sys_recvmsg(socket, &m.header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return n;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m.header);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(c),
			c->cmsg_len < CMSG_LEN(sizeof(fds)) ? sizeof(int) : sizeof(fds));
	struct pty pty = {fds[0], fds[1]};
	if (pty.slave < 0) {
		close_both(&pty);
		return m.header.msg_flags & MSG_CTRUNC ? -EMFILE : -EPROTO;
	}
	*ret = pty;
	return 0;
}
