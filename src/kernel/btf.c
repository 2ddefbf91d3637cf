/* SPDX-License-Identifier: MIT */
#include "kernel/btf.h"

#include <errno.h>
#include <linux/btf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define NAME_SIZE 32
/* sysfs gives no more than a page at once. */
#define CHUNK 4096
/* More than any kernel has; what claims more is no BTF. */
#define SECTION_MAX ((uint64_t)256 << 20)

/* A piece of the file that has been read. */
struct chunk {
	uint64_t at;
	size_t size;
	unsigned char bytes[CHUNK];
};

/*
 * The type section, read from front to back. Names are in a section of their own, those of one struct's
 * members mostly side by side.
 */
struct reader {
	int fd;
	uint64_t at, end; /* in the file */
	uint64_t strings, strings_end;
	struct chunk types, names;
};

static int read_at(int fd, void *buf, size_t size, uint64_t at)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(fd, (char *)buf + done, size - done, (off_t)(at + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		done += (size_t)n;
	}
	return 0;
}

static int open_reader(struct reader *r, int fd)
{
	struct btf_header h;
	int rc = read_at(fd, &h, sizeof(h), 0);
	if (rc < 0)
		return rc;
	/* the other byte order shows as another magic */
	if (h.magic != BTF_MAGIC || h.version != BTF_VERSION || h.hdr_len < sizeof(h))
		return -EBADMSG;
	if (h.type_len > SECTION_MAX || h.str_len > SECTION_MAX)
		return -EBADMSG;
	*r = (struct reader){.fd = fd};
	r->at = (uint64_t)h.hdr_len + h.type_off;
	r->end = r->at + h.type_len;
	r->strings = (uint64_t)h.hdr_len + h.str_off;
	r->strings_end = r->strings + h.str_len;
	return 0;
}

/* *ret = the @size bytes at @at, of a section that ends at @end; at most CHUNK. */
static int get(struct reader *r, struct chunk *chunk, uint64_t at, uint64_t end, size_t size,
	const unsigned char **ret)
{
	if (at < chunk->at || at + size > chunk->at + chunk->size) {
		size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
		int rc = read_at(r->fd, chunk->bytes, want, at);
		chunk->at = at;
		chunk->size = rc < 0 ? 0 : want;
		if (rc < 0)
			return rc;
	}
	*ret = chunk->bytes + (at - chunk->at);
	return 0;
}

/* The next @size bytes (at most CHUNK) of the section into @buf. */
static int next(struct reader *r, void *buf, size_t size)
{
	const unsigned char *bytes;
	if (size > r->end - r->at)
		return -EBADMSG;
	int rc = get(r, &r->types, r->at, r->end, size, &bytes);
	if (rc < 0)
		return rc;
	memcpy(buf, bytes, size);
	r->at += size;
	return 0;
}

static int skip(struct reader *r, uint64_t size)
{
	if (size > r->end - r->at)
		return -EBADMSG;
	r->at += size;
	return 0;
}

/* 1 if the name at @offset of the strings is @name, 0 if not. */
static int is_named(struct reader *r, uint32_t offset, const char *name)
{
	const unsigned char *found;
	size_t size = strlen(name) + 1;
	uint64_t at = r->strings + offset;
	if (size > NAME_SIZE || at > r->strings_end || size > r->strings_end - at)
		return 0;
	int rc = get(r, &r->names, at, r->strings_end, size, &found);
	return rc < 0 ? rc : memcmp(found, name, size) == 0;
}

/* What follows the three words of a type: so much for each of its vlen, and so much once. */
static const struct {
	uint8_t each, once;
} tails[] = {
	[BTF_KIND_UNKN] = {0, 0},
	[BTF_KIND_INT] = {0, sizeof(uint32_t)},
	[BTF_KIND_PTR] = {0, 0},
	[BTF_KIND_ARRAY] = {0, sizeof(struct btf_array)},
	[BTF_KIND_STRUCT] = {sizeof(struct btf_member), 0},
	[BTF_KIND_UNION] = {sizeof(struct btf_member), 0},
	[BTF_KIND_ENUM] = {sizeof(struct btf_enum), 0},
	[BTF_KIND_FWD] = {0, 0},
	[BTF_KIND_TYPEDEF] = {0, 0},
	[BTF_KIND_VOLATILE] = {0, 0},
	[BTF_KIND_CONST] = {0, 0},
	[BTF_KIND_RESTRICT] = {0, 0},
	[BTF_KIND_FUNC] = {0, 0},
	[BTF_KIND_FUNC_PROTO] = {sizeof(struct btf_param), 0},
	[BTF_KIND_VAR] = {0, sizeof(struct btf_var)},
	[BTF_KIND_DATASEC] = {sizeof(struct btf_var_secinfo), 0},
	[BTF_KIND_FLOAT] = {0, 0},
	[BTF_KIND_DECL_TAG] = {0, sizeof(struct btf_decl_tag)},
	[BTF_KIND_TYPE_TAG] = {0, 0},
	[BTF_KIND_ENUM64] = {sizeof(struct btf_enum64), 0},
};

/* A kind that is not known has no known end: nothing behind it can be read. */
static int skip_tail(struct reader *r, const struct btf_type *type)
{
	unsigned kind = BTF_INFO_KIND(type->info), vlen = BTF_INFO_VLEN(type->info);
	if (kind == BTF_KIND_UNKN || kind >= sizeof(tails) / sizeof(tails[0]))
		return -EBADMSG;
	return skip(r, (uint64_t)tails[kind].each * vlen + tails[kind].once);
}

/* A member's place in bytes into @field, if it has one within the struct. */
static int place(
	const struct btf_type *type, const struct btf_member *member, struct btf_field *field)
{
	bool packed = BTF_INFO_KFLAG(type->info); /* then the upper byte is a bit-field's width */
	uint32_t bits = packed ? BTF_MEMBER_BIT_OFFSET(member->offset) : member->offset;
	if ((packed && BTF_MEMBER_BITFIELD_SIZE(member->offset)) || bits % 8)
		return -ENOENT;
	if (bits / 8 > type->size || field->size > type->size - bits / 8)
		return -EBADMSG;
	field->ret_offset = bits / 8;
	return 0;
}

static int match(struct reader *r, const struct btf_type *type, const struct btf_member *member,
	struct btf_field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int rc = is_named(r, member->name_off, fields[i].name);
		if (rc < 0)
			return rc;
		if (rc)
			return (rc = place(type, member, &fields[i])) < 0 ? rc : 1;
	}
	return 0;
}

/* The first members named so; two of one name do not come. */
static int find_fields(
	struct reader *r, const struct btf_type *type, struct btf_field *fields, size_t n)
{
	size_t found = 0;
	for (unsigned i = 0; i < BTF_INFO_VLEN(type->info) && found < n; i++) {
		struct btf_member member;
		int rc = next(r, &member, sizeof(member));
		if (rc == 0)
			rc = match(r, type, &member, fields, n);
		if (rc < 0)
			return rc;
		found += (size_t)rc;
	}
	return found == n ? 0 : -ENOENT;
}

/* As find_fields(); of those without a name there are many, and one that lacks a field is passed over. */
static int try_struct(struct reader *r, const struct btf_type *type, bool unnamed,
	struct btf_field *fields, size_t n, bool *ret_found)
{
	uint64_t tail = r->at;
	int rc = find_fields(r, type, fields, n);
	*ret_found = rc == 0;
	if (rc != -ENOENT || !unnamed)
		return rc;
	r->at = tail;
	return 0;
}

int btf_find(int fd, const char *structure, size_t least, struct btf_field *fields, size_t n)
{
	struct reader r;
	int rc = open_reader(&r, fd);
	while (rc == 0) {
		struct btf_type type;
		if (r.at == r.end)
			return -ENOENT;
		rc = next(&r, &type, sizeof(type));
		if (rc < 0)
			break;
		if (BTF_INFO_KIND(type.info) == BTF_KIND_STRUCT &&
			BTF_INFO_VLEN(type.info) >= least) {
			bool found = false;
			rc = is_named(&r, type.name_off, structure);
			if (rc > 0)
				rc = try_struct(&r, &type, !*structure, fields, n, &found);
			if (rc < 0 || found)
				return rc;
		}
		if (rc == 0)
			rc = skip_tail(&r, &type);
	}
	return rc;
}
