# SPDX-License-Identifier: MIT
"""Signals to bulkhead, from a terminal and from others, with each kind of terminal the program can have."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from support import PYTHON, SHOWN, alive, descendants, helper, processes, run_time, seconds, wait_until
from terminal import CONTROL_BACKSLASH, CONTROL_C, CONTROL_Z, Terminal

# Of the caller's terminal; of one beside it; of one in place of it; of one with nobody at the other end.
PLACES = {
    "shared": ([], {}),
    "elsewhere": ([], {"preexec_fn": None}),
    "own": (["-t"], {}),
    "own-alone": (["-t"], {"preexec_fn": None, "stdin": subprocess.DEVNULL}),
}


class Place:
    """A run somewhere."""

    def __init__(self, terminal, options, popen):
        self.terminal, self.options, self.popen = terminal, options, popen
        self.verdict_path = terminal.bulkhead.verdict_path()

    def start(self, *words, **popen):
        return self.terminal.start("run", *SHOWN, *self.options, "--verdict", self.verdict_path, *words,
                                   **self.popen | popen)

    def verdict(self):
        return self.terminal.bulkhead.read_verdict(self.verdict_path)


@pytest.fixture
def terminal(bulkhead):
    with Terminal(bulkhead) as made:
        yield made


@pytest.fixture(params=PLACES)
def place(request, terminal):
    return Place(terminal, *PLACES[request.param])


def trap(number, action="exit 3"):
    """A program that says that it got a signal."""
    name = signal.Signals(number).name[3:]
    return ["sh", "-c", f"trap 'echo got {name}; {action}' {name}; echo ready; while :; do sleep 0.01; done"]


# ---- to bulkhead ----


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_wish_to_end_is_passed_on(terminal, place, number):
    place.start("--grace", "1m", *trap(number))
    terminal.expect("ready")
    terminal.send(number)
    terminal.expect(f"got {number.name[3:]}")
    terminal.end(3)
    verdict = place.verdict()
    assert (verdict["cause"], verdict["exit_code"]) == ("cancelled", 3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_second_kills_at_once(terminal, place, number, second):
    place.start("--grace", "1m", *trap(number, ":"))
    terminal.expect("ready")
    terminal.send(number)
    terminal.expect(f"got {number.name[3:]}")
    began = time.monotonic()
    terminal.send(second)
    terminal.end(137)
    assert time.monotonic() - began < seconds(2)
    assert place.verdict()["cause"] == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2])
def test_others_are_passed_on_and_end_nothing(terminal, place, number):
    place.start(*trap(number, ":"))
    terminal.expect("ready")
    for _ in range(3):
        terminal.send(number)
        terminal.expect(f"got {number.name[3:]}")
    terminal.send(signal.SIGTERM)
    terminal.end(143)
    assert place.verdict()["cause"] == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2])
def test_others_end_what_does_not_handle_them(terminal, place, number):
    place.start("sh", "-c", "echo ready; exec sleep 300")
    terminal.expect("ready")
    terminal.send(number)
    terminal.end(128 + number)
    verdict = place.verdict()
    assert (verdict["cause"], verdict["signal"]) == ("crash", number)


def test_stopped_and_continued_by_somebody(terminal, place):
    place.start("sh", "-c", "echo ready; while ! test -e go; do sleep 0.01; done; echo gone on; exit 3")
    terminal.expect("ready")
    terminal.send(signal.SIGSTOP)
    wait_until(lambda: os.waitpid(terminal.process.pid, os.WNOHANG | os.WUNTRACED)[0], what="the stop")
    terminal.bulkhead.file("go")
    terminal.send(signal.SIGCONT)
    terminal.expect("gone on")
    terminal.end(3)


@pytest.mark.parametrize("words", [["sleep", "300"], ["stubborn"], ["tree", 30]], ids=lambda w: w[0])
def test_the_end_of_bulkhead_is_the_end_of_all(bulkhead, terminal, place, words):
    bulkhead.run("true")
    bulkhead.command("runs")  # which makes the data base: killed in the midst of that, half of one is left
    program = words if words[0] == "sleep" else [helper(words[0]), *words[1:]]
    place.start("sh", "-c", 'echo ready; exec "$@"', "sh", *program)
    terminal.expect("deep" if words[0] == "tree" else "ready")
    below = descendants(terminal.process.pid)
    assert len(below) >= 2
    terminal.send(signal.SIGKILL)
    assert terminal.process.wait(seconds(10)) == -signal.SIGKILL
    wait_until(lambda: not alive(below), what="the end of all")
    bulkhead.command("run", "true")  # which removes what is left of the groups


def held_maker(pid):
    """Stop the process that makes the box, so that the program does not begin; None if it is too late for that."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    maker = int(wait_until(children.read_text, what="a maker").split()[0])
    with contextlib.suppress(ProcessLookupError):
        os.kill(maker, signal.SIGSTOP)
    wait_until(lambda: descendants(pid).get(maker, "Z") in "TZ", what="a stopped maker")
    if descendants(pid) == {maker: "T"}:
        return maker
    with contextlib.suppress(ProcessLookupError):
        os.kill(maker, signal.SIGCONT)
    return None


def is_read(pid, number):
    """Whether a signal to a process waits no more."""
    pending = re.search(r"\nShdPnd:\t(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text())
    return not int(pending[1], 16) >> (number - 1) & 1


def test_stopped_and_continued_before_the_program_runs(bulkhead):
    """The last of the two counts."""
    script = "trap 'exit 3' USR1; : >ready; while :; do sleep 0.01; done"
    maker = None
    while not maker:
        with bulkhead.background("sh", "-c", script, start_new_session=True) as p:
            maker = held_maker(p.pid)
            if not maker:
                p.terminate()
                p.wait(seconds(10))
                (bulkhead.cwd / "ready").unlink(missing_ok=True)
                continue
            for number in (signal.SIGTSTP, signal.SIGCONT):
                p.send_signal(number)
                wait_until(lambda: is_read(p.pid, number), what="a signal that is read")
            os.kill(maker, signal.SIGCONT)
            wait_until((bulkhead.cwd / "ready").exists, what="a program that runs")
            p.send_signal(signal.SIGUSR1)  # which comes to the program behind all that came to bulkhead before
            assert p.wait(seconds(10)) == 3


# ---- what the caller has ignored ----


def ignoring(*numbers):
    """Commands that start bulkhead with these signals ignored, as nohup(1) and shells do."""
    text = "import os, signal, sys\n" + "".join(f"signal.signal({int(n)}, signal.SIG_IGN)\n" for n in numbers)
    return [PYTHON, "-c", text + "os.execvp(sys.argv[1], sys.argv[1:])"]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_what_is_ignored_stays_ignored(bulkhead, number):
    """By bulkhead and by the program: who starts it with nohup(1) means both."""
    bulkhead.wrapper = ignoring(number)
    script = "echo ready; while ! test -e go; do sleep 0.01; done; exit 3"
    with bulkhead.background("sh", "-c", script, stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"ready\n"
        p.send_signal(number)
        bulkhead.file("go")
        assert p.wait(seconds(10)) == 3
    assert bulkhead.read_verdict(p.verdict_path)["cause"] == "exit_nonzero"


def test_a_caller_that_ignores_its_children(bulkhead):
    """The kernel would reap them, and no status be left."""
    doctor = bulkhead.command("doctor", "--json")
    bulkhead.wrapper = ignoring(signal.SIGCHLD)
    bulkhead.run("sh", "-c", "true & wait; exit 5").expect("exit_nonzero", 5)
    again = bulkhead.command("doctor", "--json")
    assert (again.status, again.out) == (doctor.status, doctor.out)


# ---- as a job of the user's shell ----


def foreground(pid):
    """The process group to which the terminal of a process belongs."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return int(text[text.rindex(")") + 2:].split()[5])


def test_stopped_and_resumed_by_the_shell(terminal):
    terminal.shell()
    terminal.command("bulkhead run sh -c 'echo ready; exec sleep 300'")
    terminal.expect("ready")
    terminal.type(CONTROL_Z)
    terminal.expect(r"\[1\]\+ +Stopped")
    states = descendants(terminal.process.pid)
    assert "T" in states.values()
    terminal.command("bg")
    terminal.expect("bulkhead run .* &")
    wait_until(lambda: "T" not in descendants(terminal.process.pid).values(), what="a job that goes on")
    terminal.command("jobs")
    terminal.expect("Running")
    terminal.command("fg")
    terminal.expect("bulkhead run")
    wait_until(lambda: "T" not in descendants(terminal.process.pid).values() and
               foreground(terminal.process.pid) != terminal.process.pid, what="a job in the foreground")
    terminal.type(CONTROL_Z)
    terminal.expect(r"\[1\]\+ +Stopped")
    terminal.command("fg")
    wait_until(lambda: "T" not in descendants(terminal.process.pid).values(), what="a job that goes on")
    terminal.type(CONTROL_C)
    terminal.command("echo status $?")
    terminal.expect("status 130")
    terminal.command("exit 0")
    terminal.end()


@pytest.mark.parametrize("wrapper", [[], ["sh", "-c", '"$@"; exit $?', "sh"]], ids=["leader", "script"])
def test_a_program_that_stops_itself_has_its_time_out(bulkhead, terminal, place, wrapper):
    """Nobody is there who would continue a bulkhead that stops with it."""
    bulkhead.wrapper = wrapper
    place.start("--timeout", run_time(0.3), "--grace", run_time(0.2), "sh", "-c", "kill -STOP $$; sleep 300")
    terminal.end(124)
    assert place.verdict()["cause"] == "wall_timeout"


def test_a_script_is_stopped_and_resumed_with_all(terminal):
    terminal.shell()
    terminal.command("sh -c 'bulkhead run sh -c \"echo ready; exec sleep 300\"; echo ended with $?'")
    terminal.expect("ready")
    for _ in range(2):
        terminal.type(CONTROL_Z)
        terminal.expect(r"\[1\]\+ +Stopped")
        wait_until(lambda: list(descendants(terminal.process.pid).values()).count("T") >= 3, what="all stopped")
        terminal.command("fg")
        terminal.expect("ended with")
        wait_until(lambda: "T" not in descendants(terminal.process.pid).values(), what="a job that goes on")
    terminal.type(CONTROL_C)
    terminal.command("exit 0")
    terminal.end()


@pytest.mark.parametrize("script", ["exit 3", "kill -9 $$"])
def test_a_job_that_ends_in_the_background_leaves_the_terminal_alone(terminal, script):
    # not a loop of sleeps: stopped between vfork(2) and exec, the child would keep sh from stopping
    go = terminal.bulkhead.cwd / "go"
    os.mkfifo(go)
    terminal.bulkhead.own(go)
    terminal.shell()
    terminal.command(f"bulkhead run sh -c 'echo ready; read x <go; {script}'")
    terminal.expect("ready")
    terminal.type(CONTROL_Z)
    terminal.expect(r"\[1\]\+ +Stopped")
    terminal.command("bg; wait %1; echo waited with $?")
    wait_until(lambda: "T" not in descendants(terminal.process.pid).values(), what="a job that goes on")
    assert foreground(terminal.process.pid) == terminal.process.pid
    go.write_text("go\n")
    terminal.expect("waited with (3|137)")
    assert foreground(terminal.process.pid) == terminal.process.pid
    terminal.command("echo still here$((1))")
    terminal.expect("still here1")
    terminal.command("exit 0")
    terminal.end()


def test_a_stopped_job_can_be_ended(terminal):
    terminal.shell()
    terminal.command("bulkhead run sh -c 'echo ready; exec sleep 300'")
    terminal.expect("ready")
    terminal.type(CONTROL_Z)
    terminal.expect(r"\[1\]\+ +Stopped")
    job, = [pid for pid, (_, parent) in processes().items() if parent == terminal.process.pid]
    os.killpg(job, signal.SIGTERM)  # not bash's kill, which continues it: it may be gone before `fg`
    terminal.command("fg")
    terminal.expect("cancelled")
    terminal.command("echo status $?")
    terminal.expect("status 143")
    terminal.command("exit 0")
    terminal.end()


def expect_answered(terminal):
    """The job, which was to read a word and to end with 3, goes on and does so; and then the shell ends."""
    wait_until(lambda: "T" not in descendants(terminal.process.pid).values(), what="a job that goes on")
    terminal.line("word")
    terminal.expect("got word")
    terminal.command("echo status $?")
    terminal.expect("status 3")
    terminal.command("exit 0")
    terminal.end()


@pytest.mark.slow
def test_what_is_stopped_does_not_age(terminal):
    """The time in which the user has stopped it counts for no limit."""
    terminal.shell()
    terminal.command(f"bulkhead run --timeout {run_time(2)} --idle-timeout {run_time(1.9)} "
                     "sh -c 'echo ready; read x; echo got $x; exit 3'")
    terminal.expect("ready")
    terminal.type(CONTROL_Z)
    terminal.expect(r"\[1\]\+ +Stopped")
    time.sleep(seconds(2.5))
    terminal.command("fg")
    terminal.expect("bulkhead run")
    expect_answered(terminal)


@pytest.mark.slow
def test_what_waits_for_the_terminal_does_not_age(terminal):
    """In the background, where the kernel stops whoever reads."""
    terminal.shell()
    terminal.command(f"bulkhead run --timeout {run_time(2)} sh -c 'read x; echo got $x; exit 3' &")
    wait_until(lambda: list(descendants(terminal.process.pid).values()).count("T") >= 2, what="a stopped job")
    time.sleep(seconds(2.5))
    terminal.command("fg")
    terminal.expect("exit 3'")
    expect_answered(terminal)


@pytest.mark.parametrize("program", ["stty sane", "sh -c \"read x\""], ids=["writes", "reads"])
def test_a_script_in_the_background_is_stopped_with_all(terminal, program):
    terminal.shell()
    terminal.command(f"sh -c 'bulkhead run {program}; echo ended with $?' &")
    wait_until(lambda: list(descendants(terminal.process.pid).values()).count("T") >= 3, what="all stopped")
    terminal.command("fg")
    terminal.expect("ended with")
    wait_until(lambda: "T" not in descendants(terminal.process.pid).values(), what="a job that goes on")
    if "read" in program:
        terminal.line("word")
    terminal.expect("ended with 0")
    terminal.command("exit 0")
    terminal.end()


LEADER = "bulkhead run timeout 300 sh -c 'echo ready; read x <go; exit 3'"  # timeout(1) makes a group of its own


def states_of(terminal, *names):
    """Of the processes below the terminal's first one that have one of these names."""
    found = []
    for pid, state in descendants(terminal.process.pid).items():
        with contextlib.suppress(OSError):
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() in names:
                found.append(state)
    return found


def waiting_leader(terminal):
    go = terminal.bulkhead.cwd / "go"
    os.mkfifo(go)
    terminal.bulkhead.own(go)
    terminal.shell()
    terminal.command(LEADER)
    terminal.expect("ready")
    return go


@pytest.mark.parametrize("key, status", [(CONTROL_C, 130), (CONTROL_BACKSLASH, 131)], ids=["int", "quit"])
def test_a_program_in_another_group_is_told_what_is_typed(terminal, key, status):
    waiting_leader(terminal)
    terminal.type(key)
    terminal.command("echo status $?")
    terminal.expect(f"status {status}")
    terminal.command("exit 0")
    terminal.end()


def test_a_program_in_another_group_is_stopped_and_resumed(terminal):
    """With all that is in its group, as by the kernel where the terminal is that group's."""
    go = waiting_leader(terminal)
    for _ in range(3):
        terminal.type(CONTROL_Z)
        terminal.expect(r"\[1\]\+ +Stopped")
        wait_until(lambda: states_of(terminal, "timeout", "sh") == ["T", "T"], what="both of them stopped")
        terminal.command("fg")
        terminal.expect("bulkhead run")
        wait_until(lambda: "T" not in descendants(terminal.process.pid).values(), what="a job that goes on")
    go.write_text("go\n")
    terminal.command("echo status $?")
    terminal.expect("status 3")
    terminal.command("exit 0")
    terminal.end()


def test_control_c_ends_a_pipeline(terminal):
    terminal.shell()
    terminal.command("bulkhead run sh -c 'echo ready; exec sleep 300' | cat")
    terminal.expect("ready")
    terminal.type(CONTROL_C)
    terminal.command("echo status ${PIPESTATUS[*]}")
    terminal.expect("status 130 130")
    terminal.command("exit 0")
    terminal.end()


def test_a_job_in_the_background_that_reads_is_stopped(terminal):
    terminal.shell()
    terminal.command("bulkhead run sh -c 'read x; echo got $x; exit 3' &")
    wait_until(lambda: list(descendants(terminal.process.pid).values()).count("T") >= 2, what="a stopped job")
    terminal.command("fg")
    terminal.expect("exit 3'")
    expect_answered(terminal)


# ---- hang-up ----


@pytest.mark.parametrize("own", [[], ["-t"]], ids=["shared", "own"])
def test_a_hang_up_of_the_shell_ends_its_jobs(bulkhead, terminal, own):
    path = bulkhead.verdict_path()
    terminal.shell()
    terminal.command(f"bulkhead run {' '.join(own)} --verdict {path} sh -c 'echo ready; exec sleep 300'")
    terminal.expect("ready")
    below = descendants(terminal.process.pid)
    terminal.hang_up()
    terminal.process.wait(seconds(10))
    wait_until(lambda: not alive(below), what="the end of all")
    verdict = bulkhead.read_verdict(path)
    assert verdict["signal"] == signal.SIGHUP


def test_a_job_of_nohup_survives_a_hang_up(bulkhead, terminal):
    path = bulkhead.verdict_path()
    terminal.shell()
    terminal.command(f"nohup bulkhead run --verdict {path} sh -c 'while ! test -e go; do sleep 0.01; done; exit 3' "
                     ">out 2>&1 & echo begun$((1))")
    terminal.expect("begun1")
    wait_until(lambda: len(descendants(terminal.process.pid)) >= 3, what="a job")
    below = descendants(terminal.process.pid)
    terminal.hang_up()
    terminal.process.wait(seconds(10))
    bulkhead.file("go")
    wait_until(lambda: not alive(below), what="the end of all")
    assert bulkhead.read_verdict(path)["exit_code"] == 3
