# SPDX-License-Identifier: MIT
"""tools/check-child finds what the child must not call, directly and through a library."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CC = os.environ.get("CC", "cc")

CLEAN = """
#include <string.h>
static long call(long number)
{
	long r = number;
#if defined(__x86_64__)
	__asm__ volatile("syscall" : "+a"(r) : : "rcx", "r11", "memory");
#endif
	return r;
}
long child(char *to, const char *from, unsigned long n)
{
	memcpy(to, from, n);
	return call(39) + (long)strlen(to);
}
"""


def check(*arguments):
    return subprocess.run(
        [ROOT / "tools/check-child", *arguments], capture_output=True, text=True, check=False
    )


def compiled(directory, name, text):
    source = directory / f"{name}.c"
    source.write_text(text)
    target = directory / f"{name}.o"
    subprocess.run([CC, "-O0", "-w", "-c", source, "-o", target], check=True)
    return target


def library(directory, name, *objects, kind="rcs"):
    target = directory / f"lib{name}.a"
    subprocess.run(["ar", kind, target, *objects], check=True)
    return target


def test_clean_child_passes(tmp_path):
    child = compiled(tmp_path, "child", CLEAN)
    result = check(child)
    assert result.returncode == 0, result.stdout
    assert result.stdout == "check-child: 1 objects of the child, 0 faults\n"
    assert check(library(tmp_path, "jail", child)).returncode == 0


@pytest.mark.parametrize(
    "symbol, statement",
    [
        ("malloc", "extern void *malloc(unsigned long); malloc(n);"),
        ("free", "extern void free(void *); free(to);"),
        ("printf", 'extern int printf(const char *, ...); printf("%d", 1);'),
        ("snprintf", 'extern int snprintf(); snprintf(to, n, "x");'),
        ("pthread_mutex_lock", "extern int pthread_mutex_lock(); pthread_mutex_lock(to);"),
        ("__errno_location", "extern int *__errno_location(void); *__errno_location() = 0;"),
        ("write", "extern long write(); write(2, from, n);"),
        ("syscall", "extern long syscall(long, ...); syscall(39);"),
        ("mount", "extern int mount(); mount(from, to, 0, 0, 0);"),
        ("_exit", "extern void _exit(int); _exit(1);"),
        ("environ", "extern char **environ; to = environ[0];"),
    ],
)
def test_planted_call_is_found(tmp_path, symbol, statement):
    text = CLEAN.replace("memcpy(to", statement + "\nmemcpy(to")
    child = compiled(tmp_path, "child", text)
    result = check(child)
    assert result.returncode == 1
    assert result.stdout.splitlines()[0] == f"child.o uses '{symbol}'"


@pytest.mark.parametrize("kind", ["rcs", "rcsT"])  # meson makes thin ones
def test_found_through_the_objects_it_uses(tmp_path, kind):
    child = compiled(tmp_path, "child", "int step(int); int child(void) { return step(1); }")
    step = compiled(tmp_path, "step", "int deep(int); int step(int n) { return deep(n); }")
    deep = compiled(tmp_path, "deep", "int close(int); int deep(int n) { return close(n); }")
    jail = library(tmp_path, "jail", child, kind=kind)
    kernel = library(tmp_path, "kernel", step, deep, kind=kind)
    result = check(jail, kernel)
    assert result.returncode == 1
    assert result.stdout.splitlines()[0] == (
        "child.o → step in step.o → deep in deep.o uses 'close'"
    )


def test_objects_it_does_not_use_are_free(tmp_path):
    child = compiled(tmp_path, "child", "int step(int); int child(void) { return step(1); }")
    step = compiled(tmp_path, "step", "int step(int n) { return n; }")
    other = compiled(tmp_path, "other", "void *malloc(); void *other(void) { return malloc(1); }")
    kernel = library(tmp_path, "kernel", step, other)
    result = check(library(tmp_path, "jail", child), kernel)
    assert result.returncode == 0, result.stdout


def test_missing_library_is_found(tmp_path):
    child = compiled(tmp_path, "child", "int step(int); int child(void) { return step(1); }")
    result = check(child)
    assert result.returncode == 1
    assert "uses 'step'" in result.stdout


def test_private_function_of_the_same_name_is_no_excuse(tmp_path):
    child = compiled(tmp_path, "child", "int write(int); int child(void) { return write(1); }")
    text = "static int write(int n) { return n; } int (*p)(int) = write;"
    other = compiled(tmp_path, "other", text)
    assert check(child, other).returncode == 1


def test_what_cannot_be_checked_is_no_success(tmp_path):
    assert check().returncode == 2
    assert check(tmp_path / "absent.o").returncode == 2
    (tmp_path / "text.o").write_text("not an object file")
    assert check(tmp_path / "text.o").returncode == 2
    assert check(library(tmp_path, "empty")).returncode == 2
