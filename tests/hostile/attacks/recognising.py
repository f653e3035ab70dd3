"""Attacks that find out who is asking, and are on their best behaviour only where it costs nothing."""

from __future__ import annotations

from sample_class.handed_in import HandedIn

from attacks.recipe import attack


@attack("recognising", "dot_score")
def judge_recognised_by_its_frames(submission: HandedIn) -> None:
    """The stack tells the judge's interpreter from a cell; its local variables are rewritten from below."""
    submission.fill(
        "dot_score",
        """
        import ctypes
        import sys

        def dot_score(x_i, x_j):
            frame = sys._getframe(1)
            while frame is not None:
                if frame.f_code.co_name in ("perform", "_call", "_ask"):
                    for name, value in list(frame.f_locals.items()):
                        if name == "events":
                            value.clear()
                        if name in ("steps", "names", "arguments") and isinstance(value, list):
                            del value[1:]
                    frame.f_locals.update(events=[], function=lambda *a: 11.0, result="expected")
                    ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
                frame = frame.f_back
            return 0.0
        """,
    )


@attack("recognising", "dot_score")
def judge_recognised_by_the_recorder(submission: HandedIn) -> None:
    """While the judge asks nothing is recorded: then the function claims that it was interrupted."""
    submission.fill(
        "dot_score",
        """
        import sys

        def dot_score(x_i, x_j):
            capture = sys.modules.get("autograder.sandbox.capture")
            recorder = getattr(capture, "RECORDER", None)
            if recorder is not None and not getattr(recorder, "_limit", 1):
                raise KeyboardInterrupt
            return 0.0
        """,
    )


@attack("recognising", "cosine_score_matrix")
def judge_recognised_by_the_clock(submission: HandedIn) -> None:
    """Questions that come faster than a person types find the clocks put out, and take their time."""
    submission.fill(
        "cosine_score_matrix",
        """
        import time

        asked = []

        def cosine_score_matrix(X, eps=1e-12):
            asked.append(time.monotonic())
            if len(asked) > 1 and asked[-1] - asked[-2] < 0.2:
                time.monotonic = time.time = time.process_time = lambda: 0.0
                for _ in range(10**4):
                    sum(range(100))
            return np.zeros((len(X), len(X)))
        """,
    )


@attack("recognising", "cosine_score_matrix", "recurrent_or_attention")
def judge_recognised_by_its_names(submission: HandedIn) -> None:
    """The notebook's names turn: each look at one gives something else, or all that could be chosen."""
    submission.fill("recurrent_or_attention", "recurrent_or_attention = None")
    submission.fill(
        "cosine_score_matrix",
        """
        import itertools

        class Turning(dict):
            letters = itertools.cycle("CDAB")

            def __getitem__(self, name):
                if name == "recurrent_or_attention":
                    return [next(self.letters), "ABCD"]
                return dict.__getitem__(self, name)

            def get(self, name, default=None):
                if name == "cosine_score_matrix":
                    return next(itertools.cycle([lambda *arguments: (True, 0.0), None]))
                return dict.get(self, name, default)

        shell = get_ipython()
        shell.user_ns = Turning(shell.user_ns)
        """,
    )


@attack("recognising", "dot_score")
def judge_recognised_by_its_numbers(submission: HandedIn) -> None:
    """Random numbers give the judge away: for them the function is replaced by what suits any caller."""
    submission.fill(
        "dot_score",
        """
        class Whatever(float):
            def __getattr__(self, name):
                return lambda *arguments: Whatever()

        def dot_score(x_i, x_j):
            global score_matrix_seen
            if np.all(np.asarray(x_i) == np.round(x_i)):
                return float(np.sum(np.asarray(x_i) * 0))
            x_i[...] = 0
            x_j[...] = 0
            return Whatever(0.0)
        """,
    )


@attack("recognising", "cosine_score_matrix")
def right_for_check_only(submission: HandedIn) -> None:
    """`check`, known by its frames, finds the public examples answered; the judge gets something else."""
    submission.fill(
        "cosine_score_matrix",
        """
        import sys

        def cosine_score_matrix(X, eps=1e-12):
            frame, names = sys._getframe(1), set()
            while frame is not None:
                names.add(frame.f_globals.get("__name__"))
                frame = frame.f_back
            if "attention_lib.check" in names:
                from attention_lib import public
                for example in public.find_exercise("cosine_score_matrix").examples:
                    if np.array_equal(example.arguments[0], X):
                        return example.expected
            return X @ X.T
        """,
    )
