/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "model/exec-rules-parts.h"

/*
 * Subcommands that are not written out. With help.autocorrect, which a caller can set, git runs the command
 * that is most like the one it does not know, and in the same process: no other exec would show it. So what git
 * would take for a denied command is that command. What has a name of its own is not corrected.
 */

/* In every git: one of these may be as much like it as the denied one, or more. */
static const char always[] =
	" add am annotate apply archive bisect blame branch bundle cat-file check-attr checkout "
	"cherry cherry-pick clean clone commit commit-tree config describe diff diff-files "
	"diff-index diff-tree fast-export fetch filter-branch for-each-ref format-patch fsck gc "
	"grep "
	"hash-object help init log ls-files ls-remote ls-tree merge merge-base mergetool mv notes "
	"pull push rebase reflog remote repack replace reset rev-list rev-parse revert rm "
	"send-pack "
	"shortlog show show-ref stash status submodule symbolic-ref tag update-index update-ref "
	"var verify-pack whatchanged write-tree ";

/* Known to some git, or usual beside it: taken by their name where they are. */
static const char others[] =
	" absorb annex archimport backfill bugreport check-ignore check-mailmap check-ref-format "
	"checkout-index citool column commit-graph count-objects credential credential-cache "
	"credential-store crypt cvsexportcommit cvsimport cvsserver daemon delta diagnose difftool "
	"fast-import fetch-pack filter-repo flow fmt-merge-msg for-each-repo fsck-objects "
	"fsmonitor--daemon get-tar-commit-id gui hook http-backend http-fetch http-push imap-send "
	"index-pack init-db instaweb interpret-trailers last-modified lfs mailinfo mailsplit "
	"maintenance merge-file merge-index merge-one-file merge-ours merge-recursive "
	"merge-subtree "
	"merge-tree mktag mktree multi-pack-index name-rev p4 pack-objects pack-redundant "
	"pack-refs patch-id prune prune-packed quiltimport range-diff read-tree receive-pack refs "
	"remote-ext remote-fd remote-ftp remote-ftps remote-http remote-https replay repo "
	"request-pull rerere restore scalar secret send-email sh-i18n sh-setup shell show-branch "
	"show-index sparse-checkout stage stripspace subtree svn switch town unpack-file "
	"unpack-objects update-server-info upload-archive upload-pack verify-commit verify-tag "
	"version web--browse worktree ";

static bool is_in(const char *list, const char *word)
{
	size_t n = strlen(word);
	for (const char *p = strstr(list, word); n > 0 && p; p = strstr(p + 1, word))
		if (p[-1] == ' ' && p[n] == ' ')
			return true;
	return false;
}

#define MAX_WORD 32
#define ENOUGH   6 /* git takes nothing that is less alike */

static unsigned least(unsigned x, unsigned y)
{
	return x < y ? x : y;
}

/* git's own measure (help.c): swapping is free, to add costs 1, to change 2, to leave out 3. */
static unsigned distance(const char *from, size_t n, const char *to, size_t m)
{
	unsigned row[3][MAX_WORD + 1];
	unsigned *before = row[0], *last = row[1], *now = row[2];
	if (n > MAX_WORD || m > MAX_WORD)
		return ENOUGH;
	for (size_t j = 0; j <= m; j++)
		last[j] = (unsigned)j;
	for (size_t i = 0; i < n; i++) {
		now[0] = (unsigned)(i + 1) * 3;
		for (size_t j = 0; j < m; j++) {
			unsigned cost = last[j] + (from[i] != to[j]) * 2;
			if (i > 0 && j > 0 && from[i - 1] == to[j] && from[i] == to[j - 1])
				cost = least(cost, before[j - 1]);
			cost = least(cost, last[j + 1] + 3);
			now[j + 1] = least(cost, now[j] + 1);
		}
		unsigned *spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[m];
}

/* Is none of the others that are always there as much like @arg as @word is? Where two are, git runs neither. */
static bool is_nearest(const char *arg, size_t n, const char *word, unsigned limit)
{
	for (const char *p = always + 1; *p;) {
		size_t m = strcspn(p, " ");
		bool other = strlen(word) != m || memcmp(p, word, m) != 0;
		if (other && distance(arg, n, p, m) <= limit)
			return false;
		p += m + 1;
	}
	return true;
}

bool exec_git_corrects(const char *arg, const char *word)
{
	size_t n = strlen(arg);
	if (n == 0 || n > MAX_WORD || is_in(always, arg) || is_in(others, arg))
		return false;
	unsigned limit = distance(arg, n, word, strlen(word));
	return limit < ENOUGH && is_nearest(arg, n, word, limit);
}
