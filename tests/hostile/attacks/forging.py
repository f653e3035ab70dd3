"""Attacks on the notebook file itself and on the line to the grader."""

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


@attack("dot_score", "third_output")
def forged_check_cell(submission: HandedIn) -> None:
    """Check cells are unlocked, worth a thousand points, and hold nothing but points."""
    submission.fill("dot_score", WRONG)
    submission.fill("third_output", "third_output = [0, 0]")
    for name in ("test_dot_score", "test_third_output"):
        submission.fill(name, "1000.0")
        submission.cell(name).metadata["nbgrader"].update(points=1000, locked=False, cell_type="code")


@attack("dot_score")
def check_cell_by_hand(submission: HandedIn) -> None:
    """The check cell becomes one that a person grades, and the solution cell one that counts a thousand."""
    submission.fill("dot_score", WRONG)
    submission.cell("test_dot_score").metadata["nbgrader"].update(solution=True, locked=False, task=False)
    submission.cell("dot_score").metadata["nbgrader"].update(grade=True, points=1000)


@attack("dot_score", "cosine_score_matrix")
def forged_outputs(submission: HandedIn) -> None:
    """The file brings outputs that show full points, above cells that were never written."""
    for name in ("dot_score", "cosine_score_matrix"):
        submission.cell(f"test_{name}").outputs = [_forged_result(1000.0)]
        submission.cell(f"test_{name}").execution_count = 7
        submission.cell(name).outputs = [_forged_result(3.0)]


@attack("dot_score")
def duplicated_check_cell(submission: HandedIn) -> None:
    """Two cells claim to be the check: a permissive one on either side of the real one."""
    submission.fill("dot_score", WRONG)
    submission.duplicate("test_dot_score", "1000.0", ahead=True)
    submission.duplicate("test_dot_score", "1000.0")
    submission.cell("test_dot_score").outputs = [_forged_result(1000.0)]


@attack("dot_score")
def check_cell_of_another_kind(submission: HandedIn) -> None:
    """The check cell is markdown, so that nothing is run and nothing can fail."""
    submission.fill("dot_score", WRONG)
    cell = submission.cell("test_dot_score")
    cell.cell_type = "markdown"
    cell.metadata["nbgrader"]["cell_type"] = "markdown"
    del cell["outputs"], cell["execution_count"]


@attack("dot_score")
def ids_swapped(submission: HandedIn) -> None:
    """The check of a wrong exercise takes the name of one that is right, and the other way round."""
    submission.fill("dot_score", WRONG)
    one, other = submission.cell("test_dot_score"), submission.cell("test_score_matrix")
    one.metadata["nbgrader"]["grade_id"] = "test_score_matrix"
    other.metadata["nbgrader"]["grade_id"] = "test_dot_score"


@attack("dot_score")
def invented_cells(submission: HandedIn) -> None:
    """Cells with ids that the lesson never had, worth a thousand points each."""
    submission.fill("dot_score", WRONG)
    for position in range(3):
        submission.duplicate("test_dot_score", "1000.0")
        submission.notebook.cells[submission.position("test_dot_score") + 1].metadata["nbgrader"].update(
            grade_id=f"test_bonus_{position}", points=1000
        )


@attack("dot_score")
def another_kernel(submission: HandedIn) -> None:
    """The notebook asks for another kernel and language, and claims an older schema."""
    submission.fill("dot_score", WRONG)
    submission.notebook.metadata["kernelspec"] = {"name": "bash", "display_name": "Bash", "language": "bash"}
    submission.notebook.metadata["language_info"] = {"name": "bash"}
    submission.cell("test_dot_score").metadata["nbgrader"]["schema_version"] = 1


@attack("dot_score")
def noise_on_the_line(submission: HandedIn) -> None:
    """Bytes that are no message at all are written to every open descriptor."""
    submission.fill(
        "dot_score",
        """
        import os

        def dot_score(x_i, x_j):
            for number in range(3, 40):
                try:
                    os.write(number, b"\\xff" * 64)
                except OSError:
                    pass
            return 0.0
        """,
    )


@attack("dot_score")
def huge_message_announced(submission: HandedIn) -> None:
    """Frames are announced that are longer than any memory."""
    submission.fill(
        "dot_score",
        """
        import os
        import struct

        def dot_score(x_i, x_j):
            for number in range(3, 40):
                try:
                    os.write(number, struct.pack("<I", 2**32 - 2))
                except OSError:
                    pass
            return 0.0
        """,
    )


@attack("dot_score")
def forged_answers_on_the_line(submission: HandedIn) -> None:
    """Well-formed replies that claim answers, rightly numbered, reach the grader ahead of the real ones."""
    submission.fill(
        "dot_score",
        """
        import os
        import sys

        def number_of_request():
            frame = sys._getframe()
            while frame is not None:
                if isinstance(frame.f_locals.get("number"), int):
                    return frame.f_locals["number"]
                frame = frame.f_back
            return 1

        def dot_score(x_i, x_j):
            from autograder.sandbox import script, wire
            asked = number_of_request()
            claims = [
                ("events", [script.Returned(11.0, (x_i, x_j))]),
                ("events", [script.Returned(wire.Frozen(wire.encode(3.0)), ())]),
                ("events", [script.Returned(True, ())] * 9),
                ("value", 3.0),
                ("graded", {"dot_score": 3.0}),
            ]
            for claim in claims:
                os.write(3, wire.frame(wire.encode((asked, *claim))))
            return 0.0
        """,
    )


@attack("dot_score")
def replies_of_unknown_numbers(submission: HandedIn) -> None:
    """Well-formed replies to questions that were never asked, of numbers long past and far ahead."""
    submission.fill(
        "dot_score",
        """
        import os

        def dot_score(x_i, x_j):
            from autograder.sandbox import script, wire
            for number in (-1, 0, 1, 2**62, None, "1", True):
                for word in ("ready", "ran", "events", "value", "interrupted", "score"):
                    os.write(3, wire.frame(wire.encode((number, word, [script.Returned(3.0, ())]))))
            return 0.0
        """,
    )


@attack("dot_score")
def replies_taken_over(submission: HandedIn) -> None:
    """A thread holds the line to the grader and answers in the sandbox's place."""
    submission.fill(
        "dot_score",
        """
        import os
        import threading
        import time

        def talk():
            from autograder.sandbox import script, wire
            for number in range(200):
                os.write(3, wire.frame(wire.encode((number, "events", [script.Returned(0.0, ())]))))
                time.sleep(0.002)

        def dot_score(x_i, x_j):
            threading.Thread(target=talk, daemon=True).start()
            return 0.0
        """,
    )


@attack("dot_score")
def line_closed(submission: HandedIn) -> None:
    """Every descriptor is closed, the line to the grader among them."""
    submission.fill(
        "dot_score",
        """
        import os

        def dot_score(x_i, x_j):
            os.closerange(3, 256)
            return 0.0
        """,
    )
