/* SPDX-License-Identifier: MIT */
#ifndef MODEL_HTML_H
#define MODEL_HTML_H

#include "base/arena.h"
#include "base/buf.h"
#include "model/exec-tree.h"
#include "model/timeline.h"
#include "model/verdict.h"

/*
 * A verdict as a page that stands alone: no script, nothing from anywhere else (its own policy forbids
 * both). Names, arguments and messages are those of strangers: each goes through html_put().
 */

/* Append @text as text or as a quoted attribute: markup escaped, control bytes as \xNN; NULL is "". */
void html_put(struct buf *b, const char *text);

/* The page; @t and @execs may be NULL. In @a. */
const char *verdict_format_html(const struct verdict *v, const struct observation *o,
	const struct timeline *t, const struct exec_tree *execs, struct arena *a);

/* ---- html-plot.c ---- */

/* The timeline as SVG, one picture below the other. */
void html_put_plots(
	struct buf *b, const struct timeline *t, const struct observation *o, struct arena *a);

/* ---- html-execs.c ---- */

/* What was executed, as far as it fits a page. */
void html_put_execs(struct buf *b, const struct exec_tree *t, const struct observed_exec *seen);

#endif
