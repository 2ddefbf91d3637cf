# SPDX-License-Identifier: MIT
"""libexec/bulkhead-preload-python without a daemon: what it makes of a run is what Python itself would."""

import array
import contextlib
import errno
import os
import pathlib
import select
import signal
import socket
import subprocess
import textwrap
import time
import zipfile

import pytest

HELPER = pathlib.Path(__file__).resolve().parents[2] / "libexec/bulkhead-preload-python"
PYTHON = "/usr/bin/python3"
BASE = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8"}
LIMIT = 30  # seconds, for what hangs


@contextlib.contextmanager
def files(stdin, *others):
    """Descriptors of files for stdin, stdout and stderr, and of others with that in them."""
    fds = []
    try:
        for content in (stdin, b"", b"", *others):
            fds.append(os.memfd_create("test"))
            os.pwrite(fds[-1], content, 0)
        yield fds
    finally:
        for fd in fds:
            os.close(fd)


def written(fd):
    return os.pread(fd, 1 << 20, 0).decode()


class Warm:
    """A warmed process and the daemon's end of its socket."""

    def __init__(self, *modules, command=(PYTHON, str(HELPER)), env=BASE):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(LIMIT)
        with theirs:
            null = os.open(os.devnull, os.O_RDONLY)  # one that nothing can be written to
            self.process = subprocess.Popen([*command, *modules], stdin=theirs, stdout=null,
                                            stderr=subprocess.PIPE, env=env | {"BULKHEAD_PRELOAD_FD": "0"}, cwd="/")
            os.close(null)

    def ready(self):
        assert self.control.recv(100) == b"ready"
        return self

    def send(self, packet, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.control.sendmsg([packet], rights)

    def run(self, argv, stdin=b"", cwd="/tmp", env=BASE, file=False):
        """Be one run: (exit status as subprocess has it, stdout, stderr, the answer before it)."""
        words = ["run", cwd, str(len(argv)), *argv, *(f"{k}={v}" for k, v in env.items())]
        packet = b"".join(os.fsencode(word) + b"\0" for word in words)
        with files(stdin, packet) as (*fds, words):
            if file:
                fds.append(words)
                packet = b"file\0"
            self.send(packet, fds)
            answer = self.control.recv(1000)
            return self.process.wait(LIMIT), written(fds[1]), written(fds[2]), answer

    def close(self):
        self.control.close()
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


@pytest.fixture
def warm():
    with contextlib.ExitStack() as stack:

        def make(*modules, **options):
            made = Warm(*modules, **options)
            stack.callback(made.close)
            return made

        yield make


def cold(argv, stdin=b"", cwd="/tmp"):
    """The same by Python itself: (exit status, stdout, stderr)."""
    with files(stdin) as fds:
        status = subprocess.run(argv, stdin=fds[0], stdout=fds[1], stderr=fds[2], cwd=cwd, env=BASE, timeout=LIMIT,
                                check=False).returncode
        return status, written(fds[1]), written(fds[2])


def script(tmp_path, text, name="script.py"):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return str(path)


# ---- the same as without it ----

LOOK = """
import os, sys, __main__
def attribute(name): return repr(getattr(__main__, name, "none at all"))
print(sys.argv, sys.path[0], __name__, os.getcwd(), sorted(os.environ), sys.flags)
print(attribute("__file__"), attribute("__package__"), attribute("__cached__"), attribute("__doc__"), attribute("__annotations__"))
print(type(__main__.__loader__), attribute("__spec__")[:20], sorted(vars()), __main__.__builtins__ is sys.modules["builtins"])
print(sys.stdin.name, sys.stdout.name, sys.stderr.name, sys.stdin.mode, sys.stdout.mode, sys.stdin.encoding, sys.stdout.errors)
print(sys.stdin.seekable(), sys.stdout.seekable(), sys.stderr.line_buffering, sys.stdout.line_buffering, sys.stdin.readline())
print("error", file=sys.stderr)
"""

SAME = {
    "a word": ("print('word')", []),
    "what it sees": (LOOK, ["a", "b c", "-x", "--", ""]),
    "an exit status": ("import sys; sys.exit(7)", []),
    "words for an exit status": ("import sys; sys.exit('words')", []),
    "an exception": ("def f():\n    1 / 0\n\nf()", []),
    "an exception of an exception": ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError(1) from e", []),
    "no Python": ("def f(:", []),
    "a hook": ("import sys\nsys.excepthook = lambda *a: print('hook', a[0], a[2].tb_lineno)\nraise KeyError(1)", []),
    "an interrupt": ("raise KeyboardInterrupt", []),
    "a signal": ("import os; os.kill(os.getpid(), 9)", []),
    "a pipe that nobody reads": ("import signal; print(signal.getsignal(signal.SIGPIPE), signal.getsignal(signal.SIGINT))", []),
    "its stdin": ("import sys; print(sys.stdin.read().upper(), input.__name__)", []),
    "at its end": ("import atexit; atexit.register(print, 'bye'); print('hello')", []),
    "threads": ("import threading; threading.Thread(target=lambda: print('thread')).start()", []),
    "other processes": ("import multiprocessing as m\ndef f(x): return x * 2\nif __name__ == '__main__':\n"
                        "    with m.get_context('spawn').Pool(2) as p: print(p.map(f, [1, 2]))", []),
    "pickles": ("import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))), pickle.dumps(A)[:40])", []),
    "its own text": ("import inspect\ndef f(): pass\nprint(inspect.getsource(f))", []),
    "descriptors": ("import os; print(sorted(os.listdir('/proc/self/fd')))", []),
    "its name": ("print(open('/proc/self/comm').read())", []),
}


@pytest.mark.parametrize("name", SAME)
def test_a_script_is_the_same(warm, tmp_path, name):
    text, arguments = SAME[name]
    argv, stdin = ["python3", script(tmp_path, text), *arguments], b"first line\nsecond\n"
    assert warm("json").ready().run(argv, stdin) == (*cold(argv, stdin), b"")


@pytest.mark.parametrize("words", [
    ["-c", "import sys; print(sys.argv, repr(sys.path[0]), __name__, sorted(vars()))", "x", "-c"],
    ["-c", "1 / 0"],
    ["-c", "("],
    ["-m", "there", "a", "-b"],
    ["-m", "there.sub"],
    ["-m", "not.there"],
    ["-m", "json.tool", "--help"],
    ["there.py", "a", "-b"],
    ["./fails.py"],
    ["package"],
    ["archive.zip", "a"],
    # what it leaves to Python itself
    ["-V"],
    ["-O", "-c", "print(__debug__)"],
    ["-u", "there.py"],
    ["no-such.py"],
    ["-c"],
    ["-"],
    [],
    ["/usr"],
], ids=" ".join)
def test_a_command_line_is_the_same(warm, tmp_path, words):
    look = "import sys; print(sys.argv, sys.path[0], __name__, __spec__ and __spec__.name, __package__)\n"
    script(tmp_path, look, "there.py")
    script(tmp_path, look, "package/__main__.py")
    script(tmp_path, "print(__file__)\n1 / 0\n", "fails.py")
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", look)
    argv, stdin = ["python3", *words], b"print('from stdin')\n"
    status, out, err, answer = warm().ready().run(argv, stdin, cwd=str(tmp_path))
    assert (status, out, err, answer) == (*cold(argv, stdin, cwd=str(tmp_path)), b"")


def test_what_was_imported_is_there_and_the_same_process_has_it(warm):
    w = warm("json", "xml.dom.minidom").ready()
    code = "import os, sys; print(os.getpid(), 'xml.dom.minidom' in sys.modules)"
    assert w.run(["python3", "-c", code])[1].split() == [str(w.process.pid), "True"]


@pytest.mark.parametrize("argv", [["python3", "-c", "print('out')"], ["echo", "out"]])
def test_what_modules_say_is_not_the_runs(warm, argv):
    """This one prints a poem when it is imported."""
    assert warm("this").ready().run(argv)[:3] == (0, "out\n", "")


@pytest.mark.parametrize("argv0", ["python3", PYTHON, os.path.realpath(PYTHON)])
def test_names_of_the_same_interpreter(warm, argv0):
    assert warm("colorsys").ready().run([argv0, "-c", "import sys; print('colorsys' in sys.modules)"])[1] == "True\n"


# ---- what it cannot do it leaves to others ----


@pytest.mark.parametrize("change", [{"PYTHONHASHSEED": "5"}, {"OMP_NUM_THREADS": "3"}, {"LANG": "C"}, {"HOME": "/tmp"},
                                    {"LD_LIBRARY_PATH": "/x"}, {"PYTHONUNBUFFERED": "1"}])
def test_an_environment_that_matters_at_the_start(warm, change):
    code = f"import os, sys; print('colorsys' in sys.modules, os.environ['{next(iter(change))}'])"
    status, out, _, answer = warm("colorsys").ready().run(["python3", "-c", code], env=BASE | change)
    assert (status, out, answer) == (0, f"False {next(iter(change.values()))}\n", b"")


def test_another_program(warm):
    status, out, err, answer = warm().ready().run(
        ["sh", "-c", "cat; echo $0 $1 $X; ls /proc/self/fd; echo err >&2; exit 3", "a", "b"], b"in\n", env=BASE | {"X": "y"})
    assert (status, out, err, answer) == (3, "in\na b y\n0\n1\n2\n3\n", "err\n", b"")


def test_a_program_has_the_signals_that_python_ignores(warm):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb"):
        w = warm().ready()
        packet = b"run\0/tmp\0" + b"1\0yes\0PATH=/usr/bin\0"
        with open(os.devnull, "rb") as null:
            w.send(packet, [null.fileno(), write, write])
        assert w.process.wait(LIMIT) == -signal.SIGPIPE


def test_a_python_of_a_virtual_environment_is_another(warm, tmp_path):
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True, timeout=LIMIT)
    python, code = str(tmp_path / "venv/bin/python3"), "import sys; print(sys.prefix, 'colorsys' in sys.modules)"
    prefix = str(tmp_path / "venv")
    assert warm("colorsys").ready().run([python, "-c", code])[1] == f"{prefix} False\n"
    own = warm("colorsys", command=(python, str(HELPER)))
    assert own.ready().run([python, "-c", code])[1] == f"{prefix} True\n"
    assert warm("colorsys", command=(python, str(HELPER))).ready().run([PYTHON, "-c", code])[1] == "/usr False\n"


def test_a_helper_with_options_of_its_own_runs_nothing_itself(warm):
    w = warm("colorsys", command=(PYTHON, "-O", str(HELPER))).ready()
    assert w.run(["python3", "-c", "import sys; print(__debug__, 'colorsys' in sys.modules)"])[1] == "True False\n"


# ---- what goes wrong ----


@pytest.mark.parametrize("argv, cwd, answer, status", [
    (["no-such-program"], "/tmp", b"failed\0exec\0%d\0" % errno.ENOENT, 127),
    (["/etc/passwd"], "/tmp", b"failed\0exec\0%d\0" % errno.EACCES, 126),
    (["/usr"], "/tmp", b"failed\0exec\0%d\0" % errno.EACCES, 126),
    (["python3", "-c", "print(1)"], "/no/such", b"failed\0cwd\0%d\0" % errno.ENOENT, 127),
    (["python3", "-c", "print(1)"], "/etc/passwd", b"failed\0cwd\0%d\0" % errno.ENOTDIR, 126),
    ([""], "/tmp", b"failed\0exec\0%d\0" % errno.ENOENT, 127),
])
def test_what_fails_is_told(warm, argv, cwd, answer, status):
    assert warm().ready().run(argv, cwd=cwd) == (status, "", "", answer)


def test_a_program_in_the_working_directory_is_not_on_the_path(warm, tmp_path):
    pathlib.Path(script(tmp_path, "#!/bin/sh\necho wrong\n", "planted")).chmod(0o755)
    assert warm().ready().run(["planted"], cwd=str(tmp_path))[3] == b"failed\0exec\0%d\0" % errno.ENOENT


def test_a_module_that_is_not_there(warm):
    w = warm("json", "no_such_module")
    assert w.control.recv(100) == b"" and w.process.wait(LIMIT) == 1
    assert b"No module named 'no_such_module'" in w.process.stderr.read()


def test_not_for_the_command_line():
    done = subprocess.run([PYTHON, HELPER], env=BASE, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "pool.preload" in done.stderr


def test_a_daemon_that_needs_no_run_any_more(warm):
    w = warm().ready()
    w.control.close()
    assert w.process.wait(LIMIT) == 0


MALFORMED = [b"run", b"run\0", b"run\0/\0", b"run\0/\0000\0", b"run\0/\0001\0", b"run\0/\0002\0x\0", b"run\0/\0-1\0x\0", b"run\0/\0x\0y\0",
             b"run\0/\0001\0sh\0NO_EQUALS\0", b"run\0/\0001\0sh", b"file\0", b"walk\0/\0001\0sh\0", b"\0", b"\xff" * 100]


@pytest.mark.parametrize("packet", MALFORMED, ids=range(len(MALFORMED)))
def test_a_request_that_is_none(warm, packet):
    w = warm().ready()
    with open(os.devnull, "rb+") as null:
        w.send(packet, [null.fileno()] * 3)
    assert w.control.recv(100) == b"failed\0request\0%d\0" % errno.EINVAL
    assert w.process.wait(LIMIT) == 126


@pytest.mark.parametrize("n", [0, 1, 2, 4, 5])
def test_descriptors_that_are_not_three(warm, n):
    w = warm().ready()
    with open(os.devnull, "rb+") as null:
        w.send(b"run\0/\0001\0true\0", [null.fileno()] * n)
    assert w.control.recv(100).startswith(b"failed\0request\0")
    assert w.process.wait(LIMIT) == 126


def test_more_than_a_packet_holds(warm):
    argv = ["python3", "-c", "import sys; print(len(sys.argv), sum(map(len, sys.argv)))", *["x" * 100_000] * 10]
    assert warm().ready().run(argv, file=True)[:2] == (0, "11 1000002\n")
    w = warm().ready()
    w.control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    with open(os.devnull, "rb+") as null:
        w.send(b"run\0/\0001\0true\0A=" + b"x" * (1 << 16) + b"\0", [null.fileno()] * 3)
    assert w.control.recv(100) == b"failed\0request\0%d\0" % errno.EMSGSIZE


def test_bytes_that_are_no_text(warm):
    code = "import os, sys; print(os.fsencode(sys.argv[1]), os.environb[b'X'], os.listdir('.'))"
    argv = ["python3", "-c", code, os.fsdecode(b"\xff\xfe")]
    out = warm().ready().run(argv, cwd="/proc/self/task", env=BASE | {"X": os.fsdecode(b"\x80=\n")})[1]
    assert out.startswith(repr(b"\xff\xfe") + " " + repr(b"\x80=\n"))


def test_nothing_is_held_but_the_run(warm):
    """Where it waits it has three descriptors and the socket, and does nothing: not even wake."""
    w = warm("json").ready()
    assert len(os.listdir(f"/proc/{w.process.pid}/fd")) == 4
    end = time.monotonic() + LIMIT
    while status(w.process.pid)["State"] != "S (sleeping)":
        assert time.monotonic() < end
    before = status(w.process.pid)["voluntary_ctxt_switches"]
    assert not select.select([w.control], [], [], 0.5)[0]
    assert status(w.process.pid)["voluntary_ctxt_switches"] == before


def status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)
