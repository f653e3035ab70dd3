"""Mutations that know the wire format: a fuzzer that flips bytes rarely gets past the lengths in front of
texts and lists. Every choice comes from the generator that is passed in."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import fields
from random import Random
from typing import Any

import numpy as np

from attention_lib.compare import Opaque
from autograder.sandbox import wire
from autograder.sandbox.script import Call, Let, Look, Raised, Returned, Stand, Undefined

from .fake_child import split_frames
from .values import PNG, POINTED

WORDS = (
    *("output_type", "stream", "error", "display_data", "execute_result", "name", "stdout", "stderr", "text"),
    *("ename", "evalue", "traceback", "data", "metadata", "execution_count", "text/plain", "text/html"),
    *(
        "image/png",
        "image/jpeg",
        "width",
        "height",
        "alt",
        "ran",
        "events",
        "interrupted",
        "A",
        "BAC",
        "query",
    ),
    *POINTED,
)
NUMBERS = (0, 1, 2, 3, 4, 5, -1, 200, 1_000_000, 2**31, 2**63 - 1, -(2**63), 0.0, -0.0, 0.5, 1e308)
SHAPES = ((), (0,), (1,), (2,), (2, 3), (0, 3), (1, 2), (3, 1, 2), (1,) * 32)
LEAVES: tuple[Callable[[Random], Any], ...] = (
    lambda rng: rng.choice((None, True, False, float("nan"), float("inf"), [], (), {}, b"", PNG)),
    lambda rng: rng.choice(NUMBERS),
    lambda rng: rng.choice(WORDS),
    lambda rng: rng.choice(WORDS) * rng.choice((1, 2, 60)),
    lambda rng: np.zeros(rng.choice(SHAPES), rng.choice(wire.DTYPES)),
    lambda rng: np.full(rng.choice(SHAPES), rng.choice((1.5, np.nan, np.inf))),
    lambda rng: Opaque(rng.choice(WORDS)),
    lambda rng: rng.randbytes(rng.randrange(20)),
)
RECORDS: tuple[Callable[[Any], Any], ...] = (
    lambda value: Returned(value, (value,)),
    lambda value: Raised("ValueError", "no", (value,)),
    lambda value: Undefined("f", "int"),
    lambda value: Let("x", value),
    lambda value: Call("f", ("x",)),
    lambda value: Look("x"),
    lambda value: Stand("f", ((value,),)),
)


def mutate_message(data: bytes, rng: Random) -> bytes:
    """`data` with a few values in it changed, where it is a message; with a few bytes changed, where not."""
    if rng.random() < 0.3:
        return mutate_bytes(data, rng)
    try:
        value = wire.decode(data)
        for _ in range(rng.randint(1, 4)):
            value = edited(value, rng)
        return wire.encode(value)
    except wire.WireError:
        return mutate_bytes(data, rng)


def edited(value: Any, rng: Random) -> Any:
    """`value` with something in it replaced, left out, doubled or wrapped up."""
    kind = type(value)
    if kind in wire.RECORDS and rng.random() < 0.9:
        parts = [getattr(value, field.name) for field in fields(value)]
        return kind(*_edited_items(parts, rng, keep=True))
    if kind is dict and value and rng.random() < 0.9:
        return _edited_dict(value, rng)
    if kind in (list, tuple) and value and rng.random() < 0.9:
        return kind(_edited_items(list(value), rng, keep=False))
    if rng.random() < 0.2:
        return rng.choice((lambda it: [it], lambda it: (it,), lambda it: {rng.choice(WORDS): it}, *RECORDS))(
            value
        )
    return rng.choice(LEAVES)(rng)


def _edited_items(items: list[Any], rng: Random, keep: bool) -> list[Any]:
    """One of the items edited; unless their number is kept, one may go, come twice or be moved."""
    at = rng.randrange(len(items))
    fate = "edit" if keep else rng.choice(("edit", "edit", "edit", "drop", "double", "move"))
    if fate == "edit":
        items[at] = edited(items[at], rng)
    elif fate == "double":
        items.insert(at, items[at])
    else:
        item = items.pop(at)
        if fate == "move":
            items.insert(rng.randint(0, len(items)), item)
    return items


def _edited_dict(value: dict[str, Any], rng: Random) -> dict[str, Any]:
    key = rng.choice(list(value))
    match rng.choice(("edit", "edit", "edit", "drop", "rename", "add")):
        case "edit":
            return {**value, key: edited(value[key], rng)}
        case "add":
            return {**value, rng.choice(WORDS): rng.choice(LEAVES)(rng)}
        case "rename":
            value = {**value, rng.choice(WORDS): value[key]}
    return {name: item for name, item in value.items() if name != key}


def mutate_bytes(data: bytes, rng: Random) -> bytes:
    """`data` with a few bytes changed, cut out, doubled or put in."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(changed))
        until = min(at + rng.randint(0, 9), len(changed))
        length = struct.pack("<I", rng.choice((0, 1, 2, 255, 65_536, 2**31, 2**32 - 1)))
        new = rng.choice(
            (b"", rng.randbytes(1), rng.randbytes(until - at), bytes(changed[at:until]) * 2, length)
        )
        changed[at:until] = new
    return bytes(changed)


def mutate_script(script: bytes, rng: Random) -> bytes:
    """A script of `fake_child` with a frame or the pace changed; with bytes changed, where it is none."""
    head, frames = script[:2], split_frames(script[2:])
    if not frames or rng.random() < 0.2:
        return mutate_bytes(script, rng)
    at = rng.randrange(len(frames))
    match rng.choice(("edit", "edit", "edit", "edit", "drop", "double", "pace", "tear")):
        case "edit":
            frames[at] = wire.frame(mutate_message(frames[at][4:], rng))
        case "drop":
            del frames[at]
        case "double":
            frames.insert(at, frames[at])
        case "pace":
            head = bytes([rng.choice((0, 1, 2, 50)), rng.choice((0, rng.randrange(6), rng.randrange(256)))])
        case "tear":
            frames[at] = frames[at][: rng.randint(0, len(frames[at]))]
    return head + b"".join(frames)


#: How each target's input is changed.
MUTATORS: dict[str, Callable[[bytes, Random], bytes]] = {
    "decoding": mutate_message,
    "cleaning": mutate_message,
    "conversation": mutate_script,
    "judging": mutate_message,
    "ranks": mutate_message,
}
