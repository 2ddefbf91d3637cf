# SPDX-License-Identifier: MIT
"""Ways out of a box, each tried in one (test/escape/), and outside of one where it must work."""

import contextlib
import ctypes
import os
import pathlib
import pty
import secrets
import shutil
import signal
import socket
import subprocess

import pytest

from support import PYTHON, SANITIZED, program, seconds

STOPPED, WORKED, NOT_APPLICABLE = 0, 1, 2

# These attack something that is given to them: below they have tests of their own.
IN_THE_GROUP = ["signal-group", "signal-owner", "nice-group", "nice-user", "ionice-group", "ionice-user"]
OF_THE_HOST = ["socket-abstract", "socket-path", "socket-tcp", "ipc-shm", "ipc-mq", "ipc-dev-shm"]
WITH_STDIN = ["signal-peer", "fd-reopen", "fd-above"]
WITH_ARGUMENT = {*IN_THE_GROUP, *OF_THE_HOST, *WITH_STDIN}


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


# Where a policy lets programs make user namespaces, the kernel alone is the wall; these two are what it lets.
ALLOWED_NAMESPACES = {"ns-unshare-user", "ns-clone-user"}


@pytest.fixture
def namespaces(bulkhead):
    return bulkhead.file("namespaces.yaml", "syscalls: {user_namespaces: true}\n")


@pytest.mark.parametrize("name", [name for name in names("--list") if name not in ALLOWED_NAMESPACES])
def test_attack_is_stopped_where_there_are_namespaces(bulkhead, namespaces, name):
    user = ["--user", "isolated"] if bulkhead.who == "root" else []
    expect_stopped(bulkhead.run("--no-record", "--policy", namespaces, *user, "--", attacks(), name))


@pytest.mark.parametrize("name", sorted(ALLOWED_NAMESPACES))
def test_namespaces_can_be_allowed(bulkhead, namespaces, name):
    result = bulkhead.run("--no-record", "--policy", namespaces, "--", attacks(), name)
    assert result.status == WORKED, result.out


SANDBOX = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--unshare-pid", "--unshare-net", "--proc", "/proc", "true"]


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_a_sandbox_inside(bulkhead, namespaces):
    user = ["--user", "isolated"] if bulkhead.who == "root" else []
    bulkhead.run("--no-record", "--policy", namespaces, *user, "--", *SANDBOX).expect("ok", 0)
    bulkhead.run("--no-record", *user, "--", *SANDBOX).expect("exit_nonzero", 1)


# ---- to who stands outside, in the same process group: with a terminal the box shares it ----

WITNESS = """
import ctypes, fcntl, os, signal, subprocess, sys, termios
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True)
hit = signal.SIGUSR1 in signal.sigpending()
io = ctypes.CDLL(None).syscall(IOPRIO_GET, 1, 0) >> 13
print(done.returncode, "hit" if hit else "unharmed", os.getpriority(os.PRIO_PROCESS, 0), io)
print(done.stdout)
""".replace("IOPRIO_GET", "252" if os.uname().machine == "x86_64" else "31")


def witness(bulkhead, *words):
    """What a process has seen that is the leader of a terminal's session, and of the group that WORD… is in."""
    main, terminal = pty.openpty()
    try:
        os.fchown(terminal, bulkhead.uid, bulkhead.gid)
        done = subprocess.run([PYTHON, "-c", WITNESS, *words], stdin=terminal, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, start_new_session=True, cwd=bulkhead.cwd,
                              env=bulkhead.env, user=bulkhead.uid, group=bulkhead.gid, extra_groups=[],
                              timeout=seconds(30), text=True, check=False)
    finally:
        os.close(main)
        os.close(terminal)
    assert done.returncode == 0, done.stdout
    seen, _, out = done.stdout.partition("\n")
    return seen.split(), out


@pytest.mark.parametrize("name", IN_THE_GROUP)
def test_the_group_ends_at_the_wall(bulkhead, name):
    abi = bulkhead.run("--no-record", "true").verdict["host"].get("landlock_abi", 6)
    if name.startswith("signal") and abi < 6:
        pytest.skip("without Landlock's scopes a terminal's group is one")
    seen, out = witness(bulkhead, bulkhead.path, "run", "--no-record", "--", attacks(), name, "witness")
    assert out.startswith("stopped: "), out
    assert seen == [str(STOPPED), "unharmed", "0", "0"], out


@pytest.mark.parametrize("name, hit", [("signal-group", ["hit", "0", "0"]), ("nice-group", ["unharmed", "7", "0"]),
                                       ("ionice-group", ["unharmed", "0", "3"])])
def test_the_witness_would_tell(bulkhead, name, hit):
    seen, out = witness(bulkhead, attacks(), name, "witness")
    assert seen == [str(STOPPED), *hit], out


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


# ---- memory of the host ----


def test_shared_memory_is_out_of_reach(bulkhead):
    libc, key = ctypes.CDLL(None, use_errno=True), secrets.randbits(30) | 1
    created = libc.shmget(key, 4096, 0o1000 | 0o666)
    assert created >= 0, os.strerror(ctypes.get_errno())
    try:
        control("ipc-shm", str(key))
        expect_stopped(bulkhead.run("--no-record", "--", attacks(), "ipc-shm", str(key)))
    finally:
        libc.shmctl(created, 0, None)


def test_message_queues_are_out_of_reach(bulkhead):
    libc, name = ctypes.CDLL(None, use_errno=True), f"/bulkhead-test-{secrets.token_hex(8)}"
    umask = os.umask(0)
    queue = libc.mq_open(name.encode(), os.O_RDWR | os.O_CREAT, 0o666, None)
    os.umask(umask)
    assert queue >= 0, os.strerror(ctypes.get_errno())
    try:
        control("ipc-mq", name)
        expect_stopped(bulkhead.run("--no-record", "--", attacks(), "ipc-mq", name))
    finally:
        libc.mq_close(queue)
        libc.mq_unlink(name.encode())


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no /dev/shm to write to")
def test_files_of_dev_shm_are_out_of_reach(bulkhead):
    name = f"bulkhead-test-{secrets.token_hex(8)}"
    path = pathlib.Path("/dev/shm") / name
    path.touch(0o666)
    try:
        control("ipc-dev-shm", name)
        expect_stopped(bulkhead.run("--no-record", "--", attacks(), "ipc-dev-shm", name))
    finally:
        path.unlink()


# ---- what comes in, and what stays ----


def test_a_socket_names_nobody_outside(bulkhead):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run([attacks(), "signal-peer"], stdin=theirs, stdout=subprocess.PIPE, text=True, check=False)
        if "SO_PEERPIDFD" in done.stdout:
            pytest.skip("this kernel gives no descriptor of the peer")
        assert done.returncode == WORKED, done.stdout
        expect_stopped(bulkhead.run("--no-record", "--", attacks(), "signal-peer", stdin=theirs))


def test_a_file_as_stdin_stays_what_it_is(bulkhead):
    path = bulkhead.file("input.txt", "precious\n", below=bulkhead.directory("elsewhere"))
    if bulkhead.run("--no-record", "true").verdict["host"].get("landlock_abi", 2) < 2:
        pytest.skip("only Landlock looks at what an open file is")
    with open(path, "rb") as f:
        done = subprocess.run([attacks(), "fd-reopen"], stdin=f, stdout=subprocess.PIPE, text=True, check=False)
        assert done.returncode == WORKED, done.stdout
        expect_stopped(bulkhead.run("--no-record", "--", attacks(), "fd-reopen", stdin=f))
    assert path.read_text() == "precious\n"


def test_a_file_as_stdin_hinders_nothing_else(bulkhead):
    """Output opened anew, links and names across directories, all places that a box may write to."""
    script = """set -e
cat; mkdir a b; echo x > a/f; mv a/f b/g; ln b/g a/h; ln -s g b/s; truncate -s 3 b/g; echo y >> b/s
echo err > /dev/stderr; echo t > /tmp/t; mv /tmp/t b/; echo > /dev/null; echo > /dev/shm/x
echo 100 > /proc/self/oom_score_adj; echo new > own.txt; rm -r a b"""
    own = bulkhead.file("own.txt", "old\n")
    with open(own, "rb") as stdin, open(bulkhead.file("err.txt", ""), "wb") as err:
        result = bulkhead.run("--no-record", "sh", "-c", script, stdin=stdin, stderr=err)
    result.expect("ok", 0)
    assert result.out == "old\n" and own.read_text() == "new\n"
    assert (bulkhead.cwd / "err.txt").read_text() == "err\n"


def test_a_directory_as_stdin_is_refused(bulkhead):
    top = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        done = subprocess.run([attacks(), "fd-above"], stdin=top, stdout=subprocess.PIPE, text=True, check=False)
        assert done.returncode == WORKED, done.stdout
        for name in ("stdin", "stdout", "stderr"):
            result = bulkhead.run("--no-record", "true", **{name: top})
            result.expect("setup_failed", 125)
            assert f"{name} is a directory" in result.verdict["summary"]
    finally:
        os.close(top)


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
