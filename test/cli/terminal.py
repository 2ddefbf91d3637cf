# SPDX-License-Identifier: MIT
"""A terminal for tests: a pty whose other end the test reads and types into."""

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import pytest

from support import seconds

CONTROL_C, CONTROL_D, CONTROL_Z, CONTROL_BACKSLASH, ESCAPE = "\x03", "\x04", "\x1a", "\x1c", "\x1b"


class Terminal:
    """The terminal of the user that bulkhead runs as; wide, for a shell scrolls what is too long for a line."""

    def __init__(self, bulkhead, rows=30, columns=400, owned=True):
        self.bulkhead = bulkhead
        self.main, self.slave = pty.openpty()
        if owned:  # as login(1) has it; else the user may not open it by name
            os.fchown(self.slave, bulkhead.uid, bulkhead.gid)
        self.resize(rows, columns)
        self.seen, self.at, self.prompt = "", 0, None
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.hang_up()
        os.close(self.slave)

    def hang_up(self):
        """The user's window is gone."""
        if self.main >= 0:
            os.close(self.main)
        self.main = -1

    def resize(self, rows, columns):
        termios.tcsetwinsize(self.main, (rows, columns))

    def modes(self):
        return termios.tcgetattr(self.slave)

    def _options(self, options):
        def take_terminal():
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

        standard = {"stdin": self.slave, "stdout": self.slave, "stderr": self.slave}
        return standard | {"start_new_session": True, "preexec_fn": take_terminal} | options

    def start(self, *words, **options):
        """`bulkhead WORD…` as the leader of this terminal's session."""
        self.process = self.bulkhead.start(*words, **self._options(options))
        return self.process

    def shell(self):
        """The user's shell, bash, with 'bulkhead' on its PATH."""
        directory = os.path.dirname(self.bulkhead.path)
        env = self.bulkhead.env | {"PATH": f"{directory}:{self.bulkhead.env['PATH']}", "TERM": "dumb",
                                   "PS1": "shell> ", "HISTFILE": ""}
        self.process = subprocess.Popen(["bash", "--norc", "--noprofile", "-i"], env=env, cwd=self.bulkhead.cwd,
                                        **self._options(self.bulkhead._as))
        self.prompt = "shell> "
        return self

    def type(self, text):
        data = text.encode()
        while data:
            data = data[os.write(self.main, data):]

    def line(self, text):
        """Type a line, and read past its echo."""
        self.type(text + "\r")
        self.expect(re.escape(text) + "\r*\n")

    def command(self, text):
        """A line for a shell, at its prompt: what is typed earlier meets other modes."""
        self.expect(self.prompt)
        self.line(text)

    def _read(self, limit):
        readable = select.select([self.main], [], [], limit)[0]
        if not readable:
            return False
        try:
            data = os.read(self.main, 65536)
        except OSError:  # nobody has the other end open
            data = b""
        self.seen += data.decode("utf-8", "replace")
        return bool(data)

    def expect(self, pattern, limit=10):
        """Read until what came since the last time has @pattern; the match."""
        deadline = time.monotonic() + seconds(limit)
        while True:
            found = re.search(pattern, self.seen[self.at:])
            if found:
                self.at += found.end()
                return found
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                pytest.fail(f"no '{pattern}' within {seconds(limit):g} s in:\n{self.seen[self.at:]!r}")

    def rest(self, limit=10):
        """All that comes until the process has ended."""
        deadline = time.monotonic() + seconds(limit)
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                pytest.fail(f"not ended within {seconds(limit):g} s:\n{self.seen[self.at:]!r}")
            self._read(0.01)
        while self._read(0):
            pass
        return self.seen[self.at:]

    def end(self, status=0, limit=10):
        """The process ends by itself, with this status."""
        rest = self.rest(limit)
        assert self.process.returncode == status, rest
        return rest

    def send(self, signal_number):
        os.kill(self.process.pid, signal_number)

    def kill_job(self):
        self.send(signal.SIGKILL)
        self.process.wait()
