"""The students' repository by its address: what git clones, and where Binder finds it."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from autograder.authoring.repository import repository
from autograder.library import UserError

GITHUB = ("https://github.com/some-course/notebooks.git", "gh/some-course/notebooks")
GITLAB = ("https://gitlab.com/faculty/group/course.git", "gl/faculty%2Fgroup%2Fcourse")

BY_HTTPS = (
    "https://git.example.org:8443/course.git",
    "git/https%3A%2F%2Fgit.example.org%3A8443%2Fcourse.git",
)
BY_GIT = ("git://example.org/~me/course", "git/git%3A%2F%2Fexample.org%2F~me%2Fcourse")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("some-course/notebooks", GITHUB),
        ("https://github.com/some-course/notebooks", GITHUB),
        ("https://github.com/some-course/notebooks.git", GITHUB),
        ("https://www.github.com/some-course/notebooks/", GITHUB),
        ("git@github.com:some-course/notebooks.git", GITHUB),
        ("https://gitlab.com/faculty/group/course", GITLAB),
        ("https://gitlab.com/faculty/group/course.git", GITLAB),
        ("git@gitlab.com:faculty/group/course.git", GITLAB),
        ("https://git.example.org:8443/course.git", BY_HTTPS),
        ("git://example.org/~me/course", BY_GIT),
    ],
)
def test_addresses_in_binders_own_words(address: str, expected: tuple[str, str]) -> None:
    """gh/OWNER/NAME, gl/ESCAPED-PATH and git/ESCAPED-ADDRESS, as BinderHub's providers read them."""
    found = repository(address)
    assert (found.clone, found.binder) == expected


def test_binder_opens_jupyterlab_at_the_path() -> None:
    address = repository("some-course/notebooks").on_binder("notebooks/01_tiny")
    assert address.startswith("https://mybinder.org/v2/gh/some-course/notebooks/HEAD?")
    assert parse_qs(urlsplit(address).query) == {"urlpath": ["lab/tree/notebooks/01_tiny"]}


def test_a_git_address_is_one_part_of_the_path() -> None:
    """Binder splits its path at the slashes: the address must not have any."""
    path = urlsplit(repository("https://git.example.org/a/b.git").on_binder("notebooks")).path
    assert list(map(unquote, path.split("/"))) == ["", "v2", "git", "https://git.example.org/a/b.git", "HEAD"]


@pytest.mark.parametrize(
    ("address", "folder"),
    [("a/b", "b"), ("https://gitlab.com/a/b/c.git", "c"), ("https://git.example.org/x/y/", "y")],
)
def test_the_folder_that_a_clone_makes(address: str, folder: str) -> None:
    assert repository(address).folder == folder


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "is no address"),
        ("notebooks", "is no address"),
        ("a/b/c", "is no address"),
        ("file:///srv/course", "is no address"),
        ("ssh://git@example.org/course", "holds a user"),
        ("git@example.org:course.git", "is no address"),
        ("https://github.com/some-course", "names no repository"),
        ("https://github.com/some-course/notebooks/tree/main", "names no repository"),
        ("https://gitlab.com/group/course/-/tree/main", "names no repository"),
        ("https://git.example.org/", "names no repository"),
        ("https://git.example.org/a b", "names no repository"),
        ("https://git.example.org/a?b=c", "names no repository"),
        ("https://git.example.org/a)b", "names no repository"),
        ("https://git.example.org:port/a", "is no address"),
        ("some-course/note books", "is no address"),
    ],
)
def test_anything_else_is_refused_with_what_is_expected(address: str, why: str) -> None:
    with pytest.raises(UserError, match=f"{why}.*expected OWNER/NAME on GitHub, or a public address such as"):
        repository(address)


def test_a_password_is_not_even_repeated() -> None:
    with pytest.raises(UserError, match="holds a user or password") as caught:
        repository("https://me:s3cret@github.com/a/b")
    assert "s3cret" not in str(caught.value)
