"""What the judge says of a function in this process."""

from __future__ import annotations

from functools import cache

import numpy as np

from autograder.judging.judge import Judge
from autograder.judging.on_ranks import perform

from .conftest import library


@cache
def judge_of(lesson, secret):
    """The judge of one class: what the known mistakes answer is worked out once for all tests."""
    return Judge(library(lesson), secret)


def asking(name, function):
    """An `ask` that answers for the exercise `name` with `function`, without warnings."""

    def ask(steps):
        with np.errstate(all="ignore"):
            return perform(steps, {name: function})

    return ask


def verdict_on(lesson, name, function, secret):
    """The verdict on `function` as the exercise `name` in the class of `secret`."""
    return judge_of(lesson, secret).exercise(name, asking(name, function))


def in_single_precision(value):
    """`value` with its float64 arrays rounded to float32, in tuples and lists too."""
    if isinstance(value, list | tuple):
        return type(value)(map(in_single_precision, value))
    return value.astype(np.float32) if getattr(value, "dtype", None) == np.float64 else value
