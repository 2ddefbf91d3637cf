# SPDX-License-Identifier: MIT
"""The daemon as systemd starts it: a socket that is there already, and words about how it gets on."""

import os
import signal
import socket
import subprocess

import pytest

from support import seconds, wait_until


@pytest.fixture
def service(place):
    """bulkheadd with LISTEN_FDS and NOTIFY_SOCKET: the process, and what it tells."""
    path = place.env["BULKHEAD_SOCKET"]
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        listener.bind(path)
        place.own(path)
        listener.listen(8)
        told.bind(str(place.top / "notify"))
        os.chmod(place.top / "notify", 0o666)
        told.settimeout(seconds(20))
        daemon = os.path.join(os.path.dirname(place.path), "bulkheadd")
        # the number has to be 3, and LISTEN_PID the daemon's own
        script = f"exec 3<&{listener.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec {daemon}"
        env = place.env | {"NOTIFY_SOCKET": str(place.top / "notify")}
        del env["BULKHEAD_SOCKET"]
        with subprocess.Popen(["bash", "-c", script], env=env, cwd=place.cwd, stdin=subprocess.DEVNULL,
                              pass_fds=[listener.fileno()], **place._as) as process:
            yield process, told
            if process.poll() is None:
                process.kill()
    os.unlink(path)
    os.unlink(place.top / "notify")


def test_it_tells_when_it_is_ready_and_when_it_stops(place, service):
    process, told = service
    assert b"READY=1" in told.recv(4096)
    box = place.command("box", "create")
    assert (box.status, box.err) == (0, "")
    variables = place.command("exec", box.out.strip(), "env").out
    assert "NOTIFY" not in variables and "LISTEN_" not in variables
    descriptors = place.command("exec", box.out.strip(), "ls", "/proc/self/fd").out.split()
    assert set(descriptors) <= {"0", "1", "2", "3"}  # 3: of ls itself
    process.send_signal(signal.SIGTERM)
    assert b"STOPPING=1" in told.recv(4096)
    assert process.wait(seconds(20)) == 0
    assert os.path.exists(place.env["BULKHEAD_SOCKET"])  # it is systemd's


def test_who_came_before_it_was_ready_is_served(place, service):
    """The socket takes connections from the beginning on: the first one starts the daemon."""
    process, _ = service
    assert place.command("box", "list").status == 0
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: process.poll() is not None, 20, "the end of the daemon")
    assert process.returncode == 0
