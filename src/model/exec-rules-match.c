/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/path.h"
#include "model/exec-rules-parts.h"

void exec_spend(struct search *s, size_t steps)
{
	s->spent = s->spent || steps > s->steps;
	s->steps = s->spent ? 0 : s->steps - steps;
}

/* Is @value what @word asks for: does it begin so or, of a list, is one of its parts so? */
static bool is_value(const struct rule_word *word, const char *value)
{
	const char *wanted = word->text + word->value;
	size_t size = word->size - word->value;
	if (word->kind != WORD_PART)
		return strncmp(value, wanted, size) == 0;
	for (;; value++) {
		size_t n = strcspn(value, ",");
		if (n == size && memcmp(value, wanted, n) == 0)
			return true;
		value += n;
		if (*value == '\0')
			return false;
	}
}

/* Is args[@at] what @word looks for? An option's value is in the same word, or the next one. */
static bool is_there(const struct rule_word *word, const struct reading *reading, size_t at)
{
	const char *const *args = reading->args;
	if (word->bare == 0)
		return is_value(word, args[at]);
	if (strncmp(args[at], word->text, word->bare) != 0)
		return false;
	if (args[at][word->bare] == '=')
		return is_value(word, args[at] + word->bare + 1);
	if (args[at][word->bare] != '\0')
		return false;
	return word->size == word->value ||
		(at + 1 < reading->n_args && is_value(word, args[at + 1]));
}

/* "--x" is the option "--x=v" too. */
static bool is_option(const struct rule_word *word, const char *arg)
{
	if (strncmp(arg, word->text, word->size) != 0)
		return false;
	return arg[word->size] == '\0' || (arg[1] == '-' && arg[word->size] == '=');
}

/*
 * Among the options before @place. For an allow rule it must be sure that it is one, and not the value of
 * what is before it.
 */
static bool find_option(struct search *s, const struct rule_word *word,
	const struct reading *reading, size_t place, bool sure, size_t *ret_found)
{
	size_t i = 0;
	bool found = false;
	while (!s->spent && i < place && i < reading->n_args && !found) {
		found = is_option(word, reading->args[i]);
		int takes = sure ? exec_option_takes(s->known, reading->args[i]) : 1;
		exec_spend(s, sure ? 8 + strlen(reading->args[i]) : 1);
		if (found)
			*ret_found = i;
		if (takes == 0)
			break;
		i += (size_t)takes;
	}
	return found;
}

/* The first between @from and @end; @end: none. */
static size_t scan(struct search *s, const struct rule_word *word, const struct reading *reading,
	size_t from, size_t end)
{
	size_t i = from;
	while (i < end && !is_there(word, reading, i))
		i++;
	exec_spend(s, i - from + 1);
	return i;
}

/*
 * The same word is looked for at each place where the subcommand may be, and for most rules from the first
 * argument on: what was seen is not looked at again.
 */
static bool find_anywhere(struct search *s, const struct rule_word *word,
	const struct reading *reading, size_t from, size_t *ret_found)
{
	if (!s->seen)
		s->seen = arena_calloc(s->a, s->r->n_scans, sizeof *s->seen);
	struct seen *seen = &s->seen[word->scan];
	bool known = seen->of == reading && from <= seen->found;
	if (!known || from < seen->from) {
		size_t end = known ? seen->from : reading->n_args;
		if (s->spent)
			return false;
		size_t found = scan(s, word, reading, from, end);
		if (known && found == end)
			found = seen->found;
		*seen = (struct seen){reading, from, found};
	}
	if (seen->found == reading->n_args)
		return false;
	*ret_found = seen->found;
	return true;
}

/*
 * Is @arg the subcommand @word? For a deny rule also what the program takes for it: an abbreviation, or
 * what git corrects.
 */
static bool is_word(const struct search *s, const struct compiled_rule *rule, const char *arg,
	const char *word, bool first)
{
	const struct multicall *multicall = s->r->multicall[rule->program];
	const struct option_words *known = s->known;
	if (strcmp(arg, word) == 0)
		return true;
	if (rule->rule->allow || !first)
		return false;
	if (known && known->abbreviates && strlen(arg) >= 2 && strncmp(arg, word, strlen(arg)) == 0)
		return true;
	return multicall && multicall->dashed && exec_git_corrects(arg, word);
}

bool exec_rule_matches(struct search *s, const struct compiled_rule *rule,
	const struct reading *reading, size_t place, size_t *ret_found)
{
	size_t next = place, from = 0;
	*ret_found = reading->n_args;
	if (s->reading != reading && rule->n_words > 0) {
		s->reading = reading;
		s->known = exec_option_words(path_base(s->r->programs[rule->program]));
	}
	exec_spend(s, 8);
	for (size_t i = 0; i < rule->n_words; i++) {
		const struct rule_word *word = &rule->words[i];
		bool found = false;
		if (word->kind == WORD_OPTION) {
			found = find_option(s, word, reading, place, rule->rule->allow, ret_found);
		} else if (word->kind == WORD_ANYWHERE || word->kind == WORD_PART) {
			found = find_anywhere(s, word, reading, from, ret_found);
		} else if (next < reading->n_args &&
			is_word(s, rule, reading->args[next], word->text, next == place)) {
			*ret_found = next;
			from = ++next;
			found = true;
		}
		if (!found)
			return false;
	}
	return true;
}
