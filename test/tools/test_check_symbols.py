# SPDX-License-Identifier: MIT
"""tools/check-symbols finds names that are defined twice, wherever the second definition is."""

import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CC = os.environ.get("CC", "cc")


def check(*arguments):
    return subprocess.run(
        [ROOT / "tools/check-symbols", *arguments], capture_output=True, text=True, check=False
    )


def archive(directory, name, text):
    source, built = directory / f"{name}.c", directory / f"{name}.o"
    target = directory / f"lib{name}.a"
    source.write_text(text)
    subprocess.run([CC, "-O0", "-w", "-fno-builtin", "-c", source, "-o", built], check=True)
    subprocess.run(["ar", "rcs", target, built], check=True)
    return str(target)


def build(directory, ours, link_args):
    """A build directory as meson notes it."""
    notes = directory / "meson-info"
    notes.mkdir()
    targets = [{"type": "static library", "filename": [path]} for path in ours]
    targets.append({"type": "executable", "filename": ["/nowhere"]})
    (notes / "intro-targets.json").write_text(json.dumps(targets))
    (notes / "intro-dependencies.json").write_text(json.dumps([{"link_args": link_args}]))
    return directory


@pytest.fixture
def library(tmp_path):
    return archive(tmp_path, "theirs", "int load(void) { return 1; }\n"
                   "__attribute__((weak)) int soft(void) { return 2; }\n"
                   "static int hidden(void) { return 3; }\nint (*use)(void) = hidden;\n")


def test_names_of_our_own_pass(tmp_path, library):
    """Static ones and what is only called do not count."""
    ours = archive(tmp_path, "ours", "int load(void); static int hidden(void) { return 1; }\n"
                   "int bulk_load(void) { return load() + hidden(); }\n")
    result = check(build(tmp_path, [ours], [library]))
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout == "check-symbols: 1 archives of ours, 2 of others, 0 faults\n"


@pytest.mark.parametrize("name, text", [
    ("load", "int load(void) { return 9; }"),
    ("soft", "int soft(void) { return 9; }"),
    ("load", "int load = 9;"),
    ("use", "__attribute__((weak)) int use;"),
])
def test_clash_with_a_library(tmp_path, library, name, text):
    ours = archive(tmp_path, "ours", text)
    result = check(build(tmp_path, [ours], [library]))
    assert result.returncode == 1
    assert f"'{name}' of libours.a is also in {library}\n" in result.stdout


def test_clash_with_the_c_library(tmp_path, library):
    ours = archive(tmp_path, "ours", "void qsort(void) {}")
    result = check(build(tmp_path, [ours], [library]))
    assert result.returncode == 1
    assert "'qsort' of libours.a is also in " in result.stdout


def test_clash_behind_a_linker_script(tmp_path, library):
    """As libm.a is one."""
    script = tmp_path / "libscript.a"
    script.write_text(f"/* GNU ld script */\nGROUP ( {library} )\n")
    ours = archive(tmp_path, "ours", "int load(void) { return 9; }")
    assert check(build(tmp_path, [ours], [str(script)])).returncode == 1


def test_clash_of_our_own(tmp_path, library):
    ours = [archive(tmp_path, name, "int twice(void) { return 9; }") for name in ("one", "two")]
    result = check(build(tmp_path, ours, [library]))
    assert result.returncode == 1
    assert result.stdout.startswith("'twice' is in libone.a and in libtwo.a\n")


@pytest.mark.parametrize("spoil", ["no-arguments", "no-build", "no-library", "no-archive"])
def test_what_cannot_be_checked_is_no_pass(tmp_path, library, spoil):
    ours = archive(tmp_path, "ours", "int mine(void) { return 9; }")
    broken = tmp_path / "libbroken.a"
    broken.write_bytes(b"!<arch>\nnothing of the kind")
    arguments = {
        "no-arguments": lambda: [],
        "no-build": lambda: [tmp_path / "missing"],
        "no-library": lambda: [build(tmp_path, [ours], [])],
        "no-archive": lambda: [build(tmp_path, [str(broken)], [library])],
    }[spoil]()
    result = check(*arguments)
    assert result.returncode == 2
    assert result.stderr
