"""The `autograder` command. It parses arguments and prints; what it calls is imported when it is called."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autograder import lean  # noqa: F401 - before whatever a command imports

if TYPE_CHECKING:
    from autograder.authoring.template import Made
    from autograder.course import Course
    from autograder.grading import Graded
    from autograder.judging.verdict import Verdict

USER_ERROR = 2
#: What a shell calls a program that Ctrl-C stopped.
INTERRUPTED = 130


class OneLineErrors(click.Group):
    """What the person at the keyboard can mend is one line on stderr and an exit code, no traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            known = _as_user_error(error)
            if known is None:
                raise
            click.echo(f"autograder: {_one_line(str(known))}", err=True)
            ctx.exit(getattr(known, "exit_code", USER_ERROR))


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--course",
    "root",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="The class's folder: the repository itself (default: the current folder) or one below it.",
)
@click.pass_context
def main(ctx: click.Context, root: Path) -> None:
    """Build the course's notebooks, grade what students hand in, and report on the class."""
    ctx.obj = root


@main.command()
@click.argument("lessons", nargs=-1, metavar="[LESSON]...")
@click.option(
    "--check", is_flag=True, help="Write nothing; exit 1 if a built file is not what its source gives."
)
@click.pass_obj
def build(root: Path, lessons: tuple[str, ...], check: bool) -> None:
    """Make the students' notebooks and public examples from the lessons' sources."""
    from autograder.authoring.build import build as build_lessons

    course = _course(root)
    written = build_lessons(course, list(lessons), check)
    for path in written:
        click.echo(_below(path, course.home))
    if check:
        click.echo("up to date")


@main.command()
@click.argument("lesson", required=False, metavar="[LESSON]")
@click.argument("name", required=False, metavar="[EXERCISE]")
@click.pass_obj
def prove(root: Path, lesson: str | None, name: str | None) -> None:
    """Prove that exercises are fit to be graded: known mistakes distinct and named, cases that tell them
    apart, hints that ask; exit 1 with a sentence for each thing to mend."""
    from autograder.authoring.prove import prove as prove_lessons

    shown, wanting = None, 0
    for proof in prove_lessons(_course(root), lesson, name):
        if proof.lesson != shown:
            click.echo(proof.lesson)
        for line in proof.lines():
            click.echo(_one_line(line))
        shown, wanting = proof.lesson, wanting + len(proof.findings)
    if wanting:
        sys.exit(1)


@main.group()
def new() -> None:
    """Write a new lesson or exercise that builds and holds every promise, to be edited in place
    (docs/authors.md)."""


@new.command("lesson")
@click.argument("lesson", metavar="NN_TOPIC")
@click.argument("title", required=False, metavar="[TITLE]")
@click.option("--exercise", metavar="NAME", help="The name of its first exercise.")
@click.pass_obj
def new_lesson(root: Path, lesson: str, title: str | None, exercise: str | None) -> None:
    """Write a small lesson: its text, one exercise, a question, a free text, and a loop-written oracle."""
    from autograder.authoring import template

    course = _course(root)
    made = template.new_lesson(course, lesson, title, exercise or template.EXERCISE)
    _print_made(course, lesson, made)


@new.command("exercise")
@click.argument("lesson")
@click.argument("name")
@click.pass_obj
def new_exercise(root: Path, lesson: str, name: str) -> None:
    """Write the exercise NAME for a LESSON that is there, and a cell that asks for it."""
    from autograder.authoring import template

    course = _course(root)
    _print_made(course, lesson, template.new_exercise(course, lesson, name))


@main.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lesson", metavar="NAME", help="The lesson, where the file's name does not say it.")
@click.option(
    "--unsafe", is_flag=True, help="Grade without a full sandbox: student code can then do what you can."
)
@click.pass_obj
def judge(root: Path, notebook: Path, as_json: bool, lesson: str | None, unsafe: bool) -> None:
    """Grade one NOTEBOOK and print its verdict; nothing is recorded."""
    try:
        graded = _judge(root, notebook, lesson, unsafe)
    except Exception as error:
        if not as_json:
            raise
        known = _as_user_error(error)
        click.echo(json.dumps({"error": str(known) if known else f"{type(error).__name__}: {error}"}))
        sys.exit(USER_ERROR)
    if as_json:
        click.echo(json.dumps(graded.to_json(), indent=1))
    else:
        _print_verdict(graded)


@main.command()
@click.argument("lessons", nargs=-1, metavar="[LESSON]...")
@click.option("--student", metavar="S", help="Grade this student only.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes (default: one per CPU).")
@click.option(
    "--executor",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="Processes of this machine, or a dask.distributed cluster: one of this machine's, or SCHEDULER's.",
)
@click.option(
    "--scheduler", metavar="ADDRESS", help="With --executor dask: the cluster to grade on (docs/cluster.md)."
)
@click.option("--force", is_flag=True, help="Grade again what has not changed.")
@click.option(
    "--preview", is_flag=True, help="Write nothing: say whose points would change, by how much and why."
)
@click.option(
    "--csv",
    "table",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --preview: write it as a table too.",
)
@click.option(
    "--unsafe", is_flag=True, help="Grade without a full sandbox: student code can then do what you can."
)
@click.pass_obj
def grade(
    root: Path,
    lessons: tuple[str, ...],
    student: str | None,
    workers: int | None,
    executor: str,
    scheduler: str | None,
    force: bool,
    preview: bool,
    table: Path | None,
    unsafe: bool,
) -> None:
    """Grade what the class handed in into nbgrader's gradebook."""
    from autograder.classroom.submissions import overlooked
    from autograder.classroom.summary import overlooked_lines

    course = _course(root)
    if table and not preview:
        raise click.UsageError("--csv is the table of a preview: add --preview")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's stop is Ctrl-C's
    options = {
        "student": student,
        "workers": workers,
        "force": force,
        "unsafe": unsafe,
        **_chosen_workers(executor, scheduler, workers),
    }
    try:
        lines = (
            _preview_lines(course, lessons, table, options) if preview else _grade(course, lessons, options)
        )
    except KeyboardInterrupt:
        click.echo(
            "autograder: stopped. What is recorded stays; the same command goes on from here.", err=True
        )
        sys.exit(INTERRUPTED)
    for line in [*lines, *overlooked_lines(overlooked(course, student))]:
        click.echo(line)


@main.command()
@click.argument("lessons", nargs=-1, metavar="[LESSON]...")
@click.option("--anonymous", is_flag=True, help="Without names: for others than the course's staff.")
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE", help="Write the page to FILE.")
@click.pass_obj
def report(root: Path, lessons: tuple[str, ...], anonymous: bool, to: Path | None) -> None:
    """Write the class report: one HTML page on the whole course, or one on each LESSON."""
    from autograder.classroom.report import write, write_lessons

    course = _course(root)
    if not lessons:
        click.echo(write(course, anonymous=anonymous, to=to))
    for path in write_lessons(course, lessons, anonymous=anonymous, to=to):
        click.echo(path)


@main.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--repository",
    metavar="ADDRESS",
    help="Where it will be published, OWNER/NAME on GitHub or any public address: for git clone and Binder.",
)
@click.option("--git", is_flag=True, help="Make it a git repository of one commit, with no other history.")
@click.option(
    "--self-study", is_flag=True, help="With the explained edition, which HOLDS THE ANSWERS. Not for a class."
)
@click.pass_obj
def bundle(root: Path, directory: Path, repository: str | None, git: bool, self_study: bool) -> None:
    """Write the students' repository to DIR, with nothing hidden in it."""
    from autograder.authoring.bundle import bundle as write_bundle
    from autograder.authoring.explained import FOLDER

    written = write_bundle(_course(root), directory, repository, git=git, self_study=self_study)
    click.echo(f"{directory}: {len(written.files)} files")
    if written.commit:
        click.echo(f"  one commit on main: {written.commit}")
    if self_study:
        click.echo(f"  {FOLDER}/ HOLDS THE ANSWERS: for learners without a teacher, not for a class")


@main.command()
def doctor() -> None:
    """Say which walls hold student code on this machine, why, and what would raise those that are missing;
    exit 1 if there are too few to grade."""
    from autograder.doctor import lines
    from autograder.sandbox.client import doctor as examine
    from autograder.sandbox.isolation import missing

    layers = examine()
    for line in lines(layers):
        click.echo(line)
    if missing(layers):
        sys.exit(1)


def _grade(course: Course, lessons: Sequence[str], options: dict[str, Any]) -> list[str]:
    """Grade for good; what to tell."""
    from autograder.classroom.grade import grade as grade_class

    return [line for run in grade_class(course, lessons, **options) for line in run.lines()]


def _preview_lines(
    course: Course, lessons: Sequence[str], table: Path | None, options: dict[str, Any]
) -> list[str]:
    """Grade and record nothing; what to tell."""
    from autograder.classroom.changes import table as table_of
    from autograder.classroom.preview import preview
    from autograder.files import write_whole

    found = preview(course, lessons, **options)
    if table is not None:
        write_whole(table, table_of(found))
    lines = [line for lesson in found for line in lesson.lines()]
    return [*lines, "nothing was written: the same command without --preview writes it"]


def _chosen_workers(executor: str, scheduler: str | None, workers: int | None) -> dict[str, Any]:
    """What `grade` is told about its workers, nothing where they are this machine's processes."""
    if executor == "local":
        if scheduler:
            raise click.UsageError("--scheduler names a dask cluster: add --executor dask")
        return {}
    if scheduler and workers:
        raise click.UsageError("--workers is for this machine: the cluster at --scheduler has its own number")
    from functools import partial

    from autograder.classroom.cluster import DaskWorkers

    return {"make_workers": partial(DaskWorkers, scheduler=scheduler)}


def _judge(root: Path, notebook: Path, lesson: str | None, unsafe: bool) -> Graded:
    from contextlib import closing

    from autograder.classroom.settings import limits, nbgrader_config
    from autograder.library import UserError, lesson_of
    from autograder.sandbox.client import SharedZygote

    course = _course(root)
    name = lesson or lesson_of(course.solutions, notebook)
    chosen = limits(nbgrader_config(course))
    # it takes a second to get ready: the grading code is imported meanwhile
    with closing(SharedZygote([course.library_dir], course.student_modules, chosen, unsafe)) as zygote:
        from autograder.grading import Grader, Unreadable

        with Grader(course, name, limits=chosen, unsafe=unsafe, door=zygote.door) as grader:
            try:
                return grader.grade(notebook)
            except Unreadable as error:
                raise UserError(f"{notebook} can't be graded, ask for the file again: {error}") from error


def _print_verdict(graded: Graded) -> None:
    click.echo(f"{graded.lesson}: {graded.score:g} of {graded.max_score:g} points in {graded.seconds:.1f} s")
    verdicts: list[Verdict] = [*graded.exercises.values(), *graded.questions.values()]
    for verdict in verdicts:
        score = "open" if verdict.score is None else f"{verdict.score:g}"
        line = f"  {verdict.name:<32} {score:>4} of {verdict.max_score:<4g} {verdict.outcome.value}"
        click.echo(_one_line(f"{line}  {verdict.message}".rstrip()))
    if graded.needs_manual:
        click.echo(f"  to be graded by a person: {', '.join(graded.needs_manual)}")
    if graded.other_release:
        click.echo(f"  made on another release of the lesson, {graded.other_release}: graded as this one")
    click.echo(f"  sandbox: {', '.join(graded.sandbox) or 'none'}")


def _print_made(course: Course, lesson: str, made: Made) -> None:
    for path in made.files:
        click.echo(_below(path, course.home))
    for line in made.left:
        click.echo(f"still to do in {line}")
    click.echo(f"edit them, then run: autograder prove {lesson}, and: autograder build {lesson}")


def _course(root: Path) -> Course:
    from autograder.course import Course

    return Course.find(root)


def _as_user_error(error: Exception) -> Exception | None:
    """`error` as something that the user can mend, None for any other."""
    from autograder.files import REMEDIES, CantWrite
    from autograder.judging.restore import Unreadable
    from autograder.library import UserError

    if isinstance(error, UserError | Unreadable):
        return error
    if isinstance(error, OSError) and error.errno in REMEDIES:
        return CantWrite(error.filename or "a file", error, "used")
    return None


def _one_line(text: str) -> str:
    """Messages can quote a student's file or folder: no control character reaches the terminal."""
    from autograder.wording import printable

    return printable(" ".join(text.splitlines()))


def _below(path: Path, home: Path) -> str:
    return str(path.relative_to(home)) if path.is_relative_to(home) else str(path)


if __name__ == "__main__":
    main()
