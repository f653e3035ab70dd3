"""An exchange whose people share a disk as real Unix users: what one hands in, no other can read, replace or
hand in by that one's name. deploy/jupyterhub wires it in place of nbgrader's own steps.

nbgrader leaves what is handed in readable and writable by everyone who knows its name, collects a folder
under the name that it bears whoever made it (with a warning), and copies what symbolic links point to, with
the rights of the account that collects.
"""

from __future__ import annotations

import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.exchange.default import ExchangeCollect, ExchangeSubmit

Record = dict[str, Any]

CLOSED_TO_OTHERS = 0o770
#: What one submission may hold; its bytes are limited by nbgrader's CourseDirectory.max_dir_size.
MOST_FILES = 1000
MOST_LEVELS = 8
_BLOCK = 1 << 20


class NotHandedIn(Exception):
    """Why something in the inbound folder is no submission."""


class PrivateSubmit(ExchangeSubmit):
    """nbgrader's submit, and then the folder is closed to all but its owner and the course's group.

    The group comes from the inbound folder, which gives its own to what is made in it (mode g+s). Where it
    does not, the folder stays as nbgrader leaves it, since the course could not read it otherwise.
    """

    def copy_files(self) -> None:
        super().copy_files()
        inbound = os.stat(self.inbound_path)
        folder = os.path.join(self.inbound_path, self.assignment_filename)
        if inbound.st_mode & stat.S_ISGID and os.stat(folder).st_gid == inbound.st_gid:
            os.chmod(folder, CLOSED_TO_OTHERS)


class OwnersCollect(ExchangeCollect):
    """nbgrader's collect, of folders that belong to the student whose name they bear, and of plain files.

    What can't be taken is left out, with a line in the log, and costs nobody else's submission.
    """

    src_records: list[Record]

    def init_src(self) -> None:
        super().init_src()
        self.src_records = [record for record in self.src_records if self._is_owners(record)]

    def _sort_by_timestamp(self, records: list[Record]) -> list[Record]:
        """The student's own: nbgrader takes the first, or the first before the due date."""
        own = [record for record in records if self._is_owners(record)]
        for record in records:
            if record not in own:
                self.log.error(
                    "%s is not collected: it is not %s's own folder", record["filename"], record["username"]
                )
        latest: list[Record] = super()._sort_by_timestamp(own or records)
        return latest

    def _is_owners(self, record: Record) -> bool:
        try:
            found = os.lstat(os.path.join(self.inbound_path, record["filename"]))
            student = pwd.getpwnam(record["username"]).pw_uid
        except (OSError, KeyError):
            return False
        return stat.S_ISDIR(found.st_mode) and found.st_uid == student

    def copy_files(self) -> None:
        """One submission at a time, so that one that can't be copied does not stop the others."""
        records = self.src_records
        for record in records:
            self.src_records = [record]
            with tempfile.TemporaryDirectory(prefix=".collecting-", dir=self.coursedir.root) as folder:
                self._collect(record, Path(folder, "copy"))
        self.src_records = records

    def _collect(self, record: Record, copy: Path) -> None:
        """nbgrader removes what it collected before it copies anew: by then there is a whole copy."""
        try:
            source = Path(self.inbound_path, record["filename"])
            copy_plain(source, copy, self.coursedir.max_dir_size * 1000)
        except (NotHandedIn, OSError) as error:
            self.log.error("%s is not collected: %s", record["filename"], error)
            return
        self._copy = copy
        super().copy_files()

    def do_copy(self, src: str, dest: str, log: Any = None) -> None:
        os.rename(self._copy, dest)


def copy_plain(source: Path, dest: Path, most_bytes: int) -> None:
    """Copy the plain files of a stranger's folder.

    Every file and folder is opened without following links, then looked at, so that its owner can put nothing
    else in its place in between. Raises NotHandedIn for a link, a pipe, a device, another owner's file, and
    for more or deeper folders than anyone hands in; OSError for what can't be read.
    """
    top = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        dest.mkdir()
        _Copying(os.fstat(top).st_uid, most_bytes, MOST_FILES).folder(top, dest, MOST_LEVELS)
    finally:
        os.close(top)


@dataclass
class _Copying:
    """What one copy may still take: only `owner`'s files, so many bytes, so many files and folders."""

    owner: int
    bytes_left: int
    items_left: int

    def folder(self, opened: int, dest: Path, levels: int) -> None:
        if levels == 0:
            raise NotHandedIn(f"its folders are nested more than {MOST_LEVELS} deep")
        with os.scandir(opened) as entries:
            for entry in entries:
                self.named(entry.name, opened, dest / entry.name, levels)

    def named(self, name: str, folder: int, dest: Path, levels: int) -> None:
        self.items_left -= 1
        if self.items_left < 0:
            raise NotHandedIn(f"it holds more than {MOST_FILES} files")
        try:
            # a pipe would wait for its writer without O_NONBLOCK
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError as error:
            raise NotHandedIn(f"{name!r} is a link or can't be read ({error.strerror})") from error
        try:
            self.item(opened, dest, levels)
        finally:
            os.close(opened)

    def item(self, opened: int, dest: Path, levels: int) -> None:
        found = os.fstat(opened)
        if found.st_uid != self.owner:
            raise NotHandedIn(f"{dest.name!r} belongs to somebody else")
        if stat.S_ISDIR(found.st_mode):
            dest.mkdir()
            self.folder(opened, dest, levels - 1)
        elif stat.S_ISREG(found.st_mode):
            self.file(opened, dest)
        else:
            raise NotHandedIn(f"{dest.name!r} is neither a file nor a folder")

    def file(self, opened: int, dest: Path) -> None:
        with open(dest, "xb") as copy:
            while block := os.read(opened, _BLOCK):
                self.bytes_left -= len(block)
                if self.bytes_left < 0:
                    raise NotHandedIn("it is larger than CourseDirectory.max_dir_size")
                copy.write(block)
