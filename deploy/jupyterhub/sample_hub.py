"""A hub to look at: `make hub` starts it on loopback with three people, `make hub-clean` removes all of it.

python deploy/jupyterhub/sample_hub.py        # start, until Ctrl-C
python deploy/jupyterhub/sample_hub.py clean  # remove people, groups and the folder
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import steps
from places import SAMPLE, Hub
from setup_hub import set_up

#: In the accounts' comment field: what bears it was made here, and may be removed.
MARK = "sample of the attention course"
INSTRUCTORS = ("instructor",)
STUDENTS = ("ada", "ben")
STARTS_WITHIN = 60


@dataclass(frozen=True)
class Running:
    """A hub that answers, and the passwords of its people."""

    hub: Hub
    passwords: dict[str, str]
    process: subprocess.Popen[bytes]


def made(hub: Hub) -> Path:
    """The list of accounts and groups that were made for this hub."""
    return Path(hub.prefix, "made.json")


def pid_file(hub: Hub) -> Path:
    return Path(hub.state, "hub.pid")


def refuse_what_is_not_ours(hub: Hub) -> None:
    """Raises CantSetUp where an account or a group of these names is somebody's."""
    ours = json.loads(made(hub).read_text()) if made(hub).exists() else []
    names = [hub.account, *INSTRUCTORS, *STUDENTS]
    taken = [f"the account {name}" for name in names if steps.user_exists(name)]
    taken += [f"the group {name}" for name in (hub.students, hub.instructors) if steps.group_exists(name)]
    strange = [name for name in taken if name.split()[-1] not in ours]
    if strange:
        raise steps.CantSetUp(
            f"{', '.join(strange)} exists on this machine and was not made by `make hub`: nothing was "
            "changed or started. Try the sample on a machine without a hub of its own."
        )


def refuse_if_running(hub: Hub) -> None:
    """Raises CantSetUp where something listens on one of the hub's ports."""
    for port in (hub.port, hub.hub_port, hub.proxy_port, hub.course_port):
        with socket.socket() as line:
            if line.connect_ex((hub.address, port)) == 0:
                raise steps.CantSetUp(f"port {port} is taken: is `make hub` running already? Stop it first")


def people(hub: Hub) -> dict[str, str]:
    """Make the sample's people; their passwords."""
    passwords = {}
    for name in (*INSTRUCTORS, *STUDENTS):
        group = hub.instructors if name in INSTRUCTORS else hub.students
        passwords[name] = secrets.token_urlsafe(9)
        if not steps.user_exists(name):
            home = ("--create-home", "--home-dir", Path(hub.homes, name), "--key", "HOME_MODE=0700")
            steps.run("useradd", *home, "--user-group", "--shell", "/bin/bash", "--comment", MARK, name)
        steps.run("usermod", "--append", "--groups", group, name)
        steps.run("chpasswd", input=f"{name}:{passwords[name]}\n")
    return passwords


@contextlib.contextmanager
def started(hub: Hub = SAMPLE) -> Iterator[Running]:
    """A sample hub, set up and answering; stopped at the end. Raises CantSetUp."""
    steps.check_machine()
    refuse_what_is_not_ours(hub)
    refuse_if_running(hub)
    Path(hub.prefix).mkdir(parents=True, exist_ok=True)
    names = [hub.account, *INSTRUCTORS, *STUDENTS, hub.students, hub.instructors]
    made(hub).write_text(json.dumps(names))
    set_up(hub)
    passwords = people(hub)
    log = Path(hub.state, "hub.log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            steps.hub_command(hub), stdout=out, stderr=out, cwd=hub.state, env=clean_environment(hub)
        )
    pid_file(hub).write_text(str(process.pid))
    try:
        wait_until_it_answers(hub, process, log)
        yield Running(hub, passwords, process)
    finally:
        stop(process)


def clean_environment(hub: Hub) -> dict[str, str]:
    """What the hub and, through it, everyone's server get of this environment."""
    return {"PATH": f"{hub.environment}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}


def wait_until_it_answers(hub: Hub, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{hub.url}/hub/api", timeout=5)
            urllib.request.urlopen(f"{hub.url}/services/{hub.course}/api", timeout=5)
            return
        time.sleep(0.2)
    raise steps.CantSetUp(f"the hub does not answer. The end of {log}:\n{log.read_text()[-3000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the hub, which stops the servers that it started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def clean(hub: Hub = SAMPLE, keep_programs: bool = False) -> None:
    """Remove the people, the groups and the folder that `started` made; nothing else."""
    if not made(hub).exists():
        return
    stop_running(hub)
    names = json.loads(made(hub).read_text())
    for name in [name for name in names if steps.user_exists(name)]:
        end_processes(name)
        steps.run("userdel", name)
    for name in [name for name in names if steps.group_exists(name)]:
        steps.run("groupdel", name)
    made(hub).write_text("[]")
    kept = {hub.environment.name, hub.proxy.name, made(hub).name} if keep_programs else set()
    for path in Path(hub.prefix).iterdir():
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not kept:
        shutil.rmtree(hub.prefix)


def stop_running(hub: Hub) -> None:
    """Stop a hub that runs from this folder, and its proxy, which a hub that was killed leaves behind."""
    for file in (pid_file(hub), Path(hub.state, "proxy.pid")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            number = int(file.read_text())
            if hub.prefix.encode() in Path(f"/proc/{number}/cmdline").read_bytes():
                os.kill(number, signal.SIGTERM)
                wait_until_gone(number)


def wait_until_gone(number: int, seconds: float = 20) -> None:
    """Wait for a process to end; after that many seconds, kill it."""
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{number}/cmdline").exists() and time.monotonic() < deadline:
        if not Path(f"/proc/{number}/cmdline").read_bytes():  # ended, and not yet waited for
            return
        time.sleep(0.1)
    with contextlib.suppress(ProcessLookupError):
        os.kill(number, signal.SIGKILL)


def end_processes(name: str) -> None:
    """End what runs as this account, by number."""
    owner = pwd.getpwnam(name).pw_uid
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if folder.stat().st_uid == owner:
                os.kill(int(folder.name), signal.SIGKILL)


def main() -> None:
    if sys.argv[1:] == ["clean"]:
        steps.check_machine()
        clean()
        print(f"{SAMPLE.prefix}, its people and its groups are gone")
        return
    for stopped_by in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stopped_by, signal.default_int_handler)
    with started() as running:
        print(f"\n{running.hub.url}    (Ctrl-C stops it, make hub-clean removes it)")
        for name, password in running.passwords.items():
            print(f"  {name:<12} {password}")
        print(f"The instructor's course: {running.hub.url}/services/{running.hub.course}/lab")
        with contextlib.suppress(KeyboardInterrupt):
            running.process.wait()


if __name__ == "__main__":
    try:
        main()
    except steps.CantSetUp as error:
        sys.exit(f"\nmake hub: {error}")
