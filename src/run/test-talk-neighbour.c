/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kernel/sys.h"
#include "run/test-talk.h"

/*
 * What a program in a kept box can do to a payload that is parked beside it, and to the zygote's own
 * program. The neighbour is this file's program again, run in the box: each attack says "yes" or why
 * not, first to a victim of its own, where it has to work.
 */

static char self[PATH_MAX], self_dir[PATH_MAX];
static struct request request;
static char text[65536];
static struct bench bench;
static struct scene box, runs[2];

/* ---- the neighbour ---- */

struct attack {
	const char *name;
	long (*try)(pid_t victim, int pidfd); /* 0: it works; else -errno */
};

static long try_open(pid_t victim, const char *name, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)victim, name);
	int fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static long try_mem(pid_t victim, int pidfd)
{
	(void)pidfd;
	return try_open(victim, "mem", O_RDWR);
}

static long try_environ(pid_t victim, int pidfd)
{
	(void)pidfd;
	return try_open(victim, "environ", O_RDONLY);
}

static long try_fd(pid_t victim, int pidfd)
{
	(void)pidfd;
	return try_open(victim, "fd/0", O_RDWR);
}

static long try_root(pid_t victim, int pidfd)
{
	(void)pidfd;
	return try_open(victim, "root", O_RDONLY);
}

static long try_cwd(pid_t victim, int pidfd)
{
	(void)pidfd;
	return try_open(victim, "cwd", O_RDONLY);
}

static long try_maps(pid_t victim, int pidfd)
{
	(void)pidfd;
	return try_open(victim, "maps", O_RDONLY);
}

static long try_exe(pid_t victim, int pidfd)
{
	(void)pidfd;
	return try_open(victim, "exe", O_RDONLY);
}

static long try_attach(pid_t victim, int pidfd)
{
	(void)pidfd;
	if (ptrace(PTRACE_SEIZE, victim, NULL, NULL) < 0)
		return -errno;
	ptrace(PTRACE_INTERRUPT, victim, NULL, NULL);
	waitpid(victim, NULL, __WALL);
	ptrace(PTRACE_DETACH, victim, NULL, NULL);
	return 0;
}

static long try_read(pid_t victim, int pidfd)
{
	static char here[16];
	struct iovec to = {here, sizeof(here)}, from = {here, sizeof(here)};
	(void)pidfd;
	/* the address need not be one of the victim's: EFAULT comes after the permission */
	return process_vm_readv(victim, &to, 1, &from, 1, 0) < 0 && errno != EFAULT ? -errno : 0;
}

static const struct attack attacks[] = {
	{"mem", try_mem},
	{"environ", try_environ},
	{"fd", try_fd},
	{"root", try_root},
	{"cwd", try_cwd},
	{"maps", try_maps},
	{"exe", try_exe},
	{"ptrace", try_attach},
	{"vm_readv", try_read},
};
#define N_ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

static void attack_one(const char *whom, pid_t victim)
{
	for (size_t i = 0; i < N_ATTACKS; i++)
		printf("%s %s %s\n", whom, attacks[i].name,
			attacks[i].try(victim, -1) == 0 ? "yes" : "no");
}

/* Its own child first; then every pid that is no process of its own. */
static int be_attacker(pid_t last)
{
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	attack_one("child", child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (pid_t pid = 1; pid <= last; pid++)
		if (pid != getpid())
			attack_one("parked", pid);
	return 0;
}

/* The newest process there is, in our pid namespace: the last word of the line. */
static long newest(int loadavg)
{
	char line[128] = "";
	ssize_t n = pread(loadavg, line, sizeof(line) - 1, 0);
	line[n > 0 ? n : 0] = 0;
	const char *word = strrchr(line, ' ');
	return word ? strtol(word, NULL, 10) : 0;
}

/* Look for a process that runs the zygote's file, and try to change that file. */
static int be_hunter(void)
{
	static const char marker[] = "ready\n";
	char path[64], link[256];
	int held = -1, loadavg = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	if (write(1, marker, sizeof(marker) - 1) < 0)
		return 3;
	while (held < 0) {
		snprintf(path, sizeof(path), "/proc/%ld/exe", newest(loadavg));
		ssize_t n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = 0;
		if (strstr(link, "bulkhead-zygote"))
			held = open(path, O_RDONLY | O_CLOEXEC);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", held);
	int again = open(path, O_WRONLY | O_CLOEXEC);
	bool written = again >= 0 && (pwrite(again, "x", 1, 0) == 1 || ftruncate(again, 0) == 0);
	/* as long as anybody executes it, as init does, none may write; the seal is for good */
	int seals = fcntl(held, F_GET_SEALS);
	bool sealed = seals >= 0 && (seals & F_SEAL_WRITE);
	printf("held, %s, %s\n", sealed ? "sealed" : "not sealed",
		written ? "written" : "not written");
	return written ? 4 : 0;
}

/* ---- the test ---- */

static int setup(void **state)
{
	static struct bind_rule bind;
	(void)state;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n] = 0;
	strcpy(self_dir, self);
	*strrchr(self_dir, '/') = 0;
	bind = (struct bind_rule){.source = self_dir};
	request = (struct request){.read = {.v = &bind, .n = 1}};
	box = (struct scene){.keeps = true};
	memset(runs, 0, sizeof(runs));
	bench_open(&bench, &request);
	act_open(&box, &bench, -1);
	until_parked(&box);
	return 0;
}

static void close_all(void)
{
	talk_abort(&box.talk);
	until_failed(&box);
	act_close(&box);
	box_end(&box.box);
	bench_close(&bench);
}

static struct talk_words command(const char *path, const char *a, const char *b)
{
	static const char *paths[2][2], *env[] = {NULL}, *argv[2][4];
	static int which;
	which = !which;
	paths[which][0] = path;
	argv[which][0] = path;
	argv[which][1] = a;
	argv[which][2] = b;
	return (struct talk_words){
		.exec_paths = {.v = paths[which], .n = 1},
		.argv = {.v = argv[which], .n = a ? b ? 3 : 2 : 1},
		.envp = {.v = env, .n = 0},
	};
}

static void a_parked_payload_is_out_of_reach(void **state)
{
	setup(state);
	act_open(&runs[0], &bench, box.box.init.pidfd);
	act_open(&runs[1], &bench, box.box.init.pidfd);
	until_parked(&runs[0]);
	until_parked(&runs[1]);
	/* parked: 2, and 3 or 4 */
	assert_int_equal(
		run_words(&runs[0], command(self, "--attack", "4"), text, sizeof(text)), 0);
	for (size_t i = 0; i < N_ATTACKS; i++) {
		char control[64];
		snprintf(control, sizeof(control), "child %s yes\n", attacks[i].name);
		if (!strstr(text, control))
			fail_msg("the attack is none: %s", control);
	}
	const char *hit = strstr(text, "parked");
	assert_non_null(hit);
	for (const char *p = text; (p = strstr(p, "parked ")); p++)
		assert_null(memmem(p, strcspn(p, "\n"), " yes", 4));
	act_close(&runs[0]);
	/* and it is unhurt */
	assert_int_equal(run_shell(&runs[1], "exit 8", text, sizeof(text)), 8 << 8);
	act_close(&runs[1]);
	close_all();
}

/* Landlock parts one run's processes from another's, too: what holds without it is our own doing. */
static void nor_is_it_without_landlock(void **state)
{
	bench_is_old = true;
	a_parked_payload_is_out_of_reach(state);
	bench_is_old = false;
}

/* Runs of @path, one after the other, until the hunter has got hold of one, and ended. */
static int hunt(const char *path)
{
	int ends[2], status = -1;
	char ready[8] = "";
	setup(NULL);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	act_open(&runs[0], &bench, box.box.init.pidfd);
	until_parked(&runs[0]);
	go(&runs[0], command(self, "--hunt", NULL), ends[1]);
	close(ends[1]);
	until(&bench, &runs[0].running);
	assert_int_equal(read(ends[0], ready, 6), 6);
	for (int i = 0; i < 3000; i++) {
		runs[1] = (struct scene){0};
		act_open(&runs[1], &bench, box.box.init.pidfd);
		until_parked(&runs[1]);
		run_words(&runs[1], command(path, NULL, NULL), text, sizeof(text));
		act_close(&runs[1]);
		if (waitpid(runs[0].payload.pid, &status, WNOHANG) != 0)
			break;
	}
	if (status == -1) {
		kill(runs[0].payload.pid, SIGKILL);
		waitpid(runs[0].payload.pid, NULL, 0);
	}
	fd_close(runs[0].payload.pidfd);
	assert_true(fd_read_text(ends[0], text, sizeof(text)) >= 0);
	close(ends[0]);
	act_close(&runs[0]);
	close_all();
	return status;
}

static void the_zygotes_program_cannot_be_changed(void **state)
{
	(void)state;
	bench_is_old = true; /* no process of another run is seen otherwise */
	/* the hunter has to have held it: else this shows nothing */
	assert_int_equal(hunt("/proc/self/exe"), 0);
	assert_string_equal(text, "held, sealed, not written\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_parked_payload_is_out_of_reach),
		cmocka_unit_test(nor_is_it_without_landlock),
		cmocka_unit_test(the_zygotes_program_cannot_be_changed),
	};
	if (argc == 3 && strcmp(argv[1], "--attack") == 0)
		return be_attacker((pid_t)strtol(argv[2], NULL, 10));
	if (argc == 2 && strcmp(argv[1], "--hunt") == 0)
		return be_hunter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
