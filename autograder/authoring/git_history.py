"""A git history of one commit for a folder: the same files give the same commit, whoever makes it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from autograder.library import UserError

BRANCH = "main"
#: Seconds since 1970 and the time zone: no commit's own time, so that the same files give the same commit.
DATE = "946684800 +0000"
#: An address that can never be anyone's (RFC 2606).
EMAIL = "course@course.invalid"
_SETTINGS = {
    "core.autocrlf": "false",  # the bytes as they are
    "core.fileMode": "false",  # no file is a program, whatever the file system says
    "core.hooksPath": os.devnull,
    "core.logAllRefUpdates": "false",
    "commit.gpgSign": "false",
    "gc.auto": "0",
}


def require_git() -> str:
    """The path of git. Raises UserError where it is not installed."""
    program = shutil.which("git")
    if program is None:
        raise UserError("--git needs git, which is not installed: install it, or leave --git out")
    return program


def commit_folder(folder: Path, author: str, message: str) -> str:
    """Make `folder` a git repository whose branch `main` is one commit with all of its files; give back
    the commit's name.

    Nothing of the person's git set-up takes part: not their name, hooks, templates, signature or ignored
    files. Raises UserError where git is not installed or fails.
    """
    git = _Git(folder, author)
    git("init", "--quiet", "--template=", "--object-format=sha1", f"--initial-branch={BRANCH}")
    git("add", "--all", "--force")
    git("commit", "--quiet", "--no-verify", f"--message={message}")
    return git("rev-parse", "HEAD").strip()


class _Git:
    """Calls git in a folder, with an environment in which all that matters is written here."""

    def __init__(self, folder: Path, author: str):
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self._command = [require_git(), "-C", str(folder), *settings]
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "LC_"))},
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            **dict.fromkeys(("HOME", "XDG_CONFIG_HOME"), os.devnull),  # attributes are looked for there
            "GIT_CEILING_DIRECTORIES": str(folder.parent),
            "LC_ALL": "C",
            **{f"GIT_{who}_NAME": author for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": EMAIL for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_DATE": DATE for who in ("AUTHOR", "COMMITTER")},
        }

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._command, *arguments], env=self._environment, capture_output=True, text=True
        )
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
            raise UserError(f"git {arguments[0]} failed: {reason[0]} (git 2.29 or newer is needed)")
        return done.stdout
