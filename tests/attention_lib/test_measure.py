"""Seconds, bytes and peak memory."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from attention_lib import measure
from attention_lib.measure import Measurement

MIB = 1 << 20


def test_peak_memory_counts_what_a_call_holds_at_once():
    def two_at_once():
        one = np.ones(MIB // 8)
        two = np.ones(MIB // 8)
        return one[0] + two[0]

    def one_after_the_other():
        return np.ones(MIB // 8)[0] + np.ones(MIB // 8)[0]

    assert 2 * MIB <= measure.peak_bytes(two_at_once) < 2.2 * MIB
    assert MIB <= measure.peak_bytes(one_after_the_other) < 1.2 * MIB


def test_arguments_are_no_part_of_the_peak():
    assert measure.peak_bytes(len, np.ones(MIB)) < MIB // 8


def test_tracing_is_left_as_it_was():
    measure.peak_bytes(len, [])
    assert not tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        measure.peak_bytes(len, [])
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_tracing_ends_when_the_call_raises():
    with pytest.raises(ZeroDivisionError):
        measure.peak_bytes(lambda: 1 / 0)
    assert not tracemalloc.is_tracing()


def test_seconds_are_the_median_of_the_repeats_after_a_first_call(monkeypatch):
    clock = iter([0.0, 1.0, 10.0, 19.0, 20.0, 22.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    calls = []
    assert measure.seconds(calls.append, 0, repeats=3) == 2.0
    assert len(calls) == 4


def test_no_repeats_are_refused():
    with pytest.raises(ValueError, match="repeats is 0"):
        measure.seconds(len, [], repeats=0)


def test_bytes_of_arrays_add_up():
    assert measure.array_bytes(np.ones((3, 4)), np.ones(5, dtype=np.float16)) == 106


def test_bytes_of_something_else_are_refused():
    with pytest.raises(TypeError, match="a list where an array is expected"):
        measure.array_bytes([1, 2])


def test_a_call_is_measured_in_all_respects():
    result = measure.call(np.ones, MIB // 8, repeats=2)
    assert result.seconds > 0
    assert result.peak_bytes >= MIB
    assert result.repeats == 2


def test_a_measurement_reads_as_a_sentence():
    assert repr(Measurement(0.00123, 3 * MIB, 5)) == "1.23 ms (median of 5), peak memory 3 MiB"


def test_a_table_has_one_line_for_each_measurement():
    results = {100: Measurement(2e-6, 512, 5), 2000: Measurement(1.5, 5 << 30, 5)}
    assert measure.table(results, "n").splitlines() == [
        "   n  seconds  peak memory",
        " 100     2 µs        512 B",
        "2000    1.5 s        5 GiB",
    ]
