/* SPDX-License-Identifier: MIT */
#include "warden/warden.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "warden/control.h"
#include "warden/coordinator.h"
#include "warden/self.h"

static bool is_socket(int fd)
{
	int type;
	socklen_t size = sizeof(type);
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
		fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

int warden_main(void)
{
	static struct coordinator c; /* large */
	struct error e = ERROR_INIT;
	if (!is_socket(WARDEN_CONTROL)) {
		fputs("bulkhead-warden: bulkhead starts it; it is of no use on its own\n", stderr);
		return 1;
	}
	if (self_confine(&e) < 0 || coordinator_init_take(&c, WARDEN_CONTROL, &e) < 0 ||
		self_restrict(&e) < 0) {
		control_answer(WARDEN_CONTROL, &e);
		return 1;
	}
	int status = coordinator_run(&c);
	coordinator_fini(&c);
	return status;
}
