"""The questions of this lesson, and its free text."""

from autograder.exercise import free_text, question

from .shared import VOTES, W_0, W_1, W_2

weighted_output = question(
    "weighted_output",
    "numbers",
    points=2,
    seed_item="S0.11",
    prompt=(
        "A query has the scaled scores $[2.0,\\ 1.0,\\ 0.5]$ with three keys. Their values are "
        "$v_0 = (1, 0)$, $v_1 = (0, 2)$, $v_2 = (4, 4)$. By hand, with a calculator for $\\exp$: what is the "
        "output for this query? Give its two numbers, to three decimals."
    ),
    key=[W_0 + 4 * W_2, 2 * W_1 + 4 * W_2],
    hints=[
        ([4.0, 4.0], "You mixed with the scores themselves. What must happen to them first?"),
        ([5 / 3, 2.0], "That is the plain mean of the values. Do the three keys match equally well?"),
        ([1.0, 0.0], "That is the value of the best match alone. Do the other two get nothing?"),
        ([W_0, W_1], "Those are two of the weights. Each is a share: of which vector?"),
        ([W_0, 2 * W_1], "Two of the three values are in there. What became of the third?"),
        (
            [VOTES[0] + 4 * VOTES[2], 2 * VOTES[1] + 4 * VOTES[2]],
            "You mixed with exp of the scores. What do those three add up to, and what should they?",
        ),
        (
            [4 / 3.5, 4 / 3.5],
            "You shared out by the scores 2, 1 and 0.5. By what does the softmax share out?",
        ),
        (
            [W_0 + 4 * W_2 + 2 * W_1 + 4 * W_2],
            "One number came out. How many features does a value have, and so an output?",
        ),
    ],
)


order_of_attention = question(
    "order_of_attention",
    "order",
    seed_item="S2.4",
    prompt="Put the steps of scaled dot-product attention with a causal mask in order.",
    options={
        "A": "Softmax along each row.",
        "B": "Divide by $\\sqrt{d_k}$.",
        "C": "Mix the rows of $V$: a weighted sum for each query.",
        "D": "Dot products of every query with every key.",
        "E": "Add $-\\infty$ where a query must not look.",
    },
    key="DBEAC",
    hints=[
        ("DBAEC", "Masked after the softmax: do the weights that are left add up to 1?"),
        ("DABEC", "Softmax of numbers that are not scaled yet: does dividing the weights undo that?"),
        ("DAEBC", "What would dividing weights by the root of d_k do to their sum?"),
        ("DBECA", "A weighted sum needs weights. Which step makes weights out of scores?"),
        ("DBACE", "The output has no column for a key. What would minus infinity hide in it?"),
        ("BDEAC", "Divide what? Which numbers exist before the first step?"),
        ("EDBAC", "Add minus infinity to what? Which numbers exist before the first step?"),
        (
            "DEBAC",
            "Minus infinity stays what it is. But a mask may hold a finite bias: does lesson 3's formula "
            "divide that as well?",
        ),
        ("CDBEA", "A weighted sum needs weights: where would they come from at the start?"),
    ],
)


attention_shapes = question(
    "attention_shapes",
    "numbers",
    seed_item="S0.6",
    prompt=(
        "$Q$ has shape $(3, 4)$, $K$ has $(5, 4)$, $V$ has $(5, 7)$. Which shape has the matrix of scores, "
        "and which the output? Give the four numbers: first the shape of the scores, then that of the "
        "output."
    ),
    key=[3, 5, 3, 7],
    hints=[
        ([5, 3, 5, 7], "Rows of your scores are keys. Who asks, and so has a row of its own?"),
        ([5, 3, 3, 7], "Rows of your scores are keys. Who asks, and so has a row of its own?"),
        ([3, 5, 3, 4], "Each output is a mix of what: of keys, or of values? How wide are those?"),
        ([3, 5, 3, 5], "One more product follows the weights. Of what are they the shares?"),
        ([3, 5, 5, 7], "How many outputs does attention give: one for each query, or one for each key?"),
        ([3, 4, 3, 7], "What becomes of the width 4 when two vectors are multiplied and added up?"),
        ([4, 4, 4, 7], "Which axes meet in a score: do you compare tokens, or features?"),
    ],
)


values_swapped_for_keys = question(
    "values_swapped_for_keys",
    "choice",
    seed_item="S0.5",
    prompt=(
        "With $A$ for the matrix of weights, someone writes $A K$ where $A V$ should stand; the widths "
        "agree, so nothing raises. What is the gravest consequence?"
    ),
    options={
        "A": (
            "The weights come out wrong, since $K$ now enters the softmax twice, and the rows no longer "
            "add up to 1."
        ),
        "B": (
            "The output mixes the features that serve for matching; what the tokens hold in $V$ never "
            "reaches it."
        ),
        "C": "Little: $K$ and $V$ come from the same tokens, so that their mixes hold the same content.",
        "D": (
            "Each token returns its own key, since a key matches itself best, and no other token's "
            "content is mixed in."
        ),
    },
    key="B",
    hints=[
        ("A", "At which step was the K exchanged: before the softmax, or after it?"),
        ("C", "Two matrices made K and V from X. What was each of them learned for?"),
        ("D", "Do queries meet keys, or keys each other? And bank's largest weight: whose was it?"),
    ],
)


exact_without_the_matrix = free_text(
    "exact_without_the_matrix",
    prompt=(
        'A colleague says: *"Blockwise attention cannot be exact: a softmax needs the whole row, and it '
        "never has one. That is the price for saving memory; at least it is linear in n, so it is faster "
        'too."* In five to eight sentences, answer: (a) what is kept for each query between two blocks, '
        "and what happens to it when a block brings a larger score; (b) why the result is that of the "
        "whole row; (c) what grows how with $n$, time and memory, in both ways of computing, and what you "
        "measured."
    ),
    rubric=[
        (
            1,
            "(a) Kept: the largest score m so far, the sum l of exp(score − m), and o, the values summed "
            "with the same votes. A larger m' multiplies both l and o by exp(m − m').",
        ),
        (
            1,
            "(b) Numerator and denominator are sums over keys and can be added block by block; the "
            "reference m cancels in o / l. So it is exact up to rounding.",
        ),
        (1, "(c) Time is proportional to n² d in both: every query still meets every key."),
        (
            1,
            "(c) Memory: n² against n · block for the scores; with a number from the experiment that "
            "shows it.",
        ),
    ],
    model_answer=(
        "For each query three things are kept: m, the largest score so far, l, the sum of exp(score − m), "
        "and o, the sum of exp(score − m) times the value. If a block brings a larger m', then l and o "
        "are multiplied by exp(m − m'), which is what they would have been with m' from the beginning. "
        "The output is a quotient of two sums over the keys, and a sum may be taken block by block; "
        "whatever m is, it is taken off above and below the line and cancels. So nothing is approximated: "
        "the two results differ by rounding only. The colleague is right about memory and wrong about "
        "time. Every query still meets every key, so both ways take time proportional to n² d, and what "
        "I measured grew about fourfold when n doubled, in both. The naive way holds n² scores: its peak "
        "memory grew about fourfold with each doubling, that of the blockwise way about twofold."
    ),
)
