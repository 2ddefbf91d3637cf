# SPDX-License-Identifier: MIT
"""Who sent the signal: strangers, daemons, siblings, the program itself, and bulkhead."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from support import IN_VM, PYTHON, descendants, helper, run_time, seconds, wait_until

vm = pytest.mark.vm
root = pytest.mark.root
user = pytest.mark.user

# A program that does what it is told, in lines; its name is that of its file.
SENDER = f"""#!{PYTHON}
import os, sys
for line in sys.stdin:
    pid, sig = map(int, line.split())
    try:
        os.kill(pid, sig)
        print("sent", flush=True)
    except ProcessLookupError:
        print("gone", flush=True)
"""

READY = "import time; print('ready', flush=True); time.sleep(60)"


class Sender:
    """A process of its own that sends signals: it has nothing to do with bulkhead but the pid."""

    def __init__(self, path, **popen):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **popen)

    def send(self, pid, sig=signal.SIGKILL):
        self.process.stdin.write(f"{pid} {int(sig)}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline() == "sent\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@pytest.fixture
def sender(bulkhead, tmp_path):
    """Make a sender by name: sender("stranger")."""
    with contextlib.ExitStack() as stack:

        def make(name, **popen):
            path = tmp_path / name
            path.write_text(SENDER)
            path.chmod(0o755)
            return stack.enter_context(Sender(path, **popen))

        yield make


def can_watch():
    first = os.stat("/proc/self/ns/pid").st_ino == 0xEFFFFFFC
    return first and os.path.exists("/sys/kernel/btf/vmlinux")


def watches(pid):
    """True when bulkhead has its program on the tracepoint."""
    with contextlib.suppress(OSError):
        return any("bpf" in os.readlink(f"/proc/{pid}/fd/{fd}") and "link" in os.readlink(f"/proc/{pid}/fd/{fd}")
                   for fd in os.listdir(f"/proc/{pid}/fd"))
    return False


def wait_watched(run):
    if not can_watch():
        pytest.skip("no type information of the kernel, or not the first pid namespace")
    wait_until(lambda: watches(run.pid) or run.poll() is not None, what="the watch for senders")


def below(run):
    """[init, program] of a run, as the host counts, as far as they are there."""
    inside = {pid: _inside(pid) for pid in descendants(run.pid)}
    return sorted((pid for pid, n in inside.items() if n in (1, 2)), key=inside.get)


def children(run):
    """The same of a run that is on for certain."""
    found = below(run)
    assert len(found) == 2, found
    return found


def _inside(pid):
    with contextlib.suppress(OSError):
        words = re.search(r"^NSpid:\s*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1].split()
        return int(words[-1]) if len(words) > 1 else 0
    return 0


def ready(run):
    assert run.stdout.readline() == b"ready\n"


def finish(bulkhead, run):
    result = bulkhead.finish(run)
    result.verdict = bulkhead.read_verdict(run.verdict_path)
    return result


PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


# ---- from outside ----


@vm
@root
@pytest.mark.parametrize("sig", ["KILL", "TERM", "HUP", "USR1"])
def test_stranger_is_named(bulkhead, sender, sig):
    number = int(getattr(signal, f"SIG{sig}"))
    stranger = sender("stranger")
    with bulkhead.background(PYTHON, "-c", READY, **PIPES) as run:
        ready(run)
        wait_watched(run)
        assert stranger.send(children(run)[1], number)
        r = finish(bulkhead, run)
    r.expect("external_kill", 128 + number, confidence="certain", retry="later", signal=number, victims=[])
    killer = r.verdict["killer"]
    assert (killer["pid"], killer["comm"], killer["uid"]) == (stranger.process.pid, "stranger", 0)
    assert killer["inside_pid"] is None
    assert f"SIG{sig} from stranger[{stranger.process.pid}] (uid 0" in r.verdict["summary"]
    assert r.fact("signal_sender")["where"] == "outside"


@root
def test_stranger_that_is_gone_is_named(bulkhead):
    """A kill(1) lives for a moment: what is known of it was taken down while it sent."""
    with bulkhead.background("sleep", "60") as run:
        wait_watched(run)
        kill = subprocess.Popen(["/bin/kill", "-9", str(children(run)[1])])
        kill.wait()
        r = finish(bulkhead, run)
    r.expect("external_kill", 137, confidence="certain")
    assert (r.verdict["killer"]["pid"], r.verdict["killer"]["comm"]) == (kill.pid, "kill")


@root
def test_stranger_aims_at_a_thread(bulkhead, tmp_path):
    """tgkill(2) to another thread than the first ends the program all the same."""
    threads = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\nprint('ready', flush=True)\n"
    with bulkhead.background(PYTHON, "-c", threads, **PIPES) as run:
        ready(run)
        wait_watched(run)
        pid = children(run)[1]
        tid = max(int(t) for t in os.listdir(f"/proc/{pid}/task"))
        assert tid != pid
        subprocess.run([PYTHON, "-c", f"import ctypes; ctypes.CDLL(None).syscall(234, {pid}, {tid}, 9)"], check=True)
        r = finish(bulkhead, run)
    r.expect("external_kill", 137, confidence="certain")


@vm
@root
def test_end_of_init_is_pinned_on_who_ended_it(bulkhead, sender):
    """The kernel kills a pid namespace with its init, on init's own time."""
    stranger = sender("stranger")
    with bulkhead.background(PYTHON, "-c", READY, **PIPES) as run:
        ready(run)
        wait_watched(run)
        assert stranger.send(children(run)[0])
        r = finish(bulkhead, run)
    r.expect("external_kill", 137, confidence="certain")
    assert r.verdict["killer"]["pid"] == stranger.process.pid


@pytest.fixture
def service(tmp_path):
    """A v2 group that looks like a systemd unit's: (its path, a function that puts the caller there)."""
    mount = next((m for m in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
                  if os.path.exists(f"{m}/cgroup.procs") and os.path.exists(f"{m}/cgroup.controllers")), None)
    if os.geteuid() != 0 or not mount:
        pytest.skip("no v2 hierarchy to make a group in")
    top = pathlib.Path(mount, f"test-{os.getpid()}.slice")
    group = top / "stranger.service"
    group.mkdir(parents=True)
    yield f"/{top.name}/{group.name}", lambda: (group / "cgroup.procs").write_text("0")
    wait_until(lambda: "populated 0" in (group / "cgroup.events").read_text(), what="an empty group")
    group.rmdir()
    top.rmdir()


@vm
@root
def test_unit_of_the_sender(bulkhead, service, sender):
    path, enter = service
    stranger = sender("stranger", preexec_fn=enter)
    with bulkhead.background("sleep", "60", **PIPES) as run:
        wait_watched(run)
        assert stranger.send(children(run)[1])
        r = finish(bulkhead, run)
    stranger.__exit__()
    r.expect("external_kill", 137, confidence="certain")
    assert (r.verdict["killer"]["cgroup"], r.verdict["killer"]["unit"]) == (path, "stranger.service")
    assert f"stranger[{stranger.process.pid}] (uid 0, stranger.service)" in r.verdict["summary"]


@vm
@root
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_memory_daemon(bulkhead, sender, sig):
    daemon = sender("earlyoom")
    with bulkhead.background("sleep", "60", **PIPES) as run:
        wait_watched(run)
        assert daemon.send(children(run)[1], sig)
        r = finish(bulkhead, run)
    r.expect("memory_daemon", 128 + sig, confidence="likely", retry="later", suggest={})
    assert r.verdict["killer"]["comm"] == "earlyoom"
    assert f"earlyoom[{daemon.process.pid}]" in r.err


@root
def test_flood_hides_nobody(bulkhead, sender):
    """A million handled signals of a sibling do not displace who sent the last one."""
    flood = ("import os, signal, time\nsignal.signal(signal.SIGUSR1, lambda *a: None)\nme = os.getpid()\n"
             "if os.fork() == 0:\n    while True: os.kill(me, signal.SIGUSR1)\n"
             "print('ready', flush=True)\nwhile True: time.sleep(1)\n")
    stranger = sender("stranger")
    with bulkhead.background(PYTHON, "-c", flood, **PIPES) as run:
        ready(run)
        wait_watched(run)
        assert stranger.send(children(run)[1])
        r = finish(bulkhead, run)
    r.expect("external_kill", 137, confidence="certain")
    assert r.verdict["killer"]["comm"] == "stranger"


@root
def test_signal_that_the_program_took_for_itself(bulkhead, sender):
    """It ended by itself; who asked it to is told beside."""
    polite = ("import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(3))\n"
              "print('ready', flush=True)\ntime.sleep(60)\n")
    stranger = sender("stranger")
    with bulkhead.background(PYTHON, "-c", polite, **PIPES) as run:
        ready(run)
        wait_watched(run)
        assert stranger.send(children(run)[1], signal.SIGTERM)
        r = finish(bulkhead, run)
    r.expect("exit_nonzero", 3, killer=None)
    assert any(f"SIGTERM came from stranger[{stranger.process.pid}]" in c for c in r.verdict["contributing"])


@user
def test_stranger_is_not_visible_to_an_ordinary_user(bulkhead):
    with bulkhead.background("sleep", "60", **PIPES) as run:
        wait_until(lambda: [_comm(pid) for pid in below(run)] == ["bulkhead-init", "sleep"], what="the program")
        began = time.monotonic()
        # hardly started, it would as well be the program's own
        wait_until(lambda: time.monotonic() - began > seconds(0.2))
        os.kill(children(run)[1], signal.SIGKILL)
        r = finish(bulkhead, run)
    r.expect("external_kill", 137, confidence="likely", retry="later", killer=None, signal=9)
    assert "sender not visible to an ordinary user" in r.verdict["summary"]


def _comm(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    return None


# ---- from inside ----


@vm
@root
@pytest.mark.parametrize("sig", ["KILL", "TERM", "USR1"])
def test_own_kill_is_a_crash(bulkhead, sig):
    number = int(getattr(signal, f"SIG{sig}"))
    with bulkhead.background("sh", "-c", f"read x; kill -{sig} $$", stdin=subprocess.PIPE, **PIPES) as run:
        wait_watched(run)
        run.stdin.write(b"go\n")
        run.stdin.flush()
        r = finish(bulkhead, run)
    r.expect("crash", 128 + number, confidence="certain", retry="no", signal=number)
    assert "its own raise" in r.verdict["summary"]
    assert r.verdict["killer"]["inside_pid"] == 2
    assert r.fact("signal_sender")["where"] == "self"


@vm
@root
def test_kill_by_a_sibling_is_a_crash(bulkhead):
    with bulkhead.background("sh", "-c", "exec 3<&0; (read x <&3; kill -9 $$) & wait; sleep 60",
                             stdin=subprocess.PIPE, **PIPES) as run:
        wait_watched(run)
        run.stdin.write(b"go\n")
        run.stdin.flush()
        r = finish(bulkhead, run)
    r.expect("crash", 137, confidence="certain", retry="no")
    killer = r.verdict["killer"]
    assert killer["comm"] == "sh" and killer["inside_pid"] > 2 and killer["pid"] > killer["inside_pid"]
    assert f"(pid {killer['inside_pid']} in the box) of the same run" in r.verdict["summary"]


@root
@pytest.mark.parametrize("reader", ["us", "bulkhead"])
def test_signal_on_the_time_of_another_is_not_pinned_on_him(bulkhead, reader):
    """F_SETSIG has the kernel send SIGKILL while somebody outside reads a pipe: he sent nothing."""
    trap = ("import fcntl, os, time\nfd = os.dup(1)\nfcntl.fcntl(fd, 10, 9)\nfcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())\n"
            "os.read(0, 1)\nfcntl.fcntl(fd, fcntl.F_SETFL, os.O_ASYNC)\nos.write(fd, b'read me')\ntime.sleep(60)\n")
    log = ["--log", bulkhead.directory("log")] if reader == "bulkhead" else []
    with bulkhead.background(*log, PYTHON, "-c", trap, stdin=subprocess.PIPE, **PIPES) as run:
        wait_watched(run)
        run.stdin.write(b"g")
        run.stdin.flush()
        r = finish(bulkhead, run)
    r.expect("crash", 137, killer=None)
    assert "sent by the kernel" in r.verdict["summary"]


@root
def test_pipe_and_fault_are_the_kernels(bulkhead):
    """SIGPIPE comes without a word of who sent it, on the program's own time: it is no raise."""
    with bulkhead.background("sh", "-c", "read x; exec 3>&1; while echo y; do :; done", stdin=subprocess.PIPE,
                             **PIPES) as run:
        wait_watched(run)
        run.stdout.close()
        run.stdout = None
        run.stdin.write(b"go\n")
        run.stdin.flush()
        r = finish(bulkhead, run)
    r.expect("crash", 141, confidence="certain", killer=None)
    assert "raise" not in r.verdict["summary"]


# ---- the OOM killer ----


@vm
@root
def test_each_victim_of_many_is_named(bulkhead, cgroups):
    """The kernel's log leaves out all but ten in five seconds."""
    if not cgroups:
        pytest.skip("no memory group")
    hogs = f"read x; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do {helper('hog')} 64M; done; exit 3"
    with bulkhead.background("--memory", "16M", "--oom", "process", "sh", "-c", hogs, stdin=subprocess.PIPE,
                             **PIPES) as run:
        wait_watched(run)
        run.stdin.write(b"go\n")
        run.stdin.flush()
        r = finish(bulkhead, run)
    r.expect("exit_nonzero", 3)
    assert len({v["pid"] for v in r.verdict["victims"]}) == 13
    assert {(v["comm"], v["leader"]) for v in r.verdict["victims"]} == {("hog", False)}
    assert "12 more" in r.verdict["summary"]


# ---- bulkhead, and who was first ----


@vm
@root
@pytest.mark.parametrize("grace", ["0", "0.05"])
def test_own_kill_of_bulkhead_is_nobodys(bulkhead, grace):
    r = bulkhead.run("--timeout", run_time(1), "--grace", run_time(float(grace)), helper("stubborn"))
    r.expect("wall_timeout", 124, confidence="certain", killer=None)
    assert not any("came from" in c for c in r.verdict["contributing"])
    if can_watch():
        assert r.fact("signal_sender")["where"] == "bulkhead"


@vm
@root
def test_stranger_just_before_the_time_out(bulkhead, sender):
    """Bulkhead, held up, sees its time-out and the end of the program at once: the stranger was first."""
    stranger = sender("stranger")
    with bulkhead.background("--timeout", run_time(1.5), "--grace", "0", "sleep", "60", **PIPES) as run:
        wait_watched(run)
        began = time.monotonic()
        pid = children(run)[1]
        os.kill(run.pid, signal.SIGSTOP)
        assert stranger.send(pid)
        wait_until(lambda: time.monotonic() - began > seconds(1.6), what="the time-out to be over")
        os.kill(run.pid, signal.SIGCONT)
        r = finish(bulkhead, run)
    r.expect("external_kill", 137, confidence="certain")
    assert r.verdict["killer"]["comm"] == "stranger"


@vm
@root
def test_stranger_in_the_grace_time(bulkhead, sender):
    stranger = sender("stranger")
    deaf = ("import signal, time\nsignal.signal(signal.SIGTERM, lambda *a: print('ready', flush=True))\n"
            "while True: time.sleep(1)\n")
    # by then Python has to have been started and be deaf
    with bulkhead.background("--timeout", run_time(1), "--grace", "60", PYTHON, "-c", deaf, **PIPES) as run:
        wait_watched(run)
        ready(run)
        assert stranger.send(children(run)[1])
        r = finish(bulkhead, run)
    r.expect("wall_timeout", 124)
    assert any(f"SIGKILL came from stranger[{stranger.process.pid}]" in c for c in r.verdict["contributing"])


@root
def test_race_with_the_time_out(bulkhead):
    """Within milliseconds of each other: whatever the cause, it is that of who was first."""
    for i in range(12):
        limit = seconds(0.3)
        with bulkhead.background("--timeout", run_time(0.3), "--grace", "0", "sleep", "60", **PIPES) as run:
            wait_watched(run)
            began, there = time.monotonic(), below(run)  # or the time-out was first by far
            with contextlib.suppress(ProcessLookupError, IndexError), contextlib.ExitStack() as stack:
                pidfd = os.pidfd_open(there[1])
                stack.callback(os.close, pidfd)
                wait_until(lambda: time.monotonic() - began > limit - 0.035 + i * 0.004 or run.poll() is not None)
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            r = finish(bulkhead, run)
        assert r.cause in ("wall_timeout", "external_kill"), r.err
        assert r.verdict["confidence"] == "certain"
        assert (r.cause == "external_kill") == (r.verdict["killer"] is not None), r.verdict
        if r.cause == "external_kill":
            assert r.verdict["killer"]["pid"] == os.getpid()


@vm
@root
def test_signal_to_the_whole_process_group_is_a_cancel(bulkhead, sender):
    stranger = sender("stranger")
    with bulkhead.background("sleep", "60", start_new_session=True, **PIPES) as run:
        wait_watched(run)
        assert stranger.send(-run.pid, signal.SIGINT)
        r = finish(bulkhead, run)
    r.expect("cancelled", 130)


def test_short_runs_are_not_watched(bulkhead):
    """They pay nothing for it, and nothing is claimed."""
    r = bulkhead.run_at_once("sh", "-c", "kill -9 $$")
    r.expect("crash", 137)
    assert r.verdict["confidence"] == "likely" or IN_VM or r.verdict["usage"]["wall_us"] > 10000
