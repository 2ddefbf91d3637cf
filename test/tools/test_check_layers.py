# SPDX-License-Identifier: MIT
"""tools/check-layers finds each kind of planted violation, and nothing in a clean tree."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def check(root):
    return subprocess.run(
        [ROOT / "tools/check-layers", root], capture_output=True, text=True, check=False
    )


def plant(root, path, *includes):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"#include {i}\n" for i in includes) + "int unused;\n")


CLEAN = [
    ("src/base/a.c", '"base/a.h"', "<stdio.h>", "<time.h>"),
    ("src/kernel/a.c", '"kernel/a.h"', '"base/a.h"', "<linux/seccomp.h>"),
    ("src/model/a.c", '"model/a.h"', '"base/a.h"', '"default-filter.h"'),
    ("src/model/codec-a.c", "<jansson.h>", "<libfyaml.h>"),
    ("src/model/test-codec-a.c", "<jansson.h>", "<cmocka.h>"),
    ("src/model/filter.c", "<seccomp.h>"),
    ("src/model/test-filter.c", "<seccomp.h>"),
    ("src/jail/a.c", '"jail/a.h"', '"kernel/a.h"', '"model/a.h"', '"base/a.h"'),
    ("src/run/a.c", '"run/a.h"', '"jail/a.h"', '"kernel/a.h"', "<uv.h>"),
    ("src/store/a.c", '"store/a.h"', '"model/a.h"', "<sqlite3.h>"),
    ("src/server/a.c", '"server/a.h"', '"store/a.h"', '"run/a.h"'),
    ("src/cli/a.c", '"cli/a.h"', '"server/a.h"', '"run/a.h"', '"kernel/a.h"'),
    ("src/a.c", '"cli/a.h"', '"base/a.h"'),
]

# A file, what it must not include, and a part of what is said.
PLANTED = [
    ("src/base/x.c", '"kernel/a.h"', "base must not include 'kernel/a.h'"),
    ("src/base/x.h", '"model/a.h"', "base must not include"),
    ("src/kernel/x.c", '"model/a.h"', "kernel must not include"),
    ("src/kernel/x.h", '"run/a.h"', "kernel must not include"),
    ("src/model/x.c", '"kernel/a.h"', "model must not include"),
    ("src/model/x.c", '"run/a.h"', "model must not include"),
    ("src/model/test-x.c", '"kernel/a.h"', "model must not include"),
    ("src/jail/x.c", '"run/a.h"', "jail must not include"),
    ("src/run/x.c", '"store/a.h"', "run must not include"),
    ("src/run/x.c", '"cli/a.h"', "run must not include"),
    ("src/store/x.c", '"run/a.h"', "store must not include"),
    ("src/store/x.c", '"kernel/a.h"', "store must not include"),
    ("src/server/x.c", '"cli/a.h"', "server must not include"),
    ("src/x.c", '"run/a.h"', "a main must not include"),
    ("src/base/x.c", "<model/a.h>", "base must not include"),
    ("src/base/deep/x.c", '"model/a.h"', "base must not include"),
    ("src/base/x.c", '"a.h"', "must be written as"),
    ("src/base/x.c", '"other/a.h"', "must be written as"),
    ("src/base/x.c", '"../model/a.h"', "must be written from src/"),
    ("src/base/x.c", '"base/../model/a.h"', "must be written from src/"),
    ("src/base/x.c", "HEADER", "must name its file"),
    ("src/misc/x.c", '"base/a.h"', "'misc' is no area"),
    ("src/model/x.c", "<jansson.h>", "'jansson.h' must not be known here"),
    ("src/cli/codec-x.c", "<jansson.h>", "must not be known here"),
    ("src/model/policy.c", "<libfyaml.h>", "must not be known here"),
    ("src/model/x.c", "<sqlite3.h>", "must not be known here"),
    ("src/run/x.c", '<sqlite3.h>', "must not be known here"),
    ("src/kernel/x.c", "<seccomp.h>", "must not be known here"),
    ("src/model/filter-x.c", "<seccomp.h>", "must not be known here"),
]


@pytest.fixture(name="tree")
def fixture_tree(tmp_path):
    for path, *includes in CLEAN:
        plant(tmp_path, path, *includes)
    return tmp_path


def test_clean_tree_passes(tree):
    result = check(tree)
    assert result.returncode == 0, result.stdout
    assert result.stdout == f"check-layers: {len(CLEAN)} files, 0 faults\n"


@pytest.mark.parametrize("path, include, said", PLANTED)
def test_planted_violation_is_found(tree, path, include, said):
    plant(tree, path, "<stddef.h>", include)
    result = check(tree)
    assert result.returncode == 1
    first, last = result.stdout.splitlines()
    line = 1 if "no area" in said else 2
    assert first.startswith(f"{path}:{line}: ") and said in first
    assert last.endswith(" 1 faults")


@pytest.mark.parametrize("spelling", ['#  include "model/a.h"', ' #include"model/a.h"'])
def test_spelling_does_not_hide_it(tree, spelling):
    (tree / "src/base/x.c").write_text(spelling + "\n")
    assert check(tree).returncode == 1


def test_nothing_to_check_is_no_success(tmp_path):
    result = check(tmp_path)
    assert result.returncode == 2
    assert "no C files" in result.stderr
