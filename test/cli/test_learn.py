# SPDX-License-Identifier: MIT
"""run --learn: a policy from what was executed, which lets the same pass again, and nothing else."""

import json
import os
import shutil
import subprocess

import pytest

from support import run_time, wait_until

GIT = shutil.which("git")
MAKE = shutil.which("make")
ENFORCE = "exec: {mode: enforce, default: deny, rules: [{allow: sh}, {allow: id}, {deny: id -u}]}\n"


def rules_of(path):
    """The patterns of the allow rules."""
    return [json.loads(line.split("allow: ", 1)[1]) for line in path.read_text().splitlines() if line.startswith("    - allow: ")]


def learn(bulkhead, *words, name="learned.yaml", **options):
    """Run it under --learn: the result, and where the policy is. Not in the directory that the box can write."""
    path = bulkhead.top / name
    bulkhead.own(bulkhead.top)
    return bulkhead.run("--learn", path, *words, **options), path


def again(bulkhead, path, *words):
    return bulkhead.run("--policy", path, *words)


def test_the_same_passes_again(bulkhead):
    command = ("--", "sh", "-c", "id -g; env true; echo $(uname); nosuchprogram; true")
    r, path = learn(bulkhead, *command)
    r.expect("ok", 0)
    assert "learned 5 rules from 5 execs" in r.err and "warning" not in r.err, r.err
    assert rules_of(path) == ["env", "id", "sh", "true", "uname"]
    assert r.verdict["exec"]["mode"] == "audit"
    same = again(bulkhead, path, *command)
    same.expect("ok", 0)
    assert same.out == r.out and same.verdict["exec"]["refused"] == 0
    other = again(bulkhead, path, "--", "sh", "-c", "date; echo $?")
    assert other.out == "126\n" and other.verdict["exec"]["refused"] >= 1
    again(bulkhead, path, "--", "date").expect("exec_denied", 126)


@pytest.mark.skipif(not GIT, reason="no git")
def test_git(bulkhead):
    session = ("git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git -C . status -s"
               " && git log --oneline")
    r, path = learn(bulkhead, "--", "sh", "-c", f"rm -rf .git; {session}")
    r.expect("ok", 0)
    assert {"git init", "git commit", "git status", "git log", "sh", "rm"} <= set(rules_of(path))
    assert "git" not in rules_of(path) and "git push" not in rules_of(path)
    again(bulkhead, path, "--", "sh", "-c", f"rm -rf .git; {session}").expect("ok", 0)
    for push in ("git push", "git -C . push origin", "git -c a.b=c push"):
        refused = again(bulkhead, path, "--", "sh", "-c", f"{push}; echo $?")
        assert refused.out == "126\n", push
        assert refused.verdict["exec"]["incidents"][0]["argv"][0] == "git"


@pytest.mark.skipif(not MAKE or not shutil.which("cc"), reason="no make or cc")
def test_a_build(bulkhead):
    bulkhead.file("Makefile", "all: a.o b.o\n\tld -r -o ab.o a.o b.o\n%.o: %.c\n\tcc -c $<\nclean:\n\trm -f *.o\n")
    for name in ("a", "b"):
        bulkhead.file(f"{name}.c", f"int {name}(void) {{ return 1; }}\n")
    r, path = learn(bulkhead, "--", "make", "-j2")
    r.expect("ok", 0)
    assert {"make", "cc", "ld"} <= set(rules_of(path))
    for done in bulkhead.cwd.glob("*.o"):
        done.unlink()
    again(bulkhead, path, "--", "make", "-j2").expect("ok", 0)
    assert (bulkhead.cwd / "ab.o").exists()
    assert again(bulkhead, path, "--", "make", "clean").verdict["cause"] != "ok"
    assert (bulkhead.cwd / "ab.o").exists()


def test_what_was_denied_is_not_learned(bulkhead):
    """Nothing is refused meanwhile, but what somebody's rule was against is not allowed for that."""
    policy = bulkhead.file("base.yaml", ENFORCE, below=bulkhead.top)
    r, path = learn(bulkhead, "--policy", policy, "--", "sh", "-c", "id -u; id -g; uname")
    r.expect("ok", 0)
    assert r.out.splitlines()[0] == str(bulkhead.uid)
    assert rules_of(path) == ["uname"]  # the others are the policy's own
    assert "it would be refused by 'deny: id -u'" in path.read_text()
    assert "1 exec is not allowed by it" in r.err
    r = again(bulkhead, path, "--", "sh", "-c", "id -u; id -g; uname")
    assert r.out.splitlines()[0] == str(bulkhead.gid) and r.verdict["exec"]["refused"] >= 1


def test_what_the_box_can_write_is_not_learned(bulkhead):
    bulkhead.file("own.sh", "#!/bin/sh\necho own\n", mode=0o755)
    r, path = learn(bulkhead, "--", "sh", "-c", "./own.sh; cp /bin/true /tmp/copy; /tmp/copy")
    r.expect("ok", 0)
    assert rules_of(path) == ["cp", "sh"]
    text = path.read_text()
    assert "#   ./own.sh: the box can write the file" in text and "#   /tmp/copy: the box can write" in text
    assert "2 execs are not allowed by it" in r.err


def test_a_run_that_fails_says_so(bulkhead):
    r, path = learn(bulkhead, "--timeout", run_time(1), "--", "sh", "-c", "id -g; sleep 60")
    r.expect("wall_timeout", 124)
    assert "The run ended with wall_timeout" in r.err and "# The run ended with wall_timeout" in path.read_text()
    assert rules_of(path) == ["id", "sh", "sleep"]


def test_nothing_is_written_for_what_was_not_started(bulkhead):
    r, path = learn(bulkhead, "--", "no-such-program")
    assert r.verdict["cause"] == "not_found" and "nothing was learned" in r.err
    assert not path.exists()


def test_without_a_record(bulkhead):
    r, path = learn(bulkhead, "--no-record", "--", "id", "-g")
    r.expect("ok", 0)
    assert rules_of(path) == ["id"]


def test_nothing_is_replaced(bulkhead):
    path = bulkhead.file("there.yaml", "precious\n", below=bulkhead.top)
    r = bulkhead.command("run", "--learn", path, "--", "touch", "started")
    assert r.status == 125 and "is there already" in r.err
    assert path.read_text() == "precious\n" and not (bulkhead.cwd / "started").exists()
    for bad in ("", "/", bulkhead.cwd / ".." / "no" / "x", "."):
        assert bulkhead.command("run", "--learn", bad, "--", "true").status == 125
    assert bulkhead.command("plan", "--learn", "x", "--", "true").status == 125


def test_what_the_program_puts_there_is_not_followed(bulkhead):
    """It may write in the directory: a link that it leaves under the name leads nowhere."""
    target = bulkhead.file("target", "precious\n", below=bulkhead.top)
    r = bulkhead.run("--learn", bulkhead.cwd / "l.yaml", "--", "ln", "-s", target, "l.yaml")
    r.expect("ok", 0)
    assert "is there already" in r.err and target.read_text() == "precious\n"
    r = bulkhead.run("--learn", "new.yaml", "--", "sh", "-c", "echo x > new.yaml")
    assert "is there already" in r.err and (bulkhead.cwd / "new.yaml").read_text() == "x\n"


# ---- the record itself ----


def test_a_run_shows_what_it_executed(bulkhead):
    """In all three shapes; also of one that is cut short, and without --log."""
    policy = bulkhead.file("base.yaml", ENFORCE.replace("deny, rules", "allow, rules"), below=bulkhead.top)
    r = bulkhead.run("--policy", policy, "--", "sh", "-c", "id -g; (env uname); id -u; exec true")
    run = r.verdict["id"]
    shown = bulkhead.command("show", "--execs", run)
    assert shown.status == 0, shown.err
    first, *lines = shown.out.splitlines()
    assert first == f"execs of run {run}: 5 started, 1 refused"
    text = [line[14:] for line in lines if line.startswith("  ")]
    assert text[0].startswith("sh -c 'id -g") and "├─ id -g" in text
    assert "├─ env uname" in text and "├─ → uname" in text
    assert "├─ id -u  refused by 'deny: id -u'" in text or "└─ id -u  refused by 'deny: id -u'" in text
    assert text[-1] == "→ true"
    events = [json.loads(line) for line in bulkhead.command("show", "--execs", "--json", run).out.splitlines()]
    assert [e["outcome"] for e in events].count("refused") >= 1 and all(e["enforced"] for e in events)
    by_argv = {tuple(e["argv"]): e for e in events}
    assert by_argv["id", "-g"]["parent"] == by_argv["env", "uname"]["parent"] == by_argv["true",]["pid"]
    assert all(e["cwd"] == str(bulkhead.cwd) for e in events)
    assert os.path.realpath(by_argv["id", "-g"]["executable"]) == os.path.realpath(shutil.which("id"))
    assert "Executed" in bulkhead.command("show", "--html", run).out
    log = bulkhead.state / "runs" / run / "exec.jsonl"
    assert log.stat().st_mode & 0o7777 == 0o600 and log.stat().st_uid == bulkhead.uid


def test_it_survives_the_supervisor(bulkhead):
    policy = bulkhead.file("base.yaml", ENFORCE.replace("deny, rules", "allow, rules"), below=bulkhead.top)
    with bulkhead.background("--policy", policy, "--", "sh", "-c", "id -g; touch up; sleep 60", stdout=subprocess.DEVNULL) as process:
        wait_until((bulkhead.cwd / "up").exists, what="the program")
        process.kill()
        process.wait()
    row = json.loads(bulkhead.command("runs", "--json").out.splitlines()[0])
    assert row["state"] == "lost"
    bulkhead.run("true")  # which removes what the dead one has left
    shown = bulkhead.command("show", "--execs", row["id"])
    assert shown.status == 0 and "id -g" in shown.out


def test_no_execs_without_a_policy(bulkhead):
    r = bulkhead.run("--", "true")
    shown = bulkhead.command("show", "--execs", r.verdict["id"])
    assert shown.status == 125 and "has no execs on record" in shown.err
