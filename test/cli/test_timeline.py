# SPDX-License-Identifier: MIT
"""The timeline of a run: taken, kept, bounded, shown in a terminal and as a page."""

import html.parser
import json
import os
import pathlib
import pty
import re
import signal
import time

import pytest

from support import MIB, PYTHON, helper, run_time, seconds, wait_until

vm = pytest.mark.vm

# Memory that grows by a mebibyte every 20 ms, up to argv[1].
GROW = """
import sys, time
kept = []
for i in range(int(sys.argv[1])):
    kept.append(bytearray(b"x") * (1 << 20))
    time.sleep(0.02)
"""


def run_dir(bulkhead, run_id):
    return bulkhead.state / "runs" / run_id


def points(bulkhead, run_id):
    """The head and the points of a kept timeline."""
    head, *rest = (run_dir(bulkhead, run_id) / "timeline.jsonl").read_text().splitlines()
    return json.loads(head), [json.loads(line) for line in rest]


def show(bulkhead, *words, **options):
    r = bulkhead.command("show", *words, **options)
    assert r.status == 0, r.err
    return r.out


# ---- taken and kept ----


@vm
def test_a_short_run_has_none(bulkhead):
    r = bulkhead.run("true")
    if r.verdict["usage"]["wall_us"] < 100000:
        assert not run_dir(bulkhead, r.verdict["id"]).exists()
    assert "memory      " in show(bulkhead, r.verdict["id"])


@vm
def test_points_are_kept(bulkhead, cgroups):
    r = bulkhead.run("--memory", "256M", "--pids", "64", PYTHON, "-c", GROW, 50).expect("ok", 0)
    head, rows = points(bulkhead, r.verdict["id"])
    assert head == {"timeline": 1, "memory_limit_bytes": 256 * MIB,
                    "pids_limit": 64 if r.enforced_by("pids") != "none" else None}
    assert len(rows) >= 3
    times = [row["t_us"] for row in rows]
    assert times == sorted(set(times)) and 100000 <= times[0] and times[-1] <= r.verdict["usage"]["wall_us"] * 1.01
    memory = [row["memory_bytes"] for row in rows]
    assert max(memory) > memory[0] and max(memory) > 20 * MIB
    assert rows[-1]["cpu_us"] > 0 and rows[-1]["pids"] >= 1
    if cgroups:
        assert max(memory) <= r.verdict["usage"]["memory_peak_bytes"]
        assert "stalled_memory_us" in rows[0]
    mode = (run_dir(bulkhead, r.verdict["id"]) / "timeline.jsonl").stat().st_mode
    assert mode & 0o777 == 0o600


def test_no_record_no_timeline(bulkhead):
    bulkhead.run("--no-record", "sleep", "0.3").expect("ok", 0)
    assert not bulkhead.state.exists()


def test_a_named_log_keeps_the_timeline_with_the_record(bulkhead):
    r = bulkhead.run("--log", bulkhead.cwd / "log", "sleep", "1").expect("ok", 0)
    assert points(bulkhead, r.verdict["id"])[1]
    assert not (bulkhead.cwd / "log" / "timeline.jsonl").exists()


def test_a_killed_bulkhead_leaves_its_timeline(bulkhead):
    with bulkhead.background("sleep", "600") as process:
        wait_until(lambda: list(bulkhead.state.glob("runs/*/timeline.jsonl")), 20, "a first part of the timeline")
        on = bulkhead.command("runs", "--json").out.splitlines()
        run_id = json.loads(on[0])["id"]
        assert "  time        0" in show(bulkhead, run_id)  # while it is on, too
        r = bulkhead.command("show", "--html", run_id)
        assert r.status == 125 and "has not ended" in r.err
        process.kill()
        process.wait()
    bulkhead.run("true")  # removes what the killed one left
    head, rows = points(bulkhead, run_id)
    assert head["timeline"] == 1 and len(rows) > 5
    shown = show(bulkhead, run_id)
    assert "supervisor_lost" in shown and "  time        0" in shown
    assert "supervisor_lost" in show(bulkhead, "--html", run_id)


def test_a_state_directory_that_cannot_be_written_to(bulkhead):
    """The timeline is lost and nothing else is."""
    (bulkhead.state / "runs").mkdir(parents=True, mode=0o700)
    for path in (bulkhead.state, bulkhead.state / "runs"):
        path.chmod(0o700)
        bulkhead.own(path)
    (bulkhead.state / "runs").rmdir()
    bulkhead.file("runs", "in the way", below=bulkhead.state)
    r = bulkhead.run("sleep", "0.3").expect("ok", 0)
    assert "ok" in show(bulkhead, r.verdict["id"])


# ---- what it costs ----


def on_cpu_ns(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])


@pytest.mark.root
def test_the_cost_is_small(bulkhead, cgroups):
    """The supervisor of an idle run: less than a thousandth of a CPU (told apart from noise by a second)."""
    if not cgroups:
        pytest.skip("without cgroups the memory limit itself is sampled")
    shares = []
    with bulkhead.background("sleep", "60") as process:
        wait_until(lambda: len(list(bulkhead.state.glob("runs/*"))) > 0, 20, "the first points")
        while len(shares) < 8 and min(shares, default=1) >= seconds(0.0012):  # a busy machine may try again
            before, began = on_cpu_ns(process.pid), time.monotonic()
            time.sleep(1.5)
            shares.append((on_cpu_ns(process.pid) - before) / 1e9 / (time.monotonic() - began))
        process.send_signal(signal.SIGTERM)
        process.wait()
    assert min(shares) < seconds(0.0012), shares


# ---- what a larger limit should be ----


@vm
def test_the_suggestion_follows_the_growth(bulkhead, cgroups):
    """Of a run that grows steadily: as much as for as long again."""
    r = bulkhead.run("--memory", "64M", PYTHON, "-c", GROW, 10000)
    assert r.cause == "memory_limit"
    # where it did grow steadily, which takes a machine that is not busy
    wall, (_, rows) = r.verdict["usage"]["wall_us"], points(bulkhead, r.verdict["id"])
    half = [row["memory_bytes"] for row in rows if row["t_us"] <= wall / 2][-1:]
    if wall > 1200000 and cgroups and half and 26 * MIB < half[0] < 38 * MIB:
        assert 96 * MIB < r.verdict["suggest"]["value"] <= 160 * MIB
    o = json.loads(bulkhead.command("explain", "--json", r.verdict["id"]).out)
    assert o["verdict"]["suggest"] == r.verdict["suggest"]  # the growth is part of the observation


# ---- in a terminal ----


@pytest.fixture
def grown(bulkhead):
    return bulkhead.run("--memory", "48M", PYTHON, "-c", GROW, 10000).verdict["id"]


def test_a_terminal_sees_blocks_or_ascii(bulkhead, grown):
    utf8 = show(bulkhead, grown)
    assert re.search(r"^  memory      [▁▂▃▄▅▆▇█ ]{40}  peak .* of 48 MiB$", utf8, re.MULTILINE)
    for env in ({"LANG": "C"}, {"LC_ALL": "POSIX", "LANG": "C.UTF-8"}, {"LANG": ""}):
        rows = show(bulkhead, grown, env=env).partition("  host ")[2].splitlines()[1:]
        assert len(rows) >= 3 and all(row.isascii() for row in rows), rows
    assert "\x1b" not in utf8  # not a terminal


def read_terminal(bulkhead, words, env):
    controller, terminal = pty.openpty()
    process = bulkhead.start(*words, stdout=terminal, stderr=terminal, env=env)
    os.close(terminal)
    text = b""
    try:
        while chunk := os.read(controller, 65536):
            text += chunk
    except OSError:  # EIO: nobody has the other end any more
        pass
    os.close(controller)
    assert process.wait() == 0, text
    return text.decode()


def test_color_only_where_it_is_wanted(bulkhead):
    full = bulkhead.run("--memory", "48M", "--timeout", run_time(1), helper("hog"), 43, "hold")
    words = ["show", full.verdict["id"]]
    assert re.search("\x1b\\[3[13]m", read_terminal(bulkhead, words, {"TERM": "xterm"}))
    for env in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
        assert "\x1b" not in read_terminal(bulkhead, words, env)


def test_signals_are_marked(bulkhead):
    r = bulkhead.run("--timeout", run_time(0.8), "--grace", "300ms", helper("stubborn"))
    shown = show(bulkhead, r.verdict["id"])
    assert re.search(r"^  signals .*T.*  SIGTERM after", shown, re.MULTILINE), shown


# ---- as a page ----


class Page(html.parser.HTMLParser):
    """What a browser would make of it: tags, attributes, text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.text += data


TAGS = set("html head meta title style body h1 h2 p pre span b table tr th td figure figcaption svg path line rect "
           "div details summary".split())


@vm
def test_a_page_stands_alone(bulkhead, grown):
    text = show(bulkhead, "--html", grown)
    page = Page(text)
    assert set(page.tags) <= TAGS and page.tags.count("svg") >= 3
    assert not [a for a in page.attributes if a.startswith("on") or a in ("href", "src", "action")]
    assert "default-src 'none'" in text and "://" not in text.replace("http-equiv", "")
    assert "memory_limit" in page.text and "peak" in page.text and "oom" in page.text.lower()


def test_hostile_names_stay_text(bulkhead):
    evil = "</pre><script>alert('x')</script><img src=x onerror=alert(1)>"
    program = bulkhead.file("<script>x", "#!/bin/sh\nkill -9 $$\n", mode=0o755)
    r = bulkhead.run("--key", evil, program, evil, b"\xff<b>\x1b[2J", "&lt;")
    text = show(bulkhead, "--html", r.verdict["id"])
    page = Page(text)
    assert set(page.tags) <= TAGS and "<script" not in text and "<img" not in text
    assert not [a for a in page.attributes if a.startswith("on")]
    assert evil in page.text and "\\xff<b>\\x1b[2J" in page.text and "&lt;" in page.text
    assert "\x1b" not in text


def test_a_page_without_a_timeline(bulkhead):
    r = bulkhead.run("/no/such/program")
    page = Page(show(bulkhead, "--html", r.verdict["id"]))
    assert "svg" not in page.tags and "No timeline" in page.text and "not_found" in page.text


def test_json_and_html_contradict(bulkhead):
    r = bulkhead.command("show", "--json", "--html", "x")
    assert (r.status, r.out) == (125, "") and "contradicts" in r.err and r.err.count("\n") == 1


# ---- hostile files ----

POINT = '{"t_us":%d,"memory_bytes":%d,"pids":1}\n'

FILES = {
    "empty": b"",
    "torn": (POINT % (1000, 5) + POINT % (2000, 6) + POINT % (3000, 7))[:-9].encode(),
    "binary": bytes(range(256)) * 100,
    "zeros": b"\0" * 300000,
    "nested": b"[" * 300000,
    "backwards": "".join(POINT % (9000 - i, i) for i in range(50)).encode(),
    "numbers": b'{"t_us":1,"memory_bytes":-1}\n{"t_us":2,"memory_bytes":9223372036854775807}\n'
               b'{"t_us":9223372036854775807,"memory_bytes":1e400}\n',
    "many": "".join(POINT % (i + 1, i) for i in range(30000)).encode(),
    "markup": b'{"t_us":"<script>","memory_bytes":"<script>"}\n<script>alert(1)</script>\n',
}


def recorded(bulkhead):
    """A run with a timeline: one whose supervisor had no turn before its end has none."""
    def run():
        r = bulkhead.run("sleep", "0.3").expect("ok", 0)
        return r if (run_dir(bulkhead, r.verdict["id"]) / "timeline.jsonl").exists() else None
    return wait_until(run, what="a run with a timeline")


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_timeline(bulkhead, name):
    """Shown as far as it is one; the verdict is there in any case."""
    r = recorded(bulkhead)
    path = run_dir(bulkhead, r.verdict["id"]) / "timeline.jsonl"
    path.write_bytes(FILES[name])
    text = bulkhead.command("show", r.verdict["id"])
    page = bulkhead.command("show", "--html", r.verdict["id"])
    assert (text.status, page.status) == (0, 0)
    assert "exited with 0" in text.out and "exited with 0" in page.out
    shown = Page(page.out)
    assert set(shown.tags) <= TAGS and not re.search(r"\bnan\b", shown.text)  # an id may have these letters
    assert text.err.count("\n") == (0 if name == "empty" else 1), text.err
    if name == "torn":
        assert "1 line of the timeline is damaged" in text.err and "  time        0" in text.out


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory", "huge"])
def test_a_timeline_that_is_no_file(bulkhead, kind):
    r = recorded(bulkhead)
    path = run_dir(bulkhead, r.verdict["id"]) / "timeline.jsonl"
    path.unlink()
    if kind == "symlink":
        path.symlink_to("/etc/shadow")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 1 << 40)
    bulkhead.own(path) if kind not in ("symlink",) else None
    shown = bulkhead.command("show", r.verdict["id"], deadline=20)
    assert shown.status == 0 and "exited with 0" in shown.out
    if kind == "directory":
        path.rmdir()
