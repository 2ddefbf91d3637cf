# SPDX-License-Identifier: MIT
"""What a test says in the daemon's place: right answers, wrong ones, or none."""

import contextlib
import json
import os
import socket
import struct
import threading

from support import seconds

STDIN, STDIN_END, RESIZE, SIGNAL, CANCEL = 1, 2, 3, 4, 5
STDOUT, STDERR, GAP, VERDICT, PROBLEM = 17, 18, 19, 20, 21

RUN = {"id": "r1", "state": "running", "box": "b1", "tty": False, "verdict": None}
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bulkhead-attach/1\r\n\r\n"


def frame(kind, body=b""):
    return struct.pack(">B3xI", kind, len(body)) + body


def verdict(cause="ok", exit_code=0, signal=None, summary="it has ended", **more):
    value = {"id": "r1", "cause": cause, "exit_code": exit_code, "signal": signal, "summary": summary}
    return frame(VERDICT, json.dumps(value | more).encode() + b"\n")


def answer(status, body=b"", kind="application/json"):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Attached:
    """The daemon's end of an attached run."""

    def __init__(self, stream):
        self.stream = stream
        self.file = stream.makefile("rb")

    def send(self, *frames):
        self.stream.sendall(b"".join(frames))

    def frames(self):
        """What the client sends until it closes."""
        while head := self.file.read(8):
            kind, size = struct.unpack(">B3xI", head)
            yield kind, self.file.read(size)

    def stdin(self):
        """All of its stdin, to its end."""
        data = b""
        for kind, body in self.frames():
            if kind == STDIN_END:
                return data
            if kind == STDIN:
                data += body
        return None


class FakeDaemon:
    """
    Listens at .path. attach(Attached) plays the run; answers[METHOD, PATH] are bytes for a request, beside those
    below. All requests but those to attach are in .requests: (method, path, JSON or None).
    """

    def __init__(self, directory, attach=lambda a: a.send(verdict()), run=RUN):
        self.path = str(directory / "daemon.sock")
        self.attach = attach
        self.run = run
        self.requests = []
        self.attached_to = []
        self.answers = {}
        self.event = threading.Event()  # a test and its attach() may tell each other
        self.faults = []

    def __enter__(self):
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self._listener.listen(16)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.event.set()
        for thread in self._threads:
            thread.join(seconds(10))
        os.unlink(self.path)
        assert not self.faults, self.faults

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                stream, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(stream,), daemon=True)
                thread.start()
                self._threads.append(thread)

    def _serve(self, stream):
        try:
            with stream:
                self._talk(stream)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client may go when it likes
        except Exception as fault:  # pylint: disable=broad-except
            self.faults.append(fault)

    def _talk(self, stream):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = stream.recv(65536)
            if not piece:
                return
            data += piece
        head, body = data.split(b"\r\n\r\n", 1)
        method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
        fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
        while len(body) < int(fields.get("content-length", 0)):
            body += stream.recv(65536)
        if path.split("?")[0].endswith("/attach"):
            self.attached_to.append(path)
            stream.sendall(SWITCH)
            self.attach(Attached(stream))
            return
        self.requests.append((method, path, json.loads(body) if body else None))
        stream.sendall(self.answers.get((method, path)) or self._usual_answer(method, path))

    def _usual_answer(self, method, path):
        if method == "POST" and path.endswith("/runs"):
            return answer(201, self.run)
        if method == "POST" and path.endswith("/signal"):
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        if path.startswith("/v1/boxes?"):
            return answer(201, {"id": "b1", "state": "ready"})
        return answer(202 if method == "DELETE" else 200, self.run)
