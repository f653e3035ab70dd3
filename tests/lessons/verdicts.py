"""What the judge says of a function in this process."""

from __future__ import annotations

from functools import cache

import numpy as np

from autograder.authoring.classes import Classes

from .conftest import library


@cache
def classes(lesson):
    """The lesson before the judges of a few classes: what the known mistakes answer is worked out once for
    all tests."""
    return Classes(library(lesson))


def verdict_on(lesson, name, function, secret):
    """The verdict on `function` as the exercise `name` in the class of `secret`."""
    return classes(lesson).verdict(library(lesson).exercises[name], function, secret)


def in_single_precision(value):
    """`value` with its float64 arrays rounded to float32, in tuples and lists too."""
    if isinstance(value, list | tuple):
        return type(value)(map(in_single_precision, value))
    return value.astype(np.float32) if getattr(value, "dtype", None) == np.float64 else value
