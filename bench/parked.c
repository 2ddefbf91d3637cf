/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/fd.h"
#include "numbers.h"
#include "run/host.h"
#include "run/plan-memfd.h"
#include "run/prepare.h"
#include "run/talk.h"

/*
 * parked: what boxes cost that are made by the zygote, without a daemon around it.
 *
 *     parked ZYGOTE BOXES ROUNDS PROGRAM
 *
 * In turn, ROUNDS times: a bare vfork, exec and wait of PROGRAM; and of a parked payload from GO until
 * it is waited for. How long a box and an entry take to be made. What BOXES parked boxes hold in memory.
 */

static uv_loop_t loop;
static struct zygote_link *l;
static struct arena a;
static struct host host;
static struct prepared prepared;
static int image, null;
static size_t image_bytes;

static void die(const char *what)
{
	fprintf(stderr, "parked: %s\n", what);
	exit(1);
}

struct one {
	struct talk talk;
	struct talk_box box;
	struct talk_process payload;
	bool keeps, parked, running, failed, closed;
};

static void on_parked(struct talk *t)
{
	struct one *o = t->spec.data;
	o->parked = true;
	if (o->keeps)
		o->box = talk_take_box(t);
}

static void on_running(struct talk *t)
{
	struct one *o = t->spec.data;
	o->running = true;
	o->payload = talk_take_payload(t);
}

static void on_failed(struct talk *t, const struct setup_failure *why)
{
	struct one *o = t->spec.data;
	o->failed = true;
	if (why->errnum != ECANCELED)
		die(why->what);
}

static void on_closed(struct talk *t)
{
	((struct one *)t->spec.data)->closed = true;
}

static void until(const bool *flag)
{
	while (!*flag)
		uv_run(&loop, UV_RUN_ONCE);
}

static void open_one(struct one *o, int init)
{
	struct error e = ERROR_INIT;
	struct talk_spec spec = {.plan = &prepared.plan,
		.image = image,
		.image_bytes = image_bytes,
		.host = &host,
		.init_pidfd = init,
		.a = &a,
		.hooks = {on_parked, on_running, on_failed},
		.data = o};
	*o = (struct one){.keeps = init < 0};
	if (talk_open(&o->talk, l, &spec, &e) < 0)
		die(e.text);
}

static void close_one(struct one *o)
{
	talk_close(&o->talk, on_closed);
	until(&o->closed);
}

static void end_box(struct one *o)
{
	fd_close(o->box.life);
	fd_close(o->box.root);
	waitpid(o->box.init.pid, NULL, __WALL);
	fd_close(o->box.init.pidfd);
}

static double go(struct one *o, const char *program)
{
	const char *argv[] = {program, NULL}, *env[] = {NULL};
	struct error e = ERROR_INIT;
	struct talk_words words = {.exec_paths = {.v = argv, .n = 1},
		.argv = {.v = argv, .n = 1},
		.envp = {.v = env},
		.stdio = {null, null, null}};
	double from = now_us();
	if (talk_go(&o->talk, &words, &e) < 0)
		die(e.text);
	until(&o->running);
	waitpid(o->payload.pid, NULL, __WALL);
	double us = now_us() - from;
	fd_close(o->payload.pidfd);
	return us;
}

static double bare(const char *program)
{
	char *argv[] = {(char *)(uintptr_t)program, NULL}, *env[] = {NULL};
	double from = now_us();
	pid_t pid = vfork();
	if (pid == 0) {
		execve(program, argv, env);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	return now_us() - from;
}

static long meminfo(const char *key)
{
	char text[8192];
	if (file_read_text(AT_FDCWD, "/proc/meminfo", text, sizeof(text)) < 0)
		return 0;
	const char *p = strstr(text, key);
	return p ? strtol(p + strlen(key), NULL, 10) : 0;
}

static const char *const kinds[] = {
	"\nAnonPages:", "\nShmem:", "\nSlab:", "\nKernelStack:", "\nPageTables:", "\nPercpu:"};

static void memory(size_t n)
{
	struct one *all = calloc(n, sizeof(*all));
	long before[6], total = 0;
	for (int i = 0; i < 6; i++)
		before[i] = meminfo(kinds[i]);
	for (size_t i = 0; i < n; i++)
		open_one(&all[i], -1);
	for (size_t i = 0; i < n; i++)
		until(&all[i].parked);
	usleep(200000);
	for (int i = 0; i < 6; i++) {
		long kib = meminfo(kinds[i]) - before[i];
		printf("%s %.1f KiB\n", kinds[i] + 1, (double)kib / (double)n);
		total += kib;
	}
	printf("a parked box: %.1f KiB\n", (double)total / (double)n);
	for (size_t i = 0; i < n; i++) {
		talk_abort(&all[i].talk);
		until(&all[i].failed);
		close_one(&all[i]);
		end_box(&all[i]);
	}
	free(all);
}

int main(int argc, char **argv)
{
	static char *none[] = {NULL};
	struct error e = ERROR_INIT;
	struct zygote z = ZYGOTE_NONE;
	struct request request = {0};
	struct prepare_caller caller = {.environ = none,
		.cwd = "/tmp",
		.home = "/nonexistent",
		.host = &host,
		.parked = true};
	if (argc != 5)
		die("usage: parked ZYGOTE BOXES ROUNDS PROGRAM");
	size_t boxes = strtoul(argv[2], NULL, 10), rounds = strtoul(argv[3], NULL, 10);
	if (zygote_start(&z, argv[1], &e) < 0)
		die(e.text);
	host_probe(&host, &a, false);
	if (prepare_policy(&prepared, &request, &caller, &a, &e) < 0 ||
		prepare_plan(&prepared, &request, &caller, &a, &e) < 0)
		die(e.text);
	image = plan_memfd(&prepared.plan, &image_bytes, &e);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	uv_loop_init(&loop);
	if (image < 0 || zygote_link_open_take(&l, &loop, &z, argv[1], &e) < 0)
		die(e.text);
	double *v[4];
	for (int i = 0; i < 4; i++)
		v[i] = calloc(rounds, sizeof(double));
	struct one kept;
	open_one(&kept, -1);
	until(&kept.parked);
	for (size_t i = 0; i < rounds; i++) {
		struct one box, entry;
		double from = now_us();
		open_one(&box, -1);
		until(&box.parked);
		v[2][i] = now_us() - from;
		from = now_us();
		open_one(&entry, kept.box.init.pidfd);
		until(&entry.parked);
		v[3][i] = now_us() - from;
		usleep(2000);
		v[0][i] = bare(argv[4]);
		v[1][i] = go(&box, argv[4]);
		close_one(&box);
		end_box(&box);
		go(&entry, argv[4]);
		close_one(&entry);
	}
	static const char *const names[] = {
		"bare vfork+exec+wait", "GO to waited for", "box made", "entry made"};
	print_heading(names[0]);
	for (int i = 0; i < 4; i++)
		print_row(names[i], v[i], v[0], rounds);
	memory(boxes);
	return 0;
}
