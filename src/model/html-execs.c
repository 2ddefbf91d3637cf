/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/parse.h"
#include "model/html.h"

/* Of the tree; a build has many. */
#define LINES_SHOWN 1000

static void put_line(
	struct buf *b, const struct exec_tree *t, size_t at, struct exec_branches *branches)
{
	const struct exec_node *node = &t->v[at];
	char time[FORMAT_SIZE] = "";
	cleanup_buf struct buf line = BUF_INIT, fate = BUF_INIT;

	if (node->event)
		format_duration(node->event->t_us, time);
	exec_node_put_branches(&line, t, at, branches, true);
	exec_node_put_command(&line, node);
	exec_node_put_fate(&fate, node);
	buf_printf(b, "<tr><th>%s</th><td class=\"tree\">", time);
	html_put(b, buf_str(&line));
	if (fate.size > 0) {
		buf_puts(b, "  <b>");
		html_put(b, fate.data);
		buf_puts(b, "</b>");
	}
	buf_puts(b, "</td></tr>\n");
}

static void put_lines(struct buf *b, const struct exec_tree *t)
{
	struct exec_branches branches = {.more = {false}};
	size_t shown = 0, at = t->first;

	buf_puts(b, "<table>\n");
	for (; at != EXEC_NO_NODE && shown < LINES_SHOWN; at = exec_tree_next(t, at)) {
		if (t->v[at].folded)
			continue;
		put_line(b, t, at, &branches);
		shown++;
	}
	buf_puts(b, "</table>\n");
	if (at != EXEC_NO_NODE)
		buf_printf(b,
			"<p class=\"sub\">These are the first %d; bulkhead show --execs has "
			"all.</p>\n",
			LINES_SHOWN);
}

void html_put_execs(struct buf *b, const struct exec_tree *t, const struct observed_exec *seen)
{
	cleanup_buf struct buf counts = BUF_INIT, notes = BUF_INIT;

	exec_tree_put_counts(&counts, t);
	exec_tree_put_notes(&notes, t, seen);
	buf_puts(b, "<h2>Executed</h2>\n<p>");
	html_put(b, counts.data);
	buf_puts(b, "</p>\n");
	put_lines(b, t);
	for (const char *note = buf_str(&notes), *end; *note; note = end + 1) {
		end = strchrnul(note, '\n');
		cleanup_buf struct buf one = BUF_INIT;
		buf_add(&one, note, (size_t)(end - note));
		buf_puts(b, "<p class=\"sub\">");
		html_put(b, one.data);
		buf_puts(b, "</p>\n");
	}
}
