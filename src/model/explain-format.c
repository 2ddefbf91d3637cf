/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/buf.h"
#include "model/explain.h"
#include "model/words.h"

/* An explanation for a person. */

#define ID_SHOWN 64

static void put_looks(struct buf *b, const struct observation *o, struct arena *a)
{
	struct look looks[EXPLAIN_MAX_LOOKS];
	size_t n = explain_looks(looks, o, a);

	buf_puts(b, "\nlooked at\n");
	for (size_t i = 0; i < n; i++) {
		bool more = i > 0 && looks[i].what == looks[i - 1].what;
		buf_printf(b, "  %-25s %s\n", more ? "" : looks[i].what, looks[i].said);
	}
}

static void put_steps(struct buf *b, const struct explanation *x)
{
	const struct explain_step *last = &x->steps[x->decided];

	buf_puts(b, "\nasked, in this order; the first yes decides\n");
	for (size_t i = 0; i < x->decided; i++) {
		const struct explain_step *step = &x->steps[i];
		buf_printf(b, "  no  %-16s %s\n      %-16s %s\n", cause_name(step->cause),
			step->asks, "", step->why_not);
	}
	buf_printf(b, "  YES %-16s %s\n      %-16s %s\n", cause_name(last->cause), last->asks, "",
		x->verdict.summary);
}

static void put_not_asked(struct buf *b, const struct explanation *x)
{
	for (size_t i = x->decided + 1; i < x->n_rules; i++)
		buf_printf(b, "%s%s", i == x->decided + 1 ? "\nnot asked any more: " : ", ",
			cause_name(x->steps[i].cause));
	if (x->decided + 1 < x->n_rules)
		buf_putc(b, '\n');
}

static void put_agreement(struct buf *b, const struct explanation *x,
	const struct explain_source *source, struct arena *a)
{
	buf_printf(b, "derived again from %s", source->from);
	if (!source->stored_cause)
		buf_puts(b, "\n");
	else if (strcmp(source->stored_cause, cause_name(x->verdict.cause)) == 0)
		buf_puts(b, "; the verdict that was given then is the same\n");
	else
		buf_printf(b, "; the verdict that was given then is another: %s\n",
			words_visible(a, source->stored_cause, ID_SHOWN));
}

const char *explain_format_text(const struct explanation *x, const struct observation *o,
	const struct explain_source *source, struct arena *a)
{
	cleanup_buf struct buf b = BUF_INIT;
	const struct verdict *v = &x->verdict;

	buf_printf(&b, "run %s: %s\n",
		source->id ? words_visible(a, source->id, ID_SHOWN) : "(no id)",
		verdict_format_line(v, a));
	put_agreement(&b, x, source, a);
	put_looks(&b, o, a);
	put_steps(&b, x);
	put_not_asked(&b, x);
	buf_printf(&b, "\nso it is %s (%s): %s\nretry: %s; exit status of bulkhead: %d\n",
		cause_name(v->cause), confidence_name(v->confidence), cause_meaning(v->cause),
		retry_name(v->retry), v->exit_status);
	for (size_t i = 0; i < v->n_contributing; i++)
		buf_printf(&b, "also: %s\n", words_visible(a, v->contributing[i], 1200));
	return arena_strdup(a, buf_str(&b));
}
