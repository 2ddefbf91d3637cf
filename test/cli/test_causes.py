# SPDX-License-Identifier: MIT
"""Every cause really made: by the limit that it is named for, by its neighbours', and by fakes."""

import contextlib
import os
import pathlib
import resource
import struct
import subprocess
import time

import pytest

from support import IN_VM, MIB, PYTHON, helper, kernel_reported_oom, seconds, wait_until

vm = pytest.mark.vm
root = pytest.mark.root
user = pytest.mark.user


# ---- memory: whose limit ----


def _removed(group):
    """Those who were in it are dead, but perhaps not gone yet."""
    try:
        group.rmdir()
    except OSError:
        return False
    return True


class GroupAbove:
    """A group with a memory limit, into which a test puts bulkhead and others beside it."""

    def __init__(self, limit):
        self.v2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        top = "/sys/fs/cgroup" if self.v2 else "/sys/fs/cgroup/memory"
        if self.v2 and os.geteuid() != 0:
            top += f"/user.slice/user-{os.geteuid()}.slice/user@{os.geteuid()}.service"
        elif not self.v2:
            top += self._own("memory")
        self.path = pathlib.Path(top, f"test-{os.getpid()}.slice")
        self.path.mkdir()
        (self.path / ("memory.max" if self.v2 else "memory.limit_in_bytes")).write_text(str(limit))
        self._inner = self.path
        if self.v2:
            (self.path / "cgroup.subtree_control").write_text("+memory")
            self._inner = self.path / "inner"
            self._inner.mkdir()
            (self.path / "beside").mkdir()

    @staticmethod
    def _own(controller):
        lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
        return next(line.split(":", 2)[2] for line in lines if line.split(":")[1] == controller)

    def enter(self):
        """For preexec_fn."""
        (self._inner / ("cgroup.procs" if self.v2 else "tasks")).write_text("0")

    def enter_beside(self):
        """The same, into another group below."""
        (self.path / ("beside/cgroup.procs" if self.v2 else "tasks")).write_text("0")

    def remove(self):
        for path in sorted(self.path.glob("**/"), reverse=True):
            wait_until(lambda: _removed(path), what=f"the end of {path}")


@pytest.fixture
def group_above(bulkhead, cgroups):
    """Make a group above by its limit."""
    if not cgroups or (bulkhead.who == "user" and not IN_VM):
        pytest.skip("the ordinary user has no groups here")
    with contextlib.ExitStack() as stack:

        def make(limit):
            made = GroupAbove(limit)
            stack.callback(made.remove)
            return made

        yield make


def expect_ancestor(r, group):
    sure = "certain" if group.v2 or kernel_reported_oom(r) else "likely"
    r.expect("memory_ancestor", 137, confidence=sure, retry="later", suggest={}, signal=9)
    assert f"/{group.path.name}" in r.verdict["summary"]
    assert any(e["fact"] in ("oom", "failcnt") and f"/{group.path.name}/" in e["where"] and e["after"] > e["before"]
               for e in r.verdict["evidence"])


@vm
def test_limit_of_a_group_above(bulkhead, group_above):
    above = group_above(48 * MIB)
    r = bulkhead.run("--memory", "1G", helper("hog"), 512, preexec_fn=above.enter)
    expect_ancestor(r, above)
    assert "limit of 48 MiB of a group above" in r.verdict["summary"]
    assert "others" not in r.verdict["summary"]


@vm
def test_limit_of_a_group_above_that_siblings_filled(bulkhead, group_above):
    """The run is the victim as the largest process, and many small ones beside it used the memory."""
    above = group_above(128 * MIB)
    with contextlib.ExitStack() as stack:
        siblings = [stack.enter_context(subprocess.Popen([helper("hog"), "10", "hold"], stdout=subprocess.PIPE,
                                                         preexec_fn=above.enter_beside)) for _ in range(9)]
        for sibling in siblings:
            stack.callback(sibling.kill)
            assert sibling.stdout.readline() == b"used 10\n"
        r = bulkhead.run("--memory", "1G", helper("hog"), 100, preexec_fn=above.enter)
        assert [s.poll() for s in siblings] == [None] * 9
    expect_ancestor(r, above)
    assert "which others in that group had used most of" in r.verdict["summary"]


@vm
def test_own_limit_below_a_limited_group(bulkhead, group_above):
    """Its own is hit first, and that of the group above is not."""
    above = group_above(256 * MIB)
    r = bulkhead.run("--memory", "48M", helper("hog"), 512, preexec_fn=above.enter)
    r.expect("memory_limit", 137, confidence="certain", retry="larger")


@vm
@root
def test_own_limit_full_of_cache_when_one_above_is_hit(bulkhead, group_above):
    """Its own counter of failures has risen, for reclaim that went well: that is no evidence."""
    above = group_above(64 * MIB)
    bulkhead.file("cache", b"x" * (96 * MIB))
    script = f"cat cache cache >/dev/null; exec {helper('hog')} 512"
    r = bulkhead.run("--memory", "60M", "sh", "-c", script, preexec_fn=above.enter)
    assert r.cause in ("memory_ancestor", "memory_limit")
    if kernel_reported_oom(r):
        assert r.verdict["confidence"] == "certain"
        named = f"{above.path.name} " in r.fact("oom_report")["text"] + " "
        assert (r.cause == "memory_ancestor") == named


@pytest.mark.skipif(not IN_VM, reason="it takes the whole machine's memory")
@vm
@root
def test_host_out_of_memory(bulkhead):
    r = bulkhead.run("--memory", "unlimited", "--timeout", "10m", helper("hog"), 1 << 20, deadline=60)
    sure = kernel_reported_oom(r)
    r.expect("memory_host", 137, confidence="certain" if sure else "likely", retry="later", signal=9, suggest={})
    if sure:
        assert r.fact("oom_report")["text"].endswith("the host had no memory left")


# ---- memory: who was killed ----


@vm
def test_failure_after_the_kill_of_a_child_says_both(bulkhead, cgroups):
    if not cgroups:
        pytest.skip("the kernel kills nobody where nothing counts a run's memory")
    r = bulkhead.run("--memory", "48M", "--oom", "process", "sh", "-c", f"{helper('hog')} 512; exit 3")
    r.expect("exit_nonzero", 3, confidence="certain", retry="no", exit_code=3)
    assert r.verdict["summary"].startswith("exited with 3 after ")
    assert "was OOM-killed at the run's memory limit of 48 MiB" in r.verdict["summary"]
    if kernel_reported_oom(r):
        assert [(v["comm"], v["leader"]) for v in r.verdict["victims"]] == [("hog", False)]
        assert "after hog[" in r.verdict["summary"]
    assert len(r.verdict["contributing"]) == 1


@vm
def test_exit_0_after_the_kill_of_a_child_is_ok(bulkhead, cgroups):
    """An OOM kill that is raced by a good end, in the mode that ends the run for one victim."""
    if not cgroups:
        pytest.skip("the kernel kills nobody where nothing counts a run's memory")
    r = bulkhead.run("--memory", "48M", "--oom", "process", "sh", "-c", f"{helper('hog')} 512; exit 0")
    r.expect("ok", 0, confidence="certain")
    assert "OOM killer" in r.verdict["contributing"][0]


# ---- limits that refuse ----


def can_watch(bulkhead):
    """Whether bulkhead may trace here: as root, with the types of the kernel, and with the host's pids."""
    first = os.stat("/proc/self/ns/pid").st_ino == 0xEFFFFFFC
    return bulkhead.who == "root" and first and os.path.exists("/sys/kernel/btf/vmlinux")


def sees_refusals(bulkhead, cgroups):
    """Whether bulkhead sees here what the kernel refuses: those of a v2 group."""
    v2 = any(os.path.exists(f"/sys/fs/cgroup/{d}cgroup.procs") for d in ("", "unified/"))
    return can_watch(bulkhead) and cgroups and v2


@pytest.fixture
def seen(bulkhead, cgroups):
    return sees_refusals(bulkhead, cgroups)


def ulimit(what, soft, hard=None):
    """For preexec_fn: a limit that bulkhead inherits, and the run from it."""
    return lambda: resource.setrlimit(what, (soft, hard or soft))


# what is inherited limits bulkhead too, and the sanitizers need more than any limit
@pytest.fixture(params=["asked", pytest.param("inherited", marks=pytest.mark.release_only)])
def limited(request, bulkhead):
    """Run with a limit of each process, either bulkhead's own or one that it had itself."""
    options = {resource.RLIMIT_AS: "--address-space", resource.RLIMIT_FSIZE: "--file-size"}

    def run(what, value, *words):
        if request.param == "asked":
            return bulkhead.run(options[what], value, *words)
        # what it writes itself is no longer than that
        r = bulkhead.run("--no-record", *words, preexec_fn=ulimit(what, value))
        assert "(inherited: ulimit -" in r.verdict["summary"] + " ".join(r.verdict["contributing"])
        assert r.verdict["suggest"] == {}
        return r

    run.inherited = request.param == "inherited"
    return run


def expect_suggestion(r, limited, limit, least):
    if not limited.inherited:
        assert r.verdict["suggest"]["limit"] == limit and r.verdict["suggest"]["value"] > least
        assert f"try --{limit.replace('_', '-')} " in r.err
    elif r.cause == limit or r.cause == f"{limit}_limit":
        assert r.fact("inherited_limit")["after"] == least


@vm
def test_address_space_is_too_small_for_exec(bulkhead, limited):
    """Face one: killed within exec, and not a byte of output. How large its file is anybody may see."""
    program = bulkhead.file("large", large_program(), 0o755)
    r = limited(resource.RLIMIT_AS, 32 * MIB, program)
    r.expect("address_space", 139, confidence="likely", retry="larger", exit_code=None, signal=11)
    assert r.out == "" and r.err.count("\n") == 1
    assert r.fact("image_bytes")["after"] >= 64 * MIB
    assert "in its exec" in r.verdict["summary"]
    expect_suggestion(r, limited, "address_space", 32 * MIB)


def large_program():
    """An ELF program that exits with 0 and has 64 MiB of nothing."""
    code = bytes.fromhex("b83c00000031ff0f05")  # mov $60,%eax; xor %edi,%edi; syscall
    at = 0x400000
    head = struct.pack("<4sBBBxxxxxxxxxHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 2, 62, 1, at + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 7, 0, at, at, 120 + len(code), 64 * MIB, 4096)
    return head + segment + code


@vm
def test_large_program_without_a_limit(bulkhead):
    """What the test above runs is a good program."""
    bulkhead.run(bulkhead.file("large", large_program(), 0o755)).expect("ok", 0)


@vm
def test_address_space_is_too_small_for_the_loader(limited, seen):
    """Face two: a library cannot be mapped."""
    r = limited(resource.RLIMIT_AS, 9 * MIB, PYTHON, "-S", "-c", "")
    r.expect("address_space", 127, confidence="certain" if seen else "likely", retry="larger", exit_code=127)
    expect_suggestion(r, limited, "address_space", 9 * MIB)
    if seen:
        assert r.fact("refused_mappings")["after"] >= 1
    else:
        # by what its file takes, or by its peak where somebody looked in time
        assert "its address space limit of 9 MiB" in r.verdict["summary"]


@vm
def test_address_space_is_too_small_for_python(limited, seen):
    """Face three: it says so and exits."""
    r = limited(resource.RLIMIT_AS, 256 * MIB, PYTHON, "-c", "x = bytearray(1 << 30)")
    assert "MemoryError" in r.err
    if not seen:
        r.expect("exit_nonzero", 1, retry="no")
        assert any("address space was limited to 256 MiB" in c for c in r.verdict["contributing"])
        return
    r.expect("address_space", 1, confidence="certain", retry="larger", exit_code=1)
    assert "about 1 GiB more were refused at the address space limit of 256 MiB" in r.verdict["summary"]
    assert "bytes of virtual" not in r.fact("refused_mappings")["text"]
    expect_suggestion(r, limited, "address_space", 256 * MIB)


@vm
@pytest.mark.parametrize("how,status", [("segv", 139), ("abort", 134), ("exit", 3)])
def test_address_space_is_refused_and_not_looked_at(bulkhead, seen, how, status):
    """Face four, and what else a program may do."""
    r = bulkhead.run("--address-space", "64M", helper("greedy"), 512, how)
    assert r.out == "refused\n"
    if seen:
        r.expect("address_space", status, confidence="certain", retry="larger")
        assert r.verdict["suggest"]["value"] > 512 * MIB
    else:
        assert r.cause in ("crash", "exit_nonzero") and r.status == status
        assert any("address space was limited to 64 MiB" in c for c in r.verdict["contributing"])


@vm
def test_address_space_that_fills_up_slowly(bulkhead):
    """Who is not told of refusals looks at the peak now and then."""
    slow = "import time\nl = []\nwhile True:\n    l.append(bytearray(4 << 20))\n    time.sleep(0.005)\n"
    r = bulkhead.run("--address-space", "256M", PYTHON, "-c", slow)
    r.expect("address_space", 1, retry="larger", exit_code=1)
    assert r.fact("virtual_peak_bytes")["after"] > 200 * MIB


@vm
def test_refusal_that_the_program_gets_over(bulkhead, seen):
    r = bulkhead.run("--address-space", "64M", helper("greedy"), 512, "ignore")
    r.expect("ok", 0)
    if seen:
        assert any("512 MiB of address space was refused to greedy[" in c or
                   "514 MiB of address space was refused to greedy[" in c for c in r.verdict["contributing"])
    r = bulkhead.run("--address-space", "64M", helper("greedy"), 512, "linger")
    r.expect("exit_nonzero", 7, retry="no")


@vm
def test_words_are_no_evidence_of_address_space(bulkhead):
    r = bulkhead.run("--address-space", "64M", "sh", "-c", "echo MemoryError >&2; exit 1")
    r.expect("exit_nonzero", 1, retry="no")
    r = bulkhead.run("--address-space", "64M", "sh", "-c", "/no/such/program")
    r.expect("exit_nonzero", 127, retry="no")


# ---- file size ----


@vm
def test_file_size_kills(limited, seen):
    r = limited(resource.RLIMIT_FSIZE, MIB, helper("flood"), 4, "/tmp/file")
    r.expect("file_size_limit", 153, confidence="certain" if seen else "likely", retry="larger", signal=25)
    expect_suggestion(r, limited, "file_size", MIB)


@vm
def test_file_size_refuses(limited, seen):
    """Python ignores SIGXFSZ, and is told EFBIG."""
    if not seen:
        pytest.skip("what is refused is not visible to an ordinary user")
    r = limited(resource.RLIMIT_FSIZE, MIB, PYTHON, "-c", "open('/tmp/file', 'wb').write(b'x' * (4 << 20))")
    r.expect("file_size_limit", 1, confidence="certain", retry="larger", exit_code=1)
    assert r.fact("refused_writes")["after"] >= 1
    assert "File too large" in r.err


@vm
def test_file_size_of_a_child(bulkhead, seen):
    r = bulkhead.run("--file-size", "1M", "sh", "-c", f"{helper('flood')} 4 /tmp/file; exit $?")
    if seen:
        r.expect("file_size_limit", 153, confidence="likely", exit_code=153)
        assert "refused to flood[" in r.verdict["summary"]
    else:
        r.expect("exit_nonzero", 153)
        assert any("SIGXFSZ" in c for c in r.verdict["contributing"])


@vm
@root
def test_file_size_is_pretended(bulkhead, seen):
    if not seen:
        pytest.skip("who pretends is not seen through without a trace")
    r = bulkhead.run("--file-size", "1M", "sh", "-c", "kill -XFSZ $$")
    r.expect("crash", 153, retry="no", signal=25)


# ---- CPU time ----


@vm
def test_inherited_cpu_time_warns(bulkhead):
    r = bulkhead.run(helper("spin"), 1, preexec_fn=ulimit(resource.RLIMIT_CPU, 1, 30))
    r.expect("cpu_time_limit", 152, retry="no", signal=24)
    assert "1 s (inherited: ulimit -t)" in r.verdict["summary"]
    assert r.fact("inherited_limit")["after"] == 1_000_000


@vm
def test_inherited_cpu_time_kills(bulkhead):
    r = bulkhead.run(helper("spin"), 1, preexec_fn=ulimit(resource.RLIMIT_CPU, 1))
    r.expect("cpu_time_limit", 137, retry="no", signal=9)
    assert r.verdict["killer"] is None


@vm
def test_cpu_time_is_pretended(bulkhead):
    r = bulkhead.run("--cpu-time", "20s", "sh", "-c", "kill -XCPU $$")
    r.expect("crash", 152, retry="no", signal=24)


# ---- processes and disks ----


@vm
def test_refused_fork_that_ends_it(bulkhead, cgroups):
    fork = "import os, time\nfor i in range(9):\n    if os.fork() == 0:\n        time.sleep(60)\n"
    if not cgroups:
        if bulkhead.who == "root":
            pytest.skip("nothing counts root's processes here")
        # nothing counts refusals: that it had all it could have has to be seen first
        fork = fork.replace("range(9)", "range(5)") + "time.sleep(0.5)\n" + fork
    r = bulkhead.run("--pids", 6, PYTHON, "-c", fork)
    r.expect("pids_limit", 1, confidence="likely", retry="larger", exit_code=1)
    assert r.verdict["suggest"] == {"limit": "pids", "value": 9, "unit": "count"}
    assert "try --pids 9" in r.err
    if cgroups:
        assert r.fact("pids_max")["after"] >= 1


@vm
def test_full_disk(bulkhead):
    r = bulkhead.run("--tmp-size", "4M", helper("flood"), 8, "/tmp/file")
    r.expect("disk_limit", 3, confidence="likely", retry="larger", exit_code=3)
    assert "its own /tmp full (4 MiB)" in r.verdict["summary"]
    disk = r.fact("disk_free_bytes")
    assert (disk["where"], disk["after"]) == ("/tmp", 0)
    assert r.verdict["suggest"]["limit"] == "tmp_size" and "try --tmp-size 6M" in r.err


@vm
def test_disk_that_was_full_and_is_not_any_more(bulkhead):
    r = bulkhead.run("--tmp-size", "4M", "sh", "-c", f"{helper('flood')} 8 /tmp/file; rm /tmp/file; exit 3")
    r.expect("exit_nonzero", 3)


@vm
def test_full_disk_that_did_not_matter(bulkhead):
    r = bulkhead.run("--tmp-size", "4M", "sh", "-c", f"{helper('flood')} 8 /tmp/file; exit 0")
    r.expect("ok", 0, contributing=[])


# ---- who pretends ----


@vm
def test_killed_is_only_a_word(bulkhead):
    r = bulkhead.run("--memory", "64M", "sh", "-c", f"{helper('hog')} 30; echo Killed >&2; exit 137")
    r.expect("exit_nonzero", 137, confidence="certain", retry="no", exit_code=137, victims=[], suggest={})


@vm
def test_suicide_with_much_memory(bulkhead, cgroups):
    """What it looks like is its limit; what it is nobody but its sender's trace can tell for sure."""
    script = f"{helper('hog')} 50 hold & sleep {seconds(0.2)}; kill -9 $$"
    r = bulkhead.run("--memory", "64M", "sh", "-c", script)
    assert r.cause in ("crash", "external_kill") and r.status == 137
    assert r.verdict["victims"] == [] and r.verdict["suggest"] == {}
    if can_watch(bulkhead):
        r.expect("crash", 137, confidence="certain", retry="no", signal=9)
    else:
        assert r.verdict["confidence"] == "likely"
    if cgroups:
        assert r.fact("oom_kill")["after"] == 0


NAMES = ["x,pid=1,uid=0", "oom-kill:constr", ",task_memcg=/x", "\x1b[2Jx", "systemd-oomd"]


@vm
@pytest.mark.parametrize("name", NAMES)
def test_name_of_a_victim_is_not_believed(bulkhead, cgroups, name):
    if not cgroups:
        pytest.skip("the kernel kills nobody where nothing counts a run's memory")
    code = (f"import ctypes\nctypes.CDLL(None).prctl(15, {name.encode()!r}, 0, 0, 0)\n"
            "x = [bytearray(1 << 20) for _ in range(1 << 10)]\n")
    r = bulkhead.run("--memory", "48M", PYTHON, "-c", code)
    r.expect("memory_limit", 137, confidence="certain", retry="larger")
    assert "\x1b" not in r.err
    if r.verdict["victims"]:
        assert [(v["comm"], v["leader"]) for v in r.verdict["victims"]] == [(name[:15].replace("\x1b", "\\x1b"), True)] \
            or r.verdict["victims"][0]["comm"] == name[:15]


# ---- what came first ----


@vm
@pytest.mark.release_only
def test_timeout_races_with_oom(bulkhead, cgroups):
    """Whichever comes first: the cause and the counters agree with each other."""
    if not cgroups:
        pytest.skip("the kernel kills nobody where nothing counts a run's memory")
    began = time.monotonic()
    bulkhead.run("--memory", "48M", helper("hog"), 512).expect("memory_limit", 137)
    typical = time.monotonic() - began
    causes = set()
    for i in range(12):
        limit = f"{max(1, int(typical * 1000 * i / 10))}ms"
        r = bulkhead.run("--memory", "48M", "--timeout", limit, "--grace", 0, helper("hog"), 512)
        causes.add(r.cause)
        kills = r.fact("oom_kill")["after"] if "oom_kill" in r.facts() else 0
        if r.cause == "memory_limit":
            assert kills > 0 and r.status == 137
        elif r.cause == "wall_timeout":
            assert r.status == 124 and (kills == 0 or any("OOM killer" in c for c in r.verdict["contributing"]))
        else:
            r.expect("setup_failed", 125)
    assert "wall_timeout" in causes or "memory_limit" in causes


@vm
@pytest.mark.release_only
def test_oom_races_with_exit_0(bulkhead, cgroups):
    """In the mode that ends a run for one victim, a leader may be quicker: it has still exited with 0."""
    if not cgroups:
        pytest.skip("the kernel kills nobody where nothing counts a run's memory")
    for i in range(8):
        r = bulkhead.run("--memory", "32M", "sh", "-c", f"{helper('hog')} 512 & sleep 0.0{i}; exit 0", deadline=30)
        if r.cause == "ok":
            assert (r.status, r.verdict["exit_code"]) == (0, 0)
        else:
            r.expect("memory_limit", 137)
            assert r.fact("oom_kill")["after"] > 0


# ---- system calls ----

X32_GETPID = "import ctypes; ctypes.CDLL(None).syscall(0x40000000 + 39)"

# A filter of its own, which kills for getppid.
OWN_FILTER = """
import ctypes, struct
program = [(0x20, 0, 0, 0), (0x15, 0, 1, 110), (6, 0, 0, 0x80000000), (6, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *op) for op in program))
libc = ctypes.CDLL(None)
fprog = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, fprog) == 0
libc.getppid()
"""


def expect_denied(r, name):
    """Certain and by name where the kernel's log has it."""
    r.expect("syscall_denied", 159, retry="no", exit_code=None, signal=31)
    if r.verdict["confidence"] == "certain":
        assert f"made the system call {name}, for which" in r.verdict["summary"]
        assert r.fact("denied_system_call")["text"] == name
    else:
        assert "denied_system_call" not in r.facts()
        assert "not visible to an ordinary user" in r.err or "log does not say" in r.err


def try_until_certain(run):
    """The kernel writes few audit records into its log at once: once in a while one is missing."""
    for _ in range(4):
        r = run()
        if r.verdict["confidence"] == "certain":
            break
        time.sleep(1.5)
    return r


@vm
def test_foreign_system_call(bulkhead):
    r = bulkhead.run(PYTHON, "-c", X32_GETPID)
    expect_denied(r, "getpid (x32)")
    if bulkhead.who == "user":
        assert r.verdict["confidence"] == "likely"


@vm
@root
def test_denied_system_call_is_named(bulkhead):
    policy = bulkhead.file("policy.yaml", "extends: default\nsyscalls: {deny: ['mkdir:kill', 'mkdirat:kill']}\n")
    r = try_until_certain(lambda: bulkhead.run("--policy", policy, "mkdir", "/tmp/x"))
    expect_denied(r, "mkdir")
    r.expect("syscall_denied", 159, confidence="certain")


@vm
@root
def test_filter_of_its_own_is_not_ours(bulkhead):
    r = try_until_certain(lambda: bulkhead.run(PYTHON, "-c", OWN_FILTER))
    r.expect("crash", 159, retry="no", signal=31)
    assert r.fact("denied_system_call")["text"] == "getppid"
