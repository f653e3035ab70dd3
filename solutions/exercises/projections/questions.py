"""The questions of this lesson, and its free text."""

from autograder.exercise import free_text, question

match_roles = question(
    "match_roles",
    "match",
    seed_item="S0.7",
    prompt=(
        "The output for *bank* is being worked out, and *river* gets most of the weight. These are at work. "
        "Which one is a **query**, which a **key**, which a **value**? One of the four is none of them. "
        'Answer with a dict: the names `"query"`, `"key"` and `"value"`, a letter for each.'
    ),
    options={
        "A": "River's vector that goes into the mix, in the share that *river* gets.",
        "B": "Bank's vector that is held against one vector of every token, to get the scores.",
        "C": "The row of shares, one number for each token, that adds up to 1.",
        "D": "River's vector that bank's is held against, to see how well *river* matches.",
    },
    key={"query": "B", "key": "D", "value": "A"},
    hints=[
        (
            {"query": "D", "key": "B", "value": "A"},
            "Whose output is being worked out, and so who asks: *bank* or *river*?",
        ),
        (
            {"query": "B", "key": "A", "value": "D"},
            "Two vectors of *river* are at work. Which is used before the weights are known, which after?",
        ),
        (
            {"query": "A", "key": "D", "value": "B"},
            "Which vector ends up inside the output of *bank*: one that asks, or one that contributes?",
        ),
        (
            {"query": "D", "key": "A", "value": "B"},
            "Who asks here? And of the vectors of *river*, which is compared and which is mixed?",
        ),
        (
            {"query": "A", "key": "B", "value": "D"},
            "Take the three steps in order: who asks, who is asked, what is taken along?",
        ),
        (
            {"query": "B", "key": "D", "value": "C"},
            "Is a row of shares a vector that a token contributes, or does it say how much each contributes?",
        ),
    ],
)


query_vector = question(
    "query_vector",
    "numbers",
    seed_item="S1.9",
    prompt=(
        "By hand: a token has the vector $x = (1, 2, 3)$, and the query matrix is "
        "$W^q = \\begin{pmatrix} 1 & 0\\\\ 0 & 1\\\\ 1 & 1 \\end{pmatrix}$. What is its query? Give its "
        "numbers as a list."
    ),
    key=[4, 5],
    hints=[
        ([1, 2], "You used the first two features. What does the third row of the matrix do with the third?"),
        ([2, 2], "You added up the columns as they are. Where does x come in?"),
        ([3, 3], "That is what the third feature puts in. What do the first two add to it?"),
        ([5, 4], "The first number of the query belongs to which column of the matrix?"),
        ([1, 2, 6], "How many columns has the matrix, and so how many numbers has a query?"),
        ([1, 2, 3], "That is x itself. What has the matrix done to it?"),
        ([9], "A query is a vector: how many columns has the matrix?"),
        ([2.828, 3.536], "You divided by the square root of 2. Is there a root in the formula of a query?"),
    ],
)


q1_and_k2 = question(
    "q1_and_k2",
    "choice",
    seed_item="S1.7",
    prompt=(
        "A self-attention layer reads a sequence of two tokens, with vectors $x_1$ and $x_2$ (counted from 1 "
        "here). It computes the query $q_1$ of the first and the key $k_2$ of the second. Which sentence is "
        "right?"
    ),
    options={
        "A": (
            "$q_1$ is made from $x_1$ and $x_2$ together, since a token must know the others before it can "
            "ask; $k_2$ is made from $x_2$ alone."
        ),
        "B": (
            "$q_1$ is made from $x_1$ by $W^q$, and $k_2$ is then made from $q_1$ by $W^k$, since a key is "
            "what answers a query."
        ),
        "C": (
            "$q_1$ is made from $x_1$ alone by $W^q$, and $k_2$ from $x_2$ alone by $W^k$; up to here no "
            "token knows of another."
        ),
        "D": (
            "$q_1$ is made from $x_1$ and $k_2$ from $x_2$, both by one matrix that they share, or else "
            "their dot product would compare different things."
        ),
    },
    key="C",
    hints=[
        ("A", "Change the second row of X and call your qkv_projections again: does row 0 of Q move?"),
        ("B", "Which of your project's arguments makes K: the tokens, or the queries made from them?"),
        ("D", "How many matrices does your qkv_projections take? Which of them makes Q, and which K?"),
    ],
)


identical_matrices = question(
    "identical_matrices",
    "choice",
    seed_item="S1.10",
    prompt=(
        "Someone ties the three matrices of a layer together: $W^q = W^k = W^v$, for good. What follows most "
        "directly?"
    ),
    options={
        "A": (
            "All raw scores of a row become equal, since every query equals every key, so that each token "
            "attends to all tokens evenly."
        ),
        "B": (
            "$q_i = k_i = v_i$ for each token: the raw scores are symmetric, and asking, being matched and "
            "contributing can't be told apart."
        ),
        "C": (
            "The output of each token is its own input again, since the three matrices undo each other and "
            "a token matches itself best."
        ),
        "D": (
            "Nothing but the memory for two matrices: training can still make *bank* look at *river* more "
            "than *river* looks at *bank*, raw score against raw score."
        ),
    },
    key="B",
    hints=[
        ("A", "The query of a token equals its own key. Does it equal the keys of the others?"),
        ("C", "With one matrix W, what is the value of a token: x, or x W? And does only one get weight?"),
        ("D", "Write down the score of i for j and of j for i with one matrix. In what do they differ?"),
    ],
)


why_project = question(
    "why_project",
    "choice",
    seed_item="S1.4",
    prompt=(
        "Lesson 1 compared the input vectors themselves. This lesson first sends each through three learned "
        "matrices. What is the main thing that this gains?"
    ),
    options={
        "A": (
            "Speed: the projected vectors are narrower, so that scoring all pairs of a long sequence takes "
            "far fewer multiplications than before."
        ),
        "B": (
            "Fairness: the projections bring all vectors to the same length, so that a long vector does not "
            "win the attention by its length alone."
        ),
        "C": (
            "Context: the matrices blend each token with its neighbours, so that scores are computed between "
            "phrases and no longer between single words."
        ),
        "D": (
            "Roles: asking, being found and contributing are learned apart, so that relevance can be "
            "one-sided and matching is not tied to content."
        ),
    },
    key="D",
    hints=[
        ("A", "With one head as wide as the input nothing gets narrower. Would the gain be lost as well?"),
        ("B", "Double x and project it: what happens to the length of its query?"),
        ("C", "Change one token and call your project again: how many rows of the result move?"),
    ],
)


explain_misconception = free_text(
    "explain_misconception",
    seed_item="S1.8",
    prompt=(
        'A fellow student writes: *"In self-attention the queries come from the decoder, and the keys and '
        'values from the encoder."* Correct this in four to six sentences: (a) what are Q, K and V '
        "made from in self-attention, and by what; (b) which mechanism does the sentence describe, and "
        "where is it used; (c) in which of the two can the scores be a matrix that is not square, and why; "
        "(d) what, then, does the word *self* say?"
    ),
    rubric=[
        (
            1,
            "(a) All three are made from the same sequence X (the output of the layer below), by three "
            "different learned matrices, token by token.",
        ),
        (
            1,
            "(b) The sentence describes cross-attention, in the decoder of an encoder-decoder model (such as "
            "one for translation), where a decoder's queries meet the encoder's keys and values.",
        ),
        (
            1,
            "(c) In cross-attention: n_q queries come from one sequence and n_k keys from another, so the "
            "scores are (n_q, n_k); in self-attention both are n.",
        ),
        (
            1,
            "(d) *Self* says that a sequence attends to itself; it does not say that a token attends to "
            "itself only, nor that Q, K and V are the same vectors.",
        ),
    ],
    model_answer=(
        "In self-attention queries, keys and values are all made from one and the same sequence X, the "
        "output of the layer below: Q = X W^q, K = X W^k, V = X W^v, with three different learned matrices "
        "and each token by itself. What the sentence describes is cross-attention: in an encoder-decoder "
        "model, for translation say, the decoder's tokens ask, and the encoder's tokens are matched and "
        "contribute, so Q is made from one sequence and K and V from another. The two sequences may have "
        "different lengths, so there the scores are an n_q × n_k matrix; in self-attention n_q = n_k = n and "
        "the matrix is square. *Self* says that the sequence is compared with itself. It does not say that "
        "q, k and v are equal, or that a token looks at itself only. An encoder uses self-attention too, "
        "with no decoder anywhere."
    ),
)
