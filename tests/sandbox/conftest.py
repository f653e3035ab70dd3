"""Two sandboxes for all tests here: with namespaces, and the base tier alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.sandbox.client import Child, Limits, Sandbox

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits(
    cell_seconds=1, question_seconds=0.5, memory_bytes=1 << 30, answer_bytes=1 << 20, output_bytes=200_000
)


@pytest.fixture(scope="session", params=["namespaces", "base"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A running sandbox of each tier that this machine has."""
    wanted = request.param == "namespaces"
    with Sandbox([ROOT / "attention_lib"], ["attention_lib"], LIMITS, namespaces=wanted) as started:
        if wanted and "process-namespace" not in started.layers:
            pytest.skip("this kernel or container has no namespaces to give")
        yield started


@pytest.fixture
def child(sandbox: Sandbox) -> Iterator[Child]:
    """A fresh child."""
    with sandbox.child() as started:
        yield started
