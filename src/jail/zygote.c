/* SPDX-License-Identifier: MIT */
#include "jail/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "jail/entry.h"
#include "kernel/clone.h"
#include "kernel/sys.h"

/* How long a daemon that reads no answers is waited for. */
#define REPLY_SECONDS 10

/*
 * What a maker finds in its copy of our memory. Written anew for each, read by none but it; we touch
 * no more of it than a request says.
 */
static struct entry entry;
static struct box_stack init_stack, payload_stack;

/* ---- one request ---- */

static bool is_sealed(int fd, uint64_t size)
{
	const int all = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	return sys_fcntl(fd, F_GET_SEALS, 0) == all && size > 0 && size <= PLAN_IMAGE_MAX &&
		sys_lseek(fd, 0, SEEK_END) == (off_t)size;
}

static unsigned descriptors_of(const struct zygote_request *r)
{
	unsigned n = 2 + 1; /* plan, talk; life or init */
	return n + r->n_slots + (r->flags & WIRE_INTO_CGROUP ? 1 : 0) + r->n_tasks;
}

/* Each slot is one of a plan, and what is not used is 0. */
static bool are_slots_right(const struct zygote_request *r)
{
	for (uint32_t i = 0; i < WIRE_MAX_SLOTS; i++) {
		bool used = i < r->n_slots;
		if (used ? r->slots[i] < 0 || r->slots[i] >= PLAN_MAX_SLOTS : r->slots[i] != 0)
			return false;
	}
	return true;
}

static bool is_right(const struct zygote_request *r, const struct packet *packet)
{
	return packet->size == sizeof(*r) && r->magic == WIRE_MAGIC && r->version == WIRE_VERSION &&
		(r->kind == ZYGOTE_BOX || r->kind == ZYGOTE_ENTRY) &&
		!(r->flags & ~(uint32_t)WIRE_FLAGS_ALL_) && r->n_tasks <= BOX_MAX_TASKS &&
		r->n_slots <= WIRE_MAX_SLOTS && (r->kind == ZYGOTE_BOX || r->n_slots == 0) &&
		are_slots_right(r) && packet->n_fds == descriptors_of(r) &&
		is_sealed(packet->fds[0], r->image_bytes);
}

static void fill_box(
	struct new_box *box, const struct zygote_request *r, const struct packet *packet)
{
	const int *next = packet->fds + 2;
	box->life = *next++;
	for (int i = 0; i < PLAN_MAX_SLOTS; i++)
		box->slots[i] = -1;
	for (uint32_t i = 0; i < r->n_slots; i++)
		box->slots[r->slots[i]] = *next++;
	box->into_cgroup = r->flags & WIRE_INTO_CGROUP ? *next++ : -1;
	box->n_tasks = r->n_tasks;
	memcpy(box->tasks, next, r->n_tasks * sizeof(int));
	box->signal_mask = r->signal_mask;
	box->pipe_was_ignored = r->flags & WIRE_PIPE_IGNORED;
}

static void fill(const struct zygote_request *r, const struct packet *packet, pid_t supervisor)
{
	entry.box = (struct new_box){
		.supervisor = supervisor,
		.init_apart = sys_getuid() != 0,
		.stdio = {-1, -1, -1},
		.terminal = -1,
		.warden = -1,
		.kept = -1,
		.init_stack = &init_stack,
		.payload_stack = &payload_stack,
		.root = -1,
	};
	fill_box(&entry.box, r, packet);
	entry.joins = r->kind == ZYGOTE_ENTRY;
	entry.init_pidfd = entry.box.life;
	entry.plan_fd = packet->fds[0];
	entry.plan_size = r->image_bytes;
	entry.talk = packet->fds[1];
}

/* A copy of us, on its own copy of our stack: the daemon's child, not ours. */
static long clone_maker(void)
{
	const struct clone_request request = {
		.flags = CLONE_PARENT | (entry.joins ? 0 : CLONE_NEWUSER),
	};
	return clone_call(&request, entry_main, &entry);
}

/* ---- the socket ---- */

/* False: nobody takes answers any more. */
static bool answer(uint64_t serial, long result)
{
	const struct zygote_reply reply = {
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.serial = serial,
		.pid = (int32_t)result,
	};
	struct pollfd room = {.fd = ZYGOTE_SOCKET, .events = POLLOUT};
	struct timespec bound = {.tv_sec = REPLY_SECONDS};
	for (;;) {
		long r = packet_send(ZYGOTE_SOCKET, (struct packet_bytes){&reply, sizeof(reply)},
			(struct packet_bytes){0}, NULL, 0);
		if (r != -EAGAIN)
			return r == 0;
		if (sys_ppoll(&room, 1, &bound, NULL) <= 0)
			return false;
	}
}

/* Read one request, do it, answer. False: the socket has ended. */
static bool serve(pid_t supervisor)
{
	struct zygote_request request = {0};
	struct packet packet;
	long r = packet_receive(ZYGOTE_SOCKET, &request, sizeof(request), true, &packet);
	if (r == 0 && packet.size == 0)
		return false;
	if (r < 0 && r != -EPROTO && r != -EMFILE)
		return false;
	if (r == 0)
		r = is_right(&request, &packet) ? 0 : -EPROTO;
	if (r == 0) {
		fill(&request, &packet, supervisor);
		r = clone_maker();
	}
	/* a record that is too short has no serial */
	bool known = packet.size == sizeof(request);
	packet_close_fds(&packet);
	return answer(known ? request.serial : 0, r);
}

/* Nothing that the daemon was started with reaches a program through us. */
static bool settle(void)
{
	struct sys_sigaction usual = {.handler = NULL};
	const sys_sigset none = 0;
	for (int sig = 1; sig <= 64; sig++)
		sys_rt_sigaction(sig, &usual, NULL); /* KILL and STOP say EINVAL */
	sys_umask(022);
	sys_setsid(); /* fails where we lead a group already: then we lead a session */
	sys_prctl(PR_SET_NAME, SYS_PTR("bulkhead-zygote"), 0, 0, 0);
	return sys_rt_sigprocmask(SIG_SETMASK, &none, NULL) == 0 && sys_chdir("/") == 0 &&
		sys_close_range(ZYGOTE_SOCKET + 1, ~0u, 0) == 0 &&
		sys_fcntl(ZYGOTE_SOCKET, F_SETFD, FD_CLOEXEC) == 0 &&
		sys_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
		sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
}

int zygote_main(void)
{
	pid_t supervisor = sys_getppid();
	if (!settle() || sys_getppid() != supervisor)
		return 1;
	while (serve(supervisor))
		;
	return 0;
}
