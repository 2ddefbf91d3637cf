# SPDX-License-Identifier: MIT
"""What bulkhead is for, as its users type it: real programs under real limits, and nothing left."""

import json
import os
import shlex
import shutil
import subprocess
import time

import pytest

from support import IN_VM, MIB, PYTHON, TOP, Lateness, descendants, groups, helper, run_time, seconds

HUNGRY = "--memory 64M -- python3 -c 'x=bytearray(300<<20); import time; time.sleep(30)'"


def run_line(bulkhead, line, **options):
    """`bulkhead run LINE`, as a shell would split it."""
    return bulkhead.run(*shlex.split(line), **options)


# ---- the verdicts ----


@pytest.mark.parametrize("line, cause, status, members", [
    ("-- true", "ok", 0, {"exit_code": 0, "signal": None, "retry": "no"}),
    ("-- sh -c 'exit 42'", "exit_nonzero", 42, {"exit_code": 42, "signal": None}),
    ("-- sh -c 'kill -SEGV $$'", "crash", 139, {"exit_code": None, "signal": 11}),
    ("-- sh -c 'kill -9 $$'", "crash", 137, {"exit_code": None, "signal": 9, "victims": []}),
])
def test_how_it_ended(bulkhead, line, cause, status, members):
    r = bulkhead.run_at_once(*shlex.split(line)).expect(cause, status, **members)
    assert (r.err == "") == (cause == "ok")


def expect_memory_limit(r, mebibytes):
    """Certain, with the evidence of whoever enforced it, and with advice."""
    r.expect("memory_limit", 137, confidence="certain", retry="larger", signal=9)
    limit = mebibytes * MIB
    assert r.verdict["limits"]["memory"]["value"] == limit < r.verdict["suggest"]["value"]
    if r.enforced_by("memory") == "sampled":
        assert r.fact("memory_sampled")["after"] > limit
        return
    oom = r.fact("oom_kill")
    assert oom["before"] == 0 < oom["after"]
    assert limit - 4 * MIB <= r.verdict["usage"]["memory_peak_bytes"] <= limit + MIB


@pytest.fixture
def data(bulkhead):
    """The data set of the example, smaller, in the working directory beside the analysis."""
    for name in ("make-data.py", "analyse.py"):
        bulkhead.file(name, (TOP / "examples/analysis" / name).read_bytes())
    run_line(bulkhead, "-- python3 make-data.py data.csv 100000").expect("ok", 0)
    return bulkhead.cwd / "data.csv"


def test_a_neighbour_is_undisturbed(bulkhead, data):
    """It goes on with its work, and ends well, while another dies of memory beside it."""
    line = "--memory 1G -- sh -c 'read go; python3 analyse.py data.csv'"
    with bulkhead.background(*shlex.split(line), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        first = run_line(bulkhead, HUNGRY)
        assert p.poll() is None
        p.stdin.write(b"go\n")
        p.stdin.flush()
        second = run_line(bulkhead, HUNGRY)
        out, _ = p.communicate(timeout=seconds(60))
        beside = bulkhead.read_verdict(p.verdict_path)
    for r in (first, second):
        expect_memory_limit(r, 64)
    assert beside["cause"] == "ok" and beside["victims"] == [] and beside["contributing"] == []
    assert out.startswith(b"100000 rows of 500 sensors\n") and len(out.splitlines()) == 10


# ---- real input ----


def test_an_analysis_with_enough_memory_and_with_too_little(bulkhead, data):
    r = run_line(bulkhead, "--memory 1G -- python3 analyse.py data.csv").expect("ok", 0)
    assert r.out.startswith("100000 rows of 500 sensors\n") and "Horsens" in r.out
    assert r.verdict["usage"]["memory_peak_bytes"] > 32 * MIB
    expect_memory_limit(run_line(bulkhead, "--memory 32M -- python3 analyse.py data.csv"), 32)


@pytest.mark.slow
@pytest.mark.skipif(IN_VM, reason="a minute's work there; the analysis is such a program too")
def test_a_virtual_environment_with_enough_memory_and_with_too_little(bulkhead):
    r = run_line(bulkhead, "--memory 24M -- python3 -m venv small", deadline=120)
    expect_memory_limit(r, 24)
    run_line(bulkhead, "--memory 1G -- python3 -m venv large", deadline=120).expect("ok", 0)
    r = run_line(bulkhead, "-- large/bin/python -m pip --version").expect("ok", 0)
    assert str(bulkhead.cwd / "large") in r.out


# ---- nothing is left, and at once ----


class Remains:
    """What there is of a bulkhead's run: processes, groups, mounts."""

    def __init__(self):
        self.before = self._look()

    @staticmethod
    def _look():
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mounts = set(file)
        return set(descendants()), mounts

    def of(self, pid):
        """Of the bulkhead with this pid, which has been reaped."""
        new_processes, new_mounts = (now - was for now, was in zip(self._look(), self.before))
        new_groups = {g for g in groups() if f".{pid}." in os.path.basename(g)}
        return new_processes, new_groups, new_mounts


def end_at_the_deadline(bulkhead, timeout, grace, words):
    """How much later than it may be bulkhead was at its end, and what it left."""
    path, remains = bulkhead.verdict_path(), Remains()
    with Lateness() as lateness:
        began = time.monotonic()
        p = bulkhead.start("run", "--verdict", path, "--timeout", run_time(timeout),
                           "--grace", run_time(grace), *words, stderr=subprocess.DEVNULL)
        assert p.wait(seconds(30)) == 124
        took = time.monotonic() - began
        left = remains.of(p.pid)
    verdict = bulkhead.read_verdict(path)
    assert verdict["cause"] == "wall_timeout"
    expected = seconds(timeout + grace) + verdict["timing"]["spawn_us"] / 1e6
    return took - expected - seconds(0.1) - 3 * lateness.worst, left


BOMB = "bomb() { bomb | bomb & }; bomb; sleep 100"


@pytest.mark.parametrize("timeout, grace, words", [
    (2, 0.5, ["--pids", "64", "--", "bomb"]),
    (2, 0.5, ["--pids", "64", "--", "sh", "-c", f"exec 2>/dev/null; trap '' TERM; {BOMB}"]),
    (1, 0.5, ["--", "tree", "200"]),
], ids=["fork bomb", "fork bomb of shells", "daemons"])
def test_all_is_gone_when_bulkhead_is(bulkhead, rung, timeout, grace, words):
    """... and that is 100 ms after the end of the grace, unless the machine is busy three times over."""
    if rung == "none" and bulkhead.who == "root" and "--pids" in words:
        pytest.skip("nothing counts root's processes here")
    words = [helper(w) if w in ("bomb", "tree") else w for w in words]
    for _ in range(1 if IN_VM else 3):
        late, left = end_at_the_deadline(bulkhead, timeout, grace, words)
        assert left == (set(), set(), set())
        if late <= 0:
            return
    # starting and reaping hundreds of processes takes what it takes under emulation
    assert IN_VM, f"{late:.3f} s late"


def test_the_remains_would_be_seen(bulkhead, cgroups):
    """The check above is none if it finds nothing while a run is on."""
    remains = Remains()
    with bulkhead.background("sh", "-c", "echo on; read end", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"on\n"
        processes, found, _ = remains.of(p.pid)
        assert len(processes) >= 3  # bulkhead, init and the shell
        assert bool(found) == cgroups
        p.communicate(b"end\n", timeout=seconds(10))


# ---- a host that cannot ----


@pytest.fixture
def without_namespaces(bulkhead):
    """bulkhead where user namespaces are used up: in one whose own limit of them is 0."""
    if not shutil.which("unshare"):
        pytest.fail("no unshare(1)")
    bulkhead.wrapper = ["unshare", "-r", "sh", "-ec",
                        'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"', "sh"]
    return bulkhead


def test_without_user_namespaces_doctor_says_so(without_namespaces):
    r = without_namespaces.command("doctor")
    assert r.status == 1
    assert "missing  user namespaces" in r.out and "no default run can be made" in r.out
    assert "try: sysctl -w user.max_user_namespaces=" in r.out
    seen = json.loads(without_namespaces.command("doctor", "--json").out)
    found = [c for c in seen["capabilities"] if c["name"] == "user namespaces"]
    assert [c["ok"] for c in found] == [False]


def test_without_user_namespaces_a_run_is_refused_with_the_remedy(without_namespaces):
    r = without_namespaces.run("--no-record", "--", PYTHON, "-c", "open('was-here', 'w')")
    r.expect("setup_failed", 125, exit_code=None, signal=None)
    assert "sysctl -w user.max_user_namespaces=" in r.err and "(blame: host)" in r.err
    assert not (without_namespaces.cwd / "was-here").exists()
