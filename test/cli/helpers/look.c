/* SPDX-License-Identifier: MIT */
/* look PATH…: the names in a directory, sorted; +PATH: try to make a file. For roots without a shell. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int visible(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static void list(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, visible, alphasort);
	printf("%s:", path);
	for (int i = 0; i < n; i++)
		printf(" %s", names[i]->d_name);
	puts(n < 0 ? " cannot be read" : "");
}

static void make(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	printf("%s: %s\n", path, fd < 0 ? "refused" : "made");
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '+')
			make(argv[i] + 1);
		else
			list(argv[i]);
	}
	return 0;
}
