# SPDX-License-Identifier: MIT
"""Programs that execute as fast as they can, until what is kept of it has no room: nothing grows, nothing gets by."""

import json
import os
import pathlib
import subprocess
import time

import pytest

from support import IN_VM, MIB, SANITIZED, descendants, program, run_time, seconds

LOG_MAX = 64 * MIB
# Of a warden, with 16 MiB for the calls of a run that are in flight.
MEMORY_MAX = 48 * MIB
# From the time-out until bulkhead has ended: several hundred processes die, in all states.
BOUND = seconds(2)

POLICY = """
extends: default
exec: {{mode: enforce, default: allow, rules: [{{deny: foreign}}]}}
env: {{set: {{PATH: "{path}"}}}}
"""


def tools():
    return pathlib.Path(os.environ.get("BULKHEAD_EXEC_ATTACKS", program().parents[1] / "test/exec"))


def memory_peak(pid):
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return max((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), default=0)


def is_warden(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text() == "bulkhead-warden\n"
    except OSError:
        return False


class Seen:
    """What was seen of a flood."""

    def __init__(self):
        self.memory = self.log = 0
        self.over = None  # when it was enough, after the start
        self.wardens = []

    def look(self, process, log):
        self.wardens = self.wardens or [pid for pid in descendants(process.pid) if is_warden(pid)]
        self.memory = max([self.memory, *map(memory_peak, self.wardens)])
        self.log = max([self.log, *(path.stat().st_size for path in log.glob("runs/*/exec.jsonl"))])


def flood(bulkhead, limit, *words, options=(), enough=lambda seen: False, bound=BOUND):
    """Let it flow for @limit seconds, or until it is @enough; what was seen, and the result. Nothing foreign was started."""
    policy = bulkhead.file("policy.yaml", POLICY.format(path=f"{tools()}:{bulkhead.env['PATH']}"))
    out, err = (open(bulkhead.top / name, "w+b") for name in ("out", "err"))  # they never hold anybody up
    seen, began = Seen(), time.monotonic()
    with out, err, bulkhead.background("--policy", policy, "--timeout", run_time(limit), *options, "--", *words,
                                       stdout=out, stderr=err) as process:
        while process.poll() is None:
            assert time.monotonic() - began < seconds(limit) + 60, "it does not end"
            seen.look(process, bulkhead.state)
            if enough(seen) and not seen.over:
                process.terminate()
                seen.over = time.monotonic() - began
            time.sleep(0.01)
        result = bulkhead.finish(process, began=began)
        result.verdict = bulkhead.read_verdict(process.verdict_path)
        result.stdout = (out.seek(0), out.read())[1]
    print(bulkhead.who, f"{result.duration:.2f} s, {seen.memory >> 10} KiB,", result.verdict["exec"] | {"incidents": 0})
    result.expect(*(("cancelled", 143) if seen.over else ("wall_timeout", 124)))
    assert result.out == "ready\n"
    assert result.duration < (seen.over or seconds(limit)) + bound
    assert result.verdict["exec"]["warden_lost"] is None
    assert SANITIZED or 0 < seen.memory < MEMORY_MAX, f"{seen.memory >> 10} KiB"
    return seen, result


def check_log(text, said, processes):
    """
    Each exec is either a line or said to be missing, but for those that were in flight when the last process died: the
    verdict does not wait for what is told of them. What is no line was cut off by a disk without room.
    """
    whole, cut = [], 0
    for line in text.split(b"\n"):
        try:
            whole += [json.loads(line)["outcome"]] if line else []
        except ValueError:
            cut += 1
    assert {"started", "refused"} <= set(whole) <= {"started", "refused", "failed"}
    told = sum(said[key] for key in ("started", "refused", "killed", "failed"))
    assert abs(len(whole) + said["log_dropped"] - told) <= processes, said
    assert said["log_dropped"] > 0
    return cut


def flood_words(kind, processes, size, word, *names):
    return [tools() / "exec-flood", kind, processes, size, word, *(tools() / name for name in names)]


@pytest.mark.skipif(IN_VM, reason="an emulated processor is not fast enough")
def test_log_reaches_its_bound(bulkhead):
    """And stays below it to the end; what is denied stays that."""
    full = []

    def half_a_second_longer(seen):
        if seen.log > LOG_MAX - 64 * 1024:
            full.append(time.monotonic())
        return full and full[-1] - full[0] > 0.5

    seen, result = flood(bulkhead, 60, *flood_words("every", 8, 8192, 4096, "foreign", "foreign", "foreign", "own"),
                         enough=half_a_second_longer)
    log, = bulkhead.state.glob("runs/*/exec.jsonl")
    assert LOG_MAX - 64 * 1024 < log.stat().st_size <= LOG_MAX and seen.log <= LOG_MAX
    assert check_log(log.read_bytes(), result.verdict["exec"], 8) == 0
    if bulkhead.who == "user":
        shown = bulkhead.command("show", "--execs", result.verdict["id"], stdout=subprocess.DEVNULL)
        assert shown.status == 0, shown.err


def test_disk_is_full(bulkhead):
    """Twice: in between there is room again, behind a line that was cut off."""
    bulkhead.state.mkdir()
    bulkhead.own(bulkhead.state)
    kept = bulkhead.own(bulkhead.file("kept", below=bulkhead.top))
    script = f"""
        mount -t tmpfs -o mode=755,size=8m none "$0" && head -c 4M /dev/zero >"$0/ballast" || exit 9
        (sleep 1; rm "$0/ballast") &
        "$@"; status=$?
        wait; cat "$0"/runs/*/exec.jsonl >{kept}; exit $status
    """
    bulkhead.wrapper = ["unshare", "-m" if bulkhead.who == "root" else "-Urm", "sh", "-c", script, bulkhead.state]
    _, result = flood(bulkhead, 2, *flood_words("every", 12, 8192, 4096, "own", "foreign"))
    text = kept.read_bytes()
    assert 5 * MIB < len(text) < 8 * MIB
    assert check_log(text, result.verdict["exec"], 12) <= 2


@pytest.mark.user
@pytest.mark.skipif(IN_VM, reason="an emulated processor is not fast enough")
@pytest.mark.parametrize("size, word", [(2000000, 65536), (200000, 2)])
def test_megabytes_of_arguments(bulkhead, size, word):
    """Of hundreds of processes that share them, and that hardly get to run beside others of the same box."""
    words = " ".join(map(str, flood_words("idle", 200, size, word, "own")))
    flood(bulkhead, 2, "sh", "-c", f"for i in 1 2 3 4; do (while :; do :; done) & done; exec {words}",
          bound=seconds(10))  # to die they need the processor, which others of this machine may want


def test_bomb_that_executes(bulkhead):
    """Of what it may have all is in use, all the time: whoever executes makes room for another."""
    words = flood_words("bomb", 8, 8192, 4096, "own", "foreign")
    _, result = flood(bulkhead, 1, *words, options=("--pids", 64))
    said = result.verdict["exec"]
    assert said["started"] > 0 and said["refused"] > 0, said
