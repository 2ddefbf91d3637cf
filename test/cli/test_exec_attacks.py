# SPDX-License-Identifier: MIT
"""Attacks on the exec policy (test/exec/): none gets a foreign program started, and each would without the policy."""

import json
import os
import pathlib
import subprocess

import pytest

from support import SANITIZED, program, seconds

# Who is started depends on what nobody but a listener that was left behind answers.
LEFT = {"listener-left"}


def tools():
    path = pathlib.Path(os.environ.get("BULKHEAD_EXEC_ATTACKS", program().parents[1] / "test/exec"))
    if not (path / "exec-attacks").exists():
        pytest.exit(f"no attacks below '{path}': build them, or set BULKHEAD_EXEC_ATTACKS", 2)
    return path


def names(option):
    listed = subprocess.run([tools() / "exec-attacks", option], check=True, stdout=subprocess.PIPE, text=True)
    return listed.stdout.split()


ALL, RACES = names("--list"), set(names("--races"))


def without_policy(bulkhead, *words):
    """What came of the tries where nothing but @words, which may be a judge of their own, stands in the way."""
    done = subprocess.run([str(word) for word in words], cwd=bulkhead.cwd, env=bulkhead.env, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, timeout=seconds(90), check=False,
                          user=bulkhead.uid, group=bulkhead.gid)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


# ---- the attacks work ----


@pytest.mark.skipif(SANITIZED, reason="nothing of bulkhead runs here")
@pytest.mark.parametrize("name", [name for name in ALL if name not in RACES | LEFT])
def test_attack_works_without_a_policy(bulkhead, name):
    """Else that nothing foreign was started would say nothing."""
    seen = without_policy(bulkhead, tools() / "exec-attacks", name, 10)
    if seen["errno"] == "ENOSYS":
        pytest.skip("this kernel has no such system calls")
    assert seen["foreign"] == 10, seen


@pytest.mark.skipif(SANITIZED, reason="nothing of bulkhead runs here")
@pytest.mark.parametrize("name", sorted(RACES))
def test_race_is_won_against_a_naive_judge(bulkhead, name):
    """One that looks, and then lets the kernel look again."""
    seen = without_policy(bulkhead, tools() / "naive-judge", tools() / "foreign", tools() / "exec-attacks", name,
                          1000000, round(seconds(60)))
    assert seen["foreign"] > 0, seen


@pytest.mark.skipif(SANITIZED, reason="nothing of bulkhead runs here")
@pytest.mark.parametrize("name", ["plain", "argument", "copied", "script"])
def test_the_naive_judge_judges(bulkhead, name):
    seen = without_policy(bulkhead, tools() / "naive-judge", tools() / "foreign", tools() / "exec-attacks", name, 50)
    assert (seen["refused"], seen["foreign"]) == (50, 0)


@pytest.mark.skipif(SANITIZED, reason="nothing of bulkhead runs here")
@pytest.mark.parametrize("name", sorted(LEFT))
def test_a_listener_that_is_left_would_be_used(bulkhead, name):
    seen = without_policy(bulkhead, tools() / "naive-judge", "--leave", tools() / "foreign", tools() / "exec-attacks",
                          name, 10)
    assert seen["foreign"] == 10, seen
