"""What a lesson's source becomes."""

from __future__ import annotations

import nbformat
import numpy as np
import pytest

from autograder.authoring.build import build
from autograder.course import Course
from autograder.library import UserError

from .conftest import LESSON, cells, change


def test_the_release_shows_signature_and_docstring_over_a_stub_that_raises(built: Course) -> None:
    stub = cells(built.released(LESSON))["gram"]["source"]

    assert stub.startswith('def gram(X):\n    """All dot products of the rows of X.\n')
    assert stub.endswith('"""\n    # YOUR CODE HERE\n    raise NotImplementedError()')
    with pytest.raises(NotImplementedError):
        exec(f"{stub}\ngram(1)", {})


def test_the_solved_notebook_holds_the_reference_without_its_decorators(built: Course) -> None:
    solved = cells(built.solved(LESSON))["softened"]["source"]

    assert solved.splitlines()[0] == "def softened(X):"
    assert solved.splitlines()[-5:] == [
        "    ### BEGIN SOLUTION",
        "    # the sum stands last, so that it divides each row",
        "    powers = np.exp(gram(X) - gram(X).max(axis=-1, keepdims=True))",
        "    return powers / powers.sum(axis=-1, keepdims=True)",
        "    ### END SOLUTION",
    ]


def test_the_solved_notebook_runs_from_top_to_bottom(built: Course) -> None:
    namespace: dict[str, object] = {"check": lambda name: None}
    for cell in cells(built.solved(LESSON)).values():
        if cell["cell_type"] == "code" and "tiny_lib" not in cell["source"]:
            exec(cell["source"].split("show(")[0], namespace)

    assert namespace["how_many"] == 3
    assert namespace["which_axis"] == "B"


def test_nothing_of_a_solution_is_left_in_the_release(built: Course) -> None:
    text = built.released(LESSON).read_text(encoding="utf-8")

    for hidden in ("SOLUTION", "X @ X.T", "powers", "point the same way", "dot product of two rows"):
        assert hidden not in text


def test_question_answers_are_released_as_none_below_the_form_of_the_answer(built: Course) -> None:
    released = cells(built.released(LESSON))

    assert released["how_many"]["source"] == "# how_many: a number\nhow_many = None"
    assert (
        released["which_axis"]["source"] == '# which_axis: a letter in quotes, such as "A"\nwhich_axis = None'
    )
    assert "- **B.** columns" in released["prompt_which_axis"]["source"]


def test_free_text_is_released_as_the_text_stub_worth_its_rubric(built: Course) -> None:
    answer = cells(built.released(LESSON))["in_words"]

    assert answer["source"] == "YOUR ANSWER HERE"
    assert answer["cell_type"] == "markdown"
    assert answer["metadata"]["nbgrader"]["points"] == 1
    assert answer["metadata"]["nbgrader"]["grade"]
    assert answer["metadata"]["nbgrader"]["solution"]


def test_grade_ids_and_points_are_the_contracted_ones(built: Course) -> None:
    meta = {name: cell["metadata"].get("nbgrader") for name, cell in cells(built.released(LESSON)).items()}

    assert all(entry["grade_id"] == name for name, entry in meta.items() if entry)
    assert {name: entry["points"] for name, entry in meta.items() if entry and entry["grade"]} == {
        "test_gram": 3,
        "test_softened": 2,
        "test_how_many": 1,
        "test_which_axis": 2,
        "in_words": 1,
    }
    assert {name for name, entry in meta.items() if entry and entry["solution"]} == {
        "gram",
        "softened",
        "how_many",
        "which_axis",
        "in_words",
    }
    assert cells(built.released(LESSON))["test_gram"]["source"] == 'check("gram")'


def test_every_code_cell_is_either_the_students_or_locked(built: Course) -> None:
    for cell in cells(built.released(LESSON)).values():
        meta = cell["metadata"].get("nbgrader")
        if cell["cell_type"] == "code" or meta:
            assert meta["solution"] != meta["locked"]
            assert cell["metadata"]["deletable"] is False
            assert meta["solution"] or cell["metadata"]["editable"] is False
            assert len(meta["checksum"]) == 32


def test_tags_of_the_source_stay_and_a_seed_item_becomes_one(built: Course) -> None:
    tags = {name: cell["metadata"].get("tags", []) for name, cell in cells(built.released(LESSON)).items()}

    assert tags["think-1"] == ["seed:S3.12"]
    assert tags["prompt_how_many"] == ["seed:S3.1"]
    assert tags["measure-2"] == ["experiment"]
    assert tags["a-tiny-lesson-2"] == ["setup"]


def test_both_notebooks_are_valid_and_of_format_4_5(built: Course) -> None:
    for path in (built.solved(LESSON), built.released(LESSON)):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)


def test_ids_below_one_heading_do_not_depend_on_the_other_sections(course: Course) -> None:
    change(
        course.solutions / "lessons" / "01_tiny.md",
        "## Rows and rows",
        "## Before\n\nText.\n\n## Rows and rows",
    )

    build(course)

    assert {"measure-1", "measure-2"} <= set(cells(course.released(LESSON)))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("\nsoftened\n", "\nsoftend\n", "softend.*is softened meant"),
        ("\nsoftened\n", "\ngram\n", "gram stands in more than one cell"),
        ("```{code-cell}\nin_words\n```\n", "", "no cell asks for in_words"),
        ("import numpy as np\n", "", "solution of gram|solution of softened uses np"),
        ("def largest(X):", "def largest(X:", "measure-2 is not valid Python"),
        ("Some words", "![](rows.png)", "no alt text"),
    ],
)
def test_a_source_that_is_wrong_is_named_and_nothing_is_written(
    course: Course, old: str, new: str, complaint: str
) -> None:
    change(course.solutions / "lessons" / "01_tiny.md", old, new)

    with pytest.raises(UserError, match=complaint):
        build(course)

    assert not course.notebooks.exists()
    assert not course.source.exists()


def test_a_reference_without_a_docstring_is_refused(course: Course) -> None:
    text = (course.solutions / "exercises" / "tiny.py").read_text()
    start = text.index('    """All dot products')
    end = text.index("    return X @ X.T")
    (course.solutions / "exercises" / "tiny.py").write_text(text[:start] + text[end:])

    with pytest.raises(UserError, match="gram: its reference needs a docstring"):
        build(course)


@pytest.fixture
def two_lessons(course: Course) -> Course:
    """The tiny course with a second lesson, which brings a function of the first."""
    second = '# More rows\n\n```{code-cell}\nbring("gram", "01_tiny")\n```\n\n```{code-cell}\nhow_few\n```\n'
    exercises = (
        "from autograder.exercise import question\n"
        'how_few = question("how_few", "number", prompt="How few rows can $X$ have?", key=1)\n'
    )
    (course.solutions / "lessons" / "02_more.md").write_text(second)
    (course.solutions / "exercises" / "more.py").write_text(exercises)
    return course


def test_a_brought_function_is_released_as_the_call_that_brings_it(two_lessons: Course) -> None:
    build(two_lessons)
    released = cells(two_lessons.released("02_more"))["bring_gram"]

    assert released["source"] == 'bring("gram", "01_tiny")'
    assert "nbgrader" not in released["metadata"]


def test_a_brought_function_stands_in_the_solved_notebook(two_lessons: Course) -> None:
    build(two_lessons)
    world: dict[str, object] = {}
    exec("import numpy as np\n" + cells(two_lessons.solved("02_more"))["bring_gram"]["source"], world)

    assert world["gram"](np.array([[1.0, 2.0], [3.0, 4.0]])).tolist() == [[5, 11], [11, 25]]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"gram", "01_tiny"', '"gran", "01_tiny"', "no exercise gran to bring; it has gram, softened"),
        (
            '"gram", "01_tiny"',
            '"gram", "02_more"',
            "gram is brought from 02_more, which is no earlier lesson",
        ),
        ('"gram", "01_tiny"', '"gram", "00_none"', "no lesson '00_none'"),
    ],
)
def test_a_function_that_cannot_be_brought_is_named(
    two_lessons: Course, old: str, new: str, complaint: str
) -> None:
    change(two_lessons.solutions / "lessons" / "02_more.md", old, new)

    with pytest.raises(UserError, match=complaint):
        build(two_lessons)
