/* SPDX-License-Identifier: MIT */
#ifndef MODEL_CODEC_API_TEXT_H
#define MODEL_CODEC_API_TEXT_H

#include "model/api.h"
#include "model/codec-json.h"

/* A body on its way into a struct. */
struct api_reader {
	struct arena *a;
	struct error *e;
	void *into;
};

/* A member of a body, and what takes its value. Tables of them end with name NULL. */
struct api_member {
	const char *name;
	int (*take)(const struct api_reader *r, const char *name, const json_t *value);
	unsigned kinds; /* 1 << enum api_kind for each that has it */
};

/* The object in @text. NULL with @e. */
json_t *api_object(const char *text, size_t size, struct error *e);

/* Let the members of @object be taken. 0, or -1 with @e. */
int api_members(const struct api_reader *r, const struct api_member *members, unsigned kind,
	const json_t *object);

/* Fill in e with "'NAME' …", EINVAL, and return -1. */
int api_refuse(const struct api_reader *r, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A text without NUL, also as {"base64": …}; in the arena. 0, or -1 with e. */
int api_text(const struct api_reader *r, const char *name, const json_t *value, const char **ret);
/* An integer of min to max. 0, or -1 with e. */
int api_integer(const struct api_reader *r, const char *name, const json_t *value, json_int_t min,
	json_int_t max, json_int_t *ret);

#endif
