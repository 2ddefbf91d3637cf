# SPDX-License-Identifier: MIT
"""Faults of the host and deaths of bulkhead: the run goes on where it can, and nothing is left."""

import contextlib
import itertools
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import pytest

from support import (MIB, TIME_SCALE, USER_ID, descendants, describe, groups, helper, leaked_groups, run_time, seconds,
                     wait_until)

vm = pytest.mark.vm
NO_RECORD = "bulkhead: warning: this run leaves no record: "
RUN = ("sh", "-c", "echo ran; exit 7")


def expect_only_the_record_lost(r, *parts):
    """The program ran, its exit status is kept, and the loss is told once."""
    assert (r.status, r.stdout) == (7, b"ran\n"), r.err
    r.expect("exit_nonzero", 7)
    told = [line for line in r.err.splitlines() if line.startswith(NO_RECORD)]
    assert len(told) == 1, r.err
    assert len(r.err.splitlines()) == 2, r.err
    for part in parts:
        assert part in told[0]


def mounted(bulkhead, path, options, then=""):
    """From now on bulkhead starts in a mount namespace with a tmpfs at @path, and after @then."""
    path.mkdir(exist_ok=True)
    bulkhead.own(path)
    mount = f'mount -t tmpfs -o mode=755,{options} none "$0" && {{ {then or ":"}\n}} && exec "$@"'
    bulkhead.wrapper = ["unshare", "-m" if bulkhead.who == "root" else "-Urm", "sh", "-c", mount, str(path)]


# ---- the state directory ----


@vm
@pytest.mark.parametrize("size", ["4k", "8k", "16k", "40k", "80k", "160k"])
def test_small_disk_under_the_state_directory(bulkhead, size):
    """Wherever in the making of a record the room ends: the run goes on, and what is not kept is told."""
    mounted(bulkhead, bulkhead.state, f"size={size}", then="""
        "$@"; status=$?
        "$1" runs >"$0/../listed" 2>&1
        exit $status
    """)
    bulkhead.own(bulkhead.file("listed", below=bulkhead.top))
    r = bulkhead.run(*RUN)
    if NO_RECORD in r.err:
        expect_only_the_record_lost(r, "no space left on device")
    else:
        r.expect("exit_nonzero", 7)
        assert len(r.err.splitlines()) == 1, r.err
        listed = (bulkhead.top / "listed").read_text()
        assert r.verdict["id"] in listed or "no space left on device" in listed, listed


@pytest.mark.parametrize("free", [0, 4, 8, 16, 32, 64])
def test_full_disk_under_records(bulkhead, free):
    """What is recorded already stays, and is not taken for damaged."""
    mounted(bulkhead, bulkhead.state, "size=512k", then=f"""
        "$1" run --quiet true || exit 9
        dd if=/dev/zero of="$0/fill" bs=1k 2>/dev/null
        size=$(stat -c %s "$0/fill"); truncate -s $((size - {free * 1024})) "$0/fill" || exit 9
        "$@"; status=$?
        rm "$0/fill"; "$1" runs >"$0/../listed" || exit 9; ls "$0" >>"$0/../listed"
        exit $status
    """)
    bulkhead.own(bulkhead.file("listed", below=bulkhead.top))
    r = bulkhead.run(*RUN)
    if NO_RECORD in r.err:
        expect_only_the_record_lost(r)
    else:
        r.expect("exit_nonzero", 7)
    listed = (bulkhead.top / "listed").read_text()
    assert listed.count("  true\n") == 1 and "corrupt" not in listed, listed


def test_no_inodes_under_the_state_directory(bulkhead):
    mounted(bulkhead, bulkhead.state, "nr_inodes=2")
    expect_only_the_record_lost(bulkhead.run(*RUN))


def test_read_only_state_directory(bulkhead):
    mounted(bulkhead, bulkhead.state, "ro")
    expect_only_the_record_lost(bulkhead.run(*RUN), "read-only")


def test_read_only_state_directory_with_records(bulkhead):
    kept = bulkhead.run(*RUN).verdict["id"]
    bulkhead.wrapper = ["unshare", "-m" if bulkhead.who == "root" else "-Urm", "sh", "-c",
                        'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"', str(bulkhead.state)]
    expect_only_the_record_lost(bulkhead.run(*RUN))
    bulkhead.wrapper = []
    assert kept in bulkhead.command("runs").out


def test_state_directory_of_somebody_else(bulkhead):
    state = "/etc"
    if bulkhead.who == "root":
        state = bulkhead.directory("other")
        os.chown(state, USER_ID, USER_ID)
    r = bulkhead.run(*RUN, env={"BULKHEAD_STATE": str(state)})
    expect_only_the_record_lost(r, "belongs to uid", "BULKHEAD_STATE")


def test_state_directory_that_others_may_write_to(bulkhead):
    state = bulkhead.directory("other")
    state.chmod(0o777)
    r = bulkhead.run(*RUN, env={"BULKHEAD_STATE": str(state)})
    expect_only_the_record_lost(r, "others may write", "chmod go-w")
    assert list(state.iterdir()) == []


@pytest.mark.parametrize("state", ["/proc/nowhere", "relative/path", "/dev/null", "/" + "x" * 5000])
def test_impossible_state_directory(bulkhead, state):
    expect_only_the_record_lost(bulkhead.run(*RUN, env={"BULKHEAD_STATE": state}))


def test_state_directory_that_is_a_link(bulkhead):
    (bulkhead.top / "link").symlink_to(bulkhead.directory("real"))
    r = bulkhead.run(*RUN, env={"BULKHEAD_STATE": str(bulkhead.top / "link")})
    expect_only_the_record_lost(r, "symbolic link")


@pytest.mark.user
def test_no_home_for_the_state_directory(bulkhead):
    r = bulkhead.run(*RUN, unset=["HOME", "XDG_STATE_HOME", "BULKHEAD_STATE"])
    expect_only_the_record_lost(r, "HOME is not set")


def test_no_record_needs_no_state_directory(bulkhead):
    r = bulkhead.run("--no-record", *RUN, env={"BULKHEAD_STATE": "/proc/nowhere"})
    r.expect("exit_nonzero", 7)
    assert r.err.count("\n") == 1


def spoil_all(path):
    path.write_bytes(os.urandom(8192))


def spoil_head(path):
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])


def spoil_pages(path):
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xa5" * (len(content) - 100))


def cut_short(path):
    path.write_bytes(path.read_bytes()[:5000])


def spoil_to_text(path):
    path.write_text("this is no database\n")


def spoil_to_nothing(path):
    path.write_bytes(b"")


def spoil_to_directory(path):
    path.unlink()
    path.mkdir()


def spoil_to_fifo(path):
    path.unlink()
    os.mkfifo(path)


def spoil_to_link(path):
    path.unlink()
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("spoil", [spoil_all, spoil_head, spoil_pages, cut_short, spoil_to_text, spoil_to_nothing,
                                   spoil_to_directory, spoil_to_fifo, spoil_to_link])
def test_corrupt_database(bulkhead, spoil):
    """Runs go on, with a new database or without one, and with a word of it; nothing crashes."""
    bulkhead.run(*RUN)
    assert bulkhead.command("runs").status == 0  # which makes the database
    for name in ("state.db-wal", "state.db-shm"):
        (bulkhead.state / name).unlink(missing_ok=True)
    spoil(bulkhead.state / "state.db")
    with contextlib.suppress(OSError):
        bulkhead.own(bulkhead.state / "state.db")
    r = bulkhead.run(*RUN, deadline=30)
    r.expect("exit_nonzero", 7)
    assert len(r.err.splitlines()) <= 2, r.err
    listed = bulkhead.command("runs", deadline=30)
    assert listed.status in (0, 125) and listed.err.count("\n") <= 1
    if listed.status == 0 and NO_RECORD not in r.err:
        assert r.verdict["id"] in listed.out
    bulkhead.run(*RUN, deadline=30).expect("exit_nonzero", 7)
    if spoil is spoil_to_directory:
        (bulkhead.state / "state.db").rmdir()


@pytest.mark.parametrize("spoil", [spoil_all, spoil_to_nothing])
@pytest.mark.parametrize("name", ["state.db-wal", "state.db-shm"])
def test_corrupt_journal(bulkhead, name, spoil):
    bulkhead.run(*RUN)
    assert bulkhead.command("runs").status == 0
    spoil(bulkhead.own(bulkhead.file(name, below=bulkhead.state)))
    r = bulkhead.run(*RUN, deadline=30)
    r.expect("exit_nonzero", 7)
    listed = bulkhead.command("runs", deadline=30)
    assert listed.status in (0, 125) and listed.err.count("\n") <= 1


# ---- logs ----


@vm
def test_full_disk_under_the_log(bulkhead):
    """What was written is passed on; the log's gap is told once, and the program does not notice."""
    mounted(bulkhead, bulkhead.top / "small", "size=64k")
    r = bulkhead.run("--log", bulkhead.top / "small", helper("flood"), 2)
    assert (r.status, len(r.stdout)) == (0, 2 * MIB), r.err
    assert r.err.count("\n") == 1 and "the log of this run has gaps" in r.err
    assert "no space left on device" in r.err


def test_stdout_that_is_full(bulkhead):
    with open("/dev/full", "wb") as full:
        r = bulkhead.run("sh", "-c", "echo out; exit 7", stdout=full)
        assert r.status in (1, 2, 7) and r.cause == "exit_nonzero"
        r = bulkhead.run("--output-limit", "1M", "sh", "-c", "echo out; exit 7", stdout=full)
    r.expect("exit_nonzero", 7)


@pytest.mark.parametrize("command", [["runs"], ["doctor"], ["plan", "true"], ["policy", "list"]])
def test_output_of_ours_that_is_full(bulkhead, command):
    bulkhead.run("true")
    with open("/dev/full", "wb") as full:
        r = bulkhead.command(*command, stdout=full)
    assert r.status == 125 and "No space left" in r.err.replace("no space", "No space")
    assert r.err.count("\n") == 1


@vm
def test_stdout_that_nobody_reads(bulkhead):
    read, write = os.pipe()
    os.close(read)
    r = bulkhead.run("--output-limit", "1G", helper("flood"), 1 << 10, stdout=write, deadline=30)
    os.close(write)
    assert r.status == 128 + signal.SIGPIPE and r.cause == "crash"


# ---- descriptors ----


def closing(fds):
    def close():
        for fd in fds:
            os.close(fd)
    return close


COMBINATIONS = [fds for n in range(4) for fds in itertools.combinations((0, 1, 2), n)]


def expect_untouched(bulkhead, r, closed):
    """Our files hold what is ours, and what was not closed got what is its own."""
    r.expect("exit_nonzero", 3)
    assert r.out == ("" if 1 in closed else "to stdout\n")
    assert ("to stderr" in r.err) == (2 not in closed)
    for path in (p for p in bulkhead.top.rglob("*") if p.is_file() and p.parent.name != "log"):
        text = path.read_bytes()
        assert b"to stdout\n" not in text and b"to stderr\n" not in text, path
    assert r.verdict["id"] in bulkhead.command("runs").out


@vm
@pytest.mark.parametrize("closed", COMBINATIONS)
def test_closed_stdio(bulkhead, closed):
    r = bulkhead.run("sh", "-c", "cat; echo to stdout; echo to stderr >&2; exit 3",
                     preexec_fn=closing(closed))
    expect_untouched(bulkhead, r, closed)


@pytest.mark.parametrize("closed", COMBINATIONS)
def test_closed_stdio_with_a_log(bulkhead, closed):
    log = bulkhead.cwd / "log"
    r = bulkhead.run("--log", log, "sh", "-c", "cat; echo to stdout; echo to stderr >&2; exit 3",
                     preexec_fn=closing(closed))
    expect_untouched(bulkhead, r, closed)
    events = [json.loads(line) for line in (log / "output.jsonl").read_text().splitlines()]
    assert {e.get("text") for e in events if e.get("stream") == "stdout"} >= {"to stdout\n"}


def lowering(resource_, limit):
    return lambda: resource.setrlimit(resource_, (limit, limit))


@pytest.mark.parametrize("limit", [*(pytest.param(n, marks=pytest.mark.release_only) for n in range(5)),
                                   8, 15, 16, 17, 32, 63])
@pytest.mark.parametrize("log", [False, True], ids=["plain", "log"])
def test_too_few_descriptors(bulkhead, limit, log):
    """Refused as a whole and first of all: half a run could neither be recorded nor told of."""
    words = ["--log", bulkhead.cwd / "log"] if log else []
    r = bulkhead.run(*words, "echo", "ran", preexec_fn=lowering(resource.RLIMIT_NOFILE, limit))
    assert (r.status, r.out) == (125, "") and f"only {limit} open files" in r.err, r.err
    assert r.err.startswith("bulkhead: ") and r.err.endswith("(blame: host)\n")
    assert r.err.count("\n") == 1, r.err
    assert not (bulkhead.cwd / "log").exists() and not bulkhead.state.exists()


@pytest.mark.parametrize("log", [False, True], ids=["plain", "log"])
def test_just_enough_descriptors(bulkhead, log):
    words = ["--log", bulkhead.cwd / "log"] if log else []
    r = bulkhead.run(*words, "echo", "ran", preexec_fn=lowering(resource.RLIMIT_NOFILE, 64))
    assert (r.status, r.out, r.err) == (0, "ran\n", "")
    assert r.verdict["id"] in bulkhead.command("runs").out


def test_remedy_for_too_few_descriptors(bulkhead):
    """The command that is printed is one that helps."""
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 1024))
    told = bulkhead.run("echo", "ran", preexec_fn=lower).err
    remedy = re.search("; (ulimit -n [0-9]+) ", told)[1]
    bulkhead.wrapper = ["sh", "-c", f'{remedy} && exec "$@"', "sh"]
    assert bulkhead.run("echo", "ran", preexec_fn=lower).out == "ran\n"


def test_a_path_for_each_descriptor(bulkhead):
    """What a plan with many paths needs beyond that is known before it is begun."""
    words = [w for i in range(60) for w in ("--read", bulkhead.file(f"file-{i}"))]
    r = bulkhead.run(*words, "echo", "ran", preexec_fn=lowering(resource.RLIMIT_NOFILE, 64))
    assert (r.status, r.out) == (125, "") and "only 64 open files" in r.err
    assert r.err.count("\n") == 1 and r.err.endswith("(blame: host)\n"), r.err
    needed = int(re.search("a run needs ([0-9]+)", r.err)[1])
    r = bulkhead.run(*words, "echo", "ran", preexec_fn=lowering(resource.RLIMIT_NOFILE, needed))
    assert (r.status, r.out) == (0, "ran\n"), r.err


@pytest.mark.parametrize("n", [4, 5, 16])
def test_few_descriptors_for_the_program(bulkhead, n):
    """--nofile is the program's: setting the box up needs more, and is done before."""
    r = bulkhead.run("--nofile", n, "sh", "-c", "ulimit -n")
    assert (r.status, r.out) == (0, f"{n}\n"), r.err


@pytest.mark.release_only  # a leak check is a process too
@pytest.mark.user
@pytest.mark.parametrize("limit", range(1, 7))
def test_few_processes(bulkhead, limit):
    r = bulkhead.run("echo", "ran", preexec_fn=lowering(resource.RLIMIT_NPROC, limit))
    assert r.status in (0, 125), r.err
    if r.status == 0:
        assert (r.out, r.err) == ("ran\n", "")
        return
    assert r.out == "" and r.err.count("\n") == 1 and r.err.endswith("(blame: host)\n")
    assert "resource temporarily unavailable" in r.err and "security module" not in r.err


@pytest.mark.release_only
@pytest.mark.parametrize("limit", [1, 2, 4, 8, 16, 32])
def test_little_address_space(bulkhead, limit):
    """What the caller limits is inherited: said in a line, or it works; bulkhead itself needs little."""
    r = bulkhead.run("echo", "ran", preexec_fn=lowering(resource.RLIMIT_AS, limit * MIB))
    assert r.status in (0, 125, 127, -signal.SIGSEGV), r.err
    if r.status < 0:
        assert limit <= 4 and (r.out, r.err) == ("", "")  # the kernel could not map the program
    if r.err.startswith("Fatal glibc error: "):  # nor the C library start it
        assert limit <= 4 and r.err.count("\n") == 1 and r.out == ""
        return
    assert r.err.count("\n") <= 2 and all(line.startswith("bulkhead: ") or "echo" in line
                                          for line in r.err.splitlines()), r.err
    bulkhead.run("true").expect("ok", 0)  # which also removes what one without memory left


def test_small_file_size_limit_of_the_caller(bulkhead):
    """SIGXFSZ is for the program that writes too much; our records say that they are lost."""
    def lower():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    path = bulkhead.verdict_path()
    r = bulkhead.command("run", "--verdict", path, *RUN, preexec_fn=lower)
    assert (r.status, r.stdout) == (7, b"ran\n"), r.err
    assert r.err.count(NO_RECORD) == 1
    assert not path.exists() or json.loads(path.read_text())


# ---- deaths ----


def living():
    """All below us that is not dead. The dead are reaped: init's end waits for that of all in its box."""
    found = descendants()
    for pid in (pid for pid, state in found.items() if state == "Z"):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return {pid for pid, state in found.items() if state not in "ZX"}


def expect_all_gone(before, what):
    deadline = time.monotonic() + seconds(1)
    while left := living() - before:
        assert time.monotonic() < deadline, f"{what}: alive are {[describe(pid) for pid in left]}"
        time.sleep(0.005)


def make_database(bulkhead):
    """One that is killed while it makes it leaves half of one, which a sweep removes after an hour."""
    bulkhead.run("true")
    assert bulkhead.command("runs").status == 0


def start_and_kill(bulkhead, words, delay):
    process = bulkhead.start("run", *words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(delay)
    process.kill()
    err = process.communicate()[1]
    assert process.returncode in (0, -signal.SIGKILL), err


@vm
@pytest.mark.slow
def test_killed_at_any_moment(bulkhead):
    """SIGKILL from the first instruction to the last: nothing of the run lives on."""
    make_database(bulkhead)
    before, groups_before = living(), groups()
    nap = f"{0.03 * TIME_SCALE:.3f}"
    words = ["--verdict", bulkhead.top / "v.json", "sh", "-c", f"{helper('tree')} 3 & sleep {nap}"]
    whole = bulkhead.command("run", "--grace", "10ms", *words).duration
    n = 50
    for i in range(n):
        start_and_kill(bulkhead, ["--grace", "10ms", *words], whole * i / n)
        expect_all_gone(before, f"killed {whole * i / n * 1000:.1f} ms after the start")
        if (bulkhead.top / "v.json").exists():
            bulkhead.read_verdict(bulkhead.top / "v.json")
    for path in bulkhead.top.glob(".bulkhead-*"):
        path.unlink()  # killed between the making and the renaming of it
    bulkhead.run("true").expect("ok", 0)
    assert not leaked_groups(groups_before)
    rows = [json.loads(line) for line in bulkhead.command("runs", "--json").out.splitlines()]
    assert {row["cause"] for row in rows} <= {"ok", "supervisor_lost"}, rows
    assert {row["state"] for row in rows} <= {"ended", "lost"}, rows


@vm
def test_killed_with_a_tree_of_daemons(bulkhead):
    make_database(bulkhead)
    before, groups_before = living(), groups()
    with bulkhead.background(helper("tree"), 20, stdout=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"deep\n"
        run.kill()
        run.wait()
        expect_all_gone(before, "killed while 20 daemons ran")
    bulkhead.run("true").expect("ok", 0)
    assert not leaked_groups(groups_before)


def test_killed_while_its_box_is_stopped(bulkhead):
    """A stopped process dies of KILL all the same."""
    make_database(bulkhead)
    before, groups_before = living(), groups()
    with bulkhead.background("sh", "-c", "echo ready; kill -STOP $$", stdout=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"ready\n"
        run.kill()
        run.wait()
        expect_all_gone(before, "killed while its payload was stopped")
    bulkhead.run("true").expect("ok", 0)
    assert not leaked_groups(groups_before)


def child_named(process, name):
    """The pid of a process below @process that is called so."""
    def find():
        for pid in descendants(process.pid):
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{pid}/comm").read_text() == f"{name}\n":
                    return pid
        return None
    return wait_until(find, 10, f"a process {name}")


def expect_killed_by_somebody(r):
    """Not by us, nor for a limit: by whom is certain only where the host lets us see it."""
    assert (r.status, r.verdict["signal"], r.verdict["exit_code"]) == (137, 9, None)
    assert r.cause in ("external_kill", "crash") and r.verdict["victims"] == []
    assert r.cause == "external_kill" or r.verdict["confidence"] == "likely"
    assert r.cause == "external_kill" or "outside" in r.verdict["summary"]


@vm
def test_payload_is_killed_from_outside(bulkhead):
    with bulkhead.background(helper("stubborn"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"ready\n"
        os.kill(child_named(run, "stubborn"), signal.SIGKILL)
        r = bulkhead.finish(run, 20)
        r.verdict = bulkhead.read_verdict(run.verdict_path)
    expect_killed_by_somebody(r)


@vm
def test_bulkhead_is_stopped_and_continued(bulkhead):
    """What it did not see meanwhile it sees then."""
    with bulkhead.background("sh", "-c", "read x; echo $x; exit 3", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        child_named(run, "sh")
        run.send_signal(signal.SIGSTOP)
        run.stdin.write(b"on\n")
        run.stdin.flush()
        assert run.stdout.readline() == b"on\n"
        run.send_signal(signal.SIGCONT)
        r = bulkhead.finish(run, 20)
        r.verdict = bulkhead.read_verdict(run.verdict_path)
    r.expect("exit_nonzero", 3)


@vm
def test_deadline_passes_while_bulkhead_is_stopped(bulkhead):
    with bulkhead.background("--timeout", run_time(1), "--grace", run_time(0.1), helper("stubborn"),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"ready\n"
        run.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        wait_until(lambda: time.monotonic() - started > seconds(1.1), 5, "the deadline")
        run.send_signal(signal.SIGCONT)
        r = bulkhead.finish(run, 20)
        r.verdict = bulkhead.read_verdict(run.verdict_path)
    r.expect("wall_timeout", 124)


def test_two_at_the_end_of_one_disk(bulkhead):
    """Many at once on a state directory that has no room: each says so for itself, none waits for long."""
    mounted(bulkhead, bulkhead.state, "size=16k",
            then='for i in 1 2 3 4; do "$@" & done; wait; echo all ended')
    r = bulkhead.command("run", "--quiet", "sh", "-c", "echo ran", deadline=30)
    assert r.out.count("ran\n") >= 4 and "all ended" in r.out
    assert not re.search("assert|abort|segfault", r.err, re.IGNORECASE)


# ---- what the kernel counts for each user ----


@pytest.mark.parametrize("options, words, status", [
    ((), ("sh", "-c", "cat; exit 7"), 7),
    (("--log", "log"), ("sh", "-c", "cat; echo err >&2; exit 7"), 7),
    (("--tty",), ("sh", "-c", "read line; echo $line; exit 7"), 7),
    (("--timeout", "2s", "--grace", "100ms"), ("sh", "-c", "cat; trap '' TERM; sleep 300"), 124),
    (("--idle-timeout", "2s", "--grace", "100ms"), ("sh", "-c", "cat; sleep 300"), 124),
])
def test_the_users_watches_are_used_up(bulkhead, options, words, status):
    """By a box of the same user, say: the loop's library would abort()."""
    bulkhead.wrapper = [helper("deny"), "watches"]
    r = bulkhead.run(*options, "--", *words, input=b"word\n")
    assert r.status == status, r.err
    assert "word" in r.out


def test_a_warden_without_watches_refuses(bulkhead):
    bulkhead.wrapper = [helper("deny"), "watches"]
    r = bulkhead.run("--policy", "agent", "echo", "ran")
    r.expect("setup_failed", 125)
    assert r.out == "" and "fs.epoll.max_user_watches allows are watched (blame: host)" in r.err
