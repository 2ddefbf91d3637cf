/* SPDX-License-Identifier: MIT */
#include "model/html.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "model/facts.h"
#include "model/words.h"

/* Of a picture, in its own units. */
#define WIDTH  800
#define HEIGHT 120
/* Parts of the time: of the line, and of those that say their value under the pointer. */
#define PARTS 400
#define STOPS 100

struct plot {
	struct buf *b;
	struct arena *a;
	const struct timeline *t;
	const struct observation *o;
	enum series series;
	uint64_t end_us;
	double v[PARTS];
	double most, top;
	double limit; /* 0: none to show */
	const char *(*say)(struct arena *a, double value);
};

static const char *say_size(struct arena *a, double value)
{
	return words_size(a, plot_u64(value));
}

static const char *say_cpus(struct arena *a, double value)
{
	return arena_printf(a, "%.2f CPUs", value);
}

static const char *say_number(struct arena *a, double value)
{
	return arena_printf(a, "%.0f", value);
}

static const char *say_share(struct arena *a, double value)
{
	return arena_printf(a, "%.0f %% of the time", 100 * fmin(value, 1));
}

/* ---- one picture ---- */

static double y_of(const struct plot *p, double value)
{
	return HEIGHT - HEIGHT * fmin(value / p->top, 1);
}

/* The line, and the area below it when @filled; it is broken where nothing is known. */
static void put_path(struct plot *p, bool filled)
{
	bool on = false;
	double last = 0;

	buf_printf(p->b, "<path class=\"%s\" d=\"", filled ? "area" : "line");
	for (size_t i = 0; i <= PARTS; i++) {
		double x = (double)i * WIDTH / PARTS;
		bool known = i < PARTS && !isnan(p->v[i]);
		double y = known ? y_of(p, p->v[i]) : 0;
		if (on && !known)
			buf_printf(p->b, "H%.0f%s", x, filled ? "V120Z" : "");
		else if (known && !on)
			buf_printf(p->b, filled ? "M%.0f 120V%.1f" : "M%.0f %.1f", x, y);
		else if (known && (y < last || y > last))
			buf_printf(p->b, "H%.0fV%.1f", x, y);
		on = known;
		last = y;
	}
	buf_puts(p->b, "\"/>\n");
}

static void put_level(struct plot *p, double value, const char *class, const char *text)
{
	buf_printf(p->b, "<line class=\"%s\" x1=\"0\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"><title>",
		class, WIDTH, y_of(p, value), y_of(p, value));
	html_put(p->b, text);
	buf_puts(p->b, "</title></line>\n");
}

static void put_stops(struct plot *p)
{
	double v[STOPS];

	timeline_plot(p->t, p->series, p->end_us, v, STOPS);
	for (size_t i = 0; i < STOPS; i++) {
		if (isnan(v[i]))
			continue;
		buf_printf(p->b,
			"<rect class=\"stop\" x=\"%zu\" y=\"0\" width=\"%d\" height=\"%d\"><title>",
			i * (WIDTH / STOPS), WIDTH / STOPS, HEIGHT);
		html_put(p->b,
			words_duration(p->a, plot_u64((double)p->end_us / STOPS * (double)i)));
		buf_puts(p->b, ": ");
		html_put(p->b, p->say(p->a, v[i]));
		buf_puts(p->b, "</title></rect>\n");
	}
}

static void put_acts(struct plot *p)
{
	for (size_t i = 0; i < p->o->n_acts && i < OBSERVATION_MAX_ACTS; i++) {
		const struct act *act = &p->o->acts[i];
		double x = fmin((double)act->at_us / (double)p->end_us, 1) * WIDTH;
		buf_printf(p->b,
			"<line class=\"act\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%d\"><title>", x,
			x, HEIGHT);
		html_put(p->b,
			arena_printf(p->a, "%s after %s: %s", words_signal(p->a, act->signal),
				words_duration(p->a, act->at_us), act_reason_name(act->reason)));
		buf_puts(p->b, "</title></line>\n");
	}
}

static void put_picture(struct plot *p, const char *title, const char *text)
{
	buf_puts(p->b, "<figure><figcaption><b>");
	html_put(p->b, title);
	buf_puts(p->b, "</b> ");
	html_put(p->b, text);
	buf_printf(
		p->b, "</figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", WIDTH, HEIGHT);
	put_path(p, true);
	put_path(p, false);
	if (p->limit > 0)
		put_level(p, p->limit, "limit",
			arena_printf(p->a, "limit %s", p->say(p->a, p->limit)));
	put_acts(p);
	put_stops(p);
	buf_printf(p->b, "</svg><div class=\"axis\"><span>0</span><span>%s</span></div></figure>\n",
		words_duration(p->a, p->end_us));
}

/* ---- the pictures ---- */

static void put_memory(struct plot *p)
{
	const struct usage *u = &p->o->usage;
	double peak = p->most;

	if (u->memory_peak_known)
		peak = fmax(peak, (double)u->memory_peak_bytes);
	if (p->t->memory_limited)
		p->limit = (double)p->t->memory_limit_bytes;
	/* a limit far above would press the line to the ground */
	if (p->limit > 8 * peak)
		p->limit = 0;
	p->top = fmax(fmax(p->limit, peak) * 1.05, 1);
	put_picture(p, "Memory",
		arena_printf(p->a, "peak %s%s%s", words_size(p->a, plot_u64(peak)),
			p->t->memory_limited ? " of " : ", no limit",
			p->t->memory_limited ? words_size(p->a, p->t->memory_limit_bytes) : ""));
}

static void put_cpu(struct plot *p)
{
	const struct limit_value *cpus = &p->o->limits[LIMIT_CPUS].asked;

	p->limit = cpus->set ? (double)cpus->value / 1000 : 0;
	p->top = fmax(fmax(p->limit, p->most) * 1.05, 1);
	put_picture(p, "CPUs", arena_printf(p->a, "at most %.2f", p->most));
}

static void put_pids(struct plot *p)
{
	bool near = p->t->pids_limited && (double)p->t->pids_limit <= 8 * p->most;

	p->limit = near ? (double)p->t->pids_limit : 0;
	p->top = fmax(fmax(p->limit, p->most) * 1.05, 1);
	put_picture(p, "Processes and threads",
		p->t->pids_limited
			? arena_printf(p->a, "at most %.0f of %" PRIu64, p->most, p->t->pids_limit)
			: arena_printf(p->a, "at most %.0f", p->most));
}

static void put_stall(struct plot *p, const char *title)
{
	p->top = 1;
	put_picture(p, title, arena_printf(p->a, "at most %s", say_share(p->a, p->most)));
}

static void put_stall_memory(struct plot *p)
{
	put_stall(p, "Waiting for memory");
}

static void put_stall_io(struct plot *p)
{
	put_stall(p, "Waiting for input and output");
}

static void put_stall_cpu(struct plot *p)
{
	put_stall(p, "Waiting for a CPU");
}

static const struct {
	enum series series;
	void (*put)(struct plot *p);
	const char *(*say)(struct arena *a, double value);
	bool always; /* also when there is nothing to see */
} pictures[] = {
	{SERIES_MEMORY, put_memory, say_size, true},
	{SERIES_CPU, put_cpu, say_cpus, true},
	{SERIES_PIDS, put_pids, say_number, true},
	{SERIES_STALL_MEMORY, put_stall_memory, say_share, false},
	{SERIES_STALL_IO, put_stall_io, say_share, false},
	{SERIES_STALL_CPU, put_stall_cpu, say_share, false},
};

void html_put_plots(
	struct buf *b, const struct timeline *t, const struct observation *o, struct arena *a)
{
	uint64_t end_us = timeline_end_us(t, o->usage.wall_us);

	for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
		struct plot p = {.b = b, .a = a, .t = t, .o = o, .end_us = end_us};
		p.series = pictures[i].series;
		p.say = pictures[i].say;
		timeline_plot(t, p.series, end_us, p.v, PARTS);
		for (size_t k = 0; k < PARTS; k++)
			p.most = fmax(p.most, p.v[k]);
		if (timeline_knows(t, p.series) && (pictures[i].always || p.most >= 0.01))
			pictures[i].put(&p);
	}
}
