/* SPDX-License-Identifier: MIT */
#include "cli/operands.h"

#include "cli/help.h"

static int usage(const struct operands_form *form, struct error *e)
{
	const struct command_spec *c = command_spec(form->command);
	return error_hint(e, "usage: bulkhead %s [options]%s%s", c->name, *c->operands ? " " : "",
		c->operands);
}

static int take(struct strv *list, const struct operands_form *form, const char *value,
	struct arena *a, struct error *e)
{
	char shown[OPTION_SHOWN_SIZE];
	if (!*value)
		error_set(e, BLAME_REQUEST, 0, "a word is empty");
	else if (list->n >= form->most)
		error_set(e, BLAME_REQUEST, 0, "'%s' is one word too many",
			option_shown(value, shown));
	else {
		strv_push(a, list, value);
		return 0;
	}
	return usage(form, e);
}

int operands_read(struct strv *ret, const struct operands_form *form, int argc, char **argv,
	struct arena *a, int *ret_status, struct error *e)
{
	struct option_scan s;
	const struct option_spec *o;
	const char *value;
	enum option_found found;
	*ret = (struct strv){.n = 0};
	option_scan_init(&s, form->command, argc, argv);
	while ((found = option_scan(&s, &o, &value, e)) != SCAN_END) {
		if (found == SCAN_ERROR)
			return -1;
		if (found == SCAN_OPTION && o->kind == OPTION_HELP) {
			*ret_status = help_print(form->command);
			return 1;
		}
		if (found == SCAN_OPTION ? form->set(form->data, o->name, value, e) < 0
					 : take(ret, form, value, a, e) < 0)
			return -1;
	}
	if (ret->n >= form->least)
		return 0;
	error_set(e, BLAME_REQUEST, 0, "something is missing");
	return usage(form, e);
}
