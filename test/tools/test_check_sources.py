# SPDX-License-Identifier: MIT
"""tools/check-sources finds a file that nobody builds and a test that nobody runs."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def check(root):
    return subprocess.run(
        [ROOT / "tools/check-sources", root], capture_output=True, text=True, check=False
    )


def plant(root, lists, *names):
    area = root / "src/base"
    area.mkdir(parents=True)
    (area / "meson.build").write_text(lists)
    for name in names:
        (area / name).write_text("int unused;\n")


def test_all_are_listed(tmp_path):
    plant(tmp_path, "x = ['a.c', 'b.c']\nforeach name : ['a']\n", "a.c", "b.c", "test-a.c")
    result = check(tmp_path)
    assert (result.returncode, result.stdout) == (0, "")


def test_a_forgotten_source_is_named(tmp_path):
    plant(tmp_path, "x = ['a.c']\n", "a.c", "b.c")
    result = check(tmp_path)
    assert result.returncode == 1
    assert result.stdout == "src/base/b.c: not in the meson.build beside it\n"


def test_a_forgotten_test_is_named(tmp_path):
    """That its source is listed does not list the test."""
    plant(tmp_path, "x = ['a.c']\n", "a.c", "test-a.c")
    result = check(tmp_path)
    assert result.returncode == 1
    assert result.stdout == "src/base/test-a.c: not in the meson.build beside it\n"


def test_an_area_without_lists(tmp_path):
    (tmp_path / "src/new").mkdir(parents=True)
    (tmp_path / "src/new/a.c").write_text("int unused;\n")
    assert check(tmp_path).returncode == 1


def test_nothing_to_check(tmp_path):
    assert check(tmp_path).returncode == 2
