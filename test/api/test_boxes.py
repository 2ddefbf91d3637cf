# SPDX-License-Identifier: MIT
"""Kept boxes over the API. What happens in them under load is in test_many.py and test_ends.py."""

import os
import signal

import pytest

from daemon import Api, cause, exit_code, held, meanwhile, stat_of
from support import wait_until

UNKNOWN = "0000000000000000"


def test_a_box_and_runs_in_it(api):
    answer = api.request("POST", "/v1/boxes?wait=1", {"policy": "tool", "limits": {"memory": "256M"}, "env": {"A": "box"}, "cwd": "/usr"}).expect(201)
    box = answer.json
    assert answer.headers["Location"] == f"/v1/boxes/{box['id']}"
    assert set(box) == {"id", "state", "policy", "runs", "since", "fault"}
    assert (box["state"], box["policy"], box["runs"], box["fault"]) == ("ready", "tool", 0, None)
    assert api.get("/v1/boxes") == {"boxes": [box]} and api.get(f"/v1/boxes/{box['id']}") == box
    run = api.run(["sh", "-c", "echo $A $B; pwd; touch /tmp/left; exit 3"], box=box["id"], env={"B": "run"})
    assert (run["box"], run["policy"], exit_code(run)) == (box["id"], "tool", 3)
    assert api.out(run) == "box run\n/usr\n"
    assert exit_code(api.run(["test", "-e", "/tmp/left"], box=box["id"])) == 0
    assert api.out(api.run(["pwd"], box=box["id"], cwd="/tmp")) == "/tmp\n"
    assert [r["id"] for r in api.get(f"/v1/boxes/{box['id']}/runs")["runs"]][-1] == run["id"]
    assert api.remove(box["id"]).json["state"] == "gone"


def test_without_a_body(api):
    """All of it may be absent; that one is made takes no time that a client has to wait."""
    for body, headers in ((b"", {}), (b"{}", {"Content-Type": "application/json"})):
        box = api.request("POST", "/v1/boxes", body, headers).expect(201).json
        assert box["state"] in ("making", "ready")
        assert cause(api.run(["true"], box=box["id"])) == "ok"
        api.remove(box["id"])


def test_what_a_run_in_a_box_cannot_ask_for(api):
    box = api.box()
    api.request("POST", f"/v1/boxes/{box}/runs", {"argv": ["true"], "policy": "tool"}).problem(400, "invalid")
    assert api.get("/v1/boxes")["boxes"][0]["runs"] == 0
    api.remove(box)


def test_a_box_that_cannot_be_made(api):
    answer = api.request("POST", "/v1/boxes?wait=1", {"policy": {"filesystem": {"root": "/no/such/root"}}})
    assert "/no/such/root" in answer.problem(400, "invalid")
    assert all(b["state"] == "gone" for b in api.get("/v1/boxes")["boxes"])


def test_a_box_that_is_gone(api):
    box = api.box()
    assert api.request("DELETE", f"/v1/boxes/{box}?wait=1").expect(200).json["state"] == "gone"
    api.request("DELETE", f"/v1/boxes/{box}").problem(410, "stopped")
    api.request("POST", f"/v1/boxes/{box}/runs", {"argv": ["true"]}).problem(410, "stopped")
    assert api.get(f"/v1/boxes/{box}")["state"] == "gone"


def test_two_removals_and_the_runs(api):
    box = api.box()
    run = api.run(["sleep", "60"], box=box, wait=False)["id"]
    wait_until(lambda: api.get(f"/v1/runs/{run}")["state"] == "running", what="the run")
    assert api.get(f"/v1/boxes/{box}")["runs"] == 1
    answers = meanwhile(lambda: api.request("DELETE", f"/v1/boxes/{box}?wait=1&now=1"), *[()] * 4)
    assert {a.status for a in answers} <= {200, 410} and 200 in {a.status for a in answers}
    assert cause(api.ended(run)) in ("cancelled", "shutdown")


def test_an_init_that_is_killed(daemon, api):
    """Its box is gone and says why; who waits for a run in it is told."""
    box = api.box()
    run = api.run(["sleep", "60"], box=box, wait=False)["id"]
    wait_until(lambda: api.get(f"/v1/runs/{run}")["state"] == "running", what="the run")
    os.kill(daemon.inits()[0], signal.SIGKILL)
    assert api.ended(run)["verdict"]["signal"] == signal.SIGKILL
    gone = wait_until(lambda: (b := api.get(f"/v1/boxes/{box}"))["state"] == "gone" and b, what="the end of the box")
    assert gone["fault"]
    api.request("POST", f"/v1/boxes/{box}/runs", {"argv": ["true"]}).problem(410, "stopped")
    assert cause(api.run(["true"])) == "ok"


def test_boxes_at_the_limit(daemon):
    daemon.restart("--max-boxes", 2)
    api = Api(daemon)
    boxes = [api.box() for _ in range(2)]
    answer = api.request("POST", "/v1/boxes", {})
    assert answer.status in (422, 429) and answer.json["blame"] == "request"
    api.remove(boxes[0])
    wait_until(lambda: api.request("POST", "/v1/boxes?wait=1", {}).status == 201, what="room for a box")


def test_what_is_refused_is_said_in_figures(daemon, api):
    daemon.restart("--max-boxes", 1, "--memory", "256M")
    told = api.request("POST", "/v1/boxes", {"limits": {"memory": "512M"}}).expect(422).json["detail"]
    assert told == "there are never more than 256 MiB of memory promised by limits, and 512 MiB are asked for"
    box = api.box(limits={"memory": "200M"})
    told = api.request("POST", "/v1/boxes", {}).expect(429).json["detail"]
    assert told == "0 of 1 boxes are left now, and 1 is asked for"
    api.remove(box)
    told = api.request("POST", f"/v1/boxes/{box}/runs", {"argv": ["true"]}).expect(409, 410).json["detail"]
    assert told == f"box '{box}' is gone"


@pytest.mark.root
def test_what_waits_for_a_run_is_dying(daemon, api):
    """It was killed, and its end is not told yet: the run that comes in between has the next one."""
    box = api.box()
    (parked,) = wait_until(daemon.parked, what="what waits for a run")
    with held(parked):
        os.kill(parked, signal.SIGKILL)
        wait_until(lambda: stat_of(parked)[1][0] == "Z", what="its death")
        run = api.run(["sh", "-c", "exit 5"], box=box, wait=False)["id"]
    ended = api.ended(run)
    assert exit_code(ended) == 5, ended
