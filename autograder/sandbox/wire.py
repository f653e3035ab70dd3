"""Values as bytes between the judge and a student's process: no pickle, every size capped.

A value is one tag byte and its content, numbers little-endian:

    N T F           None, True, False
    i f             int, float                      8 bytes
    s b             text, bytes                     length (4), content
    l t             list, tuple                     count (4), values
    d               dict                            count (4), (length, key, value) each
    a               array                           dtype (1), number of axes (1), axes (8 each), data
    o               Opaque                          length (4), name of the type
    R               step or event of a script       which (1), its fields as values
"""

from __future__ import annotations

from autograder.sandbox.codes import (
    DTYPES,
    FRAME_HEADER,
    MAX_AXES,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_NAME,
    RECORDS,
    WireError,
)
from autograder.sandbox.decoder import decode
from autograder.sandbox.encoder import Frozen, encode, freeze

__all__ = [
    "DTYPES",
    "FRAME_HEADER",
    "MAX_AXES",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_ITEMS",
    "MAX_NAME",
    "RECORDS",
    "Frozen",
    "WireError",
    "decode",
    "encode",
    "frame",
    "freeze",
]


def frame(body: bytes) -> bytes:
    """`body` with its length in front."""
    return FRAME_HEADER.pack(len(body)) + body
