# SPDX-License-Identifier: MIT
"""Exec policies under `bulkhead run`: what is refused, what is said of it, and who dies when."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from support import PYTHON, descendants, processes, run_time, seconds, wait_until

HINT = "use id -g instead"
RULES = f'{{mode: enforce, rules: [{{deny: "id -u", hint: "{HINT}"}}]}}'
AUDIT = RULES.replace("enforce", "audit")


def policy(bulkhead, exec_section=RULES, more=""):
    return ("--policy", bulkhead.file("exec.yaml", f"exec: {exec_section}\n{more}", below=bulkhead.top))


def wardens(process):
    """The wardens that are children of @process."""
    found = []
    for pid, (state, parent) in processes().items():
        with contextlib.suppress(OSError):  # it may end while we look
            if parent == process.pid and state not in "ZX" and \
                    pathlib.Path(f"/proc/{pid}/comm").read_text() == "bulkhead-warden\n":
                found.append(pid)
    return found


def the_warden(process):
    return wait_until(lambda: wardens(process), what="a warden")[0]


def line_of(stream):
    return stream.readline().decode().rstrip("\n")


# ---- refused or not ----


def test_what_no_rule_denies_runs(bulkhead):
    r = bulkhead.run(*policy(bulkhead), "--", "sh", "-c", "id -g; echo fine")
    r.expect("ok", 0, contributing=[])
    assert r.out == f"{bulkhead.gid}\nfine\n" and r.err == ""
    said = r.verdict["exec"]
    assert said["mode"] == "enforce" and said["enforced"] and said["warden_lost"] is None
    assert (said["started"], said["refused"], said["killed"], said["incidents"]) == (2, 0, 0, [])


def test_no_warden_without_a_policy(bulkhead):
    with bulkhead.background("--", "sh", "-c", "echo up; read x", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE) as process:
        assert line_of(process.stdout) == "up"
        assert wardens(process) == []
        process.communicate(b"\n", timeout=seconds(20))
    assert "exec" not in bulkhead.read_verdict(process.verdict_path)


def test_refused_to_a_child(bulkhead):
    """EPERM to the caller, one line with the rule and the hint, and a contributing sentence."""
    r = bulkhead.run(*policy(bulkhead), "--", "sh", "-c", "/usr/bin/id -u; echo status $?; true")
    assert r.out == "status 126\n"
    r.expect("ok", 0)
    hints = [line for line in r.err.splitlines() if HINT in line]
    assert len(hints) == 1 and "id -u" in hints[0], r.err
    assert r.verdict["exec"]["refused"] == 1
    incident, = r.verdict["exec"]["incidents"]
    assert incident["outcome"] == "refused" and not incident["program"]
    assert incident["argv"] == ["/usr/bin/id", "-u"] and incident["hint"] == HINT
    assert len(r.verdict["contributing"]) == 1 and "id -u" in r.verdict["contributing"][0]


def test_refused_errno(bulkhead):
    code = ("import os\n"
            "try: os.execv('/usr/bin/id', ['id', '-u'])\n"
            "except OSError as e: print(e.errno)\n")
    r = bulkhead.run(*policy(bulkhead), "--", PYTHON, "-c", code)
    assert r.out == "1\n"
    r.expect("ok", 0)


def test_last_command_of_a_shell_refused(bulkhead):
    r = bulkhead.run(*policy(bulkhead), "--", "sh", "-c", "id -u; exit $?")
    r.expect("exec_denied", 126, confidence="likely", retry="no", exit_code=126)
    assert HINT in r.verdict["summary"] and "id -u" in r.verdict["summary"]
    assert "exec_refused" in r.facts()


def test_the_program_itself_refused(bulkhead):
    r = bulkhead.run(*policy(bulkhead), "--", "id", "-u")
    r.expect("exec_denied", 126, confidence="certain", retry="no", exit_code=None, signal=None)
    assert r.out == "" and HINT in r.verdict["summary"]
    incident, = r.verdict["exec"]["incidents"]
    assert incident["program"] and incident["argv"] == ["id", "-u"]
    assert r.verdict["exec"]["started"] == 0


def test_program_that_does_not_exist(bulkhead):
    """Whoever judges must not make another failure of it."""
    bulkhead.run(*policy(bulkhead), "--", "no-such-program").expect("not_found", 127)
    bulkhead.run(*policy(bulkhead), "--", "./none").expect("not_found", 127)
    bulkhead.run(*policy(bulkhead), "--", bulkhead.file("x", "text", 0o644)).expect("not_executable", 126)


def test_default_deny(bulkhead):
    rules = '{mode: enforce, default: deny, rules: [{allow: sh}, {allow: "id -g"}]}'
    r = bulkhead.run(*policy(bulkhead, rules), "--", "sh", "-c", "/usr/bin/id -g; /usr/bin/id -u; /usr/bin/ls; /usr/bin/cat /dev/null; true")
    r.expect("ok", 0)
    assert r.out == f"{bulkhead.gid}\n"
    assert r.verdict["exec"]["refused"] == 3
    bulkhead.run(*policy(bulkhead, rules), "--", "ls").expect("exec_denied", 126)


@pytest.mark.parametrize("command", ["sh deploy.sh", "sh ./deploy.sh", "sh ../{base}/deploy.sh",
                                     "env sh deploy.sh", "sh -e deploy.sh now", "bash deploy.sh"])
def test_script_of_an_interpreter_where_the_caller_is(bulkhead, command):
    """The file is what the rule is about, however it is spelled: where the caller is counts, not the root."""
    script = pathlib.Path(bulkhead.file("deploy.sh", "echo deployed\n", 0o644))
    rules = f"{{mode: enforce, rules: [{{deny: {script}}}]}}"
    command = f"cd {script.parent} && {command.format(base=script.parent.name)}; true"
    r = bulkhead.run("--", "sh", "-c", command)
    assert r.out == "deployed\n", r.err
    r = bulkhead.run(*policy(bulkhead, rules), "--", "sh", "-c", command)
    r.expect("ok", 0)
    assert r.out == "" and str(script) in r.err
    assert r.verdict["exec"]["refused"] >= 1


def tool_policy(bulkhead, more=""):
    """A script that the box cannot write, and a policy that allows nothing but it and shells."""
    tool = bulkhead.file("tool", "#!/bin/sh\necho tool ran\n", 0o755, below=bulkhead.directory("tools"))
    rules = f'{{mode: enforce, default: deny, rules: [{{allow: sh}}, {{allow: "id -g"}}, {{allow: {tool}}}]}}'
    return tool, policy(bulkhead, rules, more)


def test_script_by_a_name_that_can_change(bulkhead):
    """Its interpreter opens it again by that name, when nobody looks any more."""
    tool, allowing = tool_policy(bulkhead)
    tools = tool.parent
    (tools / "link").symlink_to("tool")
    (tools / "up").symlink_to(f"../{tools.name}/./link")
    (bulkhead.cwd / "link").symlink_to(tool)
    (bulkhead.cwd / "tools").symlink_to(tools)
    fixed = [tool, tools / "link", tools / "up", f"{tools}//../{tools.name}/tool"]
    changing = ["./link", bulkhead.cwd / "link", bulkhead.cwd / "tools/tool", f"cd {tools}; ./tool",
                f"cd {tools}; /proc/self/cwd/tool", f"{bulkhead.cwd}/tools/../{tools.name}/tool"]
    for command in fixed + changing:
        r = bulkhead.run(*allowing, "--", "sh", "-c", f"{command}; true")
        r.expect("ok", 0)
        if command in fixed:
            assert r.out == "tool ran\n", r.err
        else:
            assert r.out == "" and "a script by a name that can change" in r.err, command
    commands = "; ".join(f"({command})" for command in fixed + changing)
    r = bulkhead.run(*policy(bulkhead), "--", "sh", "-c", commands)
    assert r.out == "tool ran\n" * 10, r.err


def test_script_that_is_mounted_where_the_box_writes(bulkhead):
    """Nobody in the box can rename or remove a mount point."""
    inner = bulkhead.file("inner/tool", "#!/bin/sh\necho tool ran\n", 0o755)
    rules = f"{{mode: enforce, default: deny, rules: [{{allow: sh}}, {{allow: {inner}}}]}}"
    more = f"filesystem: {{read: [{inner.parent}]}}\n"
    r = bulkhead.run(*policy(bulkhead, rules, more), "--", "sh", "-c", f"echo x >y; {inner}")
    r.expect("ok", 0)
    assert r.out == "tool ran\n" and (bulkhead.cwd / "y").exists()


@pytest.mark.parametrize("name", ["PYTHONPATH", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX", "ENV", "BASH_ENV", "PERL5OPT",
                                  "PERLLIB", "NODE_OPTIONS", "LUA_INIT_5_4", "PHPRC", "PHP_INI_SCAN_DIR"])
def test_interpreters_variables_where_all_is_denied(bulkhead, name):
    """They are a script's matter alone; and a policy that allows by default has no say in it."""
    tool, allowing = tool_policy(bulkhead)
    r = bulkhead.run(*allowing, "--", "sh", "-c", f"{tool}; {name}=/x {tool}; {name}=/x id -g; {name}S=1 {tool}")
    assert r.out == f"tool ran\n{bulkhead.gid}\ntool ran\n", r.err
    incident, = r.verdict["exec"]["incidents"]
    assert name in incident["rule"]
    r = bulkhead.run(*policy(bulkhead), "--", "sh", "-c", f"{name}=/x {tool}")
    assert r.out == "tool ran\n", r.err


@pytest.mark.parametrize("name", ["LD_PRELOAD", "OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES"])
def test_loaders_variables_where_all_is_denied(bulkhead, name):
    tool, allowing = tool_policy(bulkhead)
    r = bulkhead.run(*allowing, "--", "sh", "-c", f"{name}= /usr/bin/id -g; {name}= {tool}; /usr/bin/id -g")
    assert r.out == f"{bulkhead.gid}\n", r.err
    assert r.verdict["exec"]["refused"] == 2


@pytest.mark.parametrize("at, value", [(4, 1), (18, 243)], ids=["32 bits", "RISC-V"])
def test_programs_of_another_architecture(bulkhead, at, value):
    """Refused, and not killed for the emulator that runs them where binfmt_misc has one."""
    program = bytearray(pathlib.Path("/bin/true").read_bytes())
    program[at] = value
    path = bulkhead.file("foreign", "", 0o755)
    path.write_bytes(program)
    r = bulkhead.run(*policy(bulkhead), "--", "sh", "-c", f"{path}; /bin/true; echo went on")
    assert r.out == "went on\n" and "another architecture" in r.err, r.err
    said = r.verdict["exec"]
    assert (said["refused"], said["killed"]) == (1, 0)


def test_audit_refuses_nothing_and_says_so(bulkhead):
    r = bulkhead.run(*policy(bulkhead, AUDIT), "--", "sh", "-c", "/usr/bin/id -u; true")
    r.expect("ok", 0)
    assert r.out == f"{bulkhead.uid}\n" and HINT not in r.err
    said = r.verdict["exec"]
    assert said["mode"] == "audit" and said["enforced"] is False and said["refused"] == 1
    assert any("nothing was enforced" in text for text in r.verdict["contributing"])


def test_scripts_threads_and_vfork(bulkhead):
    script = bulkhead.file("s", "#!/bin/sh\n/usr/bin/id -g\n/usr/bin/id -u\n", 0o755)
    code = ("import subprocess, threading\n"
            "def run(): subprocess.run(['id', '-g'])\n"
            "threads = [threading.Thread(target=run) for _ in range(8)]\n"
            "for t in threads: t.start()\n"
            "for t in threads: t.join()\n")
    r = bulkhead.run(*policy(bulkhead), "--", script)
    assert r.out == f"{bulkhead.gid}\n" and r.verdict["exec"]["refused"] == 1
    r = bulkhead.run(*policy(bulkhead), "--", PYTHON, "-c", code)
    r.expect("ok", 0)
    assert r.out == f"{bulkhead.gid}\n" * 8


# ---- where hints go ----


def test_hint_into_the_log(bulkhead):
    log = bulkhead.directory("log")
    r = bulkhead.run(*policy(bulkhead), "--log", log, "--", "sh", "-c", "id -u; true")
    r.expect("ok", 0)
    assert HINT in r.err
    kept = b"".join(p.read_bytes() for p in log.rglob("*") if p.is_file())
    assert HINT.encode() in kept


def test_hint_on_its_own_terminal(bulkhead):
    r = bulkhead.run(*policy(bulkhead), "-t", "--", "sh", "-c", "id -u; true")
    r.expect("ok", 0)
    assert HINT in r.out


def test_nobody_reads_the_hints(bulkhead):
    """A full pipe holds up neither the warden nor the run."""
    read, write = os.pipe()
    try:
        os.set_blocking(write, False)
        try:
            while True:
                os.write(write, b"x" * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(write, True)
        r = bulkhead.run(*policy(bulkhead), "--quiet", "--", "sh", "-c", "exec 2>/dev/null; /usr/bin/id -u; true", stderr=write)
        r.expect("ok", 0)
        assert r.verdict["exec"]["refused"] == 1
    finally:
        os.close(read)
        os.close(write)


# ---- the static layer ----


def test_static_layer(bulkhead):
    code = (
        "import ctypes, errno, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(*args):\n"
        "    ctypes.set_errno(0)\n"
        "    r = libc.syscall(*[ctypes.c_long(a) for a in args])\n"
        "    return errno.errorcode.get(ctypes.get_errno(), 'ok') if r < 0 else 'ok'\n"
        "import platform\n"
        "x86 = platform.machine() == 'x86_64'\n"
        "print(call(101 if x86 else 117, 0, 0, 0, 0))\n"  # PTRACE_TRACEME
        "print(call(311 if x86 else 271, os.getpid(), 0, 0, 0, 0, 0))\n"  # process_vm_writev
        "try: os.close(os.open('/proc/self/mem', os.O_RDWR)); print('ok')\n"
        "except OSError as e: print(errno.errorcode[e.errno])\n"
        "fd = os.open('/usr/bin/id', os.O_RDONLY)\n"
        "path = ctypes.create_string_buffer(b'')\n"
        "print(call(322 if x86 else 281, fd, ctypes.addressof(path), 0, 0, 0x1000))\n")
    r = bulkhead.run(*policy(bulkhead), "--", PYTHON, "-c", code)
    assert r.out.split() == ["EPERM", "EPERM", "EROFS", "EPERM"], r.err
    free = bulkhead.run("--", PYTHON, "-c", code.replace("print(call(322", "0 and print(call(322"))
    assert free.out.split() == ["ok", "ok", "ok"], free.err


@pytest.mark.parametrize("more, said", [
    ("syscalls: {allow: [ptrace]}", "past the exec policy"),
    ("syscalls: {deny: [sendmsg]}", "cannot be denied under an exec policy"),
    ("syscalls: {user_namespaces: true}", "undoes exec.mode enforce"),
])
def test_policies_that_would_undo_it(bulkhead, more, said):
    r = bulkhead.run(*policy(bulkhead, more=more), "--best-effort", "--", "true")
    assert r.status == 125 and said in r.err


def test_plan_shows_the_listener(bulkhead):
    r = bulkhead.command("plan", "--json", *policy(bulkhead), "--", "true")
    plan = json.loads(r.out) if r.status == 0 else None
    if plan is None:  # no --json there
        r = bulkhead.command("plan", *policy(bulkhead), "--", "true")
    assert "listen for execs" in r.out and r.status == 0, r.err


# ---- no listener, no run ----

HOLDER = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
allow = struct.pack("HBBI", 6, 0, 0, 0x7fff0000)
code = ctypes.create_string_buffer(allow)
program = struct.pack("HxxxxxxP", 1, ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0
number = 317 if os.uname().machine == "x86_64" else 277
fd = libc.syscall(number, 1, 8, ctypes.c_char_p(program))
assert fd >= 0, ctypes.get_errno()
os.set_inheritable(fd, True)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_somebody_elses_listener(bulkhead):
    """There can be one only: the run is not started, and who is in the way is said."""
    bulkhead.wrapper = [PYTHON, "-c", HOLDER]
    r = bulkhead.run(*policy(bulkhead), "--", "sh", "-c", "echo ran")
    r.expect("setup_failed", 125)
    assert r.out == "" and "exec.mode off" in r.verdict["summary"] and "listen" in r.verdict["summary"]
    bulkhead.run("--", "true").expect("ok", 0)
    doctor = bulkhead.command("doctor")
    assert "whoever started bulkhead listens" in doctor.out


# ---- deaths ----

WAITS = ("sh", "-c", "echo up; read x; id -g; echo status $?; true")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_warden_is_lost(bulkhead, number):
    """The run goes on, nothing can be executed any more, and the verdict says since when."""
    with bulkhead.background(*policy(bulkhead), "--", *WAITS, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert line_of(process.stdout) == "up"
        warden = the_warden(process)
        os.kill(warden, number)
        wait_until(lambda: not wardens(process), what="the warden's end")
        r = bulkhead.finish(process, input=b"\n")
        r.verdict = bulkhead.read_verdict(process.verdict_path)
    r.expect("ok", 0)
    assert b"status 126" in r.stdout and str(bulkhead.gid).encode() not in r.stdout.split()
    lost = r.verdict["exec"]["warden_lost"]
    assert lost and lost["at_us"] > 0
    assert ("stopped" in lost["why"]) == (number == signal.SIGSTOP)
    assert any("no program could be executed" in text for text in r.verdict["contributing"])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_warden_is_lost_among_execs(bulkhead, number):
    """Whoever was in an exec at that moment is refused or killed; nobody hangs."""
    loop = "echo up; while id -g >/dev/null; do :; done; echo over; true"
    with bulkhead.background(*policy(bulkhead), "--", "sh", "-c", loop, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE) as process:
        assert line_of(process.stdout) == "up"
        os.kill(the_warden(process), number)
        r = bulkhead.finish(process, deadline=20)
        r.verdict = bulkhead.read_verdict(process.verdict_path)
    r.expect("ok", 0)
    assert r.stdout == b"over\n" and r.verdict["exec"]["warden_lost"]


def test_warden_stops_before_it_serves(bulkhead):
    """Nobody waits for the ten seconds that it may take to get ready."""
    elsewhere = bulkhead.directory("elsewhere")
    shutil.copy(bulkhead.path, elsewhere / "bulkhead")
    bulkhead.file("bulkhead-warden", "#!/bin/sh\nkill -STOP $$\n", mode=0o755, below=elsewhere)
    bulkhead.path = str(elsewhere / "bulkhead")
    r = bulkhead.run(*policy(bulkhead), "--", "true")
    r.expect("setup_failed", 125)
    assert "was stopped by a signal" in r.err, r.err
    assert r.duration < seconds(5)


def test_time_out(bulkhead):
    r = bulkhead.run(*policy(bulkhead), "--timeout", run_time(0.5), "--", "sh", "-c", "while id -g >/dev/null; do :; done")
    r.expect("wall_timeout", 124)


@pytest.mark.parametrize("number, cause, status", [
    (signal.SIGTERM, "cancelled", 143), (signal.SIGINT, "cancelled", 130), (signal.SIGHUP, "cancelled", 129)])
def test_cancelled(bulkhead, number, cause, status):
    with bulkhead.background(*policy(bulkhead), "--", "sh", "-c", "echo up; exec sleep 100", stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE) as process:
        assert line_of(process.stdout) == "up"
        the_warden(process)
        process.send_signal(number)
        r = bulkhead.finish(process, deadline=20)
        r.verdict = bulkhead.read_verdict(process.verdict_path)
    r.expect(cause, status)
    assert r.duration < seconds(2)


def test_traps_may_still_execute(bulkhead):
    """In the grace time the program puts its things in order, with whatever programs it likes."""
    code = "trap 'id -g; exit 3' TERM; echo up; while :; do read x; done"
    with bulkhead.background(*policy(bulkhead), "--", "sh", "-c", code, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert line_of(process.stdout) == "up"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=seconds(20))
    assert out == f"{bulkhead.gid}\n".encode()


def test_bulkhead_is_killed(bulkhead):
    """Nothing of the box, and no warden, outlives it."""
    with bulkhead.background(*policy(bulkhead), "--", "sh", "-c", "echo up; sleep 100", stdout=subprocess.PIPE) as process:
        assert line_of(process.stdout) == "up"
        warden = the_warden(process)
        process.kill()
        process.wait(timeout=seconds(20))
    wait_until(lambda: processes().get(warden, ("Z", 0))[0] == "Z", what="the warden's end")
    bulkhead.run("--no-record", "true")  # takes away what was left of the groups


def test_many_programs_at_once_are_ended(bulkhead):
    code = "for i in 1 2 3 4 5 6 7 8; do (while :; do id -g >/dev/null; done) & done; echo up; wait"
    with bulkhead.background(*policy(bulkhead), "--", "sh", "-c", code, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE) as process:
        assert line_of(process.stdout) == "up"
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        r = bulkhead.finish(process, deadline=20)
    assert r.duration < seconds(2.5)
    assert not descendants(process.pid)
