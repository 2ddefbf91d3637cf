# SPDX-License-Identifier: MIT
"""What the tests of the daemon share: starting one, talking with it over its socket, and looking at it from outside."""

import base64
import contextlib
import ctypes
import dataclasses
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from support import alive, check_schema, descendants, groups, schema, seconds, wait_until


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout):
        super().__init__("bulkhead", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    def expect(self, *statuses):
        assert self.status in statuses, f"{self.status}: {self.body.decode(errors='replace')}"
        return self

    def problem(self, status, error):
        """It is a problem of RFC 9457 of that kind: its detail."""
        self.expect(status)
        assert self.headers["Content-Type"] == "application/problem+json"
        told = self.json
        assert (told["status"], told["error"]) == (status, error), told
        assert told["blame"] in ("request", "policy", "host", "bulkhead") and told["title"] and told["detail"]
        return told["detail"]


class Api:
    """A client. Each request has a connection of its own, so that any number of threads may have one on."""

    def __init__(self, daemon, timeout=60):
        self.daemon, self.timeout = daemon, timeout

    def connect(self, timeout=None):
        return Connection(self.daemon.socket, seconds(timeout or self.timeout))

    def request(self, method, target, body=None, headers=None, connection=None, timeout=None):
        """Any request; @body an object for JSON, or bytes."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        with contextlib.ExitStack() as stack:
            if connection is None:
                connection = stack.enter_context(contextlib.closing(self.connect(timeout)))
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def get(self, target, **options):
        return self.request("GET", target, **options).expect(200).json

    def run(self, argv, box=None, wait=True, connection=None, **members):
        """POST a run: the run, with wait when it has ended and its verdict has been checked."""
        target = (f"/v1/boxes/{box}/runs" if box else "/v1/runs") + ("?wait=1" if wait else "")
        made = self.request("POST", target, {"argv": argv, **members}, connection=connection).expect(201).json
        return self.checked(made) if wait else made

    def checked(self, run):
        assert run["state"] == "ended", run
        check_schema(run["verdict"], schema("verdict"))
        assert None in (run["verdict"]["exit_code"], run["verdict"]["signal"]), "exit code and signal at once"
        return run

    def ended(self, run_id):
        """Wait for the end of a run."""
        return self.checked(self.get(f"/v1/runs/{run_id}?wait=1"))

    def output(self, run_id):
        """What it wrote: {stream: bytes}."""
        answer = self.request("GET", f"/v1/runs/{run_id}/output").expect(200)
        written = {"stdout": b"", "stderr": b""}
        for line in answer.body.splitlines():
            event = json.loads(line)
            assert "stream" in event, f"not all was kept: {event}"
            written[event["stream"]] += base64.b64decode(event["base64"]) if "base64" in event else event["text"].encode()
        return written

    def out(self, run):
        return self.output(run["id"])["stdout"].decode()

    def box(self, **members):
        """Make a kept box: its id."""
        made = self.request("POST", "/v1/boxes?wait=1", members).expect(201).json
        assert made["state"] == "ready", made
        return made["id"]

    def groups(self):
        """Whether there are groups here, for this user, that tell who belongs to which run."""
        return self.get("/v1/host")["cgroup"]["rung"] != "none"

    def remove(self, box, now=False):
        return self.request("DELETE", f"/v1/boxes/{box}?wait=1" + ("&now=1" if now else "")).expect(200, 410)


def cause(run):
    return run["verdict"]["cause"]


def exit_code(run):
    return run["verdict"]["exit_code"]


def meanwhile(work, *arguments_of_each):
    """Call @work with each of the arguments, all at once: the results, in that order."""
    results = [None] * len(arguments_of_each)

    def one(i, arguments):
        try:
            results[i] = work(*arguments)
        except BaseException as error:  # pytest.fail() too
            results[i] = error

    threads = [threading.Thread(target=one, args=(i, a), daemon=True) for i, a in enumerate(arguments_of_each)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds(120)
    for thread in threads:
        thread.join(max(0.1, deadline - time.monotonic()))
        assert not thread.is_alive(), "no answer within two minutes"
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


# ---- the daemon ----


class Daemon:
    """A bulkheadd of a place: started, looked at, ended in each way."""

    def __init__(self, place):
        self.place = place
        self.path = os.path.join(os.path.dirname(place.path), "bulkheadd")
        self.socket = place.env["BULKHEAD_SOCKET"]
        self.process = None
        self.log = place.top / "daemon.log"

    def start(self, *options, **popen):
        with open(self.log, "ab") as log:
            self.place.own(self.log)
            self.process = subprocess.Popen(
                [self.path, *map(str, options)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.place.cwd,
                env=self.place.env, **self.place._as | popen)
        wait_until(self._answers, 20, "an answer of the daemon")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            pytest.fail(f"the daemon has ended with {self.process.returncode}:\n{self.said()}")
        with contextlib.suppress(OSError):
            return Api(self).request("GET", "/healthz", timeout=5).status == 200

    def said(self):
        return self.log.read_text(errors="replace")

    def restart(self, *options, **popen):
        self.stop()
        return self.start(*options, **popen)

    def stop(self, sig=signal.SIGTERM, limit=30):
        """Tell it to stop: how long that took."""
        began = time.monotonic()
        self.process.send_signal(sig)
        try:
            status = self.process.wait(seconds(limit))
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"the daemon did not end within {seconds(limit):g} s:\n{self.said()}")
        took = time.monotonic() - began
        assert status == 0, f"the daemon ended with {status}:\n{self.said()}"
        return took

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.stop()
        said = self.said()
        assert not re.search("Sanitizer|Assertion|runtime error", said), said

    # ---- from outside ----

    @property
    def pid(self):
        return self.process.pid

    def children(self):
        """Its own children that are alive: {pid: (comm, pid inside of a box or 0, start)}."""
        found = {}
        for pid, state in descendants(self.pid).items():
            with contextlib.suppress(OSError):
                comm, fields = stat_of(pid)
                inside = re.search(r"^NSpid:\s*\d+\s+(\d+)", read(pid, "status"), re.MULTILINE)
                if int(fields[1]) == self.pid and state not in "ZX":
                    found[pid] = (comm, int(inside[1]) if inside else 0, int(fields[19]))
        return found

    def zygote(self):
        """Makers have its name too, and are younger."""
        def oldest():
            found = {pid: start for pid, (comm, inside, start) in self.children().items() if comm == "bulkhead-zygote" and not inside}
            return min(found, key=found.get, default=None)
        return wait_until(oldest, what="a zygote")

    def parked(self):
        """Payloads that wait for their command."""
        return [pid for pid, (comm, inside, _) in self.children().items() if comm == "bulkhead-zygote" and inside > 1]

    def inits(self):
        """Of its boxes, the oldest first."""
        found = {pid: start for pid, (_, inside, start) in self.children().items() if inside == 1}
        return sorted(found, key=found.get)

    def groups(self):
        """Its groups, with all below them."""
        tops = [g for g in groups() if f".{self.pid}." in os.path.basename(g)]
        return {path for top in tops for path, _, _ in os.walk(top)}

    def pipes(self):
        """How many sockets and pipes it has open: what comes with clients and runs. Groups are kept for others."""
        found = 0
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(OSError):
                found += os.readlink(f"/proc/{self.pid}/fd/{fd}").startswith(("socket:", "pipe:"))
        return found

    def figures(self):
        """What must not grow: {what: number}."""
        found = {"processes": len(descendants(self.pid)), "groups": len(self.groups())}
        for name, pid in [("daemon", self.pid), ("zygote", self.zygote()), *(("init", pid) for pid in self.inits()[:1])]:
            found[f"descriptors of {name}"] = len(os.listdir(f"/proc/{pid}/fd"))
            found[f"KiB of {name}"] = resident(pid)
        return found


@contextlib.contextmanager
def held(pid):
    """A process that is at work with something else: it does not run, and nobody is told of that."""
    seize, interrupt, detach = 0x4206, 0x4207, 17
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.ptrace(seize, pid, None, None) == 0 and libc.ptrace(interrupt, pid, None, None) == 0
    os.waitpid(pid, 0)
    try:
        yield
    finally:
        if libc.ptrace(detach, pid, None, None) != 0:  # killed meanwhile: who has traced it is told first
            os.waitpid(pid, 0)


def living(pids):
    """Those of them that are not dead. What a dead daemon has left is ours to reap: an init waits for all in its box."""
    for pid, state in descendants().items():
        if state == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
    return alive(pids)


def read(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_text(errors="replace")


def stat_of(pid):
    """Name, and the fields behind it: state, parent, …"""
    text = read(pid, "stat")
    return text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()


def resident(pid):
    return int(re.search(r"^VmRSS:\s+(\d+)", read(pid, "status"), re.MULTILINE)[1])
