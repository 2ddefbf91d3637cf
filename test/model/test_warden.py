# SPDX-License-Identifier: MIT
"""warden.pml holds what it promises, and spin finds out when it does not."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "test/model/warden.pml"
CC = os.environ.get("CC", "cc")
# What `unless` and `provided` say of other processes is not known to the partial-order reduction.
PAN = ["-O2", "-w", "-DNOREDUCE", "-DMEMLIM=1500"]
ACTS = os.environ.get("BULKHEAD_MODEL_ACTS", "2")

# What a variant takes away: what spin has to say of it, and which property (a part of its text) that is.
BROKEN = {
    "SHUTDOWN_TWICE": ("assertion violated", "begun==1"),
    "NO_BOUND": ("assertion violated", "coordinator!="),
    "CONTINUE_IS_TRUSTED": ("assertion violated", "verified["),
    "NO_EXITKILL": ("assertion violated", "verified["),
    "WAIT_FOR_A_TASK": ("assertion violated", "task[0]"),
    "BLOCKING_RECV": ("assertion violated", "late"),
    "NUMBERS_ARE_KEPT": ("assertion violated", "late"),
    "NO_REAPING": ("invalid end state", ""),
    "STOP_IS_NOT_SEEN": ("assertion violated", "task[0]"),
    "STOP_IS_NOT_SEEN_AT_LAST": ("assertion violated", "late"),
    "LISTENER_IS_LEAKED": ("assertion violated", "task[0]"),
    "INTERRUPT_IS_LAST": ("assertion violated", "task[0]"),
    "HANG_UP_IS_KEPT": ("acceptance cycle", ""),
}


def spin(directory, *, ltl=None, defines=()):
    """Search all states. The one fault that was found ("" if none) and how many states there are."""
    if not shutil.which("spin"):
        pytest.fail("spin is not installed: tools/install-deps test")
    shutil.copy(MODEL, directory)
    run = lambda *command: subprocess.run(
        command, cwd=directory, capture_output=True, text=True, check=True, timeout=900).stdout
    run("spin", "-a", *(f"-D{d}" for d in defines), MODEL.name)
    liveness = ["-DNFAIR=3"] if ltl else ["-DSAFETY", "-DNOCLAIM"]
    run(CC, *PAN, *liveness, "-o", "pan", "pan.c")
    output = run("./pan", "-m10000", *(["-a", "-f", "-N", ltl] if ltl else []))
    fault = re.search(r"^pan:1: (.*)$", output, re.MULTILINE)
    assert fault or "Search not completed" not in output, output
    assert "max search depth too small" not in output, output
    return fault[1] if fault else "", int(re.search(r"(\d+) states, stored", output)[1])


@pytest.mark.parametrize("defines", [[f"ACTS={ACTS}"], ["ACTS=1", "EARLY"], ["ACTS=1", "THREADS"]],
                         ids=["long-bounds", "early-bounds", "threads"])
def test_no_deadlock_and_no_unverified_exec(tmp_path, defines):
    fault, states = spin(tmp_path, defines=defines)
    assert fault == ""
    assert states > 200_000  # it has looked at something


@pytest.mark.parametrize("ltl", ["ends", "answered"])
def test_always_ends_and_answers(tmp_path, ltl):
    fault, states = spin(tmp_path, ltl=ltl, defines=["ACTS=1"])
    assert fault == ""
    assert states > 100_000


@pytest.mark.parametrize("variant", BROKEN)
def test_a_broken_design_is_found(tmp_path, variant):
    kind, property_text = BROKEN[variant]
    ltl = "ends" if kind == "acceptance cycle" else None
    fault, _ = spin(tmp_path, ltl=ltl, defines=["ACTS=1", f"BROKEN_{variant}"])
    assert fault.startswith(kind) and property_text in fault, fault


def test_every_broken_variant_is_tried():
    assert set(re.findall(r"#ifn?def BROKEN_(\w+)", MODEL.read_text())) == BROKEN.keys()


def enumerators(text, pattern):
    body = re.search(pattern + r"\s*=?\s*{(.*?)}", text, re.DOTALL)[1]
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    return [word.split("=")[0].strip() for word in body.split(",") if word.strip()]


@pytest.mark.parametrize("name, header, only_model, only_code", [
    ("coordinator_state", "src/warden/coordinator.h", set(), set()),
    ("call_state", "src/warden/call.h", {"CALL_NONE"}, set()),
    ("warden_state", "src/run/warden.h", set(), {"WARDEN_NONE"}),
])
def test_states_are_named_as_in_the_code(name, header, only_model, only_code):
    """All of them, but for having none."""
    model = set(enumerators(MODEL.read_text(), f"mtype:{name}"))
    code = {w for w in enumerators((ROOT / header).read_text(), f"enum {name}") if not w.endswith("_COUNT_")}
    assert len(model) > 3
    assert (model - code, code - model) == (only_model, only_code)
