# SPDX-License-Identifier: MIT
"""Every misuse gets one clear line and 125, or does no harm: words, files, places, hosts."""

import base64
import json
import os
import re
import subprocess

import pytest

from support import PYTHON, helper, seconds

ARGUMENT_MAX = 128 * 1024 - 1  # linux/binfmts.h, MAX_ARG_STRLEN, but for the NUL


def is_harmless(text):
    """Nothing in it that a terminal would take for a command."""
    text.decode("utf-8")
    return not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", text)


def expect_refused(r, *parts, blame="request"):
    """One line that tells what is wrong and whose blame it is, 125, and nothing was run."""
    assert (r.status, r.stdout) == (125, b""), r.err
    assert r.err.startswith("bulkhead: ") and r.err.count("\n") == 1 and r.err.endswith("\n"), r.err
    assert is_harmless(r.stderr) and len(r.stderr) < 1000
    for part in parts:
        assert part in r.err
    assert r.err.endswith(f"(blame: {blame})\n"), r.err
    if r.verdict:
        r.expect("setup_failed", 125, exit_code=None, signal=None)
    return r


# ---- words ----

SIZES = ["", "64X", "-1", "+1M", "1e3", "0x10M", "1.5.5G", "64 M", " 64M", "64M ", "nan", "inf", ".",
         "M", "9" * 30, "16E", "64MM", "\N{FULLWIDTH DIGIT SIX}4M", "64M,", "1/2G"]
DURATIONS = ["", "5x", "-1s", "s", ".", "1h-5m", "9" * 30, "99999999999h", "1.5.1s", "nan", "1m ",
             "0x5s", "1s1s", "1s1h"]
COUNTS = ["", "0", "-1", "1.5", "2x", "9" * 30, "many", "1 "]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("option", ["--memory", "--output-limit"])
def test_bad_size(bulkhead, option, size):
    expect_refused(bulkhead.run(f"{option}={size}", "echo", "ran"), option)


@pytest.mark.parametrize("duration", DURATIONS)
@pytest.mark.parametrize("option", ["--timeout", "--grace"])
def test_bad_duration(bulkhead, option, duration):
    expect_refused(bulkhead.run(f"{option}={duration}", "echo", "ran"), option)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("option", ["--pids", "--nofile"])
def test_bad_count(bulkhead, option, count):
    expect_refused(bulkhead.run(f"{option}={count}", "echo", "ran"), option)


@pytest.mark.parametrize("words, text", [
    (["--memroy", "1G"], "did you mean '--memory'?"),
    (["-x"], "unknown option '-x'"),
    (["--"], "no command to run"),
    (["--", ""], "is empty"),
    ([""], "is empty"),
    (["--memory"], "'--memory' needs a value"),
    (["--memory", "--quiet", "echo"], "'--memory' needs a value"),
    (["--quiet=yes", "echo"], "'--quiet' takes no value"),
    (["--timeout", "1s", "--timeout", "2s", "echo"], "given twice"),
    (["--quiet", "--verbose", "echo"], "contradicts"),
    (["--clear-env", "--unset", "X", "echo"], "contradicts"),
    (["--env", "X=1", "--unset", "X", "echo"], "contradicts"),
    (["--idle-timeout", "2m", "--timeout", "1m", "echo"], "idle"),
    (["--swap", "1G", "--memory", "unlimited", "echo"], "swap"),
    (["--oom", "nobody", "echo"], "'--oom nobody'"),
    (["--net", "some", "echo"], "'--net some'"),
    (["--user", "nobody:", "echo"], "--user"),
    (["--user", "4294967295", "echo"], "--user"),
    (["--env", "=x", "echo"], "--env"),
    (["--read", "", "echo"], "--read"),
    (["--read", "/usr:relative", "echo"], "--read"),
    (["--root", "", "echo"], "--root"),
    (["--workdir", "", "echo"], "--workdir"),
    (["--hide", "/", "echo"], "'/'"),
    (["--tmpfs", "/proc", "echo"], "'/proc'"),
    (["--write", "/", "echo"], "'/'"),
    (["--nofile", "3", "echo"], "at least 4"),
    (["--address-space", "1K", "echo"], "at least 1M"),
    (["--retry", "3", "echo"], "--retry"),
    (["--policy", "defualt", "echo"], "did you mean 'default'?"),
    (["--policy", "", "echo"], "policy"),
])
def test_misuse_of_options(bulkhead, words, text):
    expect_refused(bulkhead.run(*words), text)


def test_misuse_is_not_run_and_leaves_no_record(bulkhead):
    expect_refused(bulkhead.run("--timeout", "soon", "touch", "ran"))
    expect_refused(bulkhead.run("--read", "/does/not/exist", "touch", "ran"))
    assert not (bulkhead.cwd / "ran").exists()
    runs = bulkhead.command("runs", "--json")
    assert (runs.status, runs.out.strip()) in ((0, ""), (0, "[]"))


def test_misuse_under_quiet_is_still_told(bulkhead):
    """Quiet is about how the program ended; what bulkhead could not do is no such thing."""
    expect_refused(bulkhead.run("--quiet", "--read", "/does/not/exist", "echo", "ran"), "/does/not/exist")


def test_plan_refuses_what_run_refuses(bulkhead):
    for words in (["--nofile", "3"], ["--read", "/does/not/exist"], ["--policy", "/does/not/exist"]):
        told = expect_refused(bulkhead.run(*words, "true")).err.removeprefix("bulkhead: setup_failed: ")
        planned = bulkhead.command("plan", *words, "true")
        assert planned.status == 125 and planned.stdout == b""
        assert planned.err.removeprefix("bulkhead: ") == told.removeprefix("bulkhead: ")


# ---- files ----


@pytest.mark.parametrize("option", ["--read", "--write", "--root", "--workdir", "--policy"])
def test_missing_file(bulkhead, option):
    r = bulkhead.run(option, "/does/not/exist", "echo", "ran")
    expect_refused(r, "'/does/not/exist'", "no such file or directory")
    assert r.verdict and r.verdict["retry"] == "no"


@pytest.mark.parametrize("option", ["--root", "--workdir", "--log"])
def test_file_for_a_directory(bulkhead, option):
    file = bulkhead.file("file")
    expect_refused(bulkhead.run(option, file, "echo", "ran"), str(file), "not a directory")


def test_path_through_a_file(bulkhead):
    file = bulkhead.file("file")
    for option in ("--read", "--workdir", "--policy", "--verdict"):
        words = ["run", option, file / "below", "echo", "ran"]
        expect_refused(bulkhead.command(*words), str(file / "below"))


def test_link_to_itself(bulkhead):
    (bulkhead.cwd / "loop").symlink_to("loop")
    for option in ("--read", "--root", "--policy"):
        expect_refused(bulkhead.run(option, "./loop", "echo", "ran"), "loop",
                       blame="host" if option == "--policy" else "request")


@pytest.mark.parametrize("make, text", [
    (os.mkfifo, "is not a regular file"),
    (os.mkdir, "is a directory"),
], ids=["fifo", "directory"])
def test_policy_that_is_no_file(bulkhead, make, text):
    """Told at once: nobody ever writes into the FIFO."""
    path = bulkhead.cwd / "policy.yaml"
    make(path)
    expect_refused(bulkhead.run("--policy", path, "echo", "ran", deadline=10), str(path), text)


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/tty", "/proc/self/mem"])
def test_policy_that_is_a_device(bulkhead, device):
    r = bulkhead.run("--policy", device, "echo", "ran", deadline=10, start_new_session=True)
    blame = "request" if device in ("/dev/null", "/dev/zero") else r.err.rsplit(" ", 1)[-1].strip(")\n")
    expect_refused(r, device, blame=blame)


@pytest.mark.parametrize("text, place", [
    (b"limits: {nofile: 1}\n", "line 1"),
    (b"limits: {address_space: 1K}\n", "line 1"),
    (b"limits:\n  memroy: 1G\n", "line 2"),
    (b"limits: [", "line "),
    (b"{\"limits\": {\"memory\": 1", "line "),
    (b"\x00\x01\x02", "line 1"),
    (b"\xff\xfe\x00\x00", ""),
    (b"extends: [default]", "line 1"),
    (b"extends: ./policy.yaml", "extends"),
    (b"x: " + b"[" * 5000, "line 1"),
    (b"- a\n" * 300000, "1 MiB"),
])
def test_unreadable_policy(bulkhead, text, place):
    path = bulkhead.file("policy.yaml", text)
    r = bulkhead.run("--policy", path, "echo", "ran")
    expect_refused(r, "policy.yaml", place, blame="policy")


@pytest.mark.user
def test_policy_without_permission(bulkhead):
    path = bulkhead.file("policy.yaml", "extends: default\n", mode=0)
    expect_refused(bulkhead.run("--policy", path, "echo", "ran"), str(path), "permission denied")


@pytest.mark.user
def test_directory_without_permission(bulkhead):
    closed = bulkhead.directory("closed", mode=0o000)
    for option in ("--read", "--root", "--workdir", "--policy"):
        expect_refused(bulkhead.run(option, closed / "x", "echo", "ran"), "permission denied")
    closed.chmod(0o755)


# ---- what this version cannot do is refused, not skipped ----


def test_key_names_a_run_and_makes_no_breaker(bulkhead):
    for command, cause, status in (("true", "ok", 0), ("false", "exit_nonzero", 1)):
        r = bulkhead.run("--key", "k1", command)
        r.expect(cause, status, key="k1")
    bulkhead.run("--key", "k2", "true")
    listed = [json.loads(line) for line in bulkhead.command("runs", "--json", "--key", "k1").out.splitlines()]
    assert [row["key"] for row in listed] == ["k1", "k1"]


@pytest.mark.parametrize("text, words, what", [
    ("breaker: {key: k0}", [], "a breaker"),
    ("breaker: {key: k0, cooldown: 1m}", [], "a breaker"),
    ("breaker: {threshold: 3}", ["--key", "k1"], "a breaker"),
    ("breaker: {key: k0}", ["--key", "k1"], "a breaker"),
    ("retry: {attempts: 3}", [], "retries"),
    ("capture: {messages: run}", [], "messages"),
])
def test_sections_that_are_not_done(bulkhead, text, words, what):
    path = bulkhead.file("policy.yaml", text + "\n")
    r = bulkhead.run("--policy", path, *words, "echo", "ran")
    expect_refused(r, f"asks for {what}", "--best-effort", blame="policy")
    bulkhead.run("--best-effort", "--policy", path, *words, "true").expect("ok", 0)


def test_a_pool_is_the_daemons(bulkhead):
    """What only makes runs start sooner there is no reason to refuse one here."""
    path = bulkhead.file("policy.yaml", "pool: {size: 2}\n")
    r = bulkhead.run("--policy", path, "--verbose", "true").expect("ok", 0)
    assert "the pool of policy" in r.err and "is the daemon's" in r.err


# ---- the verdict's place ----


@pytest.mark.parametrize("target", [
    "/does/not/exist/verdict", "fd:99", "fd:", "fd:-1", "fd:x", "fd:1x", "fd:99999999999", "/", "",
    ".", "verdict/",
])
def test_verdict_to_nowhere(bulkhead, target):
    """Refused before the run: a verdict that is asked for and cannot be had would be noticed too late."""
    expect_refused(bulkhead.command("run", f"--verdict={target}", "touch", "ran"))
    assert not (bulkhead.cwd / "ran").exists()


def test_verdict_to_a_descriptor_that_is_read_only(bulkhead):
    expect_refused(bulkhead.command("run", "--verdict", "fd:0", "echo", "ran"), "fd:0")


@pytest.mark.user
def test_verdict_without_permission(bulkhead):
    closed = bulkhead.directory("closed", mode=0o555)
    expect_refused(bulkhead.command("run", "--verdict", closed / "v", "echo", "ran"), "permission denied")


def test_verdict_to_a_full_device_loses_the_verdict_only(bulkhead):
    r = bulkhead.command("run", "--verdict", "/dev/full", "sh", "-c", "echo ran; exit 7")
    assert (r.status, r.stdout) == (7, b"ran\n")
    assert "cannot write the verdict" in r.err and "no space left on device" in r.err


def test_verdict_to_a_pipe_that_nobody_reads(bulkhead):
    read, write = os.pipe()
    os.close(read)
    r = bulkhead.command("run", "--verdict", f"fd:{write}", "sh", "-c", "exit 7", pass_fds=[write])
    os.close(write)
    assert r.status == 7 and "cannot write the verdict" in r.err and "broken pipe" in r.err


# ---- what is to be run ----


@pytest.mark.parametrize("command", ["/usr", "./", ".", "/"])
def test_directory_as_command(bulkhead, command):
    r = bulkhead.run(command)
    r.expect("not_executable", 126)
    assert r.err.count("\n") == 1 and f"'{command}'" in r.err


def test_file_without_x_as_command(bulkhead):
    bulkhead.file("script", "#!/bin/sh\necho ran\n")
    bulkhead.run("./script").expect("not_executable", 126)


def test_script_without_interpreter(bulkhead):
    bulkhead.file("script", "#!/does/not/exist\n", mode=0o755)
    r = bulkhead.run("./script")
    assert r.status in (126, 127) and r.cause in ("not_executable", "not_found")
    assert "interpreter" in r.err and r.err.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF" + bytes(200), b"\n\n", b"MZ\0\0"])
def test_file_that_is_no_program(bulkhead, content):
    bulkhead.file("junk", content, mode=0o755)
    r = bulkhead.run("./junk")
    r.expect("not_executable", 126)
    assert r.err.count("\n") == 1


def test_longest_argument(bulkhead):
    r = bulkhead.run("--no-record", "sh", "-c", 'echo "${#1}"', "sh", "x" * ARGUMENT_MAX)
    r.expect("ok", 0)
    assert r.out == f"{ARGUMENT_MAX}\n"


def test_argument_that_is_too_long(bulkhead):
    """The kernel gives it to nobody, us included: whoever starts us is told so."""
    with pytest.raises(OSError, match="Argument list too long"):
        bulkhead.run("true", "x" * (ARGUMENT_MAX + 1))


def test_long_argument_is_not_repeated_at_length(bulkhead):
    r = bulkhead.run("/" + "x" * (ARGUMENT_MAX - 1))
    assert r.status in (126, 127) and r.err.count("\n") == 1 and len(r.err) < 1000


def test_large_environment(bulkhead):
    large = {f"LARGE_{i}": "x" * 104 * 1024 for i in range(10)}
    r = bulkhead.run("--no-record", "sh", "-c", 'echo "${#LARGE_9}"', env=large)
    r.expect("ok", 0)
    assert r.out == f"{104 * 1024}\n"


def test_large_record(bulkhead):
    words = ["x" * 100_000] * 10
    r = bulkhead.run("true", *words)
    r.expect("ok", 0)
    told = r.verdict["argv"]
    assert told == ["true", "x" * len(told[1])] and 60_000 < len(told[1]) < 70_000 and r.err == ""
    assert r.verdict["argv_left_out"] == {"words": 9, "bytes": 1_000_000 + 9 - len(told[1])}  # each that is left out with its end
    listed = bulkhead.command("runs")
    assert listed.status == 0 and "true xxx" in listed.out


def test_arguments_that_fit_for_us_only(bulkhead):
    """What is added to the environment can be what makes it too large: 125, and whose blame it is."""
    script = """
import os, subprocess, sys
def status(size):
    words = ["x" * 100_000] * (size // 100_001) + ["x" * (size % 100_001)]
    return subprocess.run([sys.argv[1], "run", "--env", "ADDED=" + "y" * 60_000, "--env", "A2=" + "y" * 60_000, "true", *words],
                          stderr=subprocess.PIPE)
low, high = 0, 1 << 24
while high - low > 1000:
    middle = (low + high) // 2
    try:
        last = status(middle)
        low = middle
        if last.returncode:
            break
    except OSError:
        high = middle
print(last.returncode)
sys.stderr.buffer.write(last.stderr)
"""
    done = subprocess.run([PYTHON, "-c", script, bulkhead.path], cwd=bulkhead.cwd, env=bulkhead.env,
                          user=bulkhead.uid, group=bulkhead.gid, capture_output=True,
                          timeout=seconds(60), check=True)
    assert done.stdout in (b"0\n", b"125\n"), done.stderr
    assert done.stderr.count(b"\n") == (done.stdout != b"0\n"), done.stderr


# ---- bytes of others ----

HOSTILE = [b"\xff\xfe", b"\x1b]0;title\x07", b"\x1b[2J", b"new\nline", b"\xc2\x9b31m", b"\r", b"\xe2\x80\xae"]


def as_bytes(word):
    """A word of the verdict's argv."""
    return base64.b64decode(word["base64"], validate=True) if isinstance(word, dict) else word.encode()


def test_hostile_arguments_come_through(bulkhead):
    r = bulkhead.run("printf", "%s|", *HOSTILE)
    r.expect("ok", 0)
    assert r.stdout == b"".join(word + b"|" for word in HOSTILE)
    assert [as_bytes(word) for word in r.verdict["argv"]] == [b"printf", b"%s|", *HOSTILE]
    assert r.verdict["argv"][2] == {"base64": base64.b64encode(b"\xff\xfe").decode()}


def test_hostile_environment_comes_through(bulkhead):
    script = "import os; os.write(1, os.environb[b'HOSTILE'] + os.environb[b'GIVEN'])"
    for word in HOSTILE:
        r = bulkhead.run(b"--env=GIVEN=" + word, PYTHON, "-c", script, env={"HOSTILE": os.fsdecode(word)})
        r.expect("ok", 0)
        assert r.stdout == word + word


def test_environment_that_is_none(bulkhead):
    """Entries without '=' or with an empty name, which execve(2) takes, are no harm."""
    script = """
import ctypes, os, sys
words = [os.fsencode(w) for w in sys.argv[1:]]
argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
envp = (ctypes.c_char_p * 6)(b"PATH=/usr/bin:/bin", b"no-equals", b"=x", b"", b"A=1=2", None)
ctypes.CDLL(None).execve(words[0], argv, envp)
"""
    done = subprocess.run([PYTHON, "-c", script, bulkhead.path, "run", "--no-record", "sh", "-c", "echo $A"],
                          cwd=bulkhead.cwd, user=bulkhead.uid, group=bulkhead.gid, capture_output=True,
                          timeout=seconds(20), check=False)
    assert (done.returncode, done.stdout) == (0, b"1=2\n"), done.stderr


def test_no_arguments_at_all(bulkhead):
    """argv[0] may be missing, or be anything."""
    for name in ("", "\x1b[2J", "-bulkhead"):
        done = subprocess.run([name], executable=bulkhead.path, env=bulkhead.env, capture_output=True,
                              timeout=seconds(20), check=False)
        assert done.returncode == 125 and done.stderr.count(b"\n") == 1 and is_harmless(done.stderr)


def test_hostile_arguments_are_shown_harmlessly(bulkhead):
    r = bulkhead.run("sh", "-c", "exit 5", *HOSTILE)
    for command in (["runs"], ["show", r.verdict["id"]], ["plan", "true", *HOSTILE]):
        shown = bulkhead.command(*command)
        assert shown.status == 0 and is_harmless(shown.stdout), shown.stdout
        assert b"\xe2\x80\xae" not in shown.stdout
    for command in (["runs", "--json"], ["show", "--json", r.verdict["id"]], ["plan", "--json", "true", *HOSTILE]):
        shown = bulkhead.command(*command)
        assert shown.status == 0 and not re.search(rb"[\x00-\x09\x0b-\x1f]", shown.stdout)
        for document in shown.stdout.splitlines() if command[0] == "runs" else [shown.stdout]:
            json.loads(document)


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_names_are_told_harmlessly(bulkhead, word):
    name = b"./" + word
    results = [bulkhead.run(name)]
    results += [bulkhead.run(option, name, "true") for option in ("--read", "--root", "--policy", "--workdir")]
    results += [bulkhead.run(b"--key=" + word, "false"), bulkhead.run(b"--env=" + word, "false")]
    for r in results:
        assert is_harmless(r.stderr) and r.err.count("\n") <= 1, r.stderr
        assert b"\xe2\x80\xae" not in r.stderr


def test_hostile_name_of_a_process(bulkhead):
    """Its name is what the kernel tells of it; a verdict may quote it."""
    script = ('import os; open("/proc/self/comm", "wb").write(b"\\x1b[2J\\xff\\nx"); '
              'os.kill(os.getpid(), 9)')
    r = bulkhead.run_at_once(PYTHON, "-c", script)
    r.expect("crash", 137)
    shown = bulkhead.command("show", r.verdict["id"])
    assert is_harmless(r.stderr) and is_harmless(shown.stdout)


# ---- the working directory ----


def test_working_directory_that_vanished_before(bulkhead):
    gone = bulkhead.directory("gone")
    bulkhead.wrapper = ["sh", "-c", 'rmdir "$0" && exec "$@"', str(gone)]
    r = bulkhead.run("echo", "ran", cwd=gone)
    expect_refused(r, "working directory has been removed", "--workdir")


def test_workdir_in_place_of_one_that_vanished(bulkhead):
    gone = bulkhead.directory("gone")
    bulkhead.wrapper = ["sh", "-c", 'rmdir "$0" && exec "$@"', str(gone)]
    r = bulkhead.run("--workdir", bulkhead.cwd, "pwd", cwd=gone)
    r.expect("ok", 0)
    assert r.out == f"{bulkhead.cwd}\n"


def test_working_directory_that_vanishes_meanwhile(bulkhead):
    gone = bulkhead.directory("gone")
    with bulkhead.background("sh", "-c", "echo ready; read x; echo $x; exit 3", cwd=gone,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"ready\n"
        gone.rmdir()
        out, _ = run.communicate(b"on\n", timeout=seconds(20))
    assert (run.returncode, out) == (3, b"on\n")
    assert bulkhead.read_verdict(run.verdict_path)["cause"] == "exit_nonzero"


@pytest.mark.user
def test_working_directory_without_permission(bulkhead):
    """One may stand where one may not go any more."""
    place = bulkhead.directory("place")
    bulkhead.wrapper = ["sh", "-c", 'chmod 0 "$0" && exec "$@"', str(place)]
    r = bulkhead.run("echo", "ran", cwd=place)
    place.chmod(0o755)
    if r.status == 125:
        assert r.err.count("\n") == 1 and str(place) in r.err
    else:
        r.expect("ok", 0)


# ---- hosts: what forbids a box is named, with what mends it ----

NO_NAMESPACES = ["unshare", "-Ur", "sh", "-c", 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"', "sh"]
CONTAINER = "docker run --security-opt seccomp=unconfined"


def test_no_user_namespaces(bulkhead):
    bulkhead.wrapper = NO_NAMESPACES
    r = bulkhead.run("echo", "ran")
    expect_refused(r, "user.max_user_namespaces is 0", "sysctl -w", blame="host")
    assert r.verdict["retry"] in ("later", "no")


@pytest.mark.parametrize("what, why", [
    ("userns", "a seccomp filter forbids clone3(2)"),
    ("clone3", "a seccomp filter forbids clone3(2)"),
    ("mount", "a seccomp filter or security module of the container forbids it"),
])
def test_filters_of_a_container(bulkhead, what, why):
    bulkhead.wrapper = [helper("deny"), what]
    expect_refused(bulkhead.run("echo", "ran"), why, CONTAINER, blame="host")


def test_no_seccomp_filters(bulkhead):
    """Refused, or run without one where that is asked for."""
    bulkhead.wrapper = [helper("deny"), "seccomp"]
    expect_refused(bulkhead.run("echo", "ran"), "no seccomp filters", "--best-effort", blame="host")


def test_chroot(bulkhead):
    """The kernel makes no user namespace for who sits in a chroot; not bulkhead's to undo."""
    root = bulkhead.directory("root")
    build = """
        for path in /*; do
            if [ -L "$path" ]; then cp -P "$path" "$0$path"
            elif [ -d "$path" ]; then mkdir "$0$path" && mount --rbind "$path" "$0$path"
            fi || exit 9
        done
        exec chroot "$0" env --chdir "$PWD" "$@"
    """
    unshare = "-m" if bulkhead.who == "root" else "-Urm"
    bulkhead.wrapper = ["unshare", unshare, "sh", "-c", build, str(root)]
    expect_refused(bulkhead.run("echo", "ran"), "no user namespace can be made from a chroot", "pivot_root",
                   blame="host")
