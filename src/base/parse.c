/* SPDX-License-Identifier: MIT */
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int fail(int errnum)
{
	errno = errnum;
	return -1;
}

/* Digits, and perhaps a point and digits. The fraction stays text, so that none of it is lost. */
struct number {
	uint64_t whole;
	const char *fraction;
	size_t n_fraction;
};

static size_t count_digits(const char *s)
{
	return strspn(s, "0123456789");
}

static int read_digits(const char *s, size_t n, uint64_t *ret)
{
	uint64_t value = 0;
	for (size_t i = 0; i < n; i++) {
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(s[i] - '0'), &value))
			return fail(ERANGE);
	}
	*ret = value;
	return 0;
}

/* Read a number at *@s and step over it. */
static int read_number(const char **s, struct number *ret)
{
	size_t n = count_digits(*s);
	struct number number = {0};
	if (n == 0)
		return fail(EINVAL);
	if (read_digits(*s, n, &number.whole) < 0)
		return -1;
	*s += n;
	if (**s == '.') {
		number.fraction = ++*s;
		number.n_fraction = count_digits(*s);
		if (number.n_fraction == 0)
			return fail(EINVAL);
		*s += number.n_fraction;
	}
	*ret = number;
	return 0;
}

/*
 * *@ret = @number × @unit, rounded down. The fraction is taken from its last digit on: rounding
 * down at each digit gives the same as rounding down once, and nothing grows beyond 10 × @unit.
 */
static int scale(const struct number *number, uint64_t unit, uint64_t *ret)
{
	uint64_t part = 0, value;
	bool above_zero = number->whole > 0;
	for (size_t i = number->n_fraction; i-- > 0;) {
		unsigned digit = (unsigned)(number->fraction[i] - '0');
		above_zero = above_zero || digit > 0;
		part = (part + digit * unit) / 10;
	}
	if (__builtin_mul_overflow(number->whole, unit, &value) ||
		__builtin_add_overflow(value, part, &value))
		return fail(ERANGE);
	if (value == 0 && above_zero)
		return fail(ERANGE);
	*ret = value;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* The largest first; for text, and for what parse_size() reads only the first letter counts. */
static const struct unit size_units[] = {
	{"EiB", 1ull << 60},
	{"PiB", 1ull << 50},
	{"TiB", 1ull << 40},
	{"GiB", 1ull << 30},
	{"MiB", 1ull << 20},
	{"KiB", 1ull << 10},
	{"B", 1},
};
#define N_SIZE_UNITS   (sizeof size_units / sizeof *size_units)
#define FIRST_READABLE 2 /* nobody gives a limit in PiB */

static uint64_t size_factor(const char *suffix)
{
	if (*suffix == '\0')
		return 1;
	for (size_t i = FIRST_READABLE; i < N_SIZE_UNITS; i++) {
		const char *name = size_units[i].name;
		if (toupper((unsigned char)suffix[0]) != name[0])
			continue;
		const char *rest = suffix + 1;
		if (*rest == '\0')
			return size_units[i].factor;
		if (name[1] != '\0' && (strcasecmp(rest, "B") == 0 || strcasecmp(rest, "iB") == 0))
			return size_units[i].factor;
	}
	return 0;
}

int parse_size(const char *s, uint64_t *ret_bytes)
{
	struct number number;
	if (read_number(&s, &number) < 0)
		return -1;
	uint64_t factor = size_factor(s);
	if (factor == 0 || (factor == 1 && number.fraction))
		return fail(EINVAL);
	return scale(&number, factor, ret_bytes);
}

/* The largest first. */
static const struct unit duration_units[] = {
	{"d", 86400000000},
	{"h", 3600000000},
	{"m", 60000000},
	{"s", 1000000},
	{"ms", 1000},
	{"us", 1},
};
#define N_DURATION_UNITS (sizeof duration_units / sizeof *duration_units)

/* Step over the unit at *@s. Returns its index, not below @first, or N_DURATION_UNITS. */
static size_t read_duration_unit(const char **s, size_t first)
{
	size_t n = strspn(*s, "abcdefghijklmnopqrstuvwxyz");
	for (size_t i = first; i < N_DURATION_UNITS; i++) {
		const char *name = duration_units[i].name;
		if (n == strlen(name) && memcmp(*s, name, n) == 0) {
			*s += n;
			return i;
		}
	}
	return N_DURATION_UNITS;
}

int parse_duration(const char *s, uint64_t *ret_us)
{
	struct number number;
	uint64_t total = 0, part;
	size_t unit = 0;
	bool first = true;
	do {
		if (read_number(&s, &number) < 0)
			return -1;
		if (first && *s == '\0')
			return scale(&number, 1000000, ret_us);
		unit = read_duration_unit(&s, unit);
		if (unit == N_DURATION_UNITS)
			return fail(EINVAL);
		uint64_t factor = duration_units[unit++].factor;
		if (factor == 1 && number.fraction)
			return fail(EINVAL);
		if (scale(&number, factor, &part) < 0)
			return -1;
		if (__builtin_add_overflow(total, part, &total))
			return fail(ERANGE);
		first = false;
	} while (*s != '\0');
	*ret_us = total;
	return 0;
}

int parse_u64(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t value;
	size_t n = count_digits(s);
	if (n == 0 || s[n] != '\0')
		return fail(EINVAL);
	if (read_digits(s, n, &value) < 0)
		return -1;
	if (value > max)
		return fail(ERANGE);
	*ret = value;
	return 0;
}

int parse_cpus(const char *s, uint64_t *ret_milli)
{
	struct number number;
	uint64_t milli;
	if (read_number(&s, &number) < 0)
		return -1;
	if (*s != '\0')
		return fail(EINVAL);
	if (scale(&number, 1000, &milli) < 0)
		return -1;
	if (milli < 10)
		return fail(ERANGE);
	*ret_milli = milli;
	return 0;
}

int parse_user(const char *s, uint32_t *ret_uid, uint32_t *ret_gid)
{
	/* 2^32-1 is "no change" to setuid(2) and chown(2). */
	const uint64_t max = UINT32_MAX - 1;
	uint64_t uid, gid;
	size_t n = count_digits(s);
	if (n == 0 || (s[n] != '\0' && s[n] != ':'))
		return fail(EINVAL);
	if (read_digits(s, n, &uid) < 0)
		return -1;
	if (uid > max)
		return fail(ERANGE);
	gid = uid;
	if (s[n] == ':' && parse_u64(s + n + 1, max, &gid) < 0)
		return -1;
	*ret_uid = (uint32_t)uid;
	*ret_gid = (uint32_t)gid;
	return 0;
}

/* Write @value, counted in parts of 10^@digits, as a decimal number without trailing zeros. */
static int put_decimal(char *out, uint64_t value, unsigned digits)
{
	while (digits > 0 && value % 10 == 0) {
		value /= 10;
		digits--;
	}
	uint64_t one = 1;
	for (unsigned i = 0; i < digits; i++)
		one *= 10;
	if (digits == 0)
		return snprintf(out, FORMAT_SIZE, "%" PRIu64, value);
	return snprintf(
		out, FORMAT_SIZE, "%" PRIu64 ".%0*" PRIu64, value / one, (int)digits, value % one);
}

/* @value in tenths of @unit, to the nearest one. */
static uint64_t tenths(uint64_t value, uint64_t unit)
{
	return value / unit * 10 + (value % unit * 10 + unit / 2) / unit;
}

const char *format_size(uint64_t bytes, char *out)
{
	size_t i = 0;
	/* 1023.96 KiB is 1 MiB when rounded, never "1024 KiB". */
	while (i + 1 < N_SIZE_UNITS && bytes < size_units[i].factor &&
		tenths(bytes, size_units[i + 1].factor) < 10240)
		i++;
	char number[FORMAT_SIZE];
	put_decimal(number, tenths(bytes, size_units[i].factor), 1);
	snprintf(out, FORMAT_SIZE, "%.20s %s", number, size_units[i].name);
	return out;
}

const char *format_size_option(uint64_t bytes, char *out)
{
	for (size_t i = FIRST_READABLE; i < N_SIZE_UNITS; i++) {
		uint64_t factor = size_units[i].factor, value;
		uint64_t n = bytes / factor + (bytes % factor != 0);
		if (n == 0 || __builtin_mul_overflow(n, factor, &value) ||
			value - bytes > bytes / 64)
			continue;
		snprintf(out, FORMAT_SIZE, "%" PRIu64 "%.1s", n,
			factor == 1 ? "" : size_units[i].name);
		return out;
	}
	snprintf(out, FORMAT_SIZE, "0");
	return out;
}

static uint64_t round_to(uint64_t value, uint64_t unit)
{
	return value / unit + (value % unit >= unit - unit / 2);
}

/*
 * One row for each range of durations: below @limit_us it is written as a number of 1/10^digits of
 * @name (each of @step_us), or, where there is a @rest, as whole ones and what is left in the next
 * smaller unit.
 */
static const struct duration_row {
	uint64_t limit_us, step_us;
	unsigned digits;
	unsigned rest_per_unit;
	const char *name, *rest;
} duration_rows[] = {
	{1000, 1, 0, 0, "us", NULL},
	{10000, 100, 1, 0, "ms", NULL},
	{100000, 1000, 0, 0, "ms", NULL},
	{10000000, 10000, 2, 0, "s", NULL},
	{60000000, 100000, 1, 0, "s", NULL},
	{3600000000, 1000000, 0, 60, "min", "s"},
	{86400000000, 60000000, 0, 60, "h", "min"},
	{UINT64_MAX, 3600000000, 0, 24, "d", "h"},
};

const char *format_duration(uint64_t us, char *out)
{
	const struct duration_row *row = duration_rows;
	uint64_t n = round_to(us, row->step_us);
	/* Compared after rounding: 59.96 s is "1 min", never "60 s". */
	while (row->limit_us != UINT64_MAX && n >= row->limit_us / row->step_us) {
		row++;
		n = round_to(us, row->step_us);
	}
	if (us == 0) {
		snprintf(out, FORMAT_SIZE, "0 s");
	} else if (!row->rest) {
		char number[FORMAT_SIZE];
		put_decimal(number, n, row->digits);
		snprintf(out, FORMAT_SIZE, "%.20s %s", number, row->name);
	} else if (n % row->rest_per_unit == 0) {
		snprintf(out, FORMAT_SIZE, "%u %s", (unsigned)(n / row->rest_per_unit), row->name);
	} else {
		snprintf(out, FORMAT_SIZE, "%u %s %u %s", (unsigned)(n / row->rest_per_unit),
			row->name, (unsigned)(n % row->rest_per_unit), row->rest);
	}
	return out;
}

const char *format_milli(uint64_t milli, char *out)
{
	put_decimal(out, milli, 3);
	return out;
}

#define NAME_MAX_COMPARED 48

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;
	return least < c ? least : c;
}

/*
 * How many insertions, deletions, substitutions and swaps of neighbours turn @a into @b (the
 * "optimal string alignment" distance). Both are at most NAME_MAX_COMPARED long.
 */
static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t rows[3][NAME_MAX_COMPARED + 1];
	size_t *before = rows[0], *above = rows[1], *now = rows[2];
	for (size_t j = 0; j <= nb; j++)
		above[j] = j;
	for (size_t i = 1; i <= na; i++) {
		now[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
			now[j] = min3(change, above[j] + 1, now[j - 1] + 1);
			bool swapped =
				i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
			if (swapped && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		size_t *free_row = before;
		before = above;
		above = now;
		now = free_row;
	}
	return above[nb];
}

const char *nearest_name(const char *word, const char *const *names)
{
	size_t n = strnlen(word, NAME_MAX_COMPARED + 1);
	if (n < 2 || n > NAME_MAX_COMPARED)
		return NULL;
	/* A third of the word may be wrong, three letters of a long one; and it must not all be. */
	size_t best = n < 4 ? 1 : n < 9 ? 2 : 3;
	const char *found = NULL;
	for (; *names; names++) {
		size_t length = strnlen(*names, NAME_MAX_COMPARED + 1);
		if (length > NAME_MAX_COMPARED)
			continue;
		size_t distance = edit_distance(word, n, *names, length);
		if (distance < best + !found && distance < length) {
			found = *names;
			best = distance;
		}
	}
	return found;
}
