/* SPDX-License-Identifier: MIT */
#include "base/path.h"

#include <string.h>

/*
 * Append the components of @path to the normalized text @out of @size bytes (without a trailing
 * slash; "" is the root). Never writes more than @size + strlen(@path) + 1 bytes. Returns the new
 * size.
 */
static size_t append_components(char *out, size_t size, const char *path)
{
	while (*path) {
		path += strspn(path, "/");
		size_t n = strcspn(path, "/");
		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (size > 0 && out[--size] != '/')
				;
		} else if (n > 0 && !(n == 1 && path[0] == '.')) {
			out[size++] = '/';
			memcpy(out + size, path, n);
			size += n;
		}
		path += n;
	}
	return size;
}

char *path_normalize(struct arena *a, const char *cwd, const char *path)
{
	const char *above = path[0] == '/' ? "" : cwd;
	char *out = arena_alloc(a, strlen(above) + strlen(path) + 3);
	size_t size = append_components(out, 0, above);
	size = append_components(out, size, path);
	if (size == 0)
		out[size++] = '/';
	out[size] = '\0';
	return out;
}

const char *path_expand_home(struct arena *a, const char *home, const char *path)
{
	if (!home || path[0] != '~' || (path[1] != '\0' && path[1] != '/'))
		return path;
	return path_join(a, home, path + 1);
}

bool path_is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);
	if (n == 1 && dir[0] == '/')
		return path[0] == '/';
	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

char *path_join(struct arena *a, const char *dir, const char *name)
{
	name += strspn(name, "/");
	size_t n = strlen(dir);
	if (*name == '\0')
		return arena_strdup(a, dir);
	bool slash = n > 0 && dir[n - 1] == '/';
	return arena_printf(a, "%s%s%s", dir, slash || n == 0 ? "" : "/", name);
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}
