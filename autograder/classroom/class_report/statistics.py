"""The numbers of the class report: the spread of a set of scores, and what an item tells about a student."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BINS = 10
#: Of fewer, a correlation says nothing.
FEWEST_CORRELATED = 5
#: A rest of rounding is no variance.
NO_VARIANCE = 1e-12


@dataclass(frozen=True)
class Spread:
    """How a set of numbers is spread: the quartiles lie between neighbours where they fall between them."""

    count: int
    mean: float
    lowest: float
    lower_quartile: float
    median: float
    upper_quartile: float
    highest: float


@dataclass(frozen=True)
class Bin:
    """How many submissions scored from `low` (a percentage, included) to `high`."""

    low: int
    high: int
    count: int


def spread(values: Sequence[float]) -> Spread | None:
    """The spread of `values`; None where there are none."""
    if not values:
        return None
    lower, median, upper = (
        statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    )
    return Spread(len(values), statistics.fmean(values), min(values), lower, median, upper, max(values))


def bins(scores: Iterable[float], max_score: float) -> tuple[Bin, ...]:
    """Scores by tenths of the points; full marks, and more, belong to the last tenth."""
    places = (min(int(BINS * score / max_score), BINS - 1) if max_score else 0 for score in scores)
    counts, width = Counter(places), 100 // BINS
    return tuple(Bin(width * place, width * (place + 1), counts[place]) for place in range(BINS))


def correlation(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Pearson's correlation of pairs; None of fewer than five pairs, or where one side does not vary."""
    if len(left) < FEWEST_CORRELATED:
        return None
    mean_left, mean_right = statistics.fmean(left), statistics.fmean(right)
    off_left, off_right = [x - mean_left for x in left], [y - mean_right for y in right]
    size_left, size_right = math.hypot(*off_left), math.hypot(*off_right)
    if min(size_left, size_right) < NO_VARIANCE:
        return None
    return sum(x * y for x, y in zip(off_left, off_right, strict=True)) / (size_left * size_right)


def discrimination(item: Sequence[float | None], totals: Sequence[float]) -> float | None:
    """The correlation, over submissions, of the points on an item with the points on all the rest: `totals`
    less those on the item. Submissions whose score on the item is open, None, are left out."""
    pairs = [(won, total - won) for won, total in zip(item, totals, strict=True) if won is not None]
    return correlation([won for won, _ in pairs], [rest for _, rest in pairs])
