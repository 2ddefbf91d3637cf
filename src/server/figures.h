/* SPDX-License-Identifier: MIT */
#ifndef SERVER_FIGURES_H
#define SERVER_FIGURES_H

#include "base/buf.h"

struct server;

/* What the daemon counts, from one table: /v1/stats and /metrics. */
void figures_put_json(struct server *s, struct buf *out);
void figures_put_openmetrics(struct server *s, struct buf *out);

#endif
