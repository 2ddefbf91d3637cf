# SPDX-License-Identifier: MIT
"""Every cause really made: by the limit that it is named for, by its neighbours', and by fakes."""

import contextlib
import os
import pathlib
import subprocess

import pytest

from support import IN_VM, MIB, helper, kernel_reported_oom, seconds, wait_until

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
