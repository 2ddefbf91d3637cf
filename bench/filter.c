/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "model/filter-rules.h"
#include "model/filter.h"

/*
 * filter bpf|oci: write bulkhead's default seccomp filter to stdout in the form that another tool
 * takes, so that all are measured with the same one.
 *
 *     bpf   the compiled program (bwrap --seccomp FD)
 *     oci   the "seccomp" object of an OCI config.json. Tests that the format has no words for
 *           (none of some values, numbers that nobody knows) are left out.
 */

static int write_bpf(void)
{
	unsigned short n;
	const struct sock_filter *code = filter_default(&n);
	return fwrite(code, sizeof(*code), n, stdout) == n ? 0 : -1;
}

static void print_rule(const struct filter_rule *rule, const char *value, const char *op, int *n)
{
	bool kill = (rule->action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_KILL_PROCESS;
	printf("%s{\"names\":[\"%s\"],", (*n)++ ? ",\n" : "", rule->name);
	if (kill)
		printf("\"action\":\"SCMP_ACT_KILL_PROCESS\"");
	else
		printf("\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":%u",
			(unsigned)(rule->action & SECCOMP_RET_DATA));
	if (op)
		printf(",\"args\":[{\"index\":%u,%s,\"op\":\"%s\"}]", rule->arg, value, op);
	printf("}");
}

static void print_tested(const struct filter_rule *rule, int *n)
{
	char value[80];
	for (unsigned i = 0; rule->test == FILTER_ONE_OF && i < rule->n_values; i++) {
		snprintf(value, sizeof(value), "\"value\":%u", rule->values[i]);
		print_rule(rule, value, "SCMP_CMP_EQ", n);
	}
	for (unsigned bit = 0; rule->test == FILTER_ANY_BIT && bit < 32; bit++) {
		if (!(rule->values[0] & 1u << bit))
			continue;
		snprintf(
			value, sizeof(value), "\"value\":%u,\"valueTwo\":%u", 1u << bit, 1u << bit);
		print_rule(rule, value, "SCMP_CMP_MASKED_EQ", n);
	}
}

static void print_oci(void)
{
	int n = 0;
	printf("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\"],"
	       "\"syscalls\":[\n");
	for (size_t i = 0; i < filter_n_rules; i++) {
		const struct filter_rule *rule = &filter_rules[i];
		if (rule->test == FILTER_ALWAYS && !rule->guarded)
			print_rule(rule, NULL, NULL, &n);
		else if (!rule->guarded)
			print_tested(rule, &n);
	}
	printf("]}\n");
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "bpf") == 0)
		return write_bpf() == 0 && fflush(stdout) == 0 ? 0 : 1;
	if (argc == 2 && strcmp(argv[1], "oci") == 0) {
		print_oci();
		return fflush(stdout) == 0 ? 0 : 1;
	}
	fprintf(stderr, "usage: filter bpf|oci\n");
	return 2;
}
