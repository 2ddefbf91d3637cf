/* SPDX-License-Identifier: MIT */
#include "model/codec-json.h"
#include "model/doctor.h"

static json_t *capability_json(const struct capability *c)
{
	json_t *o = json_object();
	json_put_take(o, "name", json_visible(c->name));
	json_put_take(o, "ok", json_boolean(c->ok));
	json_put_take(o, "weight", json_visible(capability_weight_name(c->weight)));
	json_put_take(o, "meaning", json_visible(c->meaning));
	json_put_take(o, "why", json_visible(c->why));
	json_put_take(o, "remedy", json_visible(c->remedy));
	return o;
}

static json_t *limit_json(const struct doctor_limit *l)
{
	json_t *o = json_object();
	json_put_take(o, "enforced_by", json_visible(enforced_by_name(l->by)));
	json_put_take(o, "default", json_boolean(l->in_default));
	json_put_take(o, "degraded", json_boolean(l->degraded));
	return o;
}

static json_t *cgroup_json(const struct host_cgroup *c)
{
	json_t *o = json_object(), *bases = json_object();
	json_put_take(o, "rung", json_visible(rung_name(c->rung)));
	for (int i = 0; i < CONTROLLER_COUNT_; i++)
		json_put_take(bases, controller_name((enum controller)i), json_text(c->base[i]));
	json_put_take(o, "base", bases);
	json_put_take(o, "why_not_better", json_visible(c->why_not_better));
	json_put_take(o, "remedy", json_visible(c->remedy));
	return o;
}

static json_t *host_json(const struct host *h)
{
	json_t *o = json_object();
	json_put_take(o, "kernel", json_visible(h->kernel));
	json_put_take(o, "machine", json_visible(h->machine));
	json_put_take(o, "cpus", json_u64(h->n_cpus));
	json_put_take(o, "memory_bytes", json_u64(h->memory_bytes));
	json_put_take(o, "uid", json_u64(h->uid));
	json_put_take(o, "privileged", json_boolean(h->privileged));
	json_put_take(o, "in_container", json_boolean(h->in_container));
	json_put_take(o, "landlock_abi", json_u64((uint64_t)h->landlock_abi));
	return o;
}

const char *codec_doctor_json(const struct doctor *d, struct arena *a)
{
	json_t *o = json_object(), *list = json_array(), *limits = json_object();
	for (size_t i = 0; i < d->n; i++)
		json_push_take(list, capability_json(&d->capability[i]));
	for (int l = 0; l < LIMIT_COUNT_; l++)
		json_put_take(limits, limit_name((enum limit)l), limit_json(&d->limit[l]));
	json_put_take(o, "version", json_visible(BULKHEAD_VERSION));
	json_put_take(o, "full", json_boolean(d->full));
	json_put_take(o, "host", host_json(d->host));
	json_put_take(o, "cgroup", cgroup_json(&d->host->cgroup));
	json_put_take(o, "capabilities", list);
	json_put_take(o, "limits", limits);
	return json_pretty_take(o, a);
}
