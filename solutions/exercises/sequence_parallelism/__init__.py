"""Lesson 8: sequence parallelism. The rows of K and V lie on P ranks, and attention over all of them is put
together from what each rank finds in its own.

α_ij = exp β_ij / Σ_u Σ_{j' in shard u} exp β_ij',   o_i = Σ_u Σ_{j in shard u} α_ij v_j

with the maximum taken off, shard by shard (Milakov and Gimelshein, 2018). Around a ring: Ring Attention
(Liu, Zaharia and Abbeel, 2023); striped (Brandon et al., 2023); heads instead of rows: DeepSpeed Ulysses
(Jacobs et al., 2023).
"""

from .shard_rows import shard_rows
from .local_partial import local_partial
from .merge_partials import merge_partials
from .merge_lse import merge_lse
from .sequence_parallel_attention import sequence_parallel_attention
from .ring_attention import ring_attention
from .balanced_positions import balanced_positions
from .ulysses_all_to_all import ulysses_all_to_all
from .questions import (
    distributed_weight,
    averaged_local_softmax,
    quadratic_limit,
    review_a_parallel_plan,
)
