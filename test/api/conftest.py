# SPDX-License-Identifier: MIT
"""Each test has a daemon of its own, as somebody, in directories of its own, and leaves nothing behind."""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

from support import Bulkhead, LeakCheck, begin_session, stray_files  # noqa: E402  (after the line above)
from daemon import Api, Daemon  # noqa: E402

# Not in /tmp, which a box has one of its own of.
BASE = os.environ.get("BULKHEAD_TEST_TMP", "/var/tmp")


def identities():
    return ["root", "user"] if os.geteuid() == 0 else ["user"]


def pytest_generate_tests(metafunc):
    """As root and as an ordinary user: marks root and user say that it is only one of them."""
    if "who" in metafunc.fixturenames:
        marks = {mark.name for mark in metafunc.definition.iter_markers()}
        metafunc.parametrize("who", [w for w in ("root", "user") if w in marks] or ["root", "user"])


def pytest_collection_modifyitems(config, items):
    """Who cannot be here is not skipped, but no test of this session."""
    gone = [i for i in items if hasattr(i, "callspec") and i.callspec.params.get("who", "user") not in identities()]
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
def place(who, leak_check):
    """Where a daemon lives: the user, directories, environment. Also the command line, as the same user."""
    top = tempfile.mkdtemp(prefix="bulkhead-api-", dir=BASE)
    os.chmod(top, 0o755)
    made = Bulkhead(who, top)
    made.env["BULKHEAD_SOCKET"] = str(made.top / "socket")
    yield made
    stray = stray_files(made)
    shutil.rmtree(top, ignore_errors=True)
    assert not stray, f"stray files: {stray}"


@pytest.fixture
def daemon(place):
    """A daemon that listens. Options of its own: daemon.restart("--max-runs", 4)."""
    made = Daemon(place).start()
    yield made
    made.close()


@pytest.fixture
def api(daemon):
    return Api(daemon)
