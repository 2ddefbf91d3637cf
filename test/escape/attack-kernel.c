/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <linux/tty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"

/* Doors into the kernel that a box keeps shut, and the machine itself. */

static enum outcome io_uring(const char *arg)
{
	struct io_uring_params params = {0};

	(void)arg;
	return judge(syscall(SYS_io_uring_setup, 1, &params), "io_uring_setup");
}

static enum outcome bpf_map(const char *arg)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

	(void)arg;
	return judge(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)), "bpf map");
}

static enum outcome perf_event(const char *arg)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.exclude_kernel = 1};

	(void)arg;
	return judge(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0), "perf_event_open");
}

static enum outcome keyring(const char *arg)
{
	(void)arg;
	return judge(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0),
		"the user's keyring");
}

static enum outcome keyring_add(const char *arg)
{
	(void)arg;
	return judge(syscall(SYS_add_key, "user", "attack", "x", 1, KEY_SPEC_PROCESS_KEYRING),
		"a key of one's own");
}

static enum outcome userfault(const char *arg)
{
	(void)arg;
	return judge(syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd");
}

static enum outcome read_implies_exec(const char *arg)
{
	(void)arg;
	return judge(syscall(SYS_personality, READ_IMPLIES_EXEC), "personality READ_IMPLIES_EXEC");
}

static enum outcome unknown_call(const char *arg)
{
	long r = syscall(100000);

	(void)arg;
	return r == -1 && errno == ENOSYS ? stopped("ENOSYS") : worked("returned %ld", r);
}

/* ---- other system call tables: their numbers mean something else to the kernel ---- */

#ifdef __x86_64__
static void call_int80(void)
{
	long r = 20; /* getpid of i386 */

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
	_exit(r > 0 ? 1 : 2);
}

static void call_x32(void)
{
	_exit(syscall(0x40000000 | SYS_getpid) > 0 ? 1 : 2);
}

static enum outcome foreign(void (*call)(void), const char *what)
{
	int status = in_child(call);

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return stopped("%s: SIGSYS", what);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		return worked("%s", what);
	return not_applicable("%s: not in this kernel (wait status 0x%x)", what, status);
}

static enum outcome int80(const char *arg)
{
	(void)arg;
	return foreign(call_int80, "int 0x80");
}

static enum outcome x32(const char *arg)
{
	(void)arg;
	return foreign(call_x32, "an x32 call");
}
#else
static enum outcome int80(const char *arg)
{
	(void)arg;
	return not_applicable("not x86");
}
#define x32 int80
#endif

/* ---- the terminal ---- */

/* A terminal of our own as the controlling one: there the kernel itself has nothing against it. */
static int own_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
		return -1;
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (slave < 0 || (setsid() < 0 && errno != EPERM))
		return -1;
	return ioctl(slave, TIOCSCTTY, 0) == 0 ? slave : -1;
}

static void type_into_terminal(void)
{
	int fd = own_terminal();

	if (fd < 0)
		_exit(2);
	_exit(syscall(SYS_ioctl, fd, TIOCSTI, "x") == 0 ? 1 : 0);
}

/* The kernel looks at the low half of the number only. */
static void type_with_high_bits(void)
{
	int fd = own_terminal();

	if (fd < 0)
		_exit(2);
	_exit(syscall(SYS_ioctl, fd, TIOCSTI | 1ul << 32, "x") == 0 ? 1 : 0);
}

static enum outcome terminal(void (*type)(void), const char *what)
{
	int status = in_child(type);

	if (!WIFEXITED(status) || WEXITSTATUS(status) == 2)
		return not_applicable("no terminal can be made");
	return WEXITSTATUS(status) == 1 ? worked("%s", what) : stopped("%s", what);
}

static enum outcome tiocsti(const char *arg)
{
	(void)arg;
	return terminal(type_into_terminal, "typing into the terminal");
}

static enum outcome tiocsti_high(const char *arg)
{
	(void)arg;
	return terminal(type_with_high_bits, "typing with bit 32 set");
}

/* Nobody else could open it until the last one has closed it. */
static void make_exclusive(void)
{
	int fd = own_terminal();

	if (fd < 0)
		_exit(2);
	_exit(ioctl(fd, TIOCEXCL) == 0 ? 1 : 0);
}

/* Line disciplines are modules that the kernel loads for whoever asks. */
static void change_discipline(void)
{
	int fd = own_terminal(), hdlc = N_HDLC;

	if (fd < 0)
		_exit(2);
	_exit(ioctl(fd, TIOCSETD, &hdlc) == 0 || errno != EPERM ? 1 : 0);
}

static enum outcome tiocexcl(const char *arg)
{
	(void)arg;
	return terminal(make_exclusive, "a terminal for oneself");
}

static enum outcome tiocsetd(const char *arg)
{
	(void)arg;
	return terminal(change_discipline, "another line discipline");
}

static enum outcome tioclinux(const char *arg)
{
	char paste = 3;
	int r = ioctl(STDIN_FILENO, TIOCLINUX, &paste);

	(void)arg;
	if (r != 0 && errno == ENOTTY)
		return not_applicable("stdin is not a console");
	return judge(r, "TIOCLINUX");
}

/* ---- sockets ---- */

static enum outcome open_socket(int family, int type, int protocol, const char *what)
{
	int fd = socket(family, type, protocol);

	if (fd >= 0)
		close(fd);
	return judge(fd, what);
}

static enum outcome raw_socket(const char *arg)
{
	(void)arg;
	return open_socket(AF_INET, SOCK_RAW, 1, "a raw socket");
}

static enum outcome packet_socket(const char *arg)
{
	(void)arg;
	return open_socket(AF_PACKET, SOCK_RAW, 0, "a packet socket");
}

static enum outcome vsock(const char *arg)
{
	(void)arg;
	return open_socket(AF_VSOCK, SOCK_STREAM, 0, "a socket to the hypervisor");
}

static enum outcome alg_socket(const char *arg)
{
	(void)arg;
	return open_socket(AF_ALG, SOCK_SEQPACKET, 0, "AF_ALG");
}

static enum outcome netfilter(const char *arg)
{
	(void)arg;
	return open_socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, "netfilter");
}

/* Those that a program may honestly want; every other one is code that few have looked at. */
static bool is_common(int family)
{
	return family == AF_UNSPEC || family == AF_UNIX || family == AF_INET ||
		family == AF_INET6 || family == AF_NETLINK;
}

static enum outcome other_families(const char *arg)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_RDM};

	(void)arg;
	for (int family = 0; family < 64; family++) {
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && !is_common(family);
			i++) {
			if (socket(family, types[i] | SOCK_CLOEXEC, 0) >= 0)
				return worked("family %d, type %d", family, types[i]);
			if (socketpair(family, types[i], 0, (int[2]){0}) == 0)
				return worked("a pair of family %d, type %d", family, types[i]);
		}
	}
	return stopped("none but the common ones");
}

static enum outcome other_netlinks(const char *arg)
{
	(void)arg;
	for (int protocol = 1; protocol < 32; protocol++) {
		if (protocol == NETLINK_SOCK_DIAG || protocol == NETLINK_KOBJECT_UEVENT)
			continue;
		if (socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol) >= 0)
			return worked("netlink protocol %d", protocol);
	}
	return stopped("none but the common ones");
}

/* The kernel takes an int: what is above its 32 bits is for those who compare all 64. */
static enum outcome family_high_bits(const char *arg)
{
	(void)arg;
	return judge(syscall(SYS_socket, AF_NETLINK | 1ul << 32, SOCK_RAW, NETLINK_NETFILTER),
		"netfilter with bit 32 set");
}

/* ---- the machine ---- */

static enum outcome names_of_keys(const char *arg)
{
	char text[64];
	int fd = open("/proc/keys", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	(void)arg;
	if (getuid() != 0)
		return not_applicable("those are the caller's own");
	return n > 0 ? worked("/proc/keys lists some") : stopped("/proc/keys is empty");
}

static enum outcome kernel_log(const char *arg)
{
	(void)arg;
	return judge(klogctl(10, NULL, 0), "the size of the kernel's log");
}

static enum outcome load_module(const char *arg)
{
	long r = syscall(SYS_finit_module, -1, "", 0);

	(void)arg;
	return r != 0 && errno == EPERM ? stopped("finit_module: %s", strerror(errno))
					: worked("finit_module looked at its arguments");
}

/* Right magic and no such command: who may reboot is told EINVAL. */
static enum outcome restart(const char *arg)
{
	long r = syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, 0x7eadbeef, NULL);

	(void)arg;
	return r != 0 && errno == EPERM ? stopped("reboot: %s", strerror(errno))
					: worked("reboot would be heeded: %s", strerror(errno));
}

static enum outcome set_clock(const char *arg)
{
	/* An impossible time, so that not even success could change it. */
	struct timespec never = {.tv_sec = -1, .tv_nsec = -1};
	long r = syscall(SYS_clock_settime, CLOCK_REALTIME, &never);

	(void)arg;
	return r != 0 && errno == EPERM ? stopped("clock_settime: %s", strerror(errno))
					: worked("clock_settime looked at its arguments");
}

static enum outcome host_name(const char *arg)
{
	struct utsname name;

	(void)arg;
	uname(&name);
	return judge(sethostname(name.nodename, strlen(name.nodename)), "sethostname");
}

const struct attack kernel_attacks[] = {
	{"kernel-io-uring", io_uring, true},
	{"kernel-bpf", bpf_map, true},
	{"kernel-perf", perf_event, false},
	{"kernel-keyring", keyring, true},
	{"kernel-keyring-add", keyring_add, true},
	{"kernel-userfaultfd", userfault, true},
	{"kernel-personality", read_implies_exec, true},
	{"kernel-unknown-call", unknown_call, false},
	{"kernel-int80", int80, false},
	{"kernel-x32", x32, false},
	{"kernel-module", load_module, false},
	{"kernel-log", kernel_log, true},
	{"tty-tiocsti", tiocsti, true},
	{"tty-tiocsti-high-bits", tiocsti_high, true},
	{"tty-tioclinux", tioclinux, false},
	{"tty-exclusive", tiocexcl, true},
	{"tty-discipline", tiocsetd, true},
	{"socket-raw", raw_socket, true},
	{"socket-packet", packet_socket, false},
	{"socket-vsock", vsock, false},
	{"socket-alg", alg_socket, false},
	{"socket-netfilter", netfilter, false},
	{"socket-families", other_families, true},
	{"socket-netlinks", other_netlinks, true},
	{"socket-high-bits", family_high_bits, true},
	{"kernel-keys", names_of_keys, true},
	{"machine-reboot", restart, true},
	{"machine-clock", set_clock, false},
	{"machine-hostname", host_name, true},
	{NULL, NULL, false},
};
