/* SPDX-License-Identifier: MIT */
#include "run/policy-book.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "run/policy-file.h"

/*
 * A file that was changed so shortly before it was read may be changed again without a later time:
 * it is read again next time.
 */
#define RACY_US (2 * US_PER_SEC)

/* ---- files ---- */

static void note_file(struct policy_page *page, const char *path)
{
	struct page_file *file = &page->files[page->n_files];
	if (page->n_files == PAGE_MAX_FILES) /* more than policy_load() follows */
		return;
	file->path = path;
	if (stat(path, &file->seen) < 0)
		memset(&file->seen, 0, sizeof(file->seen));
	page->n_files++;
}

static int read_and_note(void *data, struct arena *a, const char *name_or_path,
	const char **ret_path, const char **ret_text, size_t *ret_size, struct error *e)
{
	int r = policy_file_read(NULL, a, name_or_path, ret_path, ret_text, ret_size, e);
	if (r == 0)
		note_file(data, *ret_path);
	return r;
}

static uint64_t changed_us(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * US_PER_SEC + (uint64_t)st->st_mtim.tv_nsec / 1000;
}

static bool is_same_file(const struct stat *x, const struct stat *y)
{
	return x->st_dev == y->st_dev && x->st_ino == y->st_ino && x->st_size == y->st_size &&
		changed_us(x) == changed_us(y) && x->st_ctim.tv_sec == y->st_ctim.tv_sec &&
		x->st_ctim.tv_nsec == y->st_ctim.tv_nsec;
}

static bool is_current(const struct policy_page *page)
{
	for (unsigned i = 0; i < page->n_files; i++) {
		struct stat now;
		const struct page_file *file = &page->files[i];
		if (stat(file->path, &now) < 0 || !is_same_file(&now, &file->seen) ||
			changed_us(&now) + RACY_US > page->read_at_us)
			return false;
	}
	return true;
}

/* ---- pages ---- */

static struct policy_page *page_new(void)
{
	struct policy_page *page = calloc(1, sizeof(*page));
	if (!page)
		out_of_memory();
	page->holders = 1;
	page->read_at_us = time_realtime_us();
	return page;
}

bool policy_page_is_in_book(const struct policy_page *page)
{
	return page->by_name.name != NULL;
}

void policy_page_hold(struct policy_page *page)
{
	page->holders++;
}

void policy_page_let_go(struct policy_page *page)
{
	if (!page || --page->holders > 0)
		return;
	arena_fini(&page->a);
	free(page);
}

static void take_out(struct policy_book *book, struct policy_page *page)
{
	*(page->newer ? &page->newer->older : &book->newest) = page->older;
	*(page->older ? &page->older->newer : &book->oldest) = page->newer;
	page->newer = page->older = NULL;
	table_remove(&book->by_name, &page->by_name);
	policy_page_let_go(page);
}

static void put_first(struct policy_book *book, struct policy_page *page)
{
	page->older = book->newest;
	*(book->newest ? &book->newest->newer : &book->oldest) = page;
	book->newest = page;
}

static void put_in(struct policy_book *book, struct policy_page *page, const char *name)
{
	if (book->by_name.n >= BOOK_MAX_PAGES)
		take_out(book, book->oldest);
	policy_page_hold(page);
	table_add(&book->by_name, &page->by_name, arena_strdup(&page->a, name));
	put_first(book, page);
}

/* ---- the book ---- */

void policy_book_init(struct policy_book *book, const uint64_t key[2])
{
	*book = (struct policy_book){0};
	table_init(&book->by_name, key);
}

void policy_book_fini(struct policy_book *book)
{
	while (book->newest)
		take_out(book, book->newest);
	table_fini(&book->by_name);
}

static struct policy_page *find(struct policy_book *book, const char *name)
{
	struct table_node *node = table_find(&book->by_name, name);
	struct policy_page *page = (struct policy_page *)node; /* its first member */
	if (!page || is_current(page))
		return page;
	take_out(book, page);
	return NULL;
}

struct policy_page *policy_book_open(struct policy_book *book, const char *name, struct error *e)
{
	struct policy_page *page = find(book, name);
	if (page) {
		policy_page_hold(page);
		return page;
	}
	page = page_new();
	struct policy_source source = {.read = read_and_note, .data = page};
	if (policy_load(&page->policy, &page->a, &source, name, e) < 0) {
		policy_page_let_go(page);
		return NULL;
	}
	put_in(book, page, name);
	return page;
}

/* ---- in a request ---- */

struct policy_page *policy_page_of_text(const char *text, size_t size, struct error *e)
{
	struct policy_page *page = page_new();
	if (policy_load_text(&page->policy, &page->a, &policy_files, text, size, e) == 0)
		return page;
	policy_page_let_go(page);
	return NULL;
}
