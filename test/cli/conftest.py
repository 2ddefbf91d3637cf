# SPDX-License-Identifier: MIT
"""Each test runs as somebody, in directories of its own, and leaves nothing behind."""

import os
import shutil
import tempfile

import pytest

from support import IN_VM, Bulkhead, LeakCheck, begin_session, stray_files

# Not in /tmp, which a box has one of its own of.
BASE = os.environ.get("BULKHEAD_TEST_TMP", "/var/tmp")


def identities():
    """Who this session can be. In the VM the ordinary user has a session of its own."""
    if os.geteuid() != 0:
        return ["user"]
    return ["root"] if IN_VM else ["root", "user"]


def wanted(markers):
    names = {m.name for m in markers}
    return [w for w in ("root", "user") if w in names] or ["root", "user"]


def pytest_generate_tests(metafunc):
    if "who" in metafunc.fixturenames:
        metafunc.parametrize("who", wanted(metafunc.definition.iter_markers()))


def pytest_collection_modifyitems(config, items):
    """Who cannot be here is not skipped, but no test of this session."""
    there = identities()
    gone = [i for i in items if hasattr(i, "callspec") and i.callspec.params.get("who", there[0]) not in there]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [i for i in items if i not in gone]


def pytest_sessionstart():
    begin_session()


@pytest.fixture(autouse=True)
def leak_check():
    """The first to be set up and the last to be torn down."""
    check = LeakCheck()
    yield check
    leaks = check.leaks()
    assert not leaks, "the test left behind:\n" + "\n".join(leaks)


@pytest.fixture
def bulkhead(who, leak_check):
    """The program as root and as an ordinary user: one test for each (marks root and user: only one)."""
    top = tempfile.mkdtemp(prefix="bulkhead-test-", dir=BASE)
    os.chmod(top, 0o755)
    made = Bulkhead(who, top)
    yield made
    stray = stray_files(made)
    shutil.rmtree(top, ignore_errors=True)
    assert not stray, f"stray files: {stray}"


@pytest.fixture
def rung(bulkhead):
    return bulkhead.rung()


@pytest.fixture
def cgroups(rung):
    """True where the kernel counts and limits a run as a whole."""
    return rung != "none"
