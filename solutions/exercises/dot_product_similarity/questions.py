"""The questions of this lesson, and its free text."""

import math

from autograder.exercise import free_text, question

order_of_first_approach = question(
    "order_of_first_approach",
    "order",
    seed_item="S3.34",
    prompt=(
        "A simple self-attention layer looks at nothing but a token and what came before it. "
        "Put the steps that lead to **one output** $y_i$ in order."
    ),
    options={
        "A": "Multiply each input seen so far by its weight and add the results.",
        "B": "Take the dot product of $x_i$ with every $x_j$, $j \\le i$.",
        "C": "Turn the scores into weights that add up to 1, by softmax.",
    },
    key="BCA",
    hints=[
        ("BAC", "What would you multiply the inputs by, if the scores are not yet weights?"),
        ("CBA", "Softmax of what? Which numbers exist before the first step?"),
        ("CAB", "Softmax of what? Which numbers exist before the first step?"),
        ("ABC", "A weighted sum needs weights: where would they come from?"),
        ("ACB", "A weighted sum needs weights: where would they come from?"),
    ],
)


orthogonal_has_zero_influence = question(
    "orthogonal_has_zero_influence",
    "bool",
    seed_item="S3.33",
    prompt=(
        "Similarity is measured by dot product, weights come from softmax. **True or False:** if $x_i$ "
        "is exactly orthogonal to an earlier input $x_j$, then $x_j$ has zero influence on the output "
        "$y_i$."
    ),
    key=False,
    hints=[
        (True, "The score is 0. Follow it one step further: how many votes does the softmax make of a 0?"),
    ],
)


E = math.e


third_output = question(
    "third_output",
    "numbers",
    points=2,
    seed_item="S3.32",
    prompt=(
        "Three other inputs arrive in this order: $(1, 0)$, $(0, 1)$, $(1, 1)$. By hand, with a calculator "
        "for $e^1$ and $e^2$: what is the **third** output, the one for $(1, 1)$? Give its two numbers, to "
        "three decimals."
    ),
    key=[(1 + E) / (2 + E), (1 + E) / (2 + E)],
    hints=[
        ([3, 3], "You mixed with the scores themselves. What must happen to them first?"),
        ([0.75, 0.75], "You shared out by the scores 1, 1 and 2. By what does the softmax share out?"),
        ([2 / 3, 2 / 3], "You gave every input the same weight. Do the three have the same score?"),
        ([0.5, 0.5], "You mixed only the first two inputs. May the third look at itself?"),
        ([1, 1], "That is the third input as it came. What does it take from the other two?"),
        (
            [1 / (2 + E), 1 / (2 + E), E / (2 + E)],
            "Those are the three weights. What is still to be done with them?",
        ),
        (
            [1 + 2 * E, 1 + 2 * E],
            "Do the numbers you mixed with add up to 1?",
        ),
        (
            [E + E * E, E + E * E],
            "You mixed with exp of the scores. What do those three numbers add up to, and what should they?",
        ),
    ],
)


recurrent_or_attention = question(
    "recurrent_or_attention",
    "choice",
    seed_item="S3.16",
    prompt=(
        "A team wants to summarise scientific papers of 100,000 tokens. *Approach 1* reads token by "
        "token and updates one state that it passes on. *Approach 2* compares every token with every "
        "other, all at once. Which sentence says best what they trade?"
    ),
    options={
        "A": (
            "Approach 1 keeps distant tokens better, since its state has seen every one of them; "
            "approach 2 sees them too, and is there to be faster."
        ),
        "B": (
            "Approach 2 reaches every token in one step, at a cost that grows with the square of the length; "
            "approach 1's grows with the length, but distant tokens fade."
        ),
        "C": (
            "Approach 2 needs less work on long papers, since everything happens in parallel; "
            "approach 1 needs more, since every step waits for the one before it."
        ),
        "D": (
            "Approach 2 reaches every token in one step, at a cost that grows with the length as approach "
            "1's does; approach 1 keeps only the state, so it has no advantage left."
        ),
    },
    key="B",
    hints=[
        ("A", "The state has a fixed size: how much of token 1 is left in it after 99,999 updates?"),
        ("C", "Parallel work is still work. How many scores does your score_matrix compute for n tokens?"),
        ("D", "How many scores does your score_matrix compute for n tokens, and for 2n?"),
    ],
)


longer_vectors_win = free_text(
    "longer_vectors_win",
    prompt=(
        'Look again at the cloud of words and at the stretched *river*. A colleague says: *"The dot product '
        'gives the largest weight to the most similar word."* In four to six sentences: (a) use the formula '
        "to say what besides the angle decides the weight of $x_j$, and when a longer $x_j$ gets **less** "
        "weight; (b) back it up with a number that you measured; (c) cosine scores remove the length: "
        "what happens to the weights when every score lies between -1 and 1, and what can the scores no "
        "longer say?"
    ),
    rubric=[
        (
            1,
            "(a) The score is ‖x_i‖ ‖x_j‖ cos θ: it grows with ‖x_j‖, and the vote exponentially so.",
        ),
        (1, "(a) Where the cosine is negative, a longer x_j scores lower and gets less weight."),
        (1, "(b) A number from one of the two pictures, and what it shows."),
        (
            1,
            "(c) Scores in [-1, 1] bound the ratio of two weights by e² ≈ 7.4, so attention stays nearly "
            "even; or: a length that says how much a word matters is lost.",
        ),
    ],
    model_answer=(
        "The score is x_i · x_j = ‖x_i‖ ‖x_j‖ cos θ: at the same angle a longer x_j scores higher, and "
        "since the softmax exponentiates, its votes grow exponentially with its length. If the cosine is "
        "negative, the same factor pushes the score further down, so a longer x_j gets less weight. In the "
        "experiment, stretching *river* to twice its length took its weight in the row of *bank* from 0.119 "
        "to 0.173, with its direction unchanged; under cosine it stayed at 0.139. With cosine scores the "
        "votes of two words differ by a factor of e² ≈ 7.4 at most, so among many tokens even a perfect "
        "match gets a small weight, and a length that said how much a word matters can no longer say it."
    ),
)
