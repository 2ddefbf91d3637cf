# SPDX-License-Identifier: MIT
"""Programs at a terminal: the caller's own, and one that bulkhead gives them (--tty)."""

import os
import pathlib
import re
import signal
import subprocess
import termios
import threading
import time

import pytest

from support import MIB, SANITIZED, SHOWN, alive, descendants, helper, run_time, seconds, wait_until
from terminal import CONTROL_BACKSLASH, CONTROL_C, CONTROL_D, CONTROL_Z, ESCAPE, Terminal

OWN = [[], ["-t"]]  # the caller's terminal, or one of the program's own
BASH = ["bash", "--norc", "--noprofile", "-i"]
SHELL_ENV = {"PS1": "box> ", "TERM": "dumb", "HISTFILE": ""}


@pytest.fixture(params=OWN, ids=["shared", "own"])
def own(request):
    return request.param


@pytest.fixture
def terminal(bulkhead):
    with Terminal(bulkhead) as made:
        yield made


def stat_of(pid):
    """Name, parent, process group, session and foreground group of a process, as the host counts."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    name, fields = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
    return {"name": name, "parent": int(fields[1]), "group": int(fields[2]), "session": int(fields[3]),
            "foreground": int(fields[5])}


def called(name, of):
    """The process below @of whose name that is."""
    def look():
        for pid in descendants(of):
            try:
                if stat_of(pid)["name"] == name:
                    return pid
            except OSError:
                pass
        return None
    return wait_until(look, what=f"a process called '{name}'")


def wait_for_foreground(terminal, name):
    """A process below the terminal's first one has got its terminal from a shell."""
    pid = called(name, terminal.process.pid)
    wait_until(lambda: stat_of(pid)["foreground"] == stat_of(pid)["group"], what=f"'{name}' in the foreground")


def box_shell(terminal, own, *options):
    terminal.start("run", *own, *options, *BASH, env=SHELL_ENV)
    terminal.prompt = "box> "


# ---- whose terminal it is ----


def test_the_program_has_the_callers_terminal(bulkhead, terminal):
    """Its session and its process group, too: so the terminal's signals reach both."""
    p = terminal.start("run", "--grace", "100ms", *SHOWN, helper("stubborn"))
    terminal.expect("ready")
    mine, theirs = stat_of(p.pid), stat_of(called("stubborn", p.pid))
    assert (theirs["group"], theirs["session"]) == (mine["group"], mine["session"]) == (p.pid, p.pid)
    terminal.send(signal.SIGTERM)
    terminal.end(137)


def test_without_a_terminal_the_program_has_a_session_of_its_own(bulkhead):
    with bulkhead.background("--grace", "100ms", helper("stubborn"), stdout=subprocess.PIPE, start_new_session=True) as p:
        assert p.stdout.readline() == b"ready\n"
        pid = called("stubborn", p.pid)
        theirs = stat_of(pid)
        assert theirs["group"] == theirs["session"] == pid
        p.terminate()
        assert p.wait(seconds(10)) == 137


def test_a_terminal_of_its_own(bulkhead, terminal):
    p = terminal.start("run", "-t", "--grace", "100ms", *SHOWN, helper("stubborn"))
    terminal.expect("ready")
    mine, theirs = stat_of(p.pid), stat_of(called("stubborn", p.pid))
    assert theirs["session"] == theirs["group"] == theirs["foreground"] != mine["session"]
    terminal.send(signal.SIGTERM)
    terminal.end(137)


def test_its_name_in_the_box(bulkhead, terminal):
    """The caller's terminal is not there: neither by a name nor as a descriptor."""
    script = ("tty; echo here >$(tty); echo there >/dev/tty; ls /dev/pts; test -e /dev/console || echo none;"
              "stat -Lc %t:%T /proc/self/fd/*; ps -o tty= -p $$")
    terminal.start("run", "-t", "sh", "-c", script)
    out = terminal.end().split()
    assert out[:6] == ["/dev/pts/0", "here", "there", "0", "ptmx", "none"]
    assert set(out[6:9]) == {"88:0"} and out[-1] == "pts/0"


def test_the_name_of_the_callers(bulkhead, terminal):
    terminal.start("run", "sh", "-c", "tty; echo here >$(tty); echo there >/dev/tty")
    assert terminal.end().split() == ["/dev/console", "here", "there"]


def test_its_owner_and_the_isolated_user(bulkhead, terminal):
    user = ["--user", "isolated"] if bulkhead.who == "root" else []
    terminal.start("run", "-t", *user, "sh", "-c", "test $(stat -c %u $(tty)) = $(id -u) && echo mine >$(tty)")
    assert terminal.end() == "mine\r\n"


def test_programs_that_make_terminals(bulkhead, terminal, own):
    terminal.start("run", *own, "script", "-qec", "tty; exit 5", "/dev/null")
    assert re.search(r"/dev/pts/[01]\r\n", terminal.rest())
    assert terminal.process.returncode == 5


def test_a_terminal_that_may_not_be_opened(bulkhead):
    """As after su(1): the descriptor works, the name does not."""
    with Terminal(bulkhead, owned=False) as terminal:
        box_shell(terminal, ["-t"])
        terminal.command("echo $((6 * 7))")
        terminal.expect("42")
        terminal.command("exit 3")
        terminal.expect("exit_nonzero")
        terminal.end(3)


# ---- job control ----


def test_job_control_in_the_box(bulkhead, terminal, own):
    box_shell(terminal, own)
    terminal.command("sleep 300 &")
    terminal.expect(r"\[1\] \d+")
    terminal.command("jobs")
    terminal.expect(r"\[1\]\+ +Running +sleep 300 &")
    terminal.command("fg")
    terminal.expect("sleep 300")
    wait_for_foreground(terminal, "sleep")
    terminal.type(CONTROL_Z)
    terminal.expect(r"\[1\]\+ +Stopped +sleep 300")
    terminal.command("bg")
    terminal.expect(r"\[1\]\+ sleep 300 &")
    terminal.command("kill %1; wait; echo gone $((20 + 3))")
    terminal.expect("gone 23")
    terminal.command("exit")
    terminal.end()


def test_control_c_ends_the_program_but_not_the_shell(bulkhead, terminal, own):
    box_shell(terminal, own)
    terminal.command("sleep 300")
    wait_for_foreground(terminal, "sleep")
    terminal.type(CONTROL_C)
    terminal.command("echo status $?")
    terminal.expect("status 130")
    terminal.command("echo begin; cat")
    terminal.expect("begin")
    terminal.line("line")
    terminal.expect("line")
    terminal.type(CONTROL_BACKSLASH)
    terminal.expect("Quit")
    terminal.command("exit 7")
    terminal.expect("exit_nonzero")
    terminal.end(7)


def test_control_d_ends_what_reads(bulkhead, terminal, own):
    terminal.start("run", *own, "sh", "-c", "echo begin; cat; echo end")
    terminal.expect("begin")
    terminal.line("text")
    terminal.expect("text")
    terminal.type(CONTROL_D)
    terminal.expect("end")
    terminal.end()


def test_control_c_without_a_shell(bulkhead, terminal, own):
    terminal.start("run", *own, "sh", "-c", "echo begin; exec sleep 300")
    terminal.expect("begin")
    called("sleep", terminal.process.pid)
    terminal.type(CONTROL_C)
    terminal.end(130)


# ---- the window ----


def test_size_at_start(bulkhead, terminal, own):
    terminal.resize(37, 91)
    terminal.start("run", *own, "stty", "size")
    assert terminal.end() == "37 91\r\n"


def test_resize(bulkhead, terminal, own):
    script = "trap 'stty size' WINCH; echo begin; while :; do sleep 0.02; done"
    terminal.start("run", *own, "sh", "-c", script)
    terminal.expect("begin")
    terminal.resize(41, 93)
    terminal.expect("41 93")
    terminal.resize(42, 94)
    terminal.expect("42 94")
    terminal.send(signal.SIGTERM)
    terminal.end(143)


# ---- full-screen programs ----


def test_vim(bulkhead, terminal, own):
    file = bulkhead.file("text", "first\nsecond\n")
    terminal.start("run", *own, "vim.tiny", "-u", "NONE", "text", env={"TERM": "xterm"})
    terminal.expect("second")
    terminal.type("Gothird" + ESCAPE)
    terminal.expect("third")
    terminal.type(":wq\r")
    terminal.end()
    assert file.read_text() == "first\nsecond\nthird\n"


def test_vim_is_stopped_and_resumed(bulkhead, terminal):
    """By the shell of the user, within which bulkhead runs: the terminal is theirs in turn."""
    file = bulkhead.file("text", "first\n")
    terminal.shell()
    terminal.command("TERM=xterm bulkhead run vim.tiny -u NONE text")
    terminal.expect("first")
    terminal.type(CONTROL_Z)
    terminal.expect(r"\[1\]\+ +Stopped")
    terminal.command("fg")
    terminal.expect("first")
    terminal.type("osecond" + ESCAPE + ":wq\r")
    terminal.command("exit")
    terminal.end()
    assert file.read_text() == "first\nsecond\n"


def test_less(bulkhead, terminal, own):
    bulkhead.file("lines", "".join(f"line {i} of many\n" for i in range(1, 201)))
    terminal.resize(24, 80)
    terminal.start("run", *own, "less", "lines", env={"TERM": "xterm", "LESS": "", "LESSHISTFILE": "-"})
    terminal.expect("line 23 of many")
    assert "line 24 " not in terminal.seen
    terminal.type(" ")
    terminal.expect("line 46 of many")
    terminal.type("G")
    terminal.expect("line 200 of many")
    terminal.type("q")
    terminal.end()


# ---- the modes ----


def odd_modes(terminal):
    """Modes that nobody would put there by chance."""
    modes = terminal.modes()
    modes[3] &= ~termios.ECHOK
    modes[6][termios.VINTR] = b"\x0b"
    termios.tcsetattr(terminal.slave, termios.TCSANOW, modes)
    return terminal.modes()


def test_the_program_finds_the_callers_modes(bulkhead, terminal, own):
    odd_modes(terminal)
    terminal.start("run", *own, "stty", "-a")
    assert "intr = ^K" in terminal.end()


@pytest.mark.parametrize("script, status", [
    ("exit 0", 0), ("exit 9", 9), ("kill -9 $$", 137), ("kill -SEGV $$", 139), ("sleep 300", 124)])
def test_the_modes_are_put_back(bulkhead, terminal, own, script, status):
    before = odd_modes(terminal)
    timeout = run_time(0.5) if status == 124 else "1m"
    terminal.start("run", *own, "--timeout", timeout, "--grace", run_time(0.2), "sh", "-c", script)
    terminal.end(status)
    assert terminal.modes() == before


@pytest.mark.parametrize("status", [137, 124])
def test_the_modes_after_one_that_could_not_put_them_back(bulkhead, terminal, own, status):
    before = odd_modes(terminal)
    script, timeout = ("kill -9 $$", "1m") if status == 137 else ("sleep 300", run_time(1))
    terminal.start("run", *own, "--timeout", timeout, "--grace", run_time(0.2), "sh", "-c", f"stty raw -echo; {script}")
    terminal.end(status)
    assert terminal.modes() == before


def test_the_modes_of_a_pager_are_left_alone(bulkhead, terminal):
    """Which reads what the program writes, has the screen, and lives on after the program was killed."""
    go = bulkhead.cwd / "go"
    os.mkfifo(go)
    bulkhead.own(go)
    bulkhead.file("pager", "read x; stty -icanon -echo </dev/tty; echo screen; cat; stty -a </dev/tty; stty sane </dev/tty")
    terminal.shell()
    terminal.command("bulkhead run sh -c 'echo ready; read x <go; kill -9 $$' | sh pager")
    terminal.expect("screen")
    go.write_text("go\n")
    terminal.expect(" -?icanon")
    assert terminal.seen[:terminal.at].endswith(" -icanon")
    terminal.command("exit 0")
    terminal.end()


def test_the_modes_after_a_failure(bulkhead, terminal):
    before = odd_modes(terminal)
    terminal.start("run", "-t", "no-such-program")
    terminal.end(127)
    assert terminal.modes() == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_modes_after_the_end_of_bulkhead_itself(bulkhead, terminal, number):
    bulkhead.run("true")
    bulkhead.command("runs")  # which makes the data base: killed in the midst of that, half of one is left
    before = odd_modes(terminal)
    box_shell(terminal, ["-t"])
    terminal.expect(terminal.prompt)
    assert terminal.modes() != before
    below = descendants(terminal.process.pid)
    terminal.send(number)
    terminal.process.wait(seconds(10))
    wait_until(lambda: terminal.modes() == before, what="the old modes")
    wait_until(lambda: not alive(below), what="the end of all")
    bulkhead.command("run", "true")  # which removes the groups


# ---- job control of the caller's shell ----


def expect_stopped(terminal):
    """The shell tells of it at its next prompt."""
    wait_until(lambda: "T" in descendants(terminal.process.pid).values(), what="a stopped job")
    terminal.type("\r")
    terminal.expect(r"\[1\]\+ +Stopped")


def test_a_background_job_waits_for_its_terminal(bulkhead, terminal):
    terminal.shell()
    terminal.command("bulkhead run -t sh -c 'echo beg''in; read x; echo got $x; exit 3' &")
    expect_stopped(terminal)
    terminal.command("echo still $((2 + 2))")
    terminal.expect("still 4")
    terminal.command("fg")
    terminal.expect("begin")
    terminal.line("word")
    terminal.expect("got word")
    terminal.command("echo status $?")
    terminal.expect("status 3")
    terminal.command("exit")
    terminal.end()


def test_a_background_job_that_waits_can_be_ended(bulkhead, terminal):
    terminal.shell()
    terminal.command("bulkhead run -t true &")
    expect_stopped(terminal)
    terminal.command("kill %1")
    wait_until(lambda: not alive(descendants(terminal.process.pid)), what="the end of the job")
    terminal.command("while jobs | grep -q Stopped; do sleep 0.02; done; echo no job$((1))")
    terminal.expect("no job1")
    terminal.command("exit")
    terminal.end()


def test_stopped_by_somebody_it_gives_the_terminal_back(bulkhead, terminal):
    terminal.shell()
    before = terminal.modes()
    terminal.command("bulkhead run -t sh -c 'echo begin; read x; echo got $x; exit 3'")
    terminal.expect("begin")
    raw = terminal.modes()
    job = called("bulkhead", terminal.process.pid)
    os.kill(job, signal.SIGTSTP)
    terminal.expect(r"\[1\]\+ +Stopped")
    terminal.command("stty -a")
    terminal.expect(" icanon")
    terminal.command("fg")
    wait_until(lambda: terminal.modes() == raw, what="a raw terminal")
    terminal.line("word")
    terminal.expect("got word")
    terminal.command("exit 0")
    terminal.end()
    assert raw != before


def test_a_program_that_stops_itself_is_a_stopped_job(bulkhead, terminal, own):
    terminal.shell()
    terminal.command(f"bulkhead run {' '.join(own)} sh -c 'echo begin; kill -STOP $$; echo end; exit 3'")
    terminal.expect(r"\[1\]\+ +Stopped")
    terminal.command("fg")
    terminal.expect("end")
    terminal.command("echo status $?")
    terminal.expect("status 3")
    terminal.command("exit")
    terminal.end()


COUNTING = """
import os, select, signal, sys
source = os.open(sys.argv[1], os.O_RDWR) if sys.argv[1:] else 0
told, tell = os.pipe()
os.set_blocking(tell, False)
signal.set_wakeup_fd(tell)
signal.signal(signal.SIGCONT, lambda *_: None)
print("begin", flush=True)
count = 0
while True:
    ready = select.select([source, told], [], [])[0]
    if told in ready:
        count += len(os.read(told, 100))
        print("continued", flush=True)
    elif os.read(source, 100) == b"end\\n":
        break
print(f"continued {count} in all")
"""


def test_a_resumed_program_is_told_once(bulkhead, terminal):
    """Another SIGCONT would interrupt what a full-screen program writes anew: vim loses that for good."""
    bulkhead.file("counting", COUNTING)
    terminal.shell()
    terminal.command("bulkhead run python3 counting")
    terminal.expect("begin")
    for _ in range(10):
        terminal.type(CONTROL_Z)
        terminal.expect(r"\[1\]\+ +Stopped")
        terminal.command("fg")
        terminal.expect("continued")
    terminal.line("end")
    terminal.expect("continued 10 in all")
    terminal.command("exit")
    terminal.end()


def counting_elsewhere(bulkhead):
    """It reads a named pipe: stdin is none of its terminal."""
    bulkhead.file("counting", COUNTING)
    go = bulkhead.cwd / "go"
    os.mkfifo(go)
    bulkhead.own(go)
    return go


def test_control_z_where_stdin_is_elsewhere(bulkhead, terminal):
    """Is none of the input of a program with a terminal of its own, and stops it all the same."""
    go = counting_elsewhere(bulkhead)
    terminal.shell()
    terminal.command("bulkhead run -t python3 counting go </dev/null")
    terminal.expect("begin")
    for _ in range(5):
        terminal.type(CONTROL_Z)
        terminal.expect(r"\[1\]\+ +Stopped")
        terminal.command("fg")
        terminal.expect("continued")
    go.write_text("end\n")
    terminal.expect("continued 5 in all")
    terminal.command("exit")
    terminal.end()


def test_control_z_where_nobody_would_resume_it(bulkhead, terminal):
    go = counting_elsewhere(bulkhead)
    terminal.start("run", "-t", "python3", "counting", "go", stdin=subprocess.DEVNULL)
    terminal.expect("begin")
    terminal.type(CONTROL_Z)
    terminal.expect("continued")
    go.write_text("end\n")
    terminal.expect("continued 1 in all")
    terminal.end()


RESTORING = """
import os, signal, termios
told, tell = os.pipe()
os.set_blocking(tell, False)
signal.set_wakeup_fd(tell)
signal.signal(signal.SIGCONT, lambda *_: None)
signal.siginterrupt(signal.SIGCONT, False)
modes = termios.tcgetattr(0)
print("begin", flush=True)
count = 0
while True:
    count += len(os.read(told, 100))
    termios.tcsetattr(0, termios.TCSANOW, modes)
    print(f"continued {count} in all", flush=True)
"""


def test_a_program_stopped_anew_in_the_background_stays_so(bulkhead, terminal):
    """One that changes the modes of a terminal that it has no more; each round is to have two CONTs at most."""
    bulkhead.file("restoring", RESTORING)
    terminal.shell()
    terminal.command("bulkhead run python3 restoring")
    terminal.expect("begin")
    for i in range(1, 11):
        terminal.type(CONTROL_Z)
        terminal.expect(r"\[1\]\+ +Stopped")
        terminal.command("bg; until jobs | grep -q Stopped; do sleep 0.02; done; echo again$((1))")
        terminal.expect("again1")
        terminal.command("fg")
        assert int(terminal.expect(r"continued (\d+) in all")[1]) <= 2 * i
    terminal.type(CONTROL_C)
    terminal.command("exit 0")
    terminal.end()


PENDING = """
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTSTP])
def wait(pending):
    while (signal.SIGTSTP in signal.sigpending()) != pending:
        time.sleep(0.01)
print("begin", flush=True)
wait(True)
print("pending", flush=True)
wait(False)
print("taken back", flush=True)
"""


def test_a_stop_that_has_not_come_yet_is_taken_back(bulkhead, terminal):
    """As by a second signal to bulkhead, while the program cannot act on the first."""
    bulkhead.file("pending", PENDING)
    terminal.start("run", "python3", "pending")
    terminal.expect("begin")
    terminal.send(signal.SIGTSTP)
    terminal.expect("pending")
    terminal.send(signal.SIGCONT)
    terminal.expect("taken back")
    terminal.end()


LEADERLESS = """
import ctypes, os, threading, time
def rest():
    while ") Z " not in open(f"/proc/{os.getpid()}/stat").read():
        time.sleep(0.01)
    print("begin", flush=True)
    while not os.path.exists("go"):
        time.sleep(0.01)
    print("gone on", flush=True)
    os._exit(3)
threading.Thread(target=rest).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_program_without_its_first_thread_is_resumed(bulkhead, terminal):
    bulkhead.file("leaderless", LEADERLESS)
    terminal.start("run", "python3", "leaderless")
    terminal.expect("begin")
    program = called("python3", terminal.process.pid)
    tasks = pathlib.Path(f"/proc/{program}/task")
    os.kill(program, signal.SIGSTOP)
    wait_until(lambda: any(") T " in (task / "stat").read_text() for task in tasks.iterdir()), what="the stop")
    terminal.send(signal.SIGCONT)
    bulkhead.file("go")
    terminal.expect("gone on")
    terminal.end(3)


# ---- a terminal of its own, for a caller without one ----


def test_on_pipes(bulkhead):
    r = bulkhead.run("-t", "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && stty size; cat; echo err >&2",
                     input=b"one\ntwo\n").expect("ok", 0)
    assert sorted(r.out.split()) == sorted(["24", "80", "one", "two", "one", "two", "err"])


def test_end_of_file_on_pipes(bulkhead):
    """To whoever reads, as often as they read; also where it comes after half a line."""
    r = bulkhead.run("-t", "sh", "-c", "stty -echo; cat; echo 1; cat; echo 2; cat; echo 3", input=b"half").expect("ok", 0)
    assert r.out.endswith("half1\r\n2\r\n3\r\n")
    bulkhead.run("-t", "cat", stdin=subprocess.DEVNULL).expect("ok", 0)


def test_end_of_file_ends_a_shell(bulkhead):
    """Which changes modes while its input waits, and would find a NUL for an end that came too early."""
    r = bulkhead.run("-t", *BASH, input=b"echo $((6 * 7))\nsleep 0.1\n", env=SHELL_ENV).expect("ok", 0)
    assert "\r\n42\r\n" in r.out


def test_an_end_of_file_that_was_thrown_away(bulkhead):
    script = "stty -echo; echo begin; sleep 0.2; python3 -c 'import termios; termios.tcflush(0, termios.TCIFLUSH)'; cat; echo end"
    r = bulkhead.run("-t", "sh", "-c", script, stdin=subprocess.DEVNULL).expect("ok", 0)
    assert r.out == "begin\r\nend\r\n"


def test_raw_bytes_both_ways(bulkhead):
    data = bytes(range(256)) * 64
    script = f"stty raw -echo; echo begin; head -c {len(data)}"
    with bulkhead.background("-t", "sh", "-c", script, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"begin\n"
        writer = threading.Thread(target=lambda: (p.stdin.write(data), p.stdin.flush()))
        writer.start()
        got = p.stdout.read(len(data))
        writer.join()
        assert got == data
        assert p.wait(seconds(10)) == 0


# What is in use anew by and by, of which the sanitizers keep for a while what is freed.
GROWTH = (12 if SANITIZED else 4) * MIB


def memory_of(pid):
    found = re.search(r"RssAnon:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0  # a zombie has none


def test_a_slow_reader_holds_the_program_and_costs_no_memory(bulkhead):
    with bulkhead.background("-t", "sh", "-c", f"stty -opost; {helper('flood')} 32", stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE) as p:
        flood = called("flood", p.pid)
        wait_until(lambda: descendants(p.pid).get(flood) == "S", what="a program that waits")
        before = memory_of(p.pid)
        got = 0
        while chunk := os.read(p.stdout.fileno(), 100_000):
            got += len(chunk)
            assert memory_of(p.pid) < before + GROWTH
        assert got == 32 * MIB
        assert p.wait(seconds(10)) == 0


def test_input_that_is_not_read_is_not_collected(bulkhead):
    """And does not keep a time-out waiting."""
    with bulkhead.background("-t", "--timeout", run_time(1), "--grace", run_time(0.2), helper("stubborn"),
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as p:
        os.set_blocking(p.stdin.fileno(), False)
        called("stubborn", p.pid)
        before, taken = memory_of(p.pid), 0
        line = b"x" * 63 + b"\n"
        with pytest.raises(BlockingIOError):
            while taken < 64 * MIB:
                taken += os.write(p.stdin.fileno(), line * 64)
        assert taken < MIB and memory_of(p.pid) < before + GROWTH
        assert p.wait(seconds(10)) == 124


def test_input_without_end(bulkhead):
    with open("/dev/zero", "rb") as zero:
        bulkhead.run("-t", "--timeout", run_time(0.5), "sleep", "300", stdin=zero,
                     stdout=subprocess.DEVNULL).expect("wall_timeout", 124)


def test_a_file_as_input(bulkhead):
    text = "".join(f"line {i}\n" for i in range(5000))
    with open(bulkhead.file("input", text), "rb") as file:
        r = bulkhead.run("-t", "sh", "-c", "stty -echo; cat >copy", stdin=file).expect("ok", 0)
    assert (bulkhead.cwd / "copy").read_text() == text


def test_a_reader_that_goes_away_hangs_up(bulkhead):
    with bulkhead.background("-t", "sh", "-c", "trap 'echo hung up >seen; exit 3' HUP; while :; do echo x; done",
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as p:
        assert p.stdout.read(10)
        p.stdout.close()
        p.stdout = None
        p.wait(seconds(10))
    assert (bulkhead.cwd / "seen").read_text() == "hung up\n"


# ---- capture ----


def test_log(bulkhead, terminal):
    log = bulkhead.top / "log"
    path = bulkhead.verdict_path()
    terminal.start("run", "-t", "--log", log, "--verdict", path, "sh", "-c", "echo out; echo err >&2")
    assert terminal.end() == "out\r\nerr\r\n"
    verdict = bulkhead.read_verdict(path)
    assert verdict["usage"]["output"] == {"seen_bytes": 10, "kept_bytes": 10, "dropped_bytes": 0}
    assert bulkhead.command("logs", "--raw", verdict["id"]).stdout == b"out\r\nerr\r\n"


def test_output_limit(bulkhead):
    r = bulkhead.run("-t", "--output-limit", "1M", helper("flood"), 100, stdin=subprocess.DEVNULL)
    r.expect("output_limit", 137)
    assert MIB // 2 < len(r.stdout) <= MIB


def test_idle_timeout(bulkhead):
    r = bulkhead.run("-t", "--idle-timeout", run_time(1), "sh", "-c", "stty -echo; echo begin; sleep 300",
                     stdin=subprocess.DEVNULL)
    r.expect("idle_timeout", 124)
    assert r.out == "begin\r\n"


@pytest.mark.slow
@pytest.mark.parametrize("options", [["-t"], ["--output-limit", "1G"]])
def test_a_terminal_that_nobody_reads_does_not_stop_the_clock(bulkhead, terminal, options):
    """Its buffer is full in the midst of a write: who waits for that waits for ever."""
    terminal.start("run", *options, "--timeout", run_time(0.5), "--grace", run_time(0.2), helper("flood"), 100,
                   stderr=subprocess.DEVNULL)
    began = time.monotonic()
    assert terminal.process.wait(seconds(15)) == 124
    assert time.monotonic() - began < seconds(14)


# ---- hang-up ----


@pytest.mark.parametrize("program", [BASH, ["sleep", "300"]])
def test_a_terminal_that_hangs_up_ends_its_programs(bulkhead, terminal, own, program):
    path = bulkhead.verdict_path()
    terminal.start("run", *own, "--verdict", path, *program, env=SHELL_ENV)
    called(program[0], terminal.process.pid)
    if program is BASH:
        terminal.expect("box> ")
    terminal.hang_up()
    terminal.process.wait(seconds(10))
    assert bulkhead.read_verdict(path)["signal"] in (signal.SIGHUP, None)


def test_who_ignores_the_hang_up_has_the_grace_time(bulkhead, terminal):
    """Nobody is left who could ask a second time."""
    path = bulkhead.verdict_path()
    terminal.start("run", "--grace", "0.3s", "--verdict", path, "sh", "-c",
                   "trap '' HUP; echo up; while :; do sleep 0.1; done")
    terminal.expect("up")
    terminal.hang_up()
    terminal.process.wait(seconds(10))
    verdict = bulkhead.read_verdict(path)
    assert verdict["cause"] == "cancelled" and verdict["signal"] == signal.SIGKILL


def test_ended_in_the_background_it_takes_no_input(bulkhead, terminal):
    """What was stopped as the reader of the terminal is no longer, and does not stop again for that."""
    terminal.shell()
    terminal.command(f"bulkhead run -t --grace 1s {helper('stubborn')}")
    terminal.expect("ready")
    job = called("bulkhead", terminal.process.pid)
    os.kill(job, signal.SIGSTOP)
    terminal.expect(r"\[1\]\+ +Stopped")
    terminal.command("kill %1; sh -c 'echo asleep; while kill -0 $0 2>/dev/null; do sleep 0.05; done' $(jobs -p)")
    terminal.expect("asleep")
    terminal.type("echo typed $((1))\r")  # to be read by the shell, later
    wait_until(lambda: not alive([job]), what="the end of the job")
    terminal.expect("typed 1")
    terminal.command("exit")
    terminal.end()
