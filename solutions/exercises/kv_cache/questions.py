"""The questions of this lesson, and its free text."""

from autograder.exercise import free_text, question

one_step_with_a_cache = question(
    "one_step_with_a_cache",
    "choice",
    seed_item="S1.5",
    prompt=(
        "A text of $n$ tokens has been processed, its keys and values are in the cache. Token number $n + 1$ "
        "arrives. What does a head compute?"
    ),
    options={
        "A": (
            "$q$, $k$ and $v$ of the new token. Its $q$ attends over the $n$ cached keys and values; after "
            "that its $k$ and $v$ are appended, for the next step."
        ),
        "B": "$q$ of the new token alone. The keys and values that it attends over are all in the cache.",
        "C": (
            "$q$, $k$ and $v$ of the new token. Its $k$ and $v$ are appended, and its $q$ attends over all "
            "$n + 1$."
        ),
        "D": (
            "$q$, $k$ and $v$ of all $n + 1$ tokens, and one new row of weights: the other $n$ rows are "
            "what the cache holds."
        ),
    },
    key="C",
    hints=[
        ("A", "In causal attention token i may look at j ≤ i. Is j = i among the keys here?"),
        ("B", "Where would the new token's own key come from, if only its query is computed?"),
        ("D", "Which two things of the old tokens will the new query need? Are these rows of weights?"),
    ],
)


update_the_cache = question(
    "update_the_cache",
    "numbers",
    seed_item="S1.6",
    prompt=(
        "The cached keys are $K = \\begin{pmatrix} 0.1 & 0.5\\\\ 0.9 & 0.2\\end{pmatrix}$. The new token has "
        "the key $k = (0.4, 0.8)$. Give $K$ after the step, row by row."
    ),
    key=[0.1, 0.5, 0.9, 0.2, 0.4, 0.8],
    hints=[
        ([0.4, 0.8, 0.1, 0.5, 0.9, 0.2], "Rows stand in the order of the text. Which token is the newest?"),
        ([0.1, 0.5, 0.4, 0.8], "Whose key is gone? Will nobody look for that token again?"),
        ([0.4, 0.8, 0.9, 0.2], "Whose key is gone? Will nobody look for that token again?"),
        ([0.1, 0.5, 0.4, 0.9, 0.2, 0.8], "You added a column. How many features does a key have here?"),
        ([0.5, 1.3, 1.3, 1.0], "You added the key to each row. Is a cache a sum, or a list?"),
        ([0.4, 0.8], "That is the new row alone. What of the two tokens before it?"),
    ],
)


cost_without_a_cache = question(
    "cost_without_a_cache",
    "choice",
    seed_item="S3.13",
    prompt=(
        "A model writes a text of $n$ tokens, one at a time, and has no cache. Why does it take so much "
        "longer than with one?"
    ),
    options={
        "A": (
            "Each new query has to meet every key of the past. With a cache these dot products are not "
            "needed any more."
        ),
        "B": (
            "For the sake of one new row, each step redoes the whole prefix: all of its projections and "
            "all of its pairs."
        ),
        "C": (
            "The weight matrices have to be read from memory anew for each token; the cache is where they "
            "are kept at hand."
        ),
        "D": (
            "Rows of the softmax get longer and longer, so that the earlier rows must be normalised again "
            "at each step."
        ),
    },
    key="B",
    hints=[
        ("A", "With a cache, how many keys does the new query meet? Which work is it that falls away?"),
        ("C", "What is in a KV cache: something of the model, or something of the text?"),
        ("D", "With a causal mask, does the row of an old token change when a new one comes?"),
    ],
)


why_no_query_cache = question(
    "why_no_query_cache",
    "choice",
    prompt="Keys and values are cached. Why does nobody cache the queries?",
    options={
        "A": (
            "Queries depend on the whole text so far, and change whenever a token is added; keys and values "
            "depend on one token."
        ),
        "B": "They would help as well, but memory is the limit, and a query is soon made again.",
        "C": "The cached keys contain them: a query can be worked out from a key by $W^q$ and $W^k$.",
        "D": "A query is used up in its own step. Later steps ask with queries of their own, about old keys.",
    },
    key="D",
    hints=[
        ("A", "q_i = x_i W_q: which other token's x enters it?"),
        ("B", "In which later step, and in which formula, would the query of an old token occur?"),
        ("C", "For which purpose would a later step work it out? In which formula does an old query occur?"),
    ],
)


llama_cache_gib = question(
    "llama_cache_gib",
    "number",
    prompt=(
        "Llama 3 8B has 32 layers with 32 query heads and 8 heads of keys and values each, all of width 128. "
        "Its cache is kept in half precision, two bytes a number. How many GiB ($2^{30}$ bytes) does it take "
        "for one text of 8,192 tokens? All factors are powers of two: no calculator is needed."
    ),
    key=1,
    hints=[
        (4, "That is the cache of 32 heads. Which heads have keys and values of their own?"),
        (0.5, "You made room for the keys. What else is kept of each token?"),
        (8, "In which unit is the memory of a computer counted here: in bits, or in bytes?"),
        (2, "Four bytes a number, or twice the two matrices? How many bytes has a number in half precision?"),
        (1.5, "Three matrices are in there. Which of them does no later step ask for?"),
        (1 / 32, "That is one layer. How many layers have a cache of their own?"),
        (1 / 8, "That is one head of eight. Do they share one cache?"),
        (1.0737, "You divided by 10⁹. How many bytes has a GiB?"),
        (1024, "That is in MiB. How many of these make a GiB?"),
        (1073741824, "That is the number of bytes. How many of these make a GiB?"),
    ],
)


diagnose_the_service = free_text(
    "diagnose_the_service",
    prompt=(
        "A team serves a language model with a KV cache of its own making. Three complaints come in. "
        "**(1)** Prompts of up to 512 tokens are answered well. Longer ones, read in chunks of 512, "
        "are answered as if most of the prompt were unknown, and the answer changes with the size of the "
        "chunks. **(2)** Answers are right, but the longer the text, the longer each further token takes, "
        "and a profile shows that as many bytes are *written* in a step as the whole cache holds. **(3)** "
        "After a restart all is well. After some hours, a short text now and then gives nan, though never "
        "the first one that is served. For each of the three, name the most likely mistake and a test of a "
        "few lines that would show it; then say which one property a test of the whole cache should check."
    ),
    rubric=[
        (
            1,
            "(1) The mask of the second chunk is aligned to the upper left corner (or square): its queries "
            "count from 0 instead of from n. Test: two chunks against one, or one query after five keys.",
        ),
        (
            1,
            "(2) The cache is concatenated anew in each step: it copies all rows to add one. Test: bytes or "
            "time of a step against n; preallocated, a step writes one row.",
        ),
        (
            1,
            "(3) Slots beyond the length, or what an older text left there, are read: a mask gives weight 0, "
            "and 0 times nan (or inf) is nan. Test: fill the free slots with nan and ask again.",
        ),
        (
            1,
            "The property: any schedule of prefill, chunks and single steps gives the outputs of causal "
            "attention over the whole text, up to rounding.",
        ),
    ],
    model_answer=(
        "(1) The causal mask of a later chunk lies in the upper left corner: query i of the chunk sees keys "
        "0 to i of the text instead of 0 to n + i, so that most of the prompt, and of the chunk itself, is "
        "hidden. In the first chunk n is 0 and nothing shows. Test: send ten tokens as one chunk and as two, "
        "and compare the outputs. (2) The cache is made anew by concatenation in each step, which copies all "
        "rows for the sake of one. Test: measure the bytes written in a step at 100 and at 1,000 tokens: "
        "they grow tenfold, and with a preallocated buffer they stay. (3) Free slots of a buffer are "
        "read. They get the weight 0, but an older text has left inf or nan in them, and 0 times nan is nan; "
        "a fresh buffer holds zeros, so the first text is safe. Test: fill all slots from the length on with "
        "nan and compare the output with that before. One property covers all: any cut of a text into "
        "prefill, chunks and single steps, in buffers that held something else before, must give the rows of "
        "full causal attention, up to rounding."
    ),
)
