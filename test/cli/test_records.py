# SPDX-License-Identifier: MIT
"""Records, the commands that read them, and what is left when bulkhead itself is killed."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from support import alive, check_schema, descendants, groups, helper, schema, seconds, wait_until

vm = pytest.mark.vm


def runs(bulkhead, *options):
    r = bulkhead.command("runs", "--json", "--limit", 0, *options)
    assert r.status == 0, r.err
    return [json.loads(line) for line in r.out.splitlines()]


def ids(rows):
    return [row["id"] for row in rows]


# ---- runs, show, logs ----


@vm
def test_a_run_is_recorded(bulkhead):
    r = bulkhead.run("--key", "nightly", "sh", "-c", "exit 3")
    (row,) = runs(bulkhead)
    assert row["id"] == r.verdict["id"] and row["state"] == "ended"
    assert (row["cause"], row["exit_status"], row["key"]) == ("exit_nonzero", 3, "nightly")
    assert row["argv"] == ["sh", "-c", "exit 3"]
    shown = bulkhead.command("show", row["id"])
    assert shown.status == 0 and "exit_nonzero" in shown.out
    assert json.loads(bulkhead.command("show", "--json", row["id"]).out) == r.verdict
    assert stat_mode(bulkhead.state) == 0o700 and stat_mode(bulkhead.state / "state.db") & 0o077 == 0


def test_of_a_long_command_the_beginning_is_recorded(bulkhead):
    """A byte of it can take twelve in the spool; what does not fit there would be a run that was lost."""
    r = bulkhead.run("/bin/true", *["\x01" * 130_000] * 14).expect("ok", 0)
    (row,) = runs(bulkhead)
    assert (row["state"], row["cause"], row["argv"][0], row["argv_complete"]) == ("ended", "ok", "/bin/true", False)
    kept = sum(len(word) + 1 for word in r.verdict["argv"])
    assert kept == 65536 and r.verdict["argv_left_out"] == {"words": 13, "bytes": 10 + 14 * 130_001 - kept}
    assert json.loads(bulkhead.command("show", "--json", row["id"]).out) == r.verdict
    explained = json.loads(bulkhead.command("explain", "--json", row["id"]).out)
    assert explained["agrees"] is True and explained["verdict"] == r.verdict


def stat_mode(path):
    return path.stat().st_mode & 0o777


def test_runs_are_listed_newest_first_and_filtered(bulkhead):
    made = [bulkhead.run("--key", f"k{n % 2}", "sh", "-c", f"exit {n}").verdict["id"] for n in range(4)]
    assert ids(runs(bulkhead)) == made[::-1]
    assert ids(runs(bulkhead, "--key", "k1")) == [made[3], made[1]]
    assert ids(runs(bulkhead, "--cause", "ok")) == [made[0]]
    listed = bulkhead.command("runs", "--limit", 2).out.splitlines()
    assert listed[0].startswith("ID ") and [line.split()[0] for line in listed[1:]] == made[:1:-1]


def test_no_record(bulkhead):
    bulkhead.run("--no-record", "true").expect("ok", 0)
    assert not bulkhead.state.exists()
    assert runs(bulkhead) == []
    assert not bulkhead.state.exists()


def test_show_takes_the_beginning_of_an_id(bulkhead):
    r = bulkhead.run("true")
    shown = bulkhead.command("show", r.verdict["id"][:12])
    assert shown.status == 0 and r.verdict["id"] in shown.out


@pytest.mark.parametrize("words", [["show", "zzzz"], ["logs", "zzzz"], ["show", "../../etc/passwd"], ["show", ""]])
def test_what_is_no_run_is_refused(bulkhead, words):
    bulkhead.run("true")
    r = bulkhead.command(*words)
    assert (r.status, r.out) == (125, "") and r.err.count("\n") == 1


def test_logs_of_a_run_that_was_not_captured(bulkhead):
    r = bulkhead.run("echo", "text")
    logs = bulkhead.command("logs", r.verdict["id"])
    assert logs.status == 125 and "--log" in logs.err


def test_a_run_that_is_on_is_shown_as_running(bulkhead):
    with bulkhead.background("sh", "-c", "echo on; read x", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"on\n"
        (row,) = wait_until(lambda: runs(bulkhead), what="the record")
        assert (row["state"], row["cause"]) == ("running", None)
        p.stdin.close()
        p.stdin = None
        p.wait(seconds(10))
    assert runs(bulkhead)[0]["state"] == "ended"


def test_hostile_words_do_not_reach_a_terminal(bulkhead):
    bulkhead.run("sh", "-c", "exit 0", "\x1b]0;owned\x07", "a\nb", b"\xff")
    for words in (["runs"], ["show", ids(runs(bulkhead))[0]]):
        out = bulkhead.command(*words).out
        assert "\x1b" not in out and "\x07" not in out
    assert len(bulkhead.command("runs").out.splitlines()) == 2


# ---- plan, doctor, policy ----


def test_plan_runs_nothing(bulkhead):
    r = bulkhead.command("plan", "--memory", "64M", "--", "sh", "-c", ": >was-here")
    assert r.status == 0 and "64 MiB" in r.out
    assert list(bulkhead.cwd.iterdir()) == [] and not bulkhead.state.exists()


def test_plan_in_json_says_what_enforces_each_limit_as_the_verdict_does(bulkhead):
    options = ["--memory", "64M", "--cpu-time", "1m", "--nofile", "100"]
    plan = json.loads(bulkhead.command("plan", "--json", *options, "--", "true").out)
    verdict = bulkhead.run(*options, "true").verdict
    said = {name: limit["enforced_by"] for name, limit in plan["limits"].items() if limit}
    assert said.items() <= {n: limit["enforced_by"] for n, limit in verdict["limits"].items()}.items()
    assert {"memory", "cpu_time", "nofile", "pids", "timeout"} <= said.keys()


def test_plan_fails_where_the_run_would(bulkhead):
    words = ["--policy", "no-such", "--", "true"]
    plan, run = bulkhead.command("plan", *words), bulkhead.command("run", *words)
    assert plan.status == run.status == 125
    assert "no-such" in plan.err and "no-such" in run.err


@vm
def test_doctor(bulkhead, rung):
    r = bulkhead.command("doctor")
    assert r.status == (1 if rung == "none" else 0) and f"limits come from: {rung}" in r.out
    assert json.loads(bulkhead.command("doctor", "--json").out)
    assert not bulkhead.state.exists()


@pytest.mark.parametrize("name", ["default", "tool", "notebook", "build", "agent", "strict"])
def test_shown_policies_are_policies(bulkhead, name):
    shown = bulkhead.command("policy", "show", name)
    assert shown.status == 0
    path = bulkhead.file("shown.yaml", shown.out)
    check = bulkhead.command("policy", "check", path)
    assert check.status == 0, check.err
    again = bulkhead.command("policy", "show", path)
    assert again.out.splitlines()[-40:] == shown.out.splitlines()[-40:]
    assert name in bulkhead.command("policy", "list").out


def test_policy_check_names_the_place(bulkhead):
    path = bulkhead.file("bad.yaml", "limits:\n  memory: 1G\n  timeuot: 3s\n")
    r = bulkhead.command("policy", "check", path)
    assert r.status == 125
    assert "bad.yaml' line 3 column 3: unknown key 'timeuot'; did you mean 'timeout'?" in r.err


def test_a_policy_file_rules(bulkhead):
    path = bulkhead.file("p.json", json.dumps({"extends": "tool", "limits": {"memory": "77M", "nofile": 99}}))
    r = bulkhead.run("--policy", path, "--nofile", 77, "sh", "-c", "ulimit -n").expect("ok", 0)
    assert r.out == "77\n"
    assert r.verdict["limits"]["memory"]["value"] == 77 << 20
    assert r.verdict["limits"]["timeout"]["value"] == 300_000_000


# ---- many at once ----


def test_many_bulkheads_at_once(bulkhead):
    """Eight shells of 25 runs each on one state directory: each ends as it should, and is recorded."""
    faults = []

    def many(n):
        for i in range(25):
            r = bulkhead.command("run", "--key", f"{n}", "sh", "-c", f"exit {i}")
            if r.status != i or "warning" in r.err:
                faults.append((n, i, r.status, r.err))

    threads = [threading.Thread(target=many, args=[n]) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not faults
    rows = runs(bulkhead)
    assert len(rows) == len(set(ids(rows))) == 200
    assert all(row["state"] == "ended" for row in rows)
    wanted = sorted((str(n), i) for n in range(8) for i in range(25))
    assert sorted((row["key"], row["exit_status"]) for row in rows) == wanted


def test_readers_among_the_writers_miss_nothing(bulkhead):
    """Who lists while others write and take in sees each run that had ended before, once."""
    faults, done = [], []

    def many():
        for _ in range(30):
            done.append(bulkhead.command("run", "--verdict", path := bulkhead.verdict_path(), "true") and path)

    writers = [threading.Thread(target=many) for _ in range(3)]
    for t in writers:
        t.start()
    while any(t.is_alive() for t in writers):
        ended = {json.loads(path.read_bytes())["id"] for path in list(done)}
        rows = runs(bulkhead)
        listed = {row["id"] for row in rows if row["state"] == "ended"}
        if not ended <= listed or len(ids(rows)) != len(set(ids(rows))):
            faults.append((ended - listed, ids(rows)))
    for t in writers:
        t.join()
    assert not faults
    assert len(runs(bulkhead)) == 90 and {row["cause"] for row in runs(bulkhead)} == {"ok"}


# ---- the spool ----


def size(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # somebody renames or removes segments while we look


def spooled(bulkhead):
    return [p for p in bulkhead.state.glob("spool/*") if size(p)]


def test_a_short_run_leaves_its_record_to_others(bulkhead):
    verdicts = [bulkhead.run("true").verdict for _ in range(3)]
    if max(verdict["usage"]["wall_us"] for verdict in verdicts) > 50_000:
        pytest.skip("no run is short on this machine")
    ended = [verdict["id"] for verdict in verdicts]
    assert not (bulkhead.state / "state.db").exists()
    assert stat_mode(bulkhead.state / "spool") == 0o700
    assert [(p.name, stat_mode(p)) for p in spooled(bulkhead)] == [("now", 0o600)]
    assert ids(runs(bulkhead)) == ended[::-1]
    assert (bulkhead.state / "state.db").exists() and not spooled(bulkhead)


def test_a_run_that_has_time_takes_in_what_waits(bulkhead):
    bulkhead.run("true")
    with bulkhead.background("sh", "-c", "read x", stdin=subprocess.PIPE) as p:
        wait_until(lambda: (bulkhead.state / "state.db").exists() and not spooled(bulkhead), what="the taking in")
        p.stdin.close()
        p.stdin = None
        p.wait(seconds(10))
    assert len(spooled(bulkhead)) == 1  # its end
    assert [row["state"] for row in runs(bulkhead)] == ["ended", "ended"]


def test_the_spool_stays_small(bulkhead):
    words = ["sh", "-c", ":", "x" * 20000]
    most = 0
    for _ in range(40):
        assert bulkhead.command("run", *words).status == 0
        most = max(most, sum(size(p) for p in spooled(bulkhead)))
    assert most < 512 << 10
    assert len(runs(bulkhead)) == 40


def test_a_damaged_spool_costs_no_other_record(bulkhead):
    before = bulkhead.run("true").verdict["id"]
    with open(bulkhead.state / "spool/now", "ab") as spool:
        spool.write(b"\0" * 3000 + bytes(range(256)) * 9 + b"\nrun1 0123456789abcdef e\t=../../x\t.\n")
    after = bulkhead.run("true").expect("ok", 0).verdict["id"]
    listed = bulkhead.command("runs", "--json")
    assert [json.loads(line)["id"] for line in listed.out.splitlines()] == [after, before]
    assert "damaged records: put aside as 'spool.refused-" in listed.err
    (aside,) = bulkhead.state.glob("spool.refused-*")
    assert aside.stat().st_size > 5000
    assert bulkhead.command("runs").err == ""


def test_a_record_that_was_cut_short_costs_no_other(bulkhead):
    first = bulkhead.run("true").verdict["id"]
    now = bulkhead.state / "spool/now"
    os.truncate(now, now.stat().st_size - 100)
    second = bulkhead.run("true").expect("ok", 0).verdict["id"]
    assert [(row["id"], row["state"]) for row in runs(bulkhead)] == [(second, "ended"), (first, "lost")]
    assert not list(bulkhead.state.glob("spool.refused-*"))


@pytest.mark.parametrize("make", ["fifo", "directory", "symlink"])
def test_what_is_in_the_way_of_the_spool_is_said(bulkhead, make):
    bulkhead.run("true")
    assert len(runs(bulkhead)) == 1
    now, precious = bulkhead.state / "spool/now", bulkhead.file("precious", "text")
    now.unlink(missing_ok=True)
    {"fifo": os.mkfifo, "directory": os.mkdir, "symlink": lambda path: os.symlink(precious, path)}[make](now)
    r = bulkhead.run("echo", "out")
    assert (r.status, r.out) == (0, "out\n") and r.verdict["cause"] == "ok"
    assert r.err.count("\n") == 1 and "this run leaves no record" in r.err
    assert precious.read_text() == "text"
    now.rmdir() if make == "directory" else now.unlink()
    bulkhead.run("true")
    assert len(runs(bulkhead)) == 2


# What is mounted goes with the namespace, and nobody else sees it. $1 is bulkhead, "$@" its whole command line.
WITH_MOUNTS = 'mount --make-rprivate / && mkdir -p -m 700 "$BULKHEAD_STATE" && cd "$BULKHEAD_STATE"; set -e; '
SMALL = 'mount -t tmpfs -o size=128k,mode=700 none . && cd .; '
FILL = 'head -c 1M /dev/zero >"$BULKHEAD_STATE/ballast" 2>/dev/null || true; '
READ_ONLY = 'mount --bind . . && mount -o remount,bind,ro .; '


def in_mounts(bulkhead, script):
    bulkhead.wrapper = ["unshare", "-m", "sh", "-c", WITH_MOUNTS + script + 'cd /; exec "$@"', "sh"]


@pytest.mark.root
@pytest.mark.parametrize("script", [SMALL + 'cd "$BULKHEAD_STATE";' + FILL, READ_ONLY], ids=["full", "read-only"])
def test_without_a_place_for_the_record_the_run_goes_on(bulkhead, script):
    in_mounts(bulkhead, script)
    r = bulkhead.run("sh", "-c", "echo out; exit 3")
    assert (r.status, r.out) == (3, "out\n")
    assert "warning: this run leaves no record: " in r.err and r.err.count("record") == 1
    assert "no space left on device" in r.err or "read-only file system" in r.err


@pytest.mark.root
@pytest.mark.parametrize("script", [
    SMALL + 'cd "$BULKHEAD_STATE"; "$1" run true; "$1" run true; ' + FILL,
    '"$1" run true; "$1" run true; ' + READ_ONLY,
], ids=["full", "read-only"])
def test_what_cannot_be_taken_in_can_be_read(bulkhead, script):
    in_mounts(bulkhead, script)
    rows = runs(bulkhead)
    assert [row["cause"] for row in rows] == ["ok", "ok"]
    shown = bulkhead.command("show", "--json", "0")
    assert "more than one run" in shown.err


def test_bulkheads_killed_at_any_point_leave_sound_records(bulkhead):
    """Each run is there at most once, as ended or lost, whatever the moment; and the next one is fine."""
    for step in range(60):
        p = bulkhead.start("run", "true", stderr=subprocess.DEVNULL)
        time.sleep(step % 30 * 0.0003)
        p.kill()
        p.wait()
    last = bulkhead.run("true").expect("ok", 0).verdict["id"]
    rows = runs(bulkhead)
    assert ids(rows)[0] == last and len(ids(rows)) == len(set(ids(rows)))
    assert {row["state"] for row in rows} <= {"ended", "lost"}
    assert {(row["state"], row["cause"]) for row in rows} <= {("ended", "ok"), ("lost", "supervisor_lost")}
    assert not list(bulkhead.state.glob("*refused*")) and not list(bulkhead.state.glob("*corrupt*"))


# ---- killed itself ----


@contextlib.contextmanager
def killed_in_the_middle(bulkhead, *words, sig=signal.SIGKILL):
    """A run with a deaf tree of daemons in it, whose bulkhead is killed: the descendants it had."""
    with bulkhead.background(*words, "sh", "-c", f"{helper('tree')} 20 & {helper('stubborn')}",
                             stdout=subprocess.PIPE) as p:
        said = p.stdout.readline() + p.stdout.readline()
        assert said in (b"ready\ndeep\n", b"deep\nready\n")
        wait_until(lambda: runs(bulkhead), what="the record")
        box = descendants(p.pid)
        assert len(box) > 20
        p.send_signal(sig)
        p.wait(seconds(10))
        yield p, box


@vm
def test_a_killed_bulkhead_takes_everything_with_it(bulkhead, leak_check):
    with killed_in_the_middle(bulkhead) as (p, box):
        assert p.returncode == -signal.SIGKILL
        wait_until(lambda: not alive(box), 2, "the end of the box")
        (row,) = runs(bulkhead)
        assert row["state"] == "lost"
    # the next one settles the record and removes the groups
    with bulkhead.background("sh", "-c", "read x", stdin=subprocess.PIPE) as other:
        wait_until(lambda: len(runs(bulkhead)) == 2, what="the record of the next run")
        other.stdin.close()
        other.stdin = None
        other.wait(seconds(10))
    lost = [row for row in runs(bulkhead) if row["cause"] == "supervisor_lost"]
    assert ids(lost) == [row["id"]]
    check_schema(json.loads(bulkhead.command("show", "--json", row["id"]).out), schema("verdict"))
    assert not [g for g in groups() if g.endswith(row["id"])]


@vm
def test_captured_output_up_to_the_kill_is_kept(bulkhead):
    with killed_in_the_middle(bulkhead, "--idle-timeout", "10m") as (_, box):
        wait_until(lambda: not alive(box), 2, "the end of the box")
        (row,) = runs(bulkhead)
    logs = bulkhead.command("logs", row["id"])
    assert sorted(logs.out.splitlines()) == ["deep", "ready"]
    bulkhead.run("true").expect("ok", 0)


def test_a_stopped_bulkhead_is_no_dead_one(bulkhead):
    """A living one's groups and processes are nobody else's business, however still it stands."""
    with bulkhead.background(helper("stubborn"), "polite", "0", stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"ready\n"
        p.send_signal(signal.SIGSTOP)
        before = groups()
        bulkhead.run("true").expect("ok", 0)
        assert before <= groups() | {g for g in before if f".{p.pid}." not in g}
        assert alive([p.pid])
        p.send_signal(signal.SIGCONT)
        p.send_signal(signal.SIGTERM)
        p.wait(seconds(10))
    assert bulkhead.read_verdict(p.verdict_path)["cause"] == "cancelled"


@vm
def test_the_janitor_removes_what_a_dead_bulkhead_left(bulkhead, cgroups):
    """Groups with the token of a process that is gone; what is in them is ended."""
    if not cgroups:
        pytest.skip("there are no groups to leave")
    with killed_in_the_middle(bulkhead) as (p, box):
        wait_until(lambda: not alive(box), 2, "the end of the box")
    left = {g for g in groups() if f".{p.pid}." in g}
    # a process that escaped the end of its box: it can only be put there from outside
    core = next((g for g in left if os.path.exists(f"{g}/cgroup.kill")), None)
    stray = subprocess.Popen(["sleep", "1000"]) if core and os.geteuid() == 0 else None
    if stray:
        pathlib.Path(core, "cgroup.procs").write_text(str(stray.pid))
    bulkhead.run("sh", "-c", f"sleep {seconds(0.5):g}").expect("ok", 0)
    assert not left & groups()
    if stray:
        assert stray.wait(seconds(5)) == -signal.SIGKILL


@pytest.mark.root
def test_the_janitor_never_touches_what_is_not_its_own(bulkhead, cgroups, leak_check):
    if not cgroups:
        pytest.skip("there are no groups")
    with killed_in_the_middle(bulkhead) as (p, box):
        wait_until(lambda: not alive(box), 2, "the end of the box")
    name = os.path.basename(next(g for g in groups() if f".{p.pid}." in g))
    base = os.path.dirname(next(g for g in groups() if f".{p.pid}." in g))
    _, token, run = name.split("-", 2)
    namespace, pid, start = token.split(".")
    foreign = [
        "bulkhead-self-made", "bulkhead-1.2-x", f"bulkhead-{namespace}.{pid}-{run}",
        f"bulkhead-{int(namespace) + 1}.{pid}.{start}-{run}",  # of another pid namespace
        f"bulkhead-{namespace}.0{pid}.{start}-{run}",  # not as we write it
        f"bulkhead-{namespace}.{os.getpid()}.{own_start()}-living",  # of a living process
        f"xbulkhead-{token}-{run}", f"bulkhead-{token}-",
    ]
    made = [os.path.join(base, f) for f in foreign]
    try:
        for path in made:
            os.mkdir(path)
        bulkhead.run("sh", "-c", f"sleep {seconds(0.5):g}").expect("ok", 0)
        assert not [g for g in groups() if g.endswith(f"{token}-{run}") and "xbulkhead" not in g]
        assert [path for path in made if not os.path.isdir(path)] == []
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                os.rmdir(path)


def own_start():
    text = pathlib.Path("/proc/self/stat").read_text()
    return text[text.rindex(")") + 2:].split()[19]


@vm
def test_a_killed_init_ends_the_run(bulkhead):
    """Somebody on the host kills pid 1 of a box: all of it dies, and the verdict does not call it ok."""
    with bulkhead.background(helper("stubborn"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"ready\n"
        init = wait_until(lambda: [pid for pid in descendants(p.pid) if comm(pid) == "bulkhead-init"], what="init")
        os.kill(init[0], signal.SIGKILL)
        assert p.wait(seconds(10)) == 137
    verdict = bulkhead.read_verdict(p.verdict_path)
    assert verdict["signal"] == 9
    assert verdict["cause"] in ("crash", "external_kill", "supervisor_lost")
    assert verdict["victims"] == []


def comm(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    return None


def test_a_torn_log_is_mended(bulkhead):
    r = bulkhead.run("--idle-timeout", "1m", "sh", "-c", "echo one; sleep 0.1; echo two").expect("ok", 0)
    log = bulkhead.state / "runs" / r.verdict["id"] / "output.jsonl"
    os.truncate(log, log.stat().st_size - 5)
    logs = bulkhead.command("logs", r.verdict["id"])
    assert logs.status == 0 and logs.out.startswith("one\n") and "two" not in logs.out
    assert [json.loads(line) for line in log.read_text().splitlines()][-1].keys() == {"repaired"}


def test_a_damaged_data_base_is_put_aside(bulkhead):
    bulkhead.run("true")
    assert len(runs(bulkhead)) == 1
    for path in bulkhead.state.glob("state.db*"):
        path.unlink()
    bulkhead.file("state.db", b"no data base at all" * 1000, mode=0o600, below=bulkhead.state)
    r = bulkhead.run("true").expect("ok", 0)
    assert ids(runs(bulkhead)) == [r.verdict["id"]]
    assert list(bulkhead.state.glob("state.db.corrupt-*"))
