# SPDX-License-Identifier: MIT
"""The command line and a daemon: box, exec, run --box, attach, signal, kill, serve."""

import hashlib
import json
import os
import signal
import subprocess
import time

import pytest

from daemon import living
from support import alive, descendants, helper, seconds, wait_until
from terminal import CONTROL_C, CONTROL_D, CONTROL_Z, Terminal

SHELL = ["sh", "-c"]


@pytest.fixture
def cli(daemon):
    """The command line of whom the daemon belongs to."""
    return daemon.place


@pytest.fixture
def box(cli):
    made = cli.command("box", "create")
    assert (made.status, made.err) == (0, "")
    return made.out.strip()


def execute(cli, box, *words, **options):
    """`bulkhead exec --verdict FILE BOX WORD…`: status, output and verdict."""
    path = cli.verdict_path()
    result = cli.command("exec", "--verdict", path, box, "--", *words, **options)
    result.verdict = cli.read_verdict(path)
    return result


def runs(api, box):
    return api.get(f"/v1/boxes/{box}/runs")["runs"]


def running(api, box):
    return [run for run in runs(api, box) if run["state"] == "running"]


# ---- boxes ----


def test_the_life_of_a_box(cli, api):
    made = cli.command("box", "create", "--policy", "tool", "--nofile", "500")
    box = made.out.strip()
    assert (made.status, made.err, made.out) == (0, "", box + "\n")
    listed = json.loads(cli.command("box", "list", "--json").out)["boxes"]
    assert [(b["id"], b["state"], b["policy"], b["runs"]) for b in listed] == [(box, "ready", "tool", 0)]
    assert cli.command("box", "list").out.splitlines()[1].split()[:2] == [box, "ready"]
    assert execute(cli, box, "true").expect("ok", 0).out == ""
    assert cli.command("box", "rm", box).status == 0
    gone = cli.command("box", "rm", box)
    assert gone.status == 125 and box in gone.err
    refused = cli.command("exec", box, "true")
    assert refused.status == 125 and "(blame: request)" in refused.err
    assert cli.command("exec", "nosuchbox", "true").status == 125


def test_a_box_has_what_was_asked_for(cli):
    cli.file("given/text", "hello")
    cli.file("hidden/text", "secret")
    cli.file("policy.yaml", "extends: default\nenv: {set: {FROM: policy}}\n", mode=0o600)
    made = cli.command("box", "create", "--policy", "./policy.yaml", "--write", "given", "--hide", "hidden",
                       "--workdir", "given", "--env", "ALSO=option")
    assert made.status == 0, made.err
    box = made.out.strip()
    result = execute(cli, box, *SHELL, "pwd; cat text; echo >new; echo $FROM $ALSO; cat ../hidden/text")
    assert result.out == f"{cli.cwd}/given\nhellopolicy option\n"
    assert (cli.cwd / "given/new").read_text() == "\n"
    assert "hidden/text" in result.err
    again = execute(cli, box, "pwd", cwd="/").out
    assert again == f"{cli.cwd}/given\n"
    elsewhere = cli.command("exec", "--workdir", "/usr", box, "pwd")
    assert elsewhere.out == "/usr\n"


def test_a_box_that_cannot_be_made(cli):
    for words in (["--policy", "nosuch"], ["--read", "/no/such/file"], ["--memory", "8191P"]):
        result = cli.command("box", "create", *words)
        assert (result.status, result.out) == (125, "") and result.err.count("\n") == 1


# ---- how a run ends ----


@pytest.mark.parametrize("script, cause, status", [
    ("exit 0", "ok", 0),
    ("exit 42", "exit_nonzero", 42),
    ("exit 137", "exit_nonzero", 137),
    ("exit 124", "exit_nonzero", 124),
    ("kill -9 $$", "crash", 137),
    ("kill -SEGV $$", "crash", 139),
])
def test_exit_statuses(cli, box, script, cause, status):
    result = execute(cli, box, *SHELL, script).expect(cause, status)
    assert result.err.startswith(f"bulkhead: {cause}: ") if status else result.err == ""


def test_what_never_ran(cli, box):
    execute(cli, box, "/no/such/program").expect("not_found", 127)
    execute(cli, box, "/etc/passwd").expect("not_executable", 126)


def test_limits_of_a_run(cli, box):
    late = cli.command("exec", "--timeout", "300ms", box, "sleep", "60")
    assert late.status == 124 and "wall_timeout" in late.err
    flood = cli.command("exec", "--output-limit", "1000", box, "yes")
    assert flood.status != 0 and "output_limit" in flood.err
    assert execute(cli, box, "true").status == 0


def test_run_in_a_box_is_exec(cli, box):
    path = cli.verdict_path()
    result = cli.command("run", "--box", box, "--verdict", path, "--key", "k", *SHELL, "echo out; echo err >&2; exit 7")
    assert (result.status, result.out) == (7, "out\n")
    assert result.err.startswith("err\nbulkhead: exit_nonzero: ")
    assert cli.read_verdict(path)["key"] == "k"
    assert cli.command("run", "--box", box, "--quiet", "false").err == ""


def test_environment(cli, box):
    """Neither the caller's nor the daemon's, but what was said."""
    result = cli.command("exec", "--env", "A=1", "--env", "CALLERS", box, "env",
                         env={"CALLERS": "passed", "SECRET_OF_CALLER": "x"})
    variables = dict(line.split("=", 1) for line in result.out.splitlines())
    assert variables["A"] == "1" and variables["CALLERS"] == "passed"
    assert not {"SECRET_OF_CALLER", "BULKHEAD_STATE", "BULKHEAD_SOCKET"} & variables.keys()
    assert "A=" not in cli.command("exec", box, "env").out


def test_it_is_recorded(cli, box):
    execute(cli, box, *SHELL, "exit 3")
    rows = [json.loads(line) for line in cli.command("runs", "--json").out.splitlines()]
    assert [(row["cause"], row["exit_status"]) for row in rows] == [("exit_nonzero", 3)]
    assert "exit_nonzero" in cli.command("show", rows[0]["id"]).out


# ---- streams ----


@pytest.mark.parametrize("size", [0, 1, 65537, 8 << 20])
def test_stdin_is_passed_to_its_end(cli, box, size):
    data = os.urandom(size)
    result = execute(cli, box, "cat", input=data)
    assert result.expect("ok", 0).stdout == data


def test_output_is_passed_whole(cli, box):
    """More than the record keeps, to a caller who does not read at first: the program waits for it."""
    line, size = b"0123456789abcdef" * 8 + b"\n", 90_000_000
    process = cli.start("exec", box, *SHELL, f"yes {line.decode().strip()} | head -c {size}", stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE)
    time.sleep(0.5)
    digest, seen = hashlib.sha256(), 0
    while piece := process.stdout.read(1 << 20):
        digest.update(piece)
        seen += len(piece)
    assert cli.finish(process).status == 0
    assert seen == size
    assert digest.digest() == hashlib.sha256((line * (size // len(line) + 1))[:size]).digest()


def test_bytes_of_all_kinds_are_passed(cli, box):
    data = bytes(range(256)) * 1000 + os.urandom(1 << 20)
    assert execute(cli, box, *SHELL, "cat; cat >&2 /dev/null", input=data).stdout == data


def test_waiting_for_the_caller_is_no_silence(cli, box):
    process = cli.start("exec", "--idle-timeout", "1s", box, *SHELL, "yes | head -c 3000000", stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE)
    time.sleep(2.5)
    result = cli.finish(process)
    assert (result.status, len(result.stdout)) == (0, 3000000), result.err


def test_streams_are_kept_apart(cli, box):
    result = execute(cli, box, *SHELL, "for i in 1 2 3; do echo o$i; echo e$i >&2; done")
    assert (result.out, result.err) == ("o1\no2\no3\n", "e1\ne2\ne3\n")


def test_a_program_that_does_not_read(cli, box):
    result = execute(cli, box, *SHELL, "exit 5", input=b"x" * (4 << 20))
    assert result.expect("exit_nonzero", 5)


def test_nobody_reads_the_output(cli, api, box):
    process = cli.start("exec", box, "yes", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout.read(4) == b"y\ny\n"
    process.stdout.close()
    process.stdout = None
    assert cli.finish(process, 20).status == 141
    assert not running(api, box)


def test_many_at_once(cli, box):
    processes = [cli.start("exec", box, *SHELL, f"echo {i}; exit {i}", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                 for i in range(1, 17)]
    for i, process in enumerate(processes, 1):
        result = cli.finish(process)
        assert (result.status, result.out) == (i, f"{i}\n")


# ---- signals ----


def start(cli, box, script, *options, **popen):
    """A run in the background, once its program has written a line."""
    popen = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0} | popen
    process = cli.start("exec", *options, box, *SHELL, script, **popen)
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize("number, script, status", [
    (signal.SIGTERM, "echo ready; exec sleep 60", 143),
    (signal.SIGINT, "echo ready; exec sleep 60", 130),
    (signal.SIGTERM, "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done", 9),
])
def test_the_first_signal_is_passed_on(cli, box, number, script, status):
    process = start(cli, box, script)
    process.send_signal(number)
    result = cli.finish(process, 20)
    assert result.status == status
    assert "bulkhead: cancelled: " in result.err


def test_the_second_kills(cli, box):
    process = start(cli, box, "trap 'echo heard' TERM; trap '' INT; echo ready; while :; do sleep 0.1; done", "--grace", "1h")
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == b"heard\n"  # two at once would be one
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    result = cli.finish(process, 20)
    assert result.status == 137 and "cancelled" in result.err


def test_other_signals_reach_the_program(cli, box):
    process = start(cli, box, "trap 'exit 33' USR1; echo ready; while :; do sleep 0.1; done")
    process.send_signal(signal.SIGUSR1)
    assert cli.finish(process, 20).status == 33


def test_an_exec_that_is_killed_takes_its_run_along(cli, api, box):
    process = start(cli, box, "echo ready; exec sleep 60")
    assert running(api, box)
    process.kill()
    cli.finish(process)
    wait_until(lambda: not running(api, box), what="the end of the run")


def the_run(api, box):
    return wait_until(lambda: running(api, box), what="a run")[0]["id"]


def test_signal_and_kill(cli, api, box):
    process = start(cli, box, "trap 'echo got; exit 6' USR2; echo ready; while :; do sleep 0.1; done")
    assert cli.command("signal", the_run(api, box), "USR2").status == 0
    result = cli.finish(process, 20)
    assert (result.status, result.out) == (6, "got\n")

    process = start(cli, box, "echo ready; exec sleep 60")
    assert cli.command("kill", the_run(api, box)).status == 0
    assert cli.finish(process, 20).status == 143

    process = start(cli, box, "trap '' TERM; echo ready; while :; do sleep 1; done", "--grace", "1h")
    run = the_run(api, box)
    assert cli.command("kill", "--now", run).status == 0
    assert cli.finish(process, 20).status == 137
    ended = cli.command("kill", run)
    assert ended.status == 125 and run in ended.err
    assert cli.command("signal", run, "TERM").status == 125
    assert cli.command("signal", "nosuchrun", "TERM").status == 125


# ---- attach ----


def test_attach_to_what_runs(cli, api, box):
    """From the beginning, by several, and to its end."""
    first = start(cli, box, "echo ready; read x; echo done $x; exit 4", stdin=subprocess.PIPE)
    run = the_run(api, box)
    others = [cli.start("attach", run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) for _ in range(3)]
    for other in others:
        assert other.stdout.readline() == b"ready\n"
    others[0].send_signal(signal.SIGINT)
    assert cli.finish(others[0]).status == 130
    fourth = cli.command("attach", "--stdin", run, input=b"text\n")
    assert (fourth.status, fourth.out) == (4, "ready\ndone text\n")
    for other in others[1:]:
        result = cli.finish(other)
        assert (result.status, result.out) == (4, "done text\n")
    assert cli.finish(first).status == 4
    late = cli.command("attach", "--quiet", run)
    assert (late.status, late.out, late.err) == (4, "ready\ndone text\n", "")
    assert cli.command("attach", "nosuchrun").status == 125


# ---- terminals ----


@pytest.fixture
def terminal(cli):
    with Terminal(cli) as t:
        yield t


def test_a_shell_on_a_terminal(cli, box, terminal):
    terminal.start("exec", "-t", "--env", "PS1=box> ", "--env", "TERM=dumb", box, "sh")
    terminal.expect("box> ")
    terminal.line("tty; stty size")
    terminal.expect("/dev/pts/\\d+\r\n30 400\r\n")
    terminal.resize(50, 90)
    terminal.expect("box> ")
    terminal.line("sleep 0.2; stty size")
    terminal.expect("50 90")
    terminal.expect("box> ")
    terminal.line("sh -c \"echo g''o; exec sleep 60\"")
    terminal.expect("go\r\n")  # it has the foreground now
    terminal.type(CONTROL_C)
    terminal.expect("box> ")
    terminal.line("exit 11")
    rest = terminal.end(11)
    assert "exit_nonzero" in rest


def test_end_of_file_on_a_terminal(cli, box, terminal):
    before = terminal.modes()
    terminal.start("exec", "-t", box, *SHELL, "cat; echo over")
    terminal.line("text")
    terminal.expect("text")
    terminal.type(CONTROL_D)
    terminal.expect("over")
    terminal.end(0)
    assert terminal.modes() == before


def test_a_terminal_for_the_program_alone(cli, box):
    result = execute(cli, box, "tty")
    assert (result.status, result.out) == (1, "not a tty\n")
    result = cli.command("exec", "-t", box, *SHELL, "test -t 0 && stty size")
    assert (result.status, result.out) == (0, "24 80\r\n")


def test_control_z_without_a_shell(cli, box, terminal):
    """In an orphaned process group, as behind ssh -t: nobody is there who would resume it."""
    terminal.start("exec", box, *SHELL, "echo ready; exec sleep 60")
    terminal.expect("ready")
    terminal.type(CONTROL_Z)
    terminal.type(CONTROL_C)
    terminal.end(130)


def test_control_z_under_a_shell(cli, box, terminal):
    terminal.shell()
    terminal.command(f"bulkhead exec {box} sh -c 'echo ready; read x; exit 3'")
    terminal.expect("ready")
    for _ in range(2):
        terminal.type(CONTROL_Z)
        terminal.expect(r"\[1\]\+ +Stopped")
        terminal.command("fg")
        terminal.expect("exit 3'")
        wait_until(lambda: "T" not in descendants(terminal.process.pid).values(), what="a job that goes on")
    terminal.line("word")
    terminal.command("echo status $?")
    terminal.expect("status 3")
    terminal.command("exit 0")
    terminal.end()


def test_ended_in_the_background_it_takes_no_input(cli, box, terminal):
    """Which is for the shell by then; reading it would stop the client again."""
    terminal.shell()
    terminal.command(f"bulkhead exec -t --grace 1s {box} {helper('stubborn')}")
    terminal.expect("ready")
    job = wait_until(lambda: list(descendants(terminal.process.pid)), what="the client")[0]
    os.kill(job, signal.SIGSTOP)
    terminal.expect(r"\[1\]\+ +Stopped")
    terminal.command("kill %1; sh -c 'echo asleep; while kill -0 $0 2>/dev/null; do sleep 0.05; done' $(jobs -p)")
    terminal.expect("asleep")
    terminal.type("echo typed $((1))\r")  # to be read by the shell, later
    wait_until(lambda: not alive([job]), what="the end of the client")
    terminal.expect("typed 1")
    terminal.command("exit")
    terminal.end()


def test_the_terminal_hangs_up(cli, api, box, terminal):
    process = terminal.start("exec", "-t", box, *SHELL, "echo ready; exec sleep 60")
    terminal.expect("ready")
    terminal.hang_up()
    process.wait(seconds(20))
    wait_until(lambda: not running(api, box), what="the end of the run")


def test_attach_to_a_terminal(cli, api, box, terminal):
    run = api.run(["sh", "-c", "echo ready; read x; echo got $x; exit 8"], box=box, wait=False, tty=True)["id"]
    terminal.start("attach", run)
    terminal.expect("ready")
    terminal.type("text\r")
    terminal.expect("got text")
    terminal.end(8)


# ---- the daemon ----


def test_the_daemon_goes_away(cli, daemon, box):
    """It is killed: that is said at once, and nothing hangs."""
    process = start(cli, box, "echo ready; exec sleep 60")
    before = set(descendants(daemon.pid))
    daemon.kill()
    result = cli.finish(process, 10)
    assert result.status == 125 and "lost run" in result.err and "(blame: host)" in result.err
    wait_until(lambda: not living(before), what="the end of its boxes")
    assert "no daemon at" in cli.command("exec", box, "true").err
    daemon.start()


def test_the_daemon_is_stopped(cli, daemon, box):
    process = start(cli, box, "echo ready; exec sleep 60")
    daemon.stop()
    result = cli.finish(process, 10)
    assert result.status == 143 and "bulkhead: shutdown: " in result.err
    daemon.start()


def test_serve_is_the_daemon(place):
    socket = place.top / "served"
    process = place.start("serve", "--socket", socket, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    place.env["BULKHEAD_SOCKET"] = str(socket)
    wait_until(lambda: place.command("box", "list").status == 0, 20, "the daemon")
    box = place.command("box", "create").out.strip()
    assert place.command("exec", box, "true").status == 0
    process.send_signal(signal.SIGTERM)
    assert place.finish(process, 20).status == 0
    assert place.command("serve", "--max-runs", "none").status == 125


def test_a_helper_that_ignores_everything(cli, api, box):
    process = cli.start("exec", "--grace", "300ms", box, helper("stubborn"), stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
    the_run(api, box)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert cli.finish(process, 20).status in (137, 143)
    assert time.monotonic() - began < seconds(5)
