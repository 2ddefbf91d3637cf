/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "attack.h"

/* The words of a call are rewritten while they are judged: by somebody who shares the memory. */

static void flip_pointer(void)
{
	for (unsigned i = 0; i < 10; i++) {
		shared->argv[1] = shared->foreign_word;
		for (volatile uint32_t wait = random_number(2000); wait > 0; wait--)
			;
		shared->argv[1] = shared->own_word;
		for (volatile uint32_t wait = random_number(2000); wait > 0; wait--)
			;
	}
}

static void flip_path(void)
{
	flip(&shared->word, FOREIGN_PATH, OWN_PATH, 10);
}

static void exec_path(void)
{
	char *argv[] = {(char *)"program", NULL};

	try_exec((const char *)&shared->word, argv);
}

static void own_path(void)
{
	set_word(&shared->word, OWN_PATH);
}

/* Nobody who is not privileged may look into such a process. */
static void exec_undumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	exec_probe();
}

/* ---- a file that is mapped, and written to as a file ---- */

static int text_file;

static void map_file(void)
{
	write_file("text", "", 0600);
	text_file = MUST(open("text", O_RDWR | O_CLOEXEC));
	MUST(pwrite(text_file, OWN_WORD, 8, 0));
	shared->argv[1] = mmap(NULL, 4096, PROT_READ, MAP_SHARED, text_file, 0);
	if (shared->argv[1] == MAP_FAILED)
		give_up("mmap");
}

static void write_text(void)
{
	MUST(pwrite(text_file, FOREIGN_WORD, 8, 0));
	MUST(pwrite(text_file, OWN_WORD, 8, 0));
}

/* ---- another page takes the place of the one with the word ---- */

#define PAGE 4096

static void two_pages(void)
{
	write_file("pages", "", 0600);
	text_file = MUST(open("pages", O_RDWR | O_CLOEXEC));
	MUST(ftruncate(text_file, 2 * (off_t)PAGE));
	MUST(pwrite(text_file, OWN_WORD, 8, 0));
	MUST(pwrite(text_file, FOREIGN_WORD, 8, PAGE));
	shared->argv[1] = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, text_file, 0);
	if (shared->argv[1] == MAP_FAILED)
		give_up("mmap");
}

static void *remap(void *unused)
{
	(void)unused;
	for (unsigned i = 0;; i++) {
		off_t which = i % 2 ? 0 : PAGE;

		mmap(shared->argv[1], PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, text_file, which);
		shared->ready = 1;
	}
	return NULL;
}

static void exec_remapped(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, remap, NULL) != 0)
		give_up("pthread_create");
	while (!shared->ready)
		sched_yield();
	exec_probe();
}

/* ---- threads, and processes that are as good as threads ---- */

static void *flip_always(void *unused)
{
	(void)unused;
	for (;;) {
		flip_argument();
		shared->ready = 1;
	}
	return NULL;
}

static void exec_beside_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, flip_always, NULL) != 0)
		give_up("pthread_create");
	while (!shared->ready)
		sched_yield();
	exec_probe();
}

static pid_t spawn_vm(void (*child)(void))
{
	return spawn_on_stack(CLONE_VM, child);
}

static void flip_meanwhile(pid_t child)
{
	(void)child;
	flip_argument();
}

static pid_t spawn_vfork(void (*child)(void))
{
	return spawn_on_stack(CLONE_VM | CLONE_VFORK, child);
}

static void thread_of_parent(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, flip_always, NULL) != 0)
		give_up("pthread_create");
}

const struct attack memory_attacks[] = {
	{"shared-memory", true, .child = exec_probe, .beside = flip_argument},
	{"shared-pointer", true, .child = exec_probe, .beside = flip_pointer},
	{"shared-path", true, .prepare = own_path, .child = exec_path, .beside = flip_path},
	{"shared-undumpable", true, .child = exec_undumpable, .beside = flip_argument},
	{"file-backed", true, .prepare = map_file, .child = exec_probe, .beside = write_text},
	{"remapped-page", true, .prepare = two_pages, .child = exec_remapped},
	{"sibling-thread", true, .child = exec_beside_thread},
	{"vm-peer", true, .spawn = spawn_vm, .child = exec_probe, .meanwhile = flip_meanwhile},
	{"vfork-peer", true, .prepare = thread_of_parent, .spawn = spawn_vfork,
		.child = exec_probe},
	{0},
};
