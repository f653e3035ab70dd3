"""What it takes to have a hub on this server. Each step looks first, and can be done again."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from places import Hub

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
PYTHON = "/usr/bin/python3"
OLDEST_PYTHON = (3, 11)
UV = "uv==0.13.8"
#: configurable-http-proxy: 5 wants Node.js 22 (what it depends on does), Debian 12 has 18.
PROXY_FOR_NODE = {22: "5.3.0", 0: "4.6.3"}
NO_SHELL = "/usr/sbin/nologin"


class CantSetUp(Exception):
    """What is missing, in one line, and what to do."""


def run(*command: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, quietly. Raises CantSetUp with what it said if it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise CantSetUp(f"{' '.join(map(str, command))} failed ({done.returncode}):\n{said}")
    return done


def as_account(hub: Hub, *command: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Run a program as the account that grades, in its home, with nothing of root's environment."""
    environment = {
        "PATH": f"{hub.environment}/bin:/usr/sbin:/usr/bin:/bin",
        "HOME": str(hub.account_home),
        "LANG": "C.UTF-8",
    }
    options = {"env": environment, "cwd": hub.account_home, **options}
    return run("runuser", "-u", hub.account, "--", *command, **options)


def check_machine() -> None:
    """Raises CantSetUp unless this is root on a Debian or Ubuntu."""
    if os.geteuid() != 0:
        raise CantSetUp("a hub makes Unix accounts and starts servers as them: run this as root (sudo)")
    if not shutil.which("apt-get"):
        raise CantSetUp("no apt-get here: this is written for Debian and Ubuntu")


def refuse_an_open_repository() -> None:
    """Raises CantSetUp where students with an account here could read the answers in this repository."""
    way = [REPOSITORY / "solutions", *(REPOSITORY / "solutions").parents]
    if all(folder.stat().st_mode & stat.S_IXOTH for folder in way):
        raise CantSetUp(
            f"every account here can read the answers in {REPOSITORY}: first run  chmod 700 {REPOSITORY}"
        )


def packages(hub: Hub) -> None:
    """Debian's packages, where their programs are missing."""
    needed = (("git", "git"), ("nodejs", "node"), ("npm", "npm"))
    wanted = [package for package, program in needed if not shutil.which(program)]
    if subprocess.run(["sh", "-c", f"{PYTHON} -c 'import ensurepip'"], capture_output=True).returncode:
        wanted += ["python3", "python3-venv"]
    if wanted:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted, env=quiet)


def environment(hub: Hub) -> None:
    """The Python environment that students and graders run.

    It has the versions of requirements.lock and this repository's own packages, and nothing in it leads back
    to the repository, which holds the answers. Python is Debian's own, since everyone can execute it.
    """
    version = run(PYTHON, "-c", "import sys; print(*sys.version_info[:2])").stdout.split()
    if tuple(map(int, version)) < OLDEST_PYTHON:
        raise CantSetUp(f"{PYTHON} is {'.'.join(version)}: 3.11 or newer is needed (Debian 12, Ubuntu 24.04)")
    python = hub.environment / "bin" / "python"
    if not python.exists():
        run(PYTHON, "-m", "venv", hub.environment)
    run(python, "-m", "pip", "install", "--quiet", UV)
    wheel = f"attention-course[instructor,hub] @ {REPOSITORY.as_uri()}"
    run(
        *(hub.environment / "bin" / "uv", "pip", "install", "--quiet", "--python", python),
        *("--constraint", REPOSITORY / "requirements.lock", "--reinstall-package", "attention-course", wheel),
    )
    for origin in hub.environment.glob("lib/python3*/site-packages/attention_course-*/direct_url.json"):
        origin.unlink()  # the repository's path


def proxy(hub: Hub) -> None:
    """The proxy, the part of JupyterHub that is no Python: configurable-http-proxy."""
    node = int(run("node", "--version").stdout.lstrip("v").split(".")[0])
    version = next(version for oldest, version in PROXY_FOR_NODE.items() if node >= oldest)
    installed = hub.proxy / "node_modules/configurable-http-proxy/package.json"
    if not installed.exists() or f'"version": "{version}"' not in installed.read_text():
        hub.proxy.mkdir(parents=True, exist_ok=True)
        run("npm", "install", "--silent", "--prefix", hub.proxy, f"configurable-http-proxy@{version}")


def accounts(hub: Hub) -> None:
    """The account that grades, with no password and no shell, and the groups of students and instructors."""
    for group in (hub.students, hub.instructors):
        if not group_exists(group):
            run("groupadd", group)
    if not user_exists(hub.account):
        Path(hub.homes).mkdir(parents=True, exist_ok=True)
        run(
            *("useradd", "--create-home", "--user-group", "--home-dir", hub.account_home),
            *("--shell", NO_SHELL, "--comment", f"grades the course {hub.course}", hub.account),
        )
    hub.account_home.chmod(0o700)


def group_exists(name: str) -> bool:
    return any(group.gr_name == name for group in grp.getgrall())


def user_exists(name: str) -> bool:
    return any(user.pw_name == name for user in pwd.getpwall())


def exchange(hub: Hub) -> None:
    """nbgrader's exchange, made before anyone else can make it.

    It wants the root writable by everyone: the sticky bit (1777) keeps its folders from being renamed or
    removed by others. Students write to `inbound` and can't list it (nbgrader's 2733); there too the sticky
    bit is added, and the group bit gives what is handed in to the course's group.
    """
    owner = pwd.getpwnam(hub.account)
    for folder, mode in (
        (hub.exchange_course, 0o755),
        (hub.exchange_course / "outbound", 0o755),
        (hub.exchange_course / "inbound", 0o3733),
        (hub.exchange_course / "feedback", 0o711),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        folder.chmod(mode)
    Path(hub.exchange).chmod(0o1777)


def repository(hub: Hub) -> None:
    """The account's own copy of the repository.

    The files that git tracks; what a class adds stays. Written by the account itself, so that root follows
    no link of its.
    """
    listed = run("git", "-c", "safe.directory=*", "-C", REPOSITORY, "ls-files", "-z").stdout
    names = [name for name in listed.split("\0") if name and (REPOSITORY / name).is_file()]
    as_account(hub, "install", "-d", "-m", "700", hub.repository)
    _forget(hub, "solutions", "autograder", "attention_lib", "notebooks")
    _unpack(hub, _packed(names))
    _give_sources(hub)


def _give_sources(hub: Hub) -> None:
    """nbgrader's source notebooks, which git does not track: those that were built here since the lessons
    last changed, or built by the account."""
    built = list(REPOSITORY.glob("build/source/*/*.ipynb"))
    lessons = [path for path in (REPOSITORY / "solutions").rglob("*") if path.is_file()]
    oldest = min((path.stat().st_mtime for path in built), default=0)
    if len(built) < len(list((REPOSITORY / "solutions/lessons").glob("[0-9]*.md"))) or oldest < max(
        path.stat().st_mtime for path in lessons
    ):
        as_account(hub, "autograder", "--course", hub.repository, "build")
        return
    _unpack(hub, _packed([str(path.relative_to(REPOSITORY)) for path in built]))


def _packed(names: list[str]) -> bytes:
    """A tar of these files of the repository."""
    return subprocess.run(
        ["tar", "-C", REPOSITORY, "--null", "--files-from=-", "-c"],
        input="".join(f"{name}\0" for name in names).encode(),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


def _unpack(hub: Hub, packed: bytes) -> None:
    command = ["runuser", "-u", hub.account, "--", "tar", "-C", hub.repository, "--no-same-owner", "-x"]
    subprocess.run(command, input=packed, check=True)


def _forget(hub: Hub, *folders: str) -> None:
    """Remove the last copy of what the course teaches, so that what was removed there is removed here."""
    as_account(hub, "rm", "-rf", *(hub.repository / folder for folder in folders))


def settings(hub: Hub) -> None:
    """The hub's configuration.

    What is for everyone goes into the environment itself, what is for some into folders of their own.
    """
    hub.save()
    for name in ("jupyterhub_config.py", "places.py"):
        shutil.copyfile(HERE / name, Path(hub.prefix, name))
    shutil.copytree(HERE / "everyone", hub.environment / "etc" / "jupyter", dirs_exist_ok=True)
    lab_settings = hub.environment / "share" / "jupyter" / "lab" / "settings"
    shutil.copytree(HERE / "lab_settings", lab_settings, dirs_exist_ok=True)
    for kind in ("course", "instructors"):
        shutil.copytree(HERE / kind, Path(hub.prefix, "etc", kind), dirs_exist_ok=True)
    state = Path(hub.state)
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o700)


def hub_command(hub: Hub) -> list[str]:
    """The hub, in a view of /proc that shows a person only their own processes; what it starts can be
    interrupted, even where this was started in the background."""
    hide = 'mount -t proc -o hidepid=invisible proc /proc && exec "$0" "$@"'
    start = [f"{hub.environment}/bin/jupyterhub", "-f", f"{hub.prefix}/jupyterhub_config.py"]
    return [
        "env",
        "--default-signal=INT",
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        hide,
        *start,
    ]


STEPS = (packages, environment, proxy, accounts, exchange, repository, settings)
