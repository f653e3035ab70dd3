"""The judge's promises, on functions in this process."""

from __future__ import annotations

import numpy as np
import pytest
from asking import asking

from attention_lib.tolerance import tolerance_for
from autograder.exercise import Misconception, Outcome
from autograder.judging.events import difference
from autograder.judging.scoring import Written
from autograder.sandbox.client import ChildDied, ChildTimedOut
from autograder.sandbox.script import Returned, Stand, perform, standing_in


def test_reference_gets_full_points(judge, tiny):
    for name, exercise in tiny.exercises.items():
        verdict = judge.exercise(name, asking(**{name: exercise.reference}))
        assert (verdict.outcome, verdict.score) == (Outcome.PASSED, exercise.points)


def test_lists_of_numbers_are_as_good_as_arrays(judge):
    def doubled(X):
        return [[2 * x for x in row] for row in X.tolist()]

    verdict = judge.exercise("doubled", asking(doubled=doubled))
    assert verdict.score == 4


def test_stub_and_absent_function_are_missing_and_worth_nothing(judge):
    def doubled(X):
        raise NotImplementedError

    for functions in ({}, {"doubled": None}, {"doubled": ...}, {"doubled": doubled}):
        verdict = judge.exercise("doubled", asking(**functions))
        assert (verdict.outcome, verdict.score) == (Outcome.MISSING, 0)


def test_something_that_is_no_function_is_wrong_and_named(judge):
    verdict = judge.exercise("doubled", asking(doubled=3))
    assert verdict.outcome is Outcome.FAILED
    assert "int" in verdict.message


def test_every_misconception_is_named_with_its_hint(judge, tiny):
    for name, exercise in tiny.exercises.items():
        for known in exercise.misconceptions:
            verdict = judge.exercise(name, asking(**{name: known.function}))
            assert (verdict.misconception, verdict.hint) == (known.name, known.hint)
            assert verdict.score < exercise.points


def test_unknown_mistake_gets_no_name(judge):
    verdict = judge.exercise("doubled", asking(doubled=lambda X: 5 * X))
    assert (verdict.outcome, verdict.misconception) == (Outcome.FAILED, None)


def test_a_mistake_that_shows_in_some_cases_only_is_named_too(judge):
    verdict = judge.exercise("doubled", asking(doubled=lambda X: 2 * X[::-1]))
    assert (verdict.outcome, verdict.misconception) == (Outcome.PARTIAL, "upside_down")


def test_a_mistake_must_explain_every_failing_case(judge):
    verdict = judge.exercise("doubled", asking(doubled=lambda X: X**2 if len(X) == 4 else 5 * X))
    assert verdict.misconception is None


def test_a_stub_is_asked_once(judge):
    calls = []

    def doubled(X):
        calls.append(X)
        raise NotImplementedError

    judge.exercise("doubled", asking(doubled=doubled))
    assert len(calls) == 1


def test_wrong_here_and_raising_there_is_wrong(judge):
    verdict = judge.exercise("doubled", asking(doubled=lambda X: X @ np.ones((3, 3))))
    assert verdict.outcome is Outcome.FAILED


def test_points_are_given_by_aspect(judge):
    verdict = judge.exercise("doubled", asking(doubled=lambda X: 2 * X if len(X) > 1 else X))
    assert (verdict.outcome, verdict.score) == (Outcome.PARTIAL, 2)
    assert {aspect.name: aspect.score for aspect in verdict.aspects} == {
        "values": 2,
        "one row": 0,
        "leaves its inputs alone": 0,
    }


def test_changing_an_input_in_place_costs_that_aspect_alone(judge):
    def doubled(X):
        X *= 2
        return X

    verdict = judge.exercise("doubled", asking(doubled=doubled))
    assert (verdict.score, verdict.outcome) == (3, Outcome.PARTIAL)
    assert "in place" in verdict.message


def test_a_wrong_answer_earns_nothing_for_leaving_its_inputs_alone(judge):
    assert judge.exercise("doubled", asking(doubled=lambda X: np.zeros_like(X))).score == 0


def test_an_exception_is_errored_with_its_own_words(judge):
    verdict = judge.exercise("doubled", asking(doubled=lambda X: X @ np.ones(7)))
    assert verdict.outcome is Outcome.ERRORED
    assert "ValueError" in verdict.message


def test_raising_is_right_where_the_exercise_asks_for_it(judge):
    verdict = judge.exercise("root", asking(root=lambda x: x**0.5))
    assert {aspect.name: aspect.score for aspect in verdict.aspects} == {"values": 1, "refuses": 0}


def test_time_out_ends_the_asking_and_keeps_what_was_right(judge):
    asked = []

    def ask(steps):
        asked.append(steps)
        if len(asked) == 3:
            raise ChildTimedOut("longer than 10 s", alive=False)
        return perform(steps, {"doubled": lambda X: 2 * X})

    verdict = judge.exercise("doubled", ask)
    assert (verdict.outcome, verdict.score, len(asked)) == (Outcome.TIMED_OUT, 2, 3)


def test_a_child_that_dies_is_errored_with_the_reason(judge):
    def ask(steps):
        raise ChildDied("the process ended")

    verdict = judge.exercise("doubled", ask)
    assert (verdict.outcome, verdict.score) == (Outcome.ERRORED, 0)
    assert "the process ended" in verdict.message


def test_known_error_upstream_is_carried_forward(judge, tiny):
    sitting = judge.sitting()
    squares = tiny.exercises["doubled"].misconceptions[0].function
    sitting.exercise("doubled", asking(doubled=squares))
    verdict = sitting.exercise("doubled_sums", asking(doubled_sums=lambda X: squares(X).sum(axis=1)))
    assert (verdict.outcome, verdict.score, verdict.carried_from) == (Outcome.PASSED, 3, "doubled")
    assert verdict.misconception is None


def test_a_known_error_is_carried_through_a_chain(judge, tiny):
    sitting = judge.sitting()
    squares = tiny.exercises["doubled"].misconceptions[0].function
    sitting.exercise("doubled", asking(doubled=squares))
    sums = Written("def doubled_sums(X): return doubled(X).sum(1)")
    sitting.exercise("doubled_sums", asking(doubled_sums=lambda X: squares(X).sum(axis=1)), sums)
    total = Written("def doubled_total(X): return doubled_sums(X).sum()")
    verdict = sitting.exercise("doubled_total", asking(doubled_total=lambda X: squares(X).sum()), total)
    assert (verdict.score, verdict.carried_from) == (1, "doubled_sums")


def test_unknown_error_upstream_is_not_carried_forward(judge):
    sitting = judge.sitting()
    sitting.exercise("doubled", asking(doubled=lambda X: np.zeros_like(X)))
    verdict = sitting.exercise("doubled_sums", asking(doubled_sums=lambda X: np.zeros(len(X))))
    assert (verdict.score, verdict.carried_from) == (0, None)


def test_a_known_error_excuses_only_the_answers_that_follow_from_it(judge, tiny):
    sitting = judge.sitting()
    sitting.exercise("doubled", asking(doubled=tiny.exercises["doubled"].misconceptions[0].function))
    verdict = sitting.exercise("doubled_sums", asking(doubled_sums=lambda X: np.zeros(len(X))))
    assert (verdict.score, verdict.carried_from) == (0, None)


def test_an_exception_alone_is_never_carried_forward(judge, tiny):
    def raises(X):
        raise ValueError("no")

    sitting = judge.sitting()
    sitting.exercise("doubled", asking(doubled=tiny.exercises["doubled"].misconceptions[1].function))
    assert sitting.exercise("doubled_sums", asking(doubled_sums=raises)).score == 0


def test_an_error_is_not_carried_into_code_that_does_not_mention_its_exercise(judge, tiny):
    squares = tiny.exercises["doubled"].misconceptions[0].function

    def sums(X):
        return squares(X).sum(axis=1)

    for source, score in [
        ("def doubled_sums(X): return doubled(X).sum(1)", 3),
        ("def doubled_sums(X): ...", 0),
    ]:
        sitting = judge.sitting()
        sitting.exercise("doubled", asking(doubled=squares))
        assert sitting.exercise("doubled_sums", asking(doubled_sums=sums), Written(source)).score == score


def timing_out(steps):
    raise ChildTimedOut("ran longer than 10 s", alive=False)


def composed_in_a_process(standing, name="doubled_sums", upstream="doubled"):
    """An `ask` for a notebook whose `upstream` hangs, unless something stands in for it."""
    namespace = {upstream: lambda X: timing_out(X)}
    namespace[name] = lambda X: standing(X, lambda Y: namespace[upstream](Y))

    def ask(steps):
        if not any(isinstance(step, Stand) for step in steps):
            timing_out(steps)
        with standing_in(steps, namespace):
            return perform(steps, namespace)

    return ask


@pytest.mark.parametrize(
    ("composed", "score"),
    [
        (lambda X, doubled: doubled(X).sum(axis=1), 3),
        (lambda X, doubled: sum(np.array(doubled(X)).T), 3),
        (lambda X, doubled: doubled(X).sum(axis=0), 0),
        (lambda X, doubled: np.zeros(len(X)), 0),
        (lambda X, doubled: (2 * X).sum(axis=1), 0),
        (lambda X, doubled: doubled(X + 1).sum(axis=1), 0),
    ],
)
def test_code_that_calls_what_could_not_be_run_is_judged_with_a_stand_in(judge, composed, score):
    sitting = judge.sitting()
    sitting.exercise("doubled", timing_out, Written("def doubled(X): ..."))
    verdict = sitting.exercise(
        "doubled_sums", composed_in_a_process(composed), Written("def doubled_sums(X): doubled(X)")
    )
    assert verdict.score == score
    assert verdict.carried_from == ("doubled" if score else None)


def largest(X, doubled):
    if len(X) == 0:
        raise ValueError
    return doubled(X).max(axis=1)


@pytest.mark.parametrize(
    ("composed", "score"),
    [(largest, 3), (lambda X, doubled: doubled(X).max(axis=1, initial=-9), 0)],
    ids=["raises where it should", "never raises"],
)
def test_an_exception_that_is_right_is_right_with_a_stand_in_too(judge, composed, score):
    sitting = judge.sitting()
    sitting.exercise("doubled", timing_out, Written("def doubled(X): ..."))
    asked = composed_in_a_process(composed, "doubled_largest")
    verdict = sitting.exercise("doubled_largest", asked, Written("def doubled_largest(X): doubled(X)"))
    assert verdict.score == score


@pytest.mark.parametrize(
    ("composed", "score"),
    [
        (lambda X, doubled: doubled(X) - X, 2),
        (lambda X, doubled: -X + doubled(X), 2),
        (lambda X, doubled: doubled(X) - X.T, 0),
        (lambda X, doubled: X + 0 * doubled(X), 0),
    ],
)
def test_a_mistake_after_which_nothing_can_go_on_costs_its_own_exercise_alone(judge, composed, score):
    namespace = {"doubled": lambda X: 2 * X.T}
    namespace["doubled_less"] = lambda X: composed(X, lambda Y: namespace["doubled"](Y))

    def ask(steps):
        with standing_in(steps, namespace):
            return perform(steps, namespace)

    sitting = judge.sitting()
    assert sitting.exercise("doubled", ask).misconception == "transposed"
    verdict = sitting.exercise("doubled_less", ask, Written("def doubled_less(X): doubled(X)"))
    assert verdict.score == score
    assert verdict.carried_from == ("doubled" if score else None)


def made_up_for(judge, name, upstream):
    """For each case of `name`: its input, and what the stand-in for `upstream` gives for that in the
    student's process."""
    for stood_in in judge.cases.stood_in(name, frozenset({upstream}), {}):
        functions = {}
        with standing_in(stood_in.stand_ins, functions):
            X = stood_in.case.inputs["argument_0"]
            yield X, functions[upstream](X), functions[upstream]


def test_a_stand_in_gives_numbers_of_the_right_shape(judge):
    for X, value, _ in made_up_for(judge, "doubled_sums", "doubled"):
        assert value.shape == X.shape
        assert np.all((value >= 0.1) & (value <= 1))


def test_a_stand_in_keeps_the_zeros_of_the_right_answer(judge):
    [(X, value, _)] = made_up_for(judge, "clipped_sums", "clipped")
    np.testing.assert_array_equal(value == 0, X <= 0)


def test_the_students_function_is_back_after_the_script(judge):
    namespace = {"doubled": len}
    steps = [Stand("doubled", ()), Stand("other", ())]
    with standing_in(steps, namespace), pytest.raises(LookupError, match="not foreseen"):
        namespace["doubled"](1)
    assert namespace == {"doubled": len}


def test_a_call_of_an_unwritten_function_is_not_called_unwritten_itself(judge):
    def stub(X):
        raise NotImplementedError

    verdict = judge.sitting().exercise(
        "doubled_sums",
        asking(doubled_sums=lambda X: stub(X).sum(axis=1)),
        Written("def doubled_sums(X): return doubled(X).sum(1)"),
    )
    assert (verdict.outcome, verdict.score) == (Outcome.ERRORED, 0)
    assert "not written yet" in verdict.message


def test_a_function_whose_cell_failed_is_not_called_missing(judge):
    written = Written("def doubled(X)", failed=Outcome.ERRORED, reason="ended with SyntaxError")
    verdict = judge.sitting().exercise("doubled", asking(), written)
    assert (verdict.outcome, verdict.message) == (Outcome.ERRORED, "Its cell ended with SyntaxError.")
    verdict = judge.sitting().question("pick", None, written)
    assert (verdict.outcome, verdict.message) == (Outcome.ERRORED, "Its cell ended with SyntaxError.")


def test_a_raising_reference_is_the_graders_fault_and_leaves_the_score_open(judge, tiny):
    def broken(X):
        raise ZeroDivisionError("planted")

    tiny.exercises["doubled"].reference = broken
    verdict = judge.exercise("doubled", asking(doubled=lambda X: 2 * X))
    assert (verdict.outcome, verdict.score) == (Outcome.GRADER_ERROR, None)


def test_a_reference_that_does_not_raise_as_announced_is_the_graders_fault(judge, tiny):
    tiny.exercises["root"].reference = lambda x: 0.0
    assert judge.exercise("root", asking(root=lambda x: 0.0)).outcome is Outcome.GRADER_ERROR


def test_a_known_mistake_that_writes_into_its_inputs_spoils_no_question(judge):
    before = [case.inputs["argument_0"].copy() for case in judge.cases.of("doubled")]
    judge.exercise("doubled", asking(doubled=lambda X: 5 * X))
    for case, X in zip(judge.cases.of("doubled"), before, strict=True):
        np.testing.assert_array_equal(case.inputs["argument_0"], X)


def test_fewer_answers_than_asked_for_are_a_difference():
    tolerance = tolerance_for([1.0])
    one, two = [Returned(1.0)], [Returned(1.0), Returned(2.0)]
    assert difference(two, one, tolerance).kind == difference(one, two, tolerance).kind == "count"
    assert difference(two, two, tolerance) is None


def test_inputs_depend_on_the_secret_and_on_nothing_else(tiny):
    from autograder.judging.judge import Judge

    def drawn(secret):
        return Judge(tiny, secret).cases.of("doubled")[0].inputs["argument_0"]

    np.testing.assert_array_equal(drawn(b"one"), drawn(b"one"))
    assert not np.array_equal(drawn(b"one"), drawn(b"two"))


def test_no_answer_can_change_what_the_next_student_is_asked(judge):
    def spoils(X):
        X[...] = 0
        return X

    judge.exercise("doubled", asking(doubled=spoils))
    assert judge.exercise("doubled", asking(doubled=lambda X: 2 * X)).score == 4


def test_evidence_holds_inputs_and_the_students_answer(judge):
    evidence = judge.exercise("doubled", asking(doubled=lambda X: 3 * X)).evidence
    (name, X), *_ = evidence.inputs
    assert name == "X"
    np.testing.assert_array_equal(evidence.answer, 3 * X)


@pytest.mark.parametrize(
    ("name", "answer", "outcome"),
    [
        ("pick", "B", "passed"),
        ("pick", " b ", "passed"),
        ("pick", "A", "failed"),
        ("pick", 2, "failed"),
        ("pick", "AB", "failed"),
        ("pick", None, "missing"),
        ("pair", [0.788, 2], "passed"),
        ("pair", (0.7884, 2.0), "passed"),
        ("pair", np.array([0.788, 2.001]), "passed"),
        ("pair", [0.78, 2], "failed"),
        ("pair", 0.7884, "failed"),
        ("pair", [0.7884], "failed"),
        ("small", 0.14, "passed"),
        ("small", 0.139, "failed"),
        ("one", 1, "passed"),
        ("one", True, "failed"),
        ("truth", False, "passed"),
        ("truth", np.array(False), "passed"),
        ("truth", True, "failed"),
        ("truth", 0, "failed"),
        ("truth", "False", "failed"),
        ("order", "bac", "passed"),
        ("order", "B, A, C", "passed"),
        ("order", ["B", "A", "C"], "passed"),
        ("order", "ABC", "failed"),
        ("roles", {"query": "a", "key": "B"}, "passed"),
        ("roles", {"query": "B", "key": "A"}, "failed"),
        ("roles", {"query": "A"}, "failed"),
    ],
)
def test_questions_are_judged_by_form_and_key(judge, name, answer, outcome):
    verdict = judge.sitting().question(name, answer)
    assert verdict.outcome == outcome
    assert verdict.score == (1 if outcome == "passed" else 0)


def test_a_wrong_option_gets_its_hint_and_a_wrong_form_says_which_is_expected(judge):
    sitting = judge.sitting()
    assert sitting.question("pick", "A").message == "Look at the second."
    assert sitting.question("pair", [2.0, 0.788]).message == "Order."
    assert "True or False" in sitting.question("truth", "no").message


@pytest.mark.parametrize(
    ("mistake", "answer"),
    [
        (lambda X: np.full(X.shape, np.nan), lambda X: np.full(len(X), np.nan)),
        (lambda X: X**2, lambda X: (X**2).sum(axis=1)),
    ],
    ids=["nan for everything", "its own known mistake"],
)
def test_answers_that_need_no_upstream_are_carried_only_where_a_stand_in_shows_that_it_is_called(
    judge, tiny, mistake, answer
):
    def diagnosed_as(function):
        return Misconception("planted", function, "?")

    tiny.exercises["doubled"].misconceptions.append(diagnosed_as(mistake))
    tiny.exercises["doubled_sums"].misconceptions.append(diagnosed_as(answer))
    written = Written("doubled")
    for answers, score in ((False, 0), (True, 3)):
        functions = {"doubled": mistake}
        functions["doubled_sums"] = (
            (lambda X, f=functions: np.asarray(f["doubled"](X)).sum(axis=1)) if answers else answer
        )

        def ask(steps, functions=functions):
            with standing_in(steps, functions):
                return perform(steps, functions)

        sitting = judge.sitting()
        assert sitting.exercise("doubled", ask).misconception
        assert sitting.exercise("doubled_sums", ask, written).score == score


@pytest.mark.parametrize(
    ("mean_of_normals", "complaint"),
    [
        (lambda n, seed: np.random.RandomState(seed).normal(size=n).mean(), ""),
        (
            lambda n, seed: np.random.default_rng().normal(size=n).mean(),
            "same arguments give different numbers",
        ),
        (lambda n, seed: np.random.default_rng(7).normal(size=n).mean(), "draw other numbers give the same"),
        (lambda n, seed: np.random.default_rng(seed).normal(size=n).std(), "the value is off"),
    ],
    ids=["another generator", "no seed", "one seed for all", "another number"],
)
def test_numbers_drawn_at_random_are_right_by_their_law_and_by_their_seed(judge, mean_of_normals, complaint):
    verdict = judge.exercise("mean_of_normals", asking(mean_of_normals=mean_of_normals))
    assert complaint in verdict.message
    assert (verdict.score == 1) is (not complaint)


@pytest.mark.parametrize(
    ("second", "score"),
    [(lambda drawn: drawn.var(), 1), (lambda drawn: 1.0, 0)],
    ids=["drawn", "known beforehand"],
)
@pytest.mark.parametrize("packed", [tuple, np.array])
def test_each_of_several_random_results_follows_the_seed(judge, second, score, packed):
    def mean_and_variance(n, seed):
        drawn = np.random.RandomState(seed).normal(size=n)
        return packed([drawn.mean(), second(drawn)])

    assert judge.exercise("mean_and_variance", asking(mean_and_variance=mean_and_variance)).score == score


@pytest.mark.parametrize(
    ("composed", "score"),
    [
        (lambda X, upstream: upstream(X)[0] / upstream(X)[1][:, None], 1),
        (lambda X, upstream: X / X.sum(axis=1, keepdims=True), 0),
        (lambda X, upstream: upstream(X)[0] / upstream(X)[0].sum(axis=1, keepdims=True), 0),
    ],
    ids=["uses both", "uses none", "uses the first"],
)
def test_a_stand_in_gives_several_results_where_the_function_does(judge, composed, score):
    sitting = judge.sitting()
    sitting.exercise("twice_and_sums", timing_out, Written("def twice_and_sums(X): ..."))
    asked = composed_in_a_process(composed, "twice_over_sums", "twice_and_sums")
    verdict = sitting.exercise("twice_over_sums", asked, Written("def twice_over_sums(X): twice_and_sums(X)"))
    assert verdict.score == score


def test_evidence_calls_an_input_by_its_parameter_where_another_has_a_default(judge):
    evidence = judge.exercise("shifted", asking(shifted=lambda X, by=1.0: X)).evidence
    assert [name for name, _ in evidence.inputs] == ["X"]
