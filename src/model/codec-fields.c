/* SPDX-License-Identifier: MIT */
#include "model/codec-fields.h"

#include <string.h>

/* ---- writing ---- */

static void write_number(struct json_writer *w, const struct field *field, const char *base)
{
	bool known = !field->optional || *(const bool *)(base + field->known);
	uint64_t value = 0;
	uint32_t narrow;

	if (field->kind == FIELD_U64) {
		memcpy(&value, base + field->offset, sizeof value);
	} else {
		memcpy(&narrow, base + field->offset, sizeof narrow);
		value = narrow;
	}
	/* What is out of range could not be read again. */
	write_u64_or_null(w, field->key, known, value <= field->max ? value : field->max);
}

static void write_enum(struct json_writer *w, const struct field *field, const char *base)
{
	int value;

	memcpy(&value, base + field->offset, sizeof value);
	bool named = value >= 0 && value < field->names->count;
	write_text(w, field->key, field->names->at(named ? value : 0));
}

static void write_comm(struct json_writer *w, const struct field *field, const char *comm)
{
	char text[17];

	memcpy(text, comm, sizeof text);
	text[sizeof text - 1] = '\0';
	write_text(w, field->key, text);
}

static void write_list(struct json_writer *w, const struct field *field, const char *base)
{
	size_t n;

	memcpy(&n, base + field->count, sizeof n);
	write_array(w, field->key);
	for (size_t i = 0; i < n && i < field->max; i++)
		fields_write(w, NULL, field->fields, base + field->offset + i * field->stride);
	write_array_end(w);
}

static void write_field(struct json_writer *w, const struct field *field, const char *base)
{
	const char *at = base + field->offset, *text;

	switch (field->kind) {
	case FIELD_BOOL:
		write_bool(w, field->key, *(const bool *)at);
		break;
	case FIELD_ENUM:
		write_enum(w, field, base);
		break;
	case FIELD_TEXT:
		memcpy(&text, at, sizeof text);
		write_text(w, field->key, text);
		break;
	case FIELD_COMM:
		write_comm(w, field, at);
		break;
	case FIELD_STRUCT:
		fields_write(w, field->key, field->fields, at);
		break;
	case FIELD_LIST:
		write_list(w, field, base);
		break;
	default:
		write_number(w, field, base);
	}
}

void fields_write_members(struct json_writer *w, const struct field *fields, const void *base)
{
	for (; fields->key; fields++) {
		if (fields->kind != FIELD_SKIP)
			write_field(w, fields, base);
	}
}

void fields_write(
	struct json_writer *w, const char *key, const struct field *fields, const void *base)
{
	write_object(w, key);
	fields_write_members(w, fields, base);
	write_object_end(w);
}

/* ---- reading ---- */

int fields_wrong(struct fields_reader *r, const char *key, const char *expected)
{
	return error_set(r->e, BLAME_REQUEST, 0, "'%s' must be %s", key, expected);
}

static int parse_number(
	struct fields_reader *r, const struct field *field, char *base, const json_t *value)
{
	if (field->optional && json_is_null(value))
		return 0;
	json_int_t number = json_integer_value(value);
	uint32_t narrow = (uint32_t)number;
	if (!json_is_integer(value) || number < 0 || (uint64_t)number > field->max)
		return error_set(r->e, BLAME_REQUEST, 0, "'%s' must be an integer from 0 to %llu",
			field->key, (unsigned long long)field->max);
	if (field->kind == FIELD_U64)
		memcpy(base + field->offset, &(uint64_t){(uint64_t)number}, sizeof(uint64_t));
	else
		memcpy(base + field->offset, &narrow, sizeof narrow);
	if (field->optional)
		*(bool *)(base + field->known) = true;
	return 0;
}

static int parse_enum(
	struct fields_reader *r, const struct field *field, char *base, const json_t *value)
{
	const char *name = json_string_value(value);

	for (int i = 0; name && i < field->names->count; i++) {
		if (strcmp(field->names->at(i), name) != 0)
			continue;
		memcpy(base + field->offset, &i, sizeof i);
		return 0;
	}
	return fields_wrong(r, field->key, "one of the names in docs/verdict.md");
}

static int parse_text(
	struct fields_reader *r, const struct field *field, char *at, const json_t *value)
{
	const char *text = NULL;

	if (!json_is_null(value) && json_text_parse(value, r->a, &text) != 0)
		return fields_wrong(r, field->key, "a string, {\"base64\": …} or null");
	memcpy(at, &text, sizeof text);
	return 0;
}

static int parse_comm(
	struct fields_reader *r, const struct field *field, char *at, const json_t *value)
{
	const char *text = "";

	if (json_text_parse(value, r->a, &text) != 0 || strlen(text) > 16)
		return fields_wrong(r, field->key, "a string of at most 16 bytes");
	memcpy(at, text, strlen(text) + 1);
	return 0;
}

static int parse_list(
	struct fields_reader *r, const struct field *field, char *base, const json_t *list)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list) || n > field->max)
		return error_set(r->e, BLAME_REQUEST, 0, "'%s' must be a list of at most %llu",
			field->key, (unsigned long long)field->max);
	for (size_t i = 0; i < n; i++) {
		char *at = base + field->offset + i * field->stride;
		if (fields_parse(r, field->fields, at, json_array_get(list, i)) != 0)
			return error_wrap(r->e, "item %zu of '%s'", i + 1, field->key);
	}
	memcpy(base + field->count, &n, sizeof n);
	return 0;
}

static int parse_field(
	struct fields_reader *r, const struct field *field, char *base, const json_t *value)
{
	char *at = base + field->offset;

	switch (field->kind) {
	case FIELD_BOOL:
		if (!json_is_boolean(value))
			return fields_wrong(r, field->key, "true or false");
		*(bool *)at = json_is_true(value);
		return 0;
	case FIELD_ENUM:
		return parse_enum(r, field, base, value);
	case FIELD_TEXT:
		return parse_text(r, field, at, value);
	case FIELD_COMM:
		return parse_comm(r, field, at, value);
	case FIELD_STRUCT:
		return fields_parse(r, field->fields, at, value) != 0
			? error_wrap(r->e, "'%s'", field->key)
			: 0;
	case FIELD_LIST:
		return parse_list(r, field, base, value);
	case FIELD_SKIP:
		return 0;
	default:
		return parse_number(r, field, base, value);
	}
}

static const struct field *find_field(const struct field *fields, const char *key)
{
	while (fields->key && strcmp(fields->key, key) != 0)
		fields++;
	return fields->key ? fields : NULL;
}

int fields_parse(
	struct fields_reader *r, const struct field *fields, void *base, const json_t *object)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return error_set(r->e, BLAME_REQUEST, 0, "an object is expected");
	json_object_foreach((json_t *)object, key, value)
	{
		const struct field *field = find_field(fields, key);
		if (!field)
			return error_set(r->e, BLAME_REQUEST, 0, "unknown member '%.64s'", key);
		if (parse_field(r, field, base, value) != 0)
			return -1;
	}
	return 0;
}
