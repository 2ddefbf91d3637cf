# SPDX-License-Identifier: MIT
"""Ends, all of them bounded: of boxes, of the daemon, of its zygote and of inits, whatever the programs think of it."""

import contextlib
import http.client
import os
import random
import signal
import threading
import time

import pytest

from daemon import Api, cause, exit_code, living, meanwhile
from support import Lateness, descendants, helper, seconds, wait_until

# How often each is killed: 200 times with BULKHEAD_KILLS=200.
KILLS = int(os.environ.get("BULKHEAD_KILLS", "12"))
GRACE = 0.5


def late(took, bound, lateness):
    """By how much, but for what this machine is late with anyway."""
    return took - bound - 3 * lateness.worst


# ---- a terminal that does not come about ----


def stop_spares(daemon):
    """Stop the payloads that wait in boxes, so that they do not do what they are told: their pids."""
    spares = wait_until(daemon.parked, what="a payload that waits")
    for pid in spares:
        os.kill(pid, signal.SIGSTOP)
    return spares


def test_a_stuck_console_holds_up_nobody_else(daemon, api):
    """Neither a run beside it, nor the listing, nor the end of its box: within 2 s, while the bound of it is 30."""
    box = api.box()
    stopped = stop_spares(daemon)
    began = time.monotonic()
    stuck = api.run(["sh"], box=box, wait=False, tty=True)["id"]
    runs = meanwhile(lambda i: api.run(["sh", "-c", f"exit {i}"], box=box), *((i,) for i in range(1, 9)))
    assert [exit_code(run) for run in runs] == list(range(1, 9))
    assert api.get(f"/v1/runs/{stuck}")["state"] == "starting"
    waiting = threading.Thread(target=api.ended, args=[stuck], daemon=True)
    waiting.start()
    api.remove(box, now=True)
    waiting.join(seconds(5))
    assert not waiting.is_alive()
    assert time.monotonic() - began < seconds(5)
    assert cause(api.ended(stuck)) in ("cancelled", "setup_failed", "shutdown")
    assert not living(stopped)


# ---- the end of a box ----


def deaf(api, box):
    run = api.run([helper("stubborn")], box=box, wait=False)["id"]
    wait_until(lambda: api.output(run)["stdout"] == b"ready\n", what="a program that is deaf")
    return run


def test_the_end_of_a_box_answers_all_who_wait(daemon, api):
    """Of programs that do not listen: after the grace time and 200 ms."""
    box = api.box(limits={"grace": f"{GRACE}"})
    runs = [deaf(api, box) for _ in range(3)]
    ends = []

    def wait(run):
        ended = api.ended(run)
        ends.append(time.monotonic())
        return ended

    def remove():
        wait_until(lambda: api.get("/v1/stats")["requests_working"] > 3 * len(runs), what="all who wait")
        began = time.monotonic()
        api.request("DELETE", f"/v1/boxes/{box}").expect(202)
        return began

    with Lateness() as lateness:
        results = meanwhile(lambda f, *a: f(*a), (remove,), *((wait, run) for run in runs for _ in range(3)))
    began, *ended = results
    assert late(max(ends) - began, GRACE + 0.2, lateness) <= 0, [end - began for end in ends]
    for run in ended:
        assert cause(run) in ("cancelled", "shutdown") and run["verdict"]["signal"] == signal.SIGKILL
    assert api.remove(box).status in (200, 410)
    # what is asked of it now is answered, and not held
    assert "box" in api.request("POST", f"/v1/boxes/{box}/runs", {"argv": ["true"]}).problem(410, "stopped")
    assert not daemon.inits()


def test_two_deletes_at_once(api):
    box = api.box(limits={"grace": f"{GRACE}"})
    run = deaf(api, box)
    answers = meanwhile(lambda: api.request("DELETE", f"/v1/boxes/{box}?wait=1"), (), ())
    assert sorted({a.status for a in answers}) in ([200], [200, 410])
    assert cause(api.ended(run)) in ("cancelled", "shutdown")
    answers = meanwhile(lambda: api.request("DELETE", f"/v1/runs/{run}"), (), ())
    for answer in answers:
        answer.problem(410, "stopped")


# ---- the end of the daemon ----


@pytest.mark.root
@pytest.mark.release_only
def test_the_end_of_the_daemon_with_a_hundred_boxes(daemon, api):
    """Each with a program, half of them deaf: the grace time and a second."""
    boxes = meanwhile(lambda: api.box(limits={"grace": f"{GRACE}", "memory": "32M"}), *[()] * 8)
    boxes += [api.box(limits={"grace": f"{GRACE}", "memory": "32M"}) for _ in range(100 - len(boxes))]
    runs = [deaf(api, box) if i % 2 else api.run(["sleep", "1000"], box=box, wait=False)["id"] for i, box in enumerate(boxes)]
    waiters = [threading.Thread(target=lambda r=run: answered.append(api.ended(r)), daemon=True) for run in runs[:20]]
    answered = []
    for waiter in waiters:
        waiter.start()
    wait_until(lambda: len(descendants(daemon.pid)) > 300, what="the next process of each box")
    below = set(descendants(daemon.pid))
    with Lateness() as lateness:
        took = daemon.stop()
    assert late(took, GRACE + 1, lateness) <= 0, took
    assert not living(below)
    for waiter in waiters:
        waiter.join(seconds(5))
    assert len(answered) == 20 and {cause(run) for run in answered} == {"shutdown"}
    daemon.start()
    rows = api.get("/v1/runs?limit=1000")["runs"]
    assert {row["cause"] for row in rows} == {"shutdown"} and len(rows) == 100


def test_a_second_signal_ends_it_at_once(daemon, api):
    box = api.box(limits={"grace": "1m"})
    deaf(api, box)
    daemon.process.send_signal(signal.SIGTERM)
    wait_until(lambda: api.request("GET", "/healthz").status == 503, what="a daemon that is stopping")
    api.request("POST", "/v1/runs", {"argv": ["true"]}).problem(503, "unavailable")
    assert daemon.stop() < seconds(5)


# ---- kill -9 ----


class Load:
    """Clients that have runs with exit codes of their own, one after the other, and check each."""

    def __init__(self, api, boxes, clients=4):
        self.api, self.boxes, self.over = api, boxes, threading.Event()
        self.ended, self.lost, self.faults = 0, [], []
        self.threads = [threading.Thread(target=self._work, args=[i], daemon=True) for i in range(clients)]

    def _work(self, client):
        n = client * 50
        while not self.over.is_set():
            n += 1
            try:
                self._one(client, n % 100 + 1)
            except Exception as error:  # whatever it is, it is no right answer
                self.faults.append(repr(error))
                return

    def _one(self, client, code):
        box = self.boxes[client % len(self.boxes)]
        target = f"/v1/boxes/{box}/runs?wait=1" if box else "/v1/runs?wait=1"
        body = {"argv": ["sh", "-c", f"sleep 0.00{code % 10}; exit {code}"]}
        try:
            answer = self.api.request("POST", target, body, timeout=30)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, TimeoutError):
                raise
            self.lost.append(error)  # the daemon is gone
            self.over.wait(0.01)
            return
        self.judge(answer, code)

    def judge(self, answer, code):
        if answer.status in (404, 410, 503):  # the box is gone, or the daemon on its way
            self.lost.append(answer.status)
            self.over.wait(0.01)
            return
        run = answer.expect(201).json
        verdict = run["verdict"]
        assert run["state"] == "ended"
        if verdict["exit_code"] is None:
            self.lost.append(verdict["cause"])
        else:
            assert verdict["exit_code"] == code, verdict
        self.ended += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(seconds(35))
        assert not [t for t in self.threads if t.is_alive()], "a client got no answer"
        assert not self.faults, self.faults


def moments(n, seed):
    """So many waits of up to 60 ms, the same ones each time."""
    generator = random.Random(seed)
    for _ in range(n):
        time.sleep(generator.random() * 0.06)
        yield


def test_a_zygote_that_is_killed_at_any_moment_is_not_missed(daemon, api):
    """Each run ends with the exit code that it has: those that were on, and those that were being made (once: not twice)."""
    with Load(api, [api.box(), None]) as load:
        for _ in moments(KILLS, 1):
            ended = load.ended
            with contextlib.suppress(ProcessLookupError):
                os.kill(daemon.zygote(), signal.SIGKILL)
            wait_until(lambda: load.ended > ended + 8, 30, "runs after the kill")
    assert load.lost == []
    assert api.get("/v1/stats")["zygote_restarts"] >= 1


def test_runs_outlive_their_zygote(daemon, api):
    box = api.box()
    runs = [api.run(["sh", "-c", "read x; exit $x"], box=target, wait=False, stdin={"open": True})["id"] for target in (box, None)]
    for run in runs:
        wait_until(lambda: api.get(f"/v1/runs/{run}")["state"] == "running", what="a run")
    old = daemon.zygote()
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: daemon.zygote() != old, what="a new zygote")
    for code, run in enumerate(runs, 41):
        api.request("POST", f"/v1/runs/{run}/stdin?close=1", b"%d\n" % code).expect(200)
        assert exit_code(api.ended(run)) == code
    assert exit_code(api.run(["sh", "-c", "exit 5"], box=box)) == 5


def test_an_init_that_is_killed_at_any_moment_takes_its_box_along(daemon, api):
    """Of one of two boxes: no run in the other notices."""
    kept = api.box()
    for i in range(KILLS):
        box = api.box()
        init = daemon.inits()[-1]
        with Load(api, [box], 2) as doomed, Load(api, [kept], 2) as safe:
            for _ in moments(1, i):
                os.kill(init, signal.SIGKILL)
            wait_until(lambda: api.get(f"/v1/boxes/{box}")["state"] == "gone", what="the end of the box")
            assert api.get(f"/v1/boxes/{box}")["fault"]
            wait_until(lambda: doomed.lost, what="an answer to those who were in it")
        assert safe.lost == []
        assert {x for x in doomed.lost if isinstance(x, str)} <= {"external_kill", "crash", "setup_failed", "shutdown"}, doomed.lost
        api.request("POST", f"/v1/boxes/{box}/runs", {"argv": ["true"]}).problem(410, "stopped")


def test_a_daemon_that_is_killed_at_any_moment_leaves_nothing(daemon, api):
    """Its boxes end with it, and the next one finds what it left: no process, no group, no run without a verdict."""
    for i in range(KILLS):
        boxes = [api.box(), None]
        with Load(api, boxes) as load:
            for _ in moments(1, i):
                pass
            below = descendants(daemon.pid)
            daemon.kill()
            wait_until(lambda: not living(below), 10, "the end of all that it had")
            wait_until(lambda: load.lost, what="clients that know")
        daemon.start()
        rows = api.get("/v1/runs?limit=1000")["runs"]
        assert {row["state"] for row in rows} <= {"ended", "lost"}, rows
        wait_until(lambda: {row["cause"] for row in api.get("/v1/runs?limit=1000")["runs"]} <=
                   {"exit_nonzero", "supervisor_lost"}, what="verdicts of all")
        assert exit_code(api.run(["sh", "-c", "exit 3"])) == 3


def test_who_asks_while_the_daemon_dies_is_not_left_waiting(daemon):
    """The kernel closes the connection; nothing in between keeps it open."""
    api = Api(daemon)
    run = threading.Event()

    def wait():
        run.set()
        with pytest.raises((OSError, http.client.HTTPException)) as error:
            api.run(["sleep", "1000"])
        assert not isinstance(error.value, TimeoutError)

    def kill():
        run.wait(seconds(10))
        wait_until(lambda: api.get("/v1/stats")["running"] == 1, what="the run")
        daemon.kill()

    meanwhile(lambda f: f(), (wait,), (kill,))
    daemon.start()
