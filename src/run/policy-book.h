/* SPDX-License-Identifier: MIT */
#ifndef RUN_POLICY_BOOK_H
#define RUN_POLICY_BOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/table.h"
#include "model/policy.h"

/*
 * The policies that a daemon has read, so that a run need not read its own anew. What is in the book
 * is as the files are now: they are looked at, not read, each time. A policy is kept as long as
 * somebody holds it, also when its file says something else by now.
 */
struct page_file {
	const char *path;
	struct stat seen;
};

#define PAGE_MAX_FILES 8

struct policy_page {
	struct table_node by_name;
	struct policy_page *newer, *older; /* in the order of use */
	unsigned holders; /* the book is one */
	struct arena a;
	struct policy policy;
	struct page_file files[PAGE_MAX_FILES];
	unsigned n_files;
	uint64_t read_at_us; /* realtime */
};

#define BOOK_MAX_PAGES 64

struct policy_book {
	struct table by_name;
	struct policy_page *newest, *oldest;
};

void policy_book_init(struct policy_book *book, const uint64_t key[2]);
void policy_book_fini(struct policy_book *book);

/* The policy @name (or file), held for the caller. NULL with @e, as policy_load() has it. */
struct policy_page *policy_book_open(struct policy_book *book, const char *name, struct error *e);
/*
 * One that is written out in a request: @size bytes of JSON or YAML, which may extend what has a name, no file.
 * Held for the caller, in no book.
 */
struct policy_page *policy_page_of_text(const char *text, size_t size, struct error *e);
/* What it was opened by names it still. */
bool policy_page_is_in_book(const struct policy_page *page);
void policy_page_hold(struct policy_page *page);
void policy_page_let_go(struct policy_page *page);

#endif
