# SPDX-License-Identifier: MIT
"""Ways out of a box, each tried in one (test/escape/), and outside of one where it must work."""

import contextlib
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess

import pytest

from support import PYTHON, SANITIZED, program, seconds

STOPPED, WORKED, NOT_APPLICABLE = 0, 1, 2

# These attack something that is given to them: below they have tests of their own.
WITH_ARGUMENT = {"signal-group", "signal-owner", "socket-abstract", "socket-path", "socket-tcp"}


def attacks():
    default = program().parents[1] / "test/escape/attacks"
    path = pathlib.Path(os.environ.get("BULKHEAD_ATTACKS", default))
    if not path.exists():
        pytest.exit(f"no attacks at '{path}': build them, or set BULKHEAD_ATTACKS", 2)
    return str(path)


def names(option):
    listed = subprocess.run([attacks(), option], check=True, stdout=subprocess.PIPE, text=True)
    return [name for name in listed.stdout.split() if name not in WITH_ARGUMENT]


def expect_stopped(result):
    seen = result.out.strip()
    if result.status == NOT_APPLICABLE:
        pytest.skip(seen)
    assert result.status == STOPPED, f"{seen}\n{result.err}"
    assert seen.startswith("stopped: "), f"{seen}\n{result.err}"


@pytest.mark.parametrize("name", names("--list"))
def test_attack_is_stopped(bulkhead, name):
    expect_stopped(bulkhead.run("--no-record", "--", attacks(), name))


@pytest.mark.root
@pytest.mark.skipif(SANITIZED, reason="nothing of bulkhead runs here")
@pytest.mark.parametrize("name", names("--controls"))
def test_attack_works_without_a_box(bulkhead, name):
    """Else its being stopped would say nothing. In a mount namespace of its own, and harmless."""
    # The shell is there to be the parent of a sibling, and takes it along.
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", '"$0" "$1"; exit $?']
    done = subprocess.run([*words, attacks(), name], cwd=bulkhead.cwd, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=seconds(30), check=False)
    assert done.returncode == WORKED, done.stdout


# ---- signals to who stands outside, in the same process group ----

WITNESS = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
print("ready", flush=True)
sys.stdin.read()
print("hit" if signal.SIGUSR1 in signal.sigpending() else "unharmed", flush=True)
"""


@contextlib.contextmanager
def witness(bulkhead):
    """A process of the same user with a process group of its own, for others to be put into."""
    process = subprocess.Popen([PYTHON, "-c", WITNESS], process_group=0, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True, user=bulkhead.uid, group=bulkhead.gid)
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["signal-group", "signal-owner"])
def test_signals_end_at_the_wall(bulkhead, name):
    with witness(bulkhead) as process:
        result = bulkhead.run("--no-record", "--", attacks(), name, "witness", process_group=process.pid)
        expect_stopped(result)
        assert process.communicate("")[0] == "unharmed\n"


def test_the_witness_would_tell(bulkhead):
    with witness(bulkhead) as process:
        os.killpg(process.pid, signal.SIGUSR1)
        assert process.communicate("")[0] == "hit\n"


# ---- sockets of the host ----


@contextlib.contextmanager
def listener(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.bind(address)
        s.listen(4)
        yield s


def control(name, arg):
    done = subprocess.run([attacks(), name, arg], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == WORKED, done.stdout


@pytest.mark.parametrize("net", ["none", "host"])
def test_abstract_sockets_are_out_of_reach(bulkhead, net):
    name = f"bulkhead-test-{secrets.token_hex(8)}"
    if net == "host" and bulkhead.run("--no-record", "true").verdict["host"].get("landlock_abi", 6) < 6:
        pytest.skip("without Landlock's scopes the network namespace is the only wall")
    with listener(socket.AF_UNIX, "\0" + name):
        control("socket-abstract", name)
        expect_stopped(bulkhead.run("--no-record", "--net", net, "--", attacks(), "socket-abstract", name))


def test_loopback_of_the_host_is_out_of_reach(bulkhead):
    with listener(socket.AF_INET, ("127.0.0.1", 0)) as s:
        port = str(s.getsockname()[1])
        control("socket-tcp", port)
        expect_stopped(bulkhead.run("--no-record", "--", attacks(), "socket-tcp", port))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put a socket there")
def test_services_below_run_are_out_of_reach(bulkhead):
    """A read-only file system does not keep anybody from connecting."""
    path = f"/run/bulkhead-test-{secrets.token_hex(8)}.sock"
    try:
        with listener(socket.AF_UNIX, path):
            os.chmod(path, 0o777)
            control("socket-path", path)
            expect_stopped(bulkhead.run("--no-record", "--", attacks(), "socket-path", path))
    finally:
        os.unlink(path)


# ---- what comes in, and what stays ----


def test_descriptors_are_not_inherited(bulkhead):
    with open("/etc/passwd", "rb") as f:
        os.set_inheritable(f.fileno(), True)
        result = bulkhead.run("--no-record", "--", attacks(), "fd-inherited", pass_fds=[f.fileno()])
    expect_stopped(result)


def test_no_set_user_id_file_stays(bulkhead):
    script = "cp /bin/true mine && chmod u+s mine; chmod 4755 mine; chmod 6711 mine; test -x mine"
    bulkhead.run("--no-record", "sh", "-c", script).expect("ok", 0)
    assert (bulkhead.cwd / "mine").stat().st_mode & 0o7777 == 0o755


def test_other_modes_can_be_set(bulkhead):
    script = "touch f && chmod 700 f && mkdir d && chmod 2775 d && chmod 1777 d"
    bulkhead.run("--no-record", "sh", "-c", script).expect("ok", 0)


# ---- honest programs go on ----

THREADS = """
import multiprocessing, os, socket, subprocess, threading
found = []
thread = threading.Thread(target=lambda: found.append(subprocess.check_output(["echo", "child"])))
thread.start(); thread.join()
assert found == [b"child\\n"]
pid = os.posix_spawn("/bin/true", ["true"], os.environ)
assert os.waitpid(pid, 0)[1] == 0
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(abs, [-1, -2]) == [1, 2]
assert socket.getaddrinfo("127.0.0.1", 80)
assert socket.if_nameindex()
"""

HONEST = {
    "python": [PYTHON, "-c", THREADS],
    "setarch": ["setarch", "-R", "true"],
    "strace": ["strace", "-f", "-o", "trace.txt", "sh", "-c", "true"],
    "gdb": ["gdb", "-nx", "-batch", "-ex", "run", "--args", "/bin/true"],
    "node": ["node", "-e", "new (require('worker_threads').Worker)('1', {eval: true});"
             "require('fs').readFileSync('/etc/passwd');"
             "require('child_process').execFileSync('true')"],
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_programs_go_on(bulkhead, name):
    if shutil.which(HONEST[name][0], path=bulkhead.env["PATH"]) is None:
        pytest.skip(f"{HONEST[name][0]} is not installed")
    bulkhead.run("--no-record", "--memory", "1G", "--", *HONEST[name]).expect("ok", 0)


def test_foreign_architecture_is_judged(bulkhead):
    """The filter's kill has its own cause: not a crash of the program's making."""
    script = "import ctypes; ctypes.CDLL(None).syscall(0x40000000 | 39)"
    if os.uname().machine != "x86_64":
        pytest.skip("x32 is a thing of x86_64")
    bulkhead.run("--no-record", PYTHON, "-c", script).expect("syscall_denied", 128 + signal.SIGSYS)
