/* SPDX-License-Identifier: MIT */
#include "jail/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "kernel/clone.h"
#include "kernel/sys.h"

long entry_tell(const struct entry *e, enum talk_kind kind, const int *fds, unsigned n)
{
	const struct talk_up record = {
		.magic = WIRE_MAGIC,
		.kind = kind,
		.payload_pid = e->box.payload_pid,
		.root_is_here = e->box.root_is_here,
		.report = e->box.report,
	};
	return packet_send(TALK_SOCKET, (struct packet_bytes){&record, sizeof(record)},
		(struct packet_bytes){0}, fds, n);
}

void entry_failed(struct entry *e, enum report_stage stage, size_t step, long error, int detail)
{
	if (error != SILENT)
		report_failure(&e->box, stage, step, error, detail);
	entry_tell(e, TALK_FAILED, NULL, 0);
}

/* ---- a box ---- */

static long set_dumpable(const struct entry *e, int on)
{
	bool needed = e->box.init_apart && !e->joins;
	return needed ? sys_prctl(PR_SET_DUMPABLE, on, 0, 0, 0) : 0;
}

/* All is there from the beginning but the id maps, which are written when we are. */
static long await(struct new_box *box, uint32_t stage)
{
	struct entry *e = (struct entry *)box;
	struct packet packet;
	if (stage < GO_PLAN || e->has_maps)
		return 0;
	struct talk_down *maps = &e->go.head;
	long r = packet_receive(TALK_SOCKET, maps, sizeof(*maps), true, &packet);
	if (r < 0)
		return SILENT;
	packet_close_fds(&packet);
	e->has_maps = packet.size == sizeof(*maps) && packet.n_fds == 0 &&
		maps->magic == WIRE_MAGIC && maps->kind == TALK_MAPS;
	if (set_dumpable(e, 0) < 0)
		return SILENT;
	return e->has_maps ? 0 : SILENT;
}

/* Its pid must be known even if the maker does not live to tell it. */
static void tell_init(struct new_box *box)
{
	set_dumpable((struct entry *)box, 1);
	entry_tell((struct entry *)box, TALK_INIT, NULL, 0);
}

static const struct box_way way = {await, tell_init, parked_main};

static bool make_box(struct entry *e)
{
	e->box.way = &way;
	e->box.new_network = e->plan.new_network;
	return maker_main(&e->box) == 0;
}

/* ---- an entry into one ---- */

/* The network namespace is the box's to enter only if it has one: others belong to the host's user. */
static long join(const struct entry *e)
{
	int flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
		(e->plan.new_network ? CLONE_NEWNET : 0);
	return sys_setns(e->init_pidfd, flags);
}

/* With CLONE_PARENT, so that it is the daemon's; its pid namespace is the box's. */
static long clone_payload(struct entry *e)
{
	struct clone_request request = {
		.flags = CLONE_PARENT | CLONE_VM | CLONE_PARENT_SETTID,
		.stack = e->box.payload_stack,
		.stack_size = sizeof(*e->box.payload_stack),
		.ret_parent_tid = (pid_t *)&e->box.payload_pid,
		.into_cgroup = e->box.into_cgroup,
	};
	if (e->box.into_cgroup >= 0)
		request.flags |= CLONE_INTO_CGROUP;
	return clone_call(&request, parked_main, &e->box);
}

static bool make_entry(struct entry *e)
{
	long r = join(e);
	if (r < 0) {
		entry_failed(e, REPORT_ENTRY, ENTRY_JOIN, r, 0);
		return false;
	}
	r = clone_payload(e);
	if (r < 0)
		report_failure(&e->box, REPORT_MAKER, MAKER_PAYLOAD, r, 0);
	return r > 0;
}

/* ---- both ---- */

/* The zygote has looked at the seals, so what is checked once stays so. */
static long unpack(struct entry *e)
{
	long at = sys_mmap(NULL, e->plan_size, PROT_READ, MAP_PRIVATE, e->plan_fd, 0);
	if (at < 0 && at > -4096)
		return at;
	long r = plan_image_decode(
		(const void *)at, e->plan_size, &e->plan, &e->room, &e->image_flags);
	e->box.plan = &e->plan;
	e->box.init_apart |= e->plan.exec != EXEC_OFF;
	return r;
}

/*
 * Somebody with our uid may have used up what each user may have on its way in sockets (unix(7), ETOOMANYREFS). A box
 * is whole without the daemon seeing its root, from which there is only evidence to be had.
 */
static long tell_made(const struct entry *e)
{
	bool has_root = !e->joins && e->box.root >= 0;
	const int root = e->box.root;
	long r = entry_tell(e, TALK_MADE, &root, has_root);
	return r == -ETOOMANYREFS ? entry_tell(e, TALK_MADE, NULL, 0) : r;
}

int entry_main(void *data)
{
	struct entry *e = data;
	/* the daemon must hear of us before anything can go wrong: it has to reap us */
	if (sys_dup3(e->talk, TALK_SOCKET, O_CLOEXEC) < 0 || sys_close(e->talk) < 0)
		return 1;
	if (set_dumpable(e, 1) < 0 || entry_tell(e, TALK_BORN, NULL, 0) < 0)
		return 1;
	/* a process group by which the daemon finds those of whom nobody lives to tell */
	if (sys_setpgid(0, 0) < 0 || bind_to_supervisor(&e->box) < 0)
		return 1;
	long r = unpack(e);
	if (r < 0) {
		entry_failed(e, REPORT_ENTRY, ENTRY_PLAN, r, 0);
		return 1;
	}
	bool made = e->joins ? make_entry(e) : make_box(e);
	if (!made) {
		entry_failed(e, REPORT_NONE, 0, SILENT, 0);
		return 1;
	}
	return tell_made(e) < 0;
}
