/* SPDX-License-Identifier: MIT */
#include "kernel/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#define GROUP_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)

static int fail(int errnum)
{
	errno = errnum;
	return -1;
}

/* A group's or file's name is one component: nothing leads out of its directory. */
static bool is_name(const char *name)
{
	return *name != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
		strcmp(name, "..") != 0;
}

/* ---- groups ---- */

int cgroup_open(const char *path)
{
	return open(path, GROUP_FLAGS);
}

int cgroup_open_at(int base, const char *name)
{
	if (!is_name(name))
		return fail(EINVAL);
	return openat(base, name, GROUP_FLAGS | O_NOFOLLOW);
}

int cgroup_open_parent(int group)
{
	return openat(group, "..", GROUP_FLAGS);
}

int cgroup_make(int base, const char *name)
{
	return is_name(name) ? mkdirat(base, name, 0755) : fail(EINVAL);
}

int cgroup_remove(int base, const char *name)
{
	return is_name(name) ? unlinkat(base, name, AT_REMOVEDIR) : fail(EINVAL);
}

/* ---- files ---- */

int cgroup_open_file(int group, const char *file, int flags)
{
	if (!is_name(file))
		return fail(EINVAL);
	return openat(group, file, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
}

int cgroup_write(int group, const char *file, const char *text)
{
	cleanup_fd int fd = cgroup_open_file(group, file, O_WRONLY);
	/* The kernel takes such a value in one write or not at all. */
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -1;
	return 0;
}

int cgroup_write_u64(int group, const char *file, uint64_t value)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRIu64, value);
	return cgroup_write(group, file, text);
}

/* Reads at explicit offsets, so that a kept fd starts anew each time. */
ssize_t cgroup_reread(int fd, char *buf, size_t size)
{
	size_t have = 0;
	for (;;) {
		ssize_t n = pread(fd, buf + have, size - have, (off_t)have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
		if (have == size)
			return fail(EFBIG);
	}
	buf[have] = '\0';
	return (ssize_t)have;
}

ssize_t cgroup_reread_piece(int fd, char *buf, size_t size)
{
	ssize_t n;
	do
		n = pread(fd, buf, size, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	if ((size_t)n == size)
		return fail(EFBIG);
	buf[n] = '\0';
	return n;
}

ssize_t cgroup_read(int group, const char *file, char *buf, size_t size)
{
	cleanup_fd int fd = cgroup_open_file(group, file, O_RDONLY);
	return fd < 0 ? -1 : cgroup_reread(fd, buf, size);
}

int cgroup_read_u64(int group, const char *file, uint64_t *ret)
{
	char text[CGROUP_TEXT_SIZE];
	if (cgroup_read(group, file, text, sizeof(text)) < 0)
		return -1;
	return cgroup_text_u64(text, ret);
}

int cgroup_read_key(int group, const char *file, const char *key, uint64_t *ret)
{
	char text[CGROUP_TEXT_SIZE];
	if (cgroup_read(group, file, text, sizeof(text)) < 0)
		return -1;
	return cgroup_text_key(text, key, ret);
}

bool cgroup_has_file(int group, const char *file)
{
	return is_name(file) && faccessat(group, file, F_OK, 0) == 0;
}

/* ---- text ---- */

/* Digits up to something else, which *@end is set to; false when there are none or too many. */
static bool take_u64(const char *s, const char **end, uint64_t *ret)
{
	uint64_t value = 0;
	const char *p = s;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return false;
	}
	*end = p;
	*ret = value;
	return p != s;
}

int cgroup_text_u64(const char *text, uint64_t *ret)
{
	const char *end;
	uint64_t value;
	if (!take_u64(text, &end, &value) || (*end != '\0' && strcmp(end, "\n") != 0))
		return fail(EBADMSG);
	*ret = value;
	return 0;
}

static const char *next_line(const char *line)
{
	const char *newline = strchr(line, '\n');
	return newline == NULL || newline[1] == '\0' ? NULL : newline + 1;
}

int cgroup_text_key(const char *text, const char *key, uint64_t *ret)
{
	size_t size = strlen(key);
	for (const char *line = text; line != NULL; line = next_line(line)) {
		if (strncmp(line, key, size) != 0 || line[size] != ' ')
			continue;
		const char *end;
		uint64_t value;
		if (!take_u64(line + size + 1, &end, &value) || (*end != '\n' && *end != '\0'))
			return fail(EBADMSG);
		*ret = value;
		return 0;
	}
	return fail(ENODATA);
}

bool cgroup_text_has_word(const char *text, const char *word)
{
	size_t size = strlen(word);
	while (*text != '\0') {
		size_t n = strcspn(text, " \n");
		if (n == size && n > 0 && memcmp(text, word, size) == 0)
			return true;
		text += n;
		text += strspn(text, " \n");
	}
	return false;
}

int cgroup_text_pressure(const char *text, const char *kind, uint64_t *ret_us)
{
	size_t size = strlen(kind);
	for (const char *line = text; line != NULL; line = next_line(line)) {
		if (strncmp(line, kind, size) != 0 || line[size] != ' ')
			continue;
		const char *total = strstr(line, " total=");
		const char *newline = strchr(line, '\n');
		const char *end;
		uint64_t value;
		if (total == NULL || (newline != NULL && total > newline) ||
			!take_u64(total + strlen(" total="), &end, &value) ||
			(*end != '\n' && *end != '\0'))
			return fail(EBADMSG);
		*ret_us = value;
		return 0;
	}
	return fail(ENODATA);
}

uint64_t cgroup_text_io(const char *text, const char *field)
{
	uint64_t sum = 0;
	size_t size = strlen(field);
	while (*text != '\0') {
		size_t n = strcspn(text, " \n");
		const char *end;
		uint64_t value;
		if (n > size && memcmp(text, field, size) == 0 && text[size] == '=' &&
			take_u64(text + size + 1, &end, &value) && end == text + n &&
			__builtin_add_overflow(sum, value, &sum))
			sum = UINT64_MAX;
		text += n;
		text += strspn(text, " \n");
	}
	return sum;
}

/* ---- processes ---- */

int cgroup_kill(int group)
{
	return cgroup_write(group, "cgroup.kill", "1");
}

int cgroup_freeze(int group, bool frozen)
{
	return cgroup_write(group, "cgroup.freeze", frozen ? "1" : "0");
}

int cgroup_populated(int group)
{
	uint64_t populated;
	if (cgroup_read_key(group, "cgroup.events", "populated", &populated) < 0)
		return -1;
	return populated != 0;
}

/*
 * The list is opened anew for each look at it: v1 keeps what a descriptor has once read for a
 * second, and would show the dead.
 */
int cgroup_has_procs(int group)
{
	char byte;
	cleanup_fd int fd = cgroup_open_file(group, "cgroup.procs", O_RDONLY);
	if (fd < 0)
		return -1;
	return (int)read(fd, &byte, 1);
}

ssize_t cgroup_procs(int group, pid_t *pids, size_t room)
{
	char text[CGROUP_TEXT_SIZE];
	size_t n = 0;
	uint64_t pid = 0;
	ssize_t got;
	cleanup_fd int fd = cgroup_open_file(group, "cgroup.procs", O_RDONLY);
	if (fd < 0)
		return -1;
	while (n < room && (got = read(fd, text, sizeof(text))) != 0) {
		if (got < 0)
			return -1;
		for (ssize_t i = 0; i < got && n < room; i++) {
			if (text[i] == '\n') {
				pids[n++] = (pid_t)pid;
				pid = 0;
			} else if (text[i] < '0' || text[i] > '9' || pid > INT32_MAX / 10) {
				return fail(EBADMSG);
			} else {
				pid = pid * 10 + (uint64_t)(text[i] - '0');
			}
		}
	}
	return (ssize_t)n;
}

#define SIGNAL_MAX   4096
#define SIGNAL_BATCH 64

static bool contains(const pid_t *pids, ssize_t n, pid_t pid)
{
	for (ssize_t i = 0; i < n; i++) {
		if (pids[i] == pid)
			return true;
	}
	return false;
}

/*
 * A number read from the list may belong to a stranger by the time its pidfd is open. The list
 * read again after that tells: a number that is still there is a process of this group.
 */
static ssize_t signal_batch(int group, int signal, const pid_t *pids, ssize_t n)
{
	pid_t again[SIGNAL_MAX];
	int fds[SIGNAL_BATCH];
	ssize_t done = 0;
	for (ssize_t i = 0; i < n; i++)
		fds[i] = pids[i] > 0 ? (int)syscall(SYS_pidfd_open, pids[i], 0) : -1;
	ssize_t n_again = cgroup_procs(group, again, SIGNAL_MAX);
	for (ssize_t i = 0; i < n; i++) {
		if (fds[i] >= 0 && contains(again, n_again, pids[i]) &&
			syscall(SYS_pidfd_send_signal, fds[i], signal, NULL, 0) == 0)
			done++;
		fd_close(fds[i]);
	}
	return done;
}

ssize_t cgroup_signal_each(int group, int signal)
{
	pid_t pids[SIGNAL_MAX];
	ssize_t done = 0;
	ssize_t n = cgroup_procs(group, pids, SIGNAL_MAX);
	for (ssize_t i = 0; i < n; i += SIGNAL_BATCH)
		done += signal_batch(
			group, signal, pids + i, n - i < SIGNAL_BATCH ? n - i : SIGNAL_BATCH);
	return n < 0 ? -1 : done;
}

/* ---- events ---- */

int cgroup_v1_oom_event(int group)
{
	char text[32];
	cleanup_fd int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	cleanup_fd int control = cgroup_open_file(group, "memory.oom_control", O_RDONLY);
	if (event < 0 || control < 0)
		return -1;
	snprintf(text, sizeof(text), "%d %d", event, control);
	if (cgroup_write(group, "cgroup.event_control", text) < 0)
		return -1;
	return fd_take(&event);
}

int cgroup_wait_change(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLPRI};
	int n = poll(&p, 1, timeout_ms);
	return n <= 0 ? n : (p.revents & POLLPRI) != 0;
}

/* ---- by id ---- */

/* FILEID_KERNFS, which no header has: the handle is the id. */
#define HANDLE_OF_KERNFS 0xfe

static int open_v2_mount(const char **ret_path)
{
	static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	struct statfs fs;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (statfs(places[i], &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
			continue;
		*ret_path = places[i];
		return open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	errno = ENOENT;
	return -1;
}

static int open_by_id(int mount, uint64_t id)
{
	union {
		struct file_handle handle;
		unsigned char room[sizeof(struct file_handle) + sizeof(id)];
	} u = {.handle = {.handle_bytes = sizeof(id), .handle_type = HANDLE_OF_KERNFS}};
	memcpy(u.room + sizeof(struct file_handle), &id, sizeof(id));
	return open_by_handle_at(mount, &u.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int cgroup_path_of_id(uint64_t id, char *ret, size_t size)
{
	char link[64], path[4096];
	const char *root = NULL;
	cleanup_fd int mount = open_v2_mount(&root);
	cleanup_fd int group = mount < 0 ? -1 : open_by_id(mount, id);
	if (group < 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", group);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -1;
	path[n] = 0;
	size_t skip = strlen(root);
	if (strncmp(path, root, skip) != 0 || (path[skip] != '/' && path[skip])) {
		errno = ENOENT; /* mounted over, or removed meanwhile */
		return -1;
	}
	if (snprintf(ret, size, "%s", path[skip] ? path + skip : "/") >= (int)size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}
