# SPDX-License-Identifier: MIT
"""`bulkhead policy`, and policies in files, as a user meets them."""

import json
import os

import pytest

SHIPPED = ["default", "tool", "notebook", "build", "agent", "strict"]


def expect_refused(result, *texts, blame="request"):
    """125, nothing on stdout, and one line that says all of @texts and who is to blame."""
    assert result.status == 125, result.err
    assert result.out == ""
    assert result.err.startswith("bulkhead: ") and result.err.count("\n") == 1, result.err
    for text in (*texts, f"(blame: {blame})"):
        assert text in result.err


def expect_done(result):
    assert (result.status, result.err) == (0, "")
    return result.out


def test_list(bulkhead):
    rows = [line.split() for line in expect_done(bulkhead.command("policy", "list")).splitlines()]
    assert rows[0] == ["NAME", "MEMORY", "TIMEOUT", "NETWORK", "FROM"]
    assert [row[0] for row in rows[1:7]] == SHIPPED


def test_list_shows_own_policies(bulkhead):
    where = bulkhead.home / ".config/bulkhead/policies"
    bulkhead.file("mine.yaml", "limits: {memory: 77M}\n", below=where)
    bulkhead.file("broken.yaml", "limits: {memmory: 1G}\n\x1b[2J", below=where)
    bulkhead.file("tool.yaml", "limits: {memory: 1T}\n", below=where)
    out = expect_done(bulkhead.command("policy", "list"))
    assert "mine         77 MiB     30 min     none" in out and str(where) in out
    assert "broken       not valid: policy '" in out and "\x1b" not in out
    assert out.count("tool") == 1 and "1 TiB" not in out
    r = bulkhead.run("--policy", "mine", "echo", "ran")
    assert (r.out, r.verdict["policy"], r.verdict["limits"]["memory"]["value"]) == ("ran\n", "mine", 77 << 20)


@pytest.mark.parametrize("name", SHIPPED)
def test_show(bulkhead, name):
    """What is shown, in either form, is a policy file that comes to the same."""
    yaml = expect_done(bulkhead.command("policy", "show", name))
    text = expect_done(bulkhead.command("policy", "show", "--json", name))
    shown = json.loads(text)
    assert shown["extends"] is None and "~/.ssh" in shown["filesystem"]["hide"]
    for suffix, form in (("yaml", yaml), ("json", text)):
        path = bulkhead.file(f"shown.{suffix}", form)
        assert json.loads(expect_done(bulkhead.command("policy", "show", path, "--json"))) == shown


def test_check(bulkhead):
    path = bulkhead.file("x.yaml", "extends: tool\nlimits:\n  memory: 64M\n")
    assert expect_done(bulkhead.command("policy", "check", "x.yaml")) == "policy 'x.yaml' is valid\n"
    path.write_text("extends: tool\nlimits:\n  pids: 3\n    \n  memmory: 64M\n")
    expect_refused(bulkhead.command("policy", "check", "x.yaml"),
                   "bulkhead: policy 'x.yaml' line 5 column 3: unknown key 'memmory'; did you mean 'memory'?",
                   blame="policy")
    path.write_text("syscalls: {deny: [ptracee]}\n")
    expect_refused(bulkhead.command("policy", "check", "x.yaml"), "unknown system call 'ptracee'",
                   "did you mean 'ptrace'?", blame="policy")


def test_schema(bulkhead):
    schema = json.loads(expect_done(bulkhead.command("policy", "schema")))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False and "memory" in schema["properties"]["limits"]["properties"]
    assert schema == json.loads(expect_done(bulkhead.command("policy", "schema", "policy")))
    verdict = json.loads(expect_done(bulkhead.command("policy", "schema", "verdict")))
    assert "cause" in verdict["properties"]


@pytest.mark.parametrize("words, text", [
    ([], "needs one of list, show, check, schema"),
    (["lst"], "did you mean 'list'?"),
    (["frobnicate"], "there are list, show, check, schema and match"),
    (["match"], "needs NAME or FILE"),
    (["list", "tool"], "takes no 'tool'"),
    (["list", "--json"], "takes no '--json'"),
    (["show"], "needs NAME or FILE"),
    (["show", "tool", "build"], "takes no 'build'"),
    (["show", "defualt"], "did you mean 'default'?"),
    (["show", ""], "is empty"),
    (["show", "/"], "is a directory"),
    (["check"], "needs FILE"),
    (["schema", "plan"], "there are 'policy' and 'verdict'"),
    (["show", "tool", "--memory", "1G"], "--memory"),
])
def test_misuse(bulkhead, words, text):
    expect_refused(bulkhead.command("policy", *words), text)


def test_fifo_is_not_waited_for(bulkhead):
    os.mkfifo(bulkhead.cwd / "fifo.yaml", 0o644)
    bulkhead.own(bulkhead.cwd / "fifo.yaml")
    expect_refused(bulkhead.command("policy", "check", "./fifo.yaml", deadline=5), "is not a regular file")


def test_extends_relative_to_the_file(bulkhead):
    bulkhead.file("sub/base.yaml", "extends: tool\nlimits: {memory: 200M}\n")
    bulkhead.file("sub/own.yaml", "extends: base.yaml\nlimits: {pids: 20}\n")
    shown = json.loads(expect_done(bulkhead.command("policy", "show", "--json", "sub/own.yaml")))
    assert (shown["limits"]["memory"], shown["limits"]["pids"], shown["limits"]["timeout"]) == ("200M", 20, "5m")


def test_hidden_unless_taken_out(bulkhead):
    """Credentials are hidden; a policy may show one again, and nothing else."""
    bulkhead.file(".aws/credentials", "key\n", below=bulkhead.home)
    bulkhead.file(".netrc", "word\n", below=bulkhead.home)
    look = "cat ~/.aws/credentials ~/.netrc 2>/dev/null; true"
    assert bulkhead.run("sh", "-c", look).out == ""
    path = bulkhead.file("see.yaml", "filesystem:\n  hide: ['!~/.aws']\n")
    assert bulkhead.run("--policy", path, "sh", "-c", look).out == "key\n"


def test_what_cannot_be_done_is_refused(bulkhead):
    """Sections for which there are no means yet are not passed over in silence."""
    for text in ("retry: {attempts: 2}\n", "breaker: {key: k}\n",
                 "capture: {messages: out}\n"):
        path = bulkhead.file("x.yaml", text)
        assert "is valid" in expect_done(bulkhead.command("policy", "check", path))
        r = bulkhead.run("--policy", path, "echo", "ran")
        assert r.status == 125 and "ran" not in r.out and "cannot do" in r.err, text


def test_full_stdout(bulkhead):
    with open("/dev/full", "wb") as full:
        r = bulkhead.command("policy", "show", "default", stdout=full)
    assert r.status == 125 and "cannot write" in r.err
