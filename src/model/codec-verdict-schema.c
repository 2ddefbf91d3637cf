/* SPDX-License-Identifier: MIT */
#include "base/buf.h"
#include "model/cause.h"

/*
 * JSON Schema of the verdict. The text stands here as it is published; only the enumerations come
 * from their tables. A test holds every golden verdict against it.
 */

static const char head[] =
	"{\n"
	" \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
	" \"title\": \"bulkhead verdict\",\n"
	" \"type\": \"object\",\n"
	" \"additionalProperties\": false,\n"
	" \"required\": [\"id\", \"key\", \"policy\", \"argv\", \"attempt\", \"cause\", "
	"\"confidence\", \"retry\", \"summary\", \"exit_code\", \"signal\", \"limits\", \"usage\", "
	"\"evidence\", \"victims\", \"killer\", \"contributing\", \"suggest\", \"timing\", "
	"\"started\", \"ended\", \"host\", \"version\"],\n"
	" \"properties\": {\n"
	"  \"id\": {\"type\": [\"string\", \"null\"]},\n"
	"  \"key\": {\"type\": [\"string\", \"null\"]},\n"
	"  \"policy\": {\"type\": [\"string\", \"null\"]},\n"
	"  \"argv\": {\"type\": \"array\", \"items\": {\"oneOf\": [{\"type\": \"string\"}, "
	"{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"base64\"], "
	"\"properties\": {\"base64\": {\"type\": \"string\"}}}]}},\n"
	"  \"argv_left_out\": {\"type\": \"object\", \"additionalProperties\": false, "
	"\"required\": [\"words\", \"bytes\"], \"properties\": {"
	"\"words\": {\"$ref\": \"#/$defs/number\"}, "
	"\"bytes\": {\"$ref\": \"#/$defs/number\"}}},\n"
	"  \"attempt\": {\"$ref\": \"#/$defs/number\"},\n";

static const char middle[] =
	"  \"summary\": {\"type\": \"string\"},\n"
	"  \"exit_code\": {\"type\": [\"integer\", \"null\"], \"minimum\": 0, \"maximum\": 255},\n"
	"  \"signal\": {\"type\": [\"integer\", \"null\"], \"minimum\": 1, \"maximum\": 64},\n"
	"  \"limits\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {";

static const char tail[] =
	"}},\n"
	"  \"usage\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n"
	"   \"wall_us\": {\"$ref\": \"#/$defs/number\"},\n"
	"   \"cpu_user_us\": {\"$ref\": \"#/$defs/unknown\"},\n"
	"   \"cpu_system_us\": {\"$ref\": \"#/$defs/unknown\"},\n"
	"   \"memory_peak_bytes\": {\"$ref\": \"#/$defs/unknown\"},\n"
	"   \"pids_peak\": {\"$ref\": \"#/$defs/unknown\"},\n"
	"   \"io_read_bytes\": {\"$ref\": \"#/$defs/unknown\"},\n"
	"   \"io_write_bytes\": {\"$ref\": \"#/$defs/unknown\"},\n"
	"   \"throttled_us\": {\"$ref\": \"#/$defs/unknown\"},\n"
	"   \"pressure\": {\"type\": \"object\", \"additionalProperties\": false, "
	"\"properties\": {\"cpu\": {\"$ref\": \"#/$defs/pressure\"}, "
	"\"memory\": {\"$ref\": \"#/$defs/pressure\"}, \"io\": {\"$ref\": "
	"\"#/$defs/pressure\"}}},\n"
	"   \"output\": {\"type\": [\"object\", \"null\"], \"additionalProperties\": false, "
	"\"properties\": {\"seen_bytes\": {\"$ref\": \"#/$defs/number\"}, "
	"\"kept_bytes\": {\"$ref\": \"#/$defs/number\"}, "
	"\"dropped_bytes\": {\"$ref\": \"#/$defs/number\"}}}}},\n"
	"  \"evidence\": {\"type\": \"array\", \"items\": {\"type\": \"object\", "
	"\"additionalProperties\": false, \"required\": [\"fact\", \"where\", \"before\", "
	"\"after\"], "
	"\"properties\": {\"fact\": {\"type\": [\"string\", \"null\"]}, "
	"\"where\": {\"type\": [\"string\", \"null\"]}, \"before\": {\"$ref\": "
	"\"#/$defs/unknown\"}, "
	"\"after\": {\"$ref\": \"#/$defs/unknown\"}, \"text\": {\"type\": \"string\"}}}},\n"
	"  \"victims\": {\"type\": \"array\", \"items\": {\"type\": \"object\", "
	"\"additionalProperties\": false, \"required\": [\"pid\", \"comm\", \"leader\"], "
	"\"properties\": {\"pid\": {\"$ref\": \"#/$defs/unknown\"}, "
	"\"comm\": {\"type\": [\"string\", \"null\"]}, \"leader\": {\"type\": \"boolean\"}}}},\n"
	"  \"killer\": {\"type\": [\"object\", \"null\"], \"additionalProperties\": false, "
	"\"required\": [\"pid\", \"comm\", \"uid\"], "
	"\"properties\": {\"pid\": {\"$ref\": \"#/$defs/unknown\"}, "
	"\"comm\": {\"type\": [\"string\", \"null\"]}, \"uid\": {\"$ref\": \"#/$defs/number\"}, "
	"\"inside_pid\": {\"$ref\": \"#/$defs/unknown\"}, "
	"\"cgroup\": {\"type\": [\"string\", \"null\"]}, "
	"\"unit\": {\"type\": [\"string\", \"null\"]}}},\n"
	"  \"contributing\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}},\n"
	"  \"suggest\": {\"type\": \"object\", \"additionalProperties\": false, "
	"\"properties\": {\"limit\": {\"type\": \"string\"}, \"value\": {\"$ref\": "
	"\"#/$defs/number\"}, "
	"\"unit\": {\"$ref\": \"#/$defs/unit\"}}},\n"
	"  \"exec\": {\"type\": \"object\", \"additionalProperties\": false, "
	"\"required\": [\"mode\", \"enforced\", \"started\", \"refused\", \"killed\", "
	"\"failed\", \"log_dropped\", \"warden_lost\", \"incidents\"], "
	"\"properties\": {\"mode\": {\"enum\": [\"audit\", \"enforce\"]}, "
	"\"enforced\": {\"type\": \"boolean\"}, "
	"\"started\": {\"$ref\": \"#/$defs/number\"}, "
	"\"refused\": {\"$ref\": \"#/$defs/number\"}, "
	"\"killed\": {\"$ref\": \"#/$defs/number\"}, "
	"\"failed\": {\"$ref\": \"#/$defs/number\"}, "
	"\"log_dropped\": {\"$ref\": \"#/$defs/number\"}, "
	"\"warden_lost\": {\"type\": [\"object\", \"null\"], "
	"\"additionalProperties\": false, \"required\": [\"at_us\", \"why\"], "
	"\"properties\": {\"at_us\": {\"$ref\": \"#/$defs/number\"}, "
	"\"why\": {\"type\": [\"string\", \"null\"]}}}, "
	"\"incidents\": {\"type\": \"array\", \"maxItems\": 4, \"items\": "
	"{\"$ref\": \"#/$defs/incident\"}}}},\n"
	"  \"timing\": {\"type\": \"object\", \"additionalProperties\": false, "
	"\"required\": [\"spawn_us\", \"kill_us\"], "
	"\"properties\": {\"spawn_us\": {\"$ref\": \"#/$defs/number\"}, "
	"\"kill_us\": {\"$ref\": \"#/$defs/unknown\"}}},\n"
	"  \"started\": {\"type\": \"string\", \"format\": \"date-time\"},\n"
	"  \"ended\": {\"type\": \"string\", \"format\": \"date-time\"},\n"
	"  \"host\": {\"type\": \"object\", \"additionalProperties\": false, "
	"\"required\": [\"kernel\", \"rung\", \"privileged\"], "
	"\"properties\": {\"kernel\": {\"type\": [\"string\", \"null\"]}, "
	"\"rung\": {\"type\": \"string\"}, \"privileged\": {\"type\": \"boolean\"}}},\n"
	"  \"version\": {\"type\": [\"string\", \"null\"]}\n"
	" },\n"
	" \"$defs\": {\n"
	"  \"number\": {\"type\": \"integer\", \"minimum\": 0},\n"
	"  \"unknown\": {\"type\": [\"integer\", \"null\"], \"minimum\": 0},\n"
	"  \"unit\": {\"enum\": [\"bytes\", \"us\", \"count\", \"milli_cpus\"]},\n"
	"  \"words\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}},\n"
	"  \"incident\": {\"type\": \"object\", \"additionalProperties\": false, "
	"\"required\": [\"outcome\", \"program\", \"at_us\", \"pid\", \"rule\", "
	"\"hint\", \"why\", \"executable\", \"argv\", \"real_executable\", "
	"\"real_argv\"], \"properties\": {"
	"\"outcome\": {\"enum\": [\"refused\", \"killed\"]}, "
	"\"program\": {\"type\": \"boolean\"}, "
	"\"at_us\": {\"$ref\": \"#/$defs/number\"}, "
	"\"pid\": {\"$ref\": \"#/$defs/unknown\"}, "
	"\"rule\": {\"type\": [\"string\", \"null\"]}, "
	"\"hint\": {\"type\": [\"string\", \"null\"]}, "
	"\"why\": {\"type\": [\"string\", \"null\"]}, "
	"\"executable\": {\"type\": [\"string\", \"null\"]}, "
	"\"argv\": {\"$ref\": \"#/$defs/words\"}, "
	"\"real_executable\": {\"type\": [\"string\", \"null\"]}, "
	"\"real_argv\": {\"$ref\": \"#/$defs/words\"}}},\n"
	"  \"pressure\": {\"type\": [\"object\", \"null\"], \"additionalProperties\": false, "
	"\"properties\": {\"some_us\": {\"$ref\": \"#/$defs/number\"}, "
	"\"full_us\": {\"$ref\": \"#/$defs/number\"}}},\n";

static const char *cause_at(int i)
{
	return cause_name((enum cause)i);
}

static const char *confidence_at(int i)
{
	return confidence_name((enum confidence)i);
}

static const char *retry_at(int i)
{
	return retry_name((enum retry)i);
}

static const char *enforced_by_at(int i)
{
	return enforced_by_name((enum enforced_by)i);
}

/* {"enum": ["a", "b"]} */
static void put_enum(struct buf *b, const char *(*at)(int), int count)
{
	buf_puts(b, "{\"enum\": [");
	for (int i = 0; i < count; i++)
		buf_printf(b, "%s\"%s\"", i > 0 ? ", " : "", at(i));
	buf_puts(b, "]}");
}

static void put_decision(struct buf *b)
{
	buf_puts(b, "  \"cause\": ");
	put_enum(b, cause_at, CAUSE_COUNT_);
	buf_puts(b, ",\n  \"confidence\": ");
	put_enum(b, confidence_at, CONFIDENCE_COUNT_);
	buf_puts(b, ",\n  \"retry\": ");
	put_enum(b, retry_at, RETRY_COUNT_);
	buf_puts(b, ",\n");
}

static void put_limits(struct buf *b)
{
	for (int i = 0; i < LIMIT_COUNT_; i++)
		buf_printf(b, "%s\"%s\": {\"$ref\": \"#/$defs/limit\"}", i > 0 ? ", " : "",
			limit_name(i));
}

const char *verdict_schema_json(struct arena *a)
{
	cleanup_buf struct buf b = BUF_INIT;

	buf_puts(&b, head);
	put_decision(&b);
	buf_puts(&b, middle);
	put_limits(&b);
	buf_puts(&b, tail);
	buf_puts(&b,
		"  \"limit\": {\"type\": \"object\", \"additionalProperties\": false, "
		"\"required\": [\"value\", \"unit\", \"enforced_by\"], \"properties\": "
		"{\"value\": {\"$ref\": \"#/$defs/unknown\"}, "
		"\"unit\": {\"$ref\": \"#/$defs/unit\"}, \"enforced_by\": ");
	put_enum(&b, enforced_by_at, ENFORCED_COUNT_);
	buf_puts(&b, "}}\n }\n}\n");
	return arena_strdup(a, buf_str(&b));
}
