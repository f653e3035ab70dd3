"""One target under atheris, which keeps the inputs that reach new code and changes them further.

python -m tests.fuzz.guided TARGET [options of libFuzzer] [folders and files]

Ends with exit code 77 and writes the input to a file when a promise is broken.
"""

from __future__ import annotations

import sys
from random import Random

import atheris

with atheris.instrument_imports(
    include=["autograder.sandbox", "autograder.judging", "attention_lib.compare", "attention_lib.routing"]
):
    from .mutation import MUTATORS
    from .promises import TARGETS


def main(arguments: list[str]) -> None:
    target = arguments[1]
    mutate = MUTATORS[target]

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        """A mutation that knows the format, or, half of the time, one that knows which bytes matter."""
        rng = Random(seed)
        changed = mutate(data, rng) if rng.random() < 0.5 else b""
        return changed if 0 < len(changed) <= most else atheris.Mutate(data, most)

    atheris.Setup([arguments[0], *arguments[2:]], TARGETS[target], custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
