# SPDX-License-Identifier: MIT
"""Each cause, from a real end of a real program: exit status, confidence, advice and evidence."""

import os
import signal
import subprocess

import pytest

from support import MIB, PYTHON, IN_VM, helper, kernel_reported_oom, run_time, seconds, wait_until

vm = pytest.mark.vm


# ---- by itself ----


@vm
def test_ok(bulkhead):
    r = bulkhead.run("true")
    r.expect("ok", 0, confidence="certain", retry="no", exit_code=0, signal=None, argv=["true"],
             policy="default", attempt=1, victims=[], killer=None, contributing=[], suggest={})
    assert r.err == ""
    assert r.fact("wait_status")["text"] == "exited with 0"
    assert 0 < r.verdict["usage"]["wall_us"] < r.duration * 1e6
    assert r.verdict["started"] < r.verdict["ended"]


@vm
@pytest.mark.parametrize("code", [1, 42, 124, 125, 126, 127, 137, 139, 143, 255])
def test_exit_nonzero(bulkhead, code):
    """Whatever other tools take it for, an exit status is the program's own: 137 is no signal."""
    r = bulkhead.run("sh", "-c", f"exit {code}")
    r.expect("exit_nonzero", code, confidence="certain", retry="no", exit_code=code, signal=None,
             victims=[], killer=None, suggest={})
    assert r.err.startswith(f"bulkhead: exit_nonzero: exited with {code} after ")
    assert r.err.count("\n") == 1


@vm
@pytest.mark.parametrize("fault", ["segv", "abrt", "fpe", "ill", "bus"])
def test_crash_of_a_fault(bulkhead, fault):
    number = getattr(signal, f"SIG{fault.upper()}")
    r = bulkhead.run(helper("fault"), fault)
    r.expect("crash", 128 + number, confidence="certain", retry="no", exit_code=None, signal=number)
    assert f"SIG{fault.upper()}" in r.verdict["summary"]


def test_crash_of_a_raise(bulkhead):
    r = bulkhead.run("sh", "-c", "kill -SEGV $$")
    r.expect("crash", 139, retry="no", exit_code=None, signal=11)


@vm
def test_kill_of_itself_is_neither_memory_nor_external(bulkhead):
    r = bulkhead.run_at_once("--memory", "64M", "sh", "-c", "kill -9 $$")
    r.expect("crash", 137, retry="no", exit_code=None, signal=9, victims=[], suggest={})
    assert "raise" in r.verdict["summary"]


def test_kill_of_itself_with_all_counters_at_rest(bulkhead, cgroups):
    """What did not rise is evidence too: no OOM kill accounts for the SIGKILL."""
    r = bulkhead.run_at_once("--memory", "64M", "sh", "-c", "kill -9 $$").expect("crash", 137)
    if cgroups:
        oom = r.fact("oom_kill")
        assert (oom["before"], oom["after"]) == (0, 0)


def test_own_term_is_a_crash(bulkhead):
    bulkhead.run_at_once("sh", "-c", "kill -TERM $$").expect("crash", 143, signal=15, retry="no")


# ---- memory ----


def expect_out_of_memory(r, limit, rung):
    r.expect("memory_limit", 137, confidence="certain", retry="larger", exit_code=None, signal=9)
    assert r.verdict["limits"]["memory"]["value"] == limit
    assert r.verdict["suggest"]["limit"] == "memory"
    assert r.verdict["suggest"]["value"] > limit
    assert "try --memory" in r.err
    if rung == "none":
        assert r.enforced_by("memory") == "sampled"
        assert r.fact("memory_sampled")["after"] > limit
        return
    assert r.enforced_by("memory") in ("cgroup-v1", "cgroup-v2")
    oom = r.fact("oom_kill")
    assert oom["before"] == 0 and oom["after"] >= 1
    assert oom["where"].endswith(("memory.events.local", "memory.events", "memory.oom_control"))
    assert limit - 4 * MIB <= r.verdict["usage"]["memory_peak_bytes"] <= limit + MIB


def expect_victim(r, comm, leader):
    if not kernel_reported_oom(r):
        return
    assert [(v["comm"], v["leader"]) for v in r.verdict["victims"]] == [(comm, leader)]
    assert f"killed {comm}[" in r.err


@vm
def test_memory_limit(bulkhead, rung):
    r = bulkhead.run("--memory", "64M", helper("hog"), 1024, "hold")
    expect_out_of_memory(r, 64 * MIB, rung)
    if rung != "none":
        expect_victim(r, "hog", True)


@pytest.mark.release_only
def test_memory_limit_of_python_beside_an_undisturbed_neighbour(bulkhead, rung):
    with bulkhead.background("--memory", "64M", helper("hog"), 32, "hold",
                             stdout=subprocess.PIPE) as neighbour:
        assert neighbour.stdout.readline() == b"used 32\n"
        code = "x = bytearray(300 << 20); import time; time.sleep(30)"
        if rung != "none":
            code = "x = bytearray(300 << 20)"
        r = bulkhead.run("--memory", "64M", "--", PYTHON, "-c", code)
        assert neighbour.poll() is None
        neighbour.send_signal(signal.SIGTERM)
        neighbour.wait(seconds(10))
        beside = bulkhead.read_verdict(neighbour.verdict_path)
    expect_out_of_memory(r, 64 * MIB, rung)
    if rung != "none":
        expect_victim(r, "python3", True)
    assert beside["cause"] == "cancelled" and beside["victims"] == []
    assert not [e for e in beside["evidence"] if e["fact"] == "oom_kill" and e["after"] > 0]


@vm
def test_memory_limit_counts_all_processes_together(bulkhead, rung):
    hog = helper("hog")
    r = bulkhead.run("--memory", "64M", "sh", "-c", f"{hog} 40 hold & {hog} 40 hold & wait")
    if rung == "none":
        r.expect("memory_limit", 137, confidence="certain")
    else:
        r.expect("memory_limit", 137, retry="larger")


@vm
def test_tmp_counts_as_memory(bulkhead, cgroups):
    if not cgroups:
        pytest.skip("without a cgroup only resident memory is looked at")
    r = bulkhead.run("--memory", "32M", helper("flood"), 100, "/tmp/file")
    r.expect("memory_limit", 137)


@vm
def test_oom_group_leaves_no_half_killed_tree(bulkhead, cgroups):
    """The default: one victim is the end of the run, and the leader does not go on."""
    if not cgroups:
        pytest.skip("the kernel kills nobody where nothing counts a run's memory")
    r = bulkhead.run("--memory", "64M", "sh", "-c",
                     f"{helper('hog')} 1024; {helper('stubborn')}; echo went on", deadline=20)
    assert "went on" not in r.out
    r.expect("memory_limit", 137, retry="larger")


@vm
def test_oom_process_lets_the_leader_live(bulkhead, cgroups):
    if not cgroups:
        pytest.skip("the kernel kills nobody where nothing counts a run's memory")
    r = bulkhead.run("--memory", "64M", "--oom", "process", helper("hog"), 1024, "fork")
    r.expect("ok", 0, confidence="certain", retry="no", exit_code=0, signal=None)
    assert r.out == "child 9\n"
    assert len(r.verdict["contributing"]) == 1
    assert "OOM killer" in r.verdict["contributing"][0]
    assert r.fact("oom_kill")["after"] >= 1
    if kernel_reported_oom(r):
        assert [(v["comm"], v["leader"]) for v in r.verdict["victims"]] == [("hog", False)]
        assert "hog[" in r.verdict["contributing"][0]


def test_oom_process_whose_victim_is_the_leader(bulkhead, rung):
    if rung == "none":
        pytest.skip("the kernel kills nobody where nothing counts a run's memory")
    r = bulkhead.run("--memory", "64M", "--oom", "process", helper("hog"), 1024)
    expect_out_of_memory(r, 64 * MIB, rung)


# ---- time ----


@vm
def test_wall_timeout_of_the_obedient(bulkhead):
    r = bulkhead.run("--timeout", run_time(1), "--grace", "1h", helper("stubborn"), "polite", "7")
    r.expect("wall_timeout", 124, confidence="certain", retry="no", exit_code=7, signal=None)
    assert r.out == "ready\nbye\n"
    assert r.fact("wall_timeout")["where"] == "supervisor"
    assert r.verdict["usage"]["wall_us"] >= seconds(1) * 1e6


@vm
def test_wall_timeout_of_the_deaf(bulkhead):
    r = bulkhead.run("--timeout", run_time(1), "--grace", run_time(0.2), helper("stubborn"))
    r.expect("wall_timeout", 124, confidence="certain", retry="no", exit_code=None, signal=9)
    assert "SIGTERM did not end it, SIGKILL did" in r.verdict["summary"]
    assert r.verdict["usage"]["wall_us"] >= seconds(1.2) * 1e6
    assert r.verdict["timing"]["kill_us"] > 0


def test_no_grace_kills_at_once(bulkhead):
    r = bulkhead.run("--timeout", run_time(1), "--grace", 0, helper("stubborn"), "polite", "0")
    r.expect("wall_timeout", 124, signal=9)
    assert r.out == "ready\n"


def test_wall_timeout_is_no_ok_even_if_it_ends_with_0(bulkhead):
    r = bulkhead.run("--timeout", run_time(1), helper("stubborn"), "polite", "0")
    r.expect("wall_timeout", 124, exit_code=0, retry="no")


@vm
def test_idle_timeout(bulkhead):
    r = bulkhead.run("--idle-timeout", run_time(1), "--grace", run_time(0.2), helper("stubborn"))
    r.expect("idle_timeout", 124, confidence="certain", retry="no")
    assert r.out == "ready\n"
    assert r.enforced_by("idle_timeout") == "supervisor"


def test_output_puts_the_idle_timeout_off(bulkhead):
    script = "for i in $(seq 13); do echo $i; sleep %g; done" % seconds(0.1)
    r = bulkhead.run("--idle-timeout", run_time(1), "sh", "-c", script)
    r.expect("ok", 0)
    assert r.out == "".join(f"{i}\n" for i in range(1, 14))


@vm
@pytest.mark.parametrize("n", [1, 4])
def test_cpu_time_limit(bulkhead, n):
    """Of all processes together: four of them use it up in a quarter of the time each."""
    r = bulkhead.run("--cpu-time", "400ms", "--grace", run_time(0.2), helper("spin"), n)
    r.expect("cpu_time_limit", r.status, confidence="certain", retry="no")
    assert r.status in (143, 137, 152)
    assert r.enforced_by("cpu_time") in ("supervisor", "sampled")
    if bulkhead.rung() != "none":
        used = r.verdict["usage"]["cpu_user_us"] + r.verdict["usage"]["cpu_system_us"]
        assert 400_000 <= used < 1_000_000 * (3 if IN_VM else 1)


# ---- other limits ----


@vm
def test_output_limit(bulkhead):
    r = bulkhead.run("--output-limit", "1M", helper("flood"), 100)
    r.expect("output_limit", 137, confidence="certain", retry="larger", signal=9)
    assert MIB <= len(r.stdout) < 4 * MIB
    assert r.enforced_by("output") == "supervisor"
    assert r.fact("output_limit")["after"] > MIB
    assert r.verdict["suggest"]["limit"] == "output" and r.verdict["suggest"]["value"] > MIB
    assert r.verdict["usage"]["output"]["seen_bytes"] >= MIB


def test_output_below_the_limit(bulkhead):
    r = bulkhead.run("--output-limit", "2M", helper("flood"), 1)
    r.expect("ok", 0)
    assert len(r.stdout) == MIB


@vm
def test_file_size_limit(bulkhead):
    r = bulkhead.run("--file-size", "1M", helper("flood"), 10, "big")
    r.expect("file_size_limit", 128 + signal.SIGXFSZ, retry="larger", signal=signal.SIGXFSZ)
    assert (bulkhead.cwd / "big").stat().st_size == MIB
    assert r.verdict["suggest"]["limit"] == "file_size"
    assert r.enforced_by("file_size") == "rlimit"


@vm
def test_refused_forks_are_told(bulkhead, rung):
    """The program goes on without the processes that it did not get; the verdict says how many."""
    if rung == "none" and bulkhead.who == "root":
        pytest.skip("nothing counts root's processes here")
    r = bulkhead.run("--pids", 8, helper("bomb"), 20)
    r.expect("ok", 0)
    if rung == "none":
        assert r.enforced_by("pids") == "rlimit"
        assert 1 < int(r.out) <= 7  # what makes the box counts too, until it is gone
        return
    assert int(r.out) == 7
    assert r.fact("pids_max")["after"] >= 1
    assert any("refused" in c and "limit of 8" in c for c in r.verdict["contributing"])
    assert r.verdict["usage"]["pids_peak"] in (8, None)


def test_seccomp_kill_is_told(bulkhead):
    """x32 system calls are what the filter kills for; numbers above 2^30 are those."""
    code = ("import ctypes; libc = ctypes.CDLL(None, use_errno=True);"
            "print(libc.syscall(0x40000000 + 39))")
    r = bulkhead.run("--", PYTHON, "-c", code)
    r.expect("syscall_denied", 128 + signal.SIGSYS, retry="no")


# ---- by somebody ----


@vm
@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_cancelled(bulkhead, sig):
    with bulkhead.background("sh", "-c", "echo ready; exec sleep 100", stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"ready\n"
        p.send_signal(sig)
        assert p.wait(seconds(20)) == 128 + sig
        err = p.stderr.read().decode()
    verdict = bulkhead.read_verdict(p.verdict_path)
    assert (verdict["cause"], verdict["confidence"], verdict["retry"]) == ("cancelled", "certain", "no")
    assert verdict["signal"] == sig
    assert f"pid {os.getpid()}" in verdict["summary"]
    assert err.startswith("bulkhead: cancelled: ")


def test_cancelled_though_it_ends_well(bulkhead):
    with bulkhead.background(helper("stubborn"), "polite", "0", stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"ready\n"
        p.send_signal(signal.SIGTERM)
        p.wait(seconds(20))
        assert p.stdout.read() == b"bye\n"
    verdict = bulkhead.read_verdict(p.verdict_path)
    assert verdict["cause"] == "cancelled" and verdict["exit_code"] == 0


def test_second_signal_kills_at_once(bulkhead):
    with bulkhead.background("--grace", "1h", helper("stubborn"), stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"ready\n"
        p.send_signal(signal.SIGTERM)
        wait_until(lambda: not _pending(p.pid, signal.SIGTERM), what="taking the first signal")
        p.send_signal(signal.SIGTERM)
        assert p.wait(seconds(20)) == 137
    assert bulkhead.read_verdict(p.verdict_path)["cause"] == "cancelled"


def _pending(pid, sig):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        masks = [int(line.split()[1], 16) for line in status if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask >> (sig - 1) & 1 for mask in masks)


# ---- it never ran ----


@vm
@pytest.mark.parametrize("command", ["no-such-program", "/no/such/program", "./missing"])
def test_not_found(bulkhead, command):
    r = bulkhead.run(command)
    r.expect("not_found", 127, confidence="certain", retry="no", exit_code=None, signal=None)
    assert r.err.startswith(f"bulkhead: not_found: '{command}' was not found")


def test_missing_interpreter_is_told(bulkhead):
    bulkhead.file("script", "#!/no/such/interpreter\n", 0o755)
    r = bulkhead.run("./script")
    r.expect("not_found", 127)
    assert "interpreter" in r.err


@vm
@pytest.mark.parametrize("mode,text", [(0o644, "#!/bin/sh\n"), (0o755, "\x7fELF garbage")])
def test_not_executable(bulkhead, mode, text):
    bulkhead.file("program", text, mode)
    r = bulkhead.run("./program")
    r.expect("not_executable", 126, confidence="certain", retry="no", exit_code=None, signal=None)


def test_directory_is_not_executable(bulkhead):
    bulkhead.file("dir/inside")
    bulkhead.run("./dir").expect("not_executable", 126)


@vm
def test_setup_failed(bulkhead):
    r = bulkhead.run("--workdir", "/no/such/directory", "true")
    r.expect("setup_failed", 125, exit_code=None, signal=None)
    assert "'/no/such/directory'" in r.err and "(blame: request)" in r.err
    assert r.err.count("\n") == 1
    assert r.fact("setup_failed")["text"]


# ---- how it is told ----


def test_quiet_says_nothing_of_the_end(bulkhead):
    r = bulkhead.run("--quiet", "sh", "-c", "exit 3")
    r.expect("exit_nonzero", 3)
    assert r.err == ""


def test_verdict_to_a_descriptor(bulkhead):
    read, write = os.pipe()
    r = bulkhead.command("run", "--verdict", f"fd:{write}", "true", pass_fds=[write])
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    assert r.status == 0
    assert text.startswith('{"id":') and text.endswith("}\n") and text.count("\n") == 1


def test_verdict_replaces_a_file_as_a_whole(bulkhead):
    old = bulkhead.file("verdict.json", "old")
    kept = bulkhead.cwd / "kept"
    os.link(old, kept)
    assert bulkhead.command("run", "--verdict", "verdict.json", "true").status == 0
    assert bulkhead.read_verdict(old)["cause"] == "ok"
    assert kept.read_text() == "old"


def test_hostile_arguments_stay_inside_the_json(bulkhead):
    words = ['"', "\\", "a\nb", "\x1b[31m", "ü", b"\xff\xfe"]
    r = bulkhead.run("true", *words)
    assert r.verdict["argv"][:6] == ["true", '"', "\\", "a\nb", "\x1b[31m", "ü"]
    assert set(r.verdict["argv"][6]) == {"base64"}
    r = bulkhead.run("\x1b[31mred\nfake: line")
    assert r.status == 127
    assert "\x1b" not in r.err and r.err.count("\n") == 1
