/* SPDX-License-Identifier: MIT */
#include "warden/shebang.h"

#include <stdbool.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Where the first line of @text ends; NULL: no name is sure to be whole. */
static const char *end_of_line(const char *text)
{
	const char *last = text + SHEBANG_HEAD - 1;
	const char *end = memchr(text, '\n', strnlen(text, SHEBANG_HEAD));
	if (end)
		return end;
	const char *name = text + 2;
	while (name < last && is_blank(*name))
		name++;
	for (const char *p = name; p <= last; p++)
		if (is_blank(*p) || *p == '\0')
			return p == name ? NULL : last;
	return NULL;
}

enum shebang shebang_parse(const unsigned char *head, size_t size, struct arena *a,
	const char **ret_interpreter, const char **ret_argument)
{
	char text[SHEBANG_HEAD] = {0};
	memcpy(text, head, size < sizeof(text) ? size : sizeof(text));
	if (text[0] != '#' || text[1] != '!')
		return SHEBANG_NONE;
	const char *end = end_of_line(text);
	if (!end)
		return SHEBANG_BAD;
	while (end > text + 2 && is_blank(end[-1]))
		end--;
	const char *name = text + 2;
	while (name < end && is_blank(*name))
		name++;
	const char *name_end = name;
	while (name_end < end && !is_blank(*name_end) && *name_end != '\0')
		name_end++;
	if (name_end == name)
		return SHEBANG_BAD;
	const char *argument = name_end;
	while (argument < end && is_blank(*argument))
		argument++;
	bool has_argument = *name_end != '\0' && argument < end;
	*ret_interpreter = arena_strndup(a, name, (size_t)(name_end - name));
	*ret_argument = has_argument ? arena_strndup(a, argument, (size_t)(end - argument)) : NULL;
	return SHEBANG_SCRIPT;
}

void shebang_argv(const char *interpreter, const char *argument, const char *name,
	const struct strv *argv, struct arena *a, struct strv *ret)
{
	*ret = (struct strv){0};
	strv_push(a, ret, interpreter);
	if (argument)
		strv_push(a, ret, argument);
	strv_push(a, ret, name);
	for (size_t i = 1; i < argv->n; i++)
		strv_push(a, ret, argv->v[i]);
}
