"""The questions of this lesson, and its free text."""

import math

from autograder.exercise import free_text, question


def _shares(*scores):
    votes = [math.exp(score) for score in scores]
    return [vote / sum(votes) for vote in votes]


first_weight = question(
    "first_weight",
    "number",
    seed_item="S0.9",
    prompt=(
        "One query has the scores $\\beta = [2.0,\\ 1.0,\\ 0.5]$ with respect to three keys. What is the "
        "weight $\\alpha$ of the **first** key, the one with the score 2.0? By hand, with a calculator for "
        "exp; three decimals."
    ),
    key=_shares(2.0, 1.0, 0.5)[0],
    hints=[
        (2 / 3.5, "You divided the score by the sum of the scores. What must happen to the scores first?"),
        (math.exp(2), "Those are the votes of the first key. Out of how many?"),
        (_shares(2.0, 1.0)[0], "Two keys share the whole in yours. Who is missing below the line?"),
        (
            math.exp(2) / (math.exp(1) + math.exp(0.5)),
            "You compare the first key with the others. Do its own votes count in the sum?",
        ),
        (_shares(2.0, 1.0, 0.5)[1], "That is a weight of this row. Which key has the score 2.0?"),
        (_shares(2.0, 1.0, 0.5)[2], "That is a weight of this row. Which key has the score 2.0?"),
        (1 / 3, "An even share. Do the three keys have the same score?"),
        (
            4 / (4 + 2 + math.sqrt(2)),
            "Scores 1 apart: one weight must be e times the other. Which base did you take?",
        ),
        (math.log(_shares(2.0, 1.0, 0.5)[0]), "Can a share be negative? Which function did you stop at?"),
    ],
)


middle_weight = question(
    "middle_weight",
    "number",
    seed_item="S4.4",
    prompt=(
        "A model is at the third of three tokens. The scores of the query at position 2 for the keys at "
        "positions 0, 1 and 2 are 1.0, 2.0 and 3.0. Which weight does it give to the token at "
        "**position 1**? Three decimals. Take the largest score off first, and you need no large number."
    ),
    key=_shares(1.0, 2.0, 3.0)[1],
    hints=[
        (1 / 3, "An even share, or 2 out of 6. What does the softmax do to the scores before it shares out?"),
        (_shares(1.0, 2.0, 3.0)[2], "That is a weight of this row. Which position has the score 2.0?"),
        (
            _shares(1.0, 2.0, 3.0)[0],
            "That is a weight of this row. Positions count from 0: which one is asked?",
        ),
        (_shares(1.0, 2.0)[1], "The query sits at position 2. May it look at itself?"),
        (_shares(2.0, 3.0)[0], "Two keys share the whole in yours. Which one did you leave out, and why?"),
        (
            math.exp(-1),
            "That is e⁻¹, the votes of position 1 once the largest score is off. Out of how many?",
        ),
        (math.exp(2), "Those are the votes of position 1. Out of how many?"),
        (
            2**2 / (2 + 2**2 + 2**3),
            "Scores 1 apart: one weight must be e times the other. Which base did you take?",
        ),
    ],
)


shifted_scores = question(
    "shifted_scores",
    "choice",
    seed_item="S0.10",
    prompt=(
        "A query has the raw scores [1.5, 0.5, -1.0]. Somebody adds 10 to each: [11.5, 10.5, 9.0]. How do "
        "the weights from the new scores compare with those from the old?"
    ),
    options={
        "A": (
            "More even: 11.5 and 10.5 are nearly equal, while 1.5 was three times 0.5, so the softmax sees "
            "less of a contrast."
        ),
        "B": (
            "Sharper: exp grows faster and faster, so the largest score gains more votes from the added 10 "
            "than the others do."
        ),
        "C": (
            "Larger, all three of them: each score casts exp(10) times as many votes, about 22,000 times as "
            "many as it did."
        ),
        "D": (
            "Identical: each score casts exp(10) times as many votes, and the sum of the votes has grown by "
            "the same factor."
        ),
    },
    key="D",
    hints=[
        ("A", "Does the softmax look at ratios of scores, or at their differences? What is exp(a) / exp(b)?"),
        (
            "B",
            "By what factor do the votes of the largest score grow, and by what factor those of the others?",
        ),
        ("C", "If all three grew, what would they add up to?"),
    ],
)


constant_changes_weights = question(
    "constant_changes_weights",
    "bool",
    seed_item="S4.7",
    prompt=(
        "**True or False:** in self-attention, if you add the same constant to all un-normalised scores of "
        "one query, that query's normalised weights will change."
    ),
    key=False,
    hints=[
        (
            True,
            "Write exp(β + c) as a product. What becomes of a factor that stands above and below the line?",
        ),
    ],
)


choose_a_repair = free_text(
    "choose_a_repair",
    prompt=(
        "A model is trained in float16. After 3,000 steps its loss becomes nan. The log shows that "
        "attention scores have grown to 12. Three repairs are proposed: *(1)* clip all scores at 11; *(2)* "
        "take the largest score of the **whole batch** off every score; *(3)* take each **row's** largest "
        "score off that row. In five to seven sentences: (a) say where the nan comes from, with the number "
        "that matters; (b) say for which scores (1) gives other weights than the formula; (c) describe a "
        "row for which (2) still gives nan; (d) say why (3) changes nothing but the rounding, and name one "
        "thing that it cannot bring back (your measurement shows it)."
    ),
    rubric=[
        (1, "(a) exp overflows float16 above 11.09 (its largest number is 65504); inf / inf is nan."),
        (
            1,
            (
                "(b) Scores above 11 are made equal: their differences, and so the ratio of their weights, "
                "are lost."
            ),
        ),
        (
            1,
            "(c) A row that lies far below the batch's maximum (by 18 or more in float16): all its votes "
            "are 0, and 0 / 0 is nan.",
        ),
        (
            1,
            "(d) A constant per row cancels above and below the line. What was lost when the scores "
            "themselves were rounded to float16 stays lost: large scores have few digits behind the point.",
        ),
    ],
    model_answer=(
        "The largest float16 is 65504, so exp of anything above 11.09 is inf there; a score of 12 makes "
        "its row inf / inf, which is nan. Clipping at 11 removes the nan, but gives all scores from 11 up "
        "the same weight, although the formula makes 12 worth e times as much as 11. Taking off the "
        "batch's maximum is harmless for the row that holds it, but a row whose scores all lie 20 lower "
        "casts exp(-20) votes each, which float16 rounds to 0, so that row becomes 0 / 0. Each row's own "
        "maximum is a constant within the row: its factor stands above and below the line and cancels, the "
        "largest vote is exactly 1, and the sum is at least 1, so neither overflow nor 0 / 0 can happen. "
        "What it cannot bring back are digits that were lost before: float16 has steps of 0.5 between 512 "
        "and 1024, so large scores were rounded already when they were stored, and the measured error of "
        "the stable softmax grows with the shift for that reason."
    ),
)
