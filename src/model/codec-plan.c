/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <stdlib.h>

#include "model/codec-json.h"
#include "model/plan.h"

static json_t *steps_json(const struct steps *steps, struct arena *a)
{
	json_t *list = json_array();
	for (size_t i = 0; i < steps->n; i++) {
		const struct step *s = &steps->v[i];
		json_t *o = json_object();
		json_object_set_new(o, "step", json_string(step_kind_name(s->kind)));
		if (s->path)
			json_object_set_new(o, "path", json_text(s->path));
		json_object_set_new(o, "words", json_text(step_format(s, a)));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *limits_json(const struct plan *plan)
{
	json_t *o = json_object();
	for (enum limit l = 0; l < LIMIT_COUNT_; l++) {
		const struct limit_value *v = &plan->policy->limits.v[l];
		json_t *value = v->set ? json_integer((json_int_t)v->value) : json_null();
		json_object_set_new(o, limit_name(l),
			json_pack("{so ss ss}", "value", value, "enforced_by",
				enforced_by_name(v->set ? plan->by[l] : ENFORCED_NONE), "origin",
				v->origin == ORIGIN_ASKED ? "asked" : "default"));
	}
	return o;
}

static json_t *strings_json(const struct strv *list)
{
	json_t *array = json_array();
	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(array, json_text(list->v[i]));
	return array;
}

static json_t *namespaces_json(const struct plan *plan)
{
	json_t *list = json_pack("[sssss]", "user", "pid", "mount", "ipc", "uts");
	if (plan->wants_group)
		json_array_append_new(list, json_string("cgroup"));
	if (plan->new_network)
		json_array_append_new(list, json_string("net"));
	return list;
}

static json_t *exec_json(const struct plan *plan)
{
	const struct policy_exec *exec = &plan->policy->exec;
	return json_pack("{ss ss sI}", "mode", exec_mode_name(plan->exec), "default",
		exec->default_allow ? "allow" : "deny", "rules", (json_int_t)exec->n_rules);
}

const char *plan_format_json(const struct plan *plan, const struct host *host, struct arena *a)
{
	json_t *o = json_object();
	json_object_set_new(o, "policy", json_text(plan->policy->name));
	json_object_set_new(o, "argv", strings_json(&plan->argv));
	json_object_set_new(o, "host",
		json_pack(
			"{ss ss}", "kernel", host->kernel, "limits", rung_name(host->cgroup.rung)));
	json_object_set_new(o, "limits", limits_json(plan));
	json_object_set_new(o, "namespaces", namespaces_json(plan));
	if (plan->exec != EXEC_OFF)
		json_object_set_new(o, "exec", exec_json(plan));
	json_object_set_new(o, "box", steps_json(&plan->box, a));
	json_object_set_new(o, "payload", steps_json(&plan->payload, a));
	json_object_set_new(o, "notes", strings_json(&plan->notes));
	char *text = json_dumps(o, JSON_INDENT(2));
	const char *ret = arena_printf(a, "%s\n", text ? text : "{}");
	free(text);
	json_decref(o);
	return ret;
}
