"""Which release of a lesson a notebook is of: a stamp such as `0.1.0-3f2a9c81`, the course's version and
a digest of what students get of that lesson."""

from __future__ import annotations

from attention_lib import public


def same_release(lesson: str, stamp: str) -> bool:
    """Whether this library belongs to a notebook of `lesson` with this stamp; if not, say what to do.

    A lesson that is the same in both releases needs nothing done, whatever the versions.
    """
    ours = public.release_of(lesson)
    if ours == stamp:
        return True
    lines = [
        f"This notebook is of release {version_in(stamp)} of the course ({stamp}),",
        f"the attention_lib that is installed here of {_described(ours)}.",
    ]
    if ours is not None and digest_in(ours) == digest_in(stamp):
        print(*lines, "This lesson is the same in both: go on.")
        return False
    print(
        *lines,
        "\nA check may ask for something else than the text does. Your answers are safe in this file."
        "\nTo mend it, take notebook and attention_lib from one release, the one that your course gives"
        "\nout now. On a hub, tell whoever runs it.",
    )
    return False


def version_in(stamp: str) -> str:
    """The course's version in a stamp."""
    return stamp.rpartition("-")[0]


def digest_in(stamp: str) -> str:
    """The part of a stamp that changes with the lesson alone."""
    return stamp.rpartition("-")[2]


def _described(stamp: str | None) -> str:
    return "a release without this lesson." if stamp is None else f"{version_in(stamp)} ({stamp})."
