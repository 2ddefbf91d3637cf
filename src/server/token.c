/* SPDX-License-Identifier: MIT */
#include "server/token.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static int check_file(int fd, const char *path, struct error *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return error_set(e, BLAME_REQUEST, 0, "'%s' is not a regular file", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return error_set(e, BLAME_REQUEST, 0, "'%s' belongs to uid %u", path, st.st_uid);
	if (st.st_mode & 077) {
		error_set(e, BLAME_REQUEST, 0, "others can read the token in '%s'", path);
		return error_hint(e, "chmod 600 '%s'", path);
	}
	return 0;
}

static int check_text(const char *text, size_t size, const char *path, struct error *e)
{
	if (size < TOKEN_MIN || size > TOKEN_MAX)
		return error_set(e, BLAME_REQUEST, 0,
			"the token in '%s' is %zu characters long; it must be %d to %d", path, size,
			TOKEN_MIN, TOKEN_MAX);
	for (size_t i = 0; i < size; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return error_set(e, BLAME_REQUEST, 0,
				"the token in '%s' has spaces, control characters or more than "
				"ASCII in it",
				path);
	return 0;
}

const char *token_read(const char *path, struct arena *a, struct error *e)
{
	char text[TOKEN_MAX + 3];
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		error_set(e, BLAME_REQUEST, errno, "cannot read the token file '%s'", path);
		return NULL;
	}
	if (check_file(fd, path, e) < 0)
		return NULL;
	ssize_t n = fd_read_text(fd, text, sizeof text);
	if (n < 0 && errno != EFBIG) {
		error_set(e, BLAME_HOST, errno, "cannot read the token file '%s'", path);
		return NULL;
	}
	size_t size = n < 0 ? sizeof text : (size_t)n;
	if (n > 0 && text[n - 1] == '\n')
		size--;
	return check_text(text, size, path, e) < 0 ? NULL : arena_strndup(a, text, size);
}

bool token_is_right(const char *token, const char *header)
{
	static const char scheme[] = "Bearer ";
	size_t size = token ? strlen(token) : 0;
	if (size == 0 || !header || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
		return false;
	const char *given = header + sizeof scheme - 1;
	size_t n = strlen(given);
	unsigned char differs = n != size;
	for (size_t i = 0; i < n; i++)
		differs |= (unsigned char)given[i] ^ (unsigned char)token[i % size];
	/* the compiler must not see that it could stop early */
	__asm__ volatile("" : "+r"(differs));
	return differs == 0;
}
