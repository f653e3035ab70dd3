"""The references against PyTorch: numbers that its own attention gave, stored in tests/golden/.

`scripts/make_golden.py` made them and says what each case is. Both sides compute in float64 and may sum
in another order: values of size 1 differ by some 1e-16 then, which the tolerances leave room for.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache

import numpy as np
import pytest

from .conftest import ROOT, library

GOLDEN = ROOT / "tests" / "golden"
# an output near 0 is a sum of terms of size 1 that cancel: what is left of it is exact to 1e-13, not to 1e-10
CLOSE = {"rtol": 1e-10, "atol": 1e-13}


@cache
def golden(case):
    """The arrays of `case` by name, read-only."""
    with np.load(GOLDEN / "sdpa.npz") as arrays:
        found = {name.partition(".")[2]: arrays[name] for name in arrays if name.startswith(f"{case}.")}
    for array in found.values():
        array.flags.writeable = False
    return found


def reference(lesson, name):
    """The reference of an exercise: a KeyError or an error of loading when there is none fails the test."""
    return library(lesson).exercises[name]


def scaled_scores(Q, K):
    return reference("03_scaling", "scaled_scores")(Q, K)


def attention_weights(scores, allowed=None):
    return reference("05_softmax", "attention_weights")(scores, allowed)


def output(name, *args):
    return reference("06_output", name)(*args)


def inputs(case, *names):
    return [golden(case)[name] for name in names]


# --- lesson 6 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["plain", "square", "large_scores"])
def test_attention_is_pytorchs(case):
    found = output("scaled_dot_product_attention", *inputs(case, "Q", "K", "V"))
    # large scores reach 2,600, where float64 steps by 4.5e-13: an error in an exponent is one in a weight
    np.testing.assert_allclose(
        found, golden(case)["output"], rtol=1e-10, atol=1e-11 if "large" in case else 1e-13
    )


def test_attention_with_a_boolean_mask_is_pytorchs_and_zeros_for_a_fully_masked_row():
    found = output("scaled_dot_product_attention", *inputs("boolean_mask", "Q", "K", "V", "allowed"))
    np.testing.assert_allclose(found, golden("boolean_mask")["output"], **CLOSE)
    assert not found[:, 2].any()


@pytest.mark.parametrize(("case", "name"), [("causal", "output"), ("square", "causal_output")])
def test_attention_where_the_past_is_allowed_is_pytorchs_causal_one(case, name):
    Q, K, V = inputs(case, "Q", "K", "V")
    past = np.tril(np.ones((Q.shape[-2], K.shape[-2]), dtype=bool))
    np.testing.assert_allclose(
        output("scaled_dot_product_attention", Q, K, V, past), golden(case)[name], **CLOSE
    )


def test_one_querys_output_is_its_row_of_pytorchs():
    Q, K, V, rows = inputs("square", "Q", "K", "V", "output")
    for q, row in zip(Q, rows, strict=True):
        np.testing.assert_allclose(output("attend_one", q, K, V), row, **CLOSE)


def test_grouped_queries_share_keys_and_values_as_in_pytorch():
    found = output("grouped_query_attention", *inputs("grouped", "Q", "K", "V"))
    np.testing.assert_allclose(found, golden("grouped")["output"], **CLOSE)


@pytest.mark.parametrize("masked", [False, True])
def test_multi_head_attention_is_pytorchs(masked):
    arrays = inputs("multi_head", "X", "W_q", "W_k", "W_v", "W_o")
    allowed = golden("multi_head")["allowed"] if masked else None
    expected = golden("multi_head")["masked_output" if masked else "output"]
    # scores reach 31 here, and outputs 28: some ten times the error of the other cases
    np.testing.assert_allclose(
        output("multi_head_attention", *arrays, 3, allowed), expected, rtol=1e-10, atol=1e-12
    )


def test_gradients_are_those_of_pytorchs_automatic_differentiation():
    found = output("sdpa_backward", *inputs("gradients", "dO", "Q", "K", "V"))
    for name, slope in zip(("dQ", "dK", "dV"), found, strict=True):
        np.testing.assert_allclose(slope, golden("gradients")[name], **CLOSE, err_msg=name)


@pytest.mark.parametrize("block", [1, 3, 4, 11, 20])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_block_by_block_is_pytorchs(block, causal):
    Q, K, V = inputs("square", "Q", "K", "V")
    expected = golden("square")["causal_output" if causal else "output"]
    np.testing.assert_allclose(output("blockwise_attention", Q, K, V, block, causal), expected, **CLOSE)


# --- lessons 3 to 5: what PyTorch does in one call, in the course's steps ------------------------------


def test_scores_give_pytorchs_weights():
    """The logarithm of two weights' ratio is the difference of their scores."""
    Q, K, weights = inputs("weights", "Q", "K", "weights")
    scores = scaled_scores(Q, K)
    np.testing.assert_allclose(
        scores - scores[:, :1], np.log(weights) - np.log(weights[:, :1]), rtol=1e-10, atol=1e-13
    )


def test_weights_are_pytorchs():
    Q, K, expected = inputs("weights", "Q", "K", "weights")
    np.testing.assert_allclose(attention_weights(scaled_scores(Q, K)), expected, **CLOSE)


def test_finite_biases_and_minus_infinity_added_to_the_scores_give_pytorchs_output():
    Q, K, V, mask, expected = inputs("float_mask", "Q", "K", "V", "mask", "output")
    np.testing.assert_allclose(attention_weights(scaled_scores(Q, K) + mask) @ V, expected, **CLOSE)


def test_a_causal_mask_added_to_the_scores_gives_pytorchs_causal_output():
    Q, K, V, expected = inputs("square", "Q", "K", "V", "causal_output")
    mask = reference("04_masking", "causal_mask")(len(Q))
    np.testing.assert_allclose(attention_weights(scaled_scores(Q, K) + mask) @ V, expected, **CLOSE)


def test_weights_where_a_mask_allows_give_pytorchs_output():
    Q, K, V, allowed, expected = inputs("boolean_mask", "Q", "K", "V", "allowed", "output")
    for Q_b, K_b, V_b, expected_b in zip(Q, K, V, expected, strict=True):
        weights = attention_weights(scaled_scores(Q_b, K_b), allowed)
        np.testing.assert_allclose(weights @ V_b, expected_b, **CLOSE)


@pytest.mark.parametrize("name", ["softmax", "logsumexp"])
def test_softmax_and_logsumexp_are_pytorchs(name):
    found = reference("05_softmax", name)(golden("softmax")["z"])
    np.testing.assert_allclose(found, golden("softmax")[name], rtol=1e-10)


def test_softmax_jacobian_is_that_of_pytorchs_automatic_differentiation():
    z, expected = inputs("softmax", "softmax", "jacobian")
    np.testing.assert_allclose(reference("03_scaling", "softmax_jacobian")(z[0]), expected, **CLOSE)


# --- the stored file -------------------------------------------------------------------------------------


def test_golden_values_are_the_ones_that_the_script_wrote():
    about = json.loads((GOLDEN / "sdpa.json").read_text(encoding="utf-8"))
    written = (GOLDEN / "sdpa.npz").read_bytes()
    assert hashlib.sha256(written).hexdigest() == about["npz_sha256"]
    assert len(written) < 200_000
    assert about["torch_version"]
    with np.load(GOLDEN / "sdpa.npz") as arrays:
        assert {name.partition(".")[0] for name in arrays} == set(about["cases"])
