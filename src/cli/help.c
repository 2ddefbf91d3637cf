/* SPDX-License-Identifier: MIT */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cli/option-table.h"
#include "cli/options.h"
#include "model/verdict.h"

#define COLUMNS     80
#define HELP_COLUMN 28

/* Append @text from column @column on, broken at spaces before COLUMNS, then a newline. */
static void put_wrapped(struct buf *b, const char *text, size_t column, size_t indent)
{
	while (*text) {
		size_t size = strcspn(text, " ");

		if (column + size + 1 > COLUMNS && column > indent) {
			buf_printf(b, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			buf_putc(b, ' ');
			column++;
		}
		buf_add(b, text, size);
		column += size;
		text += size + (text[size] == ' ');
	}
	buf_putc(b, '\n');
}

static void put_option(struct buf *b, const struct option_spec *o)
{
	char left[80];
	int size;

	size = snprintf(left, sizeof(left), "  %s%c%s--%s%s%s", o->letter ? "-" : "",
		o->letter ? o->letter : ' ', o->letter ? ", " : "   ", o->name,
		o->metavar ? " " : "", o->metavar ? o->metavar : "");
	buf_puts(b, left);
	if (size + 2 > HELP_COLUMN)
		buf_printf(b, "\n%*s", HELP_COLUMN, "");
	else
		buf_printf(b, "%*s", HELP_COLUMN - size, "");
	put_wrapped(b, o->help, HELP_COLUMN, HELP_COLUMN);
}

static void put_group(struct buf *b, enum command command, enum option_group group, bool titled)
{
	bool first = true;

	for_each_option (o, command) {
		if (o->group != group)
			continue;
		if (first)
			buf_printf(b, "\n%s:\n", titled ? option_group_title(group) : "Options");
		first = false;
		put_option(b, o);
	}
}

void help_put_command(struct buf *b, enum command command)
{
	const struct command_spec *c = command_spec(command);
	bool program = command_takes_program(c) || command == COMMAND_BOX_CREATE;

	buf_printf(b, "Usage: bulkhead %s [options]%s%s\n\n%s\n", c->name, *c->operands ? " " : "",
		c->operands, c->description);
	for (int group = 0; group < OPTIONS_GROUP_COUNT_; group++)
		put_group(b, command, (enum option_group)group, program);
	if (program)
		buf_puts(b,
			"\nSIZE: 64M, 2G, 1.5GiB, bytes. DUR: 500ms, 30s, 5m, 1h30m, seconds. Any "
			"limit\n"
			"may be 'unlimited'. See bulkhead(1), bulkhead-policy(5), "
			"bulkhead-verdict(7).\n");
}

static void put_commands(struct buf *b, const char *group)
{
	for (int i = 0; i < COMMAND_COUNT_; i++) {
		const struct command_spec *c = command_spec((enum command)i);

		if (!group || command_in_group(c, group))
			buf_printf(b, "  %-11s %s\n", c->name, c->summary);
	}
}

void help_put_overview(struct buf *b)
{
	buf_puts(b,
		"Usage: bulkhead COMMAND ...\n\n"
		"Run a program so that it cannot hurt the host, and learn why it ended.\n\n"
		"Commands:\n");
	put_commands(b, NULL);
	buf_puts(b,
		"\nExamples:\n"
		"  bulkhead run --memory 64M --timeout 30s -- python3 script.py\n"
		"  bulkhead run --policy strict --verdict verdict.json -- ./a.out\n"
		"  bulkhead doctor\n"
		"\n'bulkhead help COMMAND' shows the options of a command.\n");
}

static int print(const struct buf *b)
{
	if (fd_write_all(STDOUT_FILENO, buf_str(b), b->size) == 0)
		return 0;
	log_error("cannot write to stdout: %m");
	return EXIT_REFUSED;
}

int help_print(enum command command)
{
	cleanup_buf struct buf b = BUF_INIT;

	help_put_command(&b, command);
	return print(&b);
}

int help_print_group(const char *group)
{
	cleanup_buf struct buf b = BUF_INIT;

	buf_printf(&b, "Usage: bulkhead %s COMMAND ...\n\nCommands:\n", group);
	put_commands(&b, group);
	buf_printf(&b, "\n'bulkhead help %s COMMAND' shows the options of a command.\n", group);
	return print(&b);
}

int help_print_overview(void)
{
	cleanup_buf struct buf b = BUF_INIT;

	help_put_overview(&b);
	return print(&b);
}

/* Every option of every command, a line each: "run --memory SIZE"; for the check of the manual. */
static int print_tables(void)
{
	cleanup_buf struct buf b = BUF_INIT;

	for (int i = 0; i < COMMAND_COUNT_; i++)
		for_each_option (o, i) {
			buf_printf(&b, "%s --%s%s%s", command_spec((enum command)i)->name, o->name,
				o->metavar ? " " : "", o->metavar ? o->metavar : "");
			if (o->letter)
				buf_printf(&b, " -%c", o->letter);
			buf_putc(&b, '\n');
		}
	return print(&b);
}

static int unknown_command(int argc, char *const *argv)
{
	struct error e = ERROR_INIT;
	char shown[OPTION_SHOWN_SIZE];
	const char *word = argv[0];
	const char *near = command_is_group(word) ? NULL : command_nearest(word);

	if (argc == 1 && command_is_group(word))
		return help_print_group(word);
	if (command_is_group(word))
		error_set(&e, BLAME_REQUEST, 0, "'%s' has no command '%s'", word,
			option_shown(argv[1], shown));
	else
		error_set(&e, BLAME_REQUEST, 0, "no command '%s'", option_shown(word, shown));
	if (near)
		error_hint(&e, "did you mean '%s'?", near);
	return cli_fail(&e);
}

int cli_help(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	int command, words = 1;

	if (argc < 2)
		return help_print_overview();
	if (strcmp(argv[1], "--tables") == 0)
		return print_tables();
	command = command_from_words(argc - 1, argv + 1, &words);
	if (argc == words + 1)
		return command < 0 ? unknown_command(argc - 1, argv + 1)
				   : help_print((enum command)command);
	if (command < 0 && command_is_group(argv[1]))
		return unknown_command(argc - 1, argv + 1);
	error_set(&e, BLAME_REQUEST, 0, "help takes one command; usage: bulkhead help [COMMAND]");
	return cli_fail(&e);
}

int cli_version(int argc, char **argv)
{
	static const char text[] = "bulkhead " BULKHEAD_VERSION "\n";
	const struct buf b = {(char *)text, sizeof(text) - 1, sizeof(text)};
	struct error e = ERROR_INIT;

	if (argc <= 1)
		return print(&b);
	error_set(&e, BLAME_REQUEST, 0, "version takes no '%s'", argv[1]);
	return cli_fail(&e);
}
