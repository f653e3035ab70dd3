"""The questions of this lesson, and its free text."""

import math

from autograder.exercise import free_text, question

sparse_key_count = question(
    "sparse_key_count",
    "number",
    seed_item="S0.3",
    prompt=(
        "In a causal model with sparse attention, the token at position 500 may look at the first token of "
        "the text, at itself and at the two tokens before it, and at nothing else. Positions count from 0. "
        "Over **how many** keys does its softmax run?"
    ),
    key=4,
    hints=[
        (501, "That is all of the past and itself. Which of these does the sparse mask leave?"),
        (500, "That is all of the past. Which of these does the sparse mask leave, and is it with itself?"),
        (3, "Go through the list once more: which token did you leave out?"),
        (2, "You counted the neighbours. Which other tokens does the list name?"),
        (5, "You counted one too many: does the list name a token on both sides, or twice?"),
        (1, "Over what is a softmax taken: over one key, or over all that the token may look at?"),
    ],
)


causal_mask_matrix = question(
    "causal_mask_matrix",
    "choice",
    seed_item="S2.9",
    prompt=(
        "Four tokens, rows are queries, columns are keys, • is a score that is kept. Which matrix does "
        "the softmax of a causal layer get?"
    ),
    options={
        "A": (
            "$\\begin{pmatrix} \\bullet & \\bullet & \\bullet & \\bullet\\\\ "
            "-\\infty & \\bullet & \\bullet & \\bullet\\\\ "
            "-\\infty & -\\infty & \\bullet & \\bullet\\\\ "
            "-\\infty & -\\infty & -\\infty & \\bullet \\end{pmatrix}$"
        ),
        "B": (
            "$\\begin{pmatrix} -\\infty & -\\infty & -\\infty & -\\infty\\\\ "
            "\\bullet & -\\infty & -\\infty & -\\infty\\\\ "
            "\\bullet & \\bullet & -\\infty & -\\infty\\\\ "
            "\\bullet & \\bullet & \\bullet & -\\infty \\end{pmatrix}$"
        ),
        "C": (
            "$\\begin{pmatrix} \\bullet & -\\infty & -\\infty & -\\infty\\\\ "
            "\\bullet & \\bullet & -\\infty & -\\infty\\\\ "
            "\\bullet & \\bullet & \\bullet & -\\infty\\\\ "
            "\\bullet & \\bullet & \\bullet & \\bullet \\end{pmatrix}$"
        ),
        "D": (
            "$\\begin{pmatrix} \\bullet & \\bullet & \\bullet & \\bullet\\\\ "
            "\\bullet & \\bullet & \\bullet & \\bullet\\\\ "
            "\\bullet & \\bullet & \\bullet & \\bullet\\\\ "
            "\\bullet & \\bullet & \\bullet & \\bullet \\end{pmatrix}$"
        ),
    },
    key="C",
    hints=[
        ("A", "Read row 0: the first token sees all four. Which of them exist when it is worked on?"),
        ("B", "Read row 0: what is left for the first token to look at? May a token look at itself?"),
        ("D", "Read row 0: what would the first token be taking from the third, which comes later?"),
    ],
)


E25, E1, E4 = math.exp(2.5), math.exp(1), math.exp(4)


masked_weights = question(
    "masked_weights",
    "numbers",
    points=2,
    seed_item="S4.6",
    prompt=(
        "One query scores three keys with $2.5$, $1.0$ and $4.0$. Without a mask its weights are 0.1753, "
        "0.0391 "
        "and 0.7856. Now the **third** key is masked. By hand: what are the three weights, to four decimals?"
    ),
    key=[E25 / (E25 + E1), E1 / (E25 + E1), 0.0],
    hints=[
        (
            [0.1753, 0.0391, 0.0],
            "You set the third weight to 0 after the softmax. What do yours add up to?",
        ),
        (
            [0.1753, 0.0391, 0.7856],
            "Those are the weights without a mask. How many votes has the third key now?",
        ),
        (
            [E25 / (E25 + E1 + 1), E1 / (E25 + E1 + 1), 1 / (E25 + E1 + 1)],
            "You gave the third key the score 0. How many votes is that, and how many should it have?",
        ),
        ([0.5, 0.5, 0.0], "The third key is gone. Have the other two the same score?"),
        (
            [2.5 / 3.5, 1 / 3.5, 0.0],
            "You shared out by the scores themselves. By what does the softmax share out?",
        ),
        (
            [0.1753 + 0.7856 / 2, 0.0391 + 0.7856 / 2, 0.0],
            "You gave each survivor half of what was freed. Is their ratio still that of their votes?",
        ),
        ([1.0, 0.0, 0.0], "Does the softmax ever give a key with a finite score nothing at all?"),
    ],
)


translation_attention = question(
    "translation_attention",
    "choice",
    seed_item="S3.17",
    prompt=(
        "A model is to translate German into English: an encoder reads the German sentence, which is there "
        "as a whole, and a decoder writes the English one, word by word. Which attention goes where?"
    ),
    options={
        "A": (
            "The encoder is causal, since it reads from left to right; the decoder sees all of its own "
            "words, "
            "and all of the German ones by cross-attention."
        ),
        "B": (
            "The encoder sees the whole German sentence; the decoder is causal among its own words, and sees "
            "all of the German ones by cross-attention."
        ),
        "C": (
            "The encoder sees the whole German sentence; the decoder is causal among its own words, and its "
            "word i sees the German words up to i by cross-attention."
        ),
        "D": (
            "Both see everything: the German sentence is known, and in training the English one is known as "
            "well, so that nothing needs to be hidden from either of them."
        ),
    },
    key="B",
    hints=[
        (
            "A",
            "The German sentence is there from the start: what would it cost to hide its end? And which "
            "English words exist when word i is written?",
        ),
        (
            "C",
            "German puts its verb last. Which German words may matter to the second English word, and "
            "are they "
            "known by then?",
        ),
        (
            "D",
            "In training the next English word is there to be copied. What would the decoder learn, and what "
            "would it do when it is used?",
        ),
    ],
)


mask_review = free_text(
    "mask_review",
    prompt=(
        "A colleague has written a causal decoder that works on batches of texts filled up with padding. "
        "Training "
        'loss is close to 0 after a day, but what the model writes is nonsense. They ask you: *"Is it the '
        'mask?"* In five to seven sentences: (a) why does a loss that low point to the mask, and to which '
        "mistake; (b) describe an experiment with your influence map that would show it, and what you would "
        "see; (c) which second experiment tells whether padding leaks; (d) why would neither experiment "
        "find a "
        "mask that hides **too much**, and how would that show?"
    ),
    rubric=[
        (
            1,
            "(a) The model sees what it is to predict: the future is visible (wrong side of the "
            "triangle, shift by "
            "one, a fill that is too small), so in training it copies, and in use there is nothing to copy.",
        ),
        (
            1,
            "(b) Change one token t and compare all outputs before and after: under a right mask outputs "
            "0 to t − 1 "
            "do not move at all; any change there is a leak.",
        ),
        (
            1,
            "(c) Change the content of padding positions (or add more padding): no output of a real "
            "token may "
            "change.",
        ),
        (
            1,
            "(d) Hiding too much moves nothing that should rest: look for outputs that should move and "
            "do not "
            "(t itself and later ones, within the window); or at a loss that stays too high.",
        ),
    ],
    model_answer=(
        "A next-token loss near 0 means that the model knows the next token, and no text is that "
        "predictable: "
        "it sees what it is to predict, so the future must be visible, for example by a triangle shifted by "
        "one. When it writes, the future is not there to be copied. To show it, I change token t a "
        "little and draw the "
        "change of every output: with a right causal mask outputs 0 to t − 1 stay as they are to the "
        "last bit, and "
        "every bar left of t is a leak. For the padding, I change the vectors at padding positions, or "
        "add more of "
        "them: the outputs of the real tokens must not move. Both experiments look for outputs that move and "
        "should not; a mask that hides too much leaves outputs at rest that should move, so I also check "
        "that "
        "every output from t on does change. In training it would show as a loss that stays too high."
    ),
)
