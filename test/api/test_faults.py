# SPDX-License-Identifier: MIT
"""The daemon on a host that runs out of things, and with nothing to do."""

import contextlib
import errno
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import sys
import time

import pytest

from daemon import Api, cause, exit_code, meanwhile, resident, stat_of
from support import PYTHON, SANITIZED, seconds, wait_until

MIB = 1 << 20


@pytest.fixture
def stack():
    with contextlib.ExitStack() as opened:
        yield opened


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


# ---- a full disk ----

IN_SMALL = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x20000) or libc.mount(None, b"/", None, 0x44000, None) or libc.mount(b"small", sys.argv[1].encode(), b"tmpfs", 0, sys.argv[2].encode()):
    sys.exit(f"cannot mount: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[3], sys.argv[3:])
"""


@pytest.fixture
def small(daemon):
    """A daemon whose state directory has 2 MiB, in a mount namespace of its own."""
    daemon.stop()
    state = daemon.place.state
    shutil.rmtree(state)
    state.mkdir(mode=0o700)
    path = daemon.path
    wrapper = daemon.place.file("small", f"#!/bin/sh\nexec {sys.executable} -c '{IN_SMALL}' {state} size=2m,mode=0700 {path} \"$@\"\n", 0o755)
    daemon.path = str(wrapper)
    daemon.start()
    yield daemon
    daemon.path = path


@pytest.mark.root
def test_a_full_disk(small):
    """Runs go on and have verdicts; what could not be kept is counted; then there is room again."""
    api = Api(small)
    run = api.run(["head", "-c", str(8 * MIB), "/dev/zero"])
    usage = run["verdict"]["usage"]["output"]
    assert cause(run) == "ok" and usage["seen_bytes"] == 8 * MIB and usage["dropped_bytes"] > 0
    seen = sum(e.get("dropped_bytes", 0) + len(e.get("text", "")) for e in map(json.loads, api.request("GET", f"/v1/runs/{run['id']}/output").expect(200).body.splitlines()))
    assert seen <= 8 * MIB
    for i in range(30):
        assert exit_code(api.run(["sh", "-c", f"echo x; exit {i}"])) == i
    box = api.box()
    assert cause(api.run(["true"], box=box)) == "ok"
    assert api.request("GET", "/v1/runs").status in (200, 503)
    assert api.get("/healthz") == {"status": "ok"}
    assert "gaps" in small.said() or "not kept" in small.said()
    root = f"/proc/{small.pid}/root"
    shutil.rmtree(root + str(small.place.state / "runs"))
    again = api.run(["echo", "kept"])
    assert api.out(again) == "kept\n"
    assert again["id"] in {r["id"] for r in api.get("/v1/runs")["runs"]}


def test_a_state_directory_that_vanishes(daemon, api):
    shutil.rmtree(daemon.place.state)
    run = api.run(["sh", "-c", "echo lost; exit 3"])
    assert exit_code(run) == 3
    assert api.request("GET", "/v1/runs").status in (200, 503)
    assert api.get("/healthz") == {"status": "ok"}


# ---- no descriptors ----


@pytest.mark.root
def test_no_descriptors(daemon, api, stack):
    """Clients and runs beyond them are told so; who is there is served; all is well again afterwards."""
    kept = stack.enter_context(contextlib.closing(api.connect()))
    kept.request("GET", "/healthz")
    kept.getresponse().read()
    before = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    few = descriptors(daemon) + 3
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (few, before[1]))
    statuses = set()
    with contextlib.ExitStack() as clients:
        for _ in range(12):
            connection = clients.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX)))
            connection.settimeout(seconds(20))
            connection.connect(daemon.socket)
            with contextlib.suppress(OSError):
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                statuses.add(connection.recv(4096)[9:12])
        for _ in range(5):
            with contextlib.suppress(OSError, http.client.HTTPException):  # it may have given way to another
                answer = api.request("POST", "/v1/runs?wait=1", {"argv": ["true"]}, connection=kept)
                assert answer.status == 503 or cause(answer.json) in ("setup_failed", "ok"), answer
        for _ in range(5):
            with contextlib.suppress(OSError, http.client.HTTPException):
                assert api.request("POST", "/v1/boxes?wait=1", {}).status in (201, 503)
    assert statuses <= {b"200", b"503", b""} and b"200" in statuses
    assert daemon.process.poll() is None
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, before)
    wait_until(lambda: api.request("GET", "/healthz").status == 200, what="the daemon")
    for i in range(5):
        assert exit_code(api.run(["sh", "-c", f"exit {i}"])) == i
    for made in api.get("/v1/boxes")["boxes"]:
        api.remove(made["id"])


def test_it_starts_with_few_descriptors(daemon):
    """The soft limit is raised for the daemon; its runs have what it was given."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    daemon.stop()
    daemon.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)))
    api = Api(daemon)
    assert api.out(api.run(["sh", "-c", "ulimit -Sn"])) == "256\n"
    assert api.out(api.run(["sh", "-c", "ulimit -Sn"], limits={"nofile": 100})) == "100\n"
    limits = pathlib.Path(f"/proc/{daemon.pid}/limits").read_text()
    assert int(re.search(r"Max open files\s+(\d+)", limits)[1]) == hard


# ---- clients that go ----


def test_clients_that_go_in_the_middle(daemon, api):
    """Of a body, of an answer, of a stream: nothing of them stays."""
    run = api.run(["sh", "-c", "head -c 5000000 /dev/zero; exec cat"], wait=False, stdin={"open": True})["id"]
    wait_until(lambda: len(api.request("GET", f"/v1/runs/{run}/output").body) > 5000000, what="output")
    before = daemon.pipes()  # what has a name is opened when a run is on for a while
    for i in range(60):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(daemon.socket)
            connection.sendall([
                b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{\"argv\"",
                f"GET /v1/runs/{run}/output?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
                f"GET /v1/runs/{run}?wait=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
                f"POST /v1/runs/{run}/stdin HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc".encode(),
                f"GET /v1/runs/{run}/attach HTTP/1.1\r\nHost: x\r\nUpgrade: bulkhead-attach/1\r\nConnection: Upgrade\r\n\r\n".encode(),
                b"GET /v1/runs HTTP/1.1\r\nHost: x\r\n\r\n",
            ][i % 6])
            if i % 12 > 5:
                connection.settimeout(seconds(5))
                with contextlib.suppress(TimeoutError):
                    if i % 6 in (1, 4, 5):
                        connection.recv(100)
    wait_until(lambda: api.get("/v1/stats")["requests_working"] == 1 and daemon.pipes() <= before + 1, what="all of them gone")
    assert api.get(f"/v1/runs/{run}")["state"] == "running"
    api.request("DELETE", f"/v1/runs/{run}?now=1&wait=1").expect(200)


# ---- the end ----


def test_the_end_while_clients_wait_and_read_nothing(daemon, api):
    """Who waits has an answer; who does not read it holds up nobody."""
    run = api.run(["sh", "-c", "head -c 3000000 /dev/zero; exec cat"], wait=False, stdin={"open": True})["id"]
    with contextlib.ExitStack() as stack:
        waiting, *silent = [stack.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX))) for _ in range(4)]
        for connection in (waiting, *silent):
            connection.settimeout(seconds(20))
            connection.connect(daemon.socket)
        waiting.sendall(f"GET /v1/runs/{run}?wait=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for connection in silent[:2]:
            connection.sendall(f"GET /v1/runs/{run}/output?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wait_until(lambda: api.get("/v1/stats")["requests_working"] == 4, what="all of them")
        assert daemon.stop() < seconds(6)
        answer = waiting.recv(65536)
        assert b" 200 " in answer and b'"cause":"shutdown"' in answer


def test_what_comes_while_it_ends(daemon, api):
    """Nothing new is begun; what is asked is answered; a second signal ends it at once."""
    run = api.run(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"], wait=False, limits={"grace": "5m"})["id"]
    wait_until(lambda: api.output(run)["stdout"] == b"ready\n", what="a program that is deaf")
    box = api.box()
    daemon.process.send_signal(signal.SIGTERM)
    wait_until(lambda: api.request("GET", "/healthz").status == 503, what="the daemon to stop")
    answer = api.request("POST", "/v1/runs", {"argv": ["true"]})
    answer.problem(503, "unavailable")
    assert answer.headers["Retry-After"] == "1"
    api.request("POST", "/v1/boxes", {}).problem(503, "unavailable")
    assert api.request("POST", f"/v1/boxes/{box}/runs", {"argv": ["true"]}).status in (410, 503)
    assert api.get(f"/v1/runs/{run}")["state"] == "running"
    assert daemon.stop(signal.SIGINT) < seconds(6)
    assert 'shutdown' in daemon.place.command("show", run).out


# ---- nothing to do ----


def switches(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", text))


def test_an_idle_daemon_does_nothing(daemon, api, stack):
    """It never wakes, nor does its zygote, also with a connection open and boxes kept; and it is small."""
    boxes = [api.box() for _ in range(3)]
    for _ in range(10):
        api.run(["sh", "-c", "echo x"])
    connection = stack.enter_context(contextlib.closing(api.connect()))
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    wait_until(lambda: len(daemon.inits()) == len(boxes), what="the end of the boxes of those runs")
    who = [daemon.pid, daemon.zygote(), *daemon.inits()]

    def quiet():
        before = [switches(pid) for pid in who]
        time.sleep(3)  # records are put away two seconds after the last run
        return [switches(pid) for pid in who] == before

    wait_until(quiet, 20, "three seconds in which nobody wakes")
    before = [switches(pid) for pid in who]
    time.sleep(2)
    assert [switches(pid) for pid in who] == before
    if not SANITIZED:
        assert resident(daemon.pid) < 12 * 1024, resident(daemon.pid)
    for box in boxes:
        api.remove(box)


def worked(pid):
    """Ticks of the CPU, in user and kernel mode."""
    return sum(int(n) for n in stat_of(pid)[1][11:13])


def begin_request(stack, api, head, body=b""):
    """Send a request whose answer is not there yet."""
    connection = stack.enter_context(contextlib.closing(api.connect()))
    connection.connect()
    connection.sock.sendall(head.encode() + b" HTTP/1.1\r\nHost: x\r\n" + body)
    return connection.sock


def test_clients_that_wait_are_no_work(daemon, api, stack):
    """One attached, one that follows, and one whose stdin waits for a program that does not read."""
    run = api.run(["sh", "-c", "echo x; exec sleep 600"], wait=False, stdin={"open": True})["id"]
    attached = begin_request(stack, api, f"GET /v1/runs/{run}/attach", b"Connection: Upgrade\r\nUpgrade: bulkhead-attach/1\r\n\r\n")
    follows = begin_request(stack, api, f"GET /v1/runs/{run}/output?follow=1", b"\r\n")
    feeds = begin_request(stack, api, f"POST /v1/runs/{run}/stdin", f"Content-Length: {MIB}\r\n\r\n".encode() + bytes(128 << 10))
    for client, some in ((attached, b"\x11\0\0\0\0\0\0\x02x\n"), (follows, b'"x\\n"')):
        seen = b""
        while some not in seen:
            seen += client.recv(4096)

    def quiet():
        before = worked(daemon.pid)
        time.sleep(2)
        return worked(daemon.pid) - before < 2 * os.sysconf("SC_CLK_TCK") / 20  # it looks at the run now and then

    wait_until(quiet, 20, "two seconds in which the daemon does next to nothing")
    api.request("DELETE", f"/v1/runs/{run}?now=1&wait=1").expect(200)
    feeds.sendall(bytes(MIB - (128 << 10)))
    answer = feeds.recv(4096)
    assert b'"error":"' in answer and b'"taken_bytes":' in answer, answer  # each of them learns of the end
    for client, last in ((attached, b'"cancelled"'), (follows, b"0\r\n\r\n")):
        seen = b""
        while last not in seen:
            piece = client.recv(65536)
            assert piece, seen
            seen += piece


def test_memory_is_given_back(daemon, api):
    """Large requests, answers and many connections leave the daemon as small as it was."""
    words = ["x" * 100000] * 15
    for _ in range(3):
        api.run(["true", *words])
    before = resident(daemon.pid)
    for _ in range(10):
        api.run(["true", *words])
        meanwhile(lambda: api.request("POST", "/v1/runs", b"[" * 3000000, {"Content-Type": "application/json"}).expect(413), *[()] * 4)
    assert SANITIZED or resident(daemon.pid) < before + (24 << 10)


# As many descriptors on their way in sockets as a user may have (unix(7)).
IN_FLIGHT = """
import array, resource, socket, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
pairs, many = [], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 253))]
try:
    while True:
        pairs.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
        for _ in range(8):
            pairs[-1][0].sendmsg([b"x"], many)
except OSError as e:
    print(e.errno, flush=True)
sys.stdin.read()
"""


@pytest.mark.root
def test_descriptors_on_their_way_hold_up_nobody(api):
    """A box with root's uid has used up what makers may send, who have no privileges over the host."""
    run = api.run([PYTHON, "-c", IN_FLIGHT], wait=False, stdin={"open": True})
    wait_until(lambda: api.out(run) == f"{errno.ETOOMANYREFS}\n", what="one that has them all")
    for _ in range(3):
        assert cause(api.run(["true"])) == "ok"
        assert cause(api.run(["false"])) == "exit_nonzero"
    api.request("DELETE", f"/v1/runs/{run['id']}?wait=1&now=1").expect(200)
