/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_SHEBANG_H
#define WARDEN_SHEBANG_H

#include <stddef.h>

#include "base/arena.h"

/*
 * The first line of a script as Linux reads it, execve(2) "Interpreter scripts" and fs/binfmt_script.c: pure.
 */
#define SHEBANG_HEAD  256u /* so much of a file is looked at, BINPRM_BUF_SIZE */
#define SHEBANG_DEPTH 5u /* a script's interpreter may be a script, and so on; more is ELOOP */

enum shebang {
	SHEBANG_NONE, /* no script */
	SHEBANG_BAD, /* it begins like one, but the kernel will not have it: ENOEXEC */
	SHEBANG_SCRIPT,
};

/*
 * @head: the first @size bytes of the file, as many as there are up to SHEBANG_HEAD. *ret_argument NULL: none; else
 * all that follows the interpreter, one word.
 */
enum shebang shebang_parse(const unsigned char *head, size_t size, struct arena *a,
	const char **ret_interpreter, const char **ret_argument);

/*
 * The words that @interpreter gets for a script called as @name: itself, @argument if any, @name, and what follows the
 * first word of @argv.
 */
void shebang_argv(const char *interpreter, const char *argument, const char *name,
	const struct strv *argv, struct arena *a, struct strv *ret);

#endif
