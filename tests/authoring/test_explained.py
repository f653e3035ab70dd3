"""The explained edition: every answer, and what lies behind the wrong ones."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring.explained import explained, explained_files
from autograder.course import Course
from autograder.judging.questions import judge_question
from autograder.library import Library, lesson_names, load

from .conftest import LESSON

REAL = Course.find(Path(__file__).parents[2])


def by_id(notebook: Any) -> dict[str, Any]:
    return {cell.id: cell for cell in notebook.cells}


@pytest.fixture(scope="module")
def cells(built: Course, tiny: Library) -> dict[str, Any]:
    return by_id(explained(built.released(LESSON), tiny))


def test_it_says_first_what_it_is(cells: dict[str, Any]) -> None:
    first = next(iter(cells.values()))
    assert "this notebook holds all the answers" in first.source
    assert f"](../notebooks/{LESSON}/{LESSON}.ipynb)" in first.source


def test_a_function_is_written_as_its_author_did(cells: dict[str, Any]) -> None:
    assert cells["softened"].source.splitlines()[-3:] == [
        "    # the sum stands last, so that it divides each row",
        "    powers = np.exp(gram(X) - gram(X).max(axis=-1, keepdims=True))",
        "    return powers / powers.sum(axis=-1, keepdims=True)",
    ]
    assert cells["test_softened"].source == 'check("softened")'


def test_below_the_check_stand_points_mistakes_and_other_ways(cells: dict[str, Any]) -> None:
    order = list(cells)
    assert order[order.index("gram") :][:3] == ["gram", "test_gram", "about-gram"]
    assert cells["about-gram"].source == (
        "*In a class, `gram` is worth 3 points: values 2, leaves its inputs alone 1.*\n\n"
        "<details>\n<summary>2 known mistakes, each with the question to ask</summary>\n\n"
        "- **Between features.** Features or tokens?\n\n"
        "  ```python\n  def between_features(X):\n      flipped = X.T\n"
        "      return flipped @ X\n  ```\n\n"
        "- **Later rows only.** Which pairs are missing?\n\n"
        "  ```python\n  def later_rows_only(X):\n      products = X @ X.T\n"
        "      return np.triu(products)\n  ```\n\n"
        "</details>\n\n"
        "<details>\n<summary>Other right ways to write it</summary>\n\n"
        "- **Row by row**\n\n"
        "  ```python\n  def row_by_row(X):\n"
        "      rows = [[float(sum(a * b for a, b in zip(x, y))) for y in X] for x in X]\n"
        "      return np.array(rows)\n  ```\n\n"
        "</details>"
    )
    assert "Other right ways" not in cells["about-softened"].source


def test_a_question_is_answered_and_each_wrong_answer_has_its_hint(cells: dict[str, Any]) -> None:
    assert cells["which_axis"].source == '# which_axis: a letter in quotes, such as "A"\nwhich_axis = "B"'
    assert cells["about-which_axis"].source == (
        "<details>\n<summary>The answer, and what to think about for each wrong one</summary>\n\n"
        'The answer is **"B"**: columns\n\n- **"A"**: Rows stay.\n\n</details>'
    )
    assert "The answer is **3**." in cells["about-how_many"].source


def test_a_free_text_has_its_model_answer_and_what_a_reader_looks_for(cells: dict[str, Any]) -> None:
    assert cells["in_words"].source.startswith("*A model answer.* Every entry of the result")
    assert "- 1 point: Says that every entry is" in cells["about-in_words"].source


def test_the_rest_is_the_released_lesson(built: Course, cells: dict[str, Any]) -> None:
    released = json.loads(built.released(LESSON).read_text())["cells"]
    answers = {"gram", "softened", "how_many", "which_axis", "in_words"}
    kept = [(cell["id"], "".join(cell["source"])) for cell in released if cell["id"] not in answers]
    assert len(kept) > len(answers)
    assert [(name, cells[name].source) for name, _ in kept] == kept
    assert [name for name in cells if not name.startswith(("about-", "explained-"))] == [
        cell["id"] for cell in released
    ]


def test_nothing_of_nbgrader_and_no_output_is_in_it(built: Course) -> None:
    text = explained_files(built, [LESSON])[f"{LESSON}.ipynb"]
    document = json.loads(text)
    assert all(cell["metadata"] == {} for cell in document["cells"])
    assert all(not cell.get("outputs") for cell in document["cells"])
    assert not any(mark in text for mark in ("BEGIN SOLUTION", "YOUR CODE HERE", "NotImplementedError"))


def test_the_editions_own_readme_lists_the_lessons(built: Course) -> None:
    readme = explained_files(built, [LESSON])["README.md"]
    assert f"| A tiny lesson | [{LESSON}.ipynb]({LESSON}.ipynb) |" in readme
    assert "not for a class that is\ngraded" in readme


@pytest.mark.parametrize("lesson", lesson_names(REAL.solutions))
def test_real_lessons_every_hint_is_there_and_every_answer_is_right(lesson: str) -> None:
    library = load(REAL.solutions, lesson)
    cells = by_id(explained(REAL.released(lesson), library))

    for exercise in library.exercises.values():
        about = cells[f"about-{exercise.name}"].source
        assert [known.name for known in exercise.misconceptions if known.hint not in about] == []
        assert [f.__name__ for f in exercise.alternatives if f"def {f.__name__}(" not in about] == []
    for question in library.questions.values():
        about = cells[f"about-{question.name}"].source
        assert [hint for _, hint in question.hints if hint not in about] == []
        assigned = ast.parse(cells[question.name].source).body[0]
        assert isinstance(assigned, ast.Assign)
        assert judge_question(question, ast.literal_eval(assigned.value)).score == question.points
    for item in library.free_texts.values():
        assert item.model_answer.strip() in cells[item.name].source
        assert all(criterion in cells[f"about-{item.name}"].source for _, criterion in item.rubric)


@pytest.mark.parametrize("lesson", lesson_names(REAL.solutions))
def test_real_lessons_no_cell_brings_from_a_notebook_that_is_not_beside_it(lesson: str) -> None:
    notebook = explained(REAL.released(lesson), load(REAL.solutions, lesson))
    assert [cell.id for cell in notebook.cells if 'bring("' in cell.source] == []
