/* SPDX-License-Identifier: MIT */
#include "model/exec-tree.h"

#include <inttypes.h>
#include <string.h>

#include "base/parse.h"
#include "model/policy.h"

#define COMMAND_SHOWN 400 /* bytes of a command; --json has all that is kept */
#define WORD_SHOWN    120
#define TEXT_SHOWN    300

/* At most @max bytes of @s as a word; "…" behind what is cut. */
static void put_word(struct buf *out, const char *s, size_t max)
{
	char kept[WORD_SHOWN + 1];
	size_t n = strnlen(s, max + 1);

	if (n <= max) {
		buf_put_word(out, s);
		return;
	}
	for (n = max; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
		; /* not in the middle of a character */
	memcpy(kept, s, n);
	kept[n] = '\0';
	buf_put_word(out, kept);
	buf_puts(out, "…");
}

static void put_words(struct buf *out, const struct strv *argv, size_t argc, bool cut)
{
	size_t start = out->size;

	for (size_t i = 0; i < argv->n; i++) {
		if (i > 0)
			buf_putc(out, ' ');
		if (out->size - start > COMMAND_SHOWN) {
			buf_printf(out, "… (%zu more)", argc - i);
			return;
		}
		put_word(out, argv->v[i], WORD_SHOWN);
	}
	if (cut)
		buf_puts(out, "…");
	if (argc > argv->n)
		buf_printf(out, " … (%zu more)", argc - argv->n);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* True for a path in a directory where programs are looked for: the name is enough then. */
static bool is_usual(const char *path)
{
	static const char *const dirs[] = {"/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/",
		"/usr/local/bin/", "/usr/local/sbin/"};

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		if (strncmp(path, dirs[i], strlen(dirs[i])) == 0 &&
			!strchr(path + strlen(dirs[i]), '/'))
			return true;
	return false;
}

/* The file, where the command does not say it: another name, or a place of its own. */
static void put_file(struct buf *out, const struct exec_event *event)
{
	const char *file = event->executable ? event->executable : event->called;
	const char *word = event->argv.n > 0 ? event->argv.v[0] : "";

	if (file && strcmp(word, file) != 0 &&
		(strcmp(base_name(word), base_name(file)) != 0 || !is_usual(file))) {
		buf_puts(out, " [");
		put_word(out, file, WORD_SHOWN);
		buf_putc(out, ']');
	}
}

void exec_node_put_command(struct buf *out, const struct exec_node *node)
{
	const struct exec_event *event = node->event;

	if (!event) {
		buf_printf(out, "(process %d, which executed nothing itself)", (int)node->pid);
		return;
	}
	if (event->argv.n == 0)
		buf_puts(out, "(no arguments)");
	put_words(out, &event->argv, event->argc, event->argv_cut);
	put_file(out, event);
}

/* ---- what became of it ---- */

static void put_text(struct buf *out, const char *s)
{
	size_t n = strnlen(s, TEXT_SHOWN + 1);

	buf_put_visible(out, s, n > TEXT_SHOWN ? TEXT_SHOWN : n);
	if (n > TEXT_SHOWN)
		buf_puts(out, "…");
}

static void put_refused(struct buf *out, const struct exec_event *event)
{
	buf_puts(out, event->enforced ? "refused" : "would be refused");
	if (!event->rule)
		return;
	buf_puts(out, " by '");
	put_text(out, event->rule);
	buf_putc(out, '\'');
}

static void put_killed(struct buf *out, const struct exec_event *event)
{
	buf_puts(out, "killed: it had become ");
	if (event->real_argv.n > 0)
		put_words(out, &event->real_argv, event->real_argv.n, false);
	else
		buf_puts(out, "something else");
	if (event->real_executable) {
		buf_puts(out, " [");
		put_word(out, event->real_executable, WORD_SHOWN);
		buf_putc(out, ']');
	}
}

static void put_failed(struct buf *out, const struct exec_event *event)
{
	buf_puts(out, "failed");
	if (!event->why)
		return;
	buf_puts(out, ": ");
	put_text(out, event->why);
}

void exec_node_put_fate(struct buf *out, const struct exec_node *node)
{
	static void (*const fates[EXEC_OUTCOME_COUNT_])(
		struct buf * out, const struct exec_event *event) = {
		[EXEC_REFUSED] = put_refused,
		[EXEC_KILLED] = put_killed,
		[EXEC_FAILED] = put_failed,
	};

	if (node->event && fates[node->event->outcome])
		fates[node->event->outcome](out, node->event);
}

/* ---- the whole ---- */

void exec_tree_put_counts(struct buf *out, const struct exec_tree *t)
{
	bool any = false;

	for (int i = 0; i < EXEC_OUTCOME_COUNT_; i++) {
		if (t->counts[i] == 0)
			continue;
		buf_printf(out, "%s%" PRIu64 " %s", any ? ", " : "", t->counts[i],
			exec_outcome_name((enum exec_outcome)i));
		any = true;
	}
	if (!any)
		buf_puts(out, "none");
}

static void put_counted(struct buf *out, uint64_t n, const char *one, const char *more)
{
	if (n > 0)
		buf_printf(out, "%" PRIu64 " %s\n", n, n == 1 ? one : more);
}

void exec_tree_put_notes(
	struct buf *out, const struct exec_tree *t, const struct observed_exec *seen)
{
	if (t->audit)
		buf_puts(out, "mode audit: nothing was refused\n");
	put_counted(out, t->folded, "call in search of a program is left out",
		"calls in search of a program are left out");
	if (!seen)
		return;
	put_counted(out, seen->audit_dropped, "exec is missing: the file had reached its bound",
		"execs are missing: the file had reached its bound");
	if (!seen->warden_lost)
		return;
	buf_puts(out, "the warden was lost, and what was executed from then on was refused: ");
	put_text(out, seen->lost_why ? seen->lost_why : "nobody knows why");
	buf_putc(out, '\n');
}

/* By one that is shown. */
static bool is_followed(const struct exec_tree *t, const struct exec_node *x)
{
	size_t next = x->next;
	while (next != EXEC_NO_NODE && t->v[next].folded)
		next = t->v[next].next;
	return next != EXEC_NO_NODE;
}

void exec_node_put_branches(
	struct buf *out, const struct exec_tree *t, size_t node, struct exec_branches *b, bool utf8)
{
	const struct exec_node *x = &t->v[node];
	unsigned level = x->level < EXEC_LEVELS_SHOWN ? x->level : EXEC_LEVELS_SHOWN;

	b->more[level] = is_followed(t, x);
	for (unsigned i = 1; i < level; i++)
		buf_puts(out, !b->more[i] ? "   " : utf8 ? "│  " : "|  ");
	if (level > 0)
		buf_puts(out,
			utf8                     ? (b->more[level] ? "├─ " : "└─ ")
				: b->more[level] ? "|- "
						 : "`- ");
	if (x->level > level)
		buf_printf(out, "(level %u) ", x->level);
	if (x->again)
		buf_puts(out, utf8 ? "→ " : "-> ");
}

static const char *color_of(const struct exec_node *node, struct plot_style style)
{
	static const char *const colors[EXEC_OUTCOME_COUNT_] = {
		"", "\033[31m", "\033[1;31m", "\033[33m"};

	return style.color && node->event ? colors[node->event->outcome] : "";
}

static void put_line(struct buf *out, const struct exec_tree *t, size_t at,
	struct exec_branches *branches, struct plot_style style)
{
	const struct exec_node *node = &t->v[at];
	const char *color = color_of(node, style);
	char time[FORMAT_SIZE] = "";
	cleanup_buf struct buf fate = BUF_INIT;

	if (node->event)
		format_duration(node->event->t_us, time);
	buf_printf(out, "  %-10s  ", time);
	exec_node_put_branches(out, t, at, branches, style.utf8);
	exec_node_put_command(out, node);
	exec_node_put_fate(&fate, node);
	if (fate.size > 0)
		buf_printf(out, "  %s%s%s", color, fate.data, *color ? "\033[0m" : "");
	buf_putc(out, '\n');
}

void exec_tree_put_text(struct buf *out, const struct exec_tree *t,
	const struct observed_exec *seen, struct plot_style style)
{
	struct exec_branches branches = {.more = {false}};

	for (size_t at = t->first; at != EXEC_NO_NODE; at = exec_tree_next(t, at))
		if (!t->v[at].folded)
			put_line(out, t, at, &branches, style);
	exec_tree_put_notes(out, t, seen);
}
