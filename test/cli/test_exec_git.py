# SPDX-License-Identifier: MIT
"""An agent may use git, but not push: whatever it calls that, in a real repository."""

import json
import shutil
import subprocess

import pytest

from support import PYTHON

HINT = "open a review instead"

POLICY = """
extends: default
exec:
  mode: {mode}
  default: allow
  rules:
    - {{deny: git push, hint: {hint}}}
    - {{allow: git}}
env:
  set: {{GIT_AUTHOR_NAME: A, GIT_AUTHOR_EMAIL: a@example.org, GIT_COMMITTER_NAME: A, GIT_COMMITTER_EMAIL: a@example.org}}
"""

PYTHON_PUSH = 'import subprocess, sys; sys.exit(subprocess.run(["git", "push", "origin", "HEAD"]).returncode)'
PYTHON_EXEC = 'import os; os.execv("/usr/bin/git", ["harmless", "push", "origin", "HEAD"])'

SCRIPT = f"{PYTHON} -c 'import os; os.execv(\"topic\", [\"topic\"])'"

# Shell texts: `cd clone`, and then they push the branch.
SHAPES = {
    "direct": "git push origin HEAD",
    "no words": "git push",
    "full path": "/usr/bin/git push origin HEAD",
    "sh -c": "sh -c 'git push origin HEAD'",
    "sh -c, more": "sh -c 'cd . && true; git push origin HEAD; true'; git ls-remote --exit-code origin topic",
    "env": "env A=b git push origin HEAD",
    "nice": "nice -n 1 git push origin HEAD",
    "timeout": "timeout 60 git push origin HEAD",
    "xargs": "echo push origin HEAD | xargs git",
    "xargs, word by word": "echo HEAD | xargs -n 1 git push origin",
    "find": "find . -maxdepth 0 -exec git push origin HEAD ';' && git ls-remote --exit-code origin topic",
    "python's subprocess": f"{PYTHON} -c '{PYTHON_PUSH}'",
    "another argv[0]": f"{PYTHON} -c '{PYTHON_EXEC}'",
    "-C": "cd / && git -C \"$OLDPWD\" push origin HEAD",
    "-c": "git -c color.ui=never push origin HEAD",
    "--git-dir": "git --git-dir .git push origin HEAD",
    "--git-dir=": "git --git-dir=.git --work-tree=. push origin HEAD",
    "many flags": "git --no-pager -c a.b=c -C . -c push.default=current push",
    "alias": "git -c alias.publish=push publish origin HEAD",
    "alias of a shell": "git -c alias.publish='!git push origin HEAD' publish",
    "alias in a file": "git config alias.publish 'push origin HEAD' && git publish",
    "git-push": "/usr/lib/git-core/git-push origin HEAD",
    "git of the core": "/usr/lib/git-core/git push origin HEAD",
    "copied": "cp /usr/bin/git ./harmless && ./harmless push origin HEAD",
    "copied and renamed": "cp /usr/bin/git ./tig && mv tig ../ls && ../ls push origin HEAD; s=$?; rm ../ls; exit $s",
    "linked": "ln -s /usr/bin/git harmless && ./harmless push origin HEAD",
    "/proc/self/root": "/proc/self/root/usr/bin/git push origin HEAD",
    "/proc/self/cwd": "cd /usr/bin && /proc/self/cwd/git -C \"$OLDPWD\" push origin HEAD",
    "script of sh": "printf '#!/bin/sh\\ngit push origin HEAD\\n' >p && chmod +x p && ./p",
    # The kernel adds the script's path as it was called: the branch's name, or the origin's.
    "script of env": f"printf '#!/usr/bin/env -S git push origin\\n' >topic && chmod +x topic && {SCRIPT}",
    "script of git": "printf '#!/usr/bin/git push\\n' >topic && chmod +x topic && git remote add topic ../remote.git && "
                     + SCRIPT,
    "in the background": "git push origin HEAD & wait $!",
    "exec": "exec git push origin HEAD",
}


@pytest.fixture
def policy(bulkhead):
    return bulkhead.file("policy.yaml", POLICY.format(mode="enforce", hint=HINT))


@pytest.fixture
def off(bulkhead):
    """The same without rules: what a policy may not have when it is off."""
    text = "extends: default\nenv:" + POLICY.split("env:")[1]
    return bulkhead.file("off.yaml", text.format())


def git(bulkhead, *words):
    """git, on the host."""
    words = ["git", "-c", "safe.directory=*", *words]
    return subprocess.run(words, cwd=bulkhead.cwd, env=bulkhead.env, user=bulkhead.uid, group=bulkhead.gid, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


@pytest.fixture
def clone(bulkhead):
    """A clone with a commit that its origin, a bare repository on disk, has not."""
    script = """
        git init -q --bare -b main remote.git && git init -q -b main seed && cd seed &&
        git commit -q --allow-empty -m first && git push -q ../remote.git main && cd .. &&
        git clone -q remote.git clone && cd clone && git checkout -q -b topic &&
        echo text >file && git add file && git commit -q -m second &&
        git config push.default current
    """
    names = {f"GIT_{who}_{what}": "a" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["sh", "-c", script], cwd=bulkhead.cwd, env=bulkhead.env | names, user=bulkhead.uid,
                   group=bulkhead.gid, check=True)
    return bulkhead.cwd / "clone"


def pushed(bulkhead):
    """Whether the origin has the branch."""
    return git(bulkhead, "-C", "remote.git", "rev-parse", "--verify", "--quiet", "refs/heads/topic").returncode == 0


def run(bulkhead, policy, text):
    return bulkhead.run("--no-record", "--policy", policy, "--write", bulkhead.cwd, "--", "sh", "-c",
                        f"cd clone && {text}")


@pytest.mark.parametrize("shape", SHAPES)
def test_push_works_without_the_policy(bulkhead, off, clone, shape):
    result = run(bulkhead, off, SHAPES[shape])
    assert pushed(bulkhead), result.err
    assert result.status == 0, result.err


@pytest.mark.parametrize("shape", SHAPES)
def test_push_is_denied(bulkhead, policy, clone, shape):
    result = run(bulkhead, policy, SHAPES[shape])
    assert not pushed(bulkhead), result.err
    assert HINT in result.err, result.err
    # A program may exit with what it likes after a refusal; one that passes it on is told as denied.
    assert result.status != 0 and result.cause in ("exec_denied", "exit_nonzero"), json.dumps(result.verdict, indent=1)
    assert result.verdict["exec"]["refused"] >= 1, result.verdict["exec"]


def test_what_is_not_push_is_allowed(bulkhead, policy):
    git(bulkhead, "init", "-q", "--bare", "remote.git")
    script = """
        set -e
        git clone -q remote.git clone; cd clone
        echo text >file; git add file; git status --short; git commit -q -m 'push it' -- file
        git log --oneline; git diff HEAD; git stash list; git branch push; git checkout -q push; git gc -q
        git -c user.name=push commit -q --allow-empty -m push; git fetch -q; git pull -q ../remote.git push || true
        git rev-list --count HEAD
    """
    result = bulkhead.run("--no-record", "--policy", policy, "--", "sh", "-c", script)
    result.expect("ok", 0)
    assert result.out.splitlines()[-1] == "2", result.out
    assert HINT not in result.err


def test_a_push_is_the_command_itself(bulkhead, policy, clone):
    """Nothing of it was started: there is no program whose status could be told."""
    words = ["--no-record", "--policy", policy, "--workdir", clone, "--", "git", "push", "origin", "HEAD"]
    result = bulkhead.run(*words).expect("exec_denied", 126, confidence="certain")
    assert HINT in result.err and not pushed(bulkhead)


def test_audit_lets_it_pass_and_says_so(bulkhead, clone):
    policy = bulkhead.file("audit.yaml", POLICY.format(mode="audit", hint=HINT))
    result = run(bulkhead, policy, "git push origin HEAD").expect("ok", 0)
    assert pushed(bulkhead)
    assert result.verdict["exec"]["mode"] == "audit", result.verdict["exec"]


@pytest.mark.skipif(shutil.which("busybox") is None, reason="there is no busybox")
def test_push_by_a_shell_of_many_programs(bulkhead, policy, clone):
    result = run(bulkhead, policy, "busybox sh -c 'busybox env git push origin HEAD'")
    assert not pushed(bulkhead) and HINT in result.err, result.err
