# SPDX-License-Identifier: MIT
"""Every way to end a run under an exec policy, many times over, while it executes and the machine is busy."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import pytest

from support import SANITIZED, alive, descendants, processes, run_time, seconds, wait_until
from terminal import CONTROL_C, Terminal

# So often each way, by each user. `make exec-attacks` has more.
TIMES = int(os.environ.get("BULKHEAD_EXEC_SHUTDOWNS", "2" if SANITIZED else "8"))
# From the act until the last process is gone.
BOUND = seconds(2)
GRACE = run_time(1)

POLICY = """
extends: default
exec: {mode: enforce, default: allow, rules: [{deny: git push}]}
"""

# They execute all the time; who cannot any more ends. In a subshell, for a shell ends with what Ctrl-C ended.
LOOP = "echo ready; while /bin/true; do :; done; echo refused; exit 9"
ENDING = "echo ready; for i in 1 2 3 4 5; do /bin/true; done; exit 7"
TRAPPING = "trap 'echo got INT' INT; echo ready; while :; do /bin/true; done"
STUBBORN = "trap '' INT TERM HUP; echo ready; while :; do /bin/true; done"


def comm(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


def warden_of(terminal):
    """It names itself before it serves: at the first line of output it is there."""
    found = [pid for pid in descendants(terminal.process.pid) if comm(pid) == "bulkhead-warden"]
    assert len(found) == 1, [comm(pid) for pid in descendants(terminal.process.pid)]
    return found[0]


def payload_of(terminal):
    """The shell of the box: bulkhead's own child, as what it starts is not."""
    return next(pid for pid, (_, parent) in processes().items() if parent == terminal.process.pid and comm(pid) == "sh")


# ---- the ways: what is done to a run that has said that it is ready ----


def nothing(terminal):
    pass


def kill_payload(terminal):
    os.kill(payload_of(terminal), signal.SIGKILL)


def control_c(terminal):
    terminal.type(CONTROL_C)


def press_until_ended(terminal, times):
    """So often, and again as one does: of signals that come before the first has been read there is one."""
    terminal.type(CONTROL_C)
    terminal.expect("got INT")
    while terminal.process.poll() is None:
        terminal.type(CONTROL_C * (times - 1))
        with contextlib.suppress(subprocess.TimeoutExpired):
            terminal.process.wait(seconds(0.2))


def control_c_twice(terminal):
    press_until_ended(terminal, 2)


def control_c_thrice(terminal):
    press_until_ended(terminal, 3)


def terminate_thrice(terminal):
    for _ in range(3):
        terminal.send(signal.SIGTERM)


def hang_up(terminal):
    terminal.hang_up()


def send(number):
    return lambda terminal: terminal.send(number)


def to_warden(number):
    return lambda terminal: os.kill(warden_of(terminal), number)


def to_warden_then(number, act):
    def both(terminal):
        os.kill(warden_of(terminal), number)
        act(terminal)
    return both


WAYS = {
    "exits": (ENDING, nothing, 7),
    "killed by pid": (LOOP, kill_payload, 137),
    "Ctrl-C": (LOOP, control_c, 130),
    "Ctrl-C twice": (TRAPPING, control_c_twice, 137),
    "Ctrl-C three times": (TRAPPING, control_c_thrice, 137),
    "hang-up": (LOOP, hang_up, None),
    "timeout": (LOOP, nothing, 124),
    "timeout, stubborn": (STUBBORN, nothing, 124),
    "terminated": (LOOP, send(signal.SIGTERM), 143),
    "terminated, stubborn": (STUBBORN, send(signal.SIGTERM), 137),
    "terminated three times": (STUBBORN, terminate_thrice, 137),
    "supervisor killed": (LOOP, send(signal.SIGKILL), -signal.SIGKILL),
    "warden killed": (LOOP, to_warden(signal.SIGKILL), 9),
    "warden stopped": (LOOP, to_warden(signal.SIGSTOP), 9),
    "warden terminated": (LOOP, to_warden(signal.SIGTERM), 9),
    "warden stopped, Ctrl-C twice": (TRAPPING, to_warden_then(signal.SIGSTOP, control_c_twice), 137),
    "warden killed, terminated": (STUBBORN, to_warden_then(signal.SIGKILL, send(signal.SIGTERM)), 137),
    "warden stopped, supervisor killed": (
        STUBBORN, to_warden_then(signal.SIGSTOP, send(signal.SIGKILL)), -signal.SIGKILL),
}


@pytest.fixture(scope="module")
def busy():
    """Two that take what they get of the machine."""
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2)]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


@pytest.fixture
def policy(bulkhead):
    return bulkhead.file("policy.yaml", POLICY)


def start(terminal, policy, way, text):
    limit = ["--timeout", run_time(1)] if way.startswith("timeout") else []
    terminal.start("run", "--no-record", "--policy", policy, "--grace", GRACE, *limit, "--", "sh", "-c", text)
    terminal.expect("ready")


def end_once(bulkhead, policy, way):
    """How long it took, in seconds."""
    text, act, status = WAYS[way]
    with Terminal(bulkhead) as terminal:
        start(terminal, policy, way, text)
        below = descendants(terminal.process.pid)
        began = time.monotonic()
        act(terminal)
        if terminal.main >= 0:
            terminal.rest()
        terminal.process.wait(seconds(10))
        wait_until(lambda: not alive(below), what="the end of all that was there")
        took = time.monotonic() - began
        assert status in (None, terminal.process.returncode), (terminal.process.returncode, terminal.seen)
    return took


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_end_is_short(bulkhead, policy, busy, way, record_property):
    bound = BOUND + (seconds(1) if way.startswith("timeout") else 0)
    took = sorted(end_once(bulkhead, policy, way) for _ in range(TIMES))
    bulkhead.command("run", "--no-record", "true")  # which removes the groups of those that were killed
    print(f"{way}: {TIMES} times, median {took[TIMES // 2] * 1000:.0f} ms, longest {took[-1] * 1000:.0f} ms")
    record_property("longest_ms", round(took[-1] * 1000))
    assert took[-1] < bound
