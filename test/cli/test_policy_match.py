# SPDX-License-Identifier: MIT
"""`bulkhead policy match`: what exec rules would decide about a command, by the files of this host."""

import json
import shutil

import pytest

RULES = """
exec:
  mode: enforce
  rules:
    - {deny: git push, hint: open a review instead}
    - {deny: notes.sh}
"""


@pytest.fixture
def match(bulkhead):
    path = bulkhead.file("rules.yaml", RULES)

    def judge(*argv, policy=path):
        r = bulkhead.command("policy", "match", policy, "--json", "--", *argv)
        assert r.err == "" and r.status in (0, 1), r.err
        answer = json.loads(r.out)
        assert r.status == (0 if answer["verdict"] == "allow" else 1)
        assert answer["argv"] == list(argv)
        return answer

    return judge


def test_words(bulkhead):
    path = bulkhead.file("rules.yaml", RULES)
    r = bulkhead.command("policy", "match", path, "--", "git", "-C", "x", "push")
    assert (r.status, r.err) == (1, "")
    lines = r.out.splitlines()
    assert lines[0] == "denied: git -C x push"
    assert "deny: git push" in lines[1] and lines[1].split()[0] == "rule"
    assert "argument 3 is 'push' after the options '-C' 'x'" in lines[2]
    assert lines[3].split(None, 1) == ["hint", "open a review instead"]
    r = bulkhead.command("policy", "match", path, "--", "git", "status")
    assert (r.status, r.err, r.out.splitlines()[0]) == (0, "", "allowed: git status")


def test_ways_to_the_same_program(bulkhead, match):
    git = shutil.which("git")
    shutil.copy(git, bulkhead.cwd / "harmless")
    (bulkhead.cwd / "link").symlink_to(git)
    script = bulkhead.file("script", "#!/usr/bin/env -S git push\n")
    script.chmod(0o755)
    for argv in (["git", "push"], [git, "push"], ["./harmless", "push"], ["./link", "push"], ["env", "git", "push"],
                 ["sh", "-c", "git push"], ["xargs", "git", "push"], ["./script"]):
        answer = match(*argv)
        assert (answer["verdict"], answer["ground"], answer["rule"]) == ("deny", "rule", "deny: git push"), argv
        assert answer["hint"] == "open a review instead"
    assert match("env", "git", "push")["depth"] == 1
    assert match("./script")["interpreter"] == shutil.which("env")
    for argv in (["git", "status"], ["./harmless", "status"], ["sh", "-c", "echo git push"]):
        assert match(*argv)["verdict"] == "allow", argv


def test_default_deny_is_about_files(bulkhead, match):
    path = bulkhead.file("few.yaml", "exec: {mode: enforce, default: deny, rules: [{allow: ls}]}\n")
    shutil.copy(shutil.which("ls"), bulkhead.cwd / "ls")
    assert match("ls", "-l", policy=path)["rule"] == "allow: ls"
    own = match("./ls", policy=path)
    assert (own["verdict"], own["rule"]) == ("deny", "default: deny")
    assert "the box can write this file" in own["why"]
    assert match("cat", policy=path)["verdict"] == "deny"
    assert match("no-such-program", policy=path) ["executable"] is None


def test_builtin(bulkhead, match):
    answer = match("docker", "run", "--privileged", "x")
    assert (answer["verdict"], answer["ground"]) == ("deny", "builtin")
    off = bulkhead.file("off.yaml", "exec: {mode: audit, builtin: off}\n")
    answer = match("docker", "run", "--privileged", "x", policy=off)
    assert (answer["verdict"], answer["mode"]) == ("allow", "audit")


def test_off(match):
    answer = match("reboot", policy="default")
    assert (answer["verdict"], answer["mode"], answer["rule"]) == ("allow", "off", "mode: off")


@pytest.mark.parametrize("words, text", [
    ([], "needs a command to judge"),
    (["git"], "'--' has to come before the command 'git'"),
])
def test_misuse(bulkhead, words, text):
    path = bulkhead.file("rules.yaml", RULES)
    r = bulkhead.command("policy", "match", path, *words)
    assert (r.status, r.out) == (125, "") and text in r.err


@pytest.mark.parametrize("rule, text", [
    ("allow: busybox", "'busybox' is many programs in one file"),
    ("deny: python3 -c", "arguments do not bound what 'python3' does"),
    ("allow: ./x", "'./x' is a relative path"),
    ("deny: git push *", "'*' is no pattern of file names"),
    ("deny: A=1 git", "'A=1' sets a variable"),
    ("deny: '-c x'", "the first word is the program"),
    ("deny: '  '", "it is empty"),
    ("deny: /usr/bin/", "is a directory"),
    ("deny: /usr/../bin/git", "is not a plain path"),
    ("deny: git \"'push'\"", "quotes mean nothing in a rule"),
    ("deny: mkfs.*fat", "'mkfs.*fat' is no pattern of file names"),
    ("deny: curl|wget", "make one rule for each program"),
    ("deny: 'git push, git pull'", "make one rule for each command"),
])
def test_rules_that_cannot_hold(bulkhead, rule, text):
    """Refused wherever the policy is read, with the file's name and what to do."""
    path = bulkhead.file("bad.yaml", f"exec:\n  mode: enforce\n  rules:\n    - {rule}\n")
    for words in (["policy", "check", path], ["policy", "match", path, "--", "true"], ["run", "--policy", path, "true"]):
        r = bulkhead.command(*words)
        assert (r.status, r.out) == (125, ""), r.out
        assert "exec.rules: " in r.err and text in r.err and "(blame: policy)" in r.err, r.err
