"""Archives of submissions, taken apart with bounds: a student may have made what lies in them.

nbgrader's own extractor stops at the first entry that leads out of the folder or can't be read, takes file
modes from the archive, and knows no bound for what comes out; one student's file would end the collecting for
all. Here such an entry is left out and named, and the others come out.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from nbgrader.plugins import ExtractorPlugin
from traitlets import Integer

from autograder.files import REMEDIES, CantWrite, writing
from autograder.library import UserError
from autograder.wording import one_line

#: What file systems take for one name, with room for a number; in bytes.
MOST_OF_A_NAME = 200
CHUNK = 1 << 20
#: What goes wrong with an entry of an archive: it is damaged, encrypted, or packed in a way unknown here.
TROUBLE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, OSError, ValueError)

#: An entry that is called like a folder of another one, or the other way round.
IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Bounds:
    """How much may come out: files, bytes of one file, bytes of all."""

    files: int
    file_bytes: int
    bytes: int


@dataclass(frozen=True)
class Entry:
    """A file in an archive: its name there, why it can't be taken, when it was changed, how to read it."""

    name: str
    problem: str | None
    modified: float
    open: Callable[[], IO[bytes]]


class BoundedExtractor(ExtractorPlugin):
    """nbgrader's step of `zip_collect` that takes archives apart."""

    max_files = Integer(20_000, help="Files of one archive that come out").tag(config=True)
    max_file_bytes = Integer(100_000_000, help="Bytes of a file, larger ones stay in").tag(config=True)
    max_bytes = Integer(8_000_000_000, help="Bytes of all files of an archive").tag(config=True)
    max_nested_files = Integer(200, help="The same for an archive in an archive").tag(config=True)
    max_nested_bytes = Integer(200_000_000, help="The same for an archive in an archive").tag(config=True)

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Take apart all archives below `archive_path`, and copy what is none; what is left out is said in a
        line each. Where the disk refuses, the command ends with one line."""
        source, target = Path(archive_path), Path(extracted_path)
        found = sorted(path for path in source.rglob("*") if path.is_symlink() or not path.is_dir())
        if not found:
            self.log.warning("No files found in directory: %s", source)
        try:
            for path in found:
                self._extract(path, path.relative_to(source), target)
        except UserError as error:
            if not hasattr(self.parent, "fail"):
                raise
            self.parent.fail(str(error))

    def _extract(self, path: Path, relative: Path, target: Path) -> None:
        if path.is_symlink() or not path.is_file():
            self._say(f"{relative}: no ordinary file, left out")
        elif is_archive(path, self.zip_ext):
            outer = Bounds(self.max_files, self.max_file_bytes, self.max_bytes)
            self.log.info("Extracting from: %s", path)
            self._unpack(path, target / relative.parent, outer, str(relative))
        else:
            with writing(target / relative):
                (target / relative.parent).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / relative)
                os.utime(target / relative, (path.stat().st_mtime,) * 2)

    def _unpack(self, archive: Path, beside: Path, bounds: Bounds, name: str) -> None:
        """Take `archive` apart into a folder of its name, then the archives that came out, once."""
        folder = free_name(beside / _stem(archive.name))
        folder.mkdir(parents=True)
        for path in unpack(archive, folder, bounds, self._saying(name)):
            if is_archive(path, self.zip_ext):
                inner = Bounds(self.max_nested_files, self.max_file_bytes, self.max_nested_bytes)
                nested = free_name(path.parent / _stem(path.name))
                nested.mkdir()
                list(unpack(path, nested, inner, self._saying(f"{name}: {path.relative_to(folder)}")))

    def _saying(self, name: str) -> Say:
        return lambda line: self._say(f"{name}: {line}")

    def _say(self, line: str) -> None:
        self.log.warning("%s", one_line(line))


def is_archive(path: Path, extensions: list[str]) -> bool:
    """Whether it is called one; whether it is one shows when it is opened."""
    return path.suffix.lower() in extensions


def unpack(archive: Path, folder: Path, bounds: Bounds, say: Say) -> Iterator[Path]:
    """The files of `archive`, written below `folder`; each is as old as the newest entry, which is about
    when the archive was made. What is left out goes to `say`."""
    left, count = bounds.bytes, 0
    written: list[Path] = []
    newest = 0.0
    try:
        for entry in _entries(archive):
            problem = entry.problem or _name_problem(entry.name)
            if count >= bounds.files or left <= 0:
                say(
                    f"holds more than {bounds.files:,} files or {bounds.bytes:,} bytes: the rest was left out"
                )
                break
            if problem:
                say(f"{entry.name}: {problem}, left out")
                continue
            target = _target(folder, entry.name)
            count += 1
            size, trouble = _write(entry, target, min(bounds.file_bytes, left))
            left -= size
            if trouble:
                say(f"{entry.name}: {trouble}, left out")
            else:
                written.append(target)
                newest = max(newest, min(entry.modified, time.time()))
    except TROUBLE as error:
        say(f"can't be read on as an archive: {error}")
    for path in written:
        os.utime(path, (newest, newest))
    yield from written


def free_name(path: Path) -> Path:
    """`path`, or the first of `path~2`, `path~3`, … that is not there."""
    number, free = 1, path
    while free.exists() or free.is_symlink():
        number += 1
        free = path.with_name(f"{path.stem}~{number}{path.suffix}")
    return free


def _entries(archive: Path) -> Iterator[Entry]:
    """The files of a zip or tar archive, in its order; folders come with their files."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                if not info.is_dir():
                    yield _zipped(opened, info)
    else:
        with tarfile.open(archive) as opened_tar:
            for member in opened_tar:
                if not member.isdir():
                    yield _tarred(opened_tar, member)


def _zipped(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Entry:
    mode = info.external_attr >> 16
    odd = stat.S_IFMT(mode) not in (0, stat.S_IFREG)
    return Entry(info.filename, "no ordinary file" if odd else None, _moment(info), lambda: opened.open(info))


def _tarred(opened: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    def read() -> IO[bytes]:
        file = opened.extractfile(member)
        if file is None:
            raise ValueError("nothing to read")
        return file

    return Entry(member.name, None if member.isreg() else "no ordinary file", float(member.mtime), read)


def _moment(info: zipfile.ZipInfo) -> float:
    """Seconds since 1970, by the local clock, as zip files have it; 0 where the archive says nonsense."""
    try:
        return time.mktime((*info.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return 0.0


def _name_problem(name: str) -> str | None:
    """Why a name can't be taken, if so: it could lead out of the folder, or is none."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or "\\" in name or ".." in parts or name[1:2] == ":":
        return "its name leads out of the folder"
    if not parts or any(ord(letter) < 32 for letter in name):
        return "its name is none"
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "its name is not valid Unicode"
    return None


def _target(folder: Path, name: str) -> Path:
    """Where an entry goes: below `folder`, its names cut to what a file system takes, and to a free one."""
    return free_name(folder.joinpath(*(_shortened(part) for part in PurePosixPath(name).parts)))


def _shortened(part: str) -> str:
    if len(part.encode()) <= MOST_OF_A_NAME:
        return part
    suffix = Path(part).suffix[:12]
    kept = part.encode()[: MOST_OF_A_NAME - len(suffix.encode())].decode(errors="ignore")
    return kept + suffix


def _write(entry: Entry, target: Path, most: int) -> tuple[int, str | None]:
    """Write one entry, `most` bytes at the most, whatever size the archive claims: the bytes that were read,
    and what is wrong with the entry. Raises CantWrite where the disk refuses."""
    size = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with entry.open() as source, target.open("xb") as file:
            while size <= most and (chunk := source.read(CHUNK)):
                size += len(chunk)
                file.write(chunk if size <= most else b"")
    except (*TROUBLE, NotImplementedError) as error:
        if target.is_file():
            target.unlink()
        if isinstance(error, OSError) and error.errno in REMEDIES and error.errno not in IN_THE_WAY:
            raise CantWrite(target, error) from error
        return size, f"can't be taken ({error})"
    if size > most:
        target.unlink()
        return size, f"holds more than {most:,} bytes"
    return size, None


def _stem(name: str) -> str:
    """`a.zip` and `a.tar.gz` → `a`."""
    stem = Path(name).stem
    return stem.removesuffix(".tar") or "archive"
