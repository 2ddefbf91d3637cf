# SPDX-License-Identifier: MIT
"""A denied program that is an applet of busybox, called in every way there is; and programs that applets start."""

import http.server
import os
import shutil
import threading

import pytest

BUSYBOX = shutil.which("busybox", path="/usr/local/bin:/usr/bin:/bin")
pytestmark = pytest.mark.skipif(BUSYBOX is None, reason="there is no busybox: tools/install-deps test")

HINT = "fetch by the mirror"

# The network is there so that the program can prove itself: a request that comes is one.
POLICY = """
extends: default
network: host
{rules}
env: {{set: {{PATH: "{path}", URL: "{url}"}}}}
"""


def rules(*denied, default="allow", allowed=()):
    words = [f'{{deny: "{words}", hint: {HINT}}}' for words in denied] + [f'{{allow: "{words}"}}' for words in allowed]
    return f"exec: {{mode: enforce, default: {default}, rules: [{', '.join(words)}]}}"


class Mirror(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror():
    """A server; .seen are the paths that it was asked for."""
    with http.server.HTTPServer(("127.0.0.1", 0), Mirror) as server:
        server.seen = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def tools(bulkhead):
    """A directory on the box's PATH which the box cannot write, but which is where it can be linked to."""
    path = bulkhead.directory("tools")
    shutil.copy(BUSYBOX, path / "busybox")
    bulkhead.file("foreign", '#!/bin/sh\n: >"$1"\n', 0o755, below=path)
    bulkhead.own(path / "busybox")  # or only root could link to it
    for name in ("hard", "hard-wget"):
        os.link(path / "busybox", bulkhead.cwd / name)
    return path


def run(bulkhead, mirror, tools, text, exec_section=""):
    policy = POLICY.format(rules=exec_section, path=f"{tools}:{bulkhead.env['PATH']}",
                           url=f"http://127.0.0.1:{mirror.server_port}/proof")
    functions = 'as() { bash -c \'exec -a "$0" "$@"\' "$@"; }; '
    return bulkhead.run("--no-record", "--policy", bulkhead.file("policy.yaml", policy), "--", "sh", "-c",
                        functions + text)


# ---- one program, by all its ways ----

FETCH = "-q -O /dev/null $URL"

# Shell texts that fetch URL. `as NAME FILE WORD…` executes a file with an argv[0].
SHAPES = {
    "applet": f"busybox wget {FETCH}",
    "full path": f'"$(command -v busybox)" wget {FETCH}',
    "the host's own": f"{BUSYBOX} wget {FETCH}",
    "applet of the applet": f"busybox busybox busybox wget {FETCH}",
    "applet with a path": f"busybox /no/such/wget {FETCH}",
    "symbolic link": f'ln -s "$(command -v busybox)" wget; ./wget {FETCH}',
    "link to a link": f'ln -s "$(command -v busybox)" one; ln -s one wget; ./wget {FETCH}',
    "hard link": f"mv hard-wget wget; ./wget {FETCH}",
    "hard link, by argv[0]": f"as wget ./hard {FETCH}",
    "hard link, busybox by argv[0]": f"as busybox ./hard wget {FETCH}",
    "argv[0]": f"as wget busybox {FETCH}",
    "argv[0] of a login shell": f"as -wget busybox {FETCH}",
    "argv[0] with a path": f"as /usr/bin/harmless/wget busybox {FETCH}",
    "argv[0] with both": f"as -/harmless/wget busybox {FETCH}",
    "argv[0] that begins so": f"as busybox-harmless busybox wget {FETCH}",
    "copied": f"cp hard wget; ./wget {FETCH}",
    "copied and renamed": f"cp hard ls; as wget ./ls {FETCH}",
    "copied and renamed, busybox by argv[0]": f"cp hard ls; as busybox ./ls wget {FETCH}",
    "changed copy": f"cp hard busybox; echo >>busybox; ./busybox wget {FETCH}",
    "changed copy, by argv[0]": f"cp hard ls; echo >>ls; as wget ./ls {FETCH}",
    "changed copy, busybox by argv[0]": f"cp hard ls; echo >>ls; as /bin/busybox2 ./ls /x/wget {FETCH}",
    "installed": f"busybox --install -s . && ./wget {FETCH}",
    "/proc/self/exe": f"busybox sh -c 'exec -a wget /proc/self/exe {FETCH}'",
    "applet shell": f"busybox sh -c 'wget {FETCH}'",
    "applet shell, more": f"busybox sh -c 'true; wget {FETCH}; true'",
    "applet shell, exec": f"busybox ash -c 'true; exec wget {FETCH}'",
    "applet shell, by its link": f'ln -s "$(command -v busybox)" sh; ./sh -c "true; wget {FETCH}"',
    "applet shell, from a pipe": f"echo 'wget {FETCH}' | busybox sh",
    "applet shell, a word of its own": f"busybox sh -c 'w=w; $w\"\"get {FETCH}'",
    "script of an applet": "printf '#!%s sh\\nwget " + FETCH + "\\n' \"$(command -v busybox)\" >s; chmod +x s; ./s",
    "script of env": "printf '#!/usr/bin/env -S busybox wget -q -O /dev/null %s\\n' $URL >s; chmod +x s; ./s",
    # it is called as an applet by the name of the script
    "script of no applet": "printf '#!%s\\n' \"$(command -v busybox)\" >wget; chmod +x wget; ./wget " + FETCH,
    "by env": f"busybox env A=b wget {FETCH}",
    "by xargs": f"echo {FETCH} | busybox xargs wget",
    "by find": f"busybox find . -maxdepth 0 -exec wget {FETCH} ';'",
    "by timeout": f"busybox timeout 30 wget {FETCH}",
    "by awk": f"busybox awk 'BEGIN {{ exit system(\"busybox wget {FETCH}\") }}'",
    "by a shell by a shell": f"busybox sh -c 'true; sh -c \"true; wget {FETCH}\"'",
}


def all_shapes(bulkhead, mirror, tools, exec_section="", shapes=SHAPES):
    """Those that came to fetch: each in a directory of its own, one after the other in one run."""
    numbers = {f"/proof/{n}": shape for n, shape in enumerate(shapes)}
    text = "\n".join(f"mkdir {n}; (cd {n}; ln ../hard .; ln ../hard-wget .; URL=$URL/{n}; {shapes[shape]})"
                     for n, shape in enumerate(shapes))
    result = run(bulkhead, mirror, tools, text, exec_section)
    assert set(mirror.seen) <= set(numbers)
    return {numbers[path] for path in mirror.seen}, result


@pytest.mark.user
def test_applets_work_without_the_policy(bulkhead, mirror, tools):
    fetched, result = all_shapes(bulkhead, mirror, tools)
    assert fetched == set(SHAPES), result.err


@pytest.mark.user
@pytest.mark.parametrize("shape", SHAPES)
def test_applet_is_denied(bulkhead, mirror, tools, shape):
    """And whoever tried is told: not by another rule, or for another reason."""
    result = run(bulkhead, mirror, tools, SHAPES[shape], rules("wget"))
    assert mirror.seen == [], result.err
    assert HINT in result.err and result.verdict["exec"]["refused"] >= 1, result.err


@pytest.mark.root
def test_applets_are_denied(bulkhead, mirror, tools):
    fetched, result = all_shapes(bulkhead, mirror, tools, rules("wget"))
    assert fetched == set() and result.verdict["exec"]["refused"] >= len(SHAPES)


def test_binary_is_denied(bulkhead, mirror, tools):
    """With all that is in it, by whatever name; a changed copy that has none of its names is another program."""
    shapes = {shape: text for shape, text in SHAPES.items() if "changed" not in shape}
    fetched, result = all_shapes(bulkhead, mirror, tools, rules("busybox", "/usr/bin/wget"), shapes)
    assert fetched == set() and result.verdict["exec"]["refused"] >= len(shapes)


def test_another_applet_is_allowed(bulkhead, mirror, tools):
    """Where all else is denied: nothing that is called busybox, or is it, is more than what it does."""
    allowed = ["busybox cat", "cat", "mkdir", "ln", "cp", "chmod", "env", "bash", "sh"]
    fetched, result = all_shapes(bulkhead, mirror, tools, rules(default="deny", allowed=allowed))
    assert fetched == set() and result.verdict["exec"]["refused"] >= len(SHAPES)


@pytest.mark.user
@pytest.mark.parametrize("words", ["busybox wget", "wget"])
def test_applet_alone_is_allowed(bulkhead, mirror, tools, words):
    exec_section = rules(default="deny", allowed=["sh", "busybox wget"])
    run(bulkhead, mirror, tools, f"busybox wget {FETCH}; busybox nc 127.0.0.1 1 </dev/null; busybox sh -c 'echo no'",
        exec_section.replace("busybox wget", words))
    # by `allow: wget` the first of that name on PATH is meant: the host's
    assert mirror.seen == (["/proof"] if words == "busybox wget" else [])


# ---- what applets start ----

STARTERS = {
    "sh": "busybox sh -c 'true; foreign proof'",
    "script": "echo 'foreign proof' >s; busybox sh s",
    "env": "busybox env foreign proof",
    "xargs": "echo proof | busybox xargs foreign",
    "find": "busybox find . -maxdepth 0 -exec foreign proof ';'",
    "timeout": "busybox timeout 30 foreign proof",
    "setsid": "busybox setsid foreign proof",
    "time": "busybox time foreign proof",
    "taskset": "busybox taskset 3 foreign proof",
    "awk": "busybox awk 'BEGIN { exit system(\"foreign proof\") }'",
    "awk's pipe": "busybox awk 'BEGIN { \"foreign proof\" | getline }'",
    "start-stop-daemon": 'busybox start-stop-daemon -S -x "$(command -v foreign)" -- proof',
    "run-parts": 'mkdir d; ln -s "$(command -v foreign)" d/one; busybox run-parts -a proof d',
}


def all_starters(bulkhead, mirror, tools, exec_section=""):
    """Those whose program was started."""
    text = "\n".join(f"mkdir {n}; (cd {n}; {text})" for n, text in enumerate(STARTERS.values()))
    result = run(bulkhead, mirror, tools, text, exec_section)
    return [name for n, name in enumerate(STARTERS) if (bulkhead.cwd / str(n) / "proof").exists()], result


@pytest.mark.user
def test_applets_start_programs_without_the_policy(bulkhead, mirror, tools):
    started, result = all_starters(bulkhead, mirror, tools)
    assert started == list(STARTERS), result.err


def test_applets_start_no_denied_program(bulkhead, mirror, tools):
    started, result = all_starters(bulkhead, mirror, tools, rules("foreign"))
    assert started == [] and result.verdict["exec"]["refused"] >= len(STARTERS), result.err


# ---- what is executed by nobody ----

# The applets that a shell, find and xargs run in themselves are functions to them: no exec, nothing to judge.
INSIDE = {
    "sh": "busybox sh -c 'true; touch proof'",
    "xargs": "echo proof | busybox xargs touch",
    "find": "busybox find . -maxdepth 0 -exec touch proof ';'",
}


@pytest.mark.user
@pytest.mark.parametrize("name", INSIDE)
def test_applet_that_is_not_executed(bulkhead, mirror, tools, name):
    """As docs/exec-policy.md says: it is denied with the binary, and where it is seen in the arguments."""
    proof, more = bulkhead.cwd / "proof", INSIDE[name].replace("true; ", "")
    for denied, text, there in (("touch", INSIDE["sh"], True), ("busybox", INSIDE[name], False), ("touch", more, False)):
        result = run(bulkhead, mirror, tools, text, rules(denied))
        assert (proof.exists(), HINT in result.err) == (there, not there), (denied, text, result.err)
        proof.unlink(missing_ok=True)
