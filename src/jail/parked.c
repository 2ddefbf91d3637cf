/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "jail/entry.h"
#include "kernel/pty.h"
#include "kernel/sys.h"

/* ---- which step when (jail/entry.h) ---- */

enum phase { PHASE_PARKED, PHASE_BOX, PHASE_STDIO, PHASE_LIMITS, PHASE_LAST, PHASE_NEVER };

static enum phase phase_of(const struct entry *e, const struct step *step)
{
	static const uint8_t phases[STEP_COUNT_] = {
		[STEP_PROC] = PHASE_BOX,
		[STEP_DEVPTS] = PHASE_BOX,
		[STEP_PROTECT] = PHASE_BOX,
		[STEP_MASK] = PHASE_BOX,
		[STEP_PIVOT] = PHASE_BOX,
		[STEP_SEAL] = PHASE_BOX,
		[STEP_OWN_GROUP] = PHASE_NEVER,
		[STEP_OWN_SESSION] = PHASE_NEVER,
		[STEP_TERMINAL] = PHASE_NEVER,
		[STEP_STDIO] = PHASE_STDIO,
		[STEP_CLOSE_FDS] = PHASE_LAST,
		[STEP_LISTENER] = PHASE_LAST,
		[STEP_EXEC] = PHASE_LAST,
	};
	enum phase phase = phases[step->kind];
	if (step->kind == STEP_RLIMIT &&
		(step->number == RLIMIT_NOFILE || step->number == RLIMIT_AS))
		phase = PHASE_LIMITS;
	if (step->kind == STEP_FILTER && !(e->image_flags & PLAN_IMAGE_FILTER_EARLY))
		phase = PHASE_LAST;
	if (phase == PHASE_BOX)
		phase = e->joins ? PHASE_NEVER : PHASE_PARKED;
	return phase;
}

static bool run_phase(struct entry *e, enum phase phase)
{
	const struct steps *steps = &e->plan.payload;
	struct site site;
	site_open(&site, e->box.root, e->box.root_is_here);
	for (size_t i = 0; i < steps->n; i++) {
		int detail;
		if (phase_of(e, &steps->v[i]) != phase)
			continue;
		long r = payload_step(&e->box, &steps->v[i], &site, &detail);
		if (r < 0) {
			entry_failed(e, REPORT_PAYLOAD, i, r, detail);
			return false;
		}
	}
	site_close(&site);
	return true;
}

static bool done(struct entry *e, enum entry_step step, long r, int detail)
{
	if (r < 0)
		entry_failed(e, REPORT_ENTRY, step, r, detail);
	return r >= 0;
}

/* ---- parked ---- */

/*
 * Until it has told of itself it stays in the maker's process group, where the daemon finds those
 * who could not. Then in a session of its own: a program must not come to the caller's terminal, nor be
 * reached by its signals; and what leads a session can be given a terminal of its own.
 */
static bool park(struct entry *e)
{
	if (!run_phase(e, PHASE_PARKED))
		return false;
	/* nothing of this box, or another, stays open in here */
	long r = sys_close_range(TALK_SOCKET + 1, ~0u, 0);
	/* only now: what changes a process's ids takes it away */
	if (r == 0)
		r = sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (!done(e, ENTRY_JOIN, r, 0) || entry_tell(e, TALK_PARKED, NULL, 0) < 0)
		return false;
	return done(e, ENTRY_JOIN, sys_setsid(), 0);
}

/* ---- GO ---- */

static bool is_sealed(int fd, size_t size)
{
	const int all = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	return sys_fcntl(fd, F_GET_SEALS, 0) == all && sys_lseek(fd, 0, SEEK_END) == (off_t)size;
}

/* How many descriptors come before that of the words. */
static unsigned n_before_words(const struct talk_down *go)
{
	return (go->tty ? 0 : 3) + go->warden;
}

/* The words, wherever they are; NULL: they are not as the record says. */
static const char *find_words(struct entry *e, const struct packet *packet)
{
	const struct talk_down *go = &e->go.head;
	unsigned n = n_before_words(go);
	if (go->words_bytes <= WIRE_MAX_WORDS)
		return packet->n_fds == n && packet->size == sizeof(*go) + go->words_bytes
			? e->go.words
			: NULL;
	if (packet->n_fds != n + 1 || packet->size != sizeof(*go) ||
		go->words_bytes > WIRE_MAX_MEMFD || !is_sealed(packet->fds[n], go->words_bytes))
		return NULL;
	long at = sys_mmap(NULL, go->words_bytes, PROT_READ, MAP_PRIVATE, packet->fds[n], 0);
	return at < 0 && at > -4096 ? NULL : (const char *)at;
}

/* Room for @n pointers. */
static const char **find_room(struct entry *e, size_t n)
{
	if (n <= ENTRY_STRINGS)
		return e->strings;
	long at = sys_mmap(NULL, n * sizeof(char *), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return at < 0 && at > -4096 ? NULL : (const char **)at;
}

/* Point to the next @n strings from *at on, with a NULL behind them; true if there are so many. */
static bool take_strings(
	const char **at, const char *end, size_t n, const char ***room, struct strv *ret)
{
	*ret = (struct strv){.v = *room, .n = n};
	for (size_t i = 0; i < n; i++) {
		const char *zero = memchr(*at, 0, (size_t)(end - *at));
		if (!zero)
			return false;
		*(*room)++ = *at;
		*at = zero + 1;
	}
	*(*room)++ = NULL;
	return true;
}

static long take_words(struct entry *e, const struct packet *packet)
{
	const struct talk_down *go = &e->go.head;
	size_t n = (size_t)go->n_exec_paths + go->n_argv + go->n_env;
	if (go->n_exec_paths == 0 || go->n_argv == 0 || n > WIRE_MAX_STRINGS)
		return -EPROTO;
	const char *at = find_words(e, packet), *end = at + go->words_bytes;
	const char **room = at ? find_room(e, n + 4) : NULL;
	struct strv cwd;
	if (!room)
		return at ? -ENOMEM : -EPROTO;
	if (!take_strings(&at, end, go->n_exec_paths, &room, &e->plan.exec_paths) ||
		!take_strings(&at, end, go->n_argv, &room, &e->plan.argv) ||
		!take_strings(&at, end, go->n_env, &room, &e->plan.envp) ||
		!take_strings(&at, end, 1, &room, &cwd) || at != end)
		return -EPROTO;
	e->cwd = cwd.v[0];
	return 0;
}

/* A _Bool of any other byte is none that C knows of. */
static bool is_bool(const bool *b)
{
	unsigned char byte;
	memcpy(&byte, b, 1);
	return byte <= 1;
}

static long take_go(struct entry *e, const struct packet *packet)
{
	const struct talk_down *go = &e->go.head;
	if (packet->size < sizeof(*go) || go->magic != WIRE_MAGIC || go->kind != TALK_GO ||
		go->tty > 1 || go->warden != (e->plan.exec != EXEC_OFF) ||
		go->n_rlimits > WIRE_MAX_RLIMITS || !is_bool(&go->look.has_modes))
		return -EPROTO;
	long r = take_words(e, packet);
	if (r < 0)
		return r;
	for (int i = 0; i < 3; i++)
		e->box.stdio[i] = go->tty ? -1 : packet->fds[i];
	e->plan.tty = go->tty;
	if (go->warden)
		e->box.warden = packet->fds[go->tty ? 0 : 3];
	e->box.kept = TALK_SOCKET; /* what fails from here on is still told */
	return 0;
}

/* Those that a limit forbids to raise are lowered only, as those of the plan. */
static bool put_limits(struct entry *e)
{
	const struct talk_down *go = &e->go.head;
	for (uint32_t i = 0; i < go->n_rlimits; i++) {
		int detail;
		const struct step step = {.kind = STEP_RLIMIT,
			.number = go->rlimits[i].resource,
			.value = go->rlimits[i].soft,
			.value2 = go->rlimits[i].hard};
		long r = payload_step(&e->box, &step, NULL, &detail);
		if (!done(e, ENTRY_LIMIT, r, (int)go->rlimits[i].resource))
			return false;
	}
	return true;
}

static long open_terminal(struct entry *e)
{
	struct pty pty;
	long r = pty_open(PLAN_PTMX, &pty);
	if (r == 0)
		r = pty_put_look(pty.slave, &e->go.head.look);
	if (r == 0)
		r = pty_lead(pty.slave);
	if (r == 0)
		r = entry_tell(e, TALK_TERMINAL, (const int[]){pty.master, pty.slave}, 2);
	for (int i = 0; i < 3 && r >= 0; i++)
		r = sys_dup3(pty.slave, i, 0);
	return r;
}

static void run(struct entry *e)
{
	sys_prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	if (!run_phase(e, PHASE_STDIO))
		return;
	if (e->go.head.tty && !done(e, ENTRY_TERMINAL, open_terminal(e), 0))
		return;
	if (*e->cwd && !done(e, ENTRY_DIRECTORY, sys_chdir(e->cwd), 0))
		return;
	if (run_phase(e, PHASE_LIMITS) && put_limits(e))
		run_phase(e, PHASE_LAST);
}

int parked_main(void *box)
{
	struct entry *e = box;
	struct packet packet;
	if (!park(e))
		return 125;
	if (packet_receive(TALK_SOCKET, &e->go, sizeof(e->go), true, &packet) < 0 ||
		packet.size == 0)
		return 125; /* nobody wants us any more */
	if (done(e, ENTRY_WORDS, take_go(e, &packet), 0))
		run(e);
	return 125;
}
