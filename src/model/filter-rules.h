/* SPDX-License-Identifier: MIT */
#ifndef MODEL_FILTER_RULES_H
#define MODEL_FILTER_RULES_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_ERRNO(e) (SECCOMP_RET_ERRNO | (e))

/*
 * A test looks at the low 32 bits of one argument. Every argument that is tested here is an int
 * or unsigned int for the kernel, which ignores what a program puts above: so must the filter.
 */
enum filter_test {
	FILTER_ALWAYS,
	FILTER_ONE_OF, /* the argument is one of the values */
	FILTER_NONE_OF, /* it is none of them */
	FILTER_ANY_BIT, /* it has one of the bits of values[0] */
};

#define FILTER_MAX_VALUES 8

struct filter_rule {
	const char *name;
	uint32_t action; /* SECCOMP_RET_… when the test holds; else the next rule of that name */
	enum filter_test test;
	uint8_t arg;
	uint8_t n_values;
	bool namespaces; /* not when the program may make namespaces */
	bool no_siblings; /* not when it may make siblings */
	bool siblings; /* only then */
	uint8_t exec; /* enum exec_mode: not below that mode of the exec policy */
	bool guarded; /* only if argument 0 is guard */
	uint32_t guard;
	uint32_t values[FILTER_MAX_VALUES];
};

/* The deny-list. Rules for the same name stand together; the first whose test holds decides. */
extern const struct filter_rule filter_rules[];
extern const size_t filter_n_rules;

#endif
