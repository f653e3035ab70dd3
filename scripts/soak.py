"""`make soak`: grading runs are struck down at random moments, run again, and compared with one that was not.

Each round takes a fresh copy of a class (nothing graded yet; graded and scored by hand, then graded again
with --force; or with new work handed in) and starts `autograder grade`. At a random moment it kills a
student's process, a zygote, a worker, the process that starts the workers, or the run itself.
Then the same command runs until nothing is open. The gradebook, the graded notebooks and the verdicts have
to be those of a run that nobody disturbed, scores and comments given by hand have to be there, and no
process of the run may be left. Exits 1 otherwise, with the seed and the round.

    python scripts/soak.py --rounds 200
    python scripts/soak.py --seed 7 --from 31 --rounds 1      # round 31 of seed 7 once more
    python scripts/soak.py --only worker --rounds 10
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import secrets
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from soaking.classes import remove
from soaking.processes import adopting_orphans
from soaking.ready import Ready, prepare
from soaking.rounds import VICTIMS, Round, play, random_blows


def main() -> int:
    options = _options()
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir=options.folder))
    print(f"soak: seed {seed}, rounds {options.first} to {options.first + options.rounds - 1}", flush=True)
    started = time.monotonic()
    with adopting_orphans():
        ready = list(prepare(folder, options.workers))
        print(f"soak: {len(ready)} undisturbed runs took {time.monotonic() - started:.0f} s", flush=True)
        wanted = options.only or [name for name in VICTIMS if _is_there(name, ready)]
        played = list(_rounds(folder, ready, wanted, seed, options))
    print(_table(played), f"\nAll of it took {time.monotonic() - started:.0f} s.", sep="")
    failed = [number for number, _, outcome in played if outcome.failed]
    if failed:
        print(f"soak: failed with seed {seed} in rounds {', '.join(map(str, failed))}: see {folder}")
        return 1
    remove(folder)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill grading runs at random moments, and compare.")
    parser.add_argument("--rounds", type=int, default=200, metavar="N", help="default 200")
    parser.add_argument("--from", type=int, default=1, dest="first", metavar="N", help="first round's number")
    parser.add_argument("--seed", type=int, metavar="N", help="default: a random one, printed")
    parser.add_argument(
        "--only", action="append", choices=list(VICTIMS), metavar="VICTIM", help=", ".join(VICTIMS)
    )
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")
    return parser.parse_args()


def _is_there(name: str, ready: list[Ready]) -> bool:
    """Whether a run has such a process at all: without namespaces no zygote has a parent of its kind."""
    return any(VICTIMS[name].kind in one.windows.seen for one in ready)


def _rounds(
    folder: Path, ready: list[Ready], wanted: list[str], seed: int, options: argparse.Namespace
) -> Iterator[tuple[int, str, Round]]:
    """Every victim in every state in turn; the rest is drawn from the seed and the round's number."""
    cells = list(itertools.product(ready, wanted))
    for number in range(options.first, options.first + options.rounds):
        rng = random.Random(f"{seed}/{number}")
        # the same order over and over would always strike a victim in a state at the same place
        chosen, name = random.Random(f"{seed}/{(number - 1) // len(cells)}").sample(cells, len(cells))[
            (number - 1) % len(cells)
        ]
        blows = random_blows(VICTIMS[name], chosen.windows, rng, lambda rng=rng: VICTIMS[rng.choice(wanted)])
        place = folder / f"round-{number}"
        outcome = play(chosen.state, place, blows, options.workers)
        print(_line(number, options, outcome), flush=True)
        if not outcome.failed:
            remove(place)
        yield number, name, outcome


def _line(number: int, options: argparse.Namespace, outcome: Round) -> str:
    last = options.first + options.rounds - 1
    struck = ", ".join(outcome.struck) or "nobody struck"
    told = [f"{len(outcome.codes)} runs" if len(outcome.codes) > 1 else "1 run", f"{outcome.seconds:.1f} s"]
    told += [f"{len(outcome.open_first)} left open at first"] if outcome.open_first else []
    told += outcome.refusals
    told += [f"left in the temporary folder: {', '.join(outcome.left_files)}"] if outcome.left_files else []
    told += [f"processes left: {', '.join(outcome.left_processes)}"] if outcome.left_processes else []
    told += ["as undisturbed"] if not outcome.differences else ["DIFFERENT:"]
    lines = [f"round {number} of {last}: {outcome.state}: {struck}; {'; '.join(told)}"]
    return "\n    ".join([*lines, *outcome.differences])


def _table(played: list[tuple[int, str, Round]]) -> str:
    """A line for each victim: how often, and what came of it."""
    heads = ("victim", "rounds", "struck", "run again", "left open", "different", "processes", "files")
    rows = [heads]
    counts: dict[str, Counter[str]] = {}
    for _, name, outcome in played:
        for victim in (name, "all"):
            counts.setdefault(victim, Counter()).update(_counted(outcome))
    everyone = counts.pop("all", Counter())
    rows += [
        (name, *(str(count[head]) for head in heads[1:]))
        for name, count in [*sorted(counts.items()), ("all", everyone)]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    lines = [
        "  ".join(text.ljust(width) if column == 0 else text.rjust(width) for column, (text, width) in row)
        for row in (list(enumerate(zip(row, widths, strict=True))) for row in rows)
    ]
    return "\n".join(lines)


def _counted(outcome: Round) -> dict[str, int]:
    return {
        "rounds": 1,
        "struck": int(bool(outcome.struck)),
        "run again": len(outcome.codes) - 1,
        "left open": int(bool(outcome.open_first)),
        "different": int(bool(outcome.differences)),
        "processes": len(outcome.left_processes),
        "files": len(outcome.left_files),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # nbgrader's and SQLAlchemy's own
    sys.exit(main())
