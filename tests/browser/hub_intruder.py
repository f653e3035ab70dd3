"""What a student tries on the hub, from their own account and from a notebook that is graded."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

#: In every file that is planted where a student must not read.
CANARY = "CANARY-5b1f0e6c2a94d387"

#: Run as the student, with the student's own token: each attempt is told apart by its name, and what it says
#: is "done", what it got, or the error's type. `PLACES` is filled in from outside.
FROM_THE_ACCOUNT = r"""
import ctypes, json, os, signal, socket, sys, urllib.error, urllib.request

places = json.load(sys.stdin)
told = {}

def attempt(name, action):
    try:
        told[name] = {"got": str(action())[:300]}
    except urllib.error.HTTPError as error:
        told[name] = {"refused": f"HTTP {error.code}"}
    except OSError as error:
        told[name] = {"refused": type(error).__name__}

def ask(path, method="GET", body=None):
    headers = {"Authorization": "token " + places["token"]}
    request = urllib.request.Request(places["api"] + path, method=method, headers=headers)
    request.data = json.dumps(body).encode() if body else None
    return urllib.request.urlopen(request, timeout=10).read().decode()

def bare(address):
    return urllib.request.urlopen(address, timeout=10).read().decode()

def traced(pid):
    if ctypes.CDLL(None, use_errno=True).ptrace(16, pid, 0, 0) != 0:
        raise PermissionError("ptrace")
    return "attached"

for name, path in places["folders"].items():
    attempt(f"list {name}", lambda: os.listdir(path))
for name, path in places["files"].items():
    attempt(f"read {name}", lambda: open(path, "rb").read(2000))
for name, path in places["others"].items():
    attempt(f"write {name}", lambda: open(path, "ab").write(b"x"))
for name, path in places["moved"].items():
    attempt(f"rename {name}", lambda: os.rename(path, path + ".gone"))
for name, path in places["new"].items():
    attempt(f"make {name}", lambda: open(path, "x").write("x"))
for name, pid in places["processes"].items():
    attempt(f"see {name}", lambda: os.stat(f"/proc/{pid}"))
    attempt(f"environment of {name}", lambda: open(f"/proc/{pid}/environ").read())
    attempt(f"kill {name}", lambda: os.kill(pid, signal.SIGKILL))
    attempt(f"trace {name}", lambda: traced(pid))
attempt("processes of others", lambda: [pid for pid in os.listdir("/proc") if pid.isdigit()
                                        and os.stat(f"/proc/{pid}").st_uid != os.getuid()])
attempt("hub: oneself", lambda: sorted(json.loads(ask("/user"))["groups"]))
attempt("hub: users", lambda: ask("/users"))
attempt("hub: groups", lambda: ask("/groups"))
attempt("hub: become an instructor", lambda: ask(places["promote"], "POST", {"users": [places["name"]]}))
attempt("hub: another's server", lambda: ask("/users/" + places["victim"] + "/server", "DELETE"))
attempt("hub: another's token", lambda: ask("/users/" + places["victim"] + "/tokens", "POST", {"note": "x"}))
attempt("proxy: routes", lambda: bare(places["proxy"]))
places["api"] = places["course"]
attempt("course: files", lambda: ask("/api/contents/attention/solutions"))
attempt("course: gradebook", lambda: ask("/formgrader/api/assignments"))
print(json.dumps(told))
"""

#: A cell of a hostile notebook, behind what the attacks of tests/hostile put there: `show` reports loot.
FROM_A_GRADED_NOTEBOOK = """
import ctypes
import signal
import socket
import urllib.request

TRIED, REFUSED = [], []

def attempt(name, action):
    TRIED.append(name)
    try:
        show(name, action())
    except Exception as error:
        REFUSED.append(name)
        print("refused", name, type(error).__name__)

for name in {names}:
    attempt("a variable", lambda: os.environ[name])
for path in {files}:
    attempt(path, lambda: open(path, "rb").read(2000))
for path in {folders}:
    attempt(path, lambda: os.listdir(path))
for path in {new}:
    attempt(path, lambda: open(path, "w").write("all points, please"))
for address in {addresses}:
    attempt(address, lambda: urllib.request.urlopen(address, timeout=3).read())
for pid in [os.getppid(), *{processes}]:
    attempt("environment of a process", lambda: open(f"/proc/{{pid}}/environ").read())
    attempt("a signal", lambda: os.kill(pid, signal.SIGTERM))
print(f"ATTEMPTS REFUSED: {{len(REFUSED)}} of {{len(TRIED)}}")
"""


@dataclass(frozen=True)
class Probe:
    """What became of each attempt."""

    told: dict[str, dict[str, str]]

    @property
    def got(self) -> dict[str, str]:
        return {name: told["got"] for name, told in self.told.items() if "got" in told}

    @property
    def refused(self) -> set[str]:
        return set(self.told) - set(self.got)


def in_the_hub(
    pid: int, user: str, *command: str | Path, **options: object
) -> subprocess.CompletedProcess[str]:
    """Run a program as this user, with the files and processes that servers of the hub with process number
    `pid` see."""
    enter = ["nsenter", "--target", str(pid), "--mount", "runuser", "-u", user, "--"]
    return subprocess.run(
        [*enter, *map(str, command)], capture_output=True, text=True, timeout=120, **options
    )  # type: ignore[call-overload,no-any-return]


def intrude(pid: int, user: str, python: Path, places: dict[str, object]) -> Probe:
    """Try everything from the user's account. The program is read from the command line, so that the file of
    this test need not be readable."""
    done = in_the_hub(
        pid,
        user,
        python,
        "-c",
        FROM_THE_ACCOUNT,
        input=json.dumps(places),
        cwd="/",
        env={"PATH": "/usr/sbin:/usr/bin"},
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
    return Probe(json.loads(done.stdout))
