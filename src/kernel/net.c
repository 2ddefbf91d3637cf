/* SPDX-License-Identifier: MIT */
#include <linux/if.h>
#include <linux/sockios.h>
#include <sys/socket.h>

#include "kernel/net.h"
#include "kernel/sys.h"

long net_loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	/* Any socket will do, see netdevice(7); this one needs no network protocol. */
	long fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return fd;
	r = sys_ioctl((int)fd, SIOCSIFFLAGS, SYS_PTR(&request));
	sys_close((int)fd);
	return r;
}
