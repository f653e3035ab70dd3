"""Where the students' repository will be published, and how to get it from there: by git, or on Binder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from autograder.library import UserError

BINDER = "https://mybinder.org"
EXPECTED = (
    "expected OWNER/NAME on GitHub, or a public address such as https://github.com/OWNER/NAME, "
    "https://gitlab.com/GROUP/NAME or https://git.example.org/NAME.git"
)
_OWNER_AND_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[\w.-]+", re.ASCII)
_OF_SSH = re.compile(r"git@(github\.com|gitlab\.com):(.+)")
_PATH = re.compile(r"/[\w.~/%+-]*", re.ASCII)
_SCHEMES = ("https", "http", "git")  # Binder's own, but for ssh: it has no key


@dataclass(frozen=True)
class Repository:
    """A public git repository: the address that `git clone` takes, and what Binder calls it."""

    clone: str
    binder: str

    @property
    def folder(self) -> str:
        """The folder that a clone makes."""
        return self.clone.rstrip("/").rpartition("/")[2].removesuffix(".git")

    def on_binder(self, path: str) -> str:
        """The address that starts a Binder server on the default branch, with JupyterLab at `path`."""
        return f"{BINDER}/v2/{self.binder}/HEAD?urlpath={quote(f'lab/tree/{path}', safe='')}"


def repository(address: str) -> Repository:
    """The repository at `address`: OWNER/NAME on GitHub, or an address that anyone can clone.

    Raises UserError for any other, and for one that holds a password.
    """
    if _OWNER_AND_NAME.fullmatch(address):
        return _on_github(address)
    if of_ssh := _OF_SSH.fullmatch(address):
        address = f"https://{of_ssh[1]}/{of_ssh[2]}"
    parts = _split(address)
    path = parts.path.strip("/").removesuffix(".git")
    match parts.netloc.lower().removeprefix("www."):
        case "github.com" if _OWNER_AND_NAME.fullmatch(path):
            return _on_github(path)
        case "gitlab.com" if "/" in path and "/-/" not in path:
            return Repository(f"https://gitlab.com/{path}.git", f"gl/{quote(path, safe='')}")
        case "github.com" | "gitlab.com":
            raise _wrong(address, "names no repository")
    return Repository(address, f"git/{quote(address, safe='')}")


def _on_github(path: str) -> Repository:
    path = path.removesuffix(".git")
    return Repository(f"https://github.com/{path}.git", f"gh/{path}")


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise _wrong(address, f"is no address ({error})") from error
    if parts.username or parts.password:
        raise _wrong(
            parts._replace(netloc="…").geturl(), "holds a user or password, which would be published"
        )
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise _wrong(address, "is no address that anyone can clone")
    if parts.query or parts.fragment or not _PATH.fullmatch(parts.path) or not parts.path.strip("/"):
        raise _wrong(address, "names no repository")
    return parts


def _wrong(address: str, why: str) -> UserError:
    return UserError(f"--repository {address} {why}: {EXPECTED}")
