/* SPDX-License-Identifier: MIT */
#include "run/strays.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

/* So many that hide are dealt with by one look; there will be another one. */
#define HIDDEN_MAX 256

struct hidden {
	pid_t v[HIDDEN_MAX];
	unsigned n;
};

/* 0: it does not say. */
static ino_t namespace_of(int proc, const char *pid)
{
	struct stat st;
	char path[64];
	snprintf(path, sizeof(path), "%.20s/ns/pid", pid);
	return fstatat(proc, path, &st, 0) < 0 ? 0 : st.st_ino;
}

/* What follows @key in the text of proc_pid_status(5); "": nothing. */
static const char *after(const char *text, const char *key)
{
	const char *at = strstr(text, key);
	return at ? at + strlen(key) : "";
}

/* Has it a number of its own in a namespace below ours? */
static bool is_below(const char *status)
{
	const char *numbers = after(status, "\nNSpid:\t");
	return strcspn(numbers, "\t\n") < strcspn(numbers, "\n");
}

static bool is_dead_child(const char *status)
{
	return after(status, "\nState:\t")[0] == 'Z' &&
		strtol(after(status, "\nPPid:\t"), NULL, 10) == getpid();
}

static void note_hidden(int proc, const char *pid, struct hidden *list)
{
	char path[64], status[4096];
	snprintf(path, sizeof(path), "%.20s/status", pid);
	if (list->n < HIDDEN_MAX && file_read_text(proc, path, status, sizeof(status)) > 0 &&
		is_dead_child(status) && is_below(status))
		list->v[list->n++] = (pid_t)strtol(pid, NULL, 10);
}

static unsigned reap(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG | __WALL) > 0;
}

static unsigned look_at_all(DIR *proc, ino_t inside, pid_t init, struct hidden *ret)
{
	unsigned n = 0;
	for (struct dirent *entry; (entry = readdir(proc));) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (!isdigit((unsigned char)entry->d_name[0]) || pid == init)
			continue;
		ino_t its = namespace_of(dirfd(proc), entry->d_name);
		if (its == inside)
			n += reap(pid);
		else if (its == 0)
			note_hidden(dirfd(proc), entry->d_name, ret);
	}
	return n;
}

static void strike_out(struct hidden *list, pid_t pid)
{
	for (unsigned i = 0; i < list->n; i++)
		if (list->v[i] == pid)
			list->v[i] = list->v[--list->n];
}

/* Those that we hold a pidfd of. False: that cannot be found out. */
static bool strike_out_held(int proc, struct hidden *list)
{
	int fd = openat(proc, "self/fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *all = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *entry; all && (entry = readdir(all));) {
		char text[4096];
		if (isdigit((unsigned char)entry->d_name[0]) &&
			file_read_text(dirfd(all), entry->d_name, text, sizeof(text)) > 0)
			strike_out(list, (pid_t)strtol(after(text, "\nPid:\t"), NULL, 10));
	}
	if (all)
		closedir(all);
	else
		fd_close(fd);
	return all;
}

/* Else there is no need to read all of /proc. */
static bool is_any_child_dead(void)
{
	siginfo_t info = {0};
	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
		info.si_pid != 0;
}

unsigned strays_reap(ino_t inside, pid_t init, bool coming)
{
	struct hidden hidden = {.n = 0};
	unsigned n = 0;
	DIR *proc = inside && is_any_child_dead() ? opendir("/proc") : NULL;
	if (!proc)
		return 0;
	n += look_at_all(proc, inside, init, &hidden);
	if (hidden.n > 0 && !coming && strike_out_held(dirfd(proc), &hidden))
		for (unsigned i = 0; i < hidden.n; i++)
			n += reap(hidden.v[i]);
	closedir(proc);
	return n;
}
