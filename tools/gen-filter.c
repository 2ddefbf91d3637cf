/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "model/filter.h"

/*
 * gen-filter x86_64|aarch64: write the default seccomp filter of that machine as C source to
 * stdout. Runs when bulkhead is built, so that a run need not compile it.
 */

static int arch_of(const char *name)
{
	if (strcmp(name, "x86_64") == 0)
		return FILTER_X86_64;
	return strcmp(name, "aarch64") == 0 ? FILTER_AARCH64 : -1;
}

static void print_program(const struct sock_filter *code, unsigned n)
{
	printf("/* SPDX-License-Identifier: MIT */\n/* Written by gen-filter. */\n");
	printf("static const struct sock_filter default_filter[] = {\n");
	for (unsigned i = 0; i < n; i++)
		printf("\t{0x%02x, %u, %u, 0x%08x},\n", code[i].code, code[i].jt, code[i].jf,
			code[i].k);
	printf("};\n");
}

int main(int argc, char **argv)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	int arch = argc == 2 ? arch_of(argv[1]) : -1;
	const struct sock_filter *code;
	unsigned short n;

	if (arch < 0) {
		fprintf(stderr, "usage: gen-filter x86_64|aarch64\n");
		return 2;
	}
	struct filter_spec spec = {.arch = (enum filter_arch)arch};
	if (filter_compile(&spec, &a, &code, &n, &e) < 0) {
		fprintf(stderr, "gen-filter: %s\n", e.text);
		return 1;
	}
	print_program(code, n);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
