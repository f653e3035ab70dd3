"""Lesson 2: a vector for each job. Queries, keys and values by three learned matrices, and heads.

q_i = x_i W^q,   k_i = x_i W^k,   v_i = x_i W^v          (Vaswani et al., Attention Is All You Need, 2017)
"""

from .project import project
from .qkv_projections import qkv_projections
from .fused_qkv import fused_qkv
from .split_heads import split_heads
from .merge_heads import merge_heads
from .qk_bilinear import qk_bilinear
from .questions import (
    match_roles,
    query_vector,
    q1_and_k2,
    identical_matrices,
    why_project,
    explain_misconception,
)
