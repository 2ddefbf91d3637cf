/* SPDX-License-Identifier: MIT */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Text to numbers and back. All parse functions read the whole of @s, refuse signs, spaces, empty
 * text and overflow, write *@ret only on success and return 0 or -1 (EINVAL, ERANGE in errno).
 */

/*
 * "64M", "2G", "1.5GiB", "4096", "10KB": K, M, G, T are powers of 1024, with or without B or iB, in
 * either case. Parts of a byte are dropped; what is above 0 never becomes 0 (ERANGE).
 */
int parse_size(const char *s, uint64_t *ret_bytes);
/*
 * "500ms", "30s", "5m", "1h30m", "2d", "250us", "1.5s", plain seconds "90" and "0.5". Each unit
 * once, the larger first. Parts of a microsecond are dropped; what is above 0 never becomes 0
 * (ERANGE).
 */
int parse_duration(const char *s, uint64_t *ret_us);
int parse_u64(const char *s, uint64_t max, uint64_t *ret);
/* "2", "0.5", "1.25": thousandths of a CPU, further digits dropped. At least 0.01 (else ERANGE). */
int parse_cpus(const char *s, uint64_t *ret_milli);
/* "1000" or "1000:100"; without a gid, *ret_gid is the uid. Neither may be 2^32-1. */
int parse_user(const char *s, uint32_t *ret_uid, uint32_t *ret_gid);

#define FORMAT_SIZE 32
/* "64 MiB", "1.5 GiB", "300 B"; returns @out (of FORMAT_SIZE bytes). */
const char *format_size(uint64_t bytes, char *out);
/*
 * Short text that parse_size() reads back to at least @bytes and at most 1/64 more: "64M", "96M",
 * "1536M".
 */
const char *format_size_option(uint64_t bytes, char *out);
/* "0.41 s", "12 ms", "1 h 30 min", rounded to about three digits. */
const char *format_duration(uint64_t us, char *out);
/* "1.5" for 1500. */
const char *format_milli(uint64_t milli, char *out);

/*
 * The entry of @names (NULL-terminated) nearest to @word by edit distance (Damerau), or NULL if
 * none is near enough to be what was meant.
 */
const char *nearest_name(const char *word, const char *const *names);

#endif
