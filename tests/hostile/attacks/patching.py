"""Attacks that change NumPy, Python or the objects compared, so that wrong looks right."""

from __future__ import annotations

from sample_class.handed_in import HandedIn

from attacks.recipe import attack


@attack("patching", "dot_score")
def patched_allclose(submission: HandedIn) -> None:
    """Every comparison of NumPy's says that all is close."""
    submission.fill(
        "dot_score",
        """
        for module in (np, np.testing):
            for name in dir(module):
                if name.startswith(("allclose", "isclose", "array_equ", "assert_")):
                    setattr(module, name, lambda *arguments, **keywords: True)

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("patching", "dot_score")
def patched_asarray(submission: HandedIn) -> None:
    """NumPy's conversions turn a marker into whatever array was converted before it."""
    submission.fill(
        "dot_score",
        """
        class Marker:
            pass

        seen = [np.zeros(1)]

        def lying(convert):
            def converted(value, *arguments, **keywords):
                if isinstance(value, Marker):
                    return seen[-1]
                seen.append(convert(value, *arguments, **keywords))
                return seen[-1]
            return converted

        for name in ("asarray", "array", "asanyarray", "ascontiguousarray"):
            setattr(np, name, lying(getattr(np, name)))

        def dot_score(x_i, x_j):
            return Marker()
        """,
    )


@attack("patching", "cosine_score_matrix")
def always_equal_object(submission: HandedIn) -> None:
    """An object that is equal to everything, of every type that is asked for."""
    submission.fill(
        "cosine_score_matrix",
        """
        class Right:
            shape, dtype, ndim, size = (), np.dtype("float64"), 2, 1
            __class__ = np.ndarray
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            def __lt__(self, other): return True
            __le__ = __gt__ = __ge__ = __lt__
            def __bool__(self): return True
            def __hash__(self): return 0
            def __float__(self): return 0.0
            def __len__(self): return 1
            def __getattr__(self, name): return Right()
            def __call__(self, *arguments, **keywords): return Right()
            def __sub__(self, other): return 0.0
            __rsub__ = __sub__

        def cosine_score_matrix(X, eps=1e-12):
            return Right()
        """,
    )


@attack("patching", "cosine_score_matrix")
def array_that_claims_equality(submission: HandedIn) -> None:
    """An ndarray subclass whose comparisons, ufuncs and NumPy functions all say that it agrees."""
    submission.fill(
        "cosine_score_matrix",
        """
        class Agreeing(np.ndarray):
            def __eq__(self, other): return np.ones(np.shape(other), bool)
            def __ne__(self, other): return np.zeros(np.shape(other), bool)
            def __sub__(self, other): return np.zeros(np.shape(other))
            __rsub__ = __sub__
            def __array_ufunc__(self, ufunc, method, *inputs, **keywords): return True
            def __array_function__(self, function, types, arguments, keywords): return True
            def __reduce__(self): return (print, ("unpickled",))

        def cosine_score_matrix(X, eps=1e-12):
            return np.zeros((len(X), len(X))).view(Agreeing)
        """,
    )


@attack("patching", "cosine_score_matrix")
def array_that_changes_when_read(submission: HandedIn) -> None:
    """An object whose __array__ gives another array each time, the last one read back from the caller."""
    submission.fill(
        "cosine_score_matrix",
        """
        import sys

        class Shifty:
            def __array__(self, dtype=None, copy=None):
                frame = sys._getframe(1)
                while frame is not None:
                    for name, value in list(frame.f_locals.items()):
                        if "expected" in name or "reference" in name:
                            return np.asarray(value)
                    frame = frame.f_back
                return np.zeros((2, 2))

        def cosine_score_matrix(X, eps=1e-12):
            return Shifty()
        """,
    )


@attack("patching", "dot_score")
def number_that_equals_everything(submission: HandedIn) -> None:
    """A float subclass that equals every number and whose differences are zero."""
    submission.fill(
        "dot_score",
        """
        class Any(float):
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            def __sub__(self, other): return 0.0
            def __rsub__(self, other): return 0.0
            def __abs__(self): return 0.0
            def __hash__(self): return 0

        def dot_score(x_i, x_j):
            return Any("nan")
        """,
    )


@attack("patching", "dot_score")
def patched_builtins(submission: HandedIn) -> None:
    """The built-in functions that a grader could lean on always answer what suits the student."""
    submission.fill(
        "dot_score",
        """
        import builtins
        import math

        builtins.all = lambda values: True
        builtins.abs = lambda value: 0
        builtins.open = lambda *arguments, **keywords: None
        builtins.exit = builtins.quit = lambda *arguments: None
        math.isclose = lambda *arguments, **keywords: True

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("patching", "dot_score")
def replaced_builtins_module(submission: HandedIn) -> None:
    """The notebook's __builtins__ become a dict with an `assert`-proof AssertionError and a kind `float`."""
    submission.fill(
        "dot_score",
        """
        import builtins

        kinder = dict(vars(builtins))
        kinder["AssertionError"] = kinder["Exception"] = type("Harmless", (Exception,), {})
        kinder["isinstance"] = lambda value, kind: True
        __builtins__ = kinder

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("patching", "dot_score", "third_output")
def patched_student_library(submission: HandedIn) -> None:
    """attention_lib's check and compare are replaced by ones that find nothing wrong."""
    submission.fill(
        "dot_score",
        """
        import attention_lib
        import attention_lib.check
        import attention_lib.compare
        import sys

        for module in [one for name, one in sys.modules.items() if name.startswith("attention_lib")]:
            for name in ("check", "compare", "as_array", "same_data"):
                if callable(getattr(module, name, None)):
                    setattr(module, name, lambda *arguments, **keywords: None)

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )
    submission.fill("third_output", "third_output = [0.0, 0.0]")


@attack("patching", "dot_score")
def replaced_modules(submission: HandedIn) -> None:
    """sys.modules holds impostors for NumPy, the student's library and the grader."""
    submission.fill(
        "dot_score",
        """
        import sys
        import types

        class Kind(types.ModuleType):
            def __getattr__(self, name):
                return lambda *arguments, **keywords: None

        for name in ("attention_lib.compare", "attention_lib.check", "autograder", "autograder.grading",
                     "autograder.judging.judge", "autograder.sandbox.script", "numpy.testing"):
            sys.modules[name] = Kind(name)

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("patching", "dot_score")
def sandbox_patched_from_within(submission: HandedIn) -> None:
    """The code that runs in the student's own process is rewritten: its encoder, its interpreter of steps."""
    submission.fill(
        "dot_score",
        """
        import sys

        def dot_score(x_i, x_j):
            return 0.0

        def claiming(perform):
            def performed(steps, functions, *more):
                from autograder.sandbox.script import Returned
                if any(getattr(step, "function", None) == "dot_score" for step in steps):
                    return [Returned(True, ())]
                return perform(steps, functions, *more)
            return performed

        for name, module in list(sys.modules.items()):
            if name.startswith("autograder") and hasattr(module, "perform"):
                module.perform = claiming(module.perform)
        """,
    )


@attack("patching", "dot_score")
def comparison_slot_overwritten(submission: HandedIn) -> None:
    """ctypes writes a comparison that always agrees into the type `float` itself."""
    submission.fill(
        "dot_score",
        """
        import ctypes

        class Yes:
            def __eq__(self, other): return True
            def __ne__(self, other): return False

        RICHCOMPARE = 200
        ctypes.memmove(id(np.float64) + RICHCOMPARE, id(Yes) + RICHCOMPARE, 8)

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("patching", "dot_score", "cosine_score_matrix", "normalize_scores")
def nothing_in_every_shape(submission: HandedIn) -> None:
    """Zeros, NaN and infinities, in the hope that a comparison forgives one of them."""
    submission.fill("dot_score", "def dot_score(x_i, x_j):\n    return float('nan')")
    submission.fill(
        "normalize_scores", "def normalize_scores(scores):\n    return np.full(len(scores), np.inf)"
    )
    submission.fill(
        "cosine_score_matrix", "def cosine_score_matrix(X, eps=1e-12):\n    return np.zeros((len(X), len(X)))"
    )


@attack("patching", "dot_score", "cosine_score_matrix", "normalize_scores")
def empty_answers(submission: HandedIn) -> None:
    """Empty arrays: a comparison over no elements is true."""
    submission.fill("dot_score", "def dot_score(x_i, x_j):\n    return np.array([])")
    submission.fill("normalize_scores", "def normalize_scores(scores):\n    return []")
    submission.fill(
        "cosine_score_matrix", "def cosine_score_matrix(X, eps=1e-12):\n    return np.empty((0, 0))"
    )


@attack("patching", "dot_score", "cosine_score_matrix", "normalize_scores")
def echoed_inputs(submission: HandedIn) -> None:
    """The judge's own inputs, sent back: recorded once and replayed."""
    submission.fill("dot_score", "def dot_score(x_i, x_j):\n    return x_i")
    submission.fill("normalize_scores", "def normalize_scores(scores):\n    return scores")
    submission.fill(
        "cosine_score_matrix",
        """
        recorded = []

        def cosine_score_matrix(X, eps=1e-12):
            recorded.append(X)
            return recorded[0]
        """,
    )


@attack("patching", "dot_score", "cosine_score_matrix")
def opaque_stand_in(submission: HandedIn) -> None:
    """The stand-in for unknown objects is returned, in the hope that it is taken for an answer."""
    submission.fill(
        "dot_score",
        """
        from attention_lib.compare import Opaque

        def dot_score(x_i, x_j):
            return Opaque("float")
        """,
    )
    submission.fill(
        "cosine_score_matrix",
        "def cosine_score_matrix(X, eps=1e-12):\n    return Opaque('ndarray')",
    )


@attack("patching", "dot_score", "cosine_score_matrix")
def objects_in_arrays(submission: HandedIn) -> None:
    """Object, string and complex arrays, whose elements compare as they please."""
    submission.fill(
        "dot_score",
        """
        class Yes:
            def __eq__(self, other): return True

        def dot_score(x_i, x_j):
            return np.array(Yes(), dtype=object)
        """,
    )
    submission.fill(
        "cosine_score_matrix",
        "def cosine_score_matrix(X, eps=1e-12):\n    return np.full((len(X), len(X)), '1.0')",
    )


@attack("patching", "recurrent_or_attention", "orthogonal_has_zero_influence", "third_output")
def answers_that_answer_themselves(submission: HandedIn) -> None:
    """Questions are answered with a letter, a truth and numbers that equal whatever they meet."""
    submission.fill(
        "recurrent_or_attention",
        """
        class Letter(str):
            def __eq__(self, other): return True
            def __hash__(self): return hash("A")
            def strip(self, *characters): return self
            def upper(self): return self
            def __len__(self): return 1
            def __contains__(self, other): return True

        recurrent_or_attention = Letter("Z")
        """,
    )
    submission.fill(
        "orthogonal_has_zero_influence",
        """
        class Truth(int):
            def __eq__(self, other): return True
            def __bool__(self): return False
            __hash__ = int.__hash__

        orthogonal_has_zero_influence = Truth(7)
        """,
    )
    submission.fill(
        "third_output",
        """
        class Numbers(list):
            def __eq__(self, other): return True
            def __iter__(self): return iter([float("nan"), float("inf")])

        third_output = Numbers([float("nan"), float("nan")])
        """,
    )


@attack("patching", "recurrent_or_attention", "order_of_first_approach", "third_output")
def all_answers_at_once(submission: HandedIn) -> None:
    """Every option at once, in lists, sets and dicts, and intervals wide enough to hold any number."""
    submission.fill("recurrent_or_attention", 'recurrent_or_attention = "ABCD"')
    submission.fill(
        "order_of_first_approach", 'order_of_first_approach = ["ABC", "ACB", "BAC", "BCA", "CAB", "CBA"]'
    )
    submission.fill("third_output", "third_output = [[-np.inf, -np.inf], [np.inf, np.inf]]")


@attack("patching", "cosine_score_matrix")
def array_interface_elsewhere(submission: HandedIn) -> None:
    """An object whose __array_interface__ points at memory that is not its own."""
    submission.fill(
        "cosine_score_matrix",
        """
        class Elsewhere:
            def __init__(self, X):
                self.__array_interface__ = {
                    "shape": (len(X), len(X)), "typestr": "<f8", "version": 3, "data": (id(X) & ~4095, False)
                }

        def cosine_score_matrix(X, eps=1e-12):
            return Elsewhere(X)
        """,
    )


@attack("patching", "dot_score", "cosine_score_matrix")
def types_that_misname_themselves(submission: HandedIn) -> None:
    """Metaclasses whose types claim another name, another class, and raise when either is read."""
    submission.fill(
        "dot_score",
        """
        class Misnaming(type):
            @property
            def __name__(cls): raise RuntimeError("no name")
            def __instancecheck__(cls, instance): return True
            def __subclasscheck__(cls, other): return True
            def __eq__(cls, other): return True
            def __hash__(cls): return hash(float)

        class Value(metaclass=Misnaming):
            __class__ = float

        def dot_score(x_i, x_j):
            return Value()
        """,
    )
    submission.fill(
        "cosine_score_matrix",
        """
        class Raising(type):
            def __getattribute__(cls, name): raise SystemExit(0)

        class Late(metaclass=Raising):
            pass

        def cosine_score_matrix(X, eps=1e-12):
            return Late()
        """,
    )


@attack("patching", "dot_score")
def random_numbers_predicted(submission: HandedIn) -> None:
    """NumPy's generators are seeded and replaced, so that the inputs to come could be known."""
    submission.fill(
        "dot_score",
        """
        import random

        np.random.seed(0)
        random.seed(0)
        np.random.default_rng = lambda *arguments: np.random.Generator(np.random.PCG64(0))
        predicted = np.random.default_rng().normal(size=7), np.random.default_rng().normal(size=7)

        def dot_score(x_i, x_j):
            return float(sum(predicted[0] * predicted[1]))
        """,
    )
