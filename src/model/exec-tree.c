/* SPDX-License-Identifier: MIT */
#include "model/exec-tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

/* A process, from the first that is known of it on. */
struct process {
	pid_t pid, inside_pid, parent;
	size_t older; /* that has the same place in the table; EXEC_NO_NODE: none */
	size_t attach; /* the node that its own are below */
	size_t last; /* node of its last exec */
	size_t program; /* node of what it runs; EXEC_NO_NODE: what its parent ran when it was made */
};

struct builder {
	struct exec_tree *t;
	size_t last_root;
	struct process *processes;
	size_t n_processes;
	size_t *newest, n_places; /* a power of two */
};

/* ---- nodes ---- */

static size_t new_node(struct builder *b, const struct exec_event *event, pid_t pid)
{
	struct exec_node *node = &b->t->v[b->t->n];

	*node = (struct exec_node){.event = event,
		.pid = pid,
		.parent = EXEC_NO_NODE,
		.first_child = EXEC_NO_NODE,
		.last_child = EXEC_NO_NODE,
		.next = EXEC_NO_NODE};
	return b->t->n++;
}

/* As the last child of @parent, or the last root. */
static void append(struct builder *b, size_t at, size_t parent)
{
	struct exec_node *v = b->t->v;
	size_t *first = parent == EXEC_NO_NODE ? &b->t->first : &v[parent].first_child;
	size_t *last = parent == EXEC_NO_NODE ? &b->last_root : &v[parent].last_child;

	v[at].parent = parent;
	if (*last == EXEC_NO_NODE)
		*first = at;
	else
		v[*last].next = at;
	*last = at;
}

/* Directly behind its sibling @before. */
static void insert(struct builder *b, size_t at, size_t before)
{
	struct exec_node *v = b->t->v;
	size_t parent = v[before].parent;
	size_t *last = parent == EXEC_NO_NODE ? &b->last_root : &v[parent].last_child;

	v[at].parent = parent;
	v[at].next = v[before].next;
	v[before].next = at;
	if (*last == before)
		*last = at;
}

/* ---- processes ---- */

static size_t *place_of(const struct builder *b, pid_t pid)
{
	return &b->newest[(unsigned)pid & (b->n_places - 1)];
}

/* The newest process of that number. */
static struct process *find(struct builder *b, pid_t pid)
{
	size_t i = *place_of(b, pid);

	while (i != EXEC_NO_NODE && b->processes[i].pid != pid)
		i = b->processes[i].older;
	return i == EXEC_NO_NODE ? NULL : &b->processes[i];
}

static struct process *new_process(struct builder *b, pid_t pid, size_t attach)
{
	size_t *place = place_of(b, pid);
	struct process *p = &b->processes[b->n_processes];

	*p = (struct process){.pid = pid,
		.older = *place,
		.attach = attach,
		.last = EXEC_NO_NODE,
		.program = EXEC_NO_NODE};
	*place = b->n_processes++;
	return p;
}

/*
 * A number that is used again is another process: told by the box's own count, which goes its own way, or
 * else by its parent. The latter changes when it is orphaned, so it only counts where the former is not known.
 */
static bool is_same(const struct process *p, const struct exec_event *event)
{
	if (p->inside_pid > 0 && event->inside_pid > 0)
		return p->inside_pid == event->inside_pid;
	return p->parent == 0 || event->parent == 0 || p->parent == event->parent;
}

/* Where the execs of a child of @pid go: below what that ran then. */
static size_t attach_to(struct builder *b, pid_t pid)
{
	struct process *parent = pid > 0 ? find(b, pid) : NULL;

	if (!parent && pid > 0 && b->t->n > 0) { /* that of the first is not of the run */
		size_t node = new_node(b, NULL, pid);
		append(b, node, EXEC_NO_NODE);
		parent = new_process(b, pid, EXEC_NO_NODE);
		parent->program = parent->last = node;
	}
	if (!parent)
		return EXEC_NO_NODE;
	return parent->program != EXEC_NO_NODE ? parent->program : parent->attach;
}

static struct process *process_of(struct builder *b, const struct exec_event *event)
{
	struct process *p = event->pid > 0 ? find(b, event->pid) : NULL;

	if (!p || !is_same(p, event)) {
		size_t attach = attach_to(b, event->parent);
		p = new_process(b, event->pid, attach);
	}
	if (event->inside_pid > 0)
		p->inside_pid = event->inside_pid;
	if (event->parent > 0 && p->parent == 0)
		p->parent = event->parent;
	return p;
}

/* ---- */

static bool same_words(const struct strv *one, const struct strv *other)
{
	if (one->n != other->n)
		return false;
	for (size_t i = 0; i < one->n; i++)
		if (strcmp(one->v[i], other->v[i]) != 0)
			return false;
	return true;
}

/* True if the process goes on with it: mode audit refuses nothing. */
static bool went_on(const struct exec_event *event)
{
	return event->outcome == EXEC_STARTED ||
		(event->outcome == EXEC_REFUSED && !event->enforced);
}

/* Of @called, without the directories; "": it is not known. */
static const char *base_of(const struct exec_event *event)
{
	return event->called ? path_base(event->called) : "";
}

/*
 * Is @last a step of a search that @event is the next of? By its arguments alone anybody could make anything look
 * so: what was refused stays unless the next was refused, too, and what was killed stays.
 */
static bool is_step(const struct exec_event *last, const struct exec_event *event)
{
	if (went_on(last) || last->outcome == EXEC_KILLED)
		return false;
	if (last->outcome == EXEC_REFUSED && event->outcome != EXEC_REFUSED)
		return false;
	return strcmp(base_of(last), base_of(event)) == 0 && same_words(&last->argv, &event->argv);
}

/* Is @event no more than the rest of a search that went on behind a refusal? The refusal says more than it. */
static bool is_rest(const struct exec_event *last, const struct exec_event *event)
{
	return last->outcome == EXEC_REFUSED && !went_on(last) && event->outcome == EXEC_FAILED &&
		strcmp(base_of(last), base_of(event)) == 0 && same_words(&last->argv, &event->argv);
}

static bool fold_rest(struct builder *b, const struct process *p, size_t node)
{
	struct exec_node *last = p->last == EXEC_NO_NODE ? NULL : &b->t->v[p->last];

	if (!last || !last->event || !is_rest(last->event, b->t->v[node].event))
		return false;
	insert(b, node, p->last);
	b->t->v[node].folded = true;
	b->t->folded++;
	return true;
}

/*
 * execvp(3) tries one directory after the other, a shell also after a refusal: of a search only its end is worth a
 * line.
 */
static void fold_search(struct builder *b, const struct process *p, const struct exec_event *event)
{
	struct exec_node *last = p->last == EXEC_NO_NODE ? NULL : &b->t->v[p->last];

	if (!last || !last->event || !is_step(last->event, event))
		return;
	last->folded = true;
	b->t->folded++;
	b->t->counts[last->event->outcome]--;
}

static void add(struct builder *b, const struct exec_event *event)
{
	struct process *p = process_of(b, event);
	size_t node = new_node(b, event, event->pid);

	if (fold_rest(b, p, node))
		return;
	fold_search(b, p, event);
	if (p->last == EXEC_NO_NODE)
		append(b, node, p->attach);
	else
		insert(b, node, p->last);
	b->t->v[node].again = p->last != EXEC_NO_NODE && p->program != EXEC_NO_NODE;
	p->last = node;
	if (went_on(event))
		p->program = node;
	b->t->counts[event->outcome]++;
	b->t->audit |= !event->enforced;
}

struct turn {
	const struct exec_event *event;
};

static int by_time(const void *one, const void *other)
{
	const struct exec_event *x = ((const struct turn *)one)->event;
	const struct exec_event *y = ((const struct turn *)other)->event;

	if (x->t_us != y->t_us)
		return x->t_us < y->t_us ? -1 : 1;
	return x < y ? -1 : x > y; /* as they were written */
}

/* Parents come before their children in the array. */
static void count_levels(struct exec_tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].parent != EXEC_NO_NODE)
			t->v[i].level = t->v[t->v[i].parent].level + 1;
}

void exec_tree_build(
	struct exec_tree *ret, const struct exec_event *events, size_t n, struct arena *a)
{
	struct turn *turns = arena_calloc(a, n, sizeof *turns);
	struct builder *b = arena_new(a, struct builder);

	*ret = (struct exec_tree){
		.v = arena_calloc(a, 2 * n, sizeof *ret->v), .first = EXEC_NO_NODE};
	b->t = ret;
	b->last_root = EXEC_NO_NODE;
	b->processes = arena_calloc(a, 2 * n, sizeof *b->processes);
	for (b->n_places = 1; b->n_places < n; b->n_places *= 2)
		;
	b->newest = arena_calloc(a, b->n_places, sizeof *b->newest);
	memset(b->newest, 0xff, b->n_places * sizeof *b->newest); /* EXEC_NO_NODE */
	for (size_t i = 0; i < n; i++)
		turns[i].event = &events[i];
	qsort(turns, n, sizeof *turns, by_time);
	for (size_t i = 0; i < n; i++)
		add(b, turns[i].event);
	count_levels(ret);
}

size_t exec_tree_next(const struct exec_tree *t, size_t at)
{
	if (t->v[at].first_child != EXEC_NO_NODE)
		return t->v[at].first_child;
	while (at != EXEC_NO_NODE && t->v[at].next == EXEC_NO_NODE)
		at = t->v[at].parent;
	return at == EXEC_NO_NODE ? at : t->v[at].next;
}
