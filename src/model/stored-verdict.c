/* SPDX-License-Identifier: MIT */
#include "model/stored-verdict.h"

#include <inttypes.h>

#include "base/buf.h"
#include "model/words.h"

#define ID_SHOWN   64
#define TEXT_SHOWN 1200

size_t stored_verdict_rules(const struct explanation *x, enum cause cause)
{
	size_t n = 0;

	while (n < x->n_rules && x->steps[n].cause != cause)
		n++;
	return n < x->n_rules ? n : 0;
}

const char *stored_evidence_text(const struct evidence *e, struct arena *a)
{
	cleanup_buf struct buf b = BUF_INIT;

	if (e->has_before && e->has_after)
		buf_printf(&b, "%" PRIu64 " → %" PRIu64 " ", e->before, e->after);
	else if (e->has_after)
		buf_printf(&b, "%" PRIu64 " ", e->after);
	if (e->text)
		buf_printf(&b, "%s ", words_visible(a, e->text, TEXT_SHOWN));
	if (e->where)
		buf_printf(&b, "(%s)", words_visible(a, e->where, TEXT_SHOWN));
	return arena_strdup(a, buf_str(&b));
}

static void put_ruled_out(struct buf *b, const struct stored_verdict *v)
{
	struct explanation x;

	explain_questions(&x);
	for (size_t i = 0; i < stored_verdict_rules(&x, v->cause); i++)
		buf_printf(b, "%s  no  %-16s %s\n",
			i == 0 ? "\nasked before; the reasons for each no are in the observation\n"
			       : "",
			cause_name(x.steps[i].cause), x.steps[i].asks);
}

const char *stored_verdict_text(const struct stored_verdict *v, struct arena *a)
{
	cleanup_buf struct buf b = BUF_INIT;

	buf_printf(&b, "run %s: %s: %s\n", v->id ? words_visible(a, v->id, ID_SHOWN) : "(no id)",
		cause_name(v->cause), words_visible(a, v->summary, TEXT_SHOWN));
	buf_puts(&b,
		"from the verdict alone: it does not hold the observation, so nothing was "
		"derived again\n\nevidence\n");
	for (size_t i = 0; i < v->n_evidence; i++)
		buf_printf(&b, "  %-25s %s\n", words_visible(a, v->evidence[i].fact, TEXT_SHOWN),
			stored_evidence_text(&v->evidence[i], a));
	if (v->n_evidence == 0)
		buf_puts(&b, "  none\n");
	put_ruled_out(&b, v);
	buf_printf(&b, "\nso it is %s (%s): %s\nretry: %s\n", cause_name(v->cause),
		words_visible(a, v->confidence, ID_SHOWN), cause_meaning(v->cause),
		words_visible(a, v->retry, ID_SHOWN));
	for (size_t i = 0; i < v->n_contributing; i++)
		buf_printf(&b, "also: %s\n", words_visible(a, v->contributing[i], TEXT_SHOWN));
	return arena_strdup(a, buf_str(&b));
}
