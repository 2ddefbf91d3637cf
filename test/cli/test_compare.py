# SPDX-License-Identifier: MIT
"""bench/deaths: each cell of bulkhead's column, and that the script says of others what they said."""

import json
import os
import subprocess

import pytest

from support import TIME_SCALE, TOP, seconds

# Who looks at the clock of a slow machine needs more of it.
LIMIT = 1.0 * TIME_SCALE

BWRAP_WITHOUT_END = """#!/bin/sh
case $* in *no-such-program) exec sleep 1000 ;; esac
exit 5
"""
BWRAP_WITH_WORDS = """#!/bin/sh
[ "$1" != --version ] || exec echo bubblewrap 0.0
echo '{ "exit-code": 7 }' >&3
echo 'not of bwrap: no' >&2
echo 'bwrap: so to say: words' >&2
exit 3
"""
# It ends before its program, which is in a session of its own.
BWRAP_WITH_A_REST = """#!/bin/sh
while [ "$1" != -- ]; do
	[ "$1" != --version ] || exit
	shift
done
shift
case $1 in
*/sleep)
	setsid "$@" &
	until [ "$(tr '\\0' ' ' </proc/$!/cmdline)" = "$* " ]; do :; done
	;;
esac
"""


@pytest.fixture
def deaths(bulkhead):
    """Run bench/deaths as its user: its output, and its outcomes by tool and death."""
    base = bulkhead.directory("scratch")
    report = bulkhead.own(bulkhead.file("report.json", below=bulkhead.top))

    def run(*options, path=bulkhead.env["PATH"], limit=LIMIT):
        done = subprocess.run(
            [TOP / "bench/deaths", "--time", str(limit), "--json", report, *options, bulkhead.path],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=bulkhead.cwd,
            env=bulkhead.env | {"TMPDIR": str(base), "PATH": path}, timeout=seconds(300), **bulkhead._as)
        assert (done.returncode, done.stderr) == (0, "")
        assert not os.listdir(base)
        return done.stdout, json.loads(report.read_text())

    return run


@pytest.fixture
def fake_bwrap(bulkhead):
    """A PATH on which bubblewrap is a script of ours."""

    def make(script):
        bulkhead.file("bwrap", script, mode=0o755, below=bulkhead.top / "bin")
        return f"{bulkhead.top / 'bin'}:{bulkhead.env['PATH']}"

    return make


def table(output):
    """The table at the end: the cells of each row."""
    text = output[output.index("== exit status"):]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "|" in line]


def said(outcome, where):
    return "\n".join(text for place, text in outcome["said"] if place == where)


def verdict(outcome):
    lines = (line.split(": ", 1) for line in said(outcome, "verdict").splitlines())
    return {key: json.loads(value) for key, value in lines}


def test_each_cell_of_bulkhead(bulkhead, deaths, rung):
    output, results = deaths("--only", "bulkhead")
    root = bulkhead.who == "root"  # only root sees who sends signals
    cells = {
        "exit-42": "42 exit_nonzero",
        "exit-137": "137 exit_nonzero",
        "crash": "139 crash",
        "kills-itself": "137 crash" if root else "137 external_kill (likely)",
        "memory": "137 memory_limit",
        "time": "124 wall_timeout",
        "killed": "137 external_kill" if root else "137 external_kill (likely)",
        "not-found": "127 not_found",
    }
    seen = {name: outcome["cell"] for name, outcome in results["bulkhead"].items()}
    if rung == "none" and seen["memory"] == "0 ok":
        cells["memory"] = "0 ok"  # sampled memory: dd was done before anybody looked
    assert seen == cells
    (top, _, *rows) = table(output)
    assert top == ["the program", "bulkhead"]
    assert [row[1] for row in rows] == list(cells.values())


def test_every_word_of_bulkhead(bulkhead, deaths):
    output, results = deaths("--only", "bulkhead")
    for outcome in results["bulkhead"].values():
        summary = verdict(outcome)["summary"]
        assert said(outcome, "stderr").splitlines()[-1].startswith(f"bulkhead: {verdict(outcome)['cause']}: {summary}") \
            or verdict(outcome)["cause"] == "ok"
        for where, text in outcome["said"]:
            assert all(f"    {where}: {line}\n" in output for line in text.splitlines())
    found = verdict(results["bulkhead"]["crash"])
    assert (found["exit_code"], found["signal"], found["confidence"]) == (None, 11, "certain")
    found = verdict(results["bulkhead"]["killed"])
    assert found["signal"] == 9
    if bulkhead.who == "root":
        assert (found["killer"]["comm"], found["confidence"], found["retry"]) == ("deaths", "certain", "later")


def test_what_is_not_here_is_skipped_and_what_its_manual_says_is_marked(bulkhead, deaths):
    output, results = deaths("--only", "bubblewrap", "--only", "isolate", path=str(bulkhead.directory("empty")))
    assert results == {}
    assert "== bubblewrap: skipped: no 'bwrap' here\n" in output
    assert "== isolate: skipped: no 'isolate' here\n" in output
    (top, _, *rows) = table(output)
    assert top == ["the program", "isolate"]
    assert all(row[1].endswith(" (manual)") or row[1] == "-" for row in rows)


def test_a_tool_is_quoted_with_its_own_words_only(deaths, fake_bwrap):
    output, results = deaths("--only", "bubblewrap", path=fake_bwrap(BWRAP_WITH_WORDS))
    assert "== bubblewrap: bubblewrap 0.0\n" in output
    for outcome in results["bubblewrap"].values():
        assert (outcome["status"], outcome["cell"]) == ("3", "3 words")
        assert said(outcome, "stderr") == "not of bwrap: no\nbwrap: so to say: words"
        assert said(outcome, "status-fd") == '{ "exit-code": 7 }'


def test_a_tool_that_does_not_end_is_ended(deaths, fake_bwrap):
    limit = LIMIT / 20
    _, results = deaths("--only", "bubblewrap", path=fake_bwrap(BWRAP_WITHOUT_END), limit=limit)
    cells = [outcome["cell"] for outcome in results["bubblewrap"].values()]
    assert cells == ["5"] * 7 + [f"no end within {60 * limit:g} s"]


def test_a_program_that_is_left_running_is_named_and_ended(deaths, fake_bwrap):
    _, results = deaths("--only", "bubblewrap", path=fake_bwrap(BWRAP_WITH_A_REST))
    assert said(results["bubblewrap"]["time"], "left") == "/bin/sleep was still running, and has been killed now"
    assert said(results["bubblewrap"]["exit-42"], "left") == ""


def test_no_program_to_compare(bulkhead):
    done = subprocess.run([TOP / "bench/deaths", bulkhead.top / "nothing"], capture_output=True, text=True,
                          check=False, **bulkhead._as)
    assert done.returncode == 1
    assert done.stderr == f"deaths: no bulkhead at '{bulkhead.top / 'nothing'}': make build\n"
