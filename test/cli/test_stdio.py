# SPDX-License-Identifier: MIT
"""Standard input, output and error: untouched without capture, never wedged with it."""

import json
import os
import pty
import subprocess
import termios
import threading
import time

import pytest

from support import MIB, PYTHON, helper, run_time, seconds

vm = pytest.mark.vm
CAPTURE = [[], ["--output-limit", "10G"]]  # the second pipes both streams through bulkhead


@pytest.fixture(params=CAPTURE, ids=["untouched", "captured"])
def capture(request):
    return request.param


# ---- without capture ----


@vm
def test_the_program_has_the_callers_own_descriptors(bulkhead):
    """The same pipes, by inode, and not one process between."""
    pairs = [os.pipe() for _ in range(3)]
    ends = [pairs[0][0], pairs[1][1], pairs[2][1]]
    wanted = [os.fstat(fd).st_ino for fd in ends]
    p = bulkhead.start("run", "sh", "-c", "stat -Lc %i /dev/stdin /dev/stdout /dev/stderr",
                       stdin=ends[0], stdout=ends[1], stderr=ends[2])
    for fd in [*ends, pairs[0][1]]:
        os.close(fd)
    with os.fdopen(pairs[1][0]) as out, os.fdopen(pairs[2][0]) as err:
        assert [int(n) for n in out.read().split()] == wanted, err.read()
    assert p.wait(seconds(10)) == 0


def test_a_terminal_stays_one(bulkhead):
    main, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (37, 91))
    p = bulkhead.start("run", "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && stty size",
                       stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    assert p.wait(seconds(10)) == 0
    assert os.read(main, 100) == b"37 91\r\n"
    os.close(main)


# ---- both ways ----


def test_eof_reaches_the_program(bulkhead, capture):
    r = bulkhead.run(*capture, "sh", "-c", "cat; echo end", input=b"line\n")
    r.expect("ok", 0)
    assert r.out == "line\nend\n"


def test_every_byte_comes_through(bulkhead, capture):
    data = bytes(range(256)) * 4096
    r = bulkhead.run(*capture, "sh", "-c", "cat; printf 'e\\0\\377' >&2", input=data)
    r.expect("ok", 0)
    assert r.stdout == data and r.stderr == b"e\0\xff"


def test_stdin_that_is_never_read_holds_nothing_up(bulkhead, capture):
    read, write = os.pipe()
    r = bulkhead.run(*capture, "true", stdin=read)
    os.close(read)
    os.close(write)
    r.expect("ok", 0)


@vm
def test_a_grandchild_with_the_pipe_does_not_keep_the_run(bulkhead, capture):
    r = bulkhead.run(*capture, "--grace", run_time(0.2), "sh", "-c", f"{helper('stubborn')} & echo leader")
    r.expect("ok", 0)
    assert "leader" in r.out
    assert r.duration < seconds(5)


@vm
def test_what_is_written_after_term_is_kept(bulkhead, capture):
    r = bulkhead.run(*capture, "--timeout", run_time(1), helper("stubborn"), "polite", "0")
    r.expect("wall_timeout", 124)
    assert r.out == "ready\nbye\n"


def test_a_closed_reader_ends_it(bulkhead, capture):
    """EPIPE reaches the program: it ends, and does not write into nowhere for ever."""
    with bulkhead.background(*capture, helper("flood"), 4000, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL) as p:
        assert p.stdout.read(1000)
        p.stdout.close()
        p.stdout = None
        assert p.wait(seconds(10)) in (141, 3)
    assert bulkhead.read_verdict(p.verdict_path)["cause"] in ("crash", "exit_nonzero")


def test_a_flood_is_counted_and_never_wedged(bulkhead, capture, cgroups):
    r = bulkhead.run(*capture, helper("flood"), 200, stdout=subprocess.DEVNULL)
    r.expect("ok", 0)
    if capture:
        output = r.verdict["usage"]["output"]
        assert output["seen_bytes"] == 200 * MIB
        assert output["kept_bytes"] + output["dropped_bytes"] == 200 * MIB
        assert output["kept_bytes"] <= 65 * MIB


def test_both_streams_flood(bulkhead, capture):
    flood = helper("flood")
    r = bulkhead.run(*capture, "sh", "-c", f"{flood} 8 & {flood} 8 >&2; wait")
    r.expect("ok", 0)
    assert (len(r.stdout), len(r.stderr)) == (8 * MIB, 8 * MIB)


def test_a_slow_reader_loses_nothing(bulkhead, capture):
    with bulkhead.background(*capture, helper("flood"), 8, stdout=subprocess.PIPE) as p:
        got = b""
        while chunk := os.read(p.stdout.fileno(), 100_000):
            got += chunk
            time.sleep(0.001)
        assert len(got) == 8 * MIB
        assert p.wait(seconds(10)) == 0


@pytest.mark.slow
def test_a_reader_that_sleeps_does_not_keep_a_time_out_waiting(bulkhead, capture):
    with bulkhead.background(*capture, "--timeout", run_time(0.3), "--grace", run_time(0.2), helper("flood"), 100,
                             stdout=subprocess.PIPE) as p:
        began = time.monotonic()
        p.wait(seconds(15))
        assert time.monotonic() - began < seconds(14)
        assert bulkhead.read_verdict(p.verdict_path)["cause"] == "wall_timeout"


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_descriptors(bulkhead, capture, closed):
    """The program finds /dev/null there, and never somebody else's file."""
    words = " ".join(f"{fd}>&-" for fd in closed)
    bulkhead.wrapper = ["sh", "-c", f'exec "$@" {words}', "sh"]
    r = bulkhead.run(*capture, "sh", "-c", "readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 >seen; echo out; true")
    assert r.verdict["cause"] == "ok"
    seen = (bulkhead.cwd / "seen").read_text().split()
    assert len(seen) == 3


# ---- the log ----


def log_events(path):
    """The events of a log: its head, and the segments of its tail by number."""
    segments = sorted(path.glob("output.*.jsonl"), key=lambda p: int(p.name.split(".")[1]))
    files = [path / "output.jsonl", *segments]
    return [json.loads(line) for f in files for line in f.read_text().splitlines()]


@vm
def test_log(bulkhead):
    log = bulkhead.top / "log"
    script = "for i in 1 2 3; do echo out $i; sleep 0.05; echo err $i >&2; sleep 0.05; done; exit 5"
    r = bulkhead.run("--log", log, "sh", "-c", script)
    r.expect("exit_nonzero", 5)
    assert r.out == "out 1\nout 2\nout 3\n"
    assert r.err.startswith("err 1\nerr 2\nerr 3\nbulkhead: exit_nonzero")
    events = log_events(log)
    # on a machine that is late two of a stream may be one, and what came at once in either order
    for stream in "out", "err":
        assert "".join(e["text"] for e in events if e["stream"] == f"std{stream}") == "".join(
            f"{stream} {i}\n" for i in (1, 2, 3))
    times = [e["t_us"] for e in events]
    assert times == sorted(times) and times[-1] <= r.verdict["usage"]["wall_us"]
    replay = bulkhead.command("logs", r.verdict["id"])
    assert (replay.status, replay.out, replay.err) == (0, r.out, "err 1\nerr 2\nerr 3\n")
    only = bulkhead.command("logs", "--stream", "stderr", r.verdict["id"])
    assert (only.out, only.err) == ("", "err 1\nerr 2\nerr 3\n")
    again = bulkhead.command("logs", "--json", r.verdict["id"])
    assert [json.loads(line)["text"] for line in again.out.splitlines()] == [e["text"] for e in events]


def test_log_of_what_is_no_text(bulkhead):
    log = bulkhead.top / "log"
    data = b"\x00\xff\xfe\x80 text \xc3\xa4 \xc3"
    r = bulkhead.run("--log", log, "cat", input=data).expect("ok", 0)
    assert r.stdout == data
    assert bulkhead.command("logs", "--raw", r.verdict["id"]).stdout == data


def test_log_of_a_flood_keeps_head_and_tail(bulkhead):
    log = bulkhead.top / "log"
    script = f"echo head; {helper('flood')} 200; echo tail"
    r = bulkhead.run("--log", log, "sh", "-c", script, stdout=subprocess.DEVNULL).expect("ok", 0)
    output = r.verdict["usage"]["output"]
    assert output["seen_bytes"] == 200 * MIB + 10
    assert output["dropped_bytes"] > 0
    assert output["kept_bytes"] + output["dropped_bytes"] == output["seen_bytes"]
    events = log_events(log)
    assert events[0]["text"].startswith("head\n") and events[-1]["text"].endswith("tail\n")
    gaps = [e["dropped_bytes"] for e in events if "segment" in e]
    assert output["dropped_bytes"] in gaps
    assert sum(f.stat().st_size for f in log.iterdir()) <= 64 * MIB
    replay = bulkhead.command("logs", "--raw", r.verdict["id"])
    assert replay.out.startswith("head\n") and replay.out.endswith("tail\n")
    assert len(replay.stdout) == output["kept_bytes"]


def test_log_is_written_as_it_happens(bulkhead):
    log = bulkhead.top / "log"
    with bulkhead.background("--log", log, "sh", "-c", "echo first; read x; echo second", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"first\n"
        # seen by the caller means written: what a kill leaves is everything up to it
        assert [e["text"] for e in log_events(log)] == ["first\n"]
        p.stdin.write(b"\n")
        p.stdin.flush()
        assert p.stdout.readline() == b"second\n"
        assert p.wait(seconds(10)) == 0


@pytest.mark.parametrize("spoil", ["truncate -s 4T log/output.jsonl", "rm log/output.jsonl; truncate -s 4T log/output.jsonl"])
def test_a_log_that_the_program_spoils(bulkhead, spoil):
    """It lies where the program may write. Who reads it looks through no terabytes that are not there."""
    log = bulkhead.top / "log"
    r = bulkhead.run("--log", log, "--write", bulkhead.top, "--workdir", bulkhead.top, "sh", "-c", f"echo text; {spoil}")
    r.expect("ok", 0)
    logs = bulkhead.command("logs", r.verdict["id"], deadline=10)
    assert logs.status != 0 and "written over" in logs.err
    assert (log / "output.jsonl").stat().st_size >= 4 << 40


def test_captured_output_is_recorded_without_a_log(bulkhead):
    r = bulkhead.run("--idle-timeout", "1m", "sh", "-c", "echo text").expect("ok", 0)
    run = bulkhead.state / "runs" / r.verdict["id"]
    assert [e["text"] for e in log_events(run)] == ["text\n"]
    assert json.loads((run / "verdict.json").read_text()) == r.verdict
    assert bulkhead.command("logs", r.verdict["id"]).out == "text\n"


def test_capture_by_policy(bulkhead):
    policy = bulkhead.file("policy.yaml", "extends: default\ncapture: {log: true}\n")
    r = bulkhead.run("--policy", policy, "echo", "text").expect("ok", 0)
    assert bulkhead.command("logs", r.verdict["id"]).out == "text\n"


def test_output_of_many_runs_at_once_is_not_mixed(bulkhead):
    results = {}

    def one(n):
        results[n] = bulkhead.command("run", "--idle-timeout", "1m", "sh", "-c", f"yes {n} | head -n 5000")

    threads = [threading.Thread(target=one, args=[n]) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {n: r.out for n, r in results.items()} == {n: f"{n}\n" * 5000 for n in range(6)}


@pytest.mark.user
def test_a_full_pipe_does_not_keep_bulkhead_from_ending(bulkhead):
    """The program has filled it, and the caller reads when all is over."""
    with bulkhead.background("--timeout", run_time(1), "--grace", 0, "sh", "-c", "yes >&2",
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        assert p.wait(seconds(20)) == 124
        assert p.stderr.read().endswith(b"y\n")
    assert bulkhead.read_verdict(p.verdict_path)["cause"] == "wall_timeout"
