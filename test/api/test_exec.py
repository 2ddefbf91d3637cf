# SPDX-License-Identifier: MIT
"""Exec policies in the daemon's boxes: a warden for each, many runs at once, and what becomes of them when it is lost."""

import contextlib
import json
import os
import signal
import time

import pytest

from daemon import Api, cause, exit_code, held, living, meanwhile
from support import SANITIZED, descendants, helper, seconds, wait_until

RULES = [{"deny": "touch", "hint": "write with cat"}, {"deny": "swap bood"}]
POLICY = {"extends": "default", "exec": {"mode": "enforce", "rules": RULES}}
# How many boxes are made and removed: 1000 with BULKHEAD_BOXES=1000.
BOXES = int(os.environ.get("BULKHEAD_BOXES", "40"))


def wardens(daemon):
    """Not of the boxes that are being made: none is in one yet."""
    return [pid for pid, (comm, inside, _) in daemon.children().items() if comm == "bulkhead-warden" and not inside]


@pytest.fixture
def box(api):
    return api.box(policy=POLICY)


def told(run):
    """What the verdict says of its execs."""
    return run["verdict"]["exec"]


def lost(run):
    return told(run)["warden_lost"] is not None


# ---- what is allowed, refused, killed ----


def allowed(api, box):
    run = api.run(["sh", "-c", "ls / >/dev/null; exit 7"], box=box)
    assert (cause(run), exit_code(run), told(run)["started"]) == ("exit_nonzero", 7, 2)


def refused_inside(api, box):
    """The caller hears EPERM, whoever reads hears why, and the run goes on."""
    run = api.run(["sh", "-c", "touch /tmp/x; echo $?; exit 0"], box=box)
    output = api.output(run["id"])
    assert output["stdout"] == b"126\n" and b"write with cat" in output["stderr"], output
    assert cause(run) == "ok" and told(run)["refused"] >= 1


def refused_itself(api, box):
    run = api.run(["touch", "/tmp/x"], box=box)
    assert (cause(run), run["exit_status"], exit_code(run)) == ("exec_denied", 126, None), run
    assert "touch" in run["verdict"]["summary"]


def killed_inside(api, box):
    run = api.run([helper("swap"), "3000"], box=box)
    assert api.out(run) == "killed 1 foreign 0\n" and told(run)["killed"] == 1, run


KINDS = [allowed, refused_inside, refused_itself, killed_inside]


def failing(api, box):
    """A script without an interpreter: the kernel does not execute what was allowed, and the caller tries at once another way."""
    script = "echo 'exit 3' > /tmp/$$; chmod +x /tmp/$$; for i in $(seq 20); do env /tmp/$$; done"
    run = api.run(["sh", "-c", script], box=box)
    assert (exit_code(run), told(run)["refused"], told(run)["killed"]) == (3, 0, 0), run


@pytest.mark.parametrize("kind", [*KINDS, failing])
def test_one_run(api, box, kind):
    kind(api, box)


def test_sixteen_at_once(daemon, api, box):
    """Each with its own result, by one warden; and nothing is left of them."""
    meanwhile(lambda kind: kind(api, box), *((KINDS[i % 4],) for i in range(16)))
    assert len(wardens(daemon)) == 1
    assert api.get("/v1/stats")["execs_killed"] == 4


@pytest.mark.root
def test_more_runs_than_a_busy_warden_is_told_of(daemon, api):
    """Its socket is full for a while: those that come then begin when it has room, not never."""
    daemon.restart("--max-runs", 200)
    box = api.box(policy=POLICY)
    allowed(api, box)
    (warden,) = wardens(daemon)
    with held(warden), contextlib.closing(api.connect()) as connection:
        runs = [api.run(["true"], box=box, wait=False, connection=connection)["id"] for _ in range(120)]
        api.request("DELETE", f"/v1/runs/{runs[-1]}?wait=1&now=1").expect(200)
    assert {cause(api.ended(run)) for run in runs[:-1]} == {"ok"}
    assert wardens(daemon) == [warden]


def test_a_box_of_its_own(daemon, api):
    run = api.run(["sh", "-c", "touch /tmp/x; exit 5"], policy=POLICY)
    assert exit_code(run) == 5 and told(run)["refused"] >= 1
    wait_until(lambda: not wardens(daemon), what="the end of the warden")


def test_on_a_terminal(api, box):
    run = api.run(["sh", "-c", "touch /tmp/x; exit 6"], box=box, tty=True)
    assert exit_code(run) == 6 and b"write with cat" in api.output(run["id"])["stdout"]


def test_audit_refuses_nothing(api):
    audit = api.box(policy={"extends": "default", "exec": {"mode": "audit", "rules": RULES}})
    run = api.run(["sh", "-c", "touch /tmp/x && exit 9"], box=audit)
    assert exit_code(run) == 9 and told(run)["mode"] == "audit" and told(run)["refused"] == 1


def test_execs_are_kept(place, api, box):
    run = api.run(["sh", "-c", "touch /tmp/x; ls / >/dev/null"], box=box)
    lines = (place.state / "runs" / run["id"] / "exec.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert {e["outcome"] for e in events if e["outcome"] != "failed"} == {"started", "refused"}
    assert {e["argv"][0] for e in events if e["outcome"] == "refused"} == {"touch"}


# ---- nothing grows ----


@pytest.mark.root
def test_three_hundred_runs_leave_nothing(daemon, api, box):
    def some(n):
        with contextlib.closing(api.connect()) as connection:
            for i in range(n):
                kind = ["sh", "-c", "touch /tmp/x; exit 4"] if i % 2 else ["touch", "/tmp/x"]
                assert api.run(kind, box=box, connection=connection)["exit_status"] == (4 if i % 2 else 126)

    def figures():
        (warden,) = wardens(daemon)
        return daemon.figures() | {"descriptors of warden": len(os.listdir(f"/proc/{warden}/fd"))}

    some(60)
    before = wait_until(lambda: figures(), what="figures")
    some(300)
    more = 1 << 20 if SANITIZED else 1024  # KiB; what is freed is kept aside by a sanitizer
    wait_until(lambda: all(n <= before[what] + (more if what.startswith("KiB") else 4) for what, n in figures().items()),
               what=f"as much as before: {before}, {figures()}")


@pytest.mark.root
def test_boxes_come_and_go(daemon, api):
    """Made and removed, four at a time, with and without a run in them."""
    def some(n):
        for i in range(n):
            made = api.box(policy=POLICY)
            if i % 2:
                refused_itself(api, made)
            api.remove(made)

    some(4)
    wait_until(lambda: not wardens(daemon), what="the end of the wardens")
    before = daemon.pipes()
    meanwhile(some, *((BOXES // 4,) for _ in range(4)))
    assert not wardens(daemon) and not daemon.inits()
    wait_until(lambda: daemon.pipes() <= before + 2, what="as many descriptors as before")


# ---- a warden that is lost ----


def loop_of_execs(api, box):
    """It executes until something is refused, and says so by its exit code."""
    return api.run(["sh", "-c", "while ls / >/dev/null; do :; done; exit 11"], box=box, wait=False)["id"]


def test_a_warden_that_is_killed(daemon, api, box):
    """Under load: whatever is executed afterwards is refused, each run has its verdict, and the next another warden."""
    runs = [loop_of_execs(api, box) for _ in range(6)]
    wait_until(lambda: all(api.get(f"/v1/runs/{run}")["state"] == "running" for run in runs), what="runs")
    (warden,) = wardens(daemon)
    os.kill(warden, signal.SIGKILL)
    for run in runs:
        ended = api.ended(run)
        # those that were at an exec stop just then are gone with it
        assert exit_code(ended) == 11 or ended["verdict"]["signal"] == signal.SIGKILL or cause(ended) == "exec_denied", ended
        assert lost(ended), ended
    allowed(api, box)
    refused_itself(api, box)
    assert wardens(daemon) != [warden] and len(wardens(daemon)) == 1
    assert api.get("/v1/stats")["wardens_lost"] == 1


@pytest.mark.parametrize("many", [1, 5])
def test_a_warden_that_is_killed_while_its_box_is_made(daemon, api, many):
    """Runs that wait for the box wait for the next warden then, each once."""
    os.kill(daemon.zygote(), signal.SIGSTOP)
    box = api.request("POST", "/v1/boxes", {"policy": POLICY}).expect(201).json["id"]
    runs = [api.run(["sh", "-c", "touch /tmp/x; exit 4"], box=box, wait=False)["id"] for _ in range(many)]
    (warden,) = wait_until(lambda: wardens(daemon), what="its warden")
    os.kill(warden, signal.SIGKILL)
    wait_until(lambda: not living([warden]), what="its end")
    os.kill(daemon.zygote(), signal.SIGCONT)
    for run in runs:
        ended = api.ended(run)
        assert exit_code(ended) == 4 and told(ended)["refused"] >= 1 and not lost(ended), ended
    assert len(wardens(daemon)) == 1


def deaf_to_children():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])


@pytest.mark.parametrize("before", [None, deaf_to_children])
def test_a_warden_that_is_stopped(daemon, api, before):
    """It is killed: nobody waits for an answer that does not come. Also where SIGCHLD was ignored and blocked."""
    if before:
        daemon.restart(preexec_fn=before)
    box = api.box(policy=POLICY)
    run = loop_of_execs(api, box)
    wait_until(lambda: api.get(f"/v1/runs/{run}")["state"] == "running", what="the run")
    (warden,) = wardens(daemon)
    os.kill(warden, signal.SIGSTOP)
    assert lost(api.ended(run))
    wait_until(lambda: not living([warden]), what="its end")
    allowed(api, box)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_warden_that_is_told_to_end(daemon, api, box, sig):
    """TERM ends it in good order, of which its box is told; the terminal's signals do not."""
    run = loop_of_execs(api, box)
    wait_until(lambda: api.get(f"/v1/runs/{run}")["state"] == "running", what="the run")
    (warden,) = wardens(daemon)
    os.kill(warden, sig)
    if sig != signal.SIGTERM:
        allowed(api, box)
        assert wardens(daemon) == [warden]
        api.request("DELETE", f"/v1/runs/{run}?now=1").expect(200, 202)
    assert lost(api.ended(run)) == (sig == signal.SIGTERM)


# ---- the ends ----


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_box_is_removed_with_its_warden(daemon, api, box, state):
    runs = [loop_of_execs(api, box) for _ in range(4)]
    (warden,) = wardens(daemon)
    if state == "stopped":
        os.kill(warden, signal.SIGSTOP)
    api.remove(box)
    assert not living([warden])
    for run in runs:
        ended = api.ended(run)
        # who was in the midst of its first exec is gone with a warden that was stopped
        assert cause(ended) in ("cancelled", "shutdown", "exit_nonzero", "exec_denied", "setup_failed") or (
            state == "stopped" and ended["verdict"]["signal"] == signal.SIGKILL), ended


def test_the_daemon_stops_with_wardens(daemon, api):
    boxes = [api.box(policy=POLICY, limits={"grace": "0.3"}) for _ in range(4)]
    for made in boxes:
        loop_of_execs(api, made)
    below = set(descendants(daemon.pid))
    assert daemon.stop() < seconds(3)
    assert not living(below)
    daemon.start()


def test_the_daemon_is_killed_with_wardens(daemon, api, box):
    for _ in range(4):
        loop_of_execs(api, box)
    assert wardens(daemon)
    below = set(descendants(daemon.pid))
    daemon.kill()
    wait_until(lambda: not living(below), what="the end of all")
    daemon.start()


def test_an_init_that_is_killed(daemon, api, box):
    run = loop_of_execs(api, box)
    wait_until(lambda: api.get(f"/v1/runs/{run}")["state"] == "running", what="the run")
    os.kill(daemon.inits()[0], signal.SIGKILL)
    api.ended(run)
    wait_until(lambda: not wardens(daemon), what="the end of the warden")


def test_a_zygote_that_is_killed(daemon, api, box):
    os.kill(daemon.zygote(), signal.SIGKILL)
    allowed(api, box)


# ---- the pool, and the command line ----


@pytest.fixture
def named(place, daemon, api):
    """A daemon with policies of its own: 'pooled', with boxes made ahead, and 'plain', without."""
    place.env["XDG_CONFIG_HOME"] = str(place.top / "config")
    old = time.time() - 60  # one that has just been changed is read again
    for name, more in (("plain", {}), ("pooled", {"pool": {"size": 3}})):
        path = place.file(f"{name}.yaml", json.dumps(POLICY | more), below=place.top / "config/bulkhead/policies")
        os.utime(path, (old, old))
    daemon.restart()
    return api


def test_pooled_boxes_have_wardens(daemon, named):
    """Each of its own; one that has lost it gets another one when it is needed."""
    api = named

    def denied():
        run = api.run(["touch", "/tmp/x"], policy="pooled")
        assert (cause(run), run["exit_status"]) == ("exec_denied", 126), run

    def full():
        return api.get("/v1/stats")["parked"] == 3 and len(wardens(daemon)) == 3

    denied()
    wait_until(full, what="a full pool")
    for _ in range(12):
        run = api.run(["sh", "-c", "touch /tmp/x; exit 4"], policy="pooled")
        assert exit_code(run) == 4 and told(run)["refused"] >= 1
    assert api.get("/v1/stats")["pool_hits"] > 0
    for _ in range(4):
        wait_until(full, what="a full pool")
        for pid in wardens(daemon):
            os.kill(pid, signal.SIGKILL)
        meanwhile(denied, *[()] * 6)


def test_a_dying_warden_is_not_given_another_run(daemon, named):
    """Whether its end is known yet or not: whoever asks behind its death is judged by the next one."""
    box = named.box(policy="plain")
    for _ in range(30):
        dying = wardens(daemon)
        for pid in dying:
            os.kill(pid, signal.SIGKILL)
        run = named.run(["touch", "/tmp/x"], box=box)
        assert (cause(run), run["exit_status"]) == ("exec_denied", 126), run["verdict"]["summary"]
    wait_until(lambda: not set(dying) & set(wardens(daemon)), what="the end of the last one")


def test_by_the_command_line(place, named):
    box = place.command("box", "create", "--policy", "plain").out.strip()
    assert place.command("exec", box, "--", "sh", "-c", "exit 5").status == 5
    denied = place.command("exec", box, "--", "touch", "/tmp/x")
    assert denied.status == 126 and "exec_denied" in denied.err
    inside = place.command("run", "--box", box, "--", "sh", "-c", "touch /tmp/x; exit 3")
    assert inside.status == 3 and "write with cat" in inside.err
    assert place.command("box", "rm", box).status == 0


def test_the_shipped_policy_of_agents(api):
    box = api.box(policy="agent")
    assert exit_code(api.run(["git", "--version"], box=box)) == 0
    run = api.run(["env", "git", "push"], box=box)
    assert (cause(run), run["exit_status"]) == ("exec_denied", 126) and "git push" in run["verdict"]["summary"]
