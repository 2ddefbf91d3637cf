# SPDX-License-Identifier: MIT
"""bulkhead goes on on a host that has too little of everything, and its program gains nothing by it."""

import contextlib
import os
import signal
import subprocess

import pytest

from support import descendants, seconds, wait_until

pytestmark = pytest.mark.vm

GUARDED = -900
CALLERS = 200  # of who calls bulkhead in these tests


def read(pid, name):
    with open(f"/proc/{pid}/{name}", encoding="utf-8") as f:
        return f.read().strip()


def adj(pid):
    return int(read(pid, "oom_score_adj"))


def box(p):
    """What is below the supervisor once the maker, which has its name, is gone."""
    try:
        found = [(read(pid, "comm"), pid) for pid in descendants(p.pid)]
    except (FileNotFoundError, ProcessLookupError):  # one of them has just ended
        return None
    return None if any(comm == "bulkhead" for comm, _ in found) else found


def as_caller(bulkhead):
    bulkhead.wrapper = ["sh", "-c", f'echo {CALLERS} >/proc/self/oom_score_adj; exec "$@"', "sh"]


def may_lower(bulkhead):
    """The kernel's own word for it: a container's root may mostly not."""
    words = ["sh", "-c", "echo -1 >/proc/self/oom_score_adj"]
    return subprocess.run(words, stderr=subprocess.DEVNULL, check=False, **bulkhead._as).returncode == 0


@contextlib.contextmanager
def begun(bulkhead, *words):
    """A run whose program has written a line and whose protection is there, if it will be."""
    as_caller(bulkhead)
    guarded = GUARDED if may_lower(bulkhead) else CALLERS
    with bulkhead.background(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"begun\n"
        wait_until(lambda: adj(p.pid) == guarded, what="the protection of the supervisor")
        wait_until(lambda: box(p), what="the end of the maker")
        yield p, guarded


def test_supervisor_and_init_are_protected_and_the_program_is_as_the_caller(bulkhead):
    with begun(bulkhead, "sh", "-c", "sh -c 'echo begun; read x; true'; true") as (p, guarded):
        inits = [pid for comm, pid in box(p) if comm == "bulkhead-init"]
        others = [pid for _, pid in box(p) if pid not in inits]
        assert [adj(pid) for pid in inits] == [guarded]
        assert [adj(pid) for pid in others] == [CALLERS, CALLERS]  # the shell and its child
        p.communicate(b"end\n", timeout=seconds(10))
    assert p.returncode == 0


def test_the_program_can_make_itself_likelier_and_nothing_else(bulkhead):
    """Neither by the value nor by its older name is less to be had than what the caller had to give."""
    tries = "for file in oom_score_adj oom_adj; do echo -15 >/proc/self/$file && echo lower; done"
    script = f"echo begun; read x; {tries}; echo 300 >/proc/self/oom_score_adj && cat /proc/self/oom_score_adj; {tries}"
    with begun(bulkhead, "sh", "-c", script) as (p, _):
        out, _ = p.communicate(b"go\n", timeout=seconds(10))
    assert out == b"300\n"


@pytest.mark.parametrize("nice", [0, 5])
def test_who_is_nice_is_so_within_the_session_of_the_caller(bulkhead, nice):
    """By sessions the kernel shares out the CPUs first."""
    bulkhead.wrapper = ["nice", "-n", str(nice)]
    script = 'nice; cut -d" " -f5,6 /proc/$$/stat'
    r = bulkhead.run("sh", "-c", script, start_new_session=True)
    usual = os.getpriority(os.PRIO_PROCESS, 0) + nice == 0
    assert r.out.split() == [str(os.getpriority(os.PRIO_PROCESS, 0) + nice), "2", "2" if usual else "0"]


def test_without_a_terminal_it_can_be_stopped_and_continued(bulkhead):
    with bulkhead.background("sh", "-c", "echo begun; read x; echo $x", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, start_new_session=True) as p:
        assert p.stdout.readline() == b"begun\n"
        payload = wait_until(lambda: [pid for comm, pid in box(p) or [] if comm == "sh"])[0]
        state = lambda: read(payload, "stat").rpartition(")")[2].split()[0]
        p.send_signal(signal.SIGTSTP)
        wait_until(lambda: state() == "T", what="the stop")
        p.send_signal(signal.SIGCONT)
        wait_until(lambda: state() != "T", what="the continuation")
        out, _ = p.communicate(b"end\n", timeout=seconds(10))
    assert (p.returncode, out) == (0, b"end\n")
