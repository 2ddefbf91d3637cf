/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attack.h"

/* The foreign program by other names. */

static void exec_as_harmless(const char *path)
{
	char *argv[] = {(char *)"harmless", (char *)"own", NULL};

	try_exec(path, argv);
}

static void exec_foreign(void)
{
	exec_as_harmless(foreign);
}

static void exec_foreign_argument(void)
{
	char *argv[] = {(char *)"harmless", (char *)"foreign", NULL};

	try_exec(probe, argv);
}

static void make_copy(void)
{
	copy_program(foreign, "harmless", 0755, 0);
}

static void exec_harmless(void)
{
	exec_as_harmless("./harmless");
}

static void copy_and_exec(void)
{
	char name[32];

	snprintf(name, sizeof(name), "./copy-%u", random_number(1000000));
	copy_program(foreign, name, 0755, 0);
	exec_as_harmless(name);
	unlink(name);
}

static void copy_probe(void)
{
	copy_program(probe, "harmless", 0755, 0);
}

static void exec_copied_probe(void)
{
	char *argv[] = {(char *)"harmless", (char *)"foreign", NULL};

	try_exec("./harmless", argv);
}

/* Nobody but root may read it. */
static void make_unreadable(void)
{
	copy_program(foreign, "harmless", 0111, 0);
}

static void make_renamed(void)
{
	make_copy();
	MUST(rename("harmless", "renamed"));
	MUST(rename("renamed", "harmless"));
}

static void make_hard_link(void)
{
	unlink("harmless");
	MUST(link(FOREIGN_PATH, "harmless"));
}

static void make_symbolic_link(void)
{
	unlink("harmless");
	MUST(symlink(foreign, "harmless"));
}

/* ---- through /proc ---- */

static void exec_below(const char *prefix, const char *path)
{
	char text[8192];

	snprintf(text, sizeof(text), "%s%s", prefix, path);
	exec_as_harmless(text);
}

static void exec_proc_self_root(void)
{
	exec_below("/proc/self/root", foreign);
}

static void exec_proc_thread_root(void)
{
	exec_below("/proc/thread-self/root", foreign);
}

static void exec_proc_task_root(void)
{
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "/proc/%d/task/%d/root", (int)getpid(), (int)getpid());
	exec_below(prefix, foreign);
}

static void exec_proc_parent_root(void)
{
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "/proc/%d/root", (int)getppid());
	exec_below(prefix, foreign);
}

static void exec_proc_twice(void)
{
	exec_below("/proc/self/root/proc/self/root//.//", foreign + 1);
}

static void exec_proc_cwd(void)
{
	exec_as_harmless("/proc/self/cwd/frgn");
}

/* The link of a link: /proc/self/root by a name of ours. */
static void link_proc_root(void)
{
	unlink("door");
	MUST(symlink("/proc/self/root", "door"));
}

static void exec_linked_proc_root(void)
{
	exec_below("./door", foreign);
}

static void exec_dots(void)
{
	exec_as_harmless("./../././../../../../../../../../../../../../../../../../../../..//proc/"
			 "self/cwd/./frgn");
}

/* ---- scripts ---- */

static void script_of_foreign(void)
{
	char text[8192];

	snprintf(text, sizeof(text), "#!%s\n", foreign);
	write_file("harmless", text, 0755);
}

static void script_of_script(void)
{
	char text[8192];

	script_of_foreign();
	MUST(rename("harmless", "inner"));
	snprintf(text, sizeof(text), "#!%s\n", here("inner"));
	write_file("harmless", text, 0755);
}

static void script_of_probe(void)
{
	char text[8192];

	snprintf(text, sizeof(text), "#!%s foreign\n", probe);
	write_file("harmless", text, 0755);
}

static void shell_script(void)
{
	char text[8192];

	snprintf(text, sizeof(text), "#!/bin/sh\nexec %s\n", foreign);
	write_file("harmless", text, 0755);
}

const struct attack name_attacks[] = {
	{"plain", false, .child = exec_foreign},
	{"argument", false, .child = exec_foreign_argument},
	{"copied", false, .prepare = make_copy, .child = exec_harmless},
	{"copied-each-time", false, .child = copy_and_exec},
	{"copied-argument", false, .prepare = copy_probe, .child = exec_copied_probe},
	{"copied-unreadable", false, .prepare = make_unreadable, .child = exec_harmless},
	{"renamed", false, .prepare = make_renamed, .child = exec_harmless},
	{"hard-link", false, .prepare = make_hard_link, .child = exec_harmless},
	{"symbolic-link", false, .prepare = make_symbolic_link, .child = exec_harmless},
	{"proc-self-root", false, .child = exec_proc_self_root},
	{"proc-thread-root", false, .child = exec_proc_thread_root},
	{"proc-task-root", false, .child = exec_proc_task_root},
	{"proc-parent-root", false, .child = exec_proc_parent_root},
	{"proc-twice", false, .child = exec_proc_twice},
	{"proc-cwd", false, .child = exec_proc_cwd},
	{"proc-linked", false, .prepare = link_proc_root, .child = exec_linked_proc_root},
	{"dots", false, .child = exec_dots},
	{"script", false, .prepare = script_of_foreign, .child = exec_harmless},
	{"script-of-script", false, .prepare = script_of_script, .child = exec_harmless},
	{"script-argument", false, .prepare = script_of_probe, .child = exec_harmless},
	{"script-shell", false, .prepare = shell_script, .child = exec_harmless},
	{0},
};
