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


# ---- and are stopped ----

# So often each attack tries, and for no longer than that. `make exec-attacks` has more.
TRIES = int(os.environ.get("BULKHEAD_EXEC_TRIES", "30" if SANITIZED else "300"))
LIMIT = 2 if TRIES <= 300 else 3600
# The same code judges root's programs, and all that is not allowed: of these `make test` has fewer tries.
AS_ROOT = TRIES if TRIES > 300 else max(100, TRIES // 5)
WHERE_DENIED = TRIES if TRIES > 300 else max(100, TRIES // 10)

# Only a policy that denies by default has a say in what is loaded into a program.
LOADED = {"preload", "preload-race", "preload-audit", "preload-path"}
# Nothing at all is started, not what is harmless either: the way itself is refused.
NOTHING_STARTED = {"moving-fd-path"}

# The programs are found by the PATH of the box. A policy names them, not where their copies will be.
ALLOWING = """
extends: default
exec:
  mode: enforce
  default: allow
  rules:
    - {{deny: probe foreign}}
    - {{deny: foreign}}
    - {{deny: foreign-dynamic}}
env: {{set: {{PATH: "{path}"}}}}
"""

DENYING = """
extends: default
exec:
  mode: enforce
  default: deny
  rules:
    - {{allow: exec-attacks}}
    - {{allow: probe own}}
    - {{allow: own}}
    - {{allow: own-dynamic}}
env: {{set: {{PATH: "{path}"}}}}
"""


def under_policy(bulkhead, text, name, tries):
    """What came of the tries, and the verdict."""
    policy = bulkhead.file("policy.yaml", text.format(path=f"{tools()}:{bulkhead.env['PATH']}"))
    result = bulkhead.run("--no-record", "--policy", policy, "--", tools() / "exec-attacks", name, tries, LIMIT,
                          deadline=LIMIT + 60)
    assert result.status == 0, f"{result.out}\n{result.err}"
    seen = json.loads(result.out)
    print(name, bulkhead.who, seen)
    # by the attack's own count, which is the judge; and nothing can be denied that was not tried
    assert seen["foreign"] == 0, seen
    assert seen["tries"] > tries / 100, seen
    return seen, result.verdict


@pytest.mark.parametrize("name", [name for name in ALL if name not in LOADED])
def test_attack_starts_nothing_foreign(bulkhead, name):
    tries = TRIES if bulkhead.who == "user" or os.geteuid() != 0 else AS_ROOT
    for _ in range(10):
        seen, verdict = under_policy(bulkhead, ALLOWING, name, tries)
        if name not in RACES - NOTHING_STARTED or seen["own"] > 0:
            break  # else its two sides have not met: the scheduler's doing
    if name.startswith(("i386", "x32")):
        assert seen["syscall_killed"] == seen["tries"], seen
    elif name in RACES - NOTHING_STARTED:
        assert seen["own"] > 0, f"the attack was not alive: {seen}"
    elif name not in RACES:
        others = seen["refused"] + seen["failed"] + seen["killed"] + seen["other"]
        assert others == seen["tries"], f"something else was started: {seen}"
    assert verdict["exec"]["mode"] == "enforce", verdict["exec"]


@pytest.mark.parametrize("name", ["after-failures", "signals", "leader-and-thread", "four-threads"])
def test_audit_lets_go_of_everybody(bulkhead, name):
    """Nobody is refused or killed, or waits for ever, however soon he calls again."""
    policy = bulkhead.file("policy.yaml", ALLOWING.replace("enforce", "audit").format(path=tools()))
    result = bulkhead.run("--no-record", "--policy", policy, "--", tools() / "exec-attacks", name, 100).expect("ok", 0)
    seen = json.loads(result.out)
    # EINTR is what a signal makes of a call that waits, without SA_RESTART
    assert seen["own"] + seen["foreign"] + (seen["errno"] == "EINTR") * seen["failed"] == seen["tries"] == 100, seen


@pytest.mark.user
@pytest.mark.parametrize("name", ALL)
def test_attack_starts_nothing_where_all_is_denied(bulkhead, name):
    under_policy(bulkhead, DENYING, name, WHERE_DENIED)
