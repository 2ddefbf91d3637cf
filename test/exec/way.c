/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"

/* Other ways into a foreign program than a path in the native system call. */

/* ---- files without a name: with a byte more, so that they are not just a known program's copy ---- */

static int nameless;

static void make_memfd(void)
{
	nameless = copy_to_fd(foreign, MUST(memfd_create("harmless", 0)), 1);
}

static void make_memfd_read_only(void)
{
	char path[64];

	make_memfd();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", nameless);
	nameless = MUST(open(path, O_RDONLY));
}

static void make_unlinked(void)
{
	copy_program(foreign, "unlinked", 0755, 1);
	nameless = MUST(open("unlinked", O_RDONLY));
	unlink("unlinked");
}

/* What is open for writing cannot be executed. */
static void make_temporary(void)
{
	char path[64];
	int fd = copy_to_fd(foreign, MUST(open(".", O_TMPFILE | O_RDWR, 0755)), 1);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	nameless = MUST(open(path, O_RDONLY));
	close(fd);
}

static void exec_empty_path(void)
{
	try_execveat(nameless, "", AT_EMPTY_PATH);
}

static void exec_by(const char *format, int a, int b)
{
	char *argv[] = {(char *)"harmless", (char *)"own", NULL};
	char path[128];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(path, sizeof(path), format, a, b);
#pragma GCC diagnostic pop
	try_exec(path, argv);
}

static void exec_proc_self_fd(void)
{
	exec_by("/proc/self/fd/%d", nameless, 0);
}

static void exec_dev_fd(void)
{
	exec_by("/dev/fd/%d", nameless, 0);
}

static void exec_proc_thread_fd(void)
{
	exec_by("/proc/thread-self/fd/%d", nameless, 0);
}

static void exec_parents_fd(void)
{
	exec_by("/proc/%d/fd/%d", (int)getppid(), nameless);
}

static void exec_proc_self_fd_at(void)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", nameless);
	try_execveat(MUST(open("/proc/self/fd", O_PATH | O_DIRECTORY)), name, 0);
}

/* A script whose interpreter is a descriptor. */
static void make_memfd_script(void)
{
	char text[64];

	make_memfd();
	snprintf(text, sizeof(text), "#!/proc/self/fd/%d\n", nameless);
	write_file("harmless", text, 0755);
}

static void exec_harmless(void)
{
	exec_by("./harmless", 0, 0);
}

/* ---- a descriptor that somebody else passes ---- */

static int post[2];

static void send_fd(int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec byte = {.iov_base = &control, .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	MUST(sendmsg(post[0], &message, 0));
}

static int receive_fd(void)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec word = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &word,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	int fd = -1;

	MUST(recvmsg(post[1], &message, 0));
	if (CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void make_post(void)
{
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, post));
}

static void pass_program(void)
{
	int fd = MUST(open(foreign, O_RDONLY));

	send_fd(fd);
	close(fd);
}

static void exec_passed(void)
{
	nameless = receive_fd();
	exec_empty_path();
}

static void exec_passed_by_path(void)
{
	nameless = receive_fd();
	exec_proc_self_fd();
}

static void open_foreign(void)
{
	nameless = MUST(open(foreign, O_PATH));
}

static void exec_below_root(void)
{
	try_execveat(MUST(open("/", O_PATH | O_DIRECTORY)), foreign + 1, 0);
}

/* ---- the dynamic loader as a program ---- */

static const char *loader(void)
{
	static const char *const known[] = {"/lib64/ld-linux-x86-64.so.2",
		"/lib/ld-linux-aarch64.so.1", "/lib64/ld-musl-x86_64.so.1"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (access(known[i], X_OK) == 0)
			return known[i];
	give_up("a dynamic loader");
}

static void exec_with_loader(const char *path)
{
	char *argv[] = {(char *)"harmless", foreign_dynamic, NULL};

	try_exec(path, argv);
}

static void exec_loader(void)
{
	exec_with_loader(loader());
}

static void copy_loader(void)
{
	copy_program(loader(), "harmless", 0755, 0);
}

static void exec_copied_loader(void)
{
	exec_with_loader("./harmless");
}

/* No copy by its bytes. */
static void change_loader(void)
{
	copy_program(loader(), "harmless", 0755, 1);
}

/* ---- what is loaded into a program that may be started ---- */

static void preload_by(const char *name, const char *value)
{
	char text[8192], *argv[] = {(char *)"own-dynamic", NULL}, *environment[] = {text, NULL};

	snprintf(text, sizeof(text), "%s=%s", name, value);
	syscall(SYS_execve, own_dynamic, argv, environment);
	shared->errnum = errno;
}

static void exec_preload(void)
{
	preload_by("LD_PRELOAD", preloaded);
}

/* A variable whose name becomes the loader's after it has been looked at: LD_PRELOXD. */
static char *variable;
#define VARYING 8

static void make_variable(void)
{
	variable = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (variable == MAP_FAILED)
		give_up("mmap");
	snprintf(variable, 8192, "LD_PRELOAD=%s", preloaded);
}

static void vary(void)
{
	*(volatile char *)&variable[VARYING] = 'A';
	for (volatile uint32_t wait = random_number(2000); wait > 0; wait--)
		;
	*(volatile char *)&variable[VARYING] = 'X';
	for (volatile uint32_t wait = random_number(2000); wait > 0; wait--)
		;
}

static void exec_with_variable(void)
{
	char *argv[] = {(char *)"own-dynamic", NULL}, *environment[] = {variable, NULL};

	syscall(SYS_execve, own_dynamic, argv, environment);
	shared->errnum = errno;
}

static void exec_audit(void)
{
	preload_by("LD_AUDIT", preloaded);
}

static void make_library(void)
{
	copy_program(preloaded, "libharmless.so", 0755, 0);
}

static void exec_library_path(void)
{
	preload_by("LD_LIBRARY_PATH", here("."));
}

const struct attack way_attacks[] = {
	{"memfd", false, .prepare = make_memfd, .child = exec_empty_path},
	{"memfd-proc", false, .prepare = make_memfd, .child = exec_proc_self_fd},
	{"memfd-read-only", false, .prepare = make_memfd_read_only, .child = exec_empty_path},
	{"memfd-dev-fd", false, .prepare = make_memfd, .child = exec_dev_fd},
	{"memfd-thread", false, .prepare = make_memfd, .child = exec_proc_thread_fd},
	{"memfd-parent", false, .prepare = make_memfd, .child = exec_parents_fd},
	{"memfd-at", false, .prepare = make_memfd, .child = exec_proc_self_fd_at},
	{"memfd-script", false, .prepare = make_memfd_script, .child = exec_harmless},
	{"unlinked", false, .prepare = make_unlinked, .child = exec_empty_path},
	{"unlinked-proc", false, .prepare = make_unlinked, .child = exec_proc_self_fd},
	{"temporary", false, .prepare = make_temporary, .child = exec_empty_path},
	{"temporary-proc", false, .prepare = make_temporary, .child = exec_proc_self_fd},
	{"empty-path", false, .prepare = open_foreign, .child = exec_empty_path},
	{"fd-path", false, .prepare = open_foreign, .child = exec_proc_self_fd},
	{"passed", false, .prepare = make_post, .child = exec_passed, .beside = pass_program},
	{"passed-path", false, .prepare = make_post, .child = exec_passed_by_path,
		.beside = pass_program},
	{"below-root", false, .child = exec_below_root},
	{"loader", false, .child = exec_loader},
	{"loader-copied", false, .prepare = copy_loader, .child = exec_copied_loader},
	{"loader-changed", false, .prepare = change_loader, .child = exec_copied_loader},
	{"preload", false, .child = exec_preload},
	{"preload-race", true, .prepare = make_variable, .child = exec_with_variable,
		.beside = vary},
	{"preload-audit", false, .child = exec_audit},
	{"preload-path", false, .prepare = make_library, .child = exec_library_path},
	{0},
};
