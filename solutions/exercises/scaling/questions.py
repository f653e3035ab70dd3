"""The questions of this lesson, and its free text."""

import math

from autograder.exercise import free_text, question

why_sqrt_d_k = question(
    "why_sqrt_d_k",
    "choice",
    seed_item="S2.2",
    prompt=(
        "An engineer widens the queries and keys of a layer, from $d_k = 16$ to $d_k = 1024$. Training "
        "becomes unstable, and the gradients that reach $W^q$ and $W^k$ become extremely small. Which "
        "sentence explains it, and names the standard remedy?"
    ),
    options={
        "A": (
            "The variance of $q\\cdot k$ grows as $1/d_k$, so that all weights become equal and carry no "
            "gradient; multiplying the scores by $\\sqrt{d_k}$ spreads them again."
        ),
        "B": (
            "The variance of $q\\cdot k$ grows as $d_k^2$, its typical size as $d_k$, so that the softmax "
            "saturates; dividing the scores by $d_k$ returns their variance to 1."
        ),
        "C": (
            "The variance of $q\\cdot k$ grows as $d_k$, so that the softmax saturates and its derivatives "
            "vanish; dividing the scores by $\\sqrt{d_k}$ returns their variance to 1."
        ),
        "D": (
            "The scores grow until $\\exp$ overflows, and an infinite vote has no gradient; taking the "
            "largest score off each row before the softmax keeps all the votes finite."
        ),
    },
    key="C",
    hints=[
        ("A", "Look at your measured variances: do they fall as d_k grows, or rise?"),
        ("B", "What did you measure at d_k = 16 and at d_k = 64: did the variance grow 4 or 16 times?"),
        ("D", "Taking off the largest score changes no weight. Can it then change how one-hot they are?"),
    ],
)


scaled_score = question(
    "scaled_score",
    "number",
    seed_item="S2.3",
    prompt=(
        "By hand: a query $q = [3, 1, -2, 4]$ meets a key $k = [1, 2, 0.5, 1]$, with $d_k = 4$ and no mask. "
        "What is the scaled score?"
    ),
    key=4,
    hints=[
        (8, "That is the dot product. What does the formula divide it by?"),
        (2, "You divided by d_k. Which power of d_k brings the variance back to 1?"),
        (16, "Scaling should make large scores smaller. In which direction did you use the root?"),
        (5, "Look at the third product: what sign has −2 times 0.5?"),
        (5.5, "One of the four products has been left out: which?"),
        (8 / math.sqrt(30), "You divided by the length of q. What is d_k: a length, or a count?"),
        (8 / math.sqrt(187.5), "You divided by two lengths. What is d_k: a length, or a count?"),
    ],
)


score_by_hand = question(
    "score_by_hand",
    "number",
    seed_item="S2.8",
    prompt=(
        "In another model a query is $[2.0, 0.5, 1.0, -1.5]$ and a key $[1.0, 1.0, -0.5, 2.0]$. The score "
        "is their dot product divided by the square root of their width, and nothing else is done to it. "
        "What is the score?"
    ),
    key=-0.5,
    hints=[
        (-1, "That is the dot product. What is still to be done, with a width of 4?"),
        (-0.25, "You divided by the width. What does the text say to divide by?"),
        (-2, "You multiplied by the root. Does scaling make a score larger or smaller?"),
        (0.5, "Two of the products are negative. Are they larger or smaller than the other two together?"),
        (2.5, "What sign has −1.5 times 2?"),
        (0, "Look at the third product: what sign has 1 times −0.5?"),
        (3, "You added up sizes. Which products are negative?"),
    ],
)


diagnose_instability = free_text(
    "diagnose_instability",
    seed_item="S2.10",
    prompt=(
        'A colleague raises $d_k$ from 64 to 1024 and removes the division, *"since the softmax '
        'normalises anyway"*. The loss hardly falls any more, and $W^q$ and $W^k$ hardly change. In five to '
        "eight sentences, with numbers that you measured: (a) what happened to the variance of the scores, "
        "and to their typical size; (b) what happened to the weights, and why so little of the gradient then "
        "reaches $W^q$ and $W^k$; (c) why the softmax's own normalising does not help; (d) what you would "
        "change, and what would go wrong with a division by $d_k$ instead."
    ),
    rubric=[
        (
            1,
            "(a) The variance of q · k is d_k: 16 times that at 64, 1024 in all. The typical size grew 4 "
            "times, to about 32, where a scaled score is about 1.",
        ),
        (
            1,
            "(b) The softmax is saturated, nearly one-hot, with a measured entropy or trace; its Jacobian, "
            "of entries α_i (1 − α_i) and −α_i α_j, is then nearly 0, and a factor of the gradients.",
        ),
        (
            1,
            "(c) Normalising makes a row add up to 1; it does not change the differences between the scores, "
            "which decide the ratios of the weights.",
        ),
        (
            1,
            "(d) Divide by √d_k: variance 1 at every width. Dividing by d_k leaves a variance of 1/d_k: "
            "weights nearly even whatever the content, and a response to q that shrinks with the width.",
        ),
    ],
    model_answer=(
        "(a) With independent entries of variance 1 the variance of q · k is d_k, so it grew from 64 to "
        "1024, 16 times; the typical score grew 4 times, from 8 to 32. With the division both would be 1. "
        "(b) Leads of 30 points make a row one-hot: in the experiment with 64 keys the mean entropy without "
        "scaling fell from 0.66 at 64 to 0.09 at 1024, and the trace of the Jacobian from 0.322 to 0.054. "
        "The gradient of W^q and W^k passes through this Jacobian, whose entries α_i (1 − α_i) and −α_i α_j "
        "vanish for a one-hot row, so nearly nothing arrives, even where the row looks at the wrong key. "
        "(c) The softmax makes a row add up to 1, whatever the scores are; but the ratio of two weights is "
        "exp of the difference of their scores, and normalising leaves that as it is. (d) Put the division "
        "by √d_k back: the variance is then 1 at every width, and the entropy stayed at 3.7. Divided by d_k "
        "the variance is 1/1024: nearly even weights (entropy 4.16 of 4.16), and the response to the query "
        "fell to 0.004, where √d_k kept 0.175."
    ),
)
