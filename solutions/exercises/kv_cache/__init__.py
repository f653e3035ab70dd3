"""Lesson 7: the KV cache. Keys and values are kept; each step adds its own and asks over all of them.

Step i: append (k_i, v_i), then attend q_i over K_{≤i}, V_{≤i} (F8). Any schedule of prefill, chunks and
single steps gives what causal attention gives at once. Kept in buffers of a fixed size, or in pages
(Kwon et al., 2023).
"""

from .kv_append import kv_append
from .decode_step import decode_step
from .prefill import prefill
from .chunked_prefill import chunked_prefill
from .kv_cache_bytes import kv_cache_bytes
from .preallocated_write import preallocated_write
from .preallocated_attend import preallocated_attend
from .gather_pages import gather_pages
from .questions import (
    one_step_with_a_cache,
    update_the_cache,
    cost_without_a_cache,
    why_no_query_cache,
    llama_cache_gib,
    diagnose_the_service,
)
