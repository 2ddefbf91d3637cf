# SPDX-License-Identifier: MIT
"""The command line without a run: help, version, completion, and each kind of misuse."""

import os
import pathlib
import shutil
import subprocess

import pytest

BULKHEAD = os.environ.get("BULKHEAD") or str(
    pathlib.Path(__file__).resolve().parents[2] / "build/release/bulkhead"
)
COMMANDS = "run plan doctor runs show logs explain policy exec attach signal kill serve completion help version".split()
BOX_COMMANDS = ["create", "list", "rm"]


def bulkhead(*arguments, **options):
    return subprocess.run(
        [BULKHEAD, *arguments], capture_output=True, stdin=subprocess.DEVNULL, check=False, **options
    )


def refused(*arguments):
    """Run a misuse: 125, nothing on stdout, one line on stderr, which is returned."""
    result = bulkhead(*arguments)
    assert result.returncode == 125
    assert result.stdout == b""
    assert result.stderr.startswith(b"bulkhead: ")
    assert result.stderr.count(b"\n") == 1 and result.stderr.endswith(b"\n")
    return result.stderr.decode("ascii").strip()


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"]])
def test_overview(arguments):
    result = bulkhead(*arguments)
    assert (result.returncode, result.stderr) == (0, b"")
    for command in COMMANDS:
        assert f"\n  {command} " in result.stdout.decode()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command):
    asked = bulkhead("help", command)
    assert (asked.returncode, asked.stderr) == (0, b"")
    assert asked.stdout.startswith(f"Usage: bulkhead {command}".encode())
    assert max(len(line) for line in asked.stdout.splitlines()) <= 80
    assert bulkhead(command, "--help").stdout == asked.stdout
    assert bulkhead(command, "-h").stdout == asked.stdout


@pytest.mark.parametrize("command", BOX_COMMANDS)
def test_help_of_each_command_of_two_words(command):
    asked = bulkhead("help", "box", command)
    assert (asked.returncode, asked.stderr) == (0, b"")
    assert asked.stdout.startswith(f"Usage: bulkhead box {command}".encode())
    assert bulkhead("box", command, "--help").stdout == asked.stdout


def test_help_of_a_group():
    asked = bulkhead("help", "box")
    assert (asked.returncode, asked.stderr) == (0, b"")
    for command in BOX_COMMANDS:
        assert f"\n  box {command} " in asked.stdout.decode()
    assert bulkhead("box", "--help").stdout == asked.stdout
    assert "'box' needs a command" in refused("box")
    assert "'box' has no command 'make'" in refused("box", "make")
    assert "'box' has no command 'make'" in refused("help", "box", "make")


def test_help_behind_other_options():
    assert bulkhead("run", "--memory", "1G", "--help").stdout == bulkhead("help", "run").stdout


@pytest.mark.parametrize("arguments", [["--version"], ["-V"], ["version"]])
def test_version(arguments):
    result = bulkhead(*arguments)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"bulkhead 0.") and result.stdout.count(b"\n") == 1


@pytest.mark.parametrize(
    "arguments, text",
    [
        ([], "no command given; see 'bulkhead --help'"),
        (["rum", "true"], "unknown command 'rum'; did you mean 'run'?"),
        (["python3"], "unknown command 'python3'; to run a program: bulkhead run -- python3"),
        (["--memory", "1G"], "unknown option '--memory'; options stand behind the command"),
        (["help", "me"], "no command 'me'"),
        (["help", "run", "plan"], "help takes one command"),
        (["completion"], "usage: bulkhead completion bash|zsh|fish"),
        (["completion", "tcsh"], "no completion for 'tcsh'"),
        (["run"], "no command to run"),
        (["run", "--memry", "1G", "true"], "did you mean '--memory'?"),
        (["run", "--memory", "1G", "--memory", "2G", "true"], "'--memory' is given twice"),
        (["run", "--quiet", "--verbose", "true"], "'--quiet' contradicts '--verbose'"),
        (["run", "--timeout", "0", "true"], "'--timeout 0': must be from"),
        (["plan", "--json"], "no command to run; usage: bulkhead plan"),
    ],
)
def test_misuse(arguments, text):
    line = refused(*arguments)
    assert text in line
    assert line.endswith("(blame: request)")


@pytest.mark.parametrize(
    "arguments",
    [
        [b"\xff\xfe"],
        [b"run", b"--\x1b[2J", b"true"],
        [b"run", b"--memory", b"\x1b]0;x\x07\n\xff", b"true"],
        [b"run", b"--oom", b"\xc3", b"true"],
        [b"help", b"\n"],
        [b"completion", b"\xe2\x80\xae"],
        [b"run", b"--memory", b"9" * (128 * 1024 - 1), b"true"],
    ],
)
def test_hostile_words_are_shown_harmlessly(arguments):
    result = bulkhead(*arguments)
    assert result.returncode == 125
    assert result.stderr.count(b"\n") == 1 and len(result.stderr) < 600
    assert not any(byte < 32 and byte != 10 for byte in result.stderr)
    result.stderr.decode("utf-8")


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]])
def test_closed_stdio(closed):
    """What bulkhead opens must not take the place of a closed stdin, stdout or stderr."""

    def close():
        for fd in closed:
            os.close(fd)

    result = subprocess.run([BULKHEAD, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            preexec_fn=close, check=False)
    if 1 in closed:
        assert (result.returncode, result.stdout) == (125, b"")
    else:
        assert result.returncode == 0


def test_full_stdout():
    with open("/dev/full", "wb") as full:
        result = subprocess.run([BULKHEAD, "--help"], stdout=full, stderr=subprocess.PIPE,
                                check=False)
    assert result.returncode == 125
    assert b"cannot write to stdout: No space left" in result.stderr


def script(shell, tmp_path):
    result = bulkhead("completion", shell)
    assert (result.returncode, result.stderr) == (0, b"")
    (tmp_path / "completion").write_bytes(result.stdout)
    return tmp_path / "completion"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_valid(shell, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"no {shell}")
    result = subprocess.run([shell, "-n", script(shell, tmp_path)], capture_output=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


def bash_completes(path, *words):
    """What bash offers for the last of the words."""
    program = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bulkhead; ' \
        'printf "%s\\n" "${COMPREPLY[@]}"'
    result = subprocess.run(["bash", "-c", program, "bash", path, *words], capture_output=True,
                            text=True, check=True, cwd="/")
    return result.stdout.split()


@pytest.mark.parametrize(
    "words, offered",
    [
        ("r", ["run", "runs"]),
        ("run --mem", ["--memory"]),
        ("run --oom ", ["group", "process"]),
        ("run --oom = g", ["group"]),
        ("run --policy stric", ["strict"]),
        ("run --root us", ["usr"]),
        ("run --write us", ["usr"]),
        ("run --js", []),
        ("plan --js", ["--json"]),
        ("policy ", ["list", "show", "check", "schema", "match"]),
        ("policy show stric", ["strict"]),
        ("logs --stream std", ["stdout", "stderr"]),
        ("runs --c", ["--cause"]),
        ("completion z", ["zsh"]),
        ("help doc", ["doctor"]),
        ("box ", ["create", "list", "rm", "--help"]),
        ("box create --mem", ["--memory"]),
        ("box create --oom ", ["group", "process"]),
        ("box rm --n", ["--now"]),
        ("exec --tt", ["--tty"]),
        ("exec b --tt", ["--tty"]),
        ("exec --memory 1G b -- ls us", ["usr"]),
        ("exec --memory 1G b ls us", ["usr"]),
        ("run --box b ls us", ["usr"]),
        ("exec --memory 1G b ls --mem", []),
        ("serve --sock", ["--socket"]),
        ("run --memory 1G -- ls us", ["usr"]),
        ("run --memory 1G ls --mem", []),
    ],
)
def test_bash_completion(words, offered, tmp_path):
    assert bash_completes(script("bash", tmp_path), "bulkhead", *words.split(" ")) == offered


def test_bash_completes_the_program(tmp_path):
    path = script("bash", tmp_path)
    assert "mktemp" in bash_completes(path, "bulkhead", "run", "--memory", "1G", "--", "mktem")
    assert "mktemp" in bash_completes(path, "bulkhead", "run", "--memory", "1G", "mktem")
    assert "mktemp" in bash_completes(path, "bulkhead", "exec", "b", "--memory", "1G", "mktem")
    assert bash_completes(path, "bulkhead", "exec", "--memory", "1G", "mktem") == []


@pytest.mark.parametrize(
    "line, offered",
    [
        ("bulkhead run --mem", "--memory"),
        ("bulkhead run --oom g", "group"),
        ("bulkhead policy show stric", "strict"),
        ("bulkhead run --memory 1G -- mktem", "mktemp"),
        ("bulkhead bo", "box"),
        ("bulkhead box cr", "create"),
        ("bulkhead box create --mem", "--memory"),
        ("bulkhead exec --memory 1G b mktem", "mktemp"),
    ],
)
def test_fish_completion(line, offered, tmp_path):
    if not shutil.which("fish"):
        pytest.skip("no fish")
    path = script("fish", tmp_path)
    result = subprocess.run(
        ["fish", "--no-config", "-c", f"source {path}; complete -C '{line}'"],
        capture_output=True, text=True, check=True, env=os.environ | {"HOME": str(tmp_path)})
    assert offered in [row.split("\t")[0] for row in result.stdout.splitlines()]
