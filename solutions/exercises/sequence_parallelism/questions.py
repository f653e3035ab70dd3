"""The questions of this lesson, and its free text."""

import math

from autograder.exercise import free_text, question

#: exp of the seed's scores 2.0 and 1.0, which one machine holds, and 0.5, which another holds.
VOTES = [math.exp(score) for score in (2.0, 1.0, 0.5)]
LOCAL = VOTES[0] / (VOTES[0] + VOTES[1])

distributed_weight = question(
    "distributed_weight",
    "number",
    points=2,
    seed_item="S0.13",
    prompt=(
        "A sequence of three keys is spread over two machines. A query's scaled scores are 2.0 and 1.0 for "
        "the two keys on machine 0, and 0.5 for the one on machine 1. By hand, with a calculator for "
        "$\\exp$: which weight does the first key (score 2.0) get in the attention of the whole sequence? "
        "Three decimals or more."
    ),
    key=VOTES[0] / sum(VOTES),
    hints=[
        (LOCAL / 2, "You halved its share on machine 0. Does machine 1 deserve half of all the attention?"),
        (LOCAL, "That is its share among the keys of machine 0. Who else casts a vote in this query?"),
        (
            2 * LOCAL / 3,
            "You gave machine 0 two thirds, for two keys of three. Do all keys match equally well?",
        ),
        (
            1 / (1 + math.exp(-1) + 1),
            "Each machine took off a largest score of its own. In which currency is each vote, then?",
        ),
        (
            LOCAL * VOTES[0] / (VOTES[0] + VOTES[2]),
            "You weighed the machines by their best score alone. How many votes has machine 0 in all?",
        ),
        (
            VOTES[0] / (VOTES[0] + VOTES[2]),
            "Two votes are in your sum. How many keys does the sequence have?",
        ),
        (2 / 3.5, "You shared out by the scores 2, 1 and 0.5. By what does the softmax share out?"),
        (VOTES[0], "That is its vote. What do all three votes add up to?"),
    ],
)

averaged_local_softmax = question(
    "averaged_local_softmax",
    "choice",
    prompt=(
        "Three GPUs hold the keys and values of one sequence, a third each. For a query, each takes the "
        "softmax over the scores of its own keys and mixes its own values by it. Then the three outputs are "
        "averaged. What has been computed?"
    ),
    options={
        "A": (
            "The attention over the whole sequence: each GPU's weights add up to 1, and so do their means, "
            "as they should."
        ),
        "B": (
            "The attention over the whole sequence, as long as each GPU has equally many keys; otherwise "
            "weigh by their number."
        ),
        "C": (
            "Attention within each third: every GPU gets a third of the say, however well or badly its keys "
            "match."
        ),
        "D": (
            "Attention within each third, for want of a common largest score: if all GPUs took off the same "
            "one before $\\exp$, it would be that of the whole."
        ),
    },
    key="C",
    hints=[
        (
            "A",
            "Shares that add up to 1 need not be the right ones. What did GPU 0 know of the others' scores?",
        ),
        ("B", "One GPU's keys all score 0, another's all score 9. Should equal numbers mean equal shares?"),
        ("D", "Each GPU divides by its own sum. Does what was taken off before still show after that?"),
    ],
)

quadratic_limit = question(
    "quadratic_limit",
    "choice",
    seed_item="S3.15",
    prompt=(
        "A Transformer whose tokens all attend to each other is to read 1,000,000 tokens instead of 10,000, "
        "on 100 times as many machines. Which statement names the core limitation of its attention, and "
        "what the machines do about it?"
    ),
    options={
        "A": (
            "Its matrices $W^q$, $W^k$, $W^v$ grow with the text, so every machine must hold 100 times as "
            "many parameters as before."
        ),
        "B": (
            "The work for each token stays what it was, so the whole grows 100-fold, and 100 times the "
            "machines make up for it."
        ),
        "C": (
            "It reads token after token, and a text 100 times as long takes 100 times as many steps on any "
            "number of machines."
        ),
        "D": (
            "Every token meets every other: 10,000 times the work. Each machine's share of it still grows "
            "100-fold."
        ),
    },
    key="D",
    hints=[
        ("A", "What are the shapes of those three matrices? Does n occur in any of them?"),
        ("B", "How many keys does one query meet in the short text, and how many in the long one?"),
        ("C", "Which approach hands a state from token to token? Must a score wait for another score?"),
    ],
)

review_a_parallel_plan = free_text(
    "review_a_parallel_plan",
    prompt=(
        'A team reports: *"We cut the text over 8 machines, in order. Each computes attention over its own '
        "keys; we then take the mean of the eight outputs, weighted by the number of keys. With the causal "
        "mask our ring's last machine is busy all the time while the others wait, so we will buy 64. There "
        'we switch to Ulysses; the model has 32 heads."* Review the plan, in six to ten sentences: (a) what '
        "must each machine hand over for a query, how is it merged, and why is the order of merging free; "
        "(b) how long is the causal ring's critical path over the ideal at 8 and at 64 machines, and what "
        "evens it out; (c) what does Ulysses exchange, and why is 64 impossible here; (d) one number that "
        "you measured in this lesson and that speaks for one of your points."
    ),
    rubric=[
        (
            1,
            "(a) Hand over m, l and the un-normalised o (or the output with its lse). Bring all to one "
            "largest score by exp(m − m'), add the l and the o, divide once at the end: global sums, so "
            "exact; the merge is associative, so any order or tree gives the same up to rounding.",
        ),
        (
            1,
            "(b) 2 − 1/P: 1.875 at 8 and 1.98 at 64, so more machines do not cure it. Striped or zigzag "
            "positions give every rank early and late tokens: about 1.00.",
        ),
        (
            1,
            "(c) An all-to-all trades slices of tokens for slices of heads, so that a rank has all tokens "
            "of h/P heads; h = 32 is not divisible by 64: there would be ranks without a head.",
        ),
        (
            1,
            "(d) A number of the lesson, used as evidence: the error of averaging against that of merging, "
            "a measured critical path, bytes sent, time or memory per rank.",
        ),
    ],
    model_answer=(
        "(a) A mean of outputs that were normalised locally is local attention: a machine whose keys match "
        "badly gets as much say as the number of its keys. Each machine must hand over its largest score m, "
        "the sum l of exp(score − m), and o, its values summed with the same votes, before any division. To "
        "merge two, take the larger m, multiply the other's l and o by exp(m − m'), add, and divide o by l "
        "once at the end. These are sums over all keys, so the result is that of one machine up to "
        "rounding, and since adding is associative, any order or tree of merging will do. (b) With "
        "contiguous shards and a causal mask the last machine has work in every step and the first only in "
        "its own: critical path over ideal is 2 − 1/P, 1.875 at 8 machines and 1.98 at 64, so buying more "
        "does not help. Striped or zigzag positions give each machine early and late tokens and bring it to "
        "about 1. (c) Ulysses exchanges by all-to-all: each machine gives away its tokens' other heads and "
        "receives all tokens of its own heads. With 32 heads there are at most 32 shares, so 64 machines "
        "cannot all get one; the ring, which passes keys and values around, knows no such limit, and the two "
        "can be combined. (d) In my run merging was off by 4e-16, averaging by 0.25 to 0.55."
    ),
)
