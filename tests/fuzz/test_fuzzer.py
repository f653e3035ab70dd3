"""The fuzzer itself: its seeds are honest messages, its mutations reach behind the format, and an input
that breaks a promise is found, kept and told."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from attention_lib.compare import Opaque
from autograder.sandbox import wire
from autograder.sandbox.client import NoSandbox

from . import run
from .fake_child import converse, script_of, split_frames
from .mutation import MUTATORS, mutate_message
from .promises import TARGETS
from .seeds import CELLS, QUESTIONS, recorded, seeds


@pytest.fixture(scope="module")
def messages() -> Iterator[list[Any]]:
    """What a real child said."""
    try:
        yield recorded()
    except NoSandbox as error:
        pytest.skip(f"no messages of a real child: {error}")


def test_the_seeds_are_what_a_child_says_to_each_cell_and_question(messages: list[Any]) -> None:
    assert [word for _, word, _ in messages] == ["ran"] * len(CELLS) + ["events"] * (len(QUESTIONS) + 4)
    shown = [output["output_type"] for _, word, run in messages if word == "ran" for output in run[0]]
    assert set(shown) == {"stream", "display_data", "execute_result", "error"}


@pytest.mark.parametrize("target", TARGETS)
def test_every_seed_keeps_the_promise(target: str, messages: list[Any]) -> None:
    found = seeds(target, messages)
    assert len(found) > 8
    for data in found:
        TARGETS[target](data)


def test_honest_scripts_get_an_answer_to_every_request(messages: list[Any]) -> None:
    complete = 0
    for script in seeds("conversation", messages):
        answers: list[Any] = []
        converse(script, lambda kind, answer, answers=answers: answers.append(answer))
        complete += not any(isinstance(answer, Exception) for answer in answers)
    assert complete >= 20


@pytest.mark.parametrize("target", TARGETS)
def test_mutations_are_the_same_for_the_same_seed_and_most_are_still_messages(
    target: str, messages: list[Any]
) -> None:
    found = seeds(target, messages)
    rng = Random(1)
    mutations = [(MUTATORS[target](rng.choice(found), Random(seed)), seed) for seed in range(300)]
    assert MUTATORS[target](found[0], Random(7)) == MUTATORS[target](found[0], Random(7))
    assert sum(is_message(target, data) for data, _ in mutations) > 150
    assert len({data for data, _ in mutations}) > 200


def is_message(target: str, data: bytes) -> bool:
    try:
        for body in [frame[4:] for frame in split_frames(data[2:])] if target == "conversation" else [data]:
            wire.decode(body)
    except wire.WireError:
        return False
    return True


def test_mutations_put_arrays_where_texts_are() -> None:
    honest = wire.encode([{"output_type": "stream", "name": "stdout", "text": ""}])
    rng = Random(0)
    for _ in range(5000):
        try:
            [output] = wire.decode(mutate_message(honest, rng))
        except (wire.WireError, ValueError, TypeError):
            continue
        if isinstance(output, dict) and isinstance(output.get("output_type"), np.ndarray):
            return
    pytest.fail("no array in the place of an output's type in 5,000 mutations")


def test_frames_of_a_stream_are_told_apart_and_lose_nothing() -> None:
    stream = script_of([(1, "ran", 0), (2, "ran", 1)])[2:]
    assert [wire.decode(frame[4:]) for frame in split_frames(stream)] == [(1, "ran", 0), (2, "ran", 1)]
    for cut in range(len(stream)):
        assert b"".join(split_frames(stream[:cut])) == stream[:cut]


PLANTED = """
import sys
from tests.fuzz import guided, promises  # first: what is imported before is not instrumented
from autograder.sandbox import wire

def planted(data):
    try:
        value = wire.decode(data)
    except wire.WireError:
        return
    if isinstance(value, str):
        if value[:1] == "o":
            if value[1:2] == "u":
                if value[2:3] == "t":
                    raise KeyError("planted")

promises.TARGETS["cleaning"] = planted
guided.main(sys.argv)
"""


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="there is no atheris for this Python or machine: guided fuzzing is untested",
)
def test_the_guided_fuzzer_finds_a_planted_fault_step_by_step_and_keeps_its_input(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "seed").write_bytes(wire.encode("xxxx"))
    options = [f"-artifact_prefix={tmp_path}/", "-max_total_time=120", "-seed=1", str(corpus)]
    done = subprocess.run(
        [sys.executable, "-c", PLANTED, "cleaning", *options], cwd=run.ROOT, capture_output=True, text=True
    )
    assert "planted" in done.stderr + done.stdout, done.stderr[-2000:]
    assert done.returncode != 0
    [crash] = tmp_path.glob("crash-*")
    assert wire.decode(crash.read_bytes())[:3] == "out"


def test_the_blind_fuzzer_finds_a_planted_fault_and_keeps_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def planted(data: bytes) -> None:
        if data[:1] == b"d":
            raise KeyError("planted")

    monkeypatch.setitem(run.TARGETS, "decoding", planted)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "seed").write_bytes(wire.encode([1]))
    findings = run.blind("decoding", 60, tmp_path)
    assert findings.broken_by is not None
    assert findings.broken_by.read_bytes()[:1] == b"d"
    assert findings.broken_by.parent == tmp_path
    assert "KeyError: 'planted'" in capsys.readouterr().err


def test_the_blind_fuzzer_ends_in_time_and_finds_nothing_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "seed").write_bytes(wire.encode([1]))
    findings = run.blind("decoding", 0.2, tmp_path)
    assert findings.broken_by is None
    assert findings.executions > 10
    assert str(findings).endswith("no finding")


@pytest.mark.parametrize("broken", [False, True])
def test_a_run_tells_what_it_found_by_its_words_and_its_exit_code(
    broken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crash = tmp_path / "crash-1"

    def fuzz(target: str, seconds: float, folder: Path) -> run.Findings:
        return run.Findings(target, 5000, seconds, "12 branches reached", crash if broken else None)

    for name in ("guided", "blind"):
        monkeypatch.setattr(run, name, fuzz)
    monkeypatch.setattr(run, "write_seeds", lambda target, folder: None)
    assert run.main(["cleaning", "judging", "--seconds", "2"]) == int(broken)
    told = capsys.readouterr().out
    end = f"BROKEN by {crash}" if broken else "no finding"
    for target in ("cleaning", "judging"):
        assert f"{target}: 5,000 executions in 2 s (2,500 a second), 12 branches reached: {end}" in told
    assert (f"tests.fuzz.run judging --replay {crash}" in told) == broken


def test_a_kept_input_can_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "crash").write_bytes(b"N")
    tried: list[bytes] = []
    monkeypatch.setitem(run.TARGETS, "decoding", tried.append)
    assert run.main(["decoding", "--replay", str(tmp_path / "crash")]) == 0
    assert tried == [b"N"]
    with pytest.raises(SystemExit):
        run.main(["nothing"])


@pytest.mark.parametrize(
    "asked",
    [
        ("recv", [], None, 0, np.ones(2), None, 0),  # its sendtag was read when the deadlock was told
        ("allgather", [wire.encode(Opaque("object"))], None, None, 0, None, 0),  # weighs nothing
    ],
)
def test_ranks_may_ask_for_what_no_rank_can(asked: tuple[Any, ...]) -> None:
    TARGETS["ranks"](wire.encode([asked] * 3))
