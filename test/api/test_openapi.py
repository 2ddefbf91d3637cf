# SPDX-License-Identifier: MIT
"""docs/openapi.yaml: a validator takes it, and it tells of the same routes, words and limits as the program."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from support import program, schema, seconds

TOP = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = TOP / "docs/openapi.yaml"
VALIDATOR = "@seriousme/openapi-schema-validator@2.2.3"
# What npm says when there is nobody to ask.
OFFLINE = re.compile(r"ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|ENOTCACHED|network")


def documented():
    """{path: {method: its text}}. The document is laid out plainly, so lines tell."""
    paths, path, method = {}, None, None
    for line in DOCUMENT.read_text().split("\ncomponents:")[0].splitlines():
        if match := re.fullmatch(r"  (/\S*):", line):
            path = paths.setdefault(match[1], {})
        elif path is not None and (match := re.fullmatch(r"    (get|post|put|delete|patch):", line)):
            method = match[1].upper()
            path[method] = ""
        elif path is not None and method in path:
            path[method] += line + "\n"
    return paths


def words_of(name):
    """The words of an enum in the document."""
    text = DOCUMENT.read_text()
    return set(re.split(r",\s*", re.search(name + r":\n\s+enum: \[([^]]+)\]", text)[1]))


def rows_of(file, pattern):
    return re.findall(pattern, (TOP / "src" / file).read_text())


def validate(document):
    try:
        return subprocess.run(["npx", "--yes", "--package", VALIDATOR, "validate-api", document], capture_output=True, text=True,
                              timeout=seconds(120), stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm does not answer in time")


@pytest.mark.skipif(not shutil.which("npx"), reason="no npx")
def test_a_validator_takes_it(tmp_path):
    good = validate(DOCUMENT)
    if good.returncode and OFFLINE.search(good.stderr):
        pytest.skip("npm cannot be reached: " + good.stderr.strip().splitlines()[0])
    assert good.returncode == 0, good.stdout + good.stderr
    assert '"valid": true' in good.stdout
    bad = tmp_path / "bad.yaml"
    bad.write_text(DOCUMENT.read_text().replace("  /healthz:\n    get:", "  /healthz:\n    gets:"))
    assert '"valid": true' not in validate(bad).stdout


def test_it_has_every_route():
    routes = rows_of("server/routes.c", r'\{"(GET|POST|DELETE)",\s+"(/[^"]*)"')
    assert len(routes) > 20
    program_has = {(method, path) for method, path in routes}
    document_has = {(method, re.sub(r"\{\w+\}", "*", path)) for path, methods in documented().items() for method in methods}
    assert document_has == program_has
    text = (TOP / "docs/api.md").read_text()
    for method, path in program_has:
        words = path.replace("*", "NAME" if "policies" in path else "ID")
        assert words in text or ("…/" + path.rsplit("/", 1)[1]) in text, words


def test_it_has_every_parameter():
    """Those of the table of routes, by their names in query.c."""
    names = {"WAIT": "Wait", "NOW": "Now", "GONE": "Gone"}
    for method, path, queries in rows_of("server/routes.c", r'\{"(GET|POST|DELETE)",\s+"(/[^"]*)",\s+BODY_\w+,\s+\w+,\s+([^,]*),'):
        told = documented()[re.sub(r"\*", "{name}" if "policies" in path else "{id}", path)][method]
        wanted = set(re.findall(r"Q\((\w+)\)", queries))
        there = {q for q, ref in names.items() if f"parameters/{ref}'" in told} | {q.upper() for q in re.findall(r"- name: (\w+)\n\s+in: query", told)}
        assert there == wanted, (method, path)


def test_it_has_every_word():
    assert words_of("error") == set(rows_of("server/problem.c", r'\[PROBLEM_\w+\] = \{\d+, "[^"]+", "(\w+)"'))
    assert words_of("    Cause") == set(schema("verdict")["properties"]["cause"]["enum"])
    limits = re.search(r"\n    Limits:\n(.*?)\n    Policy:", DOCUMENT.read_text(), re.DOTALL)[1]
    told = set(re.findall(r"\n        ([\w-]+): \{", limits))
    rows = rows_of("model/limits.c", r'\[LIMIT_\w+\] = \{"(\w+)", "--([\w-]+)"')
    assert told == {name for row in rows for name in row} | {"oom", "grace"}
    members = {}
    for name, kinds in rows_of("model/codec-api.c", r'\n\t\{"(\w+)", take_\w+, (\w+)\}'):
        members[name] = kinds
    for part, kinds in (("NewRun", ("RUNS", "ALONE", "ALL")), ("NewRunInBox", ("RUNS", "ALL")), ("NewBox", ("ALONE", "ALL"))):
        text = re.search(rf"\n    {part}:\n(.*?)\n    \w+:\n", DOCUMENT.read_text(), re.DOTALL)[1]
        assert set(re.findall(r"\n        (\w+): \{", text)) == {name for name, kind in members.items() if kind in kinds}, part
