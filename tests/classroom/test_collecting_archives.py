"""Archives that attack whoever takes them apart: what can't be taken is named, the rest comes out."""

from __future__ import annotations

import io
import logging
import stat
import tarfile
import time
import warnings
import zipfile
from pathlib import Path

import pytest

from autograder.classroom import collecting_archives
from autograder.classroom.collecting_archives import BoundedExtractor
from autograder.files import CantWrite

GOOD = "Ada Lovelace_1_assignsubmission_file_/01_tiny.ipynb"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "class" / "archive").mkdir(parents=True)
    return tmp_path / "class"


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in entries:
            archive.writestr(name, content)
    return packed.getvalue()


def tarred(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def extract(place: Path, content: bytes, name: str = "all.zip", **bounds: int) -> dict[str, bytes]:
    """What comes out of an archive, by its path below the archive's own folder."""
    (place / "archive" / name).write_bytes(content)
    extractor = BoundedExtractor(log=logging.getLogger("extract"), **bounds)
    extractor.extract(str(place / "archive"), str(place / "extracted"))
    folder = place / "extracted" / "all"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def told(caplog) -> str:
    return "\n".join(record.getMessage() for record in caplog.records)


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "C:\\evil", "C:evil", "a\nb", "a/./../../evil"],
)
def test_a_name_that_leads_out_is_left_out_and_the_rest_comes(place, caplog, name):
    assert extract(place, zipped((name, b"evil"), (GOOD, b"good"))) == {GOOD: b"good"}
    assert "all.zip: " in told(caplog)
    assert "left out" in told(caplog)
    assert not list(place.parent.rglob("*evil*"))


def test_links_are_left_out(place, caplog):
    (place / "secret").write_text("secret")
    content = zipped(
        link("folder", str(place)), link(GOOD, str(place / "secret")), ("folder/secret", b"mine")
    )
    assert extract(place, content) == {"folder/secret": b"mine"}
    assert (place / "secret").read_text() == "secret"
    assert f"{GOOD}: no ordinary file, left out" in told(caplog)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_of_a_tar_are_left_out(place, caplog, kind):
    odd = tarfile.TarInfo("odd")
    odd.type, odd.linkname = kind, "/etc/passwd"
    content = tarred((odd, b""), (tarfile.TarInfo(GOOD), b"good"), (tarfile.TarInfo("../up"), b"evil"))
    assert extract(place, content, "all.tar.gz") == {GOOD: b"good"}
    assert "odd: no ordinary file, left out" in told(caplog)
    assert "../up: its name leads out of the folder, left out" in told(caplog)


def test_a_bomb_stops_at_the_bound_of_a_file_whatever_size_it_claims(place, caplog, monkeypatch):
    monkeypatch.setattr(collecting_archives, "CHUNK", 1000)
    found = extract(place, zipped(("bomb.ipynb", b"0" * 50_000), (GOOD, b"good")), max_file_bytes=9_000)
    assert found == {GOOD: b"good"}
    assert "bomb.ipynb: holds more than 9,000 bytes, left out" in told(caplog)


def test_many_files_and_many_bytes_stop_at_the_bounds_of_an_archive(place, caplog):
    many = [(f"{number}.ipynb", b"0" * 100) for number in range(30)]
    assert len(extract(place, zipped(*many), max_files=10)) == 10
    assert "holds more than 10 files or" in told(caplog)
    (place / "archive" / "all.zip").unlink()
    (place / "archive" / "more.zip").write_bytes(zipped(*many))
    BoundedExtractor(max_bytes=950).extract(str(place / "archive"), str(place / "two"))
    assert len(list((place / "two").rglob("*.ipynb"))) == 9


def test_an_archive_in_an_archive_comes_out_once_and_in_its_own_bounds(place, caplog):
    inmost = zipped(("deep.ipynb", b"deep"))
    inner = zipped(
        ("../up.ipynb", b"evil"), ("01_tiny.ipynb", b"good"), ("again.zip", inmost), ("b", b"0" * 999)
    )
    found = extract(place, zipped(("Ada_1/work.zip", inner)), max_nested_bytes=500)
    assert set(found) == {"Ada_1/work.zip", "Ada_1/work/01_tiny.ipynb", "Ada_1/work/again.zip"}
    assert "work.zip: ../up.ipynb: its name leads out" in told(caplog)
    assert "work.zip: b: holds more than" in told(caplog)


@pytest.mark.parametrize("content", [b"", b"no archive", zipped((GOOD, b"x" * 5000))[:-40]])
def test_an_archive_that_is_none_is_named_and_the_others_come_out(place, caplog, content):
    (place / "archive" / "broken.zip").write_bytes(content)
    assert extract(place, zipped((GOOD, b"good"))) == {GOOD: b"good"}
    assert "broken.zip: can't be read on as an archive" in told(caplog)


def test_a_damaged_or_encrypted_entry_is_named_and_the_others_come_out(place, caplog):
    content = bytearray(zipped(("damaged", b"abcdefgh" * 20), ("locked", b"locked"), (GOOD, b"good")))
    start = content.index(b"damaged") + len("damaged")
    content[start : start + 8] = b"\xff" * 8
    header = content.rindex(b"PK\x01\x02", 0, content.rindex(b"locked"))
    content[header + 8] |= 1
    assert extract(place, bytes(content)) == {GOOD: b"good"}
    assert "damaged: can't be taken" in told(caplog)
    assert "locked: can't be taken" in told(caplog)


def test_names_too_long_for_a_file_system_are_cut_and_names_that_come_twice_both_kept(place):
    long = "ä" * 300 + ".ipynb"
    found = extract(place, zipped((long, b"1"), (GOOD, b"2"), (GOOD, b"3")))
    assert sorted(found.values()) == [b"1", b"2", b"3"]
    assert all(len(part.encode()) < 255 for path in found for part in path.split("/"))
    assert sum(path.endswith(".ipynb") for path in found) == 3


def test_a_file_where_a_folder_is_needed_costs_that_entry_alone(place, caplog):
    assert extract(place, zipped(("a", b"1"), ("a/b", b"2"), (GOOD, b"3"))) == {"a": b"1", GOOD: b"3"}
    assert "a/b: can't be taken" in told(caplog)


def test_file_modes_of_an_archive_are_not_taken_over(place):
    info = zipfile.ZipInfo(GOOD)
    info.external_attr = (stat.S_IFREG | stat.S_ISUID | 0o777) << 16
    extract(place, zipped((info, b"#!/bin/sh")))
    assert (place / "extracted" / "all" / GOOD).stat().st_mode & 0o7111 == 0


def test_files_are_as_old_as_the_archive_and_never_of_tomorrow(place):
    old, future = zipfile.ZipInfo("old", (2020, 1, 1, 0, 0, 0)), zipfile.ZipInfo("new", (2099, 1, 1, 0, 0, 0))
    extract(place, zipped((old, b""), (zipfile.ZipInfo("mid", (2021, 1, 1, 0, 0, 0)), b"")))
    assert time.localtime((place / "extracted" / "all" / "old").stat().st_mtime).tm_year == 2021
    (place / "archive" / "all.zip").write_bytes(zipped((future, b"")))
    BoundedExtractor().extract(str(place / "archive"), str(place / "two"))
    assert (place / "two" / "all" / "new").stat().st_mtime <= time.time()


def test_loose_files_are_copied_and_links_among_them_are_not(place, caplog):
    (place / "secret").write_text("secret")
    (place / "archive" / "sub").mkdir()
    (place / "archive" / "sub" / "a.ipynb").write_text("a")
    (place / "archive" / "b.ipynb").symlink_to(place / "secret")
    BoundedExtractor(log=logging.getLogger("extract")).extract(str(place / "archive"), str(place / "out"))
    assert [str(path.relative_to(place / "out")) for path in (place / "out").rglob("*")] == [
        "sub",
        "sub/a.ipynb",
    ]
    assert "b.ipynb: no ordinary file, left out" in told(caplog)


def test_a_full_disk_ends_it_with_one_line(place):
    """/dev/full takes nothing."""
    folder = place / "extracted" / "all"
    (place / "archive" / "all.zip").write_bytes(zipped((GOOD, b"good")))
    original = collecting_archives._target
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(collecting_archives, "_target", lambda *_: _Full(original(folder, "x")))
        with pytest.raises(CantWrite, match="make room on that disk"):
            BoundedExtractor().extract(str(place / "archive"), str(place / "extracted"))


class _Full(type(Path())):
    """A path whose file takes nothing."""

    def open(self, mode="r", *_, **__):
        return open("/dev/full", "wb", buffering=0)
