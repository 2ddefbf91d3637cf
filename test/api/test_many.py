# SPDX-License-Identifier: MIT
"""Many runs: at the same time, one after the other, good ones among bad ones, each as if it were alone."""

import contextlib
import os
import threading
import time

import pytest

from daemon import cause, exit_code, meanwhile, stat_of
from support import MIB, PYTHON, descendants, helper, seconds, wait_until


@pytest.fixture
def box(api):
    return api.box()


def says(n):
    """A program with a word and an exit code of its own, on both streams, in pieces."""
    script = f"for i in 1 2 3 4 5; do echo {n}; echo {n} >&2; done; exit {n % 256}"
    return ["sh", "-c", script]


def expect_said(api, run, n):
    output = api.output(run["id"])
    assert output == {"stdout": b"%d\n" % n * 5, "stderr": b"%d\n" % n * 5}
    assert exit_code(run) == n % 256 and cause(run) == ("exit_nonzero" if n % 256 else "ok")


@pytest.mark.parametrize("n", [16, 64])
def test_at_once_in_one_box(api, box, n):
    """Each has the exit code that it had, and not a byte of another's output."""
    start = threading.Barrier(n)

    def one(i):
        start.wait(seconds(30))
        return api.run(says(i), box=box)

    runs = meanwhile(one, *((i,) for i in range(n)))
    for i, run in enumerate(runs):
        expect_said(api, run, i)
    assert len({run["id"] for run in runs}) == n


def test_at_once_with_boxes_of_their_own(api):
    runs = meanwhile(lambda i: api.run(says(i)), *((i,) for i in range(16)))
    for i, run in enumerate(runs):
        expect_said(api, run, i)


def run_many(api, box, n):
    with contextlib.closing(api.connect()) as connection:
        for i in range(n):
            run = api.run(["sh", "-c", f"exit {i % 256}"], box=box, connection=connection)
            assert exit_code(run) == i % 256


@pytest.mark.root
@pytest.mark.release_only
def test_a_thousand_in_a_row_leave_nothing(daemon, api, box):
    """No descriptor, process or group more than before, and no more memory than noise has."""
    run_many(api, box, 1100)  # by now as many ended runs are remembered as ever will be
    before = wait_until(lambda: at_rest(daemon), 20, "a daemon at rest")
    meanwhile(lambda i: api.run(says(i), box=box), *((i,) for i in range(16)))  # and as many groups kept
    kept = wait_until(lambda: at_rest(daemon), 20, "a daemon at rest")
    before = {what: max(n, kept[what]) for what, n in before.items()}
    run_many(api, box, 1000)
    wait_until(lambda: not grown(before, daemon.figures()), 10, f"what there was before ({before}, {daemon.figures()})")


def at_rest(daemon):
    """The figures when what follows a run has been done."""
    figures = daemon.figures()
    time.sleep(0.2)
    return figures if daemon.figures() == figures else None


def grown(before, after):
    return [what for what, n in before.items() if after[what] > n + (1024 if what.startswith("KiB") else 0)]


def test_bursts(api, box):
    for burst in range(3):
        runs = meanwhile(lambda i: api.run(says(i), box=box), *((8 * burst + i,) for i in range(8)))
        for i, run in enumerate(runs):
            expect_said(api, run, 8 * burst + i)


def test_what_cannot_be_started_among_good_ones(api, box):
    def one(i):
        if i % 3 == 1:
            return api.run([f"no-such-program-{i}"], box=box)
        if i % 3 == 2:
            return api.run(["/etc/passwd"], box=box)
        return api.run(says(i), box=box)

    for i, run in enumerate(meanwhile(one, *((i,) for i in range(24)))):
        if i % 3 == 0:
            expect_said(api, run, i)
        else:
            assert cause(run) == ("not_found" if i % 3 == 1 else "not_executable")
            assert run["verdict"]["exit_code"] is None and run["verdict"]["signal"] is None


def test_who_kills_itself_among_good_ones(api, box):
    def one(i):
        return api.run(["sh", "-c", "kill -9 $$"] if i % 2 else says(i), box=box)

    for i, run in enumerate(meanwhile(one, *((i,) for i in range(16)))):
        if i % 2:
            assert run["verdict"]["signal"] == 9 and cause(run) in ("crash", "external_kill")
        else:
            expect_said(api, run, i)


def trees_of(daemon):
    found = 0
    for pid, state in descendants(daemon.pid).items():
        with contextlib.suppress(OSError):
            found += stat_of(pid)[0] == "tree" and state not in "ZX"
    return found


def test_a_kill_of_one_with_all_below_it_leaves_the_others(daemon, api, box):
    """The victim is a tree of daemons that are deaf; beside it one of the same kind."""
    trees = [api.run([helper("tree"), "20"], box=box, wait=False)["id"] for _ in range(2)]
    for tree in trees:
        wait_until(lambda: api.output(tree)["stdout"] == b"deep\n", what="a tree")
    beside = api.run(["sh", "-c", "read x; exit 5"], box=box, wait=False, stdin={"open": True})["id"]
    api.request("DELETE", f"/v1/runs/{trees[0]}?now=1").expect(202)
    assert cause(api.ended(trees[0])) == "cancelled"
    if api.groups():
        wait_until(lambda: trees_of(daemon) == 21, what="the end of the first tree")
    api.request("POST", f"/v1/runs/{beside}/stdin?close=1", b"go\n").expect(200)
    assert exit_code(api.ended(beside)) == 5
    api.request("DELETE", f"/v1/runs/{trees[1]}?now=1").expect(202)
    assert cause(api.ended(trees[1])) == "cancelled"
    if not api.groups():  # nobody knows whose daemons without parents are, but they end with the box
        api.remove(box, now=True)
    wait_until(lambda: trees_of(daemon) == 0, what="the end of all trees")


# ---- nothing leaks from one to the next ----


def test_the_whole_of_stdin_and_its_end(api, box):
    text = "".join(f"line {i}\n" for i in range(20000))
    for target in (box, None):
        run = api.run(["sh", "-c", "cat; echo end"], box=target, stdin=text)
        assert api.out(run) == text + "end\n"
    assert api.out(api.run(["sh", "-c", "cat; echo end"], box=box)) == "end\n"


def test_stdin_in_pieces(api, box):
    run = api.run(["sh", "-c", "cat; echo end"], box=box, wait=False, stdin={"open": True})["id"]
    pieces = [os.urandom(100_000) for _ in range(10)]
    for piece in pieces:
        assert api.request("POST", f"/v1/runs/{run}/stdin", piece).expect(200).json["taken_bytes"] == len(piece)
    api.request("POST", f"/v1/runs/{run}/stdin?close=1").expect(200)
    assert cause(api.ended(run)) == "ok"
    assert api.output(run)["stdout"] == b"".join(pieces) + b"end\n"


def test_environment_and_directory_are_each_runs_own(api, box):
    look = ["sh", "-c", "pwd; env | sort; umask; ulimit -n; ls /proc/self/fd | wc -l"]
    before = api.out(api.run(look, box=box))

    def strange(i):
        return api.run(["sh", "-c", "cd /; export LEAKED=1; umask 0; ulimit -n 20; exec 9>/dev/null; env; pwd"], box=box,
                       env={"LEAK": str(i), "PATH": "/usr/bin:/bin:/leak"}, cwd="/usr", limits={"nofile": 64})

    for i, run in enumerate(meanwhile(strange, *((i,) for i in range(8)))):
        out = api.out(run)
        assert f"LEAK={i}\n" in out and out.count("LEAK=") == 1 and out.endswith("\n/\n")
    for _ in range(4):
        after = api.out(api.run(look, box=box))
        assert "LEAK" not in after and without_id(after) == without_id(before)


def without_id(text):
    return [line for line in text.splitlines() if not line.startswith("BULKHEAD=")]


def test_the_daemons_own_surroundings_are_not_passed_on(place, daemon, api):
    """What somebody had in his environment when he started it is not for who runs something by it."""
    place.env["LEAK_OF_DAEMON"] = place.env["API_TOKEN"] = "secret"
    daemon.restart()
    for box in (None, api.box()):
        out = api.out(api.run(["sh", "-c", "env; pwd; ls /proc/self/fd"], box=box))
        assert "secret" not in out and "BULKHEAD_STATE" not in out and "BULKHEAD_SOCKET" not in out
        assert out.split()[-5:] == ["/tmp", "0", "1", "2", "3"]


def test_signals_are_as_ever(api, box):
    """Neither blocked nor ignored, whatever the daemon does with them."""
    code = ("import signal; print([s for s in signal.Signals if signal.getsignal(s) == signal.SIG_IGN], "
            "signal.pthread_sigmask(signal.SIG_BLOCK, []))")
    for target in (None, box):
        out = api.out(api.run([PYTHON, "-c", code], box=target))
        assert out == "[<Signals.SIGPIPE: 13>, <Signals.SIGXFSZ: 25>] set()\n"  # Python's own


# ---- a box that is full ----


def test_a_box_at_its_limit_of_processes_can_be_entered_and_ended(api):
    if not api.groups():
        pytest.skip("an ordinary user has no groups here")
    box = api.box(limits={"pids": 16})
    full = ["sh", "-c", f"{helper('bomb')} 40; read x"]  # whose forty are some less, and stay
    bomb = api.run(full, box=box, wait=False, stdin={"open": True})["id"]
    wait_until(lambda: api.output(bomb)["stdout"], what="a full box")
    assert 0 < int(api.output(bomb)["stdout"]) < 16
    assert exit_code(api.run(["sh", "-c", "exit 7"], box=box)) == 7
    api.request("DELETE", f"/v1/runs/{bomb}?now=1").expect(202)
    assert cause(api.ended(bomb)) == "cancelled"
    assert exit_code(api.run(["sh", "-c", "(exit 8)"], box=box)) == 8
    api.remove(box)


def test_a_box_at_its_limit_of_memory_can_be_entered_and_ended(api):
    if not api.groups():
        pytest.skip("an ordinary user has no groups here")
    box = api.box(limits={"memory": "64M"})
    hogs = [api.run([helper("hog"), "28", "hold"], box=box, wait=False)["id"] for _ in range(2)]
    for hog in hogs:
        wait_until(lambda: api.output(hog)["stdout"] == b"used 28\n", what="a full box")
    run = api.run([helper("hog"), "30"], box=box)  # somebody has to go

    def somebody_went():
        ends = [run, *(api.get(f"/v1/runs/{hog}") for hog in hogs)]
        return any(r["verdict"] and cause(r) in ("memory_limit", "memory_ancestor") for r in ends)

    wait_until(somebody_went, what="the verdict of who had to go")
    assert cause(api.run(["true"], box=box)) in ("ok", "memory_ancestor")
    began = time.monotonic()
    api.remove(box, now=True)
    assert time.monotonic() - began < seconds(5)
    for hog in hogs:
        assert cause(api.ended(hog)) in ("cancelled", "memory_limit", "memory_ancestor", "shutdown")


# ---- figures that hold under load ----


def test_all_of_it_at_once_from_two_boxes_and_none(daemon, api, box):
    """Sixty-four clients, three kinds of targets, five kinds of ends; afterwards it is as it was."""
    other = api.box()
    large = "x" * MIB
    kinds = [
        lambda target, i: (api.run(says(i), box=target), lambda run: expect_said(api, run, i)),
        lambda target, i: (api.run(["sh", "-c", "kill -SEGV $$"], box=target), lambda run: cause(run) == "crash" or 1 / 0),
        lambda target, i: (api.run(["cat"], box=target, stdin=large), lambda run: api.out(run) == large or 1 / 0),
        lambda target, i: (api.run(["sleep", "60"], box=target, limits={"timeout": "300ms", "grace": 0}),
                           lambda run: cause(run) == "wall_timeout" or 1 / 0),
        lambda target, i: (api.run(["no-such"], box=target), lambda run: cause(run) == "not_found" or 1 / 0),
    ]
    results = meanwhile(lambda i: kinds[i % 5]([box, other, None][i % 3], i), *((i,) for i in range(64)))
    for run, check in results:
        check(run)
    assert len(daemon.inits()) >= 2
    stats = api.get("/v1/stats")
    assert (stats["running"], stats["queued"], stats["starting"]) == (0, 0, 0), stats
