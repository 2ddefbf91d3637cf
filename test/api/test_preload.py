# SPDX-License-Identifier: MIT
"""Warmed programs (pool.preload): a run finds what was imported before, and everything else as ever."""

import contextlib
import os
import signal
import time

import pytest

from daemon import cause, exit_code, meanwhile, read
from support import PYTHON, TOP, descendants, helper, run_time, seconds, wait_until

HELPER = TOP / "libexec/bulkhead-preload-python"
IS_WARM = "import sys; print('colorsys' in sys.modules)"
SIZE = 3


def policy(place, preload, size=SIZE, serve="once", more=""):
    """A policy called 'warm' for those who start a daemon at this place."""
    place.env["XDG_CONFIG_HOME"] = str(place.top / "config")
    words = ", ".join(f'"{word}"' for word in preload)
    text = f"extends: default\nlimits: {{memory: 256M, timeout: 1m}}\npool: {{size: {size}, preload: [{words}], serve: {serve}}}\n{more}"
    path = place.file("warm.yaml", text, below=place.top / "config/bulkhead/policies")
    old = time.time() - 60  # one that has just been changed is read again
    os.utime(path, (old, old))


def await_pool(api, n=SIZE):
    """The first run of a policy has its pool made."""
    api.run(["true"], policy="warm")
    wait_until(lambda: api.get("/v1/stats")["parked"] >= n, 30, "warmed programs")


@pytest.fixture
def warm(place, daemon, api):
    """A daemon with warmed Pythons."""
    policy(place, [PYTHON, HELPER, "colorsys", "json"])
    daemon.restart()
    await_pool(api)
    return api


def test_a_run_has_what_was_imported(warm):
    hits = warm.get("/v1/stats")["pool_hits"]
    for _ in range(SIZE):
        run = warm.run(["python3", "-c", IS_WARM], policy="warm")
        assert (cause(run), warm.out(run)) == ("ok", "True\n")
    assert warm.get("/v1/stats")["pool_hits"] == hits + SIZE
    assert warm.out(warm.run(["python3", "-c", IS_WARM])) == "False\n"  # of another policy


def test_it_is_a_run_like_any_other(warm):
    code = ("import os, resource, sys; print(sys.argv, os.getcwd(), os.environ['X'], 'BULKHEAD_PRELOAD_FD' in os.environ, "
            "resource.getrlimit(resource.RLIMIT_NOFILE), sys.stdin.read(), os.environ['BULKHEAD']); print('err', file=sys.stderr); sys.exit(7)")
    run = warm.run(["python3", "-c", code, "a", "b c"], policy="warm", env={"X": "y"}, cwd="/usr", stdin="text",
                   limits={"nofile": 64})
    assert exit_code(run) == 7 and run["verdict"]["argv"] == ["python3", "-c", code, "a", "b c"]
    output = warm.output(run["id"])
    assert output["stdout"].decode() == f"['-c', 'a', 'b c'] /usr y False (64, 64) text {run['id']}\n"
    assert output["stderr"] == b"err\n"


def limits_of(wanted):
    return {"timeout": run_time(0.5) if "wall_timeout" in wanted else "1m", "grace": "1"}


@pytest.mark.parametrize("code, wanted, signal_number", [
    ("import os; os.kill(os.getpid(), 9)", ("crash", "external_kill"), 9),
    ("import os; os.abort()", ("crash",), 6),
    ("raise SystemExit(3)", ("exit_nonzero",), None),
    ("import time; time.sleep(60)", ("wall_timeout",), 15),
])
def test_each_end(warm, code, wanted, signal_number):
    run = warm.run(["python3", "-c", code], policy="warm", limits=limits_of(wanted))
    assert cause(run) in wanted and run["verdict"]["signal"] == signal_number


def test_its_limit_of_memory_is_its_own(warm):
    if not warm.groups():
        pytest.skip("nothing counts memory here")
    code = "x = [bytearray(b'x' * (1 << 20)) for _ in range(200)]"
    run = warm.run(["python3", "-c", code], policy="warm", limits={"memory": "64M"})
    assert cause(run) == "memory_limit"
    assert exit_code(warm.run(["python3", "-c", code], policy="warm")) == 0


def test_what_cannot_be_started(warm):
    assert cause(warm.run(["no-such-program"], policy="warm")) == "not_found"
    assert cause(warm.run(["/etc/passwd"], policy="warm")) == "not_executable"
    run = warm.run(["python3", "-c", "1"], policy="warm", cwd="/no/such")
    assert cause(run) == "setup_failed" and "/no/such" in run["verdict"]["summary"]


def test_other_programs(warm):
    run = warm.run(["sh", "-c", "cat; exit 5"], policy="warm", stdin="through\n")
    assert exit_code(run) == 5 and warm.out(run) == "through\n"


def test_with_a_terminal_it_is_started_anew(warm):
    run = warm.run(["python3", "-c", IS_WARM + "; import os; print(os.isatty(1))"], policy="warm", tty=True)
    assert warm.out(run) == "False\r\nTrue\r\n"


def test_nothing_is_left_from_one_to_the_next(warm):
    """Each is one run's: neither memory nor files nor the process itself are seen by another."""
    code = "import os, json; json.left = 1; open('/tmp/left', 'w'); print(os.getpid())"
    look = "import json, os; print(hasattr(json, 'left'), os.listdir('/tmp'))"
    for _ in range(SIZE + 1):
        assert exit_code(warm.run(["python3", "-c", code], policy="warm")) == 0
    for _ in range(SIZE + 1):
        assert warm.out(warm.run(["python3", "-c", look], policy="warm")) == "False []\n"


def test_many_at_once(warm):
    """More than there are: the others are started the ordinary way."""
    runs = meanwhile(lambda i: warm.run(["python3", "-c", f"print({i}); raise SystemExit({i})"], policy="warm"),
                     *((i,) for i in range(12)))
    for i, run in enumerate(runs):
        assert exit_code(run) == i and warm.out(run) == f"{i}\n"


def warmed(daemon):
    found = []
    for pid in descendants(daemon.pid):
        with contextlib.suppress(OSError):
            if str(HELPER) in read(pid, "cmdline"):
                found.append(pid)
    return found


def test_one_that_dies_while_it_waits_costs_no_run(daemon, warm):
    for pid in warmed(daemon):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: warm.get("/v1/stats")["parked"] == 0, what="a daemon that has noticed")
    for _ in range(2 * SIZE):
        assert exit_code(warm.run(["python3", "-c", "raise SystemExit(4)"], policy="warm")) == 4
    await_pool(warm)


@pytest.mark.parametrize("preload, says", [
    ([PYTHON, str(HELPER), "no_such_module"], "no_such_module"),
    (["/no/such/program"], None),
    (["sh", "-c", "exit 0"], None),
    (["sh", "-c", "echo no preload at all >&2; exit 1"], "no preload at all"),
])
def test_a_command_that_is_of_no_use(place, daemon, api, preload, says):
    """Runs go on without it, and the log says why."""
    policy(place, preload)
    daemon.restart()
    for _ in range(3):
        assert exit_code(api.run(["sh", "-c", "exit 6"], policy="warm")) == 6
    if says:
        wait_until(lambda: says in daemon.said(), what="a word of it in the log")
    assert len(daemon.said().splitlines()) < 40


def test_a_command_that_never_gets_ready_holds_up_nobody(place, daemon, api):
    policy(place, ["sleep", "1000"])
    daemon.restart()
    began = time.monotonic()
    for _ in range(3):
        assert exit_code(api.run(["sh", "-c", "exit 6"], policy="warm")) == 6
    assert time.monotonic() - began < seconds(5)


@pytest.mark.parametrize("serve", ["once", "forks"])
def test_one_that_says_much_gets_ready(place, daemon, api, serve):
    """More than a pipe holds, which nobody would be waiting for at its other end."""
    policy(place, ["sh", "-c", f"head -c 200000 /dev/zero >&2; exec {PYTHON} {HELPER} colorsys"], serve=serve)
    daemon.restart()
    await_pool(api)
    assert api.out(api.run(["python3", "-c", IS_WARM], policy="warm")) == "True\n"


def test_one_that_complains_for_ever_holds_up_nobody(place, daemon, api):
    """It fails, and what it said last is asked for while others of it go on and on."""
    policy(place, ["sh", "-c", "for i in 1 2 3 4; do yes >&2 & done; printf bad >&0; wait"])
    daemon.restart()
    assert exit_code(api.run(["sh", "-c", "exit 6"], policy="warm")) == 6
    wait_until(lambda: "of no use" in daemon.said(), what="a word of its end")
    for _ in range(10):
        began = time.monotonic()
        api.request("GET", "/healthz").expect(200)
        assert time.monotonic() - began < seconds(1)


def test_a_command_that_talks_nonsense(place, daemon, api):
    code = ("import os, socket; s = socket.socket(fileno=os.dup(0)); s.send(b'ready'); s.recv(10); "
            "[s.send(b'x' * 1000) for _ in range(1000)]; import time; time.sleep(1000)")
    policy(place, [PYTHON, "-c", code])
    daemon.restart()
    await_pool(api)
    for _ in range(SIZE):
        run = api.run(["sh", "-c", "exit 6"], policy="warm")
        assert exit_code(run) == 6 or cause(run) == "setup_failed" and "preload" in run["verdict"]["summary"]


def test_the_end_of_the_daemon_is_theirs(daemon, warm):
    pids = warmed(daemon)
    assert len(pids) == SIZE
    assert daemon.stop() < seconds(5)
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


def test_they_wait_without_waking(daemon, warm):
    pids = warmed(daemon)
    time.sleep(1)
    before = [read(pid, "schedstat").split()[2] for pid in pids]
    time.sleep(1)
    assert [read(pid, "schedstat").split()[2] for pid in pids] == before


def test_limits_of_the_policy_hold_while_it_gets_ready(place, daemon, api):
    """A command that takes more than its box may have ends with its box, and with nothing else."""
    policy(place, [helper("hog"), "2000", "hold"])
    daemon.restart()
    assert exit_code(api.run(["sh", "-c", "exit 6"], policy="warm")) == 6
    if api.groups():
        wait_until(lambda: "warm" in daemon.said(), 20, "a word of its end")


# ---- forks ----


@pytest.fixture
def forking(place, daemon, api):
    """A daemon with a warmed Python that is forked."""
    policy(place, [PYTHON, HELPER, "colorsys", "json", "random"], serve="forks")
    daemon.restart()
    await_pool(api)
    return api


def python(api, code, **members):
    return api.run(["python3", "-c", code], policy="warm", **members)


def cpu_seconds(pid):
    return int(read(pid, "schedstat").split()[0]) / 1e9


def count(api, what):
    return api.get("/v1/stats")[what]


def test_forks_have_what_was_imported(forking):
    forks = count(forking, "forks")
    for _ in range(2 * SIZE):
        run = python(forking, IS_WARM + "; import os; print(os.getppid(), os.getsid(0) == os.getpid())")
        assert (cause(run), forking.out(run)) == ("ok", "True\n0 True\n")
    assert count(forking, "forks") == forks + 2 * SIZE and count(forking, "preload_restarts") == 0


@pytest.mark.root
def test_forks_of_an_isolated_user(place, daemon, api):
    policy(place, [PYTHON, HELPER, "colorsys"], serve="forks", more="user: isolated\n")
    daemon.restart()
    await_pool(api)
    for _ in range(SIZE + 1):
        assert api.out(python(api, IS_WARM)) == "True\n"
    assert count(api, "forks") == SIZE + 1 and count(api, "preload_restarts") == 0


def test_a_policy_that_changes(place, daemon, forking):
    """Forks of what was there before go on, and no run has one of them any more."""
    run = forking.run(["python3", "-c", "import time; print('here', flush=True); time.sleep(2); raise SystemExit(9)"],
                      policy="warm", wait=False)
    wait_until(lambda: forking.output(run["id"])["stdout"], what="a word of it")
    policy(place, [PYTHON, HELPER, "textwrap"], serve="forks")
    wait_until(lambda: forking.out(python(forking, "import sys; print('colorsys' in sys.modules, 'textwrap' in sys.modules)")) == "False True\n", 30,
               "a program by the new policy")
    assert exit_code(forking.ended(run["id"])) == 9
    wait_until(lambda: len(daemon.inits()) == 1, what="the end of the first one's box")
    assert "warning" not in daemon.said()


def test_many_forks(daemon, forking):
    """Each its own end and output; and nothing grows."""
    def one(i):
        run = python(forking, f"import sys; print({i}); sys.exit({i % 200})")
        assert (exit_code(run), forking.out(run)) == (i % 200, f"{i}\n")

    def rounds(first):
        for i in range(first, first + 10):
            one(i)

    def figures():
        return len(descendants(daemon.pid)), daemon.pipes()

    def at_rest():
        seen = figures()
        time.sleep(0.2)
        return seen if figures() == seen else None

    meanwhile(rounds, (0,), (10,))
    wait_until(lambda: count(forking, "parked") == SIZE, what="what was taken, made anew")
    before = wait_until(at_rest, what="a daemon at rest")
    meanwhile(rounds, *((first,) for first in range(0, 200, 10)))
    wait_until(lambda: count(forking, "parked") == SIZE, what="what was taken, made anew")
    wait_until(lambda: all(n <= most for n, most in zip(figures(), before)), what="the end of the last")
    # a program that is not prompt, on a busy machine, is not waited for
    assert count(forking, "forks") >= 150 and count(forking, "preload_restarts") == 0


def test_a_fork_is_a_run_like_any_other(forking):
    code = ("import os, resource, sys; print(sys.argv, os.getcwd(), os.environ['X'], 'BULKHEAD_PRELOAD_FD' in os.environ, "
            "resource.getrlimit(resource.RLIMIT_NOFILE), sys.stdin.read(), os.environ['BULKHEAD']); print('err', file=sys.stderr); sys.exit(7)")
    run = forking.run(["python3", "-c", code, "a", "b c"], policy="warm", env={"X": "y"}, cwd="/usr", stdin="text",
                      limits={"nofile": 64})
    assert exit_code(run) == 7 and run["box"] is None
    output = forking.output(run["id"])
    assert output["stdout"].decode() == f"['-c', 'a', 'b c'] /usr y False (64, 64) text {run['id']}\n"
    assert output["stderr"] == b"err\n"
    assert exit_code(forking.run(["sh", "-c", "exit 5"], policy="warm")) == 5
    assert cause(forking.run(["no-such-program"], policy="warm")) == "not_found"


def test_nothing_is_left_from_one_fork_to_the_next(forking):
    """But for what the box has of both: files."""
    leave = ("import json, os, random, signal, socket; json.left = 1; os.chdir('/'); os.environ['LEFT'] = '1'; os.umask(0); "
             "signal.signal(signal.SIGUSR1, signal.SIG_IGN); open('/dev/null'); random.seed(1)")
    look = ("import json, os, random, signal; print(hasattr(json, 'left'), os.getcwd(), 'LEFT' in os.environ, os.umask(0), "
            "signal.getsignal(signal.SIGUSR1).name, sorted(os.listdir('/proc/self/fd')), os.path.exists('/proc/self/fd/0')); print(random.random())")
    seen = set()
    for _ in range(SIZE + 1):
        assert exit_code(python(forking, leave, stdin="left")) == 0
    for _ in range(2 * SIZE):
        first, number = forking.out(python(forking, look)).splitlines()
        assert first == "False /tmp False 18 SIG_DFL ['0', '1', '2', '3'] True"
        seen.add(number)
    assert len(seen) == 2 * SIZE


@pytest.mark.skipif(not os.path.exists("/usr/lib/python3/dist-packages/numpy"), reason="there is no numpy here")
def test_numbers_of_numpy_are_each_forks_own(place, daemon, api):
    policy(place, ["/usr/bin/python3", HELPER, "numpy", "numpy.random"], serve="forks")
    daemon.restart()
    await_pool(api)
    code = "import numpy; print(numpy.random.random(), (numpy.ones((300, 300)) @ numpy.ones((300, 300))).sum())"
    numbers = [api.out(api.run(["/usr/bin/python3", "-c", code], policy="warm")).split() for _ in range(SIZE + 1)]
    assert len({first for first, _ in numbers}) == SIZE + 1 and {last for _, last in numbers} == {"27000000.0"}


@pytest.mark.parametrize("code, wanted, signal_number", [
    ("import os; os.kill(os.getpid(), 9)", ("crash", "external_kill"), 9),
    ("import os; os.abort()", ("crash",), 6),
    ("raise SystemExit(3)", ("exit_nonzero",), None),
    ("import time; time.sleep(60)", ("wall_timeout",), 15),
])
def test_each_end_of_a_fork(forking, code, wanted, signal_number):
    run = python(forking, code, limits=limits_of(wanted))
    assert cause(run) in wanted and run["verdict"]["signal"] == signal_number


def test_one_fork_is_ended_and_its_neighbours_go_on(forking):
    """With its descendants, those that are deaf to TERM and in sessions of their own too."""
    def begin(argv):
        run = forking.run(argv, policy="warm", wait=False, limits={"grace": "200ms"})
        wait_until(lambda: forking.output(run["id"])["stdout"], what="a word of it")
        return run["id"]

    ends, stays = begin([helper("tree"), "3"]), begin(["python3", "-c", "import time; print('here', flush=True); time.sleep(3)"])
    forking.request("DELETE", f"/v1/runs/{ends}").expect(200, 202)
    assert cause(forking.ended(ends)) == "cancelled"
    assert cause(forking.ended(stays)) == "ok"
    assert count(forking, "preload_restarts") == 0


def test_the_memory_of_a_fork_is_its_own(forking):
    if not forking.groups():
        pytest.skip("nothing counts memory here")
    code = "x = [bytearray(b'x' * (1 << 20)) for _ in range(200)]"
    run = python(forking, code, limits={"memory": "64M"})
    assert cause(run) == "memory_limit"
    assert exit_code(python(forking, code)) == 0
    # what was imported is the program's
    assert python(forking, "1")["verdict"]["usage"]["memory_peak_bytes"] < 16 << 20
    assert count(forking, "preload_restarts") == 0


def test_what_a_fork_may_not(forking):
    """Make siblings, look into the program that it came from, or into forks that wait."""
    clone = "import ctypes; libc = ctypes.CDLL(None, use_errno=True); print(libc.syscall(56, 0x8011, 0, 0, 0, 0), ctypes.get_errno())"
    if os.uname().machine == "x86_64":
        assert forking.out(python(forking, clone)) == "-1 1\n"
    peek = """
import os
for pid in sorted(int(p) for p in os.listdir('/proc') if p.isdigit()):
    if pid in (1, os.getpid()):
        continue
    try:
        open(f'/proc/{pid}/mem').close()
        print('looked into', pid)
    except OSError as error:
        print(error.strerror)
"""
    run = python(forking, peek)  # they may well be hidden from /proc
    assert exit_code(run) == 0 and set(forking.out(run).splitlines()) <= {"Permission denied"}


def test_the_program_ends_and_its_forks_go_on(daemon, forking):
    """Another one is begun when somebody comes."""
    run = forking.run(["python3", "-c", "import time; print('here', flush=True); time.sleep(2); raise SystemExit(9)"],
                      policy="warm", wait=False)
    wait_until(lambda: forking.output(run["id"])["stdout"], what="a word of it")
    program = min(warmed(daemon), key=lambda pid: int(read(pid, "stat").rsplit(")", 1)[1].split()[19]))
    os.kill(program, signal.SIGKILL)
    wait_until(lambda: count(forking, "preload_restarts") == 1, what="a daemon that has noticed")
    assert exit_code(python(forking, "raise SystemExit(4)")) == 4
    wait_until(lambda: count(forking, "parked") == SIZE, 30, "another program")
    assert forking.out(python(forking, IS_WARM)) == "True\n"
    assert exit_code(forking.ended(run["id"])) == 9
    wait_until(lambda: len(daemon.inits()) == 1, what="the end of the first one's box")


def test_a_fork_that_kills_all_it_can_ends_no_other_run(daemon, forking):
    for _ in range(3):
        assert cause(python(forking, "import os; os.kill(-1, 9)")) in ("ok", "crash", "external_kill")
        for _ in range(SIZE):
            assert exit_code(python(forking, "raise SystemExit(4)")) == 4


HOLD = """
import ctypes, os, sys
ptrace, seize, held = ctypes.CDLL(None).ptrace, 0x4206, []
ptrace.argtypes = [ctypes.c_long] * 4
for pid in sorted(int(name) for name in os.listdir('/proc') if name.isdigit()):
    if pid not in (1, os.getpid()) and ptrace(seize, pid, 0, 0) == 0:
        os.kill(pid, 9)
        held.append(pid)
print(len(held), flush=True)
sys.stdin.read()
"""


def test_a_fork_cannot_trace_others(forking):
    assert forking.out(python(forking, HOLD)) == "0\n"


def test_a_fork_that_holds_up_the_ends_of_others(place, daemon, api):
    """
    Of a program that does not protect itself and its forks: one traces and kills them all, and takes no end of theirs. It is the
    daemon that must not wait for that, nor go round and round.
    """
    policy(place, [helper("forks")], serve="forks")
    daemon.restart()
    await_pool(api)
    run = python(api, HOLD, wait=False, stdin={"open": True})
    held = wait_until(lambda: api.out(run), 20, "one that holds others up")
    assert int(held) >= 1  # the program, if others are being forked just then
    for _ in range(SIZE):
        assert exit_code(python(api, "raise SystemExit(4)")) == 4
    before = cpu_seconds(daemon.pid)
    time.sleep(1)  # in which one that goes round and round would take all of it
    assert cpu_seconds(daemon.pid) - before < 0.3
    api.checked(api.request("DELETE", f"/v1/runs/{run['id']}?wait=1&now=1").expect(200).json)
    await_pool(api)
    wait_until(lambda: len(daemon.inits()) == 1, what="the end of the box in which they were")


def test_a_program_with_threads_is_not_forked(place, daemon, api):
    module = place.file("busy.py", "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n")
    policy(place, [PYTHON, HELPER, "busy"], serve="forks", more=f"env: {{set: {{PYTHONPATH: '{module.parent}'}}}}\n")
    daemon.restart()
    for _ in range(3):
        assert exit_code(python(api, "raise SystemExit(4)")) == 4
    wait_until(lambda: "2 threads" in daemon.said(), what="a word of it in the log")


def test_forks_of_another_language(place, daemon, api):
    """The protocol, in C."""
    policy(place, [helper("forks")], serve="forks")
    daemon.restart()
    await_pool(api)
    for i in range(2 * SIZE):
        run = api.run(["sh", "-c", f"cat; pwd; echo $X; exit {i}"], policy="warm", stdin="in\n", cwd="/usr", env={"X": "y"})
        assert (exit_code(run), api.out(run)) == (i, "in\n/usr\ny\n")
    assert cause(api.run(["no-such-program"], policy="warm")) == "not_found"
    assert count(api, "forks") >= 2 * SIZE and count(api, "preload_restarts") == 0


LIES = {
    "deaf": None, "dies": "ended", "plain": "no child", "itself": "another process", "twice": "protocol", "silent": None,
    "early": "ended", "outside": "groups", "crowd": "session", "loose": "filter", "garbage": "protocol", "refuses": "fork", "again": "protocol",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_program_that_lies(place, daemon, api, lie):
    """It costs no run, is said, and is gone when the daemon is told to stop."""
    policy(place, [helper("forks"), lie], serve="forks")
    daemon.restart()
    for i in range(4):
        run = api.run(["sh", "-c", f"exit {i}"], policy="warm")
        assert exit_code(run) == i
        time.sleep(0.1)
    if LIES[lie] and not (lie == "outside" and not api.groups()):
        wait_until(lambda: LIES[lie] in daemon.said(), what="a word of it in the log")
    assert len(daemon.said().splitlines()) < 40
    assert daemon.stop() < seconds(2)


@pytest.mark.parametrize("kind", ["strays", "hidden"])
def test_siblings_that_nobody_asked_for_are_reaped(place, daemon, api, kind):
    """Also those that an ordinary user's daemon may not look at."""
    policy(place, [helper("forks"), kind], serve="forks")
    daemon.restart()
    await_pool(api)
    for i in range(SIZE):
        assert exit_code(api.run(["sh", "-c", f"exit {i}"], policy="warm")) == i
    assert daemon.stop() < seconds(2)


def names_below(daemon):
    found = set()
    for pid in descendants(daemon.pid):
        with contextlib.suppress(OSError):
            found.add(read(pid, "comm").strip())
    return found


def test_what_a_fork_has_cloned_ends_with_its_run(place, daemon, api):
    """Though the fork was of no use; its box goes on."""
    policy(place, [helper("forks"), "clones"], serve="forks")
    daemon.restart()
    await_pool(api)
    assert cause(api.run(["true"], policy="warm")) == "setup_failed"
    wait_until(lambda: "left-behind" not in names_below(daemon), what="the end of what was cloned")
    assert "forks" in names_below(daemon)  # the program, and others that wait
