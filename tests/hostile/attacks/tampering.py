"""Attacks on the notebook file itself: its cells, points, ids, outputs and metadata."""

from __future__ import annotations

import nbformat
from sample_class.handed_in import HandedIn

from attacks.recipe import attack

WRONG = """
def dot_score(x_i, x_j):
    return 0.0
"""


def _forged_result(number: float) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("execute_result", data={"text/plain": str(number)}, execution_count=1)


@attack("tampering", "dot_score", "third_output")
def forged_check_cell(submission: HandedIn) -> None:
    """Check cells are unlocked, worth a thousand points, and hold nothing but points."""
    submission.fill("dot_score", WRONG)
    submission.fill("third_output", "third_output = [0, 0]")
    for name in ("test_dot_score", "test_third_output"):
        submission.fill(name, "1000.0")
        submission.cell(name).metadata["nbgrader"].update(points=1000, locked=False, cell_type="code")


@attack("tampering", "dot_score")
def check_cell_by_hand(submission: HandedIn) -> None:
    """The check cell becomes one that a person grades, and the solution cell one that counts a thousand."""
    submission.fill("dot_score", WRONG)
    submission.cell("test_dot_score").metadata["nbgrader"].update(solution=True, locked=False, task=False)
    submission.cell("dot_score").metadata["nbgrader"].update(grade=True, points=1000)


@attack("tampering", "dot_score", "cosine_score_matrix")
def forged_outputs(submission: HandedIn) -> None:
    """The file brings outputs that show full points, above cells that were never written."""
    for name in ("dot_score", "cosine_score_matrix"):
        submission.cell(f"test_{name}").outputs = [_forged_result(1000.0)]
        submission.cell(f"test_{name}").execution_count = 7
        submission.cell(name).outputs = [_forged_result(3.0)]


@attack("tampering", "dot_score")
def duplicated_check_cell(submission: HandedIn) -> None:
    """Two cells claim to be the check: a permissive one on either side of the real one."""
    submission.fill("dot_score", WRONG)
    submission.duplicate("test_dot_score", "1000.0", ahead=True)
    submission.duplicate("test_dot_score", "1000.0")
    submission.cell("test_dot_score").outputs = [_forged_result(1000.0)]


@attack("tampering", "dot_score")
def check_cell_of_another_kind(submission: HandedIn) -> None:
    """The check cell is markdown, so that nothing is run and nothing can fail."""
    submission.fill("dot_score", WRONG)
    cell = submission.cell("test_dot_score")
    cell.cell_type = "markdown"
    cell.metadata["nbgrader"]["cell_type"] = "markdown"
    del cell["outputs"], cell["execution_count"]


@attack("tampering", "dot_score")
def ids_swapped(submission: HandedIn) -> None:
    """The check of a wrong exercise takes the name of one that is right, and the other way round."""
    submission.fill("dot_score", WRONG)
    one, other = submission.cell("test_dot_score"), submission.cell("test_score_matrix")
    one.metadata["nbgrader"]["grade_id"] = "test_score_matrix"
    other.metadata["nbgrader"]["grade_id"] = "test_dot_score"


@attack("tampering", "dot_score")
def invented_cells(submission: HandedIn) -> None:
    """Cells with ids that the lesson never had, worth a thousand points each."""
    submission.fill("dot_score", WRONG)
    for position in range(3):
        submission.duplicate("test_dot_score", "1000.0")
        submission.notebook.cells[submission.position("test_dot_score") + 1].metadata["nbgrader"].update(
            grade_id=f"test_bonus_{position}", points=1000
        )


@attack("tampering", "dot_score")
def another_kernel(submission: HandedIn) -> None:
    """The notebook asks for another kernel and language, and claims an older schema."""
    submission.fill("dot_score", WRONG)
    submission.notebook.metadata["kernelspec"] = {"name": "bash", "display_name": "Bash", "language": "bash"}
    submission.notebook.metadata["language_info"] = {"name": "bash"}
    submission.cell("test_dot_score").metadata["nbgrader"]["schema_version"] = 1


@attack("tampering", "dot_score")
def check_cells_deleted(submission: HandedIn) -> None:
    """Every check is deleted: what is not there can not fail."""
    submission.fill("dot_score", WRONG)
    for cell in list(submission.notebook.cells):
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if name.startswith("test_"):
            submission.drop(name)


@attack("tampering", "dot_score", "third_output")
def answer_cells_deleted(submission: HandedIn) -> None:
    """The cells of what was not solved are gone, checks and all, as if there were no points for them."""
    for name in ("dot_score", "test_dot_score", "third_output", "test_third_output"):
        submission.drop(name)


@attack("tampering", "dot_score")
def cells_reordered(submission: HandedIn) -> None:
    """The cells stand in reverse: a check before its answer would look at what another cell defined."""
    submission.fill("dot_score", WRONG)
    submission.notebook.cells.reverse()
    submission.first("dot_score = check = lambda *arguments: 1000.0")
    for name in ("score_matrix", "normalize_scores", "causal_weights", "first_approach_output"):
        submission.notebook.cells.append(submission.notebook.cells.pop(submission.position(name)))


@attack("tampering", "dot_score")
def answer_cell_doubled(submission: HandedIn) -> None:
    """Two cells claim to be the answer, and the second is worth a thousand points of its own."""
    submission.fill("dot_score", WRONG)
    submission.duplicate("dot_score", "1000.0")
    submission.notebook.cells[submission.position("dot_score") + 1].metadata["nbgrader"].update(
        grade=True, points=1000, solution=True
    )


@attack("tampering", "dot_score")
def ids_of_every_kind(submission: HandedIn) -> None:
    """Grade ids that are no texts, no names, or names with markup and paths in them."""
    submission.fill("dot_score", WRONG)
    for strange in (
        None,
        7,
        True,
        ["test_dot_score"],
        {"test": "dot_score"},
        "",
        "test_",
        "../../gradebook",
        "<b>",
    ):
        submission.duplicate("test_dot_score", "1000.0", ahead=True)
        twin = submission.notebook.cells[submission.position("test_dot_score")]
        twin.metadata["nbgrader"]["grade_id"] = strange


@attack("tampering", "dot_score")
def cell_ids_doubled(submission: HandedIn) -> None:
    """All cells have one id, longer than the format allows, with characters that it does not."""
    submission.fill("dot_score", WRONG)
    for cell in submission.notebook.cells:
        cell["id"] = "test_dot_score <script>" + "x" * 100


@attack("tampering", "dot_score")
def metadata_without_end(submission: HandedIn) -> None:
    """Metadata of megabytes and fifty levels, in the notebook, in its cells and in nbgrader's own part."""
    submission.fill("dot_score", WRONG)
    deep: dict[str, object] = {"points": 1000}
    for level in range(50):
        deep = {f"level {level}": deep, "points": 1000}
    submission.notebook.metadata["widgets"] = {"state": {"text": "x" * 200_000}, "deep": deep}
    submission.notebook.metadata["celltoolbar"] = "Create Assignment"
    cell = submission.cell("test_dot_score")
    cell.metadata["nbgrader"].update(points=1000, deep=deep, score=1000, manual_score=1000, extra_credit=1000)
    cell.metadata["tags"] = ["experiment", "raises-exception", "nbgrader-hidden"]
    cell.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}


@attack("tampering", "dot_score")
def points_by_attachment(submission: HandedIn) -> None:
    """The answer's cell is Markdown with attachments: a picture that is a script, and a trap by path."""
    cell = submission.cell("dot_score")
    cell.cell_type = "markdown"
    cell.source = "![points](attachment:points.svg)"
    cell["attachments"] = {
        "points.svg": {"image/svg+xml": "<svg onload='alert(1)'/>", "text/html": "<script>alert(1)</script>"},
        "../../notebooks/trap.py": {"text/plain": "1000"},
    }
    cell.pop("outputs", None)
    cell.pop("execution_count", None)


@attack("tampering", "dot_score")
def free_text_made_code(submission: HandedIn) -> None:
    """The answer that a person grades becomes code that shows points, and is worth a thousand."""
    submission.fill("dot_score", WRONG)
    cell = submission.cell("longer_vectors_win")
    cell.cell_type = "code"
    cell.source = "1000.0"
    cell["outputs"], cell["execution_count"] = [_forged_result(1000.0)], 1
    cell.metadata["nbgrader"].update(points=1000, locked=True, solution=False, cell_type="code", task=False)


@attack("tampering", "dot_score")
def checks_swallowed_by_magics(submission: HandedIn) -> None:
    """Each check becomes a cell magic that hides what happens, or runs nothing."""
    submission.fill("dot_score", WRONG)
    for name, magic in (("test_dot_score", "%%capture"), ("test_score_matrix", "%%script true")):
        submission.cell(name).source = f"{magic}\n{submission.cell(name).source}"
        submission.cell(name).metadata["nbgrader"]["locked"] = False


@attack("tampering", "dot_score")
def source_of_many_shapes(submission: HandedIn) -> None:
    """Sources in lists, with characters that no text has, and a cell that closes the check's quotation."""
    submission.fill("dot_score", WRONG)
    submission.cell("test_dot_score")["source"] = ["1000", ".0\n", "# \ud800"]
    submission.after("dot_score", "check = None; '''")
    submission.after("test_dot_score", "'''\n\x00\x1b[2J\u2028 1000.0")


@attack("tampering", "dot_score")
def claims_to_be_graded(submission: HandedIn) -> None:
    """The file looks as a graded one does: scores, comments, checksums, and outputs of the judge."""
    submission.fill("dot_score", WRONG)
    for cell in submission.notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"].update(
                score=1000, comment="Full marks.", checksum="0" * 32, schema_version=3
            )
    submission.cell("test_dot_score").outputs = [
        nbformat.v4.new_output("display_data", data={"text/plain": "dot_score: right"}),
        _forged_result(3.0),
    ]
