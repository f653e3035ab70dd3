"""Lesson 1: the first approach to attention. Score by dot product, weigh by softmax, mix what came before.

score(x_i, x_j) = x_i · x_j,   α_ij = softmax over j ≤ i of score(x_i, x_j),   y_i = Σ_{j ≤ i} α_ij x_j
(Jurafsky and Martin, Speech and Language Processing, third edition draft.)
"""

from .dot_score import dot_score
from .score_matrix import score_matrix
from .normalize_scores import normalize_scores
from .causal_weights import causal_weights
from .first_approach_output import first_approach_output
from .cosine_score_matrix import cosine_score_matrix
from .questions import (
    order_of_first_approach,
    orthogonal_has_zero_influence,
    third_output,
    recurrent_or_attention,
    longer_vectors_win,
)
