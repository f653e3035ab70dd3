"""Attention as PyTorch computes it, into tests/golden/: numbers that the course's references must give.

    python scripts/make_golden.py

PyTorch is no dependency of the course: run this with a Python that has it (2.5 or newer; torch_version
in the file below says which one made the stored numbers). It writes two files, the same bytes each time
with the same PyTorch:

    sdpa.npz     for each case its inputs and PyTorch's results, float64, as "case.name"
    sdpa.json    what each case is, and what made the numbers

Names, shapes and masks are the course's: `allowed` is True where a query may attend, `mask` is added to
the scores, weights multiply from the right (X @ W). No dimension that could differ has the size of
another one in the same case.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from stored import npz_bytes, sha256
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
COMMAND = "python scripts/make_golden.py"
SEED = 20170612

Arrays = dict[str, np.ndarray]


def normal(rng: np.random.Generator, **shapes: tuple[int, ...]) -> Arrays:
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def torch_attention(Q: np.ndarray, K: np.ndarray, V: np.ndarray, mask=None, **options) -> np.ndarray:
    """PyTorch's function, by the one of its implementations that is meant for precision."""
    tensors = [torch.from_numpy(array) for array in (Q, K, V)]
    if mask is not None:
        options["attn_mask"] = torch.from_numpy(mask)
    with sdpa_kernel(SDPBackend.MATH):
        return scaled_dot_product_attention(*tensors, **options).numpy()


def plain(rng: np.random.Generator) -> Arrays:
    """no mask, two leading axes"""
    arrays = normal(rng, Q=(2, 3, 5, 4), K=(2, 3, 7, 4), V=(2, 3, 7, 6))
    return {**arrays, "output": torch_attention(**arrays)}


def weights(rng: np.random.Generator) -> Arrays:
    """the weights themselves: the output for the values' unit vectors"""
    arrays = normal(rng, Q=(5, 4), K=(7, 4))
    return {**arrays, "weights": torch_attention(**arrays, V=np.eye(7))}


def causal(rng: np.random.Generator) -> Arrays:
    """is_causal=True, as many queries as keys"""
    arrays = normal(rng, Q=(3, 6, 4), K=(3, 6, 4), V=(3, 6, 5))
    return {**arrays, "output": torch_attention(**arrays, is_causal=True)}


def square(rng: np.random.Generator) -> Arrays:
    """no mask, as many queries as keys, 2-D, with the causal output beside it"""
    arrays = normal(rng, Q=(11, 4), K=(11, 4), V=(11, 3))
    causal_output = torch_attention(**arrays, is_causal=True)
    return {**arrays, "output": torch_attention(**arrays), "causal_output": causal_output}


def boolean_mask(rng: np.random.Generator) -> Arrays:
    """a boolean attn_mask that leaves query 2 no key at all: PyTorch's answer is zeros, like the course's"""
    arrays = normal(rng, Q=(2, 5, 4), K=(2, 7, 4), V=(2, 7, 6))
    allowed = rng.random((5, 7)) < 0.6
    allowed[2] = False
    return {**arrays, "allowed": allowed, "output": torch_attention(**arrays, mask=allowed)}


def float_mask(rng: np.random.Generator) -> Arrays:
    """a float attn_mask: finite biases, and −inf in a third of the places, key 0 excepted"""
    arrays = normal(rng, Q=(5, 4), K=(7, 4), V=(7, 6))
    mask = 2 * rng.normal(size=(5, 7))
    mask[:, 1:][rng.random((5, 6)) < 1 / 3] = -np.inf
    return {**arrays, "mask": mask, "output": torch_attention(**arrays, mask=mask)}


def large_scores(rng: np.random.Generator) -> Arrays:
    """scores up to thousands, where exp without a shift overflows"""
    arrays = normal(rng, Q=(2, 5, 4), K=(2, 7, 4), V=(2, 7, 6))
    arrays["Q"] *= 40
    arrays["K"] *= 40
    return {**arrays, "output": torch_attention(**arrays)}


def grouped(rng: np.random.Generator) -> Arrays:
    """enable_gqa=True: 6 query heads share 2 key/value heads"""
    arrays = normal(rng, Q=(6, 5, 4), K=(2, 5, 4), V=(2, 5, 4))
    batch = {name: array[np.newaxis] for name, array in arrays.items()}
    return {**arrays, "output": torch_attention(**batch, enable_gqa=True)[0]}


def gradients(rng: np.random.Generator) -> Arrays:
    """dQ, dK, dV by automatic differentiation, for the output's gradient dO"""
    arrays = normal(rng, Q=(5, 4), K=(7, 4), V=(7, 6))
    dO = rng.normal(size=(5, 6))
    leaves = [torch.from_numpy(array).requires_grad_() for array in arrays.values()]
    with sdpa_kernel(SDPBackend.MATH):
        output = scaled_dot_product_attention(*leaves)
    output.backward(torch.from_numpy(dO))
    slopes = {f"d{name}": leaf.grad.numpy() for name, leaf in zip(arrays, leaves, strict=True)}
    return {**arrays, "dO": dO, **slopes}


def multi_head(rng: np.random.Generator) -> Arrays:
    """torch.nn.MultiheadAttention without biases, 3 heads of width 4; `allowed` for the second output"""
    arrays = normal(rng, X=(5, 12), W_q=(12, 12), W_k=(12, 12), W_v=(12, 12), W_o=(12, 12))
    X = torch.from_numpy(arrays["X"])
    layer = torch.nn.MultiheadAttention(12, 3, bias=False, dtype=torch.float64).eval()
    stacked = np.concatenate([arrays[name].T for name in ("W_q", "W_k", "W_v")])
    allowed = np.tril(rng.random((5, 5)) < 0.7) | np.eye(5, dtype=bool)
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.from_numpy(stacked))
        layer.out_proj.weight.copy_(torch.from_numpy(arrays["W_o"].T))
        output = layer(X, X, X)[0].numpy()
        # the module's mask is True where a query may NOT attend
        masked_output = layer(X, X, X, attn_mask=torch.from_numpy(~allowed))[0].numpy()
    return {**arrays, "output": output, "allowed": allowed, "masked_output": masked_output}


def softmax(rng: np.random.Generator) -> Arrays:
    """torch.softmax and torch.logsumexp of scores up to thousands, and softmax's Jacobian of the first row"""
    z = rng.normal(size=(4, 9)) * np.array([[1], [10], [1000], [0.01]])
    scores = torch.from_numpy(z)
    jacobian = torch.autograd.functional.jacobian(lambda row: torch.softmax(row, -1), scores[0])
    return {
        "z": z,
        "softmax": torch.softmax(scores, -1).numpy(),
        "logsumexp": torch.logsumexp(scores, -1).numpy(),
        "jacobian": jacobian.numpy(),
    }


CASES = (
    plain, weights, causal, square, boolean_mask, float_mask, large_scores, grouped, gradients, multi_head,
    softmax,
)  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    arrays = {}
    for place, case in enumerate(CASES):
        # a generator of its own for each: a new case moves no other one's numbers
        made = case(np.random.default_rng([SEED, place]))
        arrays.update({f"{case.__name__}.{name}": array for name, array in made.items()})
    npz = npz_bytes(arrays)
    about = {
        "command": COMMAND,
        "torch_version": torch.__version__,
        "numpy_version": np.__version__,
        "seed": SEED,
        "cases": {case.__name__: case.__doc__ for case in CASES},
        "npz_sha256": sha256(npz),
    }
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / "sdpa.npz").write_bytes(npz)
    text = json.dumps(about, indent=1, ensure_ascii=False)
    (GOLDEN / "sdpa.json").write_text(f"{text}\n", encoding="utf-8")
    print(f"{len(CASES)} cases, {len(arrays)} arrays, {len(npz)} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()
