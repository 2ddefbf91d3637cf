# SPDX-License-Identifier: MIT
"""doctor tells the truth: what it says of a host is what a run there meets, and its remedies work."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from support import IN_VM, SANITIZED, USER_ID, check_schema, helper, seconds

TEXT, MAYBE = {"type": "string", "minLength": 1}, {"type": ["string", "null"]}
FLAG, COUNT = {"type": "boolean"}, {"type": "integer", "minimum": 0}


def record(**properties):
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}


ENFORCERS = ["cgroup-v2", "cgroup-v1", "rlimit", "supervisor", "sampled", "tmpfs", "affinity", "none"]
LIMITS = ["memory", "swap", "cpus", "pids", "timeout", "cpu_time", "idle_timeout", "output", "file_size",
          "tmp_size", "nofile", "address_space"]
SCHEMA = record(
    version=TEXT, full=FLAG,
    host=record(kernel=TEXT, machine=TEXT, cpus=COUNT, memory_bytes=COUNT, uid=COUNT, privileged=FLAG,
                in_container=FLAG, landlock_abi=COUNT),
    cgroup=record(rung={"enum": ["cgroup-v2", "cgroup-v2 (delegated)", "cgroup-v1 (hybrid)", "none"]},
                  base=record(memory=MAYBE, pids=MAYBE, cpu=MAYBE, cpuacct=MAYBE, io=MAYBE, core=MAYBE),
                  why_not_better=MAYBE, remedy=MAYBE),
    capabilities={"type": "array", "items": record(
        name=TEXT, ok=FLAG, weight={"enum": ["needed", "wanted", "useful"]}, meaning=TEXT, why=MAYBE, remedy=MAYBE)},
    limits=record(**{name: record(enforced_by={"enum": ENFORCERS}, default=FLAG, degraded=FLAG)
                     for name in LIMITS}))

# What each limit is asked for as; none of them is in the way of `true`.
ASKED = {"memory": ("--memory", "64M"), "swap": ("--swap", "1M"), "cpus": ("--cpus", "1"),
         "pids": ("--pids", "32"), "cpu_time": ("--cpu-time", "10s"), "timeout": ("--timeout", "1m"),
         "tmp_size": ("--tmp-size", "1M"), "nofile": ("--nofile", "32")}


def doctor(bulkhead):
    """What it says: valid, the same in words, and with the exit status that goes with it."""
    r = bulkhead.command("doctor", "--json")
    assert r.status in (0, 1), r.err
    said = json.loads(r.out)
    check_schema(said, SCHEMA)
    assert r.err == "" and r.status == (0 if said["full"] else 1)
    words = bulkhead.command("doctor")
    assert words.status == r.status and f"limits come from: {said['cgroup']['rung']}" in words.out
    for c in said["capabilities"]:
        assert re.search(f"^  {'ok' if c['ok'] else 'missing'} +{re.escape(c['name'])} ", words.out, re.MULTILINE)
        assert c["ok"] or c["why"], f"{c['name']} is missing, and nobody knows why"
    return said


def capability(said, name):
    return next(c for c in said["capabilities"] if c["name"] == name)


def missing(said, weight):
    return {c["name"]: c for c in said["capabilities"] if c["weight"] == weight and not c["ok"]}


def expect_true(bulkhead):
    """Every word of it holds for a run on the same host; returns what was said."""
    said = doctor(bulkhead)
    needed = missing(said, "needed")
    r = bulkhead.run("--no-record", "echo", "ran")
    if needed:
        assert not said["full"] and (r.status, r.out) == (125, ""), f"it ran without {list(needed)}"
        assert r.err.count("\n") == 1 and r.err.endswith("(blame: host)\n"), r.err
        return said
    assert (r.status, r.out, r.err) == (0, "ran\n", "")
    assert r.verdict["host"]["rung"] == said["cgroup"]["rung"]
    for name, limit in said["limits"].items():
        if limit["default"]:
            assert r.enforced_by(name) == limit["enforced_by"], name
    for name, option in ASKED.items():
        expect_limit(bulkhead, name, option, said["limits"][name]["enforced_by"])
    for base in filter(None, said["cgroup"]["base"].values()):
        assert base.startswith("/")
    return said


def expect_limit(bulkhead, name, option, by):
    """What was asked for is enforced by what it was said to be, or the run is refused."""
    r = bulkhead.run("--no-record", *option, "true")
    if by == "none":
        assert r.status == 125 and option[0] in r.err and r.err.endswith("(blame: host)\n"), (name, r.err)
        r = bulkhead.run("--no-record", "--best-effort", *option, "true")
    r.expect("ok", 0)
    assert r.enforced_by(name) == by, name


# ---- hosts ----

ALL_MOUNTS = """awk '$5 ~ /^.sys.fs.cgroup/ {print $5}' /proc/self/mountinfo"""
# A mount namespace whose root was made by hand: no marks of a container, and nothing shared.
BARE = """
    mount --make-rprivate / && mount -t tmpfs none "$TOP" && mkdir "$TOP/old"
    for path in /*; do
        if [ -L "$path" ]; then cp -P "$path" "$TOP$path"
        elif [ -d "$path" ]; then mkdir "$TOP$path" && mount --rbind "$path" "$TOP$path"
        fi || exit 99
    done
    cd "$TOP" && pivot_root . old && umount -l old && cd "$PLACE" || exit 99
    unset container
"""
HOSTS = {
    "here": "",
    "no cgroups": "mount -t tmpfs none /sys/fs/cgroup",
    "read-only cgroups": f"for m in $({ALL_MOUNTS}); do mount -o remount,ro,bind $m; done",
    "no /sys": "umount -l /sys",
    "no user namespaces": "echo 0 >/proc/sys/user/max_user_namespaces",
    "/proc/sys read-only": "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys",
    "parts of /proc masked": "mount -t tmpfs none /proc/irq",
    "no /proc": "umount -l /proc",
}
if SANITIZED:
    del HOSTS["no /proc"]  # the sanitizers themselves look there


def on(bulkhead, host, bare=False):
    """
    bulkhead is started on that host from now on: by root in a mount namespace of its own, and an
    ordinary user's after the change. A user who is not allowed that is root of a namespace.
    """
    place = bulkhead.top / "host"
    place.mkdir(exist_ok=True)
    switch = ""
    if os.geteuid() != 0 or host == "no user namespaces":
        unshare = "-Urm"  # the switch is one of a user namespace
    else:
        unshare = "-m"
        if bulkhead.who == "user":
            switch = f"setpriv --reuid {USER_ID} --regid {USER_ID} --clear-groups"
    script = f'TOP={place} PLACE={bulkhead.cwd}\n{BARE if bare else "mount --make-rprivate /"}\n' \
             f'{HOSTS[host] or ":"} || exit 99\n@REMEDY@\nexec {switch} "$@"'
    bulkhead.script = script
    bulkhead.wrapper = ["unshare", unshare, "sh", "-c", script.replace("@REMEDY@", ""), "sh"]
    if switch:
        bulkhead._as = {}  # root starts it, and it steps down
    return bulkhead


@pytest.fixture
def started_by_root(bulkhead):
    """Verdicts are written by whom bulkhead runs as, also where root starts it."""
    as_before = bulkhead._as
    yield bulkhead
    bulkhead._as = as_before


@pytest.mark.parametrize("host", HOSTS)
def test_the_truth(started_by_root, host):
    bulkhead = on(started_by_root, host) if HOSTS[host] else started_by_root
    said = expect_true(bulkhead)
    assert said["host"]["uid"] == (0 if bulkhead.who == "root" or "-Urm" in bulkhead.wrapper else bulkhead.uid
                                   if bulkhead._as else USER_ID)
    if host in ("no cgroups", "read-only cgroups", "no /sys"):
        assert said["cgroup"]["rung"] == "none" and not said["full"]
    if host in ("no user namespaces", "no /proc"):
        assert "user namespaces" in missing(said, "needed")
    if host in ("/proc/sys read-only", "parts of /proc masked"):
        assert set(missing(said, "needed")) == {"fresh /proc"}


@pytest.mark.parametrize("what", ["userns", "clone3", "seccomp", "mount"])
def test_the_truth_under_a_filter(bulkhead, what):
    bulkhead.wrapper = [helper("deny"), what]
    said = expect_true(bulkhead)
    assert set(missing(said, "needed")) >= {"seccomp filter" if what == "seccomp" else "user namespaces"}


def test_without_seccomp_best_effort_runs(bulkhead):
    bulkhead.wrapper = [helper("deny"), "seccomp"]
    assert "--best-effort" in capability(doctor(bulkhead), "seccomp filter")["meaning"]
    assert bulkhead.run("--best-effort", "echo", "ran").out == "ran\n"


def test_run_says_what_doctor_says(started_by_root):
    """The refusal has the reason in it, and the remedy."""
    for host in {"no user namespaces", "no /proc", "parts of /proc masked"} & HOSTS.keys():
        bulkhead = on(started_by_root, host)
        told = next(iter(missing(doctor(bulkhead), "needed").values()))
        refusal = bulkhead.command("run", "--no-record", "true").err
        assert told["why"] in refusal and (told["remedy"] or "") in refusal


def test_nothing_is_left_by_looking(bulkhead):
    """What it tries it takes away again; the leak check of every test sees to the rest."""
    for _ in range(3):
        doctor(bulkhead)
    assert not bulkhead.state.exists() and list(bulkhead.cwd.iterdir()) == []


# ---- remedies: each is typed into a shell on the host that it is for ----


def remedied(bulkhead, remedy):
    """bulkhead on the same host from now on, after the command was typed by whoever may."""
    typed = f'sudo() {{ "$@"; }}\n{{ {remedy}\n}} >/dev/null || exit 98'
    bulkhead.wrapper[bulkhead.wrapper.index("-c") + 1] = bulkhead.script.replace("@REMEDY@", typed)
    return bulkhead


def test_remedy_for_user_namespaces(bulkhead):
    on(bulkhead, "no user namespaces")
    remedy = capability(doctor(bulkhead), "user namespaces")["remedy"]
    assert remedy == "sysctl -w user.max_user_namespaces=16384"
    assert bulkhead.run("echo", "ran").status == 125
    said = doctor(remedied(bulkhead, remedy))
    assert capability(said, "user namespaces")["ok"]
    assert bulkhead.run("echo", "ran").out == "ran\n"


@pytest.mark.release_only
@pytest.mark.root
def test_remedy_for_no_proc(bulkhead):
    on(bulkhead, "no /proc")
    remedy = capability(doctor(bulkhead), "user namespaces")["remedy"]
    assert remedy == "mount -t proc proc /proc"
    remedied(bulkhead, remedy)
    assert not missing(expect_true(bulkhead), "needed")


@pytest.mark.root
def test_remedy_for_read_only_cgroups(bulkhead, rung):
    """Hierarchy by hierarchy, as each is told; not of a container, whose remedy is another start of it."""
    on(bulkhead, "read-only cgroups", bare=True)
    typed = []
    while (said := doctor(bulkhead))["cgroup"]["rung"] != rung or not said["full"]:
        remedy = said["cgroup"]["remedy"]
        assert remedy and remedy not in typed and len(typed) < 16, (remedy, typed)
        assert remedy.startswith("mount -o remount,bind,rw ")
        typed.append(remedy)
        remedied(bulkhead, " && ".join(typed))
    expect_true(bulkhead)
    assert typed


@pytest.mark.root
def test_remedy_for_a_missing_hierarchy(bulkhead, rung):
    if rung != "cgroup-v1 (hybrid)":
        pytest.skip("there are no v1 hierarchies of which one could be missing")
    HOSTS["no pids hierarchy"] = "umount -l /sys/fs/cgroup/pids"
    try:
        on(bulkhead, "no pids hierarchy", bare=True)
    finally:
        del HOSTS["no pids hierarchy"]
    said = expect_true(bulkhead)
    assert said["limits"]["pids"]["enforced_by"] == "none" and not said["full"]
    remedied(bulkhead, said["cgroup"]["remedy"])
    said = expect_true(bulkhead)
    assert said["limits"]["pids"]["enforced_by"] == "cgroup-v1" and said["full"]


def made_for_user():
    """The groups that the remedy for an ordinary user makes."""
    mounts = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
              if " - cgroup" in line]
    # groups of others come and go meanwhile, which os.walk() does not mind
    return [pathlib.Path(top, name) for m in mounts for top, names, _ in os.walk(m) for name in names
            if name == f"bulkhead-{USER_ID}"]


@pytest.mark.user
def test_remedy_for_an_ordinary_user(started_by_root):
    """The groups that sudo makes for the user are enough for all of a default run."""
    if os.geteuid() != 0 or IN_VM:
        pytest.skip("it takes root to type sudo")
    assert not made_for_user()
    bulkhead = on(started_by_root, "here")
    remedy = doctor(bulkhead)["cgroup"]["remedy"]
    assert "sudo mkdir -p" in remedy
    try:
        said = expect_true(remedied(bulkhead, remedy))
        assert said["cgroup"]["rung"] != "none" and said["full"]
        assert said["limits"]["memory"]["enforced_by"].startswith("cgroup")
        r = bulkhead.run("--memory", "32M", helper("hog"), "200")
        assert r.cause == "memory_limit" and r.verdict["confidence"] == "certain", r.err
    finally:
        for path in sorted(made_for_user(), key=lambda p: -len(p.parts)):
            for below in path.glob("*/"):
                below.rmdir()
            path.rmdir()


def test_remedies_are_shell(started_by_root):
    """Whatever is printed for a host is at least what a shell takes, up to the dots for the reader's own."""
    for host in HOSTS:
        said = doctor(on(started_by_root, host))
        for remedy in {c["remedy"] for c in [*said["capabilities"], said["cgroup"]] if c["remedy"]}:
            if re.search(r" …|^start ", remedy):
                continue
            subprocess.run(["sh", "-n", "-c", remedy], check=True, timeout=seconds(10))
