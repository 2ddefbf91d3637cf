# SPDX-License-Identifier: MIT
"""Runs over the API: what goes in, what comes out, and how they are ended."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import threading
import time

import pytest

from daemon import Api, cause, exit_code, meanwhile, resident
from support import SANITIZED, seconds, wait_until

UNKNOWN = "0000000000000000"


def lines(api, run, query=""):
    return [json.loads(line) for line in api.request("GET", f"/v1/runs/{run}/output{query}").expect(200).body.splitlines()]


def started(api, argv=("cat",), **members):
    """A run that is on: its id."""
    run = api.run(list(argv), wait=False, **{"stdin": {"open": True}, **members})["id"]
    wait_until(lambda: api.get(f"/v1/runs/{run}")["state"] == "running", what="the run")
    return run


def end(api, run):
    return api.checked(api.request("DELETE", f"/v1/runs/{run}?wait=1&now=1").expect(200).json)


# ---- what goes in ----


def test_a_run_and_its_verdict(api):
    answer = api.request("POST", "/v1/runs?wait=1", {"argv": ["sh", "-c", "echo out; echo err >&2; exit 3"], "key": "a key"})
    run = api.checked(answer.expect(201).json)
    assert answer.headers["Location"] == f"/v1/runs/{run['id']}"
    assert set(run) == {"id", "state", "box", "key", "policy", "tty", "exit_status", "verdict"}
    assert (run["box"], run["key"], run["policy"], run["tty"], run["exit_status"]) == (None, "a key", "default", False, 3)
    assert (cause(run), exit_code(run), run["verdict"]["id"], run["verdict"]["key"]) == ("exit_nonzero", 3, run["id"], "a key")
    assert run["verdict"]["usage"]["output"] == {"seen_bytes": 8, "kept_bytes": 8, "dropped_bytes": 0}
    assert api.output(run["id"]) == {"stdout": b"out\n", "stderr": b"err\n"}
    assert api.get(f"/v1/runs/{run['id']}") == run


def test_without_waiting(api):
    answer = api.request("POST", "/v1/runs", {"argv": ["true"]}).expect(201)
    assert answer.json["state"] in ("queued", "starting", "running") and answer.json["verdict"] is None and answer.json["exit_status"] is None
    assert cause(api.ended(answer.json["id"])) == "ok"
    assert api.ended(answer.json["id"])["state"] == "ended"  # and again, at once


def test_words_that_are_not_text(api):
    run = api.run(["printf", "%s|", {"base64": "/w=="}, "a\nb", "", "\U0001f600"])
    assert run["verdict"]["argv"][2] == {"base64": "/w=="}
    assert api.output(run["id"])["stdout"] == b"\xff|a\nb||" + "\U0001f600".encode() + b"|"


def test_environment(api, daemon):
    """A small one of its own, the policy's and what was asked for; nothing of the daemon's."""
    daemon.place.env["LEAKED"] = "yes"
    daemon.restart()
    run = api.run(["env", "-0"], env={"A": "1", "EMPTY": "", "BYTES": {"base64": "/w=="}, "LANG": None})
    env = dict(pair.split(b"=", 1) for pair in api.output(run["id"])["stdout"].rstrip(b"\0").split(b"\0"))
    assert (env[b"A"], env[b"EMPTY"], env[b"BYTES"]) == (b"1", b"", b"\xff")
    assert b"LANG" not in env and b"PATH" in env and b"HOME" in env and b"LEAKED" not in env and b"BULKHEAD_SOCKET" not in env
    assert env[b"BULKHEAD"].decode() == run["id"]


def test_where_it_starts(api):
    assert api.out(api.run(["pwd"])) == "/tmp\n"
    assert api.out(api.run(["pwd"], cwd="/usr/bin")) == "/usr/bin\n"
    run = api.run(["pwd"], cwd="/no/such/place")
    assert cause(run) == "setup_failed" and "/no/such/place" in run["verdict"]["summary"]


def test_limits_by_either_name(api):
    run = api.run(["true"], limits={"memory": "64M", "cpu-time": "10s", "idle_timeout": 5, "pids": 20, "timeout": 7.5, "output-limit": None, "grace": "100ms"})
    limits = {name: limit["value"] for name, limit in run["verdict"]["limits"].items()}
    assert limits["memory"] == 64 << 20 and limits["cpu_time"] == 10 ** 7 and limits["idle_timeout"] == 5 * 10 ** 6
    assert limits["pids"] == 20 and limits["timeout"] == 7500000 and limits["output"] is None
    api.request("POST", "/v1/runs", {"argv": ["true"], "limits": {"cpu-time": 1, "cpu_time": 1}}).problem(400, "invalid")
    run = api.run(["sleep", "60"], limits={"timeout": "200ms", "grace": 0})
    assert cause(run) == "wall_timeout" and run["exit_status"] == 124
    run = api.run(["head", "-c", "1000000", "/dev/zero"], limits={"output-limit": "10K"})
    assert cause(run) == "output_limit"


def test_policies(api):
    run = api.run(["true"], policy="tool")
    assert run["policy"] == "tool" and run["verdict"]["limits"]["timeout"]["value"] == 300 * 10 ** 6
    run = api.run(["true"], policy={"extends": "tool", "limits": {"pids": 7}, "env": {"set": {"A": "b"}}})
    limits = run["verdict"]["limits"]
    assert run["policy"] == "inline" and limits["pids"]["value"] == 7 and limits["timeout"]["value"] == 300 * 10 ** 6
    detail = api.request("POST", "/v1/runs", {"argv": ["true"], "policy": {"limits": {"memry": "1G"}}}).problem(400, "invalid")
    assert "did you mean 'memory'?" in detail and "line 1" in detail


def test_failures_to_start(api):
    assert cause(api.run(["no-such-program"])) == "not_found"
    assert cause(api.run(["/etc/passwd"])) == "not_executable"
    assert api.run(["no-such-program"])["exit_status"] == 127


# ---- stdin ----


def test_stdin_that_is_given(api):
    for given, expected in (("text\n", b"text\n"), ("", b""), (None, b""), ({"base64": "AAH/AA=="}, b"\0\1\xff\0"), ({"open": False}, b"")):
        run = api.run(["cat"], stdin=given)
        assert cause(run) == "ok" and api.output(run["id"])["stdout"] == expected


def test_stdin_that_is_fed(api):
    run = started(api)
    for piece in (b"one\n", b"", b"\0\xff", b"x" * 300000):
        assert api.request("POST", f"/v1/runs/{run}/stdin", piece).expect(200).json == {"taken_bytes": len(piece)}
    assert api.request("POST", f"/v1/runs/{run}/stdin?close=1", b"end").expect(200).json == {"taken_bytes": 3}
    assert cause(api.ended(run)) == "ok"
    assert api.output(run)["stdout"] == b"one\n\0\xff" + b"x" * 300000 + b"end"
    api.request("POST", f"/v1/runs/{run}/stdin", b"x").problem(410, "stopped")


def test_a_program_that_does_not_read_holds_up_its_feeder_only(daemon, api):
    """What it has no room for waits with the client: the daemon's memory stays as it is."""
    run = started(api, ["sh", "-c", "read x; exec cat >/dev/null"])
    api.request("POST", f"/v1/runs/{run}/stdin", b"no newline yet").expect(200)
    before = resident(daemon.pid)
    size = 8 << 20
    fed = threading.Event()

    def feed():
        try:
            return api.request("POST", f"/v1/runs/{run}/stdin?close=1", b"\n" * size).expect(200).json["taken_bytes"]
        finally:
            fed.set()

    def neighbour():
        for _ in range(5):
            assert cause(api.run(["true"])) == "ok"
        assert resident(daemon.pid) < before + (4 << 10) * (4 if SANITIZED else 1)

    # a program that is stopped does not read at all
    api.request("POST", f"/v1/runs/{run}/signal", {"signal": "STOP"}).expect(204)
    thread = threading.Thread(target=neighbour)
    results = []
    feeder = threading.Thread(target=lambda: results.append(feed()))
    feeder.start()
    thread.start()
    thread.join(seconds(30))
    assert not fed.is_set()
    api.request("POST", f"/v1/runs/{run}/signal", {"signal": 18}).expect(204)
    feeder.join(seconds(30))
    assert results == [size]
    assert cause(api.ended(run)) == "ok"


def test_stdin_where_there_is_none(api):
    run = started(api, ["sleep", "60"], stdin=None)
    for body in (b"x", b""):
        api.request("POST", f"/v1/runs/{run}/stdin", body).problem(409, "busy")
        api.request("POST", f"/v1/runs/{run}/stdin?close=1", body).problem(409, "busy")
    api.request("POST", f"/v1/runs/{run}/resize", {"rows": 3, "cols": 3}).problem(409, "busy")
    end(api, run)


def test_stdin_of_a_program_that_stops_reading(api):
    run = started(api, ["sh", "-c", "exec <&-; sleep 60"])
    wait_until(lambda: api.request("POST", f"/v1/runs/{run}/stdin", b"x" * 100000).status == 409, what="a closed stdin")
    answer = api.request("POST", f"/v1/runs/{run}/stdin", b"x")
    answer.problem(409, "busy")
    assert answer.json["taken_bytes"] == 0
    end(api, run)


def test_a_terminal(api):
    run = started(api, ["sh", "-c", "stty size; read line; echo got $line; stty size; test -t 0 && test -t 1 && test -t 2"], tty=True, rows=40, cols=132, stdin=None)
    wait_until(lambda: b"40 132" in api.output(run)["stdout"], what="the size")
    api.request("POST", f"/v1/runs/{run}/resize", {"rows": 7, "cols": 9}).expect(204)
    api.request("POST", f"/v1/runs/{run}/stdin", b"word\n").expect(200)
    ended = api.ended(run)
    assert cause(ended) == "ok" and ended["tty"]
    assert b"got word\r\n7 9\r\n" in api.output(run)["stdout"]
    api.request("POST", f"/v1/runs/{run}/resize", {"rows": 7, "cols": 9}).problem(410, "stopped")


# ---- what comes out ----


def test_output_by_stream_and_in_order(api):
    run = api.run(["sh", "-c", "echo 1; echo 2 >&2; sleep 0.01; echo 3; printf '\\377'"])["id"]
    got = lines(api, run)
    assert [e["t_us"] for e in got] == sorted(e["t_us"] for e in got)
    assert api.output(run) == {"stdout": b"1\n3\n\xff", "stderr": b"2\n"}
    assert {e["stream"] for e in lines(api, run, "?stream=stderr")} == {"stderr"}
    assert [e for e in got if e["stream"] == "stdout"] == lines(api, run, "?stream=stdout")


def test_copies_lie_beside_the_output(api, daemon):
    """They are written when those who wait have been told: soon, and before the daemon ends."""
    run = api.run(["echo", "out"])
    silent = api.run(["true"])
    daemon.stop()
    at = daemon.place.state / "runs"
    assert json.loads((at / run["id"] / "verdict.json").read_text()) == run["verdict"]
    assert json.loads((at / run["id"] / "observation.json").read_text())["id"] == run["id"]
    assert not (at / silent["id"]).exists()


def test_output_that_is_followed(api):
    run = started(api)
    connection = api.connect()
    connection.request("GET", f"/v1/runs/{run}/output?follow=1")
    answer = connection.getresponse()
    for i in range(20):
        api.request("POST", f"/v1/runs/{run}/stdin", f"{i}\n".encode()).expect(200)
        assert json.loads(answer.readline())["text"] == f"{i}\n"
    api.request("POST", f"/v1/runs/{run}/stdin?close=1", b"last").expect(200)
    assert json.loads(answer.read())["text"] == "last"
    connection.close()
    assert cause(api.ended(run)) == "ok"


def test_output_is_followed_by_many(api):
    run = started(api)

    def follow():
        return b"".join(e["text"].encode() for e in lines(api, run, "?follow=1"))

    def feed():
        for i in range(100):
            api.request("POST", f"/v1/runs/{run}/stdin", f"{i}\n".encode()).expect(200)
        api.request("POST", f"/v1/runs/{run}/stdin?close=1", b"").expect(200)

    got = meanwhile(lambda f: f(), (feed,), *[(follow,)] * 16)[1:]
    assert set(got) == {b"".join(b"%d\n" % i for i in range(100))}


def test_following_what_says_nothing(api):
    run = started(api)
    before = api.get("/v1/stats")["requests_working"]
    connection = api.connect()
    connection.request("GET", f"/v1/runs/{run}/output?follow=1")
    wait_until(lambda: api.get("/v1/stats")["requests_working"] == before + 1, what="the follower")
    connection.close()
    wait_until(lambda: api.get("/v1/stats")["requests_working"] == before, what="the follower gone")
    api.request("POST", f"/v1/runs/{run}/stdin?close=1", b"").expect(200)
    assert lines(api, run, "?follow=1") == []


@pytest.mark.parametrize("query", ["", "?stream=stderr"])
def test_who_reads_much_holds_up_nobody(daemon, api, query):
    """Also where nothing is found in what is read."""
    run = api.run(["head", "-c", "48000000", "/dev/zero"])["id"]
    sizes, waited = [], []

    def read_it():
        sizes.append(len(Api(daemon).request("GET", f"/v1/runs/{run}/output{query}").expect(200).body))

    readers = [threading.Thread(target=read_it) for _ in range(3)]
    for reader in readers:
        reader.start()
    while any(reader.is_alive() for reader in readers):
        began = time.monotonic()
        assert Api(daemon).get("/healthz") == {"status": "ok"}  # by a connection of its own
        waited.append(time.monotonic() - began)
    assert len(set(sizes)) == 1 and len(sizes) == 3 and (sizes[0] > 48000000) == (query == "")
    assert len(waited) > 3 and max(waited) < seconds(1), (len(waited), max(waited))


@pytest.mark.root
def test_a_slow_reader_holds_up_nobody(daemon, api):
    """A flood goes on at its own speed, memory stays flat, and what the reader misses is said."""
    run = api.run(["head", "-c", str(96 << 20), "/dev/zero"], wait=False)["id"]
    connection = api.connect()
    connection.request("GET", f"/v1/runs/{run}/output?follow=1")
    answer = connection.getresponse()
    answer.read(1000)
    before = resident(daemon.pid)
    ended = api.ended(run)
    assert cause(ended) == "ok"
    assert resident(daemon.pid) < before + (6 << 10) * (6 if SANITIZED else 1)
    usage = ended["verdict"]["usage"]["output"]
    assert usage["seen_bytes"] == 96 << 20 and usage["dropped_bytes"] > 0
    connection.close()
    seen = sum(len(e["text"]) if "text" in e else e["dropped_bytes"] for e in lines(api, run))
    assert seen == 96 << 20


def test_timeline(api):
    run = api.run(["sh", "-c", "sleep 1"])["id"]
    got = [json.loads(line) for line in api.request("GET", f"/v1/runs/{run}/timeline").expect(200).body.splitlines()]
    assert got[0]["timeline"] == 1 and got[1]["t_us"] >= 100000 and len(got) >= 2


def put_execs(place, run, text):
    """As the warden of the run would have written it."""
    directory = pathlib.Path(place.env["BULKHEAD_STATE"]) / "runs" / run
    for part in (directory.parent, directory):
        part.mkdir(mode=0o700, exist_ok=True)
        place.own(part)
    (directory / "exec.jsonl").write_bytes(text)
    place.own(directory / "exec.jsonl")


def test_execs_come_in_pages(place, api):
    run = api.run(["true"])["id"]
    line = b'{"t_us":%d,"outcome":"started","enforced":true,"argc":2,"argv":["git",{"base64":"/w=="}]}\n'
    put_execs(place, run, b"".join(line % i for i in range(2500)) + b"damaged\n" + line % 2500 + b'{"t_us":')
    seen, at, sizes = [], 0, []
    while not seen or page["more"]:
        page = api.get(f"/v1/runs/{run}/execs?from={at}")
        seen += page["execs"]
        sizes.append(len(page["execs"]))
        at = page["next"]
    assert sizes == [1000, 1000, 501] and [e["t_us"] for e in seen] == list(range(2501))
    assert seen[0]["argv"] == ["git", {"base64": "/w=="}]
    assert api.get(f"/v1/runs/{run}/execs?from={at}") == {"execs": [], "next": at, "more": False}  # the line is being written
    assert [e["t_us"] for e in api.get(f"/v1/runs/{run}/execs?limit=2")["execs"]] == [0, 1]
    assert [e["t_us"] for e in api.get(f"/v1/runs/{run}/execs?limit=1&from=5")["execs"]] == [1]  # not where a line begins
    assert api.get(f"/v1/runs/{run}/execs?from={2**63 - 1}")["execs"] == []


@pytest.mark.root
def test_an_answer_with_execs_is_bounded(daemon, place, api):
    """Long lines, and what is not one."""
    run = api.run(["true"])["id"]
    line = b'{"t_us":%d,"outcome":"started","enforced":true,"argc":1,"argv":["' + b"x" * 4000 + b'"]}\n'
    put_execs(place, run, b"".join(line % i for i in range(1500)) + b"\0" * (8 << 20))
    before = resident(daemon.pid)
    answer = api.request("GET", f"/v1/runs/{run}/execs").expect(200)
    assert len(answer.body) < 1200 << 10 and answer.json["more"]
    last = api.get(f"/v1/runs/{run}/execs?from={1490 * len(line % 1000)}")
    assert last["execs"][-1]["t_us"] == 1499 and not last["more"]
    assert resident(daemon.pid) < before + (8 << 10) * (6 if SANITIZED else 1)


# ---- being ended ----


def test_signals(api):
    run = started(api, ["sh", "-c", "trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done"])
    wait_until(lambda: api.output(run)["stdout"] == b"ready\n", what="a program that is ready")
    for body in ({"signal": "USR99"}, {"signal": 0}, {"signal": 65}, {"signal": []}, {}, {"signal": "USR1", "x": 1}):
        api.request("POST", f"/v1/runs/{run}/signal", body).problem(400, "invalid")
    api.request("POST", f"/v1/runs/{run}/signal", {"signal": "SIGUSR1"}).expect(204)
    assert exit_code(api.ended(run)) == 9
    api.request("POST", f"/v1/runs/{run}/signal", {"signal": "USR1"}).problem(410, "stopped")


def test_cancel(api):
    run = started(api, ["sleep", "60"])
    answer = api.request("DELETE", f"/v1/runs/{run}").expect(202)
    assert answer.json["id"] == run
    ended = api.ended(run)
    assert cause(ended) == "cancelled" and ended["verdict"]["signal"] == signal.SIGTERM
    api.request("DELETE", f"/v1/runs/{run}").problem(410, "stopped")


def test_cancel_now(api):
    run = started(api, ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"])
    wait_until(lambda: api.output(run)["stdout"] == b"ready\n", what="a program that is ready")
    began = time.monotonic()
    ended = end(api, run)
    assert cause(ended) == "cancelled" and ended["verdict"]["signal"] == signal.SIGKILL
    assert time.monotonic() - began < seconds(1.5)


def test_many_cancel_at_once(api):
    run = started(api, ["sleep", "60"])
    answers = meanwhile(lambda: api.request("DELETE", f"/v1/runs/{run}?wait=1"), *[()] * 8)
    assert {a.status for a in answers} <= {200, 410} and 200 in {a.status for a in answers}
    assert cause(api.ended(run)) == "cancelled"


def test_many_wait_for_one(api):
    run = started(api)
    done = meanwhile(lambda f: f(), *[(lambda: api.ended(run),)] * 32,
                     (lambda: api.request("POST", f"/v1/runs/{run}/stdin?close=1", b"").expect(200),))
    assert {r["id"] for r in done[:32]} == {run} and {cause(r) for r in done[:32]} == {"ok"}


def test_a_client_that_goes(daemon, api):
    """Its run goes on; with gone=cancel it does not."""
    for query, then in (("?wait=1", "running"), ("?wait=1&gone=leave", "running"), ("?wait=1&gone=cancel", "ended")):
        connection = api.connect()
        connection.request("POST", "/v1/runs" + query, json.dumps({"argv": ["sleep", "60"]}), {"Content-Type": "application/json"})
        wait_until(lambda: api.get("/v1/stats")["running"] == 1, what="the run")
        run = api.get("/v1/runs?limit=1")["runs"][0]["id"]
        connection.close()
        wait_until(lambda: api.get("/v1/stats")["requests_working"] == 1, what="the client gone")
        if then == "ended":
            assert cause(api.ended(run)) == "cancelled"
        else:
            assert api.get(f"/v1/runs/{run}")["state"] == then
            end(api, run)


def test_the_queue(daemon):
    """One runs, two wait, the next is sent away; what waits can be cancelled."""
    daemon.restart("--max-runs", 1, "--max-queue", 2)
    api = Api(daemon)
    first = started(api)
    waiting = [api.run(["true"], wait=False, key="q")["id"] for _ in range(2)]
    assert [api.get(f"/v1/runs/{run}")["state"] for run in waiting] == ["queued", "queued"]
    listed = api.get("/v1/runs?key=q")["runs"]
    assert [r["id"] for r in listed] == waiting[::-1] and {r["state"] for r in listed} == {"queued"}
    assert listed[0]["argv"] == ["true"]
    refused = api.request("POST", "/v1/runs", {"argv": ["true"]})
    refused.problem(429, "queue_full")
    assert refused.headers["Retry-After"].isdigit()
    assert cause(end(api, waiting[1])) == "cancelled"
    api.request("POST", f"/v1/runs/{first}/stdin?close=1", b"").expect(200)
    assert cause(api.ended(waiting[0])) == "ok"
    assert api.get("/v1/stats")["refused_total"] >= 1


def test_who_leaves_the_queue_makes_no_room(daemon):
    daemon.restart("--max-runs", 1)
    api = Api(daemon)
    first = started(api)
    second, third = [api.run(["cat"], wait=False, stdin={"open": True})["id"] for _ in range(2)]
    before = api.get("/v1/stats")["memory_promised_bytes"]
    assert cause(end(api, second)) == "cancelled"
    assert api.run(["true"], wait=False)["state"] == "queued"  # behind the third, had that found room
    stats = api.get("/v1/stats")
    assert (stats["running"], stats["starting"], stats["queued"]) == (1, 0, 2)
    assert stats["memory_promised_bytes"] == before
    assert api.get(f"/v1/runs/{third}")["state"] == "queued"
    end(api, first)
    wait_until(lambda: api.get(f"/v1/runs/{third}")["state"] == "running", what="its turn")
    end(api, third)


def test_what_can_never_be(daemon):
    daemon.restart("--memory", "64M")
    api = Api(daemon)
    api.request("POST", "/v1/runs", {"argv": ["true"], "limits": {"memory": "65M"}}).problem(422, "never")
    assert cause(api.run(["true"], limits={"memory": "64M"})) == "ok"


# ---- records ----


def test_records_are_shared_with_the_command_line(daemon, api, place):
    run = api.run(["sh", "-c", "echo hello; exit 3"], key="mine")["id"]
    assert run in place.command("runs").out
    assert "exit_nonzero" in place.command("show", run).out
    assert place.command("logs", run).out == "hello\n"
    assert json.loads(place.command("explain", "--json", run).out)["agrees"] is True
    local = place.command("run", "--key", "mine", "--", "sh", "-c", "exit 4")
    assert local.status == 4
    listed = api.get("/v1/runs?key=mine")["runs"]
    assert [(r["exit_status"], r["state"]) for r in listed] == [(4, "ended"), (3, "ended")]
    theirs = api.get(f"/v1/runs/{listed[0]['id']}?wait=1")
    assert exit_code(theirs) == 4 and theirs["state"] == "ended"
    for method, target, body in (("DELETE", "", None), ("POST", "/signal", {"signal": 15}), ("POST", "/stdin", b"x")):
        api.request(method, f"/v1/runs/{listed[0]['id']}{target}", body).problem(410, "stopped")


def test_runs_outlive_the_daemon(daemon, api):
    run = api.run(["sh", "-c", "echo kept; exit 5"])
    daemon.restart()
    again = api.get(f"/v1/runs/{run['id']}")
    assert again["verdict"] == run["verdict"] and again["exit_status"] == 5
    assert api.output(run["id"])["stdout"] == b"kept\n"
    assert api.get("/v1/runs?cause=exit_nonzero")["runs"][0]["id"] == run["id"]


def test_runs_of_a_daemon_that_died_are_lost(daemon, api):
    run = started(api)
    api.request("POST", f"/v1/runs/{run}/stdin", b"so far\n").expect(200)
    wait_until(lambda: api.output(run)["stdout"] == b"so far\n", what="its output")
    daemon.kill()
    daemon.start()
    lost = api.get(f"/v1/runs/{run}?wait=1")
    assert lost["state"] == "lost" and cause(lost) == "supervisor_lost" and lost["exit_status"] is None
    assert api.output(run)["stdout"] == b"so far\n"


def test_a_run_of_another_supervisor(daemon, api, place):
    """It is seen, and neither waited for nor touched."""
    process = place.start("run", "--key", "theirs", "--", "cat", stdin=-1)
    try:
        listed = wait_until(lambda: api.get("/v1/runs?key=theirs")["runs"], what="their run")[0]
        assert listed["state"] == "running"
        assert api.get(f"/v1/runs/{listed['id']}")["state"] == "running"
        api.request("GET", f"/v1/runs/{listed['id']}?wait=1").problem(409, "busy")
        api.request("DELETE", f"/v1/runs/{listed['id']}").problem(409, "busy")
        api.request("POST", f"/v1/runs/{listed['id']}/signal", {"signal": 9}).problem(409, "busy")
    finally:
        process.stdin.close()
        assert process.wait(seconds(20)) == 0
