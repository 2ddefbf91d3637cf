/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/verdict-file.h"

/* What may stand at the other end of --verdict, each in a directory of its own, which is cwd. */
#define TEXT "{\"cause\":\"ok\"}\n"

struct fixture {
	char dir[64], before[4096];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	*state = f;
	if (!f || !getcwd(f->before, sizeof(f->before)))
		return -1;
	strcpy(f->dir, "/var/tmp/bulkhead-verdict-XXXXXX");
	alarm(60); /* nothing here waits */
	umask(022);
	return mkdtemp(f->dir) ? chdir(f->dir) : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r = chdir(f->before) | nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	alarm(0);
	return r;
}

static void put(const char *path, const char *text, mode_t mode)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void expect_text(const char *path, const char *text)
{
	char buf[256];
	assert_int_equal(file_read_text(AT_FDCWD, path, buf, sizeof(buf)), strlen(text));
	assert_string_equal(buf, text);
}

static unsigned mode_of(const char *path)
{
	struct stat st;
	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode;
}

static size_t count(const char *dir)
{
	size_t n = 0;
	struct dirent *entry;
	DIR *d = opendir(dir);
	assert_non_null(d);
	while ((entry = readdir(d)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(d);
	return n;
}

static void open_target(struct verdict_file *f, const char *target)
{
	struct error e = ERROR_INIT;
	if (verdict_file_open(f, target, &e) < 0)
		fail_msg("%s", e.text);
}

static void write_target(struct verdict_file *f)
{
	struct error e = ERROR_INIT;
	if (verdict_file_write(f, TEXT, strlen(TEXT), &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(f->fd, -1);
	assert_int_equal(f->dir, -1);
}

static void write_to(const char *target)
{
	struct verdict_file f;
	open_target(&f, target);
	write_target(&f);
}

static void refused(const char *target, int errnum, const char *words)
{
	struct verdict_file f;
	struct error e = ERROR_INIT;
	size_t fds = count("/proc/self/fd");
	assert_int_equal(verdict_file_open(&f, target, &e), -1);
	assert_int_equal(e.blame, BLAME_REQUEST);
	assert_int_equal(e.errnum, errnum);
	if (!strstr(e.text, words))
		fail_msg("'%s' does not say '%s'", e.text, words);
	assert_int_equal(count("/proc/self/fd"), fds);
}

/* ---- files ---- */

static void test_a_file_is_made(void **state)
{
	(void)state;
	write_to("v.json");
	expect_text("v.json", TEXT);
	assert_int_equal(mode_of("v.json"), S_IFREG | 0644);
	assert_int_equal(count("."), 1);
}

/* Nothing is there until it is whole, and what was there stays until then. */
static void test_a_file_is_replaced_at_the_end(void **state)
{
	struct verdict_file f;
	struct stat before, after;
	(void)state;
	put("v.json", "old", 0600);
	cleanup_fd int reader = open("v.json", O_RDONLY | O_CLOEXEC);
	fstat(reader, &before);
	open_target(&f, "v.json");
	expect_text("v.json", "old");
	write_target(&f);
	expect_text("v.json", TEXT);
	stat("v.json", &after);
	assert_int_not_equal(before.st_ino, after.st_ino);
	/* the arguments of a program may be nobody else's business */
	assert_int_equal(after.st_mode, S_IFREG | 0600);
	assert_int_equal(fstat(reader, &before), 0);
	assert_int_equal(before.st_size, 3);
}

static void test_links_lead_to_what_is_replaced(void **state)
{
	(void)state;
	assert_int_equal(mkdir("real", 0755), 0);
	put("real/v.json", "old", 0640);
	assert_int_equal(symlink("real/v.json", "one"), 0);
	assert_int_equal(symlink("one", "two"), 0);
	write_to("two");
	expect_text("real/v.json", TEXT);
	assert_int_equal(mode_of("real/v.json"), S_IFREG | 0640);
	assert_int_equal(mode_of("one") & S_IFMT, S_IFLNK);
	assert_int_equal(mode_of("two") & S_IFMT, S_IFLNK);
	assert_int_equal(count("real"), 1);
}

/* A link that leads nowhere is not a way to make files elsewhere. */
static void test_a_dangling_link_is_replaced(void **state)
{
	(void)state;
	assert_int_equal(mkdir("else", 0755), 0);
	assert_int_equal(symlink("else/made", "v.json"), 0);
	write_to("v.json");
	assert_int_equal(mode_of("v.json") & S_IFMT, S_IFREG);
	assert_int_equal(count("else"), 0);
}

/* Between opening and writing the program runs, in the same directory. */
static void test_what_the_program_plants_is_replaced(void **state)
{
	struct verdict_file f;
	(void)state;
	put("victim", "precious", 0644);
	open_target(&f, "v.json");
	assert_int_equal(symlink("victim", "v.json"), 0);
	write_target(&f);
	expect_text("victim", "precious");
	expect_text("v.json", TEXT);

	open_target(&f, "fifo.json");
	assert_int_equal(mkfifo("fifo.json", 0600), 0);
	write_target(&f);
	expect_text("fifo.json", TEXT);

	put("hard.json", "old", 0644);
	open_target(&f, "hard.json");
	assert_int_equal(unlink("hard.json"), 0);
	assert_int_equal(link("victim", "hard.json"), 0);
	write_target(&f);
	expect_text("victim", "precious");
	expect_text("hard.json", TEXT);
}

/* The directory itself may be moved away and another put in its place. */
static void test_a_directory_that_moves(void **state)
{
	struct verdict_file f;
	(void)state;
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(mkdir("other", 0755), 0);
	open_target(&f, "d/v.json");
	assert_int_equal(rename("d", "moved"), 0);
	assert_int_equal(symlink("other", "d"), 0);
	write_target(&f);
	expect_text("moved/v.json", TEXT);
	assert_int_equal(count("other"), 0);
}

static void test_what_cannot_be_replaced_is_told_and_nothing_is_left(void **state)
{
	struct verdict_file f;
	struct error e = ERROR_INIT;
	(void)state;
	open_target(&f, "v.json");
	assert_int_equal(mkdir("v.json", 0755), 0);
	assert_int_equal(verdict_file_write(&f, TEXT, strlen(TEXT), &e), -1);
	assert_int_equal(e.blame, BLAME_HOST);
	assert_string_equal(e.text, "cannot write the verdict to 'v.json': is a directory");
	assert_int_equal(count("."), 1);

	assert_int_equal(mkdir("d", 0755), 0);
	open_target(&f, "d/v.json");
	assert_int_equal(rmdir("d"), 0);
	assert_int_equal(verdict_file_write(&f, TEXT, strlen(TEXT), &e), -1);
	assert_int_equal(e.errnum, ENOENT);
}

static void test_targets_that_are_none(void **state)
{
	char longer[300], deep[5000];
	(void)state;
	memset(longer, 'n', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	memset(deep, '/', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = 0;
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	put("file", "", 0644);
	refused("", 0, "does not name a file");
	refused("d", EISDIR, "cannot write 'd'");
	refused("d/", EISDIR, "cannot write 'd/'");
	refused(".", EISDIR, "cannot write '.'");
	refused("missing/", 0, "does not name a file");
	refused("missing/v.json", ENOENT, "cannot write 'missing/v.json'");
	refused("file/v.json", ENOTDIR, "cannot write 'file/v.json'");
	refused("file/", ENOTDIR, "cannot write 'file/'");
	refused("loop", ELOOP, "cannot write 'loop'");
	refused(longer, ENAMETOOLONG, "cannot write");
	refused(deep, ENAMETOOLONG, "cannot write");
	assert_int_equal(count("."), 3);
}

static void test_a_directory_that_may_not_be_written(void **state)
{
	bool root = geteuid() == 0;
	struct fixture *f = *state;
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(mkdir("d", 0555), 0);
	/* what counts is who we are effectively */
	if (root)
		assert_int_equal(seteuid(65534), 0);
	refused("d/v.json", EACCES, "cannot write 'd/v.json'");
	if (root)
		assert_int_equal(seteuid(0), 0);
}

/* ---- FIFOs and devices ---- */

static void test_a_fifo_without_a_reader_is_not_waited_for(void **state)
{
	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	refused("fifo", ENXIO, "nobody reads from it");
	assert_int_equal(mode_of("fifo") & S_IFMT, S_IFIFO);
}

static void test_a_fifo_is_written_to(void **state)
{
	char buf[256];
	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	cleanup_fd int reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	write_to("fifo");
	assert_int_equal(read(reader, buf, sizeof(buf)), strlen(TEXT));
	assert_int_equal(mode_of("fifo") & S_IFMT, S_IFIFO);
}

static void test_a_reader_that_leaves(void **state)
{
	struct verdict_file f;
	struct error e = ERROR_INIT;
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	int reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	open_target(&f, "fifo");
	close(reader);
	assert_int_equal(verdict_file_write(&f, TEXT, strlen(TEXT), &e), -1);
	assert_int_equal(e.errnum, EPIPE);
}

static void test_devices(void **state)
{
	struct verdict_file f;
	struct error e = ERROR_INIT;
	(void)state;
	write_to("/dev/null");
	open_target(&f, "/dev/full");
	assert_int_equal(verdict_file_write(&f, TEXT, strlen(TEXT), &e), -1);
	assert_int_equal(e.errnum, ENOSPC);
}

/* ---- descriptors ---- */

static void test_a_descriptor(void **state)
{
	char target[32], buf[256];
	int fds[2];
	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	snprintf(target, sizeof(target), "fd:%d", fds[1]);
	write_to(target);
	assert_int_equal(read(fds[0], buf, sizeof(buf)), strlen(TEXT));
	/* it stays open: it is the caller's */
	assert_true(fcntl(fds[1], F_GETFD) >= 0);
	close(fds[0]);
	close(fds[1]);
}

static void test_descriptors_that_are_none(void **state)
{
	char target[32];
	(void)state;
	refused("fd:", 0, "is followed by the number");
	refused("fd:x", 0, "is followed by the number");
	refused("fd:-1", 0, "is followed by the number");
	refused("fd:1x", 0, "is followed by the number");
	refused("fd: 1", 0, "is followed by the number");
	refused("fd:99999999999999999999", 0, "is followed by the number");
	refused("fd:2147483648", 0, "is followed by the number");
	refused("fd:2147483647", EBADF, "is not open for writing");
	refused("fd:1023", EBADF, "is not open for writing");
	cleanup_fd int reader = open("/dev/null", O_RDONLY | O_CLOEXEC);
	snprintf(target, sizeof(target), "fd:%d", reader);
	refused(target, 0, "is not open for writing");
	cleanup_fd int path = open("/dev/null", O_PATH | O_CLOEXEC);
	snprintf(target, sizeof(target), "fd:%d", path);
	refused(target, 0, "is not open for writing");
}

/* A file that is somebody's stdout gets the verdict behind the output, and is not replaced. */
static void names_of_descriptor(const char *directory)
{
	char target[64], buf[256];
	put("out", "", 0644);
	cleanup_fd int fd = open("out", O_RDWR | O_CLOEXEC);
	assert_int_equal(write(fd, "output\n", 7), 7);
	snprintf(target, sizeof(target), "%s%d", directory, fd);
	write_to(target);
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), 7 + strlen(TEXT));
	expect_text("out", "output\n" TEXT);
	unlink("out");
}

static void test_other_names_of_a_descriptor(void **state)
{
	(void)state;
	names_of_descriptor("/dev/fd/");
	names_of_descriptor("/proc/self/fd/");
	refused("/dev/fd/x", 0, "is followed by the number");
	refused("/dev/fd/../null", 0, "is followed by the number");
}

static void test_stdout_by_its_path(void **state)
{
	(void)state;
	put("out", "", 0644);
	int saved = fcntl(1, F_DUPFD_CLOEXEC, 3);
	int fd = open("out", O_WRONLY | O_CLOEXEC);
	dup2(fd, 1);
	close(fd);
	struct verdict_file f;
	struct error e = ERROR_INIT;
	int r = verdict_file_open(&f, "/dev/stdout", &e);
	r |= verdict_file_write(&f, TEXT, strlen(TEXT), &e);
	(void)!write(1, "after", 5);
	dup2(saved, 1);
	close(saved);
	assert_int_equal(r, 0);
	expect_text("out", TEXT "after");
	assert_int_equal(mode_of("/dev/stdout") & S_IFMT, S_IFLNK);
}

/* A caller's socket that does not block, and has no room at first. */
static void test_a_descriptor_that_does_not_block(void **state)
{
	char target[32], buf[65536] = {0};
	int fds[2];
	struct verdict_file f;
	(void)state;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	while (write(fds[1], buf, sizeof(buf)) > 0)
		;
	snprintf(target, sizeof(target), "fd:%d", fds[1]);
	open_target(&f, target);
	pid_t pid = fork();
	if (pid == 0) {
		size_t last = 0;
		ssize_t n;
		close(fds[1]);
		fcntl(fds[0], F_SETFL, 0);
		fd_close(f.fd);
		while ((n = read(fds[0], buf, sizeof(buf))) > 0)
			last = (size_t)n;
		/* the verdict came last, whole */
		_exit(last >= strlen(TEXT) &&
					memcmp(buf + last - strlen(TEXT), TEXT, strlen(TEXT)) == 0
				? 0
				: 1);
	}
	close(fds[0]);
	write_target(&f);
	close(fds[1]);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_file_is_made),
		TEST(test_a_file_is_replaced_at_the_end),
		TEST(test_links_lead_to_what_is_replaced),
		TEST(test_a_dangling_link_is_replaced),
		TEST(test_what_the_program_plants_is_replaced),
		TEST(test_a_directory_that_moves),
		TEST(test_what_cannot_be_replaced_is_told_and_nothing_is_left),
		TEST(test_targets_that_are_none),
		TEST(test_a_directory_that_may_not_be_written),
		TEST(test_a_fifo_without_a_reader_is_not_waited_for),
		TEST(test_a_fifo_is_written_to),
		TEST(test_a_reader_that_leaves),
		TEST(test_devices),
		TEST(test_a_descriptor),
		TEST(test_descriptors_that_are_none),
		TEST(test_other_names_of_a_descriptor),
		TEST(test_stdout_by_its_path),
		TEST(test_a_descriptor_that_does_not_block),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
