/* SPDX-License-Identifier: MIT */
#ifndef MODEL_EXEC_TREE_H
#define MODEL_EXEC_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/exec-event.h"
#include "model/observation.h"
#include "model/timeline.h"

/*
 * The execs of a run as the tree that its processes were: who was executed by whom. What is known is a line for
 * each exec, with the pids of then: a pid that is used again is another process, one that executes again
 * is the same with another program, and a parent that has executed nothing itself (a shell's subshell) stands in
 * the tree without a program.
 */
#define EXEC_NO_NODE SIZE_MAX

struct exec_node {
	const struct exec_event *event; /* NULL: a process that executed nothing, @pid */
	pid_t pid;
	size_t parent, first_child, last_child, next; /* EXEC_NO_NODE: none */
	unsigned level; /* 0: a root */
	bool again; /* the process of the node before it has replaced its program */
	bool folded; /* a part of a search, which was gone on with: not shown */
};

struct exec_tree {
	struct exec_node *v; /* parents before their children, but not in the order shown */
	size_t n;
	size_t first; /* root; EXEC_NO_NODE: nothing was executed */
	uint64_t counts[EXEC_OUTCOME_COUNT_]; /* of all events but the folded ones */
	uint64_t folded;
	bool audit; /* not all were judged in mode enforce */
};

/* In @a; borrows @events, in whatever order they are. */
void exec_tree_build(
	struct exec_tree *ret, const struct exec_event *events, size_t n, struct arena *a);
/* The node that is shown after node @at; EXEC_NO_NODE at the end. Begin with @first. */
size_t exec_tree_next(const struct exec_tree *t, size_t at);

/* ---- exec-tree-text.c ---- */

/* The command as one would type it, cut to what fits a line; only what a terminal may show. */
void exec_node_put_command(struct buf *out, const struct exec_node *node);
/*
 * What became of it, if it is not that it was started, and by which rule: "refused by 'deny: git push'"; nothing
 * for one that was started. Visible.
 */
void exec_node_put_fate(struct buf *out, const struct exec_node *node);
/* "12 started, 1 refused, 1 failed"; "none" if there is nothing. */
void exec_tree_put_counts(struct buf *out, const struct exec_tree *t);
/* Sentences, one a line, on what is not in the tree; @seen NULL: of a run that is on. */
void exec_tree_put_notes(
	struct buf *out, const struct exec_tree *t, const struct observed_exec *seen);
/* Lines and branches of @node: "│  ├─ ". @more is the memory between calls, zeros at first. */
#define EXEC_LEVELS_SHOWN 40
struct exec_branches {
	bool more[EXEC_LEVELS_SHOWN + 1];
};
void exec_node_put_branches(struct buf *out, const struct exec_tree *t, size_t node,
	struct exec_branches *b, bool utf8);
/* The whole of it for a terminal: a line for each exec, with its time. */
void exec_tree_put_text(struct buf *out, const struct exec_tree *t,
	const struct observed_exec *seen, struct plot_style style);

#endif
