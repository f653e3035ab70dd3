"""Look for an input that breaks a promise about what a student's process sends: `make fuzz`.

python -m tests.fuzz.run [TARGET...] [--seconds N]     each target for N seconds
python -m tests.fuzz.run TARGET --replay FILE          one input again, with its traceback

Inputs that reach new code are kept below build/fuzz and are where the next run starts. Exit code 1 when
an input was found; it is kept there too. What it shows becomes a test in tests/fuzz or tests/sandbox.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .mutation import MUTATORS
from .promises import TARGETS
from .seeds import recorded, seeds

ROOT = Path(__file__).resolve().parents[2]
#: Where inputs are kept; git ignores it.
KEPT = ROOT / "build" / "fuzz"
MOST_BYTES = 4096
#: One input that takes longer is a finding.
SECONDS_PER_INPUT = 20
MEGABYTES = 3000
_CAN_GUIDE = importlib.util.find_spec("atheris") is not None


@dataclass(frozen=True)
class Findings:
    """What became of one target: how many inputs were tried, what of the code they reached (in words), and
    the file with the one that broke a promise."""

    target: str
    executions: int
    seconds: float
    reached: str
    broken_by: Path | None

    def __str__(self) -> str:
        rate = self.executions / max(self.seconds, 0.1)
        tried = f"{self.executions:,} executions in {self.seconds:.0f} s ({rate:,.0f} a second)"
        end = f"BROKEN by {self.broken_by}" if self.broken_by else "no finding"
        return f"{self.target}: {tried}, {self.reached}: {end}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__.split("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--seconds", type=float, default=60, help="how long for each target (default: 60)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try this one input")
    options = parser.parse_args(arguments)
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}: there are {', '.join(TARGETS)}")
    chosen = options.targets or list(TARGETS)
    if options.replay:
        for target in chosen:
            TARGETS[target](options.replay.read_bytes())
        return 0
    found = [_found(target, options.seconds) for target in chosen]  # all of them, whatever the first shows
    return int(any(found))


def _found(target: str, seconds: float) -> bool:
    """Fuzz one target, and say what came of it."""
    folder = KEPT / target
    write_seeds(target, folder / "corpus")
    findings = (guided if _CAN_GUIDE else blind)(target, seconds, folder)
    print(findings, flush=True)
    if findings.broken_by:
        print(f"  once more: python -m tests.fuzz.run {target} --replay {findings.broken_by}", flush=True)
    return findings.broken_by is not None


def write_seeds(target: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for data in seeds(target, recorded()):
        _keep(data, folder, "")


def _keep(data: bytes, folder: Path, prefix: str) -> Path:
    path = folder / f"{prefix}{hashlib.sha1(data).hexdigest()}"
    path.write_bytes(data)
    return path


def guided(target: str, seconds: float, folder: Path) -> Findings:
    """Fuzz with atheris, in a process of its own."""
    before = set(folder.glob("*-*"))
    started = time.monotonic()
    command = [
        *(sys.executable, "-m", "tests.fuzz.guided", target, f"-max_total_time={max(round(seconds), 1)}"),
        *(f"-max_len={MOST_BYTES}", f"-timeout={SECONDS_PER_INPUT}", f"-rss_limit_mb={MEGABYTES}"),
        *("-print_final_stats=1", f"-artifact_prefix={folder}/", str(folder / "corpus")),
    ]
    with open(folder / "log", "w+") as log:
        status = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False).returncode
        log.seek(0)
        said = log.read()
    left = sorted(set(folder.glob("*-*")) - before)
    executions = re.search(r"number_of_executed_units: (\d+)", said)
    covered = re.findall(r"cov: (\d+) .*?corp: (\d+)", said)
    failed = status != 0 or not covered  # without coverage, libFuzzer would be content with any input
    if failed:
        print("".join(said.splitlines(keepends=True)[-60:]), flush=True)
    branches, kept = covered[-1] if covered else ("no", "no")
    return Findings(
        target,
        int(executions[1]) if executions else 0,
        time.monotonic() - started,
        f"{branches} branches reached, {kept} inputs kept",
        (left[0] if left else folder / "log") if failed else None,
    )


def blind(target: str, seconds: float, folder: Path) -> Findings:
    """Fuzz without atheris: mutations of the seeds, whatever code they reach."""
    print(f"{target}: atheris can't be had here, so nothing says which inputs reach new code", flush=True)
    corpus = [path.read_bytes() for path in sorted((folder / "corpus").iterdir())]
    rng, check, mutate = Random(os.urandom(8)), TARGETS[target], MUTATORS[target]
    started, executions = time.monotonic(), 0
    reached = f"{len(corpus)} seeds mutated without looking at coverage"
    signal.signal(signal.SIGALRM, _too_long)
    while time.monotonic() - started < seconds:
        data = mutate(rng.choice(corpus), rng)[:MOST_BYTES]
        executions += 1
        signal.alarm(SECONDS_PER_INPUT)
        try:
            check(data)
        except Exception:
            traceback.print_exc()
            broken_by = _keep(data, folder, "crash-")
            return Findings(target, executions, time.monotonic() - started, reached, broken_by)
        finally:
            signal.alarm(0)
    return Findings(target, executions, time.monotonic() - started, reached, None)


def _too_long(number: int, frame: object) -> None:
    raise TimeoutError(f"one input took longer than {SECONDS_PER_INPUT} s")


if __name__ == "__main__":
    sys.exit(main())
