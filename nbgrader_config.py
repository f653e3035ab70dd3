"""nbgrader's settings for this course: its own commands and its formgrader grade with the trusted judge."""

import os
import sys

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "attention"
c.CourseDirectory.source_directory = "build/source"
c.CourseDirectory.release_directory = "notebooks"
c.CourseDirectory.submitted_directory = "submitted"
c.CourseDirectory.autograded_directory = "autograded"
c.CourseDirectory.feedback_directory = "feedback"

# `nbgrader generate_assignment` releases the same bytes as `autograder build`.
c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors.LockCells",
    "nbgrader.preprocessors.ClearSolutions",
    "autograder.authoring.release.BlankAnswers",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# The exporter reads and restores the submission in place of DeduplicateIds, OverwriteKernelspec and
# OverwriteCells: of two cells with one grade id nbgrader keeps the last, here the first keeps it.
c.Autograde.exporter_class = "autograder.classroom.nbgrader_plugin.RestoringExporter"
c.Autograde.pre_convert_hook = "autograder.classroom.nbgrader_plugin.register_lesson"
c.Autograde.sanitize_preprocessors = ["nbgrader.preprocessors.CheckCellMetadata"]
c.Autograde.autograde_preprocessors = [
    "autograder.classroom.nbgrader_plugin.JudgeNotebook",
    "autograder.classroom.nbgrader_plugin.RecordGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# `nbgrader zip_collect` takes archives apart within bounds. Collectors for Moodle and Canvas: docs/lms.md.
c.ZipCollectApp.extractor_plugin = "autograder.classroom.collecting.BoundedExtractor"

# Feedback and the formgrader's pages need no network; the latter show each free text's rubric.
c.HTMLExporter.preprocessors = [
    "autograder.classroom.pages.Offline",
    "autograder.classroom.pages.ShowRubrics",
]

# To make a new gradebook nbgrader runs `alembic` by name: it lies beside this Python, on the PATH or not.
programs = os.path.dirname(sys.executable)
if programs not in os.environ.get("PATH", "").split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])

# The sandbox's limits, as they are unless a line below is uncommented (seconds and bytes).
# c.Limits.cell_seconds = 30
# c.Limits.question_seconds = 10
# c.Limits.submission_seconds = 300
# c.Limits.memory_bytes = 2 << 30
