# SPDX-License-Identifier: MIT
"""bulkhead explain: the reasoning behind a verdict, from a record, a file or a bare number."""

import json
import os
import re

import pytest

from support import helper

vm = pytest.mark.vm


def explained(bulkhead, *words, **options):
    r = bulkhead.command("explain", "--json", *words, **options)
    assert r.status == 0, r.err
    return json.loads(r.out)


def step(explanation, cause):
    return next(s for s in explanation["steps"] if s["cause"] == cause)


# ---- a run ----


ENDS = [
    ("ok", ["true"]),
    ("exit_nonzero", ["sh", "-c", "exit 137"]),
    ("crash", ["sh", "-c", "kill -SEGV $$"]),
    ("not_found", ["/no/such/program"]),
    ("not_executable", ["/etc/passwd"]),
    ("wall_timeout", ["--timeout", "200ms", "sleep", "60"]),
    ("output_limit", ["--output-limit", "1000", "yes"]),
]


@vm
@pytest.mark.parametrize("cause, words", ENDS, ids=[e[0] for e in ENDS])
def test_a_verdict_is_derived_again(bulkhead, cause, words):
    """From what was stored comes the same verdict, member by member, with a reason for each no."""
    r = bulkhead.run(*words)
    assert r.cause == cause
    x = explained(bulkhead, r.verdict["id"])
    assert x["derived_from"] == "observation" and x["agrees"] is True
    assert x["cause"] == x["stored_cause"] == cause
    assert x["verdict"] == r.verdict
    asked = [s for s in x["steps"] if s["applies"] is not None]
    assert [s["applies"] for s in asked] == [False] * (len(asked) - 1) + [True]
    assert asked[-1]["cause"] == cause and asked[-1]["because"] == r.verdict["summary"]
    assert all(s["because"] and s["question"] for s in asked)
    assert all(s["because"] is None for s in x["steps"][len(asked):])
    text = bulkhead.command("explain", r.verdict["id"][:14])
    assert text.status == 0 and text.err == ""
    assert r.verdict["summary"] in text.out and "is the same" in text.out


@vm
def test_the_counters_are_shown(bulkhead, cgroups):
    r = bulkhead.run("--memory", "48M", helper("hog"), "200", "hold")
    x = explained(bulkhead, r.verdict["id"])
    assert x["cause"] == "memory_limit"
    said = [look["said"] for look in x["looked_at"]]
    assert any("memory 48 MiB" in s for s in said)
    if cgroups:
        assert any(re.match("oom_kill 0 → [1-9]", s) for s in said), said


def test_137_without_a_kill_says_what_rules_memory_out(bulkhead, cgroups):
    r = bulkhead.run("sh", "-c", "exit 137")
    x = explained(bulkhead, r.verdict["id"])
    why = step(x, "memory_limit")["because"]
    assert ("did not rise" if cgroups else "nothing counts") in why
    assert "exited with 137" in step(x, "external_kill")["because"]


def test_a_run_that_is_on_is_no_case_yet(bulkhead):
    with bulkhead.background("sleep", "60") as process:
        rows = []
        while not rows and process.poll() is None:
            rows = bulkhead.command("runs", "--json").out.splitlines()
        r = bulkhead.command("explain", json.loads(rows[0])["id"])
        process.terminate()
        process.wait()
    assert r.status == 125 and "has not ended" in r.err and r.err.count("\n") == 1


def test_a_lost_run(bulkhead):
    with bulkhead.background("sleep", "60") as process:
        rows = []
        while not rows and process.poll() is None:
            rows = bulkhead.command("runs", "--json").out.splitlines()
        process.kill()
        process.wait()
    bulkhead.run("true")  # removes what the killed one left
    x = explained(bulkhead, json.loads(rows[0])["id"])
    assert x["cause"] == "supervisor_lost"


# ---- a file ----


def test_a_verdict_file(bulkhead):
    """With its record beside it by the observation; elsewhere by its evidence, and it says so."""
    r = bulkhead.run_at_once("sh", "-c", "kill -9 $$")
    path = bulkhead.file("verdict.json", json.dumps(r.verdict))
    assert explained(bulkhead, path)["derived_from"] == "observation"
    bulkhead.env["BULKHEAD_STATE"] = str(bulkhead.top / "elsewhere")
    x = explained(bulkhead, "./verdict.json")
    assert x["derived_from"] == "evidence" and x["cause"] == "crash" and x["verdict"] is None
    assert [look["what"] for look in x["looked_at"]] == [e["fact"] for e in r.verdict["evidence"]]
    text = bulkhead.command("explain", "verdict.json")
    assert text.status == 0 and "does not hold the observation" in text.out
    assert not (bulkhead.top / "elsewhere").exists()


def test_a_verdict_file_that_was_changed(bulkhead):
    r = bulkhead.run("true")
    path = bulkhead.file("forged.json", json.dumps(r.verdict | {"cause": "memory_host"}))
    x = explained(bulkhead, path)
    assert x["cause"] == "ok" and x["stored_cause"] == "memory_host" and x["agrees"] is False
    assert "is another: memory_host" in bulkhead.command("explain", path).out


def test_an_observation_file(bulkhead):
    o = {"id": "x", "wait": "signaled", "term_signal": 9, "argv": ["a"],
         "counters": [{"fact": "oom_kill", "where": "w", "own": True, "before": 0, "after": 1},
                      {"fact": "oom", "where": "w", "own": True, "before": 0, "after": 1}]}
    x = explained(bulkhead, bulkhead.file("o.json", json.dumps(o)))
    assert x["cause"] == "memory_limit" and x["stored_cause"] is None and x["agrees"] is None


def test_a_verdict_through_a_pipe(bulkhead):
    verdict = {"cause": "crash", "summary": "s"}
    x = explained(bulkhead, "-", input=json.dumps(verdict).encode())
    assert x["cause"] == "crash" and x["looked_at"] == []


HOSTILE = [
    b"", b"{", b"[]", b"{}", b"\xff\xfe\x00", b"\0" * 4096, b"[" * 200000, b'{"cause":"nonsense"}',
    b'{"cause":"ok","evidence":[' + b"{}," * 40 + b"{}]}", b'{"wait":"exited","acts":17}',
    b'{"wait":"exited","unknown":1}', b'{"wait":"sometimes"}', b'{"cause":"ok"}trailing',
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_file_is_one_line(bulkhead, text):
    r = bulkhead.command("explain", bulkhead.file("h.json", text))
    assert (r.status, r.out) == (125, "") and r.err.count("\n") == 1 and "h.json" in r.err
    assert "blame: request" in r.err


def test_files_that_are_none(bulkhead):
    big = bulkhead.file("big.json")
    os.truncate(big, 65 << 20)
    for words, says in [(["./none.json"], "No such file"), ([big], "larger than 64 MiB"),
                        (["/dev/zero"], "larger than 64 MiB"), ([bulkhead.cwd], "directory")]:
        r = bulkhead.command("explain", *words)
        assert (r.status, r.out) == (125, "") and says.lower() in r.err.lower(), r.err


def test_escapes_do_not_reach_the_terminal(bulkhead):
    verdict = {"cause": "crash", "id": "\x1b[2J", "summary": "\x1b]0;x\x07",
               "evidence": [{"fact": "\x1b[H", "where": "a\nb", "text": "\x9b1m"}]}
    r = bulkhead.command("explain", bulkhead.file("e.json", json.dumps(verdict)))
    assert r.status == 0
    assert not [c for c in r.out if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)]


# ---- a number ----


@vm
@pytest.mark.parametrize("number, words", [
    ("137", ["SIGKILL", "memory_limit", "external_kill", "docker", "systemd", "dmesg"]),
    ("-9", ["SIGKILL", "subprocess", "memory_host"]),
    ("SIGXCPU", ["cpu_time_limit", "ulimit -t"]),
    ("124", ["wall_timeout", "idle_timeout"]),
    ("127", ["not_found", "ulimit -v"]),
    ("35072", ["137 = 128 + 9", "256 times"]),
    ("0", ["success", "ok"]),
])
def test_a_bare_number(bulkhead, number, words):
    r = bulkhead.command("explain", "--exit", number)
    assert r.status == 0 and r.err == ""
    assert [w for w in words if w not in r.out] == []


def test_the_number_of_a_run_names_its_cause(bulkhead):
    for words in (["sh", "-c", "exit 42"], ["sh", "-c", "kill -SEGV $$"], ["--timeout", "100ms", "sleep", "9"]):
        r = bulkhead.run(*words)
        x = json.loads(bulkhead.command("explain", "--json", "--exit", r.status).out)
        assert r.cause in [c["cause"] for c in x["causes"]]


@pytest.mark.parametrize("words", [
    [], ["--exit"], ["--exit", "x"], ["--exit", "65536"], ["--exit", "-65"], ["--exit", "1", "2"],
    ["--exit", ""], ["zzzz"], ["../x"], ["a", "b"], ["--nonsense"], [""],
])
def test_misuse_is_one_line(bulkhead, words):
    r = bulkhead.command("explain", *words)
    assert (r.status, r.out) == (125, "") and r.err.count("\n") == 1
