"""`nbgrader validate`, on the student's side: it runs the public checks, and says what they say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sample_class import HandedIn, read_answers

REPOSITORY = Path(__file__).parents[2]
LESSON = "01_dot_product_similarity"
MISTAKE, HINT = "zeroed_after_softmax", "who kept the missing mass?"
WARNS = "import warnings\n\n\ndef dot_score(x_i, x_j):\n    warnings.warn('slow')\n    return x_i @ x_j\n"
#: JupyterLab's button, as its server answers it; for each notebook what comes back.
BUTTON = """
import json, logging, sys, warnings
warnings.simplefilter("ignore")
from types import SimpleNamespace
from nbgrader.server_extensions.validate_assignment.handlers import ValidateAssignmentHandler as Handler

server = SimpleNamespace(root_dir=".", log=logging.getLogger(), load_config=lambda: Handler.load_config(None))
print(json.dumps({path: Handler.validate_notebook(server, path) for path in sys.argv[1:]}))
"""


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student's folder, with no settings of ours: the lesson as released, with a mistake in it, with a
    function that warns, and solved."""
    folder = tmp_path_factory.mktemp("student")
    shutil.copytree(REPOSITORY / "attention_lib", folder / "attention_lib")
    answers = read_answers(lesson=LESSON)
    right = {name: answers.right(name) for name in answers.library.exercises}
    right |= {name: answers.key(name) for name in answers.library.questions}
    right |= dict.fromkeys(answers.library.free_texts, "Because it is longer.")
    _write(folder / "released.ipynb", {})
    _write(folder / "mistaken.ipynb", right | {"causal_weights": answers.wrong("causal_weights", MISTAKE)})
    _write(folder / "warns.ipynb", right | {"dot_score": WARNS})
    _write(folder / "solved.ipynb", right)
    return folder


def _write(path: Path, cells: dict[str, str]) -> None:
    work = HandedIn.read(REPOSITORY / "notebooks" / LESSON / f"{LESSON}.ipynb")
    for grade_id, source in cells.items():
        work.fill(grade_id, source)
    path.write_text(work.text(), encoding="utf-8")


@pytest.fixture(scope="module")
def run(student: Path) -> Callable[..., str]:
    """Run a Python program in the student's folder; gives back what it prints."""

    def run_it(*words: str) -> str:
        variables = {**os.environ, "PYTHONPATH": str(student), "JUPYTER_CONFIG_DIR": str(student / "none")}
        done = subprocess.run(
            [sys.executable, *words], cwd=student, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run_it


@pytest.fixture(scope="module")
def failed(run: Callable[..., str]) -> dict[str, dict[str, str]]:
    """What the button lists for each notebook: the text of each failing check by the check's source."""
    names = ("released", "mistaken", "warns")
    told = json.loads(run("-c", BUTTON, *(f"{name}.ipynb" for name in names)))
    lists = {}
    for name in names:
        answer = told[f"{name}.ipynb"]
        assert answer["success"], answer
        assert set(answer["value"]) <= {"failed"}
        lists[name] = {cell["source"]: cell["raw_error"] for cell in answer["value"].get("failed", [])}
    return lists


def test_the_released_notebook_fails_at_each_check_with_one_line_that_says_what_to_do(
    failed: dict[str, dict[str, str]],
) -> None:
    library = read_answers(lesson=LESSON).library
    wanted = {f'check("{name}")' for name in (*library.exercises, *library.questions)}
    assert set(failed["released"]) == {*wanted, "YOUR ANSWER HERE"}
    assert failed["released"]['check("dot_score")'] == (
        "dot_score is not written yet: replace `raise NotImplementedError()` with your code, run the cell, "
        "then check again."
    )
    assert [text for text in failed["released"].values() if "Traceback" in text or "\n" in text] == []


def test_a_mistake_is_told_in_the_words_of_its_check(failed: dict[str, dict[str, str]]) -> None:
    told = failed["mistaken"]
    assert HINT in told['check("causal_weights")']
    assert "Traceback" not in told['check("causal_weights")']
    assert 'check("score_matrix")' not in told


def test_a_right_function_that_warns_does_not_fail(failed: dict[str, dict[str, str]]) -> None:
    assert failed["warns"] == {}


def test_the_command_says_success_on_a_solved_notebook(run: Callable[..., str]) -> None:
    assert run("-m", "nbgrader", "validate", "solved.ipynb") == (
        "Success! Your notebook passes all the tests.\n"
    )
