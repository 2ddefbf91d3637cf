/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"
#include "model/doctor.h"

static const char *or_unknown(const char *s)
{
	return s != NULL ? s : "?";
}

static void put_host(struct buf *b, const struct host *h)
{
	char size[FORMAT_SIZE];
	buf_printf(b, "Linux %s on %s, %u CPUs, %s of memory, %s%s\n\n", or_unknown(h->kernel),
		or_unknown(h->machine), h->n_cpus, format_size(h->memory_bytes, size),
		h->privileged         ? "as root"
			: h->uid == 0 ? "as root of a namespace"
				      : "as an ordinary user",
		h->in_container ? ", in a container" : "");
}

/* A path of a hostile name could otherwise forge a line. */
static void put_line(struct buf *b, const char *label, const char *text)
{
	buf_puts(b, label);
	buf_put_visible(b, text, strlen(text));
	buf_putc(b, '\n');
}

static void put_rung(struct buf *b, const struct host_cgroup *c)
{
	put_line(b, "limits come from: ", rung_name(c->rung));
	for (int i = 0; i < CONTROLLER_COUNT_; i++) {
		if (c->base[i] == NULL)
			continue;
		buf_printf(b, "  %-8s ", controller_name((enum controller)i));
		put_line(b, "", c->base[i]);
	}
	if (c->why_not_better != NULL)
		put_line(b, "  why no better: ", c->why_not_better);
	if (c->remedy != NULL)
		put_line(b, "  try: ", c->remedy);
	buf_putc(b, '\n');
}

#define INDENT "                            "

/* What was said about the cgroups above is not said again for each thing that they give. */
static void put_cause(struct buf *b, const struct capability *c, const struct host_cgroup *cgroup)
{
	if (c->why != NULL && c->why == cgroup->why_not_better) {
		put_line(b, INDENT, "why: as said above");
		return;
	}
	if (c->why != NULL)
		put_line(b, INDENT "why: ", c->why);
	if (c->remedy != NULL)
		put_line(b, INDENT "try: ", c->remedy);
}

static void put_capability(
	struct buf *b, const struct capability *c, const struct host_cgroup *cgroup)
{
	buf_printf(b, "  %-8s %-16s %s\n", c->ok ? "ok" : "missing", c->name, c->meaning);
	put_cause(b, c, cgroup);
}

static void put_limit(struct buf *b, enum limit limit, const struct doctor_limit *l)
{
	buf_printf(b, "  %-16s %s%s%s\n", limit_option(limit), enforced_by_name(l->by),
		l->in_default ? " (set by default)" : "",
		l->degraded ? "; not fully enforced here" : "");
}

static bool can_run(const struct doctor *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->capability[i].weight == CAPABILITY_NEEDED && !d->capability[i].ok)
			return false;
	return true;
}

const char *doctor_format_text(const struct doctor *d, struct arena *a)
{
	cleanup_buf struct buf b = BUF_INIT;
	put_host(&b, d->host);
	put_rung(&b, &d->host->cgroup);
	for (size_t i = 0; i < d->n; i++)
		put_capability(&b, &d->capability[i], &d->host->cgroup);
	buf_puts(&b, "\nwhat would enforce each limit:\n");
	for (int l = 0; l < LIMIT_COUNT_; l++)
		put_limit(&b, (enum limit)l, &d->limit[l]);
	buf_printf(&b, "\n%s on this host\n",
		d->full              ? "a default run is fully enforced"
			: can_run(d) ? "a default run is not fully enforced"
				     : "no default run can be made");
	return arena_strdup(a, buf_str(&b));
}
