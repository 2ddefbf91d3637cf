# SPDX-License-Identifier: MIT
"""Limits that hold against those who do not want them, and what a host without cgroups has instead."""

import os
import re
import signal
import subprocess
import time

import pytest

from support import MIB, PYTHON, USER_ID, Lateness, descendants, helper, run_time, seconds

vm = pytest.mark.vm


# ---- everything dead, in time ----


def run_against_the_clock(bulkhead, timeout, grace, *words):
    """
    It is over 100 ms after deadline and grace, but for what this machine is late with anyway: at
    the deadline, at the end of the grace, and with the dying. Unless it is busy three times over.
    """
    late = []
    while len(late) < 3:
        with Lateness() as lateness:
            r = bulkhead.run("--timeout", run_time(timeout), "--grace", run_time(grace), *words)
        dead = r.verdict["usage"]["wall_us"] / 1e6 - seconds(timeout + grace)
        gone = r.duration - seconds(timeout + grace) - r.verdict["timing"]["spawn_us"] / 1e6
        if max(dead, gone) <= seconds(0.1) + 3 * lateness.worst:
            return r
        late.append(f"payload dead {dead:.3f} s late, all gone {gone:.3f} s late")
    pytest.fail("\n".join(late))


@vm
def test_fork_bomb(bulkhead, rung):
    if rung == "none" and bulkhead.who == "root":
        pytest.skip("nothing counts root's processes here")
    r = run_against_the_clock(bulkhead, 2, 0.5, "--pids", 64, helper("bomb"))
    r.expect("wall_timeout", 124, signal=9)
    if rung != "none":
        assert r.fact("pids_max")["after"] > 0
        assert r.verdict["usage"]["pids_peak"] in (64, None)


@vm
def test_fork_bomb_without_a_grace(bulkhead, rung):
    if rung == "none" and bulkhead.who == "root":
        pytest.skip("nothing counts root's processes here")
    r = run_against_the_clock(bulkhead, 1, 0, "--pids", 64, helper("bomb"))
    r.expect("wall_timeout", 124, signal=9)


@vm
def test_deep_tree_of_daemons(bulkhead):
    r = run_against_the_clock(bulkhead, 1, 0.2, helper("tree"), 200)
    r.expect("wall_timeout", 124, signal=9)


def test_deep_tree_of_daemons_at_its_full_depth(bulkhead):
    """However long this machine takes to grow it."""
    with bulkhead.background("--grace", run_time(0.2), helper("tree"), 200, stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"deep\n"
        assert len(descendants(p.pid)) > 200
        began = time.monotonic()
        p.send_signal(signal.SIGTERM)
        assert p.wait(seconds(20)) == 137
        assert time.monotonic() - began < seconds(2)
    assert bulkhead.read_verdict(p.verdict_path)["cause"] == "cancelled"


@vm
def test_daemons_do_not_outlive_their_leader(bulkhead):
    """The leader is gone, what it left is deaf: after the grace it is killed, and the run is ok."""
    r = bulkhead.run("--grace", run_time(0.2), "sh", "-c",
                     f"{helper('stubborn')} & {helper('tree')} 20 & sleep {seconds(0.2):g}; exit 0")
    r.expect("ok", 0)
    assert r.duration < seconds(5)


# ---- single limits ----


@vm
def test_cpus_are_seen_and_held(bulkhead, rung):
    r = bulkhead.run("--cpus", 1, "nproc")
    r.expect("ok", 0)
    assert r.out == "1\n"
    if rung == "none":
        assert r.enforced_by("cpus") == "affinity"


def test_a_fraction_of_a_cpu(bulkhead, cgroups):
    if not cgroups:
        r = bulkhead.run("--cpus", "0.5", "true").expect("setup_failed", 125)
        assert "--cpus" in r.err and "--best-effort" in r.err
        return
    r = bulkhead.run("--cpus", "0.25", helper("spin"), 2, seconds(1))
    r.expect("ok", 0)
    used = r.verdict["usage"]["cpu_user_us"] + r.verdict["usage"]["cpu_system_us"]
    assert used < 0.4 * r.verdict["usage"]["wall_us"]
    assert r.verdict["usage"]["throttled_us"] > 0
    assert r.enforced_by("cpus") in ("cgroup-v1", "cgroup-v2")


def test_nofile(bulkhead):
    r = bulkhead.run("--nofile", 32, "sh", "-c", "ulimit -n; ulimit -Hn")
    r.expect("ok", 0)
    assert r.out == "32\n32\n"
    assert r.verdict["limits"]["nofile"] == {"value": 32, "unit": "count", "enforced_by": "rlimit"}


def test_address_space(bulkhead):
    r = bulkhead.run("--address-space", "64M", "--", PYTHON, "-c", "bytearray(1 << 30)")
    assert r.status == 1 and r.verdict["exit_code"] == 1
    assert "MemoryError" in r.err
    assert r.enforced_by("address_space") == "rlimit"


@vm
def test_tmp_size(bulkhead):
    r = bulkhead.run("--tmp-size", "2M", helper("flood"), 4, "/tmp/file")
    assert r.status == 3 and r.verdict["exit_code"] == 3
    assert r.enforced_by("tmp_size") == "tmpfs"


def test_swap_is_off(bulkhead, cgroups):
    r = bulkhead.run("--memory", "64M", "true").expect("ok", 0)
    assert r.verdict["limits"]["swap"]["value"] == 0
    if cgroups:
        assert r.enforced_by("swap") in ("cgroup-v1", "cgroup-v2")


@vm
def test_the_verdict_tells_who_enforces_each_limit(bulkhead, rung):
    r = bulkhead.run("--memory", "1G", "--timeout", "1h", "--idle-timeout", "30m", "--file-size", "1G",
                     "--output-limit", "1G", "--nofile", 256, "--cpu-time", "1h", "true")
    r.expect("ok", 0)
    group = {"cgroup-v2": "cgroup-v2", "cgroup-v2 (delegated)": "cgroup-v2",
             "cgroup-v1 (hybrid)": "cgroup-v1"}.get(rung)
    by = {name: limit["enforced_by"] for name, limit in r.verdict["limits"].items()}
    assert by["memory"] == (group or "sampled")
    assert by["timeout"] == by["idle_timeout"] == by["output"] == "supervisor"
    assert by["file_size"] == by["nofile"] == "rlimit"
    assert by["tmp_size"] == "tmpfs"
    assert by["cpu_time"] == ("supervisor" if group else "sampled")
    assert by["pids"] == (group or ("none" if bulkhead.who == "root" else "rlimit"))
    assert by["address_space"] == "none"
    assert r.verdict["limits"]["memory"] == {"value": 1 << 30, "unit": "bytes", "enforced_by": by["memory"]}
    assert r.verdict["limits"]["address_space"]["value"] is None


def test_unlimited(bulkhead):
    r = bulkhead.run("--memory", "unlimited", "--pids", "unlimited", "--timeout", "unlimited", "true")
    r.expect("ok", 0)
    assert all(r.verdict["limits"][n]["value"] is None for n in ("memory", "pids", "timeout"))


# ---- a host without cgroups ----

MASK = """
mount --make-rprivate / && mount -t tmpfs none /sys/fs/cgroup && exec "$@"
"""


@pytest.fixture
def nowhere(bulkhead):
    """bulkhead on a host whose cgroups are not there, as the same user."""
    if os.geteuid() != 0:
        if bulkhead.rung() == "none":
            return bulkhead
        bulkhead.wrapper = ["unshare", "-rm", "sh", "-ec", MASK, "sh"]
        # maps: the user is root of a namespace of its own, with no rights outside it
    elif bulkhead.who == "root":
        bulkhead.wrapper = ["unshare", "-m", "sh", "-ec", MASK, "sh"]
    elif bulkhead.rung() != "none":
        pytest.fail(f"user {USER_ID} is not expected to have cgroups here")
    return bulkhead


def test_without_cgroups_memory_is_sampled_and_really_held(nowhere):
    r = nowhere.run("--memory", "64M", helper("hog"), 512, "hold", deadline=20)
    assert r.verdict["host"]["rung"] == "none"
    r.expect("memory_limit", 137, confidence="certain", retry="larger")
    assert r.enforced_by("memory") == "sampled"
    assert r.fact("memory_sampled")["after"] > 64 * MIB


def test_without_cgroups_memory_of_all_processes_is_sampled(nowhere):
    hog = helper("hog")
    r = nowhere.run("--memory", "128M", "sh", "-c", f"{hog} 60 hold & {hog} 60 hold & {hog} 60 hold",
                    deadline=20)
    r.expect("memory_limit", 137, confidence="certain")


def test_without_cgroups_time_and_daemons_are_dealt_with(nowhere):
    r = nowhere.run("--timeout", run_time(0.5), "--grace", run_time(0.2), helper("tree"), 50)
    r.expect("wall_timeout", 124)


def test_without_cgroups_cpu_time_is_sampled(nowhere):
    r = nowhere.run("--cpu-time", "300ms", "--grace", 0, helper("spin"), 3, deadline=30)
    r.expect("cpu_time_limit", r.status, confidence="certain")


@pytest.mark.root
def test_without_cgroups_pids_of_root_are_refused(nowhere):
    """The kernel counts nobody's processes but an ordinary user's; what was asked for must be held."""
    r = nowhere.run("--pids", 64, "true")
    r.expect("setup_failed", 125)
    assert "--pids" in r.err and "(blame: host)" in r.err and "--best-effort" in r.err
    r = nowhere.run("--pids", 64, "--best-effort", "true")
    r.expect("ok", 0)
    assert r.verdict["limits"]["pids"] == {"value": 64, "unit": "count", "enforced_by": "none"}
    r = nowhere.run("true")
    r.expect("ok", 0)
    assert r.enforced_by("pids") == "none"


@pytest.mark.user
def test_without_cgroups_pids_of_a_user_are_held(nowhere):
    if os.geteuid() != 0 and nowhere.wrapper:
        pytest.skip("the user is root of a namespace, which is counted nowhere")
    r = nowhere.run("--pids", 16, helper("bomb"), 40)
    r.expect("ok", 0)
    assert 8 <= int(r.out) <= 15


def test_without_cgroups_a_fraction_of_a_cpu_is_refused(nowhere):
    r = nowhere.run("--cpus", "0.5", "true")
    r.expect("setup_failed", 125, retry="no")
    assert re.search(r"cannot enforce --cpus", r.err)
    r = nowhere.run("--cpus", "0.5", "--best-effort", "true")
    r.expect("ok", 0)
    assert r.enforced_by("cpus") == "none"


def test_without_cgroups_doctor_says_so(nowhere):
    r = nowhere.command("doctor")
    assert "none" in r.out
