# SPDX-License-Identifier: MIT
"""exec, attach, box, signal and kill against a daemon that is played by the test, and may be hostile."""

import hashlib
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys

import pytest

import fake_daemon
from fake_daemon import GAP, PROBLEM, RESIZE, STDERR, STDIN, STDOUT, FakeDaemon, answer, frame, verdict
from support import USER_ID, seconds, wait_until
from terminal import CONTROL_C, Terminal


@pytest.fixture
def daemon(bulkhead):
    with FakeDaemon(bulkhead.top) as d:
        bulkhead.env["BULKHEAD_SOCKET"] = d.path
        yield d


def calls(daemon, method, path):
    return [body for m, p, body in daemon.requests if (m, p) == (method, path)]


# ---- what goes through ----


@pytest.mark.parametrize("cause, code, number, status", [
    ("ok", 0, None, 0),
    ("exit_nonzero", 42, None, 42),
    ("exit_nonzero", 137, None, 137),
    ("crash", None, 11, 139),
    ("wall_timeout", None, 15, 124),
    ("memory_limit", None, 9, 137),
    ("not_executable", 126, None, 126),
    ("not_found", 127, None, 127),
    ("setup_failed", None, None, 125),
    ("cancelled", None, None, 143),
])
def test_the_end_is_that_of_run(bulkhead, daemon, cause, code, number, status):
    daemon.attach = lambda a: a.send(verdict(cause, code, number, summary="so \x1b[2J it went"))
    path = bulkhead.verdict_path()
    result = bulkhead.command("exec", "--verdict", path, "b1", "--", "true")
    assert result.status == status
    assert result.err == ("" if cause == "ok" else f"bulkhead: {cause}: so \\x1b[2J it went\n")
    assert json.loads(path.read_bytes())["cause"] == cause
    assert bulkhead.command("exec", "--quiet", "b1", "true").err == \
        ("" if cause != "setup_failed" else result.err)


def test_what_the_verdict_does_not_tell_is_asked_for(bulkhead, daemon):
    """A program that exits with 0 when it is cut off by KILL."""
    daemon.attach = lambda a: a.send(verdict("output_limit", 0))
    daemon.run = fake_daemon.RUN | {"state": "ended", "exit_status": 137}
    assert bulkhead.command("exec", "b1", "yes").status == 137
    daemon.answers["GET", "/v1/runs/r1"] = answer(404, {"detail": "gone"})
    assert bulkhead.command("exec", "b1", "yes").status == 143


def test_output_comes_as_it_was_written(bulkhead, daemon):
    out, err = os.urandom(300000), os.urandom(5000)

    def attach(a):
        for i in range(0, len(out), 65536):
            a.send(frame(STDOUT, out[i:i + 65536]))
        a.send(frame(STDERR), frame(STDERR, err), frame(GAP, struct.pack(">Q", 7)), verdict())

    daemon.attach = attach
    result = bulkhead.command("exec", "b1", "true")
    assert (result.status, result.stdout) == (0, out)
    assert result.stderr == err + b"bulkhead: 7 bytes of output were not kept here\n"
    assert daemon.attached_to == ["/v1/runs/r1/attach?gone=cancel&pace=1"]


def test_frames_in_pieces(bulkhead, daemon):
    def attach(a):
        for byte in frame(STDOUT, b"piece") + frame(STDERR, b"meal\n") + verdict("exit_nonzero", 3):
            a.send(bytes([byte]))

    daemon.attach = attach
    result = bulkhead.command("exec", "b1", "true")
    assert (result.status, result.stdout) == (3, b"piece")
    assert result.stderr.startswith(b"meal\n")


@pytest.mark.parametrize("size", [0, 1, 40000, 3 << 20])
def test_stdin_goes_to_its_end(bulkhead, daemon, size):
    data, seen = os.urandom(size), []

    def attach(a):
        seen.append(a.stdin())
        a.send(verdict())

    daemon.attach = attach
    assert bulkhead.command("exec", "b1", "cat", input=data).status == 0
    assert seen == [data]


def test_stdin_of_a_file(bulkhead, daemon):
    seen = []
    daemon.attach = lambda a: (seen.append(a.stdin()), a.send(verdict()))
    with open(bulkhead.file("input", b"x" * 100000), "rb") as f:
        assert bulkhead.command("exec", "b1", "cat", stdin=f).status == 0
    assert seen == [b"x" * 100000]


def test_a_program_that_does_not_read(bulkhead, daemon):
    """Its refusal ends the sending, not the run."""
    daemon.attach = lambda a: a.send(frame(PROBLEM, b'{"detail":"it reads no more"}'),
                                     frame(STDOUT, b"done"), verdict())
    result = bulkhead.command("exec", "b1", "true", input=b"x" * (4 << 20))
    assert (result.status, result.out, result.err) == (0, "done", "")


def test_what_is_asked_for(bulkhead, daemon):
    result = bulkhead.command("exec", "--memory", "64M", "--timeout", "1500ms", "--cpus", "1.5", "--pids", "unlimited",
                              "--oom", "process", "--grace", "3s", "--env", "A=1", "--key", "k", "--workdir", "/w",
                              "--best-effort", "a/b", "--", "echo", b"\xff", "")
    assert result.status == 0
    assert daemon.requests == [("POST", "/v1/boxes/a%2Fb/runs", {
        "argv": ["echo", {"base64": "/w=="}, ""], "cwd": "/w", "env": {"A": "1"}, "key": "k", "best_effort": True,
        "limits": {"memory": 64 << 20, "timeout": "1500000us", "cpus": "1.5", "pids": None, "oom": "process",
                   "grace": "3000000us"},
        "stdin": {"open": True}})]
    daemon.requests.clear()
    assert bulkhead.command("run", "--box", "b1", "true").status == 0
    assert daemon.requests == [("POST", "/v1/boxes/b1/runs", {"argv": ["true"], "stdin": {"open": True}})]


# ---- a daemon that is none ----


@pytest.mark.parametrize("bytes_, why", [
    (b"", "closed the connection"),
    (frame(STDOUT, b"some"), "closed the connection"),
    (frame(STDOUT, b"some")[:-2], "closed the connection"),
    (verdict()[:-3], "closed the connection"),
    (frame(STDIN, b"x"), "makes no sense"),
    (frame(99), "makes no sense"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "makes no sense"),
    (struct.pack(">B3xI", STDOUT, 65537), "makes no sense"),
    (struct.pack(">B3xI", fake_daemon.VERDICT, (16 << 20) + 1), "makes no sense"),
    (struct.pack(">B3xI", STDOUT, 0xffffffff), "makes no sense"),
    (b"\x11\x00\x01\x00\x00\x00\x00\x00", "makes no sense"),
    (frame(GAP, b"1234"), "makes no sense"),
    (frame(fake_daemon.VERDICT, b""), "not a verdict"),
    (frame(fake_daemon.VERDICT, b"\0" * 50), "not a verdict"),
    (frame(fake_daemon.VERDICT, b"[" * 100000), "not a verdict"),
    (frame(fake_daemon.VERDICT, b'{"cause":"happy","summary":""}'), "not a verdict"),
])
def test_nonsense_is_an_error_and_no_hang(bulkhead, daemon, bytes_, why):
    daemon.attach = lambda a: a.send(bytes_)
    path = bulkhead.verdict_path()
    result = bulkhead.command("exec", "--verdict", path, "b1", "true", deadline=20)
    assert result.status == 125
    assert why in result.err and "(blame: host)" in result.err
    assert not path.exists()


@pytest.mark.parametrize("bytes_, why", [
    (answer(200, b"hello"), "not a run"),
    (answer(201, {"id": 7, "state": "running"}), "not a run"),
    (answer(404, {"detail": "there is no box 'b1'", "blame": "request"}), "no box 'b1' (blame: request)"),
    (answer(503, b"<html>busy"), "answers 503"),
    (b"220 mail.example ESMTP\r\n", "makes no sense"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "closed in the middle"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100000 + b"\r\n\r\n", "head is larger"),
    (b"\0" * 1000, "makes no sense"),
])
def test_nonsense_for_an_answer(bulkhead, daemon, bytes_, why):
    daemon.answers["POST", "/v1/boxes/b1/runs"] = bytes_
    result = bulkhead.command("exec", "b1", "true", deadline=20)
    assert result.status == 125
    assert why in result.err
    assert result.err.count("\n") == 1 and result.stdout == b""


def test_no_daemon(bulkhead):
    bulkhead.env["BULKHEAD_SOCKET"] = str(bulkhead.top / "none.sock")
    for words in (["exec", "b", "true"], ["box", "list"], ["kill", "r"], ["attach", "r"], ["run", "--box", "b", "true"]):
        result = bulkhead.command(*words)
        assert result.status == 125
        assert f"no daemon at '{bulkhead.top}/none.sock'; start one with 'bulkhead serve'" in result.err


@pytest.mark.root
def test_a_stranger_is_not_talked_to(bulkhead):
    """Somebody else's process at the daemon's place would see what is run, and its input."""
    directory = bulkhead.directory("theirs")
    os.chown(directory, USER_ID, USER_ID)
    program = f"import os, socket, sys; os.setuid({USER_ID}); s = socket.socket(socket.AF_UNIX); " \
        "s.bind('theirs/s'); s.listen(); print(flush=True); c = s.accept()[0]; print(c.recv(100))"
    with subprocess.Popen([sys.executable, "-c", program], cwd=bulkhead.top, stdout=subprocess.PIPE) as stranger:
        stranger.stdout.readline()
        bulkhead.env["BULKHEAD_SOCKET"] = str(directory / "s")
        result = bulkhead.command("exec", "b", "true")
        assert stranger.stdout.read() == b"b''\n"
    os.unlink(directory / "s")
    assert result.status == 125
    assert f"belongs to uid {USER_ID}, neither you nor root" in result.err


# ---- a caller who does not read ----


def memory_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) << 10


def test_unread_output_is_not_held(bulkhead, daemon):
    total, sent, sums = 64 << 20, [0], [hashlib.sha256()]

    def attach(a):
        while sent[0] < total:
            piece = os.urandom(65536)
            a.send(frame(STDOUT, piece))
            sums[0].update(piece)
            sent[0] += len(piece)
        a.send(verdict())

    daemon.attach = attach
    process = bulkhead.start("exec", "b1", "true", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: sent[0], what="the first output")
    held = -1
    while held != sent[0]:  # until nothing more fits anywhere
        held = sent[0]
        daemon.event.wait(0.3)
    assert 0 < held < 4 << 20
    before = memory_of(process.pid)
    digest = hashlib.sha256(process.stdout.read(32 << 20))
    assert memory_of(process.pid) < before + (1 << 20)
    digest.update(process.stdout.read())
    result = bulkhead.finish(process)
    assert (result.status, result.err) == (0, "")
    assert digest.digest() == sums[0].digest()


def test_signals_go_while_output_is_unread(bulkhead, daemon):
    stuck = []

    def attach(a):
        a.stream.settimeout(0.3)
        try:
            while not daemon.event.is_set():
                a.send(frame(STDOUT, b"x" * 65536))
        except TimeoutError:
            stuck.append(True)
        daemon.event.wait(seconds(20))

    daemon.attach = attach
    process = bulkhead.start("exec", "b1", "true", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: stuck, what="a full pipe")
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: calls(daemon, "DELETE", "/v1/runs/r1"), what="the cancelling")
    daemon.event.set()
    assert bulkhead.finish(process).status == 125


def test_nobody_reads_any_more(bulkhead, daemon):
    def attach(a):
        for _ in range(100):
            a.send(frame(STDOUT, b"x" * 65536))
        wait_until(lambda: calls(daemon, "POST", "/v1/runs/r1/signal"))
        a.send(frame(STDOUT, b"more"), verdict("cancelled", None, 13))

    daemon.attach = attach
    process = bulkhead.start("exec", "b1", "yes", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    process.stdout = None
    assert bulkhead.finish(process).status == 141
    assert calls(daemon, "POST", "/v1/runs/r1/signal") == [{"signal": signal.SIGPIPE}]


# ---- signals ----


def playing(daemon):
    """A run that goes on until the test sets the event."""
    def attach(a):
        a.send(frame(STDOUT, b"ready\n"))
        daemon.event.wait(seconds(30))
        a.send(verdict("cancelled", None, 15))

    daemon.attach = attach


def start_playing(bulkhead, daemon, *words):
    playing(daemon)
    process = bulkhead.start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    assert process.stdout.readline() == b"ready\n"
    return process


def test_term_is_passed_on_and_the_second_kills(bulkhead, daemon):
    process = start_playing(bulkhead, daemon, "exec", "b1", "sleep")
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: calls(daemon, "DELETE", "/v1/runs/r1"), what="the cancelling")
    assert not calls(daemon, "DELETE", "/v1/runs/r1?now=1")
    process.send_signal(signal.SIGINT)
    wait_until(lambda: calls(daemon, "DELETE", "/v1/runs/r1?now=1"), what="the killing")
    daemon.event.set()
    assert bulkhead.finish(process).status == 143


def test_int_is_passed_on_and_followed_up(bulkhead, daemon):
    process = start_playing(bulkhead, daemon, "exec", "--grace", "200ms", "b1", "sleep")
    process.send_signal(signal.SIGINT)
    wait_until(lambda: calls(daemon, "DELETE", "/v1/runs/r1"), what="the cancelling")
    assert calls(daemon, "POST", "/v1/runs/r1/signal") == [{"signal": signal.SIGINT}]
    daemon.event.set()
    assert bulkhead.finish(process).status == 143


def test_other_signals_are_the_programs(bulkhead, daemon):
    process = start_playing(bulkhead, daemon, "exec", "b1", "sleep")
    for number in (signal.SIGUSR1, signal.SIGQUIT, signal.SIGUSR2):
        process.send_signal(number)
        wait_until(lambda n=number: {"signal": n} in calls(daemon, "POST", "/v1/runs/r1/signal"))
    assert not [p for m, p, _ in daemon.requests if m == "DELETE"]
    daemon.event.set()
    assert bulkhead.finish(process).status == 143


def test_a_daemon_that_dies_meanwhile(bulkhead, daemon):
    process = start_playing(bulkhead, daemon, "exec", "b1", "sleep")
    daemon.attach = None
    daemon.answers["DELETE", "/v1/runs/r1"] = b"not HTTP\r\n"
    process.send_signal(signal.SIGTERM)
    daemon.event.set()
    result = bulkhead.finish(process, deadline=20)
    assert result.status in (125, 143)


def test_attach_leaves_the_run_alone(bulkhead, daemon):
    process = start_playing(bulkhead, daemon, "attach", "r1")
    process.send_signal(signal.SIGTERM)
    assert bulkhead.finish(process).status == 143
    assert daemon.attached_to == ["/v1/runs/r1/attach"]
    assert daemon.requests == [("GET", "/v1/runs/r1", None)]
    daemon.event.set()


def test_attach_sends_stdin_only_if_told_to(bulkhead, daemon):
    seen = []

    def attach(a):
        a.stream.settimeout(seconds(10 if daemon.event.is_set() else 0.5))
        try:
            for one in a.frames():
                seen.append(one)
                if one[0] == fake_daemon.STDIN_END:
                    break
        except TimeoutError:
            pass
        a.send(verdict("exit_nonzero", 5))

    daemon.attach = attach
    assert bulkhead.command("attach", "r1", input=b"text").status == 5
    assert seen == []
    daemon.event.set()
    assert bulkhead.command("attach", "--stdin", "r1", input=b"text").status == 5
    assert seen == [(STDIN, b"text"), (fake_daemon.STDIN_END, b"")]


# ---- terminals ----


@pytest.fixture
def terminal(bulkhead):
    with Terminal(bulkhead) as t:
        yield t


def test_a_terminal_is_raw_meanwhile(bulkhead, daemon, terminal):
    frames = []

    def attach(a):
        for kind, body in a.frames():
            frames.append((kind, body))
            if b"q" in body:
                break
        a.send(frame(STDOUT, b"bye\r\n"), verdict())

    daemon.attach = attach
    before = terminal.modes()
    process = terminal.start("exec", "-t", "b1", "sh")
    wait_until(lambda: frames, what="the window's size")
    assert frames == [(RESIZE, struct.pack(">HH", 30, 400))]
    assert terminal.modes() != before
    terminal.resize(50, 90)
    wait_until(lambda: (RESIZE, struct.pack(">HH", 50, 90)) in frames, what="the new size")
    terminal.type(CONTROL_C)
    wait_until(lambda: (STDIN, CONTROL_C.encode()) in frames, what="the key")
    terminal.type("q")
    assert process.wait(seconds(10)) == 0
    assert terminal.modes() == before
    body = calls(daemon, "POST", "/v1/boxes/b1/runs")[0]
    assert (body["tty"], body["rows"], body["cols"]) == (True, 30, 400)
    assert not [p for _, p, _ in daemon.requests if "signal" in p]


def test_control_c_without_a_terminal_for_the_program(bulkhead, daemon, terminal):
    playing(daemon)
    process = terminal.start("exec", "--grace", "30s", "b1", "sleep")
    terminal.expect("ready")
    terminal.type(CONTROL_C)
    wait_until(lambda: calls(daemon, "POST", "/v1/runs/r1/signal"), what="the signal")
    assert calls(daemon, "POST", "/v1/runs/r1/signal") == [{"signal": signal.SIGINT}]
    terminal.type(CONTROL_C)
    wait_until(lambda: calls(daemon, "DELETE", "/v1/runs/r1?now=1"), what="the killing")
    daemon.event.set()
    assert process.wait(seconds(10)) == 143


def test_modes_come_back_when_the_daemon_is_lost(bulkhead, daemon, terminal):
    daemon.attach = lambda a: next(a.frames())
    before = terminal.modes()
    process = terminal.start("exec", "-t", "b1", "sh")
    assert process.wait(seconds(10)) == 125
    assert terminal.modes() == before
    terminal.expect("lost run 'r1'")


# ---- boxes ----


def test_a_box_is_asked_for_in_the_callers_words(bulkhead, daemon):
    result = bulkhead.command("box", "create", "--policy", "tool", "--memory", "1G", "--write", ".", "--read", "~/x:/y",
                              "--hide", "sub/z", "--workdir", "sub", "--env", "A=1", "--net", "host")
    assert (result.status, result.out, result.err) == (0, "b1\n", "")
    cwd = str(bulkhead.cwd)
    assert daemon.requests == [("POST", "/v1/boxes?wait=1", {
        "limits": {"memory": 1 << 30}, "cwd": cwd + "/sub",
        "policy": {"extends": "tool", "network": "host", "env": {"set": {"A": "1"}}, "filesystem": {
            "write": [cwd], "read": [f"{bulkhead.home}/x:/y"], "hide": [cwd + "/sub/z"]}}})]


def test_a_path_that_cannot_be_said(bulkhead, daemon):
    result = bulkhead.command("box", "create", "--write", ".", cwd=bulkhead.directory("a:b"))
    assert result.status == 125 and "a path with a ':' cannot be shown" in result.err
    assert daemon.requests == []


def test_a_policy_file_is_read_by_the_caller(bulkhead, daemon):
    path = bulkhead.file("p.yaml", "extends: tool\nlimits: {memory: 77M}\n", mode=0o600)
    assert bulkhead.command("box", "create", "--policy", path, "--pids", "9").status == 0
    body = daemon.requests[0][2]
    # what only comes from the built-in default is the daemon's to say
    assert body["policy"]["extends"] == "default"
    limits = body["policy"]["limits"]
    assert (limits["memory"], limits["timeout"]) == ("77M", "5m") and "swap" not in limits, limits
    assert body["limits"] == {"pids": 9}
    result = bulkhead.command("box", "create", "--policy", "./none.yaml")
    assert result.status == 125 and "none.yaml" in result.err
    assert len(daemon.requests) == 1


def test_boxes_are_listed(bulkhead, daemon):
    boxes = {"boxes": [
        {"id": "b1", "state": "ready", "policy": "tool", "runs": 2, "since": "2024-05-17T08:30:00.000000Z", "fault": None},
        {"id": "b2", "state": "gone", "policy": "x\x1b[2J", "runs": 0, "since": None, "fault": "init died"}]}
    daemon.answers["GET", "/v1/boxes"] = answer(200, boxes)
    lines = bulkhead.command("box", "list").out.splitlines()
    assert [line.split() for line in lines] == [
        ["ID", "STATE", "RUNS", "SINCE", "(UTC)", "POLICY"],
        ["b1", "ready", "2", "2024-05-17T08:30:00.000000Z", "tool"],
        ["b2", "gone", "0", "-", "x\\x1b[2J", "init", "died"]]
    assert json.loads(bulkhead.command("box", "list", "--json").out) == boxes
    daemon.answers["GET", "/v1/boxes"] = answer(200, {"boxes": [{"id": "b1"}]})
    assert "not a list of boxes" in bulkhead.command("box", "list", "--json").err


@pytest.mark.parametrize("words, kind, wait", [
    (["box", "rm"], "boxes", "DELETE"),
    (["kill"], "runs", "GET"),
])
def test_all_are_ended_and_waited_for(bulkhead, daemon, words, kind, wait):
    gone = answer(410, {"detail": "it is gone", "blame": "request"})
    daemon.answers[wait, f"/v1/{kind}/b?wait=1"] = gone
    assert bulkhead.command(*words, "a", "b").status == 0
    assert [(m, p) for m, p, _ in daemon.requests] == [
        ("DELETE", f"/v1/{kind}/a"), ("DELETE", f"/v1/{kind}/b"),
        (wait, f"/v1/{kind}/a?wait=1"), (wait, f"/v1/{kind}/b?wait=1")]
    daemon.requests.clear()
    daemon.answers["DELETE", f"/v1/{kind}/a?now=1"] = gone
    result = bulkhead.command(*words, "--now", "a", "b")
    assert (result.status, result.err) == (125, "bulkhead: it is gone (blame: request)\n")
    assert [(m, p) for m, p, _ in daemon.requests][:2] == [
        ("DELETE", f"/v1/{kind}/a?now=1"), ("DELETE", f"/v1/{kind}/b?now=1")]


@pytest.mark.parametrize("text, number", [("TERM", 15), ("SIGKILL", 9), ("sigusr1", 10), ("34", 34)])
def test_signals_have_names(bulkhead, daemon, text, number):
    assert bulkhead.command("signal", "r1", text).status == 0
    assert daemon.requests == [("POST", "/v1/runs/r1/signal", {"signal": number})]


@pytest.mark.parametrize("text", ["0", "-1", "65", "TERMINATE", "SIG", "1x", "4294967311"])
def test_what_is_no_signal(bulkhead, daemon, text):
    result = bulkhead.command("signal", "r1", "--", text)
    assert result.status == 125 and "is no signal" in result.err
    assert daemon.requests == []


def test_names_that_json_cannot_say(bulkhead, daemon):
    for words in (["exec", "--env", b"A\xff=1", "b", "true"], ["box", "create", "--env", b"A\xff=1"]):
        result = bulkhead.command(*words)
        assert result.status == 125 and "the name is not UTF-8" in result.err
    assert bulkhead.command("exec", "--workdir", "rel", "b", "true").err.startswith("bulkhead: '--workdir rel':")
    assert daemon.requests == []


def test_a_socket_of_another_kind(bulkhead):
    path = bulkhead.top / "dgram"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(path))
        path.chmod(0o666)
        bulkhead.env["BULKHEAD_SOCKET"] = str(path)
        result = bulkhead.command("box", "list")
    path.unlink()
    assert result.status == 125 and "cannot connect" in result.err
