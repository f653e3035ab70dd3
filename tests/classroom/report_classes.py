"""Classes for the tests of the report, as the verdict files and the gradebook hold them."""

from __future__ import annotations

from datetime import datetime

from tiny_course import LESSON

from autograder import library
from autograder.classroom.class_report.gathering import ClassData, Handed
from autograder.classroom.class_report.lesson import lesson_report
from autograder.classroom.report import page_on
from autograder.classroom.standings import Points, Standing
from autograder.sandbox.isolation import BASE, NAMESPACES, PROCESSES

LAYERS = (*BASE, NAMESPACES, PROCESSES)
NOW = datetime(2025, 3, 1, 12, 0)


def verdict(student="ada", outcome="passed", misconception=None, answer="4", **more):
    """A verdict on the tiny lesson: 3 points for `double`, 1 for the question; the free text was answered."""
    exercise = {"outcome": outcome, "score": 3.0 if outcome == "passed" else 0.0, "max_score": 3.0}
    exercise |= {"misconception": misconception, "carried_from": None, "message": "off", "aspects": {}}
    right = answer == "4"
    question = {"outcome": "passed" if right else "failed", "score": float(right), "max_score": 1.0}
    question |= {"message": "", "answer": answer}
    return {
        "student": student,
        "lesson": LESSON,
        "score": exercise["score"] + question["score"],
        "max_score": 4.0,
        "needs_manual": ["tell_why"],
        "exercises": {"double": exercise},
        "questions": {"sum_of_two": question},
        "sandbox": list(LAYERS),
        "seconds": 0.1,
        **more,
    }


def unreadable(student, why="the file is empty"):
    return {"student": student, "lesson": LESSON, "error": why, "kind": "damaged"}


def standing(double, question, text=None, penalty=0.0):
    """What the gradebook holds of one submission; `text` is a person's score."""
    cells = {
        "test_double": Points(double, None, None, 3.0),
        "test_sum_of_two": Points(question, None, None, 1.0),
        "tell_why": Points(None, text, None, 2.0),
    }
    return Standing(None, penalty, cells)


def hidden(course):
    return library.load(course.solutions, LESSON)


def report_on(library_, *verdicts, **more):
    return lesson_report(Handed(library_, verdicts, **more))


def page_of(library_, *verdicts, anonymous=False, names=None, **more):
    names = names or {one["student"]: "" for one in verdicts}
    return page_on(ClassData((Handed(library_, verdicts, **more),), names), NOW, anonymous=anonymous)
