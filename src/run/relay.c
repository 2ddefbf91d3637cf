/* SPDX-License-Identifier: MIT */
#include "run/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "kernel/sys.h"
#include "run/caller-fd.h"

/* What a terminal has that nobody looks at. */
#define DEFAULT_ROWS    24
#define DEFAULT_COLUMNS 80

#define END_OF_FILE     4 /* Ctrl-D, where the program has chosen no character */
#define ASK_FIRST_MS    4
#define ASK_LAST_MS     1000

static void go_on(struct relay *r);

/* ---- the window ---- */

static int find_size_fd(void)
{
	struct winsize size;
	for (int fd = 0; fd < 3; fd++)
		if (ioctl(fd, TIOCGWINSZ, &size) == 0)
			return fd;
	return -1;
}

static struct winsize callers_size(const struct relay *r)
{
	struct winsize size = {0};
	bool known = r->size_fd >= 0 && ioctl(r->size_fd, TIOCGWINSZ, &size) == 0;
	if (!known || size.ws_row == 0 || size.ws_col == 0)
		size = (struct winsize){.ws_row = DEFAULT_ROWS, .ws_col = DEFAULT_COLUMNS};
	return size;
}

/* The kernel tells the program (SIGWINCH) if that changes anything. */
static void copy_size(const struct relay *r)
{
	struct winsize size = callers_size(r);
	if (r->pty.master >= 0)
		ioctl(r->pty.master, TIOCSWINSZ, &size);
}

/* ---- the end of the input ---- */

/*
 * A terminal's input has no end: the character for it makes one read(2) of whoever reads next
 * return nothing. So one is put whenever the program has taken all that was there. Not earlier: a
 * program that is about to change modes (readline) would find a NUL in place of one already put.
 * The kernel tells nobody that input was read, or thrown away (TCIFLUSH): it is looked at, less and
 * less often.
 */
static bool is_taken(const struct relay *r)
{
	return fd_poll_now(r->pty.slave, POLLIN) == 0;
}

static char end_of_file(const struct relay *r)
{
	struct termios modes;
	bool known = tcgetattr(r->pty.slave, &modes) == 0;
	char c = known ? (char)modes.c_cc[VEOF] : _POSIX_VDISABLE;
	return c == _POSIX_VDISABLE ? END_OF_FILE : c;
}

static void on_ask(uv_timer_t *timer)
{
	struct relay *r = timer->data;
	if (r->pty.master < 0)
		return;
	if (is_taken(r)) {
		char c = end_of_file(r);
		/* where it does not fit, there is something to be read */
		(void)!write(r->pty.master, &c, 1);
	}
	uv_timer_start(&r->ask, on_ask, r->ask_ms, 0);
	r->ask_ms = r->ask_ms * 2 < ASK_LAST_MS ? r->ask_ms * 2 : ASK_LAST_MS;
}

static void end_input(struct relay *r)
{
	r->ended = true;
	/* a terminal's input ends only with the terminal */
	if (r->raw.fd >= 0)
		relay_hang_up(r);
	else
		on_ask(&r->ask);
}

/* ---- the input ---- */

static bool is_readable_now(const struct relay *r)
{
	return r->input_own || fd_poll_now(r->input, POLLIN) > 0;
}

/* One buffer; false if there is nothing now. */
static bool read_input(struct relay *r)
{
	if (!is_readable_now(r))
		return false;
	ssize_t n = read(r->input, r->buffer, sizeof(r->buffer));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		end_input(r);
		return false;
	}
	r->pending_at = 0;
	r->pending = (size_t)n;
	return true;
}

static void write_input(struct relay *r)
{
	ssize_t n = write(r->pty.master, r->buffer + r->pending_at, r->pending);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* EIO: no process has the program's terminal open, and one may open it again */
	size_t done = n < 0 ? r->pending : (size_t)n;
	r->pending_at += done;
	r->pending -= done;
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
	struct relay *r = handle->data;
	(void)status;
	(void)events;
	if (r->pending == 0 && read_input(r))
		write_input(r);
	go_on(r);
}

static void on_writable(uv_poll_t *handle, int status, int events)
{
	struct relay *r = handle->data;
	(void)status;
	(void)events;
	/* one buffer each time: a file without end must not keep the loop from all else */
	if (r->pending > 0 || read_input(r))
		write_input(r);
	go_on(r);
}

/* Wait for what comes next: room for what is pending, or more input. */
static void go_on(struct relay *r)
{
	bool reads = r->pty.master >= 0 && !r->ended && (r->raw.fd < 0 || r->raw.on);
	bool room = r->pty.master >= 0 && (r->pending > 0 || (reads && r->input_epoll < 0));
	if (r->pty.master < 0)
		return;
	if (room)
		uv_poll_start(&r->writable, UV_WRITABLE, on_writable);
	else
		uv_poll_stop(&r->writable);
	if (r->input_epoll < 0)
		return;
	if (reads && r->pending == 0)
		uv_poll_start(&r->readable, UV_READABLE, on_readable);
	else
		uv_poll_stop(&r->readable);
}

/* ---- job control ---- */

static bool is_end_asked_for(void)
{
	sigset_t pending;
	sigpending(&pending);
	return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 ||
		sigismember(&pending, SIGHUP) == 1;
}

/*
 * Continued in the background we stop again, as any program does that needs its terminal; unless it
 * was for ending the run, which the loop sees to.
 */
static void come_back(struct relay *r, bool ending)
{
	while (!raw_mode_again(&r->raw) && !ending && !is_end_asked_for())
		raise(SIGSTOP);
	copy_size(r);
	go_on(r);
}

bool relay_suspend(struct relay *r, uint64_t *ret_stopped_us)
{
	uint64_t before = time_monotonic_us();
	*ret_stopped_us = 0;
	if (r->raw.fd < 0)
		return false;
	raw_mode_leave(&r->raw);
	raise(SIGSTOP);
	come_back(r, false);
	*ret_stopped_us = time_monotonic_us() - before;
	return true;
}

bool relay_signal(struct relay *r, int sig, bool ending)
{
	uint64_t stopped_us;
	switch (sig) {
	case SIGWINCH:
		copy_size(r);
		return true;
	case SIGTSTP:
		return relay_suspend(r, &stopped_us);
	case SIGCONT:
		if (r->raw.fd >= 0)
			come_back(r, ending);
		return r->raw.fd >= 0;
	default:
		return false;
	}
}

/* ---- begin and end ---- */

static void open_input(struct relay *r)
{
	int own = caller_fd_reopen(0, O_RDONLY);
	r->input_own = own >= 0;
	r->input = r->input_own ? own : 0;
	r->input_epoll = caller_fd_watch(r->input, EPOLLIN);
	if (r->input_epoll >= 0 && uv_poll_init(r->loop, &r->readable, r->input_epoll) != 0)
		r->input_epoll = fd_close(r->input_epoll);
	r->readable.data = r;
}

void relay_open(struct relay *r, uv_loop_t *loop, struct output *output, struct pty_look *ret_look)
{
	*r = (struct relay){.loop = loop,
		.output = output,
		.pty = PTY_INIT,
		.input = -1,
		.input_epoll = -1,
		.ask_ms = ASK_FIRST_MS,
		.size_fd = find_size_fd()};
	raw_mode_wait(0);
	*ret_look = (struct pty_look){.size = callers_size(r)};
	ret_look->has_modes = sys_ioctl(0, TCGETS, SYS_PTR(ret_look->modes)) == 0;
	raw_mode_open(&r->raw, 0);
	open_input(r);
	uv_timer_init(loop, &r->ask);
	r->ask.data = r;
}

static int share_master(struct relay *r)
{
	/* a descriptor of its own: libuv keeps one watcher for each */
	int master = fcntl(r->pty.master, F_DUPFD_CLOEXEC, 3);
	if (master < 0 || uv_poll_init(r->loop, &r->writable, r->pty.master) != 0) {
		fd_close(master);
		return -1;
	}
	r->writable.data = r;
	return output_read_from_take(r->output, master);
}

int relay_start_take(struct relay *r, struct pty *pty)
{
	r->pty = (struct pty){fd_take(&pty->master), fd_take(&pty->slave)};
	if (share_master(r) < 0) {
		r->pty.master = fd_close(r->pty.master);
		r->pty.slave = fd_close(r->pty.slave);
		return -1;
	}
	copy_size(r);
	go_on(r);
	return 0;
}

void relay_hang_up(struct relay *r)
{
	if (r->pty.master < 0)
		return;
	uv_timer_stop(&r->ask);
	uv_poll_stop(&r->writable);
	if (r->input_epoll >= 0)
		uv_poll_stop(&r->readable);
	r->pty.slave = fd_close(r->pty.slave);
	r->pty.master = fd_close(r->pty.master);
	output_stop_reading(r->output);
}

void relay_close(struct relay *r)
{
	if (!r->loop)
		return;
	relay_hang_up(r);
	raw_mode_close(&r->raw);
	r->input_epoll = fd_close(r->input_epoll);
	if (r->input_own)
		fd_close(r->input);
	r->input = -1;
}
