"""The leak check catches what is planted, and is silent about what is harmless."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring import leaks
from autograder.authoring.build import build
from autograder.course import Course
from autograder.library import Library

from .conftest import LESSON, change


def notebook(*sources: str, cell_type: str = "code", tags: tuple[str, ...] = ()) -> str:
    """A notebook with these cells, as a text."""
    cells: list[dict[str, Any]] = [
        {"cell_type": cell_type, "id": f"cell-{at}", "metadata": {"tags": list(tags)}, "source": source}
        for at, source in enumerate(sources)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def found(tiny: Library, **texts: str) -> list[str]:
    return leaks.in_texts([tiny], {name.replace("__", "."): text for name, text in texts.items()})


SOLUTION_LINE = "powers = np.exp(gram(X) - gram(X).max(axis=-1, keepdims=True))"
MISTAKE = "flipped = X.T\nanswer = flipped @ X"


@pytest.mark.parametrize("line", ["return X @ X.T", SOLUTION_LINE])
@pytest.mark.parametrize(
    ("where", "wrap"),
    [
        ("a cell", lambda line: {"n__ipynb": notebook(f"def f(X):\n    {line}")}),
        ("prose", lambda line: {"n__ipynb": notebook(f"Try this: `{line}`", cell_type="markdown")}),
        ("a fence", lambda line: {"n__ipynb": notebook(f"So:\n\n```\n  {line}\n```", cell_type="markdown")}),
        ("a comment in a cell", lambda line: {"n__ipynb": notebook(f"x = 1  # {line}")}),
        ("a module", lambda line: {"lib__py": f"def f(X):\n    {line}\n"}),
        ("a docstring", lambda line: {"lib__py": f'def f(X):\n    """Do.\n\n    >>> {line}\n    """\n'}),
        ("an example", lambda line: {"e__json": json.dumps({"hints": {"a": line}})}),
        ("a text", lambda line: {"README__md": f"- {line}\n"}),
    ],
)
def test_a_planted_solution_line_is_caught(tiny: Library, line: str, where: str, wrap: Any) -> None:
    lines = found(tiny, **wrap(line))

    assert len(lines) == 1
    assert "holds a solution of" in lines[0]


@pytest.mark.parametrize(
    "code",
    [
        "table = [[float(sum(p * q for p, q in zip(u, v))) for v in M] for u in M]\nresult = np.array(table)",
        "def other(M):\n    # renamed\n"
        "    t = [[float(sum(p * q for p, q in zip(u, v))) for v in M] for u in M]\n"
        "    return np.array(t)",
    ],
)
def test_a_body_with_its_variables_renamed_is_caught(tiny: Library, code: str) -> None:
    assert found(tiny, lib__py=code) == ["lib.py holds a solution of gram (row_by_row)"]


def test_an_expression_of_a_solution_inside_another_statement_is_caught(tiny: Library) -> None:
    code = "show(np.exp(gram(X) - gram(X).max(axis=-1, keepdims=True)))"

    assert found(tiny, n__ipynb=notebook(code)) == [
        "n.ipynb, cell cell-0, holds a solution of softened (softened)"
    ]


def test_a_known_mistake_is_caught_unless_it_is_shown_on_purpose(tiny: Library) -> None:
    assert found(tiny, n__ipynb=notebook(MISTAKE)) == [
        "n.ipynb, cell cell-0, holds a known mistake of gram (between_features)"
    ]
    assert found(tiny, n__ipynb=notebook(MISTAKE, tags=("shows-mistake",))) == []


def test_a_cell_that_shows_a_mistake_may_not_show_a_solution(tiny: Library) -> None:
    assert found(tiny, n__ipynb=notebook("def f(X):\n    return X @ X.T", tags=("shows-mistake",))) != []


def test_a_hidden_case_is_caught(tiny: Library) -> None:
    assert found(tiny, lib__py="def draw(r):\n    A = rng.normal(size=(5, 3))\n    return (A,)\n") != []
    assert found(tiny, lib__py="def w(rng):\n    return (rng.normal(size=(2, 7)) + np.arange(7),)\n") == [
        "lib.py holds a hidden case of gram (wide)"
    ]


def test_the_answer_to_a_question_is_caught(tiny: Library) -> None:
    assert found(tiny, n__ipynb=notebook("how_many = 3")) == [
        "n.ipynb, cell cell-0, answers the question how_many"
    ]
    assert found(tiny, n__ipynb=notebook("how_many = None")) == []


def test_a_model_answer_and_a_rubric_are_caught(tiny: Library) -> None:
    model = "Every entry of the result says how much\ntwo of the rows point the same way."
    rubric = "Says that every entry is a dot product of two rows."

    assert found(tiny, n__ipynb=notebook(model, cell_type="markdown")) == [
        "n.ipynb holds the model answer of in_words"
    ]
    assert found(tiny, README__md=f"Hints\n\n{rubric}\n") == ["README.md holds the rubric of in_words"]


@pytest.mark.parametrize(
    "code",
    [
        "def same(x):\n    return x",
        "def n(X):\n    return len(X)",
        "G = gram(X)\nprint(G.shape)",
        "A = rng.normal(size=(4, 2))\nB = rng.normal(size=(3, 2))\nshow(A @ B.T)",
        "def weights(s):\n    e = np.exp(s)\n    return e / e.sum()",
        "W = softened(gram(X))\nshow(W)",
        "for name in names:\n    print(name, len(name))",
    ],
)
def test_harmless_code_raises_no_alarm(tiny: Library, code: str) -> None:
    assert found(tiny, lib__py=code, n__ipynb=notebook(code), a__md=code) == []


def test_the_build_fails_on_a_solution_in_the_lessons_prose_and_writes_nothing(course: Course) -> None:
    change(course.solutions / "lessons" / "01_tiny.md", "Some words", f"Some words: `{SOLUTION_LINE}`")

    with pytest.raises(
        leaks.Leak, match=r"01_tiny\.ipynb, cell a-tiny-lesson-1, holds a solution of softened"
    ):
        build(course)
    assert not course.notebooks.exists()


def test_the_build_fails_on_a_solution_in_the_student_library(course: Course) -> None:
    change(course.library_dir / "showing.py", "    print(value)", f"    print(value)\n    # {SOLUTION_LINE}")

    with pytest.raises(leaks.Leak, match=r"tiny_lib/showing\.py holds a solution of softened"):
        build(course)


def test_the_build_fails_on_a_solution_in_the_examples(course: Course) -> None:
    change(course.solutions / "exercises" / "tiny.py", "Features or tokens?", "Write: return X @ X.T")

    with pytest.raises(leaks.Leak, match=rf"examples/{LESSON}\.json holds a solution of gram"):
        build(course)


@pytest.mark.parametrize(
    "planted",
    [
        "import numpy as np\n\n\ndef _pairs(values):\n    return np.inner(values, values)\n",
        "import numpy as np\n\n\nclass Tool:\n    @staticmethod\n    def run(M):\n"
        "        return np.einsum('ik,jk->ij', M, M)\n",
        "import functools\n\nimport numpy as np\n\npairs = functools.partial(np.einsum, 'ik,jk->ij')\n\n\n"
        "class Both:\n    def __call__(self, M):\n        return pairs(M, M)\n\n\nboth = Both()\n",
    ],
)
def test_a_callable_of_the_student_library_that_solves_an_exercise_is_caught(
    course: Course, planted: str
) -> None:
    (course.library_dir / "hidden_tool.py").write_text(planted)

    with pytest.raises(leaks.Leak, match=r"tiny_lib\.hidden_tool: calling \S+ answers gram \(values\)"):
        build(course)


def test_a_function_of_a_provided_cell_that_solves_an_exercise_is_caught(course: Course) -> None:
    change(
        course.solutions / "lessons" / "01_tiny.md",
        "def largest(X):\n    return gram(X).max()",
        "def largest(X):\n    return gram(X).max()\n\ndef quick(M):\n    return np.inner(M, M)",
    )

    with pytest.raises(leaks.Leak, match=r"01_tiny\.ipynb: calling quick answers gram"):
        build(course)


def test_a_callable_that_never_returns_or_leaves_does_not_stop_the_build(course: Course) -> None:
    (course.library_dir / "stubborn.py").write_text(
        "import os\nimport sys\n\n\ndef leave(value):\n    sys.exit(3)\n\n\n"
        "def wait(value):\n    while True:\n        pass\n\n\n"
        "def noise(value):\n    print('noise')\n    os.write(1, b'noise')\n    return 3.0\n"
    )

    build(course)

    assert course.released(LESSON).exists()


def test_files_that_are_hidden_or_binary_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\xff")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")

    assert leaks.texts_below(tmp_path) == {tmp_path / "a.py": "x = 1"}
