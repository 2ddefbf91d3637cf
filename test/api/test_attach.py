# SPDX-License-Identifier: MIT
"""Being attached to a run: frames both ways."""

import contextlib
import json
import pathlib
import random
import re
import signal
import socket
import struct
import time

import pytest

from daemon import Api, cause, resident
from support import SANITIZED, seconds, wait_until

STDIN, STDIN_END, RESIZE, SIGNAL, CANCEL = 1, 2, 3, 4, 5
STDOUT, STDERR, GAP, VERDICT, PROBLEM = 17, 18, 19, 20, 21
UNKNOWN = "0000000000000000"
TOKEN = "a-token-of-32-characters-or-so-0"


class Attached:
    """A client that is attached, or was refused."""

    def __init__(self, daemon, run, query="", timeout=20, upgrade="bulkhead-attach/1", behind=b"", port=None):
        self.socket = socket.socket(socket.AF_INET if port else socket.AF_UNIX)
        self.socket.settimeout(seconds(timeout))
        self.socket.connect(("127.0.0.1", port) if port else daemon.socket)
        token = f"Authorization: Bearer {TOKEN}\r\n" if port else ""
        self.socket.sendall(f"GET /v1/runs/{run}/attach{query} HTTP/1.1\r\nHost: x\r\n{token}Connection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\n".encode() + behind)
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])
        self.head = head.decode()

    def _more(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise EOFError
        self.buffer += piece

    def send(self, kind, body=b""):
        self.socket.sendall(struct.pack(">B3xI", kind, len(body)) + body)

    def frame(self):
        while len(self.buffer) < 8 or len(self.buffer) < 8 + struct.unpack(">I", self.buffer[4:8])[0]:
            self._more()
        kind, size = struct.unpack(">B3xI", self.buffer[:8])
        body, self.buffer = self.buffer[8:8 + size], self.buffer[8 + size:]
        return kind, body

    def all(self):
        """Everything to the end: {kind: bytes}, the verdict decoded. Nothing stands behind it."""
        got = {}
        while True:
            kind, body = self.frame()
            got[kind] = got.get(kind, b"") + body
            if kind == VERDICT:
                break
        with pytest.raises((EOFError, ConnectionResetError)):
            self.frame()
        got[VERDICT] = json.loads(got[VERDICT])
        return got

    def expect(self, kind, body):
        got = b""
        while len(got) < len(body):
            found, piece = self.frame()
            assert found == kind, (found, piece)
            got += piece
        assert got == body

    def close(self):
        self.socket.close()


@pytest.fixture
def attach(daemon):
    with contextlib.ExitStack() as stack:
        def one(run, *arguments, **options):
            return stack.enter_context(contextlib.closing(Attached(daemon, run, *arguments, **options)))
        yield one


def begin(api, argv, **members):
    return api.run(argv, wait=False, **{"stdin": {"open": True}, **members})["id"]


def test_both_ways(api, attach):
    run = begin(api, ["sh", "-c", "read a; echo out $a; echo err >&2; cat; exit 5"])
    client = attach(run)
    assert client.status == 101 and "Upgrade: bulkhead-attach/1" in client.head
    client.send(STDIN, b"one\n")
    client.expect(STDOUT, b"out one\n")
    client.expect(STDERR, b"err\n")
    client.send(STDIN, b"\0\xff")
    client.expect(STDOUT, b"\0\xff")
    client.send(STDIN)
    client.send(STDIN_END)
    assert client.all()[VERDICT]["exit_code"] == 5


def test_the_verdict_of_a_long_command(api, attach):
    """Which takes six bytes in JSON for each of its own: more than a frame may have."""
    body = b'{"argv":["true"' + 23 * (b',"' + b"\x7f" * 130_000 + b'"') + b"]}"
    run = api.request("POST", "/v1/runs", body, {"Content-Type": "application/json"}).expect(201).json["id"]
    verdict = attach(run).all()[VERDICT]
    assert sum(len(word) + 1 for word in verdict["argv"]) == 65536
    assert verdict["argv_left_out"] == {"words": 22, "bytes": 5 + 23 * 130_001 - 65536}
    assert api.get(f"/v1/runs/{run}")["verdict"] == verdict


def test_a_line_of_the_log_that_is_longer_than_a_frame(api, attach, daemon):
    run = api.run(["echo", "x"])["id"]
    line = {"t_us": 1, "stream": "stdout", "text": "0123456789" * 15_000}
    (daemon.place.state / "runs" / run / "output.jsonl").write_text(json.dumps(line) + "\n")
    assert attach(run).all()[STDOUT] == b"0123456789" * 15_000


def test_frames_behind_the_request(api, attach):
    run = begin(api, ["cat"])
    frames = struct.pack(">B3xI", STDIN, 5) + b"early" + struct.pack(">B3xI", STDIN_END, 0)
    assert attach(run, behind=frames).all()[STDOUT] == b"early"


def test_a_frame_in_pieces(api, attach):
    client = attach(begin(api, ["cat"]))
    for byte in struct.pack(">B3xI", STDIN, 4) + b"slow" + struct.pack(">B3xI", STDIN_END, 0):
        client.socket.sendall(bytes([byte]))
    assert client.all()[STDOUT] == b"slow"


def test_all_there_was_and_is(api, attach):
    run = begin(api, ["sh", "-c", "echo before; cat"])
    wait_until(lambda: api.output(run)["stdout"] == b"before\n", what="output")
    first, second = attach(run), attach(run)
    first.expect(STDOUT, b"before\n")
    second.expect(STDOUT, b"before\n")
    first.send(STDIN, b"x")
    first.expect(STDOUT, b"x")
    second.expect(STDOUT, b"x")
    second.send(STDIN_END)
    assert first.all()[VERDICT] == second.all()[VERDICT]
    late = attach(run).all()
    assert late[STDOUT] == b"before\nx" and late[VERDICT]["cause"] == "ok"


def test_what_is_queued(daemon, attach):
    daemon.restart("--max-runs", 1)
    api = Api(daemon)
    first, second = begin(api, ["cat"]), begin(api, ["cat"])
    client = attach(second)
    assert client.status == 101
    client.send(STDIN, b"waits")
    client.send(STDIN_END)
    api.request("POST", f"/v1/runs/{first}/stdin?close=1", b"").expect(200)
    assert client.all()[STDOUT] == b"waits"


def test_refused_frames_for_what_is_queued(daemon, attach):
    """So many that their answers have to wait: what would be held back has no output yet."""
    daemon.restart("--max-runs", 1)
    api = Api(daemon)
    first, second = begin(api, ["cat"]), begin(api, ["sh", "-c", "echo ran"], stdin=None)
    refused = struct.pack(">B3xI", RESIZE, 4) + struct.pack(">HH", 1, 1)
    client = attach(second, "?pace=1", behind=refused * 2000)
    assert client.status == 101
    for _ in range(2000):
        assert client.frame()[0] == PROBLEM
    assert api.get(f"/v1/runs/{second}")["state"] == "queued"
    client.socket.sendall(refused * 2000)  # held while it begins
    api.request("POST", f"/v1/runs/{first}/stdin?close=1", b"").expect(200)
    got = client.all()
    assert got[STDOUT] == b"ran\n" and got[VERDICT]["cause"] == "ok"


def test_a_terminal(api, attach):
    run = begin(api, ["sh", "-c", "trap 'stty size; n=1' WINCH; stty size; until [ \"$n\" ]; do sleep 0.02; done; read x; echo got $x"], tty=True, rows=5, cols=6, stdin=None)
    client = attach(run)
    client.expect(STDOUT, b"5 6\r\n")
    client.send(RESIZE, struct.pack(">HH", 50, 60))
    client.expect(STDOUT, b"50 60\r\n")
    client.send(STDIN, b"hi\n")
    client.expect(STDOUT, b"hi\r\ngot hi\r\n")
    assert client.all()[VERDICT]["cause"] == "ok"
    client = attach(begin(api, ["cat"], tty=True, stdin=None))
    client.send(STDIN, b"x\n\x03")
    assert client.all()[VERDICT]["signal"] == signal.SIGINT
    client = attach(begin(api, ["cat"], tty=True, stdin=None))
    client.send(STDIN_END)
    assert client.all()[VERDICT]["exit_code"] == 0


def test_signals_and_cancel(api, attach):
    run = begin(api, ["sh", "-c", "trap 'echo usr1' USR1; echo ready; while :; do sleep 0.02; done"])
    client = attach(run)
    client.expect(STDOUT, b"ready\n")
    client.send(SIGNAL, struct.pack(">I", signal.SIGUSR1))
    client.expect(STDOUT, b"usr1\n")
    client.send(CANCEL)
    assert client.all()[VERDICT]["cause"] == "cancelled"
    client = attach(begin(api, ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.02; done"], limits={"grace": "1m"}))
    client.expect(STDOUT, b"ready\n")
    client.send(CANCEL)
    client.send(CANCEL)
    assert client.all()[VERDICT]["signal"] == signal.SIGKILL


def test_refused_frames_do_not_end_it(api, attach):
    client = attach(begin(api, ["sleep", "60"], stdin=None))
    for kind, body, error in ((STDIN, b"x", "busy"), (RESIZE, struct.pack(">HH", 1, 1), "busy"), (SIGNAL, struct.pack(">I", 0), "invalid"),
                              (SIGNAL, struct.pack(">I", 65), "invalid")):
        client.send(kind, body)
        found, problem = client.frame()
        assert found == PROBLEM and json.loads(problem)["error"] == error, problem
    client.send(CANCEL)
    assert client.all()[VERDICT]["cause"] == "cancelled"


def test_what_is_no_frame_ends_it(api, attach):
    run = begin(api, ["sleep", "60"])
    wait_until(lambda: api.get(f"/v1/runs/{run}")["state"] == "running", what="the run")
    for junk in (b"\0" * 8, b"\x01\0\0\x01\0\0\0\0", struct.pack(">B3xI", STDIN, 65537), struct.pack(">B3xI", STDOUT, 1), struct.pack(">B3xI", RESIZE, 3),
                 struct.pack(">B3xI", 99, 0), b"GET / HT", b"\xff" * 100):
        client = attach(run)
        client.socket.sendall(junk)
        kind, problem = client.frame()
        assert kind == PROBLEM and json.loads(problem)["error"] == "invalid"
        with pytest.raises((EOFError, ConnectionResetError)):
            client.frame()
    assert api.get(f"/v1/runs/{run}")["state"] == "running"
    api.request("DELETE", f"/v1/runs/{run}?now=1&wait=1").expect(200)


def test_half_of_it_closed(api, attach):
    """A client that sends no more has ended stdin; output goes on."""
    client = attach(begin(api, ["sh", "-c", "cat; echo; sleep 0.1; echo end"]))
    client.send(STDIN, b"last")
    client.socket.shutdown(socket.SHUT_WR)
    got = client.all()
    assert got[STDOUT] == b"last\nend\n" and got[VERDICT]["cause"] == "ok"


def test_half_of_a_frame_and_the_end(api, attach):
    client = attach(begin(api, ["cat"]))
    client.socket.sendall(struct.pack(">B3xI", STDIN, 100) + b"half")
    client.socket.shutdown(socket.SHUT_WR)
    assert STDOUT not in client.all()


def test_a_client_that_goes(daemon, api, attach):
    run = begin(api, ["sh", "-c", "echo ready; exec cat"])
    client = attach(run)
    client.expect(STDOUT, b"ready\n")
    client.close()
    wait_until(lambda: api.get("/v1/stats")["attachments"] == 0, what="nobody attached")
    client = attach(run, "?gone=cancel")
    client.send(STDIN, b"still there\n")
    client.expect(STDOUT, b"ready\nstill there\n")
    client.close()
    assert cause(api.ended(run)) == "cancelled"


def test_a_client_that_goes_while_nothing_is_read(api, attach):
    """Neither does the program read, nor the daemon from the client: the hang-up is seen all the same."""
    run = begin(api, ["sleep", "60"])
    client = attach(run, "?gone=cancel")
    client.socket.settimeout(0.3)
    with contextlib.suppress(TimeoutError):
        for _ in range(100):
            client.send(STDIN, b"x" * 65536)
    client.close()
    assert cause(api.ended(run)) == "cancelled"


def test_half_an_upgrade(daemon, api, attach):
    """Asked for and left, or never used: the run goes on, nothing stays."""
    run = begin(api, ["cat"])
    before = daemon.pipes()
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(daemon.socket)
            connection.sendall(f"GET /v1/runs/{run}/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: bulkhead-attach/1\r\n\r\n".encode())
    silent = [attach(run) for _ in range(20)]
    assert {c.status for c in silent} == {101}
    wait_until(lambda: api.get("/v1/stats")["attachments"] == 20, what="those that stay")
    api.request("POST", f"/v1/runs/{run}/stdin?close=1", b"done").expect(200)
    for client in silent:
        assert client.all()[STDOUT] == b"done"
    wait_until(lambda: daemon.pipes() <= before + 2, what="descriptors given back")


def test_refusals(api, attach):
    run = begin(api, ["sleep", "60"])
    answer = api.request("GET", f"/v1/runs/{run}/attach")
    answer.problem(426, "upgrade")
    assert answer.headers["Upgrade"] == "bulkhead-attach/1"
    assert attach(run, upgrade="websocket").status == 426
    assert attach(UNKNOWN).status == 404
    assert attach(run, "?gone=never").status == 400
    api.request("DELETE", f"/v1/runs/{run}?now=1&wait=1").expect(200)


def test_the_end_of_the_daemon(daemon, api, attach):
    client = attach(begin(api, ["sleep", "60"]))
    daemon.stop()
    assert client.all()[VERDICT]["cause"] == "shutdown"


def test_a_slow_client(daemon, api, attach):
    """Memory stays flat, the run goes on, and what the client missed is said."""
    size = (24 if SANITIZED else 96) << 20
    run = begin(api, ["head", "-c", str(size), "/dev/zero"], stdin=None)
    client = attach(run, timeout=60)
    before = resident(daemon.pid)
    assert cause(api.ended(run)) == "ok"
    assert resident(daemon.pid) < before + (6 << 10) * (6 if SANITIZED else 1)
    seen = 0
    while True:
        kind, body = client.frame()
        if kind == VERDICT:
            break
        seen += struct.unpack(">Q", body)[0] if kind == GAP else len(body)
    assert seen == size


def test_a_large_stdin_by_frames(daemon, api, attach):
    run = begin(api, ["sh", "-c", "wc -c"])
    client = attach(run)
    for _ in range(200):
        client.send(STDIN, b"x" * 65536)
    client.send(STDIN_END)
    assert client.all()[STDOUT] == f"{200 * 65536}\n".encode()


def test_whatever_frames_come(daemon, api, attach):
    chance = random.Random(2)
    run = begin(api, ["cat"])
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        client = attach(run)
        with contextlib.suppress(OSError, EOFError):
            for _ in range(chance.randrange(1, 8)):
                kind = chance.choice((STDIN, RESIZE, SIGNAL, chance.randrange(256)))
                body = bytes(chance.randrange(256) for _ in range(chance.choice((0, 4, 4, chance.randrange(40)))))
                if kind in (SIGNAL, STDIN_END, CANCEL):
                    body = struct.pack(">I", chance.choice((0, signal.SIGWINCH, 1 << 31)))
                    kind = SIGNAL
                client.send(kind, body)
            client.socket.settimeout(0.02)
            client.frame()
        client.close()
    assert api.get(f"/v1/runs/{run}")["state"] == "running"
    api.request("DELETE", f"/v1/runs/{run}?now=1&wait=1").expect(200)


# ---- over TCP ----


@pytest.fixture
def port(daemon, place):
    """Of a daemon that listens there, too."""
    file = place.file("token", TOKEN, mode=0o600, below=place.top)
    daemon.restart("--listen", "0", "--token-file", file)
    return int(re.search(r"listening on TCP port (\d+)", daemon.said())[1])


def test_half_a_close_over_tcp_is_the_end_of_stdin(daemon, api, port):
    """Also while there is stdin that the program has not read."""
    run = api.run(["sh", "-c", "read x; head -c 262144 | wc -c"], wait=False, stdin={"open": True})["id"]
    a = Attached(daemon, run, "?gone=cancel", port=port)
    a.send(STDIN, b"x" * 65536)
    for _ in range(3):
        a.send(STDIN, b"y" * 65536)
    a.send(STDIN, b"\n" + b"z" * 65535)
    a.socket.shutdown(socket.SHUT_WR)
    got = a.all()
    assert got[VERDICT]["cause"] == "ok" and got[STDOUT] == b"65535\n"
    a.close()


def test_a_client_that_resets_its_connection_is_gone(daemon, api, port):
    run = api.run(["sleep", "60"], wait=False, stdin={"open": True})["id"]
    a = Attached(daemon, run, "?gone=cancel", port=port)
    a.socket.shutdown(socket.SHUT_WR)
    wait_until(lambda: api.get(f"/v1/runs/{run}")["state"] == "running", what="the run")
    a.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    a.close()
    assert cause(api.ended(run)) == "cancelled"


def test_connections_over_tcp_are_kept_alive(daemon, api, port):
    """One that has gone without a word is found by that: the timer is of keepalive (2)."""
    run = api.run(["sleep", "60"], wait=False)["id"]
    a = Attached(daemon, run, port=port)
    lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    theirs = f"{a.socket.getsockname()[1]:04X}"
    timers = [line[5] for line in lines if line[1].endswith(f":{port:04X}") and line[2].endswith(f":{theirs}")]
    assert len(timers) == 1 and timers[0].startswith("02:"), timers
    a.close()
    api.request("DELETE", f"/v1/runs/{run}?wait=1&now=1").expect(200)
