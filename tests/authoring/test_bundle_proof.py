"""Wherever in the bundle's folder an answer lies, it is found: by what is on disk, not by what was meant."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring import leaks, proof
from autograder.authoring.build import build
from autograder.authoring.bundle import bundle, fill
from autograder.authoring.leaks import Leak
from autograder.authoring.proof import check_folder
from autograder.course import Course
from autograder.library import Library

from .conftest import LESSON

ANSWER = "return powers / powers.sum(axis=-1, keepdims=True)"
COMMENT = f"\n# {ANSWER}\n"


@pytest.fixture
def folder(built: Course, tmp_path: Path) -> Path:
    """The tiny course's bundle, to plant things in."""
    fill(built, tmp_path / "students")
    return tmp_path / "students"


def found(tiny: Library, folder: Path) -> list[str]:
    return leaks.in_texts([tiny], proof.all_texts(folder))


def in_notebook(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        path = folder / "notebooks" / LESSON / f"{LESSON}.ipynb"
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return plant


def code_cell(document: dict[str, Any]) -> dict[str, Any]:
    return next(cell for cell in document["cells"] if cell["cell_type"] == "code")


def with_output(**output: Any) -> Callable[[Path], None]:
    return in_notebook(lambda document: code_cell(document)["outputs"].append(output))


def new_file(name: str, content: bytes) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return plant


def appended(name: str) -> Callable[[Path], None]:
    return lambda folder: new_file(name, (folder / name).read_bytes() + COMMENT.encode())(folder)


def archive(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("inside.txt", content)
    return made.getvalue()


NOTEBOOK = json.dumps({"cells": [{"cell_type": "raw", "id": "a", "metadata": {}, "source": ANSWER}]})
PLACES = {
    "the README": appended("README.md"),
    "the project's table": appended("pyproject.toml"),
    "the list of ignored files": appended(".gitignore"),
    "a module": appended("tiny_lib/showing.py"),
    "the examples": new_file(f"tiny_lib/examples/{LESSON}.json", json.dumps({"hints": [ANSWER]}).encode()),
    "a cell": in_notebook(lambda d: code_cell(d).update(source=["x = 1\n", f"# {ANSWER}"])),
    "a cell's metadata": in_notebook(lambda d: code_cell(d)["metadata"].update(note={"was": [ANSWER]})),
    "the notebook's metadata": in_notebook(lambda d: d["metadata"].update(authors=[{"name": ANSWER}])),
    "printed output": with_output(output_type="stream", name="stdout", text=["ok\n", ANSWER]),
    "shown output": with_output(output_type="display_data", metadata={}, data={"text/html": [f"`{ANSWER}`"]}),
    "a traceback": with_output(output_type="error", ename="E", evalue="", traceback=["Traceback", ANSWER]),
    "an attachment": in_notebook(lambda d: d["cells"][0].update(attachments={"a": {"text/plain": ANSWER}})),
    "a checkpoint": new_file("notebooks/.ipynb_checkpoints/a-checkpoint.ipynb", NOTEBOOK.encode()),
    "a hidden folder": new_file(".vscode/history.json", json.dumps([ANSWER]).encode()),
    "a file without an ending": new_file("notes", COMMENT.encode()),
    "text in UTF-16": new_file("notes.txt", COMMENT.encode("utf-16")),
    "text in Latin-1": new_file("notes.txt", f"Lösung:\n{ANSWER}".encode("latin-1")),
    "text between other bytes": new_file("data.bin", b"\x00\xff\xfe\x80" + ANSWER.encode() + b"\x00\xff"),
    "an archive": new_file("data.npz", archive(COMMENT.encode())),
    "an archive in an archive": new_file("data.zip", archive(archive(COMMENT.encode()))),
}


@pytest.mark.parametrize("plant", PLACES.values(), ids=PLACES)
def test_an_answer_is_found_wherever_it_is_planted(
    tiny: Library, folder: Path, plant: Callable[[Path], None]
) -> None:
    assert found(tiny, folder) == []

    plant(folder)

    assert any("holds a solution of softened" in line for line in found(tiny, folder))


def test_a_questions_answer_and_a_model_answer_are_found_in_metadata(tiny: Library, folder: Path) -> None:
    model = tiny.free_texts["in_words"].model_answer
    in_notebook(lambda d: code_cell(d)["metadata"].update(key="which_axis = 'B'", said=model))(folder)

    lines = "\n".join(found(tiny, folder))
    assert "answers the question which_axis" in lines
    assert "holds the model answer of in_words" in lines


def test_the_bundle_that_would_hold_an_answer_is_not_made(course: Course) -> None:
    build(course)
    (course.home / "docs").mkdir()
    (course.home / "docs" / "students.md").write_text(f"Try `{ANSWER}`.\n")

    with pytest.raises(Leak, match=r"docs/students\.md holds a solution of softened"):
        bundle(course, course.home / "students")

    assert not (course.home / "students").exists()


def test_the_explained_edition_is_answers_and_the_rest_is_still_looked_at(
    built: Course, tiny: Library, tmp_path: Path
) -> None:
    bundle(built, tmp_path / "full", self_study=True)

    assert found(tiny, tmp_path / "full") != []
    with pytest.raises(Leak, match="explained/"):
        check_folder(built, tmp_path / "full")
    appended("tiny_lib/showing.py")(tmp_path / "full")
    with pytest.raises(Leak, match=r"showing\.py holds") as caught:
        check_folder(built, tmp_path / "full", answers_in="explained")
    assert "explained" not in str(caught.value)


def test_a_callable_that_solves_an_exercise_is_found_by_calling_it(built: Course, folder: Path) -> None:
    new_file("tiny_lib/more.py", b"import numpy as np\n\n\ndef pairs(v):\n    return np.inner(v, v)\n")(
        folder
    )
    with pytest.raises(Leak, match=r"tiny_lib\.more: calling pairs answers gram"):
        check_folder(built, folder)


@pytest.mark.parametrize("place", ["cases.bin", "explained/cases.bin"])
def test_a_hidden_file_is_found_under_any_name(built: Course, folder: Path, place: str) -> None:
    new_file(place, (built.solutions / "exercises" / "tiny.py").read_bytes())(folder)
    with pytest.raises(Leak, match=r"not for students: .*cases\.bin"):
        check_folder(built, folder, answers_in="explained")


@pytest.mark.parametrize("place", ["notes.txt", ".env", "explained/notes.txt"])
def test_the_courses_secret_is_found(course: Course, tmp_path: Path, place: str) -> None:
    secret = course.secret().hex()
    new_file(place, b"seed: " + secret.encode())(tmp_path / "students")
    with pytest.raises(Leak, match="not for students: "):
        check_folder(course, tmp_path / "students", answers_in="explained")


def test_compiled_code_has_no_business_there(built: Course, folder: Path) -> None:
    new_file("tiny_lib/__pycache__/more.cpython-311.pyc", b"\x00")(folder)
    with pytest.raises(Leak, match=r"more\.cpython-311\.pyc"):
        check_folder(built, folder)


def test_a_picture_is_not_looked_into(tiny: Library, folder: Path) -> None:
    """A limit: what is encoded is not read."""
    with_output(
        output_type="display_data",
        metadata={},
        data={"image/png": base64.b64encode(COMMENT.encode()).decode()},
    )(folder)
    assert found(tiny, folder) == []
