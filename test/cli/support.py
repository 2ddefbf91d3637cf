# SPDX-License-Identifier: MIT
"""What the black-box tests share: running bulkhead as somebody, verdicts, time, and leaks."""

import contextlib
import ctypes
import dataclasses
import itertools
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
# A box has a /tmp of its own: of a checkout below the host's, what was built has to be shown.
SHOWN = ("--read", str(TOP / "build")) if str(TOP).startswith("/tmp/") else ()

IN_VM = os.environ.get("BULKHEAD_VM") == "1"
SANITIZED = os.environ.get("BULKHEAD_SANITIZE") == "1"
TIME_SCALE = float(os.environ.get("BULKHEAD_TIME_SCALE", "3" if SANITIZED else "1"))
PYTHON = "/usr/bin/python3"

# The ordinary user that root tests as: an id that nobody has, so nothing on the host is its own.
USER_ID = 54321

MIB = 1 << 20


def seconds(n):
    """A time limit on this machine. For what is waited for, never for what is given to a run."""
    return n * TIME_SCALE


def run_time(n):
    """A deadline for --timeout and its like which leaves slow machines time to get there."""
    return f"{round(n * 1000 * TIME_SCALE)}ms"


def wait_until(condition, limit=10.0, what="the condition"):
    """Look until @condition gives something true, which is returned."""
    deadline = time.monotonic() + seconds(limit)
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {seconds(limit):g} s")
        time.sleep(0.002)


class Lateness:
    """How late this machine is with waking a sleeper: what a deadline may be missed by anyway."""

    def __enter__(self):
        self.worst, self._end = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self):
        while True:
            before = time.monotonic()
            if self._end.wait(0.005):
                return
            self.worst = max(self.worst, time.monotonic() - before - 0.005)

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


# ---- the program and its helpers ----


def program():
    path = pathlib.Path(os.environ.get("BULKHEAD", TOP / "build/release/bulkhead"))
    if not path.exists():
        pytest.exit(f"no program to test at '{path}': build it, or set BULKHEAD", 2)
    return path.resolve()


def helper(name):
    """The path of a program of test/cli/helpers: static, small, fast to start anywhere."""
    default = program().parents[1] / "test/cli"
    path = pathlib.Path(os.environ.get("BULKHEAD_HELPERS", default)) / name
    if not path.exists():
        pytest.fail(f"no helper '{path}': build it, or set BULKHEAD_HELPERS")
    return str(path)


# ---- JSON Schema, as much of it as ours use ----

_TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
    "integer": int, "number": (int, float),
}
_KNOWN = {
    "$schema", "$id", "$defs", "$ref", "$comment", "title", "description", "default", "examples",
    "type", "enum", "const", "required", "properties", "additionalProperties", "items", "minimum",
    "maximum", "minItems", "maxItems", "minLength", "maxLength", "pattern", "format", "oneOf", "anyOf",
}


def _is_type(value, name):
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])


def _object_faults(value, schema, root, at):
    properties = schema.get("properties", {})
    for key in schema.get("required", []):
        if key not in value:
            yield f"{at}: '{key}' is missing"
    for key, member in value.items():
        if key in properties:
            yield from schema_faults(member, properties[key], root, f"{at}.{key}")
        elif schema.get("additionalProperties") is False:
            yield f"{at}: '{key}' is not in the schema"
        elif isinstance(schema.get("additionalProperties"), dict):
            yield from schema_faults(member, schema["additionalProperties"], root, f"{at}.{key}")


def schema_faults(value, schema, root=None, at="$"):
    """What is wrong with @value by @schema; a keyword that is not known is an error too."""
    root = root or schema
    unknown = schema.keys() - _KNOWN
    assert not unknown, f"the validator of the tests does not know {unknown}"
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from schema_faults(value, target, root, at)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(_is_type(value, t) for t in types):
        yield f"{at}: {value!r} is not of type {types}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is not one of {schema['enum']}"
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{at}: {value!r} is out of range"
    for keyword, good in (("oneOf", lambda n: n == 1), ("anyOf", lambda n: n > 0)):
        if keyword in schema:
            fitting = sum(not list(schema_faults(value, s, root, at)) for s in schema[keyword])
            if not good(fitting):
                yield f"{at}: {value!r} fits {fitting} of {keyword}"
    if isinstance(value, dict):
        yield from _object_faults(value, schema, root, at)
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            yield from schema_faults(item, schema["items"], root, f"{at}[{i}]")


def check_schema(value, schema):
    faults = list(schema_faults(value, schema))
    assert not faults, "\n".join(faults)


# ---- running it ----


@dataclasses.dataclass
class Result:
    """How a run of the program ended."""

    status: int
    stdout: bytes
    stderr: bytes
    duration: float
    verdict: dict | None = None

    @property
    def out(self):
        return self.stdout.decode("utf-8", "surrogateescape")

    @property
    def err(self):
        return self.stderr.decode("utf-8", "surrogateescape")

    @property
    def cause(self):
        return self.verdict["cause"] if self.verdict else None

    def fact(self, name):
        """The evidence called @name; the first of several."""
        found = [e for e in self.verdict["evidence"] if e["fact"] == name]
        assert found, f"no evidence '{name}' in {self.verdict['evidence']}"
        return found[0]

    def facts(self):
        return {e["fact"] for e in self.verdict["evidence"]}

    def enforced_by(self, limit):
        return self.verdict["limits"][limit]["enforced_by"]

    def expect(self, cause, status, **members):
        """The cause, the exit status, and members of the verdict, with all there is on a failure."""
        seen = {"cause": self.cause, "status": self.status}
        wanted = {"cause": cause, "status": status} | members
        seen |= {key: (self.verdict or {}).get(key) for key in members}
        assert seen == wanted, f"{self.err}\n{json.dumps(self.verdict, indent=1)}"
        return self


class Bulkhead:
    """The program, as one user, with a state directory, a home and a working directory of its own."""

    def __init__(self, who, top):
        self.who = who  # root, or user
        self.path = str(program())
        self.top = pathlib.Path(top)
        self.cwd, self.home, self.state = self.top / "work", self.top / "home", self.top / "state"
        self._verdicts = itertools.count(1)  # some tests have threads
        self._as = {}
        if who == "user" and os.geteuid() == 0:
            self._as = {"user": USER_ID, "group": USER_ID, "extra_groups": []}
        for path in (self.top, self.cwd, self.home):
            path.mkdir(mode=0o755, exist_ok=True)
            self.own(path)
        self.env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.home), "LANG": "C.UTF-8", "BULKHEAD_STATE": str(self.state),
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        # other commands that start bulkhead themselves
        self.wrapper = []

    @property
    def uid(self):
        return self._as.get("user", os.geteuid())

    @property
    def gid(self):
        return self._as.get("group", os.getegid())

    def own(self, path):
        """Give a file of the test to the user that bulkhead runs as."""
        if self._as:
            os.chown(path, self.uid, self.gid)
        return path

    def file(self, name, text="", mode=0o644, below=None):
        """Make a file (below the working directory) that belongs to the user."""
        path = (below or self.cwd) / name
        missing = [p for p in path.parents if not p.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        for parent in missing:
            self.own(parent)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        self.own(path)
        return path

    def directory(self, name, mode=0o755):
        path = self.top / name
        path.mkdir(mode=mode)
        return self.own(path)

    def start(self, *words, env=None, unset=(), cwd=None, **popen):
        """Start `bulkhead WORD…`; a subprocess.Popen, whose end the test has to see to."""
        environment = {k: v for k, v in (self.env | (env or {})).items() if k not in unset}
        options = {"stdin": subprocess.DEVNULL, "cwd": cwd or self.cwd, "env": environment}
        process = subprocess.Popen([*self.wrapper, self.path, *map(_word, words)],
                                   **options | self._as | popen)
        _started.add(process.pid)
        return process

    def finish(self, process, deadline=60, input=None, began=None):
        """Wait for what start() started, with its output. Too late: killed, and the test fails."""
        began = began or time.monotonic()
        try:
            out, err = process.communicate(input=input, timeout=seconds(deadline))
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"bulkhead did not end within {seconds(deadline):g} s\n{out!r}\n{err!r}")
        return Result(process.returncode, out or b"", err or b"", time.monotonic() - began)

    def command(self, *words, input=None, deadline=60, **options):
        """`bulkhead WORD…`: its status and output."""
        began = time.monotonic()
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        if input is not None:
            options["stdin"] = subprocess.PIPE
        return self.finish(self.start(*words, **options), deadline, input, began)

    def verdict_path(self):
        """A new path for --verdict."""
        return self.top / f"verdict-{next(self._verdicts)}.json"

    def read_verdict(self, path):
        """The verdict in a file, checked against the published schema; None if there is none."""
        if not path.exists():
            return None
        verdict = json.loads(path.read_bytes())
        check_schema(verdict, schema("verdict"))
        assert None in (verdict["exit_code"], verdict["signal"]), "exit code and signal at once"
        return verdict

    def run(self, *words, **options):
        """`bulkhead run --verdict FILE WORD…`: status, output and verdict."""
        path = self.verdict_path()
        result = self.command("run", *SHOWN, "--verdict", path, *words, **options)
        result.verdict = self.read_verdict(path)
        return result

    def run_at_once(self, *words, **options):
        """A run that its own signal ends; again where the machine was so slow that it could be a stranger's."""
        for _ in range(5):
            r = self.run(*words, **options)
            if r.verdict["usage"]["wall_us"] < 100_000:
                break
        return r

    @contextlib.contextmanager
    def background(self, *words, **options):
        """`bulkhead run --verdict FILE WORD…` meanwhile: the Popen, with .path of its verdict."""
        path = self.verdict_path()
        process = self.start("run", *SHOWN, "--verdict", path, *words, **options)
        process.verdict_path = path
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()

    def rung(self):
        """Where limits come from for this user here, in the words of the verdict: RUNG_NAMES."""
        if self.who not in _rungs:
            _rungs[self.who] = self.run("--no-record", "true").verdict["host"]["rung"]
            assert _rungs[self.who] in RUNG_NAMES
        return _rungs[self.who]


RUNG_NAMES = ("cgroup-v2", "cgroup-v2 (delegated)", "cgroup-v1 (hybrid)", "none")

_rungs = {}
_started = set()  # the bulkheads of this session
_schemas = {}


def _word(word):
    return word if isinstance(word, bytes) else str(word)


def schema(name):
    """A published schema: verdict, or policy."""
    if name not in _schemas:
        words = [str(program()), "policy", "schema", name]
        _schemas[name] = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    return _schemas[name]


def kernel_reported_oom(r):
    """Whether the kernel's log, if we may read it, has the report of a kill in @r: at most ten come in 5 s."""
    try:
        fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        while True:
            try:
                record = os.read(fd, 8192)
            except BrokenPipeError:
                continue  # overwritten meanwhile
            if b"oom-kill:" in record and f"-{r.verdict['id']},task=".encode() in record:
                return True
    except BlockingIOError:
        return False
    finally:
        os.close(fd)


# ---- leaks ----

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper():
    """What a run leaves behind becomes our child, wherever it hides."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def begin_session():
    """Signals as one would expect, and no orphan out of sight: first of all, in every suite."""
    # as a job of nohup(1) or in a shell's background they are ignored, and so in all that we start
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    become_subreaper()


def _stat(pid):
    """State and parent of a process; its name may hold anything, so count from the last ')'."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2:].split()
    return fields[0].decode(), int(fields[1])


def processes():
    """All processes: {pid: (state, parent)}."""
    found = {int(name): _stat(name) for name in os.listdir("/proc") if name.isdigit()}
    return {pid: stat for pid, stat in found.items() if stat}


def descendants(of=None):
    """{pid: state} of all below a process; ours by default."""
    table, found = processes(), {}
    level = [of or os.getpid()]
    while level:
        level = [pid for pid, (_, parent) in table.items() if parent in level and pid not in found]
        found |= {pid: table[pid][0] for pid in level}
    return found


def alive(pids):
    """Those which are not dead. Orphans of a test are its children, and its to reap: a box is not gone before."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.waitpid(pid, os.WNOHANG)
    table = processes()
    return [pid for pid in pids if pid in table and table[pid][0] not in "ZX"]


PF_EXITING = 4  # linux/sched.h


def dying(pid):
    """Whether a process has its SIGKILL and is not dead yet, or is dead."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace")
        stat = pathlib.Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True
    pending = [int(mask, 16) for mask in re.findall(r"^S(?:ig|hd)Pnd:\s*(\w+)", status, re.MULTILINE)]
    exiting = int(stat[stat.rindex(b")") + 2:].split()[6]) & PF_EXITING
    return bool(exiting) or any(mask >> (signal.SIGKILL - 1) & 1 for mask in pending)


def describe(pid):
    try:
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return f"{pid} ({' '.join(w.decode('utf-8', 'replace') for w in words[:6])})"
    except OSError:
        return str(pid)


def _bases():
    """The groups below which bulkhead would make its own: ours and all above, in each hierarchy."""
    found = set()
    mounts = [line.split() for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    mounts = [(m[4], m[m.index("-") + 1], m[-1].split(",")) for m in mounts]
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for mount, kind, options in mounts:
            v2 = kind == "cgroup2" and not controllers
            v1 = kind == "cgroup" and controllers and set(controllers.split(",")) <= set(options)
            if v1 or v2:
                below = pathlib.PurePath(path.lstrip("/"))
                found |= {os.path.normpath(os.path.join(mount, p)) for p in (below, *below.parents)}
    return found


def groups():
    """The directories of bulkheads, all of this machine's."""
    found = set()
    for base in _bases():
        with contextlib.suppress(OSError), os.scandir(base) as entries:
            found |= {e.path for e in entries if e.name.startswith("bulkhead-")}
    return found


def _owner(group):
    """The pid of the bulkhead that a group's name tells of, or 0."""
    found = re.match(r"bulkhead-\d+\.(\d+)\.\d+-", os.path.basename(group))
    return int(found[1]) if found else 0


def _left_groups(before, ours):
    """
    New groups, but for those of living bulkheads that this test did not start. Those of dead ones
    that it did not start itself may be another session's, which sees to them within a moment.
    """
    def of_others(group):
        stat = _stat(_owner(group))
        return _owner(group) not in ours and stat is not None and stat[0] not in "ZX"

    deadline = time.monotonic() + 3
    while True:
        left = sorted(g for g in groups() - before if not of_others(g))
        if not left or any(_owner(g) in _started for g in left) or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def leaked_groups(before):
    """The groups of dead bulkheads that came since @before, the result of groups()."""
    return _left_groups(before, descendants())


def _mounts():
    return set(pathlib.Path("/proc/self/mountinfo").read_text().splitlines())


def _fds():
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found[name] = os.readlink(f"/proc/self/fd/{name}")
    return {n: path for n, path in found.items() if not path.startswith("/proc/")}


STATE_FILES = {"state.db", "state.db-wal", "state.db-shm", "lock", "runs", "spool", "swept"}
RUN_FILES = re.compile(r"output(\.\d+)?\.jsonl|verdict\.json|observation\.json|timeline\.jsonl|exec\.jsonl")


def stray_files(bulkhead):
    """What lies in the state directory and beside it that is no record."""
    stray = []
    if bulkhead.state.is_dir():
        stray += [p for p in bulkhead.state.iterdir()
                  if p.name not in STATE_FILES and not p.name.startswith(("state.db.corrupt-", "spool.refused-"))]
        stray += [p for p in bulkhead.state.glob("runs/*/*") if not RUN_FILES.fullmatch(p.name)]
    stray += [*bulkhead.top.glob(".bulkhead-*"), *bulkhead.cwd.glob(".bulkhead-*")]
    return [str(p) for p in stray]


class LeakCheck:
    """What was there before a test; what is there after it and was not before is a leak."""

    def __init__(self):
        self.mounts, self.groups, self.fds = _mounts(), groups(), _fds()
        self.processes = set(descendants())

    def _left_processes(self):
        """
        Those that are not dead. A killed bulkhead's zombies are ours to reap, and only then is the
        init of its box gone; what has been killed may not have been scheduled since: that is waited for.
        """
        deadline, ending = time.monotonic() + seconds(2), False
        while True:
            found = {p: s for p, s in descendants().items() if p not in self.processes}
            for pid in (p for p, state in found.items() if state == "Z"):
                with contextlib.suppress(OSError):
                    ending |= os.waitpid(pid, os.WNOHANG)[0] == pid
            left = [pid for pid, state in found.items() if state not in "ZX"]
            ending |= any(dying(pid) for pid in left)
            if not left or not ending or time.monotonic() > deadline:
                return left
            time.sleep(0.002)

    def _end(self, pids):
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def leaks(self):
        left, ours = self._left_processes(), descendants()
        found = [f"process {describe(pid)}" for pid in left]
        found += [f"group {g}" for g in _left_groups(self.groups, ours)]
        found += [f"mount {m}" for m in sorted(_mounts() - self.mounts)]
        now = _fds()
        found += [f"descriptor {n}: {now[n]}" for n in now.keys() - self.fds.keys()]
        self._end(left)
        return found
