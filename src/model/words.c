/* SPDX-License-Identifier: MIT */
#include "model/words.h"

#include <signal.h>
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"

#define GROUP_SHOWN 300
#define CALL_SHOWN  100

const char *words_signal(struct arena *a, int signal)
{
	const char *name = sigabbrev_np(signal);
	return name ? arena_printf(a, "SIG%s", name) : arena_printf(a, "signal %d", signal);
}

const char *words_limit(const struct facts *f, enum limit limit)
{
	char text[LIMIT_TEXT_SIZE];
	const struct limit_value *value = &f->o->limits[limit].asked;
	return value->set ? arena_strdup(f->a, limit_format(limit, value, text)) : "";
}

const char *words_bound(const struct facts *f, enum limit limit)
{
	static const char letters[LIMIT_COUNT_] = {
		[LIMIT_ADDRESS_SPACE] = 'v', [LIMIT_FILE_SIZE] = 'f', [LIMIT_CPU_TIME] = 't'};
	struct bound bound = facts_bound(f, limit);
	struct limit_value value = {.set = true, .value = bound.value};
	char text[LIMIT_TEXT_SIZE];

	limit_format(limit, &value, text);
	return bound.inherited
		? arena_printf(f->a, "%s (inherited: ulimit -%c)", text, letters[limit])
		: arena_strdup(f->a, text);
}

const char *words_size(struct arena *a, uint64_t bytes)
{
	char text[FORMAT_SIZE];
	return arena_strdup(a, format_size(bytes, text));
}

const char *words_duration(struct arena *a, uint64_t us)
{
	char text[FORMAT_SIZE];
	return arena_strdup(a, format_duration(us, text));
}

const char *words_visible(struct arena *a, const char *s, size_t max)
{
	cleanup_buf struct buf b = BUF_INIT;

	if (!s)
		return "";
	size_t size = strnlen(s, max + 1);
	buf_put_visible(&b, s, size > max ? max : size);
	if (size > max)
		buf_puts(&b, "…");
	return arena_strdup(a, buf_str(&b));
}

const char *words_process(struct arena *a, const char comm[17], pid_t pid)
{
	const char *name = words_visible(a, arena_strndup(a, comm, strnlen(comm, 16)), 16);

	if (pid <= 0)
		return *name ? name : "a process";
	return arena_printf(a, "%s[%d]", *name ? name : "process", (int)pid);
}

const char *words_victims(const struct facts *f)
{
	if (f->n_victims == 0)
		return "a process";
	const struct victim *v = &f->o->victims[0];
	const char *first = words_process(f->a, v->comm, v->pid);
	if (f->n_victims == 1)
		return first;
	return arena_printf(f->a, "%s and %zu more", first, f->n_victims - 1);
}

const char *words_call(const struct facts *f)
{
	const struct denied_call *call = &f->o->denied;

	return call->name ? words_visible(f->a, call->name, CALL_SHOWN)
			  : arena_printf(f->a, "number %u", call->number);
}

const char *words_oom_place(const struct facts *f)
{
	const char *limit = words_limit(f, LIMIT_MEMORY);
	const char *group = words_visible(f->a, f->oom.above_group, GROUP_SHOWN);

	switch (f->oom.place) {
	case OOM_OWN:
		return *limit ? arena_printf(f->a, "at the run's memory limit of %s", limit)
			      : "at the run's memory limit";
	case OOM_ANCESTOR:
		return arena_printf(f->a, "at the memory limit of a group above the run's%s%s",
			*group ? ", " : "", group);
	default:
		return f->oom.place_sure
			? "because the host ran out of memory"
			: "because the host, or a limit out of sight, ran out of memory";
	}
}

const char *words_end(const struct facts *f)
{
	switch (f->wait) {
	case WAIT_EXITED:
		return arena_printf(f->a, "exited with %d", f->code);
	case WAIT_SIGNALED:
		if (!sigabbrev_np(f->signal))
			return arena_printf(f->a, "died of signal %d", f->signal);
		return arena_printf(
			f->a, "died of %s (signal %d)", words_signal(f->a, f->signal), f->signal);
	case WAIT_NEVER_STARTED:
		return "never started";
	default:
		return "ended in an unknown way";
	}
}

const char *words_end_of_act(const struct facts *f)
{
	const char *sent = words_signal(f->a, f->act->signal);

	if (f->wait == WAIT_NEVER_STARTED)
		return "it had not started yet";
	if (f->wait == WAIT_UNKNOWN)
		return "its status is unknown";
	if (f->wait == WAIT_EXITED)
		return arena_printf(f->a, "it exited with %d after %s", f->code, sent);
	const char *died = words_signal(f->a, f->signal);
	if (f->signal == f->act->signal)
		return arena_printf(f->a, "%s ended it", died);
	if (f->signal == SIGKILL && f->kill)
		return arena_printf(f->a, "%s did not end it, SIGKILL did", sent);
	return arena_printf(f->a, "after %s it died of %s", sent, died);
}

const char *words_enforcer(enum enforced_by by)
{
	return enforced_by_name((unsigned)by < ENFORCED_COUNT_ ? by : ENFORCED_NONE);
}

const char *words_after(const struct facts *f)
{
	return arena_printf(f->a, " after %s", words_duration(f->a, f->o->usage.wall_us));
}
