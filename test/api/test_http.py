# SPDX-License-Identifier: MIT
"""The HTTP side: routes, what is refused, limits, and clients that misbehave."""

import contextlib
import json
import os
import pathlib
import random
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest

from daemon import Api, Daemon, resident
from support import SANITIZED, seconds, wait_until

MIB = 1 << 20
UNKNOWN = "0000000000000000"


@pytest.fixture
def stack():
    with contextlib.ExitStack() as opened:
        yield opened


@contextlib.contextmanager
def raw(daemon, timeout=20):
    """A connection that speaks whatever it is told to."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds(timeout))
        connection.connect(daemon.socket)
        yield connection


def writable(connection):
    return select.select([], [connection], [], 0)[1]


def read_all(connection, *ignored):
    """What comes until the other side closes, however it does that."""
    data = b""
    with contextlib.suppress(ConnectionError, *ignored):
        while piece := connection.recv(65536):
            data += piece
    return data


def is_closed(connection):
    """True when the other side has closed it, and said no more."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


# ---- routes ----


def test_every_route_answers(api):
    run = api.run(["true"])["id"]
    assert api.get("/healthz") == {"status": "ok"}
    assert api.get("/v1/breakers") == {"breakers": []}
    assert api.get("/v1/boxes") == {"boxes": []}
    assert {p["name"] for p in api.get("/v1/policies")["policies"]} >= {"default", "tool", "agent", "strict"}
    assert all(p["fault"] is None and p["from"] for p in api.get("/v1/policies")["policies"])
    assert api.get("/v1/policies/tool")["limits"]["timeout"] == "5m"
    assert api.get("/v1/host")["limits"]
    assert api.get("/v1/stats")["runs_total"] == 1
    assert api.get(f"/v1/runs/{run}")["id"] == run
    assert [r["id"] for r in api.get("/v1/runs")["runs"]] == [run]
    for target in (f"/v1/runs/{run}/output", f"/v1/runs/{run}/timeline"):
        answer = api.request("GET", target).expect(200)
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        assert answer.body == b"" or target.endswith("/timeline")  # of a run that was not as short as it should be
    assert api.get(f"/v1/runs/{run}/execs") == {"execs": [], "next": 0, "more": False}


def test_metrics_are_openmetrics(api):
    api.run(["sh", "-c", "exit 3"])
    answer = api.request("GET", "/metrics").expect(200)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    lines = answer.body.decode().split("\n")
    assert lines[-2:] == ["# EOF", ""]
    types = {}
    for line in lines[:-2]:
        if match := re.fullmatch(r"# TYPE (bulkhead_\w+) (counter|gauge)", line):
            assert match[1] not in types
            types[match[1]] = match[2]
        elif not re.fullmatch(r"# HELP bulkhead_\w+ .+", line):
            name, kind = re.fullmatch(r'(bulkhead_\w+?)(_total)?(?:\{\w+="\w+"\})? \d+', line).groups()
            assert types[name] == ("counter" if kind else "gauge"), line
    assert 'bulkhead_runs_total{cause="exit_nonzero"} 1' in lines


def test_what_is_not_there(api):
    for target in ("/", "/v1", "/v1/runs/", "/v1/runs/../boxes", "/v1/runs/%2e%2e", "/v1/runs/a%00b", "/v2/runs",
                   f"/v1/runs/{UNKNOWN}", f"/v1/boxes/{UNKNOWN}", f"/v1/runs/{UNKNOWN}/output", "/v1/runs/x/attach",
                   f"/v1/runs/{UNKNOWN}/timeline", f"/v1/runs/{UNKNOWN}/execs", f"/v1/boxes/{UNKNOWN}/runs", "/v1/policies/none", "/v1/runs/" + "a" * 5000):
        api.request("GET", target).problem(404, "not_found")
    for method, target, body in (
            ("DELETE", f"/v1/runs/{UNKNOWN}", None), ("DELETE", f"/v1/boxes/{UNKNOWN}", None),
            ("POST", f"/v1/boxes/{UNKNOWN}/runs", {"argv": ["true"]}), ("POST", f"/v1/runs/{UNKNOWN}/stdin", b"x"),
            ("POST", f"/v1/runs/{UNKNOWN}/stdin", b""), ("POST", f"/v1/runs/{UNKNOWN}/signal", {"signal": "TERM"}),
            ("POST", f"/v1/runs/{UNKNOWN}/resize", {"rows": 1, "cols": 1})):
        api.request(method, target, body).problem(404, "not_found")


def test_methods(api):
    answer = api.request("PUT", "/v1/runs")
    answer.problem(405, "method")
    assert answer.headers["Allow"] == "POST, GET, HEAD"
    for method in ("POST", "DELETE", "OPTIONS", "TRACE", "BREW"):
        api.request(method, "/healthz").problem(405, "method")
    head = api.request("HEAD", "/v1/policies/default").expect(200)
    assert head.body == b"" and int(head.headers["Content-Length"]) == len(api.request("GET", "/v1/policies/default").body)


def test_parameters(api):
    for target in ("/healthz?x=1", "/v1/runs?wait=1", "/v1/runs?limit=0", "/v1/runs?limit=1001", "/v1/runs?limit=", "/v1/runs?limit=1&limit=2",
                   "/v1/runs?cause=oom", "/v1/runs?key=%00", "/v1/runs?key=%ff", "/v1/runs?key=%4", f"/v1/runs/{UNKNOWN}?wait=yes",
                   f"/v1/runs/{UNKNOWN}/output?stream=stdin", f"/v1/runs/{UNKNOWN}/execs?from=-1", f"/v1/runs/{UNKNOWN}/execs?limit=0", "/v1/runs?" + "a" * 200 + "=1"):
        api.request("GET", target).problem(400, "invalid")
    assert api.get("/v1/runs?key=no+such%20key&limit=1000&cause=ok") == {"runs": []}


# ---- bodies ----


def test_bad_bodies(api):
    for body in (b"", b"{", b"[]", b"null", b'"x"', b"{} {}", b'{"argv":["x"],}', b'{"argv":["a\\u0000"]}', b'{"argv":["\xff"]}',
                 {"argv": []}, {"argv": "true"}, {"argv": [1]}, {"argv": [""]}, {}, {"argv": ["true"], "nonsense": 1}, {"argv": ["true"], "box": UNKNOWN},
                 {"argv": ["true"], "limits": {"memory": "x"}}, {"argv": ["true"], "limits": {"nonsense": 1}}, {"argv": ["true"], "limits": []},
                 {"argv": ["true"], "env": {"A=B": "x"}}, {"argv": ["true"], "env": {"A": 1}}, {"argv": ["true"], "cwd": "tmp"}, {"argv": ["true"], "key": "\n"},
                 {"argv": ["true"], "tty": "yes"}, {"argv": ["true"], "stdin": 1}, {"argv": ["true"], "policy": "/etc/passwd"}, {"argv": ["true"], "policy": []},
                 {"argv": ["true"], "policy": {"nonsense": 1}}, {"argv": ["true"], "policy": {"extends": "/etc/passwd"}}, {"argv": ["true"], "policy": {"limits": {"memory": 12}}}):
        api.request("POST", "/v1/runs", body, {"Content-Type": "application/json"}).problem(400, "invalid")
    api.request("POST", "/v1/runs", {"argv": ["true"], "policy": "no-such"}).problem(400, "invalid")
    api.request("POST", "/v1/boxes", {"argv": ["true"]}).problem(400, "invalid")
    api.request("POST", "/v1/boxes", {"stdin": "x"}).problem(400, "invalid")
    assert api.get("/v1/runs") == {"runs": []}


def test_the_nearest_word_is_named(api):
    assert "did you mean 'argv'?" in api.request("POST", "/v1/runs", {"argw": ["true"]}).problem(400, "invalid")
    assert "'memory'" in api.request("POST", "/v1/runs", {"argv": ["true"], "limits": {"memry": "1G"}}).problem(400, "invalid")


def test_media_types(api):
    body = json.dumps({"argv": ["true"]}).encode()
    for kind in ("text/plain", "application/jsonx", "application/x-www-form-urlencoded", ""):
        api.request("POST", "/v1/runs", body, {"Content-Type": kind}).problem(415, "media_type")
    api.request("POST", "/v1/runs", body).problem(415, "media_type")
    for kind in ("application/json; charset=utf-8", "Application/JSON"):
        api.ended(api.request("POST", "/v1/runs", body, {"Content-Type": kind}).expect(201).json["id"])
    api.request("GET", "/healthz", b"x").problem(400, "invalid")
    api.request("DELETE", f"/v1/runs/{UNKNOWN}", b"{}").problem(400, "invalid")


def test_a_body_in_chunks(api):
    connection = api.connect()
    pieces = [b'{"argv": ["sh", "-c", ', b'"exit 7"', b"]}"]
    connection.request("POST", "/v1/runs?wait=1", iter(pieces), {"Content-Type": "application/json"}, encode_chunked=True)
    assert json.loads(connection.getresponse().read())["verdict"]["exit_code"] == 7
    connection.close()


def test_the_longest_body(daemon, api):
    """16 MiB are taken, one byte more is not, whether that is said before or found out."""
    start, end = b'{"argv":["true"],"stdin":"', b'"}'
    longest = start + b"x" * (16 * MIB - len(start) - len(end)) + end
    assert api.checked(api.request("POST", "/v1/runs?wait=1", longest, {"Content-Type": "application/json"}).expect(201).json)["verdict"]["cause"] == "ok"
    with raw(daemon) as connection:
        connection.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (16 * MIB + 1))
        assert b" 413 " in connection.recv(65536)
    with raw(daemon) as connection:
        connection.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(17):
            connection.sendall(b"%x\r\n" % MIB + b" " * MIB + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert b" 413 " in connection.recv(65536)
    assert api.get("/healthz")


def test_bodies_are_bounded_together(daemon, api):
    """64 MiB of all; then who comes later is told to come again, and the first are served."""
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(raw(daemon)) for _ in range(4)]
        for connection in waiting:
            connection.sendall(b"POST /v1/boxes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (16 * MIB))
            connection.sendall(b" " * (16 * MIB - 1))
        def refused():
            answer = api.request("POST", "/v1/runs", {"argv": ["true"]})
            return answer if answer.status == 503 else None

        answer = wait_until(refused, what="the bodies")
        assert resident(daemon.pid) > 60 * 1024
        answer.problem(503, "unavailable")
        assert answer.headers["Retry-After"] == "1"
        for connection in waiting:
            connection.sendall(b"}")
            assert b" 400 " in connection.recv(65536)
    assert api.run(["true"])["verdict"]["cause"] == "ok"


def test_depth_and_number_of_values(api):
    headers = {"Content-Type": "application/json"}
    for body in (b"[" * 100000, b'{"argv":' + b"[" * 33 + b"]" * 33 + b"}", b'{"argv":["x"' + b',""' * 100000 + b"]}", b"[" + b"[],[]," * 1000000,
                 {"argv": ["x"], "env": {f"V{i}": "" for i in range(4097)}}):
        api.request("POST", "/v1/runs", body, headers).problem(413, "too_large")
    words = ["x"] * 50000
    verdict = api.run(["true", *words])["verdict"]
    told = len(verdict["argv"])
    assert verdict["argv"] == ["true", *words][:told] and told + verdict["argv_left_out"]["words"] == 50001


def test_two_mebibytes_of_arguments(api):
    words = [chr(97 + i % 26) * 130000 for i in range(17)]
    run = api.run(["sh", "-c", 'printf %s "$*" | wc -c', "sh", *words])
    if run["verdict"]["cause"] == "ok":
        assert int(api.out(run)) == sum(map(len, words)) + 16
    else:  # the kernel's own limit for argv is lower: a quarter of the stack's
        assert run["verdict"]["cause"] in ("setup_failed", "not_executable"), run["verdict"]["summary"]
    api.request("POST", "/v1/runs", {"argv": ["true", "x" * 200000]}).problem(400, "invalid")


# ---- what is hardly HTTP ----


def test_nonsense(daemon, api):
    for text in (b"\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 100, b"\xff\xfe\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost\r\n\r\n",
                 b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                 b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100000,
                 b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n"):
        with raw(daemon) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(text)
            connection.settimeout(0.5)  # some are the beginning of something
            answer = read_all(connection, TimeoutError)
            assert not answer or re.match(rb"HTTP/1\.[01] (4\d\d|505) ", answer), answer[:200]
    assert api.get("/healthz") == {"status": "ok"}


def test_whatever_comes(daemon, api):
    """Good requests with bytes changed, cut, doubled, for some seconds: the daemon answers the next one."""
    chance = random.Random(1)
    run = api.run(["sh", "-c", "echo x"])["id"]
    good = [
        b'POST /v1/runs?wait=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"argv":["true"]}',
        b"GET /v1/runs/%s/output?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n" % run.encode(),
        b"GET /v1/runs?limit=5&key=a%20b HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n" * 2,
        b"GET /v1/runs/%s/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: bulkhead-attach/1\r\n\r\n\x01\0\0\0\0\0\0\x02ab" % run.encode(),
        b'POST /v1/boxes/x/runs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{"argv":["true"]}\r\n0\r\n\r\n',
        b"POST /v1/runs/%s/stdin?close=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" % run.encode(),
    ]
    before = daemon.pipes()
    deadline = time.monotonic() + (3 if SANITIZED else 4)
    n = 0
    while time.monotonic() < deadline:
        text = bytearray(chance.choice(good))
        for _ in range(chance.randrange(4)):
            at, size = chance.randrange(len(text)), chance.randrange(1, 9)
            what = chance.randrange(3)
            if what == 0:
                text[at] = chance.choice(b"\0\r\n %\xff{}[]\",:;=&?/0123456789abcABC")
            elif what == 1:
                del text[at:at + size]
            else:
                text[at:at] = text[at:at + size]
        with raw(daemon) as connection, contextlib.suppress(OSError):
            connection.sendall(text)
            if chance.randrange(2):
                connection.settimeout(0.05)
                read_all(connection)
        n += 1
    assert n > 50
    assert api.get("/healthz") == {"status": "ok"}
    for listed in api.get("/v1/runs?limit=1000")["runs"]:
        api.request("DELETE", f"/v1/runs/{listed['id']}?now=1")
    wait_until(lambda: daemon.pipes() <= before + 8, what="descriptors given back")


def test_requests_one_behind_the_other(daemon):
    """Pipelined: answered in their order."""
    with raw(daemon) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 20 + b"GET /v1/breakers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = read_all(connection)
    assert text.count(b'{"status":"ok"}') == 20 and text.endswith(b'{"breakers":[]}\n')


def test_one_connection_for_many(api):
    connection = api.connect()
    for i in range(50):
        assert api.run(["sh", "-c", f"exit {i}"], connection=connection)["verdict"]["exit_code"] == i
    connection.close()


# ---- clients that take room ----


def test_ten_thousand_idle_connections(daemon, api, stack):
    """They give way to each other, and to somebody who wants something; who is being served is left alone."""
    run = api.run(["cat"], wait=False, stdin={"open": True})["id"]
    waiting = stack.enter_context(contextlib.closing(api.connect()))
    waiting.request("GET", f"/v1/runs/{run}?wait=1")
    wait_until(lambda: api.get("/v1/stats")["requests_working"] >= 2, what="somebody who waits")
    before = resident(daemon.pid)
    opened = []
    try:
        for i in range(10000):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(seconds(20))
            connection.connect(daemon.socket)
            if i % 3 == 0:
                connection.send(b"GET /healthz HTTP/1.1\r\nHo")
            opened.append(connection)
            if len(opened) > 900:  # ours are limited too
                opened.pop(0).close()
            if i % 1000 == 999:
                assert api.get("/healthz") == {"status": "ok"}
        stats = api.get("/v1/stats")
        assert stats["connections"] <= 1024 + 64
        assert SANITIZED or resident(daemon.pid) < before + 64 * 1024  # what is freed is kept aside there
    finally:
        for connection in opened:
            connection.close()
    api.request("POST", f"/v1/runs/{run}/stdin?close=1", b"").expect(200)
    assert json.loads(waiting.getresponse().read())["verdict"]["cause"] == "ok"
    waiting.close()
    wait_until(lambda: api.get("/v1/stats")["connections"] == 1, what="all of them gone")


def test_an_upload_that_waits_is_not_idle(daemon, stack):
    """It waits for the program: others give way."""
    daemon.restart("--max-connections", 2)
    api = Api(daemon)
    run = api.run(["sh", "-c", "sleep 2; wc -c"], wait=False, stdin={"open": True})["id"]
    upload = stack.enter_context(raw(daemon))
    upload.sendall(f"POST /v1/runs/{run}/stdin?close=1 HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 20}\r\n\r\n".encode())
    sender = threading.Thread(target=upload.sendall, args=(bytes(1 << 20),), daemon=True)
    sender.start()
    stack.callback(sender.join)

    def stuck():
        return not any(writable(upload) or time.sleep(0.01) for _ in range(20))

    wait_until(stuck, what="an upload that waits")
    for connection in [stack.enter_context(raw(daemon)) for _ in range(2)]:
        with contextlib.suppress(OSError):  # the older one may have given way
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.recv(4096)
    answer = upload.recv(4096)
    assert b" 200 " in answer and b'"taken_bytes":1048576' in answer, answer
    assert api.out(api.ended(run)) == "1048576\n"


def test_connections_at_the_limit(daemon):
    """Idle ones go, oldest first; when all are busy, the next one is told so."""
    daemon.restart("--max-connections", 4)
    api = Api(daemon)
    run = api.run(["cat"], wait=False, stdin={"open": True})["id"]
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(raw(daemon)) for _ in range(4)]
        for connection in idle:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in connection.recv(4096)
        fifth = stack.enter_context(raw(daemon))
        fifth.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in fifth.recv(4096)
        assert is_closed(idle[0])
        idle[1].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in idle[1].recv(4096)
        for connection in (*idle[1:], fifth):
            connection.sendall(b"GET /v1/runs/%s?wait=1 HTTP/1.1\r\nHost: x\r\n\r\n" % run.encode())
        sixth = wait_until(lambda: busy_answer(daemon), what="no room")
        assert b"Retry-After: 1" in sixth and b'"error":"unavailable"' in sixth
        idle[1].close()
        wait_until(lambda: b" 200 " in ask(daemon, b"/healthz"), what="room again")
        api.request("DELETE", f"/v1/runs/{run}?now=1&wait=1").expect(200)


def ask(daemon, target):
    with raw(daemon) as connection:
        connection.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target)
        return read_all(connection)


def busy_answer(daemon):
    answer = ask(daemon, b"/healthz")
    return answer if b" 503 " in answer else None


def test_half_of_a_request_is_not_waited_for_by_others(daemon, api):
    with contextlib.ExitStack() as stack:
        for text in (b"", b"G", b"GET /healthz HTTP/1.1\r\n", b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"):
            connection = stack.enter_context(raw(daemon))
            connection.sendall(text)
        assert api.run(["true"])["verdict"]["cause"] == "ok"


# ---- who may speak ----


def test_the_socket_is_ours_alone(daemon):
    info = os.stat(daemon.socket)
    assert stat.S_ISSOCK(info.st_mode) and stat.S_IMODE(info.st_mode) == 0o600


SPEAK = """
import os, socket, sys
os.setgroups([])
os.setresgid(*[int(sys.argv[2])] * 3)
os.setresuid(*[int(sys.argv[2])] * 3)
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
answer = b""
try:
    s.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
except ConnectionError:
    pass
try:
    while piece := s.recv(4096):
        answer += piece
except ConnectionError:
    pass
sys.stdout.buffer.write(answer)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_others_are_refused(daemon, who):
    """Also when the file lets them in: the kernel is asked who they are."""
    os.chmod(daemon.socket, 0o666)
    for uid, status in ((54322, b" 403 "), (0, b" 200 "), (os.stat(daemon.socket).st_uid, b" 200 ")):
        spoken = subprocess.run([sys.executable, "-c", SPEAK, daemon.socket, str(uid)], capture_output=True, check=True, timeout=seconds(30))
        assert status in spoken.stdout, (uid, spoken)
        assert (b'"error":"forbidden"' in spoken.stdout) == (status == b" 403 ")


IN_BOX = r"""
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
try:
    s.connect(sys.argv[1])
    print("connected", flush=True)
    s.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
except ConnectionError:
    pass
try:
    while piece := s.recv(4096):
        sys.stdout.write(piece.decode())
except ConnectionError:
    pass
"""


def test_a_box_does_not_lead_to_its_daemon(daemon, api):
    """Its program has the daemon's user's id and sees the socket: it could ask for a run without any box."""
    for box in (None, api.box()):
        run = api.run([sys.executable if sys.executable.startswith("/usr") else "/usr/bin/python3", "-c", IN_BOX, daemon.socket], box=box)
        said = api.out(run)
        assert said.startswith("connected\n"), said  # else nothing was tried
        assert " 403 " in said and '"error":"forbidden"' in said and "ok" not in said
    api.remove(box)
    assert api.get("/healthz") == {"status": "ok"}


def test_tcp_needs_the_token(daemon, place):
    token = "a-token-of-32-characters-or-so-0"
    file = place.top / "token"
    file.write_text(token + "\n")
    file.chmod(0o600)
    place.own(file)
    daemon.restart("--listen", "0", "--token-file", file)
    port = int(re.search(r"listening on TCP port (\d+)", daemon.said())[1])
    for header, status in ((None, 401), (f"Bearer {token}x", 401), ("Bearer ", 401), (f"Basic {token}", 401), (f"Bearer {token}", 200)):
        with socket.create_connection(("127.0.0.1", port), timeout=seconds(20)) as connection:
            line = f"Authorization: {header}\r\n" if header else ""
            connection.sendall(f"GET /v1/stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{line}\r\n".encode())
            answer = read_all(connection)
            assert f" {status} ".encode() in answer[:20], answer[:200]
            assert (b"WWW-Authenticate: Bearer" in answer) == (status == 401)
    assert Api(daemon).get("/healthz") == {"status": "ok"}  # and the socket goes without


def test_a_client_on_tcp_that_goes(daemon, place):
    """By IPv6 here. TCP tells of half a close only: it counts as gone."""
    if not pathlib.Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 on this host")
    token = "a-token-of-32-characters-or-so-0"
    file = place.top / "token"
    file.write_text(token)
    file.chmod(0o600)
    place.own(file)
    daemon.restart("--listen", "[::1]:0", "--token-file", file)
    api = Api(daemon)
    port = int(re.search(r"listening on TCP port (\d+)", daemon.said())[1])
    body = b'{"argv": ["sleep", "60"]}'
    with socket.create_connection(("::1", port), timeout=seconds(20)) as connection:
        connection.sendall(f"POST /v1/runs?wait=1&gone=cancel HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                           f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        wait_until(lambda: api.get("/v1/stats")["running"] == 1, what="the run")
        run = api.get("/v1/runs?limit=1")["runs"][0]["id"]
    assert api.ended(run)["verdict"]["cause"] == "cancelled"


def test_a_token_that_others_can_read(place, daemon):
    daemon.stop()
    file = place.top / "token"
    file.write_text("a-token-of-32-characters-or-so-0")
    place.own(file)
    for mode, options, why in ((0o644, ["--listen", "0", "--token-file", file], "others can read"), (0o600, ["--listen", "0"], "--token-file"),
                               (0o600, ["--listen", "localhost:80", "--token-file", file], "no address")):
        file.chmod(mode)
        refused = start(daemon, *options)
        assert refused.returncode == 125 and why in refused.stderr, refused


def start(daemon, *options, **more):
    """Start one that cannot begin."""
    return subprocess.run([daemon.path, *map(str, options)], capture_output=True, text=True, timeout=seconds(30), env=daemon.place.env,
                          cwd=daemon.place.cwd, **daemon.place._as | more)


# ---- sockets ----


def test_there_is_one_daemon_for_a_socket(daemon, api):
    refused = start(daemon)
    assert refused.returncode == 125 and "another daemon listens at" in refused.stderr
    assert api.get("/healthz") == {"status": "ok"}


def test_a_dead_daemon_is_followed(daemon):
    daemon.kill()
    assert os.path.exists(daemon.socket)
    daemon.start()
    assert Api(daemon).get("/healthz") == {"status": "ok"}
    daemon.stop()
    assert not os.path.exists(daemon.socket) and not os.path.exists(daemon.socket + ".lock")


def test_what_is_no_socket_stays(daemon):
    daemon.stop()
    pathlib.Path(daemon.socket).write_text("precious")
    refused = start(daemon)
    assert refused.returncode == 125 and "is no socket" in refused.stderr
    assert pathlib.Path(daemon.socket).read_text() == "precious"
    os.unlink(daemon.socket)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(daemon.socket + ".lock")


def test_wrong_options(daemon):
    daemon.stop()
    for options, why in ((["--sokcet", "x"], "did you mean '--socket'?"), (["--max-runs", "0"], "from 1"), (["word"], "unknown"), (["--socket", "x" * 200], "longer than"),
                         (["--socket", "/nonexistent/socket"], "cannot make"), (["--pool", "no-such"], "no-such")):
        refused = start(daemon, *options)
        assert refused.returncode == 125 and why in refused.stderr, (options, refused)
        assert refused.stderr.count("\n") == 1, refused.stderr
    assert "--max-boxes" in start(daemon, "--help").stdout
    assert start(daemon, "--version").stdout.startswith("bulkheadd ")


ACTIVATE = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(5)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_activation_and_notice(daemon):
    """As systemd does it: a socket that is open, and a word when there is somebody at it."""
    daemon.stop()
    notices = str(daemon.place.top / "notices")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(notices)
        os.chmod(notices, 0o777)
        told.settimeout(seconds(20))
        env = daemon.place.env | {"NOTIFY_SOCKET": notices}
        process = subprocess.Popen([sys.executable, "-c", ACTIVATE, daemon.socket, daemon.path], stdin=subprocess.DEVNULL, env=env, cwd=daemon.place.cwd,
                                   **daemon.place._as)
        try:
            assert told.recv(100) == b"READY=1"
            assert Api(daemon).run(["true"])["verdict"]["cause"] == "ok"
            process.send_signal(signal.SIGTERM)
            assert told.recv(100) == b"STOPPING=1"
            assert process.wait(seconds(20)) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    os.unlink(notices)
    assert os.path.exists(daemon.socket)  # it is systemd's, not ours
    os.unlink(daemon.socket)
