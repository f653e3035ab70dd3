"""Lesson 3: the score. Why q · k is divided by √d_k, where the mask goes, what large scores do to learning.

β_ij = q_i · k_j / √d_k + Mask(i, j)   (Vaswani et al., 2017; the mask as a term of the sum as in Xiao and
Zhu, Foundations of Large Language Models, 2025.)
"""

from .attention_score import attention_score
from .scaled_scores import scaled_scores
from .score_variance import score_variance
from .attention_entropy import attention_entropy
from .softmax_jacobian import softmax_jacobian
from .relative_bias_scores import relative_bias_scores
from .questions import (
    why_sqrt_d_k,
    scaled_score,
    score_by_hand,
    diagnose_instability,
)
