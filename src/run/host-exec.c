/* SPDX-License-Identifier: MIT */
#include "run/host-exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "base/fd.h"
#include "kernel/notify.h"
#include "kernel/probe.h"
#include "run/warden.h"

#define YAMA_SCOPE "/proc/sys/kernel/yama/ptrace_scope"

static void refuse(struct host_exec *x, const char *why, const char *remedy)
{
	*x = (struct host_exec){.why = why, .remedy = remedy};
}

/* At 3 nobody may trace anybody until the next boot; below that an owner may who lives in his namespaces. */
static bool yama_forbids(void)
{
	char text[8];
	return file_read_text(AT_FDCWD, YAMA_SCOPE, text, sizeof(text)) > 0 && text[0] == '3';
}

static void ask(struct host_exec *x, struct arena *a)
{
	char path[PATH_MAX];
	struct error e = ERROR_INIT;
	if (notify_probe() < 0)
		refuse(x, "the kernel has no seccomp user notification (Linux 5.0)", NULL);
	else if (yama_forbids())
		refuse(x, "Yama forbids all tracing (kernel.yama.ptrace_scope = 3)",
			"set kernel.yama.ptrace_scope to 2 or less in /etc/sysctl.d, and reboot");
	else if (warden_find(path, &e) < 0)
		refuse(x, arena_strdup(a, e.text), "install bulkhead with its libexec directory");
}

static void try_it(struct host_exec *x, struct arena *a)
{
	bool listener;
	int errnum = probe_exec(&listener);
	if (errnum == 0)
		return;
	if (!listener && errnum == EBUSY)
		refuse(x, "whoever started bulkhead listens to its system calls already",
			"run it outside of that (a container runtime, WSL2 with mirrored "
			"networking)");
	else
		refuse(x,
			arena_printf(a, "%s: %s",
				listener ? "a process in a box cannot be traced"
					 : "a filter's listener cannot be had",
				errno_text(errnum)),
			NULL);
}

void host_check_exec(struct host *h, struct arena *a, bool deep)
{
	h->exec = (struct host_exec){.usable = true};
	ask(&h->exec, a);
	if (deep && h->exec.usable && h->userns.usable)
		try_it(&h->exec, a);
}
