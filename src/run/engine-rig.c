/* SPDX-License-Identifier: MIT */
/* Of test-engine.c: not part of the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "run/engine-internal.h"
#include "run/group-name.h"
#include "run/test-engine.h"

#define HANG_US (60 * US_PER_SEC)

struct rig rig;

/* ---- what is left ---- */

static unsigned count_named(const char *dir, const char *part)
{
	unsigned n = 0;
	DIR *d = opendir(dir);
	for (struct dirent *entry; d && (entry = readdir(d));)
		n += strstr(entry->d_name, part) != NULL;
	if (d)
		closedir(d);
	return n;
}

unsigned rig_count_groups(void)
{
	static const char *const hierarchies[] = {"", "/memory", "/pids", "/cpu", "/unified"};
	char part[64], path[128];
	unsigned n = 0;
	const struct group_owner *self = group_owner_self();
	snprintf(part, sizeof(part), "-%ju.%d.%ju-", (uintmax_t)self->pid_namespace, (int)self->pid,
		(uintmax_t)self->start);
	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s", hierarchies[i]);
		n += count_named(path, part);
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s/bulkhead", hierarchies[i]);
		n += count_named(path, part);
	}
	return n;
}

unsigned rig_count_children(void)
{
	char path[64], text[8192];
	unsigned n = 0;
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	if (file_read_text(-1, path, text, sizeof(text)) < 0)
		return 0;
	for (const char *c = text; *c; c++)
		n += *c == ' ';
	return n;
}

/* ---- what is told ---- */

struct told *rig_told(const char *id)
{
	for (size_t i = rig.n_told; i-- > 0;)
		if (strcmp(rig.told[i].id, id) == 0)
			return &rig.told[i];
	assert_true(rig.n_told < MAX_TOLD);
	struct told *t = &rig.told[rig.n_told++];
	*t = (struct told){0};
	strcpy(t->id, id);
	return t;
}

static void *on_begun(void *data, struct live *live, const struct observation *o)
{
	struct told *t = rig_told(live_id(live));
	assert_ptr_equal(data, &rig);
	assert_string_equal(o->id, live_id(live));
	assert_null(live_record(live));
	assert_int_equal(t->begun++, 0);
	return t;
}

static void on_output(
	void *data, struct live *live, int stream, const char *bytes, size_t size, uint64_t t_us)
{
	struct told *t = live_record(live);
	(void)data;
	assert_true(stream == 1 || stream == 2);
	assert_true(t_us < HANG_US);
	assert_int_equal(t->ended, 0);
	buf_add(&t->output, bytes, size);
}

static void on_ended(void *data, struct live *live, struct observation *o, const struct verdict *v,
	const char *verdict_json)
{
	struct told *t = rig_told(live_id(live));
	(void)data;
	assert_int_equal(t->ended++, 0);
	assert_non_null(strstr(verdict_json, live_id(live)));
	t->cause = v->cause;
	if (getenv("SHOW"))
		print_message("%s\n", verdict_json);
	t->exit_code = o->wait == WAIT_EXITED ? o->exit_code : -1;
	t->n_acts = o->n_acts;
	for (size_t i = 0; i < o->n_acts; i++)
		t->cancel_uids[i] = o->acts[i].cancel_uid;
	t->term_signal = o->wait == WAIT_SIGNALED ? o->term_signal : 0;
}

static void on_gone(void *data, struct live *live)
{
	struct told *t = live_record(live);
	(void)data;
	assert_int_equal(t->ended, 1);
	assert_int_equal(t->gone++, 0);
}

/* ---- opening and closing ---- */

static void find_zygote(void)
{
	/* the test lies in the directory beside the program's */
	ssize_t n = readlink("/proc/self/exe", rig.zygote, PATH_MAX - 64);
	assert_true(n > 0);
	rig.zygote[n] = 0;
	*strrchr(rig.zygote, '/') = 0;
	strcpy(strrchr(rig.zygote, '/') + 1, "bulkhead-zygote");
}

void rig_open(const struct engine_options *options)
{
	struct engine_options o = options ? *options : ENGINE_OPTIONS_DEFAULT;
	struct engine_hooks hooks = {.data = &rig,
		.begun = on_begun,
		.output = on_output,
		.ended = on_ended,
		.gone = on_gone};
	struct error e = ERROR_INIT;
	o.zygote = rig.zygote;
	assert_int_equal(uv_loop_init(&rig.loop), 0);
	rig.stopped = false;
	if (engine_open(&rig.engine, &rig.loop, -1, 0, &o, &hooks, &e) < 0)
		fail_msg("%s", e.text);
}

static void on_stopped(void *data)
{
	assert_false(*(bool *)data);
	*(bool *)data = true;
}

static bool is_set(void *data)
{
	return *(bool *)data;
}

void rig_close(void)
{
	engine_stop(rig.engine, on_stopped, &rig.stopped);
	rig_until(is_set, &rig.stopped);
	engine_close(rig.engine);
	rig.engine = NULL;
	assert_int_equal(uv_run(&rig.loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&rig.loop), 0);
	for (size_t i = 0; i < rig.n_told; i++) {
		assert_int_equal(rig.told[i].ended, 1);
		assert_int_equal(rig.told[i].gone, rig.told[i].begun);
		buf_fini(&rig.told[i].output);
	}
	rig.n_told = 0;
}

int rig_setup(void **state)
{
	(void)state;
	uv_loop_t loop;
	if (getuid() != 0)
		return 0;
	alarm(300);
	find_zygote();
	uv_loop_init(&loop); /* it keeps what it opens the first time */
	uv_loop_close(&loop);
	rig.n_fds = rig_count_fds();
	rig.n_told = 0; /* what a test that failed has left */
	rig_open(NULL);
	return 0;
}

int rig_teardown(void **state)
{
	(void)state;
	if (getuid() != 0)
		return 0;
	if (rig.engine)
		rig_close();
	alarm(0);
	if (rig_count_children() || rig_count_groups() || rig_count_fds() != rig.n_fds)
		print_error("left: %u processes, %u groups, %d descriptors\n", rig_count_children(),
			rig_count_groups(), rig_count_fds() - rig.n_fds);
	return rig_count_children() || rig_count_groups() || rig_count_fds() != rig.n_fds;
}

/* ---- driving ---- */

void rig_until(bool (*done)(void *data), void *data)
{
	uint64_t deadline = time_monotonic_us() + HANG_US;
	while (!done(data)) {
		assert_true(uv_run(&rig.loop, UV_RUN_ONCE) != 0 || done(data));
		assert_true(time_monotonic_us() < deadline);
	}
}

struct live *rig_run(const struct engine_request *request)
{
	static const struct engine_client client = {.uid = 0};
	struct error e = ERROR_INIT;
	struct live *l = NULL;
	if (engine_run(rig.engine, request, &client, &l, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(live_state(l), LIVE_QUEUED);
	live_hold(l);
	return l;
}

struct live *rig_sh(const char *box, const char *script)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct engine_request request = {.request = {.argv = {.v = argv, .n = 3}}, .box = box};
	return rig_run(&request);
}

struct waiting {
	struct live_waiter waiter;
	bool told;
};

static void on_told(struct live_waiter *w, struct live *l)
{
	struct waiting *waiting = (struct waiting *)w;
	assert_false(waiting->told);
	assert_int_equal(live_state(l), LIVE_ENDED);
	assert_non_null(live_verdict_json(l));
	waiting->told = true;
}

static bool was_told(void *data)
{
	return ((struct waiting *)data)->told;
}

struct told *rig_end(struct live *l)
{
	struct waiting waiting = {.waiter = {.told = on_told}};
	live_wait(l, &waiting.waiter);
	assert_false(waiting.told);
	rig_until(was_told, &waiting);
	struct told *t = rig_told(live_id(l));
	assert_int_equal(t->ended, 1);
	live_let_go(l);
	return t;
}

struct box_waiting {
	struct box_waiter waiter;
	bool told;
};

static void on_box_told(struct box_waiter *w, struct box *b)
{
	(void)b;
	((struct box_waiting *)w)->told = true;
}

static bool box_was_told(void *data)
{
	return ((struct box_waiting *)data)->told;
}

struct box *rig_box(const char *policy_text)
{
	struct engine_request request = {
		.policy_text = policy_text, .policy_size = policy_text ? strlen(policy_text) : 0};
	struct box_waiting waiting = {.waiter = {.told = on_box_told}};
	struct error e = ERROR_INIT;
	struct box *b = NULL;
	if (engine_box(rig.engine, &request, NULL, &b, &e) < 0)
		fail_msg("%s", e.text);
	box_hold(b);
	box_wait_made(b, &waiting.waiter);
	rig_until(box_was_told, &waiting);
	if (box_state(b) != BOX_READY)
		fail_msg("%s", box_fault(b) ? box_fault(b) : box_state_name(box_state(b)));
	return b;
}

void rig_box_gone(struct box *b)
{
	struct box_waiting waiting = {.waiter = {.told = on_box_told}};
	box_wait_gone(b, &waiting.waiter);
	rig_until(box_was_told, &waiting);
	assert_int_equal(box_state(b), BOX_GONE);
	box_let_go(b);
}

struct reaching {
	struct live *live;
	enum live_state state;
	const char *text;
};

static bool has_reached(void *data)
{
	const struct reaching *r = data;
	return live_state(r->live) >= r->state;
}

void rig_reach(struct live *l, enum live_state state)
{
	struct reaching r = {l, state, NULL};
	rig_until(has_reached, &r);
	assert_int_equal(live_state(l), state);
}

static bool has_said(void *data)
{
	const struct reaching *r = data;
	return strstr(buf_str(&rig_told(live_id(r->live))->output), r->text) != NULL ||
		live_state(r->live) == LIVE_ENDED;
}

void rig_says(struct live *l, const char *text)
{
	struct reaching r = {l, LIVE_RUNNING, text};
	rig_reach(l, LIVE_RUNNING);
	rig_until(has_said, &r);
	assert_non_null(strstr(buf_str(&rig_told(live_id(l))->output), text));
}

static void on_quiet(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

void rig_quiet(unsigned ms)
{
	bool over = false;
	uv_timer_t timer;
	uv_timer_init(&rig.loop, &timer);
	timer.data = &over;
	uv_timer_start(&timer, on_quiet, ms, 0);
	rig_until(is_set, &over);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&rig.loop, UV_RUN_NOWAIT);
}

static bool is_settled(void *data)
{
	const struct engine *e = rig.engine;
	(void)data;
	for (const struct parked *p = e->parked; p; p = p->next_of_all)
		if (p->state != PARKED_READY)
			return false;
	for (const struct box *b = e->newest_box; b; b = b->older)
		if (b->state == BOX_READY && !b->spare && !b->serving.is)
			return false;
	return e->n_bodies == 0;
}

void rig_settle(void)
{
	rig_until(is_settled, NULL);
	engine_tidy(rig.engine);
}

unsigned rig_find_children(const char *comm, pid_t *ret, unsigned room)
{
	char path[64], text[8192], name[32];
	unsigned n = 0;
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	if (file_read_text(-1, path, text, sizeof(text)) < 0)
		return 0;
	for (char *c = text; *c; c = strchr(c, ' ') + 1) {
		pid_t pid = (pid_t)strtol(c, NULL, 10);
		snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
		if (file_read_text(-1, path, name, sizeof(name)) > 0 &&
			strncmp(name, comm, strlen(comm)) == 0 && n < room)
			ret[n++] = pid;
	}
	return n;
}
