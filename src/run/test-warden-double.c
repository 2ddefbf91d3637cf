/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "jail/wire.h"
#include "warden/warden.h"
#include "warden/wire.h"

/*
 * A warden for test-warden.c and test-ward.c: what PATH it is started with says how it behaves.
 *
 *   MODE                 one that judges nothing, see below
 *   MODE:/MARK[:/DIR…]   the first of all does as MODE says, and makes the file MARK; later ones judge
 *   judge[:/DIR…]        one that judges
 */

static void answer(uint32_t kind, const char *text)
{
	struct warden_record record = {
		.magic = WARDEN_MAGIC, .version = WARDEN_VERSION, .kind = kind, .errnum = 1};
	/* no zero at the end, if it is as long as that */
	memcpy(record.text, text, strnlen(text, sizeof(record.text)));
	packet_send(WARDEN_CONTROL, (struct packet_bytes){&record, sizeof(record)},
		(struct packet_bytes){0}, NULL, 0);
}

static void fill_board(int fd)
{
	struct warden_board *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (b == MAP_FAILED)
		_exit(9);
	b->started = 5;
	b->refused = 2;
	b->killed = 1;
	/* nothing ends by itself */
	memset(&b->last_refused, 'x', sizeof(b->last_refused));
	b->first_killed.pid = 12;
	b->first_killed.at_us = 77;
	memcpy(b->first_killed.argv, "git\0\0push", 9);
	strcpy(b->first_killed.real_executable, "/bin/rm");
	b->incidents = 2 | 4;
}

static void take_run(const struct packet *packet)
{
	if (packet->n_fds < 2)
		_exit(8);
	fill_board(packet->fds[1]);
	answer(WARDEN_READY, ""); /* out of turn */
}

/* Whoever has started us has blocked it. */
static void wait_for_leave(void)
{
	sigset_t set;
	int sig;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigwait(&set, &sig);
}

/* The START stays where it is. */
static void look_for_mode(char *ret, size_t size)
{
	static struct warden_record record;
	if (recv(WARDEN_CONTROL, &record, sizeof(record), MSG_PEEK) != sizeof(record))
		_exit(6);
	memcpy(ret, record.path, size);
	ret[size - 1] = 0;
}

/* @mode loses what follows it. */
static bool is_to_judge(char *mode)
{
	char *mark = *mode == '/' ? NULL : strchr(mode, ':');
	if (!mark)
		return strcmp(mode, "judge") == 0;
	*mark++ = 0;
	mark[strcspn(mark, ":")] = 0;
	return strcmp(mode, "judge") == 0 ||
		open(mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) < 0;
}

int main(void)
{
	static struct warden_record record;
	static char mode[sizeof(record.path)];
	struct packet packet;
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* by the test, where only parents may */
	look_for_mode(mode, sizeof(mode));
	if (is_to_judge(mode))
		return warden_main();
	if (packet_receive(WARDEN_CONTROL, &record, sizeof(record), true, &packet) < 0 ||
		packet.size != sizeof(record) || record.kind != WARDEN_START || packet.n_fds != 1)
		return 7;
	if (strcmp(mode, "die") == 0)
		return 3;
	if (strcmp(mode, "leave") == 0)
		wait_for_leave();
	if (strcmp(mode, "refuse") == 0)
		answer(WARDEN_REFUSED, "no \x1b[31mlistener");
	else if (strcmp(mode, "garbage") == 0)
		write(WARDEN_CONTROL, "hello", 5);
	else if (strcmp(mode, "mute") != 0)
		answer(WARDEN_READY, "");
	if (strcmp(mode, "leave") == 0)
		return 4;
	if (strcmp(mode, "stop") == 0)
		raise(SIGSTOP);
	while (strcmp(mode, "deaf") == 0)
		pause();
	while (packet_receive(WARDEN_CONTROL, &record, sizeof(record), true, &packet) == 0 &&
		packet.size > 0)
		if (strcmp(mode, "board") == 0)
			take_run(&packet);
		else if (strcmp(mode, "drop") == 0)
			return 5;
	return 0;
}
