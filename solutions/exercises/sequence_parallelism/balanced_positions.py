"""`balanced_positions`: cases, the reference, other right solutions, known mistakes."""

import itertools

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, raising


def eight_in_runs(rng):
    return 8, 4, "contiguous"


def ten_in_runs(rng):
    return 10, 4, "contiguous"


def nine_in_runs(rng):
    return 9, 4, "contiguous"


def two_in_runs_for_three(rng):
    return 2, 3, "contiguous"


def runs_for_one(rng):
    return 5, 1, "contiguous"


def twelve_in_stripes(rng):
    return 12, 3, "striped"


def eleven_in_stripes(rng):
    return 11, 4, "striped"


def stripes_for_five(rng):
    return 7, 5, "striped"


def one_in_stripes_for_three(rng):
    return 1, 3, "striped"


def stripes_for_one(rng):
    return 4, 1, "striped"


def sixteen_in_zigzag(rng):
    return 16, 4, "zigzag"


def twelve_in_zigzag(rng):
    return 12, 3, "zigzag"


def twenty_one_in_zigzag(rng):
    """Ten chunks: of three positions the first, of two the others."""
    return 21, 5, "zigzag"


def seventeen_in_zigzag(rng):
    return 17, 3, "zigzag"


def three_in_zigzag_for_four(rng):
    return 3, 4, "zigzag"


def zigzag_for_one(rng):
    return 6, 1, "zigzag"


def a_scheme_of_another_name(rng):
    return 8, 2, "zigzags"


def an_empty_name(rng):
    return 6, 3, ""


@exercise(
    points=4,
    aspects=[
        aspect(
            "contiguous", 1, eight_in_runs, ten_in_runs, nine_in_runs, two_in_runs_for_three, runs_for_one
        ),
        aspect(
            "striped",
            1,
            twelve_in_stripes,
            eleven_in_stripes,
            stripes_for_five,
            one_in_stripes_for_three,
            stripes_for_one,
        ),
        aspect(
            "zigzag",
            1,
            sixteen_in_zigzag,
            twelve_in_zigzag,
            twenty_one_in_zigzag,
            seventeen_in_zigzag,
            three_in_zigzag_for_four,
            zigzag_for_one,
        ),
        aspect(
            "unknown scheme",
            1,
            raising(ValueError, a_scheme_of_another_name),
            raising(ValueError, an_empty_name),
        ),
    ],
    examples=[
        example("by hand: eight positions in zigzag for two ranks", 8, 2, "zigzag"),
        example("nine positions in runs for four", 9, 4, "contiguous"),
        example("eleven positions in stripes for four", 11, 4, "striped"),
        example("fourteen positions in zigzag for three", 14, 3, "zigzag"),
        example("a scheme that does not exist", 8, 2, "spiral"),
    ],
)
def balanced_positions(n, P, scheme):
    """Which positions of the sequence each rank holds.

        contiguous : P runs, cut as np.array_split cuts
        striped : rank r has r, r + P, r + 2P, ...
        zigzag : 2P runs, cut as np.array_split cuts; rank r has run r, then run
            2P − 1 − r

    n : int, the number of positions
    P : int, the number of ranks
    scheme : str, "contiguous", "striped" or "zigzag"
    Returns a list of P arrays of int: entry r : (n_r,), the positions of rank r, in
    ascending order; it may be empty. Raises ValueError for any other scheme.
    """
    if scheme == "contiguous":
        return np.array_split(np.arange(n), P)
    if scheme == "striped":
        return [np.arange(r, n, P) for r in range(P)]
    if scheme == "zigzag":
        runs = np.array_split(np.arange(n), 2 * P)
        return [np.concatenate([runs[r], runs[2 * P - 1 - r]]) for r in range(P)]
    raise ValueError(f"unknown scheme {scheme!r}: expected contiguous, striped or zigzag")


def runs_of(n, parts):
    """`parts` runs of the positions below `n`, as lists, the longer ones first."""
    each, more = divmod(n, parts)
    starts = [u * each + min(u, more) for u in range(parts + 1)]
    return [list(range(a, b)) for a, b in itertools.pairwise(starts)]


@alternative(balanced_positions)
def as_lists(n, P, scheme):
    runs = runs_of(n, 2 * P)
    found = {
        "contiguous": runs_of(n, P),
        "striped": [[i for i in range(n) if i % P == r] for r in range(P)],
        "zigzag": [runs[r] + runs[-1 - r] for r in range(P)],
    }
    if scheme not in found:
        raise ValueError(f"no scheme {scheme}")
    return found[scheme]


@alternative(balanced_positions)
def by_the_rank_that_owns_it(n, P, scheme):
    """First the owner of each position, then each rank's own."""
    if scheme not in ("contiguous", "striped", "zigzag"):
        raise ValueError(scheme)
    if scheme == "striped":
        owner = np.arange(n) % P
    else:
        parts = P if scheme == "contiguous" else 2 * P
        sizes = [(n + parts - 1 - u) // parts for u in range(parts)]
        part = np.repeat(np.arange(parts), sizes)
        owner = np.minimum(part, 2 * P - 1 - part)
    return [np.flatnonzero(owner == r) for r in range(P)]


@alternative(balanced_positions)
def by_slices(n, P, scheme):
    i = np.arange(n)
    match scheme:
        case "contiguous":
            return np.array_split(i, P)
        case "striped":
            return [i[r::P] for r in range(P)]
        case "zigzag":
            first, second = (np.array_split(i, 2 * P)[half] for half in (slice(P), slice(P, None)))
            return [np.append(a, b) for a, b in zip(first, second[::-1], strict=True)]
        case _:
            raise ValueError("which scheme?")


def positions_but_for(n, P, scheme, **replaced):
    """The right positions, of a scheme that is not in `replaced`; there its function makes them."""
    if scheme in replaced:
        return replaced[scheme](n, P)
    return as_lists(n, P, scheme)


def mirrored(runs, P):
    return [[*runs[r], *runs[2 * P - 1 - r]] for r in range(P)]


@misconception(
    balanced_positions, hint="Count the positions that you give out: are there n? Which ones has nobody?"
)
def remainder_left_out(n, P, scheme):
    def even(parts):
        return [list(range(u * (n // parts), (u + 1) * (n // parts))) for u in range(parts)]

    return positions_but_for(
        n,
        P,
        scheme,
        contiguous=lambda n, P: even(P),
        striped=lambda n, P: [list(range(r, n // P * P, P)) for r in range(P)],
        zigzag=lambda n, P: mirrored(even(2 * P), P),
    )


@misconception(
    balanced_positions,
    hint="9 positions for 4 ranks: how many does your last rank get, and how many the others?",
)
def runs_rounded_up(n, P, scheme):
    def up(parts):
        each = -(-n // parts)
        return [list(range(n))[u * each : (u + 1) * each] for u in range(parts)]

    return positions_but_for(
        n, P, scheme, contiguous=lambda n, P: up(P), zigzag=lambda n, P: mirrored(up(2 * P), P)
    )


@misconception(
    balanced_positions,
    hint="Rank 0 has the first run, where queries look at little. Which run makes up for that?",
)
def not_mirrored(n, P, scheme):
    def shifted(n, P):
        runs = runs_of(n, 2 * P)
        return [runs[r] + runs[P + r] for r in range(P)]

    return positions_but_for(n, P, scheme, zigzag=shifted)


@misconception(
    balanced_positions, hint="Which run belongs to the last rank besides its own: is it a neighbour of it?"
)
def mirror_off_by_one(n, P, scheme):
    def off(n, P):
        runs = runs_of(n, 2 * P)
        return [runs[r] + runs[(2 * P - r) % (2 * P)] for r in range(P)]

    return positions_but_for(n, P, scheme, zigzag=off)


@misconception(
    balanced_positions,
    hint="Does a position belong to one rank only in yours? Into how many runs does a zigzag cut?",
)
def mirrored_among_p_runs(n, P, scheme):
    def halves(n, P):
        runs = runs_of(n, P)
        return [runs[r] + runs[P - 1 - r] for r in range(P)]

    return positions_but_for(n, P, scheme, zigzag=halves)


@misconception(
    balanced_positions,
    hint="Position by position, to and fro: how long is a run in yours, and how long as asked?",
)
def dealt_to_and_fro(n, P, scheme):
    def snake(n, P):
        return [[i for i in range(n) if min(i % (2 * P), 2 * P - 1 - i % (2 * P)) == r] for r in range(P)]

    return positions_but_for(n, P, scheme, zigzag=snake)


@misconception(
    balanced_positions,
    hint="A rank's rows stay in the order of the sequence: do the positions of yours rise?",
)
def second_run_backwards(n, P, scheme):
    def turned(n, P):
        runs = runs_of(n, 2 * P)
        return [runs[r] + runs[2 * P - 1 - r][::-1] for r in range(P)]

    return positions_but_for(n, P, scheme, zigzag=turned)


@misconception(
    balanced_positions,
    hint="Stripes for 4 ranks: which position follows r on rank r, and how far apart are yours?",
)
def stripes_too_far_apart(n, P, scheme):
    return positions_but_for(
        n, P, scheme, striped=lambda n, P: [list(range(r, n, max(1, n // P))) for r in range(P)]
    )


@misconception(
    balanced_positions,
    hint="Ask for a scheme that does not exist: who finds out that the name was misspelt?",
)
def any_other_name_accepted(n, P, scheme):
    return as_lists(n, P, scheme if scheme in ("striped", "zigzag") else "contiguous")


@misconception(
    balanced_positions,
    hint="What does entry r of your list say: which positions rank r holds, or who holds position r?",
)
def owners_instead_of_positions(n, P, scheme):
    held = as_lists(n, P, scheme)
    return [next(r for r in range(P) if i in held[r]) for i in range(n)]
