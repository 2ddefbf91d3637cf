/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"

/* What a task shares with others besides memory, and what happens to it while it is judged. */

/* ---- not the first thread ---- */

static void *exec_from_thread(void *unused)
{
	(void)unused;
	exec_probe();
	syscall(SYS_exit, 0);
	return NULL;
}

static void exec_not_leader(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, exec_from_thread, NULL) != 0)
		give_up("pthread_create");
	pthread_join(thread, NULL);
}

/* The kernel lets one of them have the process. */
static void exec_both(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, exec_from_thread, NULL) != 0)
		give_up("pthread_create");
	exec_probe();
	pthread_join(thread, NULL);
}

static void exec_many(void)
{
	pthread_t threads[4];

	for (unsigned i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, exec_from_thread, NULL) != 0)
			break; /* one of them has the process already */
	syscall(SYS_exit, 0); /* the leader is a zombie when they execute */
}

/* ---- calls that fail at once, and are made again before anybody can stop their caller ---- */

static void make_text(void)
{
	write_file("text", "no program\n", 0755);
}

static void exec_after_failures(void)
{
	char *argv[] = {(char *)"text", NULL};

	for (unsigned i = 0; i < 10; i++)
		try_exec("./text", argv);
	exec_probe();
}

/* ---- signals: SIGURG means nothing to a new program ---- */

static void nothing(int signal)
{
	(void)signal;
}

static void exec_with_handler(void)
{
	struct sigaction action = {
		.sa_handler = nothing, .sa_flags = random_number(2) ? SA_RESTART : 0};

	sigaction(SIGURG, &action, NULL);
	shared->ready = 1;
	for (unsigned i = 0; i < 20; i++) /* EINTR, without SA_RESTART */
		exec_probe();
}

/* So many for each child: without end, it would never come to execute anything. */
static bool may_signal(pid_t child)
{
	static pid_t last;
	static unsigned n;

	n = child == last ? n + 1 : 0;
	last = child;
	return n < 30;
}

static void send_signals(pid_t child)
{
	if (!shared->ready || !may_signal(child))
		return;
	kill(child, SIGURG);
	for (volatile uint32_t wait = random_number(20000); wait > 0; wait--)
		;
}

static void stop_and_continue(pid_t child)
{
	if (!may_signal(child))
		return;
	kill(child, SIGSTOP);
	for (volatile uint32_t wait = random_number(20000); wait > 0; wait--)
		;
	kill(child, SIGCONT);
	for (volatile uint32_t wait = random_number(20000); wait > 0; wait--)
		;
}

/* ---- the working directory, and descriptors, that a peer changes ---- */

static int harmless, harmful;

#define MOVING 50

static void two_directories(void)
{
	mkdir("a", 0700);
	mkdir("b", 0700);
	copy_program(own, "a/program", 0755, 0);
	copy_program(foreign, "b/program", 0755, 0);
	harmless = MUST(open("a", O_PATH | O_DIRECTORY | O_CLOEXEC));
	harmful = MUST(open("b", O_PATH | O_DIRECTORY | O_CLOEXEC));
	MUST(dup2(harmless, MOVING));
}

static void move_working_directory(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		MUST(fchdir(harmful));
		for (volatile uint32_t wait = random_number(2000); wait > 0; wait--)
			;
		MUST(fchdir(harmless));
		for (volatile uint32_t wait = random_number(2000); wait > 0; wait--)
			;
	}
}

static void move_descriptor(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		MUST(dup2(harmful, MOVING));
		for (volatile uint32_t wait = random_number(2000); wait > 0; wait--)
			;
		MUST(dup2(harmless, MOVING));
		for (volatile uint32_t wait = random_number(2000); wait > 0; wait--)
			;
	}
}

static void share_working_directory(void)
{
	two_directories();
	spawn_sharing(CLONE_FS, move_working_directory);
}

static void share_descriptors(void)
{
	two_directories();
	spawn_sharing(CLONE_FILES, move_descriptor);
}

static pid_t spawn_fs(void (*child)(void))
{
	return spawn_sharing(CLONE_FS, child);
}

static pid_t spawn_files(void (*child)(void))
{
	return spawn_sharing(CLONE_FILES, child);
}

static void exec_in_working_directory(void)
{
	char *argv[] = {(char *)"program", NULL};

	try_exec("./program", argv);
}

static void exec_below_descriptor(void)
{
	try_execveat(MOVING, "program", 0);
}

static void exec_by_descriptor_path(void)
{
	char *argv[] = {(char *)"program", NULL};

	try_exec("/proc/self/fd/50/program", argv);
}

const struct attack task_attacks[] = {
	{"not-leader", true, .child = exec_not_leader, .beside = flip_argument},
	{"leader-and-thread", true, .child = exec_both, .beside = flip_argument},
	{"four-threads", true, .child = exec_many, .beside = flip_argument},
	{"after-failures", true, .prepare = make_text, .child = exec_after_failures,
		.beside = flip_argument},
	{"signals", true, .child = exec_with_handler, .beside = flip_argument,
		.meanwhile = send_signals},
	{"stopped", true, .child = exec_probe, .beside = flip_argument,
		.meanwhile = stop_and_continue},
	{"moving-cwd", true, .prepare = share_working_directory, .spawn = spawn_fs,
		.child = exec_in_working_directory},
	{"moving-dirfd", true, .prepare = share_descriptors, .spawn = spawn_files,
		.child = exec_below_descriptor},
	{"moving-fd-path", true, .prepare = share_descriptors, .spawn = spawn_files,
		.child = exec_by_descriptor_path},
	{0},
};
