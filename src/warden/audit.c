/* SPDX-License-Identifier: MIT */
#include "warden/audit.h"

#include <unistd.h>

#include "base/fd.h"

void audit_init_take(struct audit *audit, int fd, uint64_t max_bytes)
{
	*audit = (struct audit){.fd = fd, .max_bytes = max_bytes};
}

void audit_fini(struct audit *audit)
{
	audit->fd = fd_close(audit->fd);
}

bool audit_tell(struct audit *audit, const struct exec_event *event, struct buf *line)
{
	if (audit->fd < 0)
		return true;
	buf_clear(line);
	if (audit->torn)
		buf_putc(line, '\n');
	exec_event_format(event, line);
	if (line->size > audit->max_bytes - audit->bytes)
		return false;
	ssize_t n = write(audit->fd, line->data, line->size);
	if (n <= 0)
		return false;
	audit->bytes += (uint64_t)n;
	audit->torn = (size_t)n < line->size;
	return !audit->torn;
}
