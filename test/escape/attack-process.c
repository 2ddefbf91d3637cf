/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "attack.h"

/* Other processes, what they hold, and what this one may do. */

static enum outcome trace_init(const char *arg)
{
	(void)arg;
	return judge(ptrace(PTRACE_SEIZE, 1, 0, 0), "ptrace of pid 1");
}

static enum outcome fd_of_init(const char *arg)
{
	long pidfd = syscall(SYS_pidfd_open, 1, 0);

	(void)arg;
	if (pidfd < 0)
		return stopped("pidfd_open of pid 1: %s", strerror(errno));
	return judge(syscall(SYS_pidfd_getfd, pidfd, 0, 0), "a descriptor of pid 1");
}

static enum outcome environ_of_init(const char *arg)
{
	char text[256];
	int fd = open("/proc/1/environ", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	(void)arg;
	if (fd < 0)
		return stopped("/proc/1/environ: %s", strerror(errno));
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n <= 0)
		return stopped("/proc/1/environ: %s", n < 0 ? strerror(errno) : "empty");
	return worked("%zd bytes of pid 1's environment", n);
}

static enum outcome memory_of_init(const char *arg)
{
	(void)arg;
	return judge_open("/proc/1/mem", O_RDWR);
}

static enum outcome root_of_init(const char *arg)
{
	struct {
		const char *path;
	} links[] = {{"/proc/1/exe"}, {"/proc/1/cwd"}, {"/proc/1/root"}};
	char target[256];

	(void)arg;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (readlink(links[i].path, target, sizeof(target)) > 0)
			return worked("%s can be followed", links[i].path);
	}
	return stopped("links of pid 1: %s", strerror(errno));
}

static enum outcome files_of_init(const char *arg)
{
	DIR *d = opendir("/proc/1/fd");
	struct dirent *entry;
	int n = 0;

	(void)arg;
	if (d == NULL)
		return stopped("/proc/1/fd: %s", strerror(errno));
	while ((entry = readdir(d)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(d);
	return n > 0 ? worked("pid 1 has %d files open", n) : stopped("an empty /proc/1/fd");
}

/* Its program is bulkhead's own, which the next run starts. */
static enum outcome program_of_others(const char *arg)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	char path[300];

	(void)arg;
	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/exe", entry->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		int again = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
		close(fd);
		if (again >= 0)
			return worked("the program of process %s can be written", entry->d_name);
	}
	return stopped("no program can be written: %s", strerror(errno));
}

static enum outcome program_of_init(const char *arg)
{
	(void)arg;
	return judge_open("/proc/1/exe", O_RDONLY);
}

/* It ends the box if it works, and this process with it. */
static enum outcome kill_init(const char *arg)
{
	static const int signals[] = {SIGKILL, SIGTERM, SIGSTOP, SIGSEGV, SIGABRT};

	(void)arg;
	if (getppid() == 0 || getpid() == 1)
		for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
			kill(1, signals[i]);
	return kill(1, 0) == 0 || errno == EPERM ? stopped("it lives on")
						 : worked("kill: %s", strerror(errno));
}

static enum outcome score_of_init(const char *arg)
{
	(void)arg;
	return judge_open("/proc/1/oom_score_adj", O_WRONLY);
}

static enum outcome read_init(const char *arg)
{
	char here[16];
	struct iovec local = {here, sizeof(here)}, remote = {(void *)0x400000, sizeof(here)};

	(void)arg;
	if (syscall(SYS_process_vm_readv, 1, &local, 1, &remote, 1, 0) < 0 && errno == EPERM)
		return stopped("process_vm_readv: %s", strerror(errno));
	return worked("process_vm_readv looked: %s", strerror(errno));
}

/* In a box there are its init, this program and what started it. */
static enum outcome see_others(const char *arg)
{
	enum { FEW = 6 };
	DIR *d = opendir("/proc");
	struct dirent *entry;
	int n = 0;

	(void)arg;
	if (d == NULL)
		return stopped("/proc: %s", strerror(errno));
	while ((entry = readdir(d)) != NULL)
		n += isdigit((unsigned char)entry->d_name[0]) != 0;
	closedir(d);
	return n > FEW ? worked("%d processes are seen", n) : stopped("%d processes are seen", n);
}

static enum outcome signal_all(const char *arg)
{
	(void)arg;
	return judge(kill(-1, 0), "kill(-1, 0)");
}

static enum outcome signal_parent(const char *arg)
{
	pid_t parent = getppid();

	(void)arg;
	if (parent == 0)
		return stopped("the parent has no pid here");
	if (parent == 1)
		return stopped("the parent is the box's init");
	return judge(kill(parent, 0), "kill(getppid(), 0)");
}

/* Only who stands outside can tell what came of these: run with a witness in the process group. */
static enum outcome signal_group(const char *arg)
{
	signal(SIGUSR1, SIG_IGN);
	if (arg[0] == '\0')
		return not_applicable("no witness was given");
	if (kill(0, SIGUSR1) != 0)
		return stopped("kill(0): %s", strerror(errno));
	return stopped("sent: the witness tells");
}

/* A signal by way of a file's owner: F_SETOWN takes a process group too. */
static enum outcome signal_by_owner(const char *arg)
{
	int fds[2];

	signal(SIGUSR1, SIG_IGN);
	if (arg[0] == '\0')
		return not_applicable("no witness was given");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		return not_applicable("no socket: %s", strerror(errno));
	if (fcntl(fds[0], F_SETOWN, -getpgrp()) != 0 && fcntl(fds[0], F_SETOWN, getpgrp()) != 0)
		return stopped("F_SETOWN: %s", strerror(errno));
	if (fcntl(fds[0], F_SETSIG, SIGUSR1) != 0 ||
		fcntl(fds[0], F_SETFL, O_ASYNC | O_NONBLOCK) != 0)
		return stopped("F_SETSIG: %s", strerror(errno));
	return write(fds[1], "", 1) == 1 ? stopped("sent: the witness tells") : stopped("no write");
}

/* Whoever holds the other end of stdin is a process outside, and a socket can name it. */
static enum outcome signal_peer(const char *arg)
{
	enum { PEER_PIDFD = 77 }; /* SO_PEERPIDFD, 6.5 */
	int pidfd = -1;
	socklen_t size = sizeof(pidfd);

	(void)arg;
	if (getsockopt(STDIN_FILENO, SOL_SOCKET, PEER_PIDFD, &pidfd, &size) != 0)
		return errno == ENOTSOCK ? not_applicable("stdin is no socket")
					 : stopped("SO_PEERPIDFD: %s", strerror(errno));
	return judge(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0), "a signal to the peer");
}

/* ---- descriptors ---- */

/* A descriptor is opened anew with the rights of the mount that it came from: the host's. */
static enum outcome reopen_stdin(const char *arg)
{
	struct stat st;

	(void)arg;
	if (fstat(STDIN_FILENO, &st) != 0 || !S_ISREG(st.st_mode))
		return not_applicable("stdin is no file");
	return judge_open("/proc/self/fd/0", O_WRONLY);
}

static enum outcome above_stdin(const char *arg)
{
	struct stat st;

	(void)arg;
	if (fstat(STDIN_FILENO, &st) != 0 || !S_ISDIR(st.st_mode))
		return not_applicable("stdin is no directory");
	return judge(openat(STDIN_FILENO, "..", O_RDONLY | O_CLOEXEC), "stdin/..");
}

static enum outcome inherited(const char *arg)
{
	char path[64], target[256];

	(void)arg;
	for (int fd = 3; fd < 4096; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		return worked("descriptor %d is open: %s", fd, target);
	}
	return stopped("nothing above 2 is open");
}

/* ---- sockets of the host ---- */

static enum outcome connect_unix(const char *path, bool abstract)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t n = strlen(path), at = abstract ? 1 : 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (n == 0 || n + at >= sizeof(name.sun_path))
		return not_applicable("no socket was given");
	memcpy(name.sun_path + at, path, n);
	return judge(connect(fd, (struct sockaddr *)&name,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + at + n)),
		path);
}

static enum outcome abstract_socket(const char *arg)
{
	return connect_unix(arg, true);
}

static enum outcome path_socket(const char *arg)
{
	return connect_unix(arg, false);
}

static enum outcome tcp_socket(const char *arg)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(arg, NULL, 10))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (arg[0] == '\0')
		return not_applicable("no port was given");
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return judge(connect(fd, (struct sockaddr *)&name, sizeof(name)), "the host's loopback");
}

/* ---- privilege ---- */

static uint64_t status_hex(const char *name)
{
	char line[256];
	uint64_t value = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoull(line + strlen(name), NULL, 16);
	}
	if (f != NULL)
		fclose(f);
	return value;
}

static enum outcome capabilities(const char *arg)
{
	static const char *const sets[] = {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"};

	(void)arg;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		if (status_hex(sets[i]) != 0)
			return worked("%s %llx", sets[i], (unsigned long long)status_hex(sets[i]));
	}
	return stopped("all sets are empty");
}

static enum outcome new_privileges(const char *arg)
{
	(void)arg;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
		? stopped("no_new_privs is set")
		: worked("a set-user-ID program would give its owner's rights");
}

static enum outcome become_root(const char *arg)
{
	(void)arg;
	if (getuid() == 0)
		return not_applicable("is uid 0");
	return judge(setuid(0), "setuid(0)");
}

static enum outcome other_groups(const char *arg)
{
	gid_t group = 6;

	(void)arg;
	return judge(syscall(SYS_setgroups, 1, &group), "setgroups");
}

static enum outcome never_killed(const char *arg)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	(void)arg;
	return judge(fd < 0 ? -1 : write(fd, "-1000", 5), "oom_score_adj -1000");
}

static enum outcome more_nice(const char *arg)
{
	(void)arg;
	return judge(setpriority(PRIO_PROCESS, 0, -20), "nice -20");
}

static enum outcome real_time(const char *arg)
{
	struct sched_param param = {.sched_priority = 1};

	(void)arg;
	return judge(sched_setscheduler(0, SCHED_FIFO, &param), "SCHED_FIFO");
}

static enum outcome raise_limit(const char *arg)
{
	struct rlimit now, more;

	(void)arg;
	getrlimit(RLIMIT_NOFILE, &now);
	more = (struct rlimit){now.rlim_cur, now.rlim_max + 1};
	return judge(setrlimit(RLIMIT_NOFILE, &more), "a higher hard limit");
}

const struct attack process_attacks[] = {
	{"init-ptrace", trace_init, false},
	{"init-getfd", fd_of_init, false},
	{"init-environ", environ_of_init, false},
	{"init-mem", memory_of_init, false},
	{"init-links", root_of_init, false},
	{"init-fds", files_of_init, false},
	{"init-program", program_of_init, false},
	{"init-kill", kill_init, false},
	{"init-oom-score", score_of_init, true},
	{"init-read", read_init, false},
	{"process-programs", program_of_others, false},
	{"process-list", see_others, false},
	{"signal-all", signal_all, false},
	{"signal-parent", signal_parent, true},
	{"signal-group", signal_group, false},
	{"signal-owner", signal_by_owner, false},
	{"signal-peer", signal_peer, false},
	{"fd-inherited", inherited, false},
	{"fd-reopen", reopen_stdin, false},
	{"fd-above", above_stdin, false},
	{"socket-abstract", abstract_socket, false},
	{"socket-path", path_socket, false},
	{"socket-tcp", tcp_socket, false},
	{"privilege-capabilities", capabilities, true},
	{"privilege-setuid-program", new_privileges, false},
	{"privilege-setuid-0", become_root, false},
	{"privilege-setgroups", other_groups, true},
	{"privilege-oom-score", never_killed, false},
	{"privilege-nice", more_nice, true},
	{"privilege-real-time", real_time, false},
	{"privilege-rlimit", raise_limit, false},
	{NULL, NULL, false},
};
