# SPDX-License-Identifier: MIT
"""Work that executes a lot goes on as ever under an exec policy: a C project with make, a package with npm."""

import json
import shutil
import tarfile

import pytest

ALLOWING = """
extends: default
exec: {mode: enforce, default: allow, rules: [{deny: git push}, {deny: curl}, {deny: npm publish}]}
"""

MAKEFILE = """
OBJECTS = $(patsubst %.c,%.o,$(wildcard *.c))
program: $(OBJECTS)
\t$(CC) -o $@ $^ && ./$@
%.o: %.c
\t@echo compiling $< | cat >/dev/null
\t$(CC) -O1 -pipe -c -o $@ $<
"""


def project(bulkhead, n):
    """A C project of @n files and a main."""
    for i in range(n):
        bulkhead.file(f"part{i}.c", f"#include <stdio.h>\nint part{i}(void) {{ return printf(\"{i}\\n\"); }}\n")
    calls = " ".join(f"int part{i}(void);" for i in range(n)), " ".join(f"part{i}();" for i in range(n))
    bulkhead.file("main.c", f"{calls[0]}\nint main(void) {{ {calls[1]} return 0; }}\n")
    bulkhead.file("Makefile", MAKEFILE)


@pytest.mark.skipif(shutil.which("gcc") is None or shutil.which("make") is None, reason="there is no make or gcc")
def test_make_in_parallel(bulkhead):
    project(bulkhead, 12)
    policy = bulkhead.file("policy.yaml", ALLOWING)
    result = bulkhead.run("--policy", policy, "--", "make", "-j2").expect("ok", 0)
    assert result.out.splitlines()[-1] == "11"
    told = result.verdict["exec"]
    # make, and for each file gcc, its compiler and assembler; then the linker's two, and the program
    assert told["started"] > 12 * 3 and told["refused"] == 0, told
    assert (bulkhead.cwd / "program").exists()


INSTALL = """
const fs = require('fs'), {execFileSync} = require('child_process');
const said = execFileSync('sh', ['-c', 'echo $(uname -s)']).toString().trim();
fs.writeFileSync('installed.txt', said);
"""
FORBIDDEN = "try { require('child_process').execFileSync('git', ['push']); } catch (e) { console.error(e.code); process.exit(4); }\n"


def package(bulkhead, name, script):
    """A package with an install script, as a tarball: no registry is asked."""
    about = {"name": name, "version": "1.0.0", "scripts": {"install": "node install.js"}, "bin": "cli.js"}
    bulkhead.file(f"{name}/package.json", json.dumps(about))
    bulkhead.file(f"{name}/install.js", script)
    bulkhead.file(f"{name}/cli.js", "#!/usr/bin/env node\nconsole.log('hello of the package');\n", mode=0o755)
    path = bulkhead.file(f"{name}.tgz")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(bulkhead.cwd / name, "package")
    bulkhead.file("package.json", json.dumps({"name": "user", "version": "1.0.0", "private": True}))
    return f"./{name}.tgz"


NPM = ["npm", "install", "--offline", "--no-audit", "--no-fund", "--foreground-scripts", "--cache", "./cache"]
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm")


@needs_npm
def test_npm_install(bulkhead):
    tarball = package(bulkhead, "harmless", INSTALL)
    policy = bulkhead.file("policy.yaml", ALLOWING)
    result = bulkhead.run("--policy", policy, "--", *NPM, tarball).expect("ok", 0)
    assert (bulkhead.cwd / "node_modules/harmless/installed.txt").read_text() == "Linux"
    assert result.verdict["exec"]["refused"] == 0
    result = bulkhead.run("--policy", policy, "--", "node_modules/.bin/harmless").expect("ok", 0)
    assert result.out == "hello of the package\n"


@needs_npm
def test_an_install_script_is_judged(bulkhead):
    """What a package runs when it is installed is what it is for a worm."""
    tarball = package(bulkhead, "harmful", FORBIDDEN)
    policy = bulkhead.file("policy.yaml", ALLOWING)
    result = bulkhead.run("--policy", policy, "--", *NPM, tarball)
    assert result.status != 0, result.err
    assert "EPERM" in result.out + result.err
    assert result.verdict["exec"]["refused"] == 1
