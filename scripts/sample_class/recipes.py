"""Who handed in what: one small recipe per student, applied to the released notebook of lesson 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sample_class import texts
from sample_class.answers import Answers
from sample_class.handed_in import HandedIn

Make = Callable[[HandedIn, Answers], None]

FREE_TEXT = "longer_vectors_win"


@dataclass(frozen=True)
class Recipe:
    """One student's submission.

    `loses` names the exercises and questions that do not get all of their points, `mistakes` those of
    them whose known misconception the grader should name, `carried` those that are right given an
    earlier mistake. A submission that is not `readable` gets no grade at all.
    """

    student: str
    first_name: str
    last_name: str
    shows: str
    make: Make
    loses: frozenset[str] = frozenset()
    mistakes: tuple[tuple[str, str], ...] = ()
    carried: frozenset[str] = frozenset()
    readable: bool = True

    @property
    def full_marks(self) -> bool:
        """Whether everything that is graded automatically is right."""
        return self.readable and not self.loses


RECIPES: list[Recipe] = []


def recipe(
    name: str,
    shows: str,
    *,
    loses: str = "",
    mistakes: dict[str, str] | None = None,
    carried: str = "",
    readable: bool = True,
    student: str | None = None,
) -> Callable[[Make], Make]:
    """Record the decorated edit as what the student of this name handed in. `loses` and `carried` are
    names with blanks between; an exercise with a known mistake loses points without being named again."""
    first, _, last = name.partition(" ")
    known = mistakes or {}

    def decorate(make: Make) -> Make:
        RECIPES.append(
            Recipe(
                student or f"{first}.{last}".lower().replace(" ", "-"),
                first,
                last,
                shows,
                make,
                frozenset(loses.split()) | known.keys(),
                tuple(known.items()),
                frozenset(carried.split()),
                readable,
            )
        )
        return make

    return decorate


def all_right(
    work: HandedIn, answers: Answers, *, text: str = texts.SHORT, style: tuple[str, ...] = ()
) -> None:
    """Everything right, in the style whose words are given, with a free text of the student's own."""
    for name in answers.library.exercises:
        work.fill(name, answers.alternative(name, *style))
    for name in answers.library.questions:
        work.fill(name, answers.key(name))
    work.fill(FREE_TEXT, text)


def but(work: HandedIn, answers: Answers, **misconceptions: str) -> None:
    """Put known mistakes in the place of right answers."""
    for name, misconception in misconceptions.items():
        work.fill(name, answers.wrong(name, misconception))


# --- right, each in a style of its own -------------------------------------------------------------------


@recipe("Amara Okafor", "all right, plain NumPy")
def plain_numpy(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.THOROUGH)


@recipe("Liang Chen", "all right, loops over tokens and features")
def loops(work: HandedIn, answers: Answers) -> None:
    style = ("one_by_one", "pair_by_pair", "one_vote", "row_by_row", "token_by_token", "each_pair")
    all_right(work, answers, text=texts.GERMAN_HABITS, style=style)


@recipe("Sofía García López", "all right, einsum", student="sofia.garcia-lopez")
def einsum(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.THOROUGH, style=("einsum", "log_space"))


@recipe("Siobhán O'Brien", "all right, returns lists of floats", student="siobhan.o'brien")
def lists_of_floats(work: HandedIn, answers: Answers) -> None:
    style = ("lists", "one_vote", "one_by_one", "nothing_borrowed")
    all_right(work, answers, text=texts.SHORT, style=style)
    work.fill("cosine_score_matrix", answers.wrapped("cosine_score_matrix", "answer.tolist()"))


@recipe("Jonas Weber", "all right, rounds his results to float32")
def single_precision(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.GERMAN_HABITS)
    # what others build on stays as it is: rounded weights leave too little where a mix of them nearly cancels
    for name in answers.library.exercises:
        if not answers.is_built_on(name):
            work.fill(name, answers.wrapped(name, "np.float32(answer)"))


@recipe("Priya Raman", "all right, helper functions in the same cells")
def helper_functions(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.NUMBERS_ONLY, style=("weighted_sums", "minus_infinity", "largest"))
    for name in ("dot_score", "score_matrix", "cosine_score_matrix"):
        work.fill(name, answers.wrapped(name))


@recipe("Kwame Mensah", "all right, with NumPy warnings and prints on the way")
def warnings_and_prints(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.VAGUE)
    for name in ("normalize_scores", "first_approach_output", "cosine_score_matrix"):
        noise = f'print("in {name}")\nnp.log(np.zeros(2)) - np.array([1.0, -1.0]) / np.zeros(2)'
        work.fill(name, answers.wrapped(name, first=noise))


@recipe("Nina Kowalska", "all right, with cells and plots of her own")
def own_cells_and_plots(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.THOROUGH)
    work.after("test_score_matrix", "score_matrix(np.eye(3))")
    work.after(
        "test_causal_weights",
        """
        import matplotlib.pyplot as plt

        rows = causal_weights(np.random.default_rng(0).normal(size=(8, 8)))
        plt.imshow(rows, cmap="cividis")
        plt.xlabel("key")
        plt.ylabel("query")
        plt.show()
        """,
    )
    work.after(
        "test_first_approach_output", "Why is row 0 always the input itself? Ask in class.", "markdown"
    )
    work.after("test_cosine_score_matrix", "%timeit -n 1 -r 1 cosine_score_matrix(np.eye(50))")


# --- one family of mistakes each -------------------------------------------------------------------------


@recipe("Noor Haddad", "products not summed", mistakes={"dot_score": "not_summed"})
def not_summed(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers)
    but(work, answers, dot_score="not_summed")


@recipe(
    "Elif Yılmaz",
    "removes the length too early",
    mistakes={"dot_score": "cosine"},
    student="elif.yilmaz",
)
def cosine_too_early(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.MISTAKEN)
    but(work, answers, dot_score="cosine")


@recipe(
    "Hana Suzuki",
    "compares features, not tokens; what builds on it is carried forward",
    mistakes={"score_matrix": "features_compared"},
    carried="first_approach_output",
)
def features_compared(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.VAGUE)
    but(work, answers, score_matrix="features_compared")


@recipe(
    "Lucas da Silva",
    "divides by the sum, without exp; the rest builds on it and is carried forward",
    mistakes={"normalize_scores": "divides_by_the_sum", "cosine_score_matrix": "nan_for_a_zero_vector"},
    carried="causal_weights first_approach_output",
)
def divides_by_the_sum(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, style=("row_by_row",))
    but(
        work,
        answers,
        normalize_scores="divides_by_the_sum",
        cosine_score_matrix="nan_for_a_zero_vector",
    )


@recipe(
    "Fatima Al-Sayed",
    "masks after the softmax; the output is carried forward; NaN for a zero vector",
    mistakes={"causal_weights": "zeroed_after_softmax", "cosine_score_matrix": "nan_for_a_zero_vector"},
    carried="first_approach_output",
)
def masks_after_the_softmax(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.GERMAN_HABITS)
    but(
        work,
        answers,
        causal_weights="zeroed_after_softmax",
        cosine_score_matrix="nan_for_a_zero_vector",
    )


@recipe(
    "Mateusz Nowak",
    "a zero score for the future; the output is carried forward",
    mistakes={"causal_weights": "zero_scores_for_the_future"},
    carried="first_approach_output",
    loses="orthogonal_has_zero_influence",
)
def zero_is_still_a_vote(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers)
    but(work, answers, causal_weights="zero_scores_for_the_future")
    work.fill("orthogonal_has_zero_influence", answers.wrong_key("orthogonal_has_zero_influence"))


@recipe(
    "Tomáš Novák",
    "mixes with the weights transposed",
    mistakes={"first_approach_output": "weights_transposed"},
    loses="third_output",
    student="tomas.novak",
)
def weights_transposed(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.MARKUP)
    but(work, answers, first_approach_output="weights_transposed")
    work.fill("third_output", answers.wrong_key("third_output", 2))


@recipe(
    "Aisha Bello",
    "knows lesson 3 already: divides by the square root of d",
    mistakes={"first_approach_output": "scores_divided_by_sqrt_d"},
)
def scaled_too_early(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.THOROUGH)
    but(work, answers, first_approach_output="scores_divided_by_sqrt_d")


@recipe(
    "Oluwaseun Adeyemi",
    "NaN for a zero vector",
    mistakes={"cosine_score_matrix": "nan_for_a_zero_vector"},
    loses="recurrent_or_attention",
)
def nan_for_a_zero_vector(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers)
    but(work, answers, cosine_score_matrix="nan_for_a_zero_vector")
    work.fill("recurrent_or_attention", answers.wrong_key("recurrent_or_attention", 1))


@recipe(
    "Dmitri Volkov",
    "several mistakes at once, one of them carried forward",
    mistakes={
        "dot_score": "scaled_by_sqrt_d",
        "causal_weights": "future_visible",
        "cosine_score_matrix": "lengths_of_columns",
    },
    carried="first_approach_output",
    loses="third_output order_of_first_approach recurrent_or_attention",
)
def several_mistakes(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.MISTAKEN)
    but(
        work,
        answers,
        dot_score="scaled_by_sqrt_d",
        causal_weights="future_visible",
        cosine_score_matrix="lengths_of_columns",
    )
    for name in ("third_output", "order_of_first_approach", "recurrent_or_attention"):
        work.fill(name, answers.wrong_key(name))


@recipe(
    "Emma Lindqvist",
    "changes her arguments in place; nan for a zero vector",
    mistakes={"cosine_score_matrix": "nan_for_a_zero_vector"},
    loses="normalize_scores causal_weights",
)
def changes_arguments(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.UNSURE)
    but(work, answers, cosine_score_matrix="nan_for_a_zero_vector")
    work.fill("normalize_scores", answers.wrapped("normalize_scores", first="scores -= scores.max()"))
    work.fill("causal_weights", answers.wrapped("causal_weights", first="S -= S.max(axis=1, keepdims=True)"))


# --- unfinished or broken --------------------------------------------------------------------------------


@recipe(
    "Diego Morales",
    "half done, and divides by the sum",
    mistakes={"normalize_scores": "divides_by_the_sum"},
    loses="causal_weights first_approach_output cosine_score_matrix third_output recurrent_or_attention",
)
def half_done(work: HandedIn, answers: Answers) -> None:
    for name in ("dot_score", "score_matrix"):
        work.fill(name, answers.right(name))
    but(work, answers, normalize_scores="divides_by_the_sum")
    for name in ("orthogonal_has_zero_influence", "order_of_first_approach"):
        work.fill(name, answers.key(name))


@recipe(
    "Grace Kim",
    "handed in as it was given out",
    loses="dot_score score_matrix normalize_scores causal_weights first_approach_output cosine_score_matrix "
    "third_output orthogonal_has_zero_influence order_of_first_approach recurrent_or_attention",
)
def blank(work: HandedIn, answers: Answers) -> None:
    """The released notebook untouched."""


@recipe(
    "Omar Farouk",
    "functions that raise, and a cell that does not parse",
    loses="score_matrix causal_weights cosine_score_matrix third_output",
    carried="first_approach_output",
)
def raises(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.UNSURE)
    work.fill("score_matrix", "def score_matrix(X):\n    return numpy.dot(X, X.T)")
    work.fill(
        "causal_weights",
        """
        def causal_weights(S):
            A = np.zeros(S.shape)
            for i in range(len(S)):
                for j in range(i + 2):
                    A[i, j] = np.exp(S[i, j])
            return A
        """,
    )
    work.fill("cosine_score_matrix", "def cosine_score_matrix(X, eps=1e-12)\n    return X @ X.T")
    work.fill("third_output", 'third_output = "0.788, 0.788"')


@recipe("Ingrid Hansen", "a file that was cut off while it was saved", readable=False)
def truncated(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.THOROUGH)


@recipe(
    "Yuki Tanaka",
    "deleted most check cells; masks after the softmax too",
    mistakes={"causal_weights": "zeroed_after_softmax"},
    carried="first_approach_output",
)
def deleted_checks(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.NUMBERS_ONLY)
    but(work, answers, causal_weights="zeroed_after_softmax")
    for name in ("dot_score", "normalize_scores", "first_approach_output", "third_output"):
        work.drop(f"test_{name}")


@recipe(
    "Ravi Patel",
    "copied cells, metadata and all, to keep an older attempt below; masks after the softmax",
    mistakes={"causal_weights": "zeroed_after_softmax"},
    carried="first_approach_output",
)
def duplicated_cells(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers)
    but(work, answers, causal_weights="zeroed_after_softmax")
    work.duplicate("score_matrix", "# older attempt\n# def score_matrix(X):\n#     return X.T @ X")
    work.duplicate("test_score_matrix")
    work.duplicate("third_output", "# third_output = [0.5, 0.5]")


# --- what a grader has to survive ------------------------------------------------------------------------


@recipe(
    "Chloé Dubois",
    "a loop that never ends, after a score that is not summed",
    mistakes={"dot_score": "not_summed"},
    loses="cosine_score_matrix",
    student="chloe.dubois",
)
def endless_loop(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.VAGUE)
    but(work, answers, dot_score="not_summed")
    work.fill(
        "cosine_score_matrix",
        """
        def cosine_score_matrix(X, eps=1e-12):
            S = np.zeros((len(X), len(X)))
            i = 0
            while i < len(X):
                S[i] = X @ X[i] / (np.linalg.norm(X[i]) + eps)
            return S
        """,
    )


@recipe("Ben Carter", "prints 100 MB while debugging", loses="normalize_scores")
def prints_a_flood(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers)
    work.fill(
        "normalize_scores",
        """
        def normalize_scores(scores):
            for step in range(1000):
                print("scores are now", "0.123456789 " * 8_500)
            return scores
        """,
    )


@recipe("Leila Rahimi", "leaves Python to stop her notebook", loses="cosine_score_matrix")
def leaves_python(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.SHORT)
    work.fill(
        "cosine_score_matrix",
        """
        import os

        def cosine_score_matrix(X, eps=1e-12):
            if not np.all(np.linalg.norm(X, axis=1) > eps):
                os._exit(1)
            os._exit(0)
        """,
    )


@recipe(
    "<b>Bobby</b> Tables",
    "patches NumPy, IPython and equality on the way to full marks",
    loses="dot_score cosine_score_matrix third_output",
    student="bobby.tables",
)
def patches_everything(work: HandedIn, answers: Answers) -> None:
    all_right(work, answers, text=texts.MARKUP)
    work.first(
        """
        import builtins
        import sys

        shell = get_ipython()
        shell.input_transformers_cleanup.append(
            lambda lines: ["100.0"] if any("check(" in line for line in lines) else lines
        )
        shell.events.register(
            "post_run_cell", lambda result=None: shell.display_pub.publish({"text/plain": "100.0"})
        )
        for name in ("allclose", "isclose", "array_equal", "array_equiv"):
            setattr(np, name, lambda *arguments, **keywords: True) if "np" in globals() else None
        check = lambda name: 100.0
        """
    )
    work.fill(
        "dot_score",
        """
        class Right:
            def __eq__(self, other): return True
            def __array__(self, dtype=None, copy=None): return np.ones(())
            def __float__(self): return 1.0

        def dot_score(x_i, x_j):
            return Right()
        """,
    )
    work.fill(
        "cosine_score_matrix",
        """
        class Agreeing(np.ndarray):
            def __eq__(self, other): return True
            def __array_ufunc__(self, *arguments, **keywords): return True
            def __array_function__(self, *arguments, **keywords): return True

        def cosine_score_matrix(X, eps=1e-12):
            return np.zeros((len(X), len(X))).view(Agreeing)
        """,
    )
    work.fill("third_output", "third_output = Right()")
