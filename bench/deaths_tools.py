# SPDX-License-Identifier: MIT
"""The tools that bench/deaths compares: how each is told its limits, and where it says what it saw.

A tool's limits are set as far as its own options go. What it has no option for stays unlimited,
and the program then runs to its end: that is what its user gets.
"""

import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import time

MEMORY = 64 << 20  # bytes
CGROUPS = pathlib.Path("/sys/fs/cgroup")
UNIFIED = (CGROUPS / "cgroup.controllers").exists()
HYBRID = (CGROUPS / "unified/cgroup.controllers").exists()
NAME = f"bulkhead-deaths-{os.getpid()}"


def first_line(command):
    """What a program says of itself, on its first line."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    return (done.stdout.splitlines() or [""])[0]


def end_members(group):
    """SIGKILL to all processes in the group."""
    for word in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(word), signal.SIGKILL)


def remove_groups(name, deadline=10):
    """The cgroups of this name in all hierarchies, with all that is left in them: they are ours."""
    end = time.monotonic() + deadline
    for top in [CGROUPS] if UNIFIED else CGROUPS.glob("*"):
        for path, _, _ in os.walk(top / name, topdown=False):
            group = pathlib.Path(path)
            while group.exists():
                try:
                    end_members(group)
                    group.rmdir()
                except OSError:  # its last member is still on the way out
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.01)


def own_mounts(preparation, *words):
    """The words before a command that give it mounts of its own, made by a line for the shell which
    has @words as $0 and so on. crun refuses hosts with v1 hierarchies and a v2 one with a controller:
    the list of those is put out of its sight."""
    hide = f"mount --bind /dev/null {CGROUPS}/unified/cgroup.controllers && " if HYBRID else ""
    return ["unshare", "--mount", "sh", "-c", f'{preparation} && {hide}exec "$@"', *(words or ["sh"])]


class Tool:
    """One tool. To be closed after use."""

    name = ""
    program = ""  # what has to be on the PATH
    needs_root = False
    common = ()  # words that all its commands begin with, and that are printed once
    mounts = ()  # words before its command, which give it mounts of its own
    words = r"(?!)"  # in its output: what is worth a place in the table
    manual = ()  # for each death what its manual promises, where it cannot run

    def __init__(self, scratch, bulkhead):
        self.scratch = scratch / self.name
        self.scratch.mkdir()
        self.bulkhead = bulkhead

    def missing(self):
        """Why it cannot run here, or None."""
        if not shutil.which(self.program):
            return f"no '{self.program}' here"
        return "its limits need root" if self.needs_root and os.geteuid() else None

    def version(self):
        return first_line([self.program, "--version"])

    def prepare(self):
        """Once before the first death; what it makes for that, as lines."""
        return []

    def command(self, program, limit):
        """The words that run @program with MEMORY and @limit seconds."""
        raise NotImplementedError

    def states(self):
        """What it keeps about the run that just ended beside its output: (where, text)…"""
        return []

    def reset(self):
        """After each death."""

    def brief(self, _status, said):
        """Its own words for the table; never the program's."""
        for _, text in said:
            found = re.search(self.words, text, re.MULTILINE)
            if found:
                return [found[found.lastindex or 0]]
        return []

    def close(self):
        """After the last death: nothing of it may be left."""


class Bulkhead(Tool):
    name = "bulkhead"

    def missing(self):
        return None

    def version(self):
        return first_line([self.bulkhead, "--version"])

    def prepare(self):
        os.environ["BULKHEAD_STATE"] = str(self.scratch / "state")
        return []

    def command(self, program, limit):
        return [str(self.bulkhead), "run", "--memory", str(MEMORY), "--timeout", f"{limit:g}",
                "--verdict", str(self.scratch / "verdict"), "--", *program]

    def states(self):
        verdict = json.loads((self.scratch / "verdict").read_text())
        keys = ("cause", "confidence", "retry", "summary", "exit_code", "signal", "victims", "killer", "suggest")
        return [("verdict", "\n".join(f"{key}: {json.dumps(verdict[key])}" for key in keys))]

    def brief(self, _status, said):
        verdict = dict(line.split(": ", 1) for line in dict(said)["verdict"].splitlines())
        likely = ["(likely)"] if json.loads(verdict["confidence"]) == "likely" else []
        return [json.loads(verdict["cause"]), *likely]


class SystemdRun(Tool):
    """A transient service of the system's manager."""

    name = "systemd-run"
    program = "systemd-run"
    needs_root = True
    words = r"Result=((?!success$).*)|^Failed to .*: (.*)$"
    # systemd.exec(5), "Defined $SERVICE_RESULT values", and OOMPolicy= and RuntimeMaxSec= in systemd.service(5)
    manual = ("exit-code", "exit-code", "signal", "signal", "oom-kill", "timeout", "signal", "")

    def missing(self):
        if not pathlib.Path("/run/systemd/system").exists():  # sd_booted(3)
            return "systemd is not the service manager of this machine"
        return super().missing()

    def command(self, program, limit):
        words = [word.replace("$", "$$") for word in program]
        return ["systemd-run", "--wait", "--pipe", f"--unit={NAME}", "-p", f"MemoryMax={MEMORY}",
                "-p", "MemorySwapMax=0", "-p", f"RuntimeMaxSec={limit:g}", "--", *words]

    def states(self):
        show = ["systemctl", "show", NAME, "-p", "Result", "-p", "ExecMainCode", "-p", "ExecMainStatus"]
        return [("systemctl show", subprocess.run(show, capture_output=True, text=True, check=False).stdout)]

    def reset(self):
        for verb in ("stop", "reset-failed"):
            subprocess.run(["systemctl", verb, NAME], capture_output=True, check=False)


class Podman(Tool):
    """A container with the host's root under an overlay, for want of an image. Its command line and
    what it tells of a container are docker's."""

    name = "podman"
    program = "podman"
    needs_root = True
    words = r"^Error: .*: (No such file or directory)|(OOMKilled=true)|(ExitCode=-\d+)"

    mounts = own_mounts("true") if HYBRID else ()

    def __init__(self, scratch, bulkhead):
        super().__init__(scratch, bulkhead)
        top = self.scratch
        self.common = ("podman", "--root", str(top / "root"), "--runroot", str(top / "run"),
                       "--tmpdir", str(top / "tmp"), "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
                       "--events-backend", "none", "--runtime", "crun",
                       "--runtime-flag", f"root={top / 'crun'}")

    def command(self, program, limit):
        return [*self.common, "run", "--name", NAME, "--cgroup-parent", f"/{NAME}", "--network", "none",
                "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024",
                "--memory", str(MEMORY), "--memory-swap", str(MEMORY),
                "--timeout", f"{max(1, round(limit))}", "--rootfs", "/:O", *program]

    def states(self):
        keys = " ".join(f"{key}={{{{.State.{key}}}}}" for key in ("Status", "ExitCode", "OOMKilled", "Error"))
        shown = subprocess.run([*self.mounts, *self.common, "inspect", "--format", keys, NAME],
                               capture_output=True, text=True, check=False)
        return [("podman inspect", shown.stdout + shown.stderr)]

    def reset(self):
        subprocess.run([*self.mounts, *self.common, "rm", "--force", "--time", "0", NAME],
                       capture_output=True, check=False)

    def close(self):
        remove_groups(NAME)


class Docker(Tool):
    """It runs nothing without images from a registry: podman, with the same command line, is what runs here."""

    name = "docker"
    # docker run, "Exit status"; State.OOMKilled in the Engine's API
    manual = ("42", "137", "", "", "OOMKilled", "", "", "127")

    def missing(self):
        return "it needs a daemon and an image; podman, of the same command line, stands for it"


class Crun(Tool):
    """A bundle written by hand: namespaces, a read-only root, a limit of memory. It knows no time."""

    name = "crun"
    program = "crun"
    needs_root = True
    words = r"executable file .*: (No such file or directory)$"

    def config(self, program):
        def mount(kind, where):
            return {"destination": where, "type": kind, "source": kind}
        return {
            "ociVersion": "1.0.2",
            "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": list(program),
                        "env": ["PATH=/usr/bin:/bin"], "cwd": "/", "noNewPrivileges": True},
            "root": {"path": str(self.scratch / "root"), "readonly": True},
            "mounts": [mount("proc", "/proc"), mount("tmpfs", "/dev"), mount("tmpfs", "/tmp")],
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "cgroup", "network")],
                      "resources": {"memory": {"limit": MEMORY, "swap": MEMORY}},
                      "cgroupsPath": f"/{NAME}"},
        }

    def prepare(self):
        (self.scratch / "root").mkdir()
        (self.scratch / "state").mkdir()
        # It takes no / for a root: it gets that under another name.
        self.mounts = own_mounts('mount --rbind / "$0"', str(self.scratch / "root"))
        return ["config.json: " + json.dumps(self.config(["COMMAND", "..."]))]

    def command(self, program, _limit):
        (self.scratch / "config.json").write_text(json.dumps(self.config(program)))
        return ["crun", "--cgroup-manager=cgroupfs", "--root", str(self.scratch / "state"),
                "run", "--bundle", str(self.scratch), NAME]

    def reset(self):
        subprocess.run(["crun", "--cgroup-manager=cgroupfs", "--root", str(self.scratch / "state"),
                        "delete", "--force", NAME], capture_output=True, check=False)

    def close(self):
        remove_groups(NAME)


class Bubblewrap(Tool):
    """It has no limits; its own account of the end goes to a descriptor."""

    name = "bubblewrap"
    program = "bwrap"
    words = r"^bwrap: .*: (.*)$"

    def __init__(self, scratch, bulkhead):
        super().__init__(scratch, bulkhead)
        self.common = ("sh", "-c", 'exec 3>"$0" "$@"', str(self.scratch / "status"),
                       "bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev",
                       "--proc", "/proc", "--tmpfs", "/tmp", "--json-status-fd", "3", "--")

    def command(self, program, _limit):
        return [*self.common, *program]

    def states(self):
        return [("status-fd", (self.scratch / "status").read_text())]


class Nsjail(Tool):
    name = "nsjail"
    program = "nsjail"
    needs_root = True
    words = r"(run time >= time limit|terminated with signal: SIG\w+|exited with status: \d+)"

    def version(self):
        return "it has no option that tells its version"

    def group(self):
        return CGROUPS / NAME if UNIFIED else CGROUPS / "memory" / NAME

    def prepare(self):
        self.group().mkdir()
        if UNIFIED:
            (self.group() / "cgroup.subtree_control").write_text("+memory")
        return [f"mkdir {self.group()}"]

    def command(self, program, limit):
        where = (["--use_cgroupv2", "--cgroupv2_mount", str(self.group())] if UNIFIED
                 else ["--cgroup_mem_parent", NAME])
        return ["nsjail", "-Mo", "--chroot", "/", "--rlimit_as", "max", *where,
                "--cgroup_mem_max", str(MEMORY), "--time_limit", f"{max(1, round(limit))}", "--", *program]

    def close(self):
        remove_groups(NAME)


class Isolate(Tool):
    """With control groups where it is set up for them, else with an address space of that size."""

    name = "isolate"
    program = "isolate"
    needs_root = True
    box = str(os.getpid() % 10)
    groups = ()
    words = r"^status:(.*)$"
    # isolate(1), "META-FILES"
    manual = ("RE exitcode:42", "RE exitcode:137", "SG exitsig:11", "SG exitsig:9", "SG cg-oom-killed",
              "TO killed", "SG exitsig:9", "")

    def init(self, *words):
        return subprocess.run(["isolate", "--box-id", self.box, *words, "--init"],
                              capture_output=True, text=True, check=False)

    def prepare(self):
        self.groups = ("--cg",) if self.init("--cg").returncode == 0 else ()
        done = self.init(*self.groups)
        return [shlex.join(done.args), *(done.stdout + done.stderr).splitlines()]

    def command(self, program, limit):
        kib = MEMORY >> 10
        memory = [*self.groups, f"--cg-mem={kib}"] if self.groups else [f"--mem={kib}"]
        return ["isolate", "--box-id", self.box, *memory, f"--wall-time={limit:g}",
                "--processes=16", f"--meta={self.scratch / 'meta'}", "--run", "--", *program]

    def states(self):
        return [("meta", (self.scratch / "meta").read_text())]

    def brief(self, _status, said):
        meta = dict(line.split(":", 1) for line in dict(said).get("meta", "").splitlines())
        facts = [f"{key}:{meta[key]}" for key in ("exitcode", "exitsig", "killed", "cg-oom-killed") if key in meta]
        return [meta.get("status", ""), *facts]

    def reset(self):
        self.close()  # what it knows of a box's group stays there
        self.init(*self.groups)

    def close(self):
        subprocess.run(["isolate", "--box-id", self.box, *self.groups, "--cleanup"],
                       capture_output=True, check=False)


class Timeout(Tool):
    """What everybody has: limits of one process's address space, and of the time."""

    name = "timeout+prlimit"
    program = "timeout"
    words = r"^timeout: (sending signal \w+)|^prlimit: .*: (.*)$"

    def command(self, program, limit):
        return ["timeout", "--verbose", "--kill-after=2", f"{limit:g}", "prlimit", f"--as={MEMORY}", "--", *program]


TOOLS = (Bulkhead, SystemdRun, Podman, Docker, Crun, Bubblewrap, Nsjail, Isolate, Timeout)
