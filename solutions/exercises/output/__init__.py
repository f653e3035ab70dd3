"""Lesson 6: the output of attention. Mix the values by the weights, for one query, many, many heads; the way
back; and the same without ever holding the matrix of weights.

Att(q_i, K, V) = Σ_j α_ij v_j,   α_ij = softmax over j of q_i · k_j / √d_k + Mask(i, j)
(Vaswani et al., 2017.)
"""

from .attend_one import attend_one
from .scaled_dot_product_attention import scaled_dot_product_attention
from .multi_head_attention import multi_head_attention
from .grouped_query_attention import grouped_query_attention
from .sdpa_backward import sdpa_backward
from .blockwise_attention import blockwise_attention
from .questions import (
    weighted_output,
    order_of_attention,
    attention_shapes,
    values_swapped_for_keys,
    exact_without_the_matrix,
)
