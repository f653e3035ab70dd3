"""Strategies: what may cross the wire, and what a hostile child may put in its place."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from attention_lib.compare import Opaque
from autograder.sandbox.script import Call, Change, Let, Look, Raised, Returned, Stand, Undefined

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n and the rest").decode()
#: The same examples each time, so that a change and not chance decides whether the tests pass. The fuzzer
#: looks for new ones.
STEADY = settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)

#: Pieces of text that something behind the wire could act on.
POINTED = (
    *(
        "\x1b[31m",
        "\x1b[",
        "\x1b",
        "\x1b]0;title\x07",
        "\x9b2J",
        "\x00",
        "\r",
        "\n",
        "\u202e",
        "\u2028",
        "\xad",
    ),
    *("<script>alert(1)</script>", "</pre>", "data:text/html,x", PNG, "😀", "ā", "m", "[31m", "a" * 300),
)
TEXT = st.text(max_size=20) | st.lists(st.sampled_from(POINTED), max_size=6).map("".join)

NUMBERS = st.sampled_from(
    ["?", "<i1", "<i2", "<i4", "<i8", "<u1", "<u4", "<u8", "<f2", "<f4", "<f8", ">i8", ">f4"]
)
ARRAYS = arrays.arrays(NUMBERS, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | TEXT
    | st.binary(max_size=20)
    | ARRAYS
    | TEXT.map(lambda name: Opaque(name[:40]))
)


def nested(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """`leaves`, and lists, tuples and dicts of them."""
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=4).map(tuple)
            | st.dictionaries(keys, inner, max_size=4)
        ),
        max_leaves=10,
    )


PLAIN = nested(LEAVES, TEXT)
TUPLES = st.lists(PLAIN, max_size=3).map(tuple)
STEPS = (
    st.builds(Let, TEXT, PLAIN)
    | st.builds(Call, TEXT, st.lists(TEXT, max_size=3).map(tuple), TEXT)
    | st.builds(Change, TEXT, st.floats())
    | st.builds(Look, TEXT)
    | st.builds(Stand, TEXT, TUPLES)
)
EVENTS = (
    st.builds(Returned, PLAIN, TUPLES)
    | st.builds(Raised, TEXT, TEXT, TUPLES)
    | st.builds(Undefined, TEXT, st.none() | TEXT)
)

MESSAGES = PLAIN | st.tuples(st.integers(0, 9), st.sampled_from(["ask", "events"]), st.lists(STEPS | EVENTS))

_ANYTHING = PLAIN | EVENTS
_DATA = st.dictionaries(
    st.sampled_from(["text/plain", "text/html", "image/png", "image/jpeg", "image/svg+xml"]) | TEXT,
    TEXT | st.just(PNG) | _ANYTHING,
    max_size=4,
)
_ABOUT = st.dictionaries(
    st.sampled_from(["image/png", "image/jpeg"]) | TEXT,
    st.fixed_dictionaries(
        {}, optional={"width": _ANYTHING, "height": st.integers(-5, 20_000), "alt": _ANYTHING}
    ),
    max_size=2,
)


def _mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """`usual`, and now and then something else."""
    return st.one_of(usual, usual, usual, usual, _ANYTHING)


_OUTPUTS_OF_A_KIND = (
    st.fixed_dictionaries(
        {
            "output_type": _mostly(st.just("stream")),
            "name": _mostly(st.sampled_from(["stdout", "stderr"])),
            "text": _mostly(TEXT),
        }
    ),
    st.fixed_dictionaries(
        {
            "output_type": _mostly(st.just("error")),
            "ename": _mostly(TEXT),
            "evalue": _mostly(TEXT),
            "traceback": _mostly(st.lists(TEXT, max_size=3)),
        }
    ),
    st.fixed_dictionaries(
        {
            "output_type": _mostly(st.sampled_from(["display_data", "execute_result"])),
            "data": _mostly(_DATA),
            "metadata": _mostly(_ABOUT),
        },
        optional={"execution_count": _ANYTHING, "transient": _ANYTHING},
    ),
)
#: Lists of outputs of which many are well formed, and others all but.
OUTPUTS = st.lists(st.one_of(*_OUTPUTS_OF_A_KIND), max_size=4) | st.lists(PLAIN, max_size=2)
