/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/fd.h"
#include "run/engine-internal.h"

struct orphan {
	struct child child;
	struct engine *engine;
	struct orphan *next, **at;
	unsigned n_handles;
};

static void on_closed(uv_handle_t *handle)
{
	struct orphan *o = handle->data;
	if (--o->n_handles == 0)
		free(o);
}

/* The engine may be gone before its handles are. */
static void let_go(struct orphan *o)
{
	*o->at = o->next;
	if (o->next)
		o->next->at = o->at;
	o->engine->n_orphans--;
	o->n_handles = child_fini(&o->child, on_closed, o);
}

static void on_ended(struct child *c, int status)
{
	(void)status;
	let_go(c->data);
}

static void link_orphan(struct engine *e, struct orphan *o)
{
	o->engine = e;
	o->next = e->orphans;
	o->at = &e->orphans;
	if (o->next)
		o->next->at = &o->next;
	e->orphans = o;
	e->n_orphans++;
}

void orphan_take(struct engine *e, int pidfd)
{
	if (pidfd < 0)
		return;
	struct orphan *o = e->n_orphans < ORPHANS_MAX ? calloc(1, sizeof(*o)) : NULL;
	if (!o) {
		fd_close(pidfd);
		return;
	}
	o->child = CHILD_INIT;
	o->child.data = o;
	o->child.ended = on_ended;
	if (child_watch_take(&o->child, e->loop, pidfd) < 0) {
		free(o);
		return;
	}
	uv_unref((uv_handle_t *)&o->child.poll);
	uv_unref((uv_handle_t *)&o->child.look);
	link_orphan(e, o);
}

void orphans_close(struct engine *e)
{
	while (e->orphans)
		let_go(e->orphans);
}
