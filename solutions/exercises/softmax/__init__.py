"""Lesson 5: from scores to weights, in floating point. Softmax, its normaliser, a temperature, a stream.

α_ij = exp(β_ij) / Σ_j' exp(β_ij')   (F5),   and for every c:   softmax(β_i + c) = softmax(β_i)
"""

from .softmax import softmax
from .attention_weights import attention_weights
from .logsumexp import logsumexp
from .temperature_softmax import temperature_softmax
from .online_softmax_stats import online_softmax_stats
from .questions import (
    first_weight,
    middle_weight,
    shifted_scores,
    constant_changes_weights,
    choose_a_repair,
)
