"""The students' environment.yml as Binder reads it: by repo2docker's own reading of the bundle, and conda's
of its entries.

Not shown here, since it wants conda's channels and a Docker engine: that conda finds versions which go
together, and that the image builds. That the `pip:` part installs is tests/bundle_install/test_pip_part.py's.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy.repo2docker_reading import Reading, base_versions, read
from rattler import BuildString, MatchSpec, PackageRecord
from rattler.exceptions import InvalidMatchSpecError

from autograder.authoring.bundle import fill
from autograder.course import Course

REPOSITORY = Path(__file__).resolve().parents[2]
INSTALL = ("env update", "environment.yml")
REPOSITORY_IS_THERE = ("COPY", " src/ ${REPO_DIR}/")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The student repository: for reading only."""
    folder = tmp_path_factory.mktemp("bundle")
    fill(Course.find(REPOSITORY), folder)
    return folder


@pytest.fixture(scope="module")
def reading(bundle: Path) -> Reading:
    return read(bundle)


@pytest.fixture(scope="module")
def entries(bundle: Path) -> list[Any]:
    listed: list[Any] = yaml.safe_load((bundle / "environment.yml").read_text(encoding="utf-8"))[
        "dependencies"
    ]
    return listed


@pytest.fixture
def changed(bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, to be changed."""
    return Path(shutil.copytree(bundle, tmp_path / "changed"))


def test_repo2docker_takes_our_environment_and_python_3_12(reading: Reading) -> None:
    assert reading.python == "3.12"
    assert reading.environment_file == "environment.yml"


def test_the_course_is_installed_when_its_files_are_there(reading: Reading) -> None:
    """`-e .` wants the repository, and repo2docker installs some environments before it copies that."""
    where = next(line for line in reading.dockerfile.splitlines() if line.startswith("WORKDIR"))
    assert where == "WORKDIR ${REPO_DIR}"
    assert reading.line(*REPOSITORY_IS_THERE) < reading.line(*INSTALL)


def test_without_the_course_in_it_the_order_is_the_other_one(changed: Path) -> None:
    """So the test above can fail: it is `-e .` by which repo2docker tells."""
    change(changed / "environment.yml", "      - -e .\n", "")
    reading = read(changed)
    assert reading.line(*INSTALL) < reading.line(*REPOSITORY_IS_THERE)


def test_a_range_for_python_would_give_another_one(changed: Path) -> None:
    change(changed / "environment.yml", "python=3.12", "python>=3.12")
    assert read(changed).python == "3.10"


def test_nothing_else_in_the_bundle_is_run_by_binder(reading: Reading) -> None:
    """No script after the build, none at the start, no packages of the system but the base's."""
    assert "R2D_ENTRYPOINT" not in reading.dockerfile
    assert "RUN chmod +x" not in reading.dockerfile
    assert reading.dockerfile.count("apt-get -qq install") == 2


def test_conda_understands_each_entry(entries: list[Any]) -> None:
    specs = [MatchSpec(entry, strict=True) for entry in entries if isinstance(entry, str)]
    assert [spec.name.normalized for spec in specs] == [
        *("python", "numpy", "matplotlib-base", "jupyterlab", "ipywidgets", "jupyter-offlinenotebook", "pip")
    ]
    assert str(specs[0].version) == "3.12.*"


@pytest.mark.parametrize("broken", ["numpy>>2.0", "jupyterlab=>4.4", "python=3.12 or later"])
def test_an_entry_that_conda_does_not_understand_is_told(broken: str) -> None:
    with pytest.raises(InvalidMatchSpecError):
        MatchSpec(broken, strict=True)


def test_binders_base_has_what_is_asked_for_where_it_has_it(entries: list[Any]) -> None:
    """Nothing of Binder's own JupyterLab has to be replaced, in versions that this course is tested with."""
    base = base_versions("3.12")
    specs = {entry: MatchSpec(entry, strict=True) for entry in entries if isinstance(entry, str)}
    there = {spec.name.normalized for spec in specs.values()} & base.keys()
    assert there == {"python", "jupyterlab", "ipywidgets", "jupyter-offlinenotebook", "pip"}
    for entry, spec in specs.items():
        if (name := spec.name.normalized) in there:
            assert spec.matches(PackageRecord(name, base[name], BuildString("0"), 0, "noarch")), (
                f"{entry}: {base[name]}"
            )


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
