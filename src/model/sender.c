/* SPDX-License-Identifier: MIT */
#include "model/sender.h"

#include <signal.h>
#include <string.h>

#include "base/time.h"
#include "model/words.h"

#define UNIT_SHOWN 100
#define WHY_SHOWN  300

/*
 * Nobody outside has a reason to end what has only just begun; a program that ends itself mostly
 * does so early, and without having waited for anything.
 */
#define HARDLY_STARTED_US (US_PER_SEC / 10)
#define STARTING_UP_US    US_PER_SEC

bool sender_is_process(const struct killer *k)
{
	return k->known == KILLER_SELF || k->known == KILLER_INSIDE || k->known == KILLER_OUTSIDE;
}

bool sender_ended_it(const struct facts *f)
{
	const struct killer *k = &f->o->killer;
	return f->signal != 0 && (k->signal == 0 || k->signal == f->signal);
}

static bool ends_with(const char *s, size_t size, const char *end)
{
	size_t n = strlen(end);
	return size > n && memcmp(s + size - n, end, n) == 0;
}

const char *sender_unit(const struct killer *k, struct arena *a)
{
	const char *unit = NULL;

	for (const char *part = k->cgroup; part && *part;) {
		size_t size = strcspn(part, "/");
		if (ends_with(part, size, ".service") || ends_with(part, size, ".scope"))
			unit = arena_strndup(a, part, size);
		part += size + (part[size] == '/');
	}
	return unit;
}

const char *sender_words(const struct facts *f)
{
	const struct killer *k = &f->o->killer;
	const char *who = words_process(f->a, k->comm, k->pid), *unit = sender_unit(k, f->a);

	if (k->known != KILLER_OUTSIDE)
		return k->inside_pid <= 0
			? who
			: arena_printf(f->a, "%s (pid %d in the box)", who, (int)k->inside_pid);
	return arena_printf(f->a, "%s (uid %u%s%s)", who, (unsigned)k->uid, unit ? ", " : "",
		words_visible(f->a, unit, UNIT_SHOWN));
}

/* ---- out-of-memory daemons ---- */

/* As the kernel shows them (15 bytes), and as their units are named. */
static bool is_daemon_name(const char *name, size_t size)
{
	static const char *const names[] = {
		"systemd-oomd", "earlyoom", "nohang", "nohang-desktop", "oomd", "bustd"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strlen(names[i]) == size && memcmp(names[i], name, size) == 0)
			return true;
	}
	return false;
}

bool sender_is_memory_daemon(const struct facts *f, bool *ret_sure)
{
	const struct killer *k = &f->o->killer;
	const char *unit = sender_unit(k, f->a);
	bool by_unit = unit && ends_with(unit, strlen(unit), ".service") &&
		is_daemon_name(unit, strlen(unit) - strlen(".service"));

	/* Only the system's manager puts a process there; a user's has units of any name. */
	*ret_sure = by_unit && strncmp(k->cgroup, "/system.slice/", strlen("/system.slice/")) == 0;
	return by_unit || is_daemon_name(k->comm, strnlen(k->comm, sizeof k->comm));
}

/* ---- not seen ---- */

static bool is_from_people(int signal)
{
	return signal == SIGKILL || signal == SIGTERM || signal == SIGHUP || signal == SIGINT;
}

static uint64_t cpu_used_us(const struct facts *f)
{
	const struct usage *u = &f->o->usage;
	uint64_t all = u->cpu_known ? u->cpu_user_us + u->cpu_system_us : 0;

	return all > f->o->leader_cpu_us ? all : f->o->leader_cpu_us;
}

bool sender_unseen_outside(const struct facts *f)
{
	uint64_t wall = f->o->usage.wall_us;

	if (f->o->killer.known != KILLER_UNKNOWN || !is_from_people(f->signal))
		return false;
	if (wall < HARDLY_STARTED_US)
		return false;
	return wall >= STARTING_UP_US || cpu_used_us(f) < wall / 2;
}

const char *sender_unseen_words(const struct facts *f)
{
	const struct senders *s = &f->o->senders;

	if (s->watched)
		return arena_printf(f->a,
			"its sender was not seen, though senders were watched from %s on",
			words_duration(f->a, s->from_us));
	if (!f->o->privileged)
		return "sender not visible to an ordinary user";
	if (s->why_not)
		return arena_printf(
			f->a, "sender not visible: %s", words_visible(f->a, s->why_not, WHY_SHOWN));
	return "its sender was not watched for";
}
