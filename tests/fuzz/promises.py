"""What holds for every byte string that a student's process may send: each promise takes bytes, and
raises what is no promise kept. Tests and the fuzzer share them."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
import warnings
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import nbformat
import numpy as np
from nbformat.v4 import new_code_cell, new_notebook, new_output

from attention_lib.compare import Opaque, compare, same_data
from attention_lib.tolerance import tolerance_for
from autograder.exercise import Kind, Question
from autograder.judging.feedback import show
from autograder.judging.questions import judge_question
from autograder.sandbox import outputs, wire
from autograder.sandbox.outcomes import CellRun, ChildDied, ChildTimedOut
from autograder.sandbox.script import Raised, Returned, Undefined

from . import fake_child, fake_ranks

_NATIVE = {np.dtype(code) for code in ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]}
_FIELDS = {
    "Any": object,
    "str": str,
    "str | None": (str, type(None)),
    "float": (float, int),
    "tuple[Any, ...]": tuple,
    "tuple[str, ...]": tuple,
}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Unicode counts these among the format characters, yet they are seen.
_NUMBER_SIGNS = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
_KEYS = {
    "stream": {"output_type", "name", "text"},
    "error": {"output_type", "ename", "evalue", "traceback"},
    "display_data": {"output_type", "data", "metadata"},
    "execute_result": {"output_type", "data", "metadata", "execution_count"},
}
_MAGIC = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}


def check_decoding(data: bytes) -> None:
    """A value of the closed set within the limits, or a WireError; and what is read is written alike."""
    try:
        value = wire.decode(data)
    except wire.WireError:
        return
    items = check_plain(value)
    assert items <= min(len(data), wire.MAX_ITEMS + 1000), items
    again = wire.encode(value)
    assert again == data or _holds_opaque(value), again
    assert wire.encode(wire.decode(again)) == again


def check_plain(value: Any, depth: int = 0, in_record: bool = False) -> int:
    """How many items `value` has. Fails unless it is exactly of the types that the wire carries, all the
    way down."""
    kind = type(value)
    assert depth <= wire.MAX_DEPTH + 8, depth
    if kind in (list, tuple):
        return 1 + sum(check_plain(item, depth + 1, in_record) for item in value)
    if kind is dict:
        assert all(type(key) is str and key.encode() is not None for key in value)
        return 1 + sum(check_plain(item, depth + 1, in_record) for item in value.values())
    if kind in wire.RECORDS:
        assert not in_record, "a step or event inside another"
        return 1 + sum(_check_field(value, field, depth) for field in fields(value))
    if kind is np.ndarray:
        _check_array(value)
    elif kind is Opaque:
        assert type(value.type_name) is str
        assert len(value.type_name) <= wire.MAX_NAME
        assert value.type_name.isprintable()
    elif kind is int:
        assert -(2**63) <= value < 2**63
    elif kind is str:
        value.encode()  # no half of a surrogate pair
    else:
        assert kind in (type(None), bool, float, bytes), kind
    return 1


def _check_field(record: Any, field: Any, depth: int) -> int:
    item = getattr(record, field.name)
    assert isinstance(item, _FIELDS[field.type]), (record, field.name)
    assert not (field.type == "float" and isinstance(item, bool))
    if field.type == "tuple[str, ...]":
        assert all(type(part) is str for part in item)
    return check_plain(item, depth + 1, in_record=True)


def _check_array(array: np.ndarray) -> None:
    assert array.dtype in _NATIVE, array.dtype
    assert array.ndim <= wire.MAX_AXES
    assert array.nbytes <= wire.MAX_BYTES
    assert array.flags.writeable
    assert array.base is None, "an array that shares memory with the message"
    if array.dtype == bool:
        assert array.view(np.uint8).max(initial=0) <= 1


def _holds_opaque(value: Any) -> bool:
    """An Opaque loses what can't be shown of its name."""
    if type(value) in wire.RECORDS:
        value = [getattr(value, field.name) for field in fields(value)]
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, Opaque) or (isinstance(value, list | tuple) and any(map(_holds_opaque, value)))


def check_cleaning(data: bytes) -> None:
    """Whatever the decoder lets through: strict outputs that can be shown, or a BadOutput."""
    try:
        check_outputs(wire.decode(data))
    except wire.WireError:
        return


def check_outputs(value: Any) -> None:
    """`value`, cleaned, is strict nbformat v4, fit to show, and cleaning it again changes nothing; or a
    BadOutput."""
    try:
        cleaned = outputs.clean(value)
    except outputs.BadOutput:
        return
    assert outputs.clean(cleaned) == cleaned
    for output in cleaned:
        _check_output(output)
    cell = new_code_cell(outputs=[_as_written(output) for output in cleaned])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nbformat.validate(new_notebook(cells=[cell]))
    json.dumps(cleaned, ensure_ascii=False, allow_nan=False).encode()


def _as_written(output: dict[str, Any]) -> Any:
    return new_output(output["output_type"], **{key: output[key] for key in output if key != "output_type"})


def _check_output(output: dict[str, Any]) -> None:
    assert set(output) == _KEYS[output["output_type"]], output
    for mime, content in output.get("data", {}).items():
        assert mime == "text/plain" or base64.b64decode(content).startswith(_MAGIC[mime]), mime
    for mime, about in output.get("metadata", {}).items():
        assert mime in output["data"]
        assert set(about) <= {"width", "height", "alt"}
    check_fit_to_show(output)


def check_fit_to_show(value: Any) -> None:
    """No text in `value` holds an escape sequence other than a colour, or an unseen character."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple):
        for item in value:
            check_fit_to_show(item)
    elif isinstance(value, str):
        unseen = {char for char in _COLOUR.sub("", value) if _is_unseen(char)}
        assert not unseen, unseen


def _is_unseen(char: str) -> bool:
    """Controls but tab and line ends; halves of surrogate pairs; what breaks, turns, joins or hides text."""
    kind = unicodedata.category(char)
    return kind in ("Cs", "Zl", "Zp") or (kind in ("Cc", "Cf") and char not in "\t\n\r" + _NUMBER_SIGNS)


#: What references give back: each an answer of another form.
EXPECTED = (
    np.arange(6.0).reshape(2, 3),
    np.array([[0.5, np.nan]], dtype=np.float32),
    np.array([True, False]),
    1.5,
    True,
    (np.zeros(2), 3.0),
    [np.zeros(2), np.ones((1, 2))],
)
QUESTIONS = (
    Question("q", Kind.CHOICE, 1, "Which?", "A", hints=(("B", "Why B?"),)),
    Question("q", Kind.BOOL, 1, "Is it?", True),
    Question("q", Kind.NUMBER, 1, "How many?", 3, hints=((4, "Why 4?"),)),
    Question("q", Kind.NUMBERS, 1, "Which ones?", [1, 2.5]),
    Question("q", Kind.ORDER, 1, "In which order?", "BAC"),
    Question("q", Kind.MATCH, 1, "Which to which?", {"query": "A"}),
)


def check_judging(data: bytes) -> None:
    """Whatever the decoder lets through as an answer: it is compared, judged and shown, in few words that
    are fit to show."""
    try:
        answer, again = wire.decode(data), wire.decode(data)
    except wire.WireError:
        return
    if _holds_record(answer):
        return  # an answer is part of one, and holds none
    assert same_data(answer, again)
    for expected in EXPECTED:
        off = compare(expected, answer, tolerance_for([expected]))
        if off is not None:
            _check_words(off.message, off.detail)
    for question in QUESTIONS:
        _check_words(judge_question(question, answer).message)
    _check_words(show(answer))


def _holds_record(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, wire.RECORDS) or (
        isinstance(value, list | tuple) and any(map(_holds_record, value))
    )


def _check_words(*texts: str) -> None:
    for text in texts:
        assert type(text) is str
        assert len(text) < 2000, text
        check_fit_to_show(text)


def check_conversation(data: bytes) -> None:
    """A child that sends `data`: each request gives what it should, or ChildDied, or ChildTimedOut; and a
    child that died is gone and stays so."""
    fake_child.converse(data, check_answer)


def check_answer(request: str, answer: Any) -> None:
    """What a request gave back, or the exception that it ended with: plain data, and fit to show."""
    match request, answer:
        case _, ChildDied():
            check_fit_to_show(answer.reason)
            assert len(answer.reason) < 400
        case _, ChildTimedOut():
            check_fit_to_show(answer.reason)
            check_outputs(answer.outputs)
        case "run", CellRun(shown, error):
            check_outputs(shown)
            check_fit_to_show([shown, error or ""])
        case "ask", list():
            check_plain(answer)
            check_fit_to_show([_words(event) for event in answer])
        case "ask all", list():
            for events in answer:
                check_answer("ask", events)
        case "ask all", None:
            pass  # they have to be asked one by one
        case "look", _:
            check_plain(answer)
        case _:
            raise AssertionError(f"{request}: {answer!r}")


def check_ranks(data: bytes) -> None:
    """Whatever ranks ask one another for: it ends, in words that are fit to show if not well; nothing arrives
    that was not sent; and what is counted can't be less than nothing."""
    try:
        messages = wire.decode(data)
    except wire.WireError:
        return
    if not isinstance(messages, list) or _holds_record(messages):
        return
    sent = {payload for message in messages for payload in _payloads(message)}
    children, router, ended = fake_ranks.talk(messages)
    if ended is not None:
        check_fit_to_show(outputs.clean_text(str(ended)))
        assert len(str(ended)) < 2000
    assert all(payload in sent for child in children for told in child.told for payload in told)
    assert min(router.bytes_sent) >= 0
    assert min(router.seconds) >= 0


def _payloads(message: Any) -> list[Any]:
    held = message[1] if isinstance(message, tuple) and len(message) > 1 else ()
    return [payload for payload in held if isinstance(payload, bytes)] if isinstance(held, list) else []


def _words(event: Any) -> list[str]:
    """The texts of an event that are shown as they are."""
    match event:
        case Returned():
            return []
        case Raised(name, message):
            return [name, message]
        case Undefined(function, found):
            return [function, found or ""]
    raise AssertionError(f"no event: {event!r}")


#: What the fuzzer can be pointed at.
TARGETS: dict[str, Callable[[bytes], None]] = {
    "decoding": check_decoding,
    "cleaning": check_cleaning,
    "conversation": check_conversation,
    "judging": check_judging,
    "ranks": check_ranks,
}
