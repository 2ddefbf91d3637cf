/* SPDX-License-Identifier: MIT */
#ifndef SERVER_HANDLERS_H
#define SERVER_HANDLERS_H

#include <stddef.h>

struct exchange;
struct live;

/*
 * The run of the path, if it is one of ours. NULL: the exchange is answered. For one that is
 * only in the record, @what says in the answer why that does not do.
 */
struct live *exchange_our_run(struct exchange *x, const char *what);

/* What the routes do: each answers, or waits (exchange.h). */
void handle_run_begin(struct exchange *x);
void handle_run_list(struct exchange *x);
void handle_run_get(struct exchange *x);
void handle_run_cancel(struct exchange *x);
void handle_run_signal(struct exchange *x);
void handle_run_resize(struct exchange *x);
void handle_run_timeline(struct exchange *x);
void handle_run_execs(struct exchange *x);
size_t take_run_stdin(struct exchange *x, const char *data, size_t size);
void handle_run_stdin(struct exchange *x);
void handle_run_output(struct exchange *x);
void handle_run_attach(struct exchange *x);

void handle_box_make(struct exchange *x);
void handle_box_list(struct exchange *x);
void handle_box_get(struct exchange *x);
void handle_box_remove(struct exchange *x);
void handle_box_run_begin(struct exchange *x);
void handle_box_run_list(struct exchange *x);

void handle_host(struct exchange *x);
void handle_policy_list(struct exchange *x);
void handle_policy_get(struct exchange *x);
void handle_stats(struct exchange *x);
void handle_breakers(struct exchange *x);
void handle_metrics(struct exchange *x);
void handle_health(struct exchange *x);

#endif
