# SPDX-License-Identifier: MIT
"""What a program in a box sees, may do, and may not."""

import os
import re
import shutil
import socket

import pytest

from support import IN_VM, PYTHON, helper

vm = pytest.mark.vm


def inside(bulkhead, script, *options, status=0, **rest):
    """Run a shell script in a box: its stdout."""
    r = bulkhead.run(*options, "--", "sh", "-c", script, **rest)
    assert r.status == status, f"{r.out}\n{r.err}"
    return r.out


# ---- files ----


@vm
def test_the_root_is_read_only(bulkhead):
    out = inside(bulkhead, "for d in / /etc /usr /var /home /root /opt /srv; do"
                           " (: >$d/bulkhead-was-here) 2>/dev/null && echo wrote $d; done; true")
    assert out == ""


@vm
def test_the_working_directory_is_writable_and_the_callers(bulkhead):
    out = inside(bulkhead, "pwd; echo text >file; mkdir dir; stat -c %u:%g file")
    assert out == f"{bulkhead.cwd}\n{bulkhead.uid}:{bulkhead.gid}\n"
    made = (bulkhead.cwd / "file").stat()
    assert (made.st_uid, made.st_gid) == (bulkhead.uid, bulkhead.gid)
    assert (bulkhead.cwd / "file").read_text() == "text\n"


def test_beside_the_working_directory_nothing_is_writable(bulkhead):
    bulkhead.file("other", "kept", below=bulkhead.home)
    inside(bulkhead, f"echo lost >{bulkhead.home}/other", status=2)
    assert (bulkhead.home / "other").read_text() == "kept"


@vm
def test_tmp_is_private(bulkhead, tmp_path):
    (tmp_path / "host").write_text("host")
    out = inside(bulkhead, f"ls -A /tmp; ls -A {tmp_path} 2>/dev/null; echo mine >/tmp/mine; cat /tmp/mine")
    assert out == "mine\n"
    assert not os.path.exists("/tmp/mine")


def test_a_working_directory_below_tmp_is_there(bulkhead, tmp_path):
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(parent.stat().st_mode | 0o111)
    bulkhead.own(tmp_path)
    (tmp_path.parent / "neighbour").write_text("private")
    out = inside(bulkhead, f"pwd; echo text >file; ls -A {tmp_path.parent}", cwd=tmp_path)
    assert out == f"{tmp_path}\n{tmp_path.name}\n"
    assert (tmp_path / "file").read_text() == "text\n"


@vm
def test_devices(bulkhead):
    out = inside(bulkhead, "cd /dev; ls; [ -c null ] && [ -c zero ] && [ -c full ] && [ -c urandom ] &&"
                           " head -c 4 /dev/zero | wc -c; echo gone >/dev/null;"
                           " (echo x >/dev/full) 2>/dev/null || echo full")
    names = out.split()
    assert names[-2:] == ["4", "full"]
    assert set(names[:-2]) <= {"fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
                               "stdout", "tty", "urandom", "zero", "console"}


@vm
def test_devices_cannot_be_made(bulkhead):
    inside(bulkhead, "mknod null c 1 3 2>/dev/null; mknod /tmp/null c 1 3 2>/dev/null;"
                     " [ ! -e null ] && [ ! -e /tmp/null ]")


def test_host_files_of_proc_and_sys_are_not_writable(bulkhead):
    out = inside(bulkhead, "for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/vm/drop_caches"
                           " /sys/kernel/mm/transparent_hugepage/enabled /proc/sys/kernel/hostname; do"
                           " (echo x >$f) 2>/dev/null && echo wrote $f; done; true")
    assert out == ""


SECRETS = [".ssh/id_rsa", ".aws/credentials", ".gnupg/secring", ".netrc", ".npmrc", ".pypirc", ".kube/config",
           ".docker/config.json", ".config/gcloud/key", ".git-credentials", ".bash_history",
           ".local/state/bulkhead/state.db"]


def test_credentials_are_hidden(bulkhead):
    for name in [*SECRETS, "notes"]:
        bulkhead.file(name, "s3cret", below=bulkhead.home)
    out = inside(bulkhead, "grep -rs s3cret ~ | cut -d: -f1; ls -A ~/.ssh ~/.aws; cat ~/.netrc")
    assert out == f"{bulkhead.home}/notes\n{bulkhead.home}/.aws:\n\n{bulkhead.home}/.ssh:\n"


def test_credentials_are_hidden_in_the_working_directory_too(bulkhead):
    """Somebody works in the own home directory: it is writable, but not what is hidden in it."""
    bulkhead.file(".ssh/id_rsa", "s3cret", below=bulkhead.home)
    bulkhead.file(".netrc", "s3cret", below=bulkhead.home)
    out = inside(bulkhead, "cat .ssh/id_rsa .netrc 2>/dev/null; rm -rf .ssh .netrc 2>/dev/null;"
                           " mv .ssh moved 2>/dev/null; : >new && echo done", cwd=bulkhead.home)
    assert out == "done\n"
    assert (bulkhead.home / ".ssh/id_rsa").read_text() == "s3cret"
    assert (bulkhead.home / ".netrc").read_text() == "s3cret"


@vm
def test_secrets_of_the_host_are_hidden(bulkhead):
    out = inside(bulkhead, "cat /etc/shadow /etc/gshadow /etc/sudoers 2>/dev/null; ls -A /run; true")
    assert out == ""


# ---- processes ----


@vm
def test_only_its_own_processes_are_seen(bulkhead):
    out = inside(bulkhead, "echo $$; cd /proc; for p in [0-9]*; do cat $p/comm; done")
    pid, *names = out.split()
    assert pid == "2"
    assert set(names) <= {"sh", "cat", "bulkhead-init"}


def test_init_cannot_be_meddled_with(bulkhead):
    out = inside(bulkhead, "kill -9 1 2>/dev/null; kill -STOP 1; (cat /proc/1/environ; readlink /proc/1/root /proc/1/cwd"
                           " /proc/1/exe; ls /proc/1/fd) 2>/dev/null; echo here")
    assert out == "here\n"


def status_fields(bulkhead, *options):
    out = inside(bulkhead, "cat /proc/self/status", *options)
    return dict(line.split(":\t", 1) for line in out.splitlines() if ":\t" in line)


@vm
def test_no_privilege(bulkhead):
    status = status_fields(bulkhead)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert status["Uid"].split() == [str(bulkhead.uid)] * 4
    assert status["Gid"].split() == [str(bulkhead.gid)] * 4


def test_namespaces_are_its_own(bulkhead):
    names = ["user", "pid", "mnt", "ipc", "uts", "net", "cgroup"]
    out = inside(bulkhead, " ".join(f"readlink /proc/self/ns/{n};" for n in names)).split()
    for name, link in zip(names, out):
        if name != "cgroup" or bulkhead.rung() != "none":
            assert link != os.readlink(f"/proc/self/ns/{name}"), name


@vm
def test_inherited_descriptors_are_closed(bulkhead):
    read, write = os.pipe()
    out = inside(bulkhead, "ls /proc/self/fd", pass_fds=[read, write])
    os.close(read)
    os.close(write)
    assert sorted(out.split()) == ["0", "1", "2", "3"]  # ls itself has the directory open


def test_limits_on_the_way_in_do_not_stay(bulkhead):
    """No core files: what a program had in memory does not land in the working directory."""
    inside(bulkhead, "kill -QUIT $$", status=131)
    assert list(bulkhead.cwd.iterdir()) == []


# ---- environment ----


@vm
def test_environment(bulkhead):
    env = {"PLAIN": "stays", "API_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "k", "LD_PRELOAD": "", "MY_PASSWORD": "p",
           "SSH_AUTH_SOCK": "/s", "BASH_ENV": "/x", "BULKHEAD_OTHER": "x"}
    r = bulkhead.run("env", env=env).expect("ok", 0)
    seen = dict(line.split("=", 1) for line in r.out.splitlines())
    assert seen["PLAIN"] == "stays"
    assert not (env.keys() - {"PLAIN"}) & seen.keys()
    assert seen["BULKHEAD"] == r.verdict["id"]
    assert "BULKHEAD_STATE" not in seen
    assert seen["HOME"] == str(bulkhead.home)


def test_environment_options(bulkhead):
    r = bulkhead.run("--env", "A=1", "--env", "API_TOKEN", "--unset", "PLAIN", "env",
                     env={"PLAIN": "x", "API_TOKEN": "given"}).expect("ok", 0)
    lines = r.out.splitlines()
    assert "A=1" in lines and "API_TOKEN=given" in lines
    assert not [line for line in lines if line.startswith("PLAIN=")]
    r = bulkhead.run("--clear-env", "--env", "B=2", "/usr/bin/env").expect("ok", 0)
    assert sorted(line.split("=")[0] for line in r.out.splitlines()) == ["B", "BULKHEAD"]


# ---- network ----

LOOPBACK = """
import socket
s = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(s.getsockname())
c.sendall(b"hello"); print(s.accept()[0].recv(5).decode())
print(sorted(name for _, name in socket.if_nameindex()))
try:
    socket.create_connection(("192.0.2.1", 9), 1)
except OSError as e:
    print(type(e).__name__, e.errno)
"""


def test_loopback_and_no_other_network(bulkhead):
    r = bulkhead.run("--", PYTHON, "-c", LOOPBACK).expect("ok", 0)
    assert r.out == "hello\n['lo']\nOSError 101\n"


@pytest.mark.parametrize("net,reached", [("none", False), ("host", True)])
def test_network_of_the_host(bulkhead, net, reached):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 1)"
        r = bulkhead.run("--net", net, "--", PYTHON, "-c", code)
    assert (r.status == 0) == reached, r.err


# ---- options ----


def test_read_and_write(bulkhead):
    shown, kept = bulkhead.directory("shown"), bulkhead.directory("kept")
    bulkhead.file("text", "shown\n", below=shown)
    out = inside(bulkhead, "cat /tmp/x/text; (: >/tmp/x/new) 2>/dev/null || echo refused; echo kept >/tmp/y/file;"
                           f" (: >{kept}/other) 2>/dev/null || echo refused",
                 "--read", f"{shown}:/tmp/x", "--write", f"{kept}:/tmp/y")
    assert out == "shown\nrefused\nrefused\n"
    assert (kept / "file").read_text() == "kept\n"
    inside(bulkhead, f": >{kept}/other", "--write", kept)
    assert (kept / "other").exists()


def test_hide_and_tmpfs(bulkhead):
    bulkhead.file("secret/file", "hidden")
    bulkhead.file("token.1", "hidden")
    bulkhead.file("open", "open\n")
    cache = bulkhead.directory("cache")
    bulkhead.file("old", "host", below=cache)
    out = inside(bulkhead, f"ls secret; cat token.1 2>/dev/null; cat open; ls {cache}; : >{cache}/new; ls {cache}",
                 "--hide", "secret", "--hide", "token*", "--tmpfs", cache)
    assert out == "open\nnew\n"
    assert os.listdir(cache) == ["old"]


@pytest.mark.parametrize("option, value", [
    ("--read", "/etc/hostname:/etc/no-such"),
    ("--read", "/etc/hostname:/etc"),
    ("--write", ".:/etc/hostname"),
    ("--tmpfs", "/no/such"),
])
def test_no_place_to_put_it(bulkhead, option, value):
    """The root of a box is read-only: what is to appear there needs a place of its kind already."""
    r = bulkhead.run(option, value, "true").expect("setup_failed", 125)
    assert "has no such place of this kind" in r.err and "(blame: request)" in r.err
    assert value.rpartition(":")[2] in r.err


def test_places_are_made_in_private_directories(bulkhead):
    inner = bulkhead.file("inner", "below\n")
    r = bulkhead.run("--read", "/etc/passwd:/tmp/a/b", "--tmpfs", "/tmp/c", "--read", f"{inner}:/tmp/c/d",
                     "cat", "/tmp/a/b", "/tmp/c/d").expect("ok", 0)
    assert r.out.startswith("root:") and r.out.endswith("below\n")


def test_hidden_wins_over_written(bulkhead):
    bulkhead.file("dir/secret", "hidden")
    out = inside(bulkhead, "cat dir/secret 2>/dev/null; : >dir/new; echo done", "--write", "dir", "--hide", "dir/secret")
    assert out == "done\n"


def test_workdir(bulkhead):
    other = bulkhead.directory("other")
    out = inside(bulkhead, "pwd; : >file", "--workdir", other)
    assert out == f"{other}\n"
    assert (other / "file").exists()
    bulkhead.file("below/file")
    assert inside(bulkhead, "pwd", "--workdir", "below") == f"{bulkhead.cwd}/below\n"


def test_a_cwd_that_may_only_be_read(bulkhead):
    policy = bulkhead.file("policy.yaml", "filesystem: {cwd: read}\n", below=bulkhead.top)
    inside(bulkhead, "[ \"$(pwd)\" = \"$OLD\" ]; : >file", "--policy", policy, status=2)
    assert list(bulkhead.cwd.iterdir()) == []


@pytest.fixture
def small_root(bulkhead):
    """A root file system of one static program."""
    root = bulkhead.directory("root")
    for name in ("bin", "tmp", "proc", "dev", "sys", "etc"):
        bulkhead.directory(f"root/{name}")
    shutil.copy(helper("stubborn"), root / "bin/stubborn")
    shutil.copy(helper("look"), root / "bin/look")
    bulkhead.file("etc/motd", "of the root\n", below=root)
    return root


def test_another_root(bulkhead, small_root):
    r = bulkhead.run("--root", small_root, "--workdir", "/", "/bin/look", "/", "/etc", "/tmp").expect("ok", 0)
    assert r.out == "/: bin dev etc proc sys tmp\n/etc: motd\n/tmp:\n"
    r = bulkhead.run("--root", small_root, "--workdir", "/", "/bin/sh")
    r.expect("not_found", 127)


def test_another_root_is_read_only_too(bulkhead, small_root):
    r = bulkhead.run("--root", small_root, "--workdir", "/", "/bin/look", "+/etc/new", "+/tmp/new").expect("ok", 0)
    assert r.out == "/etc/new: refused\n/tmp/new: made\n"
    assert os.listdir(small_root / "etc") == ["motd"] and os.listdir(small_root / "tmp") == []


# ---- users ----


@pytest.mark.root
def test_another_user(bulkhead):
    os.chmod(bulkhead.cwd, 0o777)
    status = status_fields(bulkhead, "--user", "1234:2345")
    assert status["Uid"].split() == ["1234"] * 4 and status["Gid"].split() == ["2345"] * 4
    assert status["Groups"].strip() == ""
    inside(bulkhead, ": >file", "--user", "1234:2345")
    made = (bulkhead.cwd / "file").stat()
    assert (made.st_uid, made.st_gid) == (1234, 2345)


@pytest.mark.user
@pytest.mark.parametrize("user", ["isolated", "0", "1:1"])
def test_another_user_needs_root(bulkhead, user):
    r = bulkhead.run("--user", user, "true")
    r.expect("setup_failed", 125)
    assert "(blame: host)" in r.err and r.err.count("\n") == 1


@pytest.mark.root
@vm
def test_an_isolated_user_owns_nothing_but_writes_as_the_caller(bulkhead):
    bulkhead.file("secret", "rootonly", mode=0o600, below=bulkhead.home)
    script = f"cat {bulkhead.home}/secret 2>/dev/null; id -u; cat /proc/self/uid_map; touch file 2>/dev/null; echo $?"
    r = bulkhead.run("--user", "isolated", "sh", "-c", script).expect("ok", 0)
    uid, inner, outer, length, made = r.out.split()
    assert uid == "1000" and (inner, length) == ("0", "65536") and int(outer) >= 0x70000000
    if "cannot be idmapped" in r.err:  # a tmpfs before Linux 6.3, say
        assert IN_VM and made != "0" and not (bulkhead.cwd / "file").exists()
        return
    assert made == "0" and r.err == ""
    assert (bulkhead.cwd / "file").stat().st_uid == 0


@pytest.mark.root
def test_isolated_users_are_different_ones(bulkhead):
    with bulkhead.background("--user", "isolated", "sh", "-c", "cat /proc/self/uid_map; read x",
                             stdin=-1, stdout=-1) as other:
        first = other.stdout.readline().split()[1]
        second = inside(bulkhead, "cat /proc/self/uid_map", "--user", "isolated").split()[1]
        other.stdin.close()
        other.stdin = None
        other.wait(30)
    assert first.decode() != second


# ---- policies ----


@pytest.mark.parametrize("policy", ["default", "tool", "notebook", "build", "agent", "strict"])
def test_shipped_policies_run(bulkhead, policy):
    extra = ["--user", "self"] if policy == "strict" and bulkhead.who == "user" else []
    r = bulkhead.run("--policy", policy, *extra, "--best-effort", "true")
    r.expect("ok", 0, policy=policy)


def test_strict_has_nothing_of_the_host_but_programs(bulkhead):
    extra = ["--user", "self"] if bulkhead.who == "user" else []
    bulkhead.file("input", "text\n")
    out = inside(bulkhead, "ls /; ls /etc; id -u; pwd; cat input; (: >new) 2>/dev/null || echo refused; : >/tmp/new; env | grep -c .",
                 "--policy", "strict", *extra, env={"PLAIN": "x"})
    names = out.split()
    assert not {"home", "root", "boot", "opt", "srv", "run"} & set(names)
    assert "passwd" not in names and "text" in names and "refused" in names


def test_setuid_counts_nowhere(bulkhead):
    mounts = inside(bulkhead, "cat /proc/self/mountinfo")
    assert not [m for m in mounts.splitlines() if "nosuid" not in m.split(" - ")[0].split()[5]]


def test_mounts_of_the_box_stay_in_it(bulkhead):
    mounts = inside(bulkhead, "cat /proc/self/mountinfo")
    assert not re.search(r"shared:|master:", mounts)
    assert not [m for m in mounts.splitlines() if m.split()[4] == "/" and "ro" not in m.split()[5].split(",")]
