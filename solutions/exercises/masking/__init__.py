"""Lesson 4: masking. Who may look at whom, said by adding 0 or −∞ to the scores before the softmax.

Mask(i, j) = 0 where query i may look at key j, −∞ where it may not (causal: −∞ iff j > i).
Sparse: j ≤ i and (i − j < window or j < n_global); weights are shared out over what is left (Child et al.,
Generating Long Sequences with Sparse Transformers, 2019; Beltagy et al., Longformer, 2020).
ALiBi: −2^(−8k/h) · (i − j), k = 1..h (Press et al., Train Short, Test Long, 2022).
"""

from .causal_mask import causal_mask
from .causal_mask_rect import causal_mask_rect
from .apply_mask import apply_mask
from .padding_mask import padding_mask
from .sparse_mask import sparse_mask
from .alibi_bias import alibi_bias
from .questions import (
    sparse_key_count,
    causal_mask_matrix,
    masked_weights,
    translation_attention,
    mask_review,
)
