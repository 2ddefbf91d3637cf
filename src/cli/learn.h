/* SPDX-License-Identifier: MIT */
#ifndef CLI_LEARN_H
#define CLI_LEARN_H

#include "model/verdict.h"
#include "run/prepare.h"
#include "store/record.h"

/*
 * run --learn FILE: the run is only watched (exec.mode audit), and what it has executed becomes a policy that
 * allows just that. FILE is made when the run is over; its directory is opened before, and what stands there
 * is never replaced or followed: the program may write in the same directory.
 */
struct learn {
	const char *path; /* NULL: nothing is to be learned */
	int dir;
	char name[256];
	int log; /* where the execs go if the run leaves no record; -1 */
};

#define LEARN_INIT ((struct learn){.path = NULL, .dir = -1, .log = -1})

/* @path is borrowed. 0; or -1 with @e (BLAME_REQUEST): FILE is there already, or cannot be made. */
int learn_open(struct learn *l, const char *path, struct error *e);
/* The policy to run it under: nothing is refused. */
void learn_relax(const struct learn *l, struct policy *p);
/* Where the execs are to be written: @recorded, or, if that is none (-1), a file of its own. */
int learn_log(struct learn *l, int recorded);
/*
 * When all of the run is gone: write the policy and say so, with what may be missing. That it fails is said too.
 * Closes.
 */
void learn_write(struct learn *l, const struct prepared *prepared, const struct request *request,
	const struct observation *o, const struct verdict *v, const struct record *record);

#endif
