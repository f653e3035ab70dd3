"""Attacks on the line to the grader: bytes that are no message, and messages that claim what never was."""

from __future__ import annotations

from sample_class.handed_in import HandedIn

from attacks.recipe import attack


@attack("protocol", "dot_score")
def noise_on_the_line(submission: HandedIn) -> None:
    """Bytes that are no message at all are written to every open descriptor."""
    submission.fill(
        "dot_score",
        """
        import os

        def dot_score(x_i, x_j):
            for number in range(3, 40):
                try:
                    os.write(number, b"\\xff" * 64)
                except OSError:
                    pass
            return 0.0
        """,
    )


@attack("protocol", "dot_score")
def huge_message_announced(submission: HandedIn) -> None:
    """Frames are announced that are longer than any memory."""
    submission.fill(
        "dot_score",
        """
        import os
        import struct

        def dot_score(x_i, x_j):
            for number in range(3, 40):
                try:
                    os.write(number, struct.pack("<I", 2**32 - 2))
                except OSError:
                    pass
            return 0.0
        """,
    )


@attack("protocol", "dot_score")
def forged_answers_on_the_line(submission: HandedIn) -> None:
    """Well-formed replies that claim answers, rightly numbered, reach the grader ahead of the real ones."""
    submission.fill(
        "dot_score",
        """
        import os
        import sys

        def number_of_request():
            frame = sys._getframe()
            while frame is not None:
                if isinstance(frame.f_locals.get("number"), int):
                    return frame.f_locals["number"]
                frame = frame.f_back
            return 1

        def dot_score(x_i, x_j):
            from autograder.sandbox import script, wire
            asked = number_of_request()
            claims = [
                ("events", [script.Returned(11.0, (x_i, x_j))]),
                ("events", [script.Returned(wire.Frozen(wire.encode(3.0)), ())]),
                ("events", [script.Returned(True, ())] * 9),
                ("value", 3.0),
                ("graded", {"dot_score": 3.0}),
            ]
            for claim in claims:
                os.write(3, wire.frame(wire.encode((asked, *claim))))
            return 0.0
        """,
    )


@attack("protocol", "dot_score")
def replies_of_unknown_numbers(submission: HandedIn) -> None:
    """Well-formed replies to questions that were never asked, of numbers long past and far ahead."""
    submission.fill(
        "dot_score",
        """
        import os

        def dot_score(x_i, x_j):
            from autograder.sandbox import script, wire
            for number in (-1, 0, 1, 2**62, None, "1", True):
                for word in ("ready", "ran", "events", "value", "interrupted", "score"):
                    os.write(3, wire.frame(wire.encode((number, word, [script.Returned(3.0, ())]))))
            return 0.0
        """,
    )


@attack("protocol", "dot_score")
def replies_taken_over(submission: HandedIn) -> None:
    """A thread holds the line to the grader and answers in the sandbox's place."""
    submission.fill(
        "dot_score",
        """
        import os
        import threading
        import time

        def talk():
            from autograder.sandbox import script, wire
            for number in range(200):
                os.write(3, wire.frame(wire.encode((number, "events", [script.Returned(0.0, ())]))))
                time.sleep(0.002)

        def dot_score(x_i, x_j):
            threading.Thread(target=talk, daemon=True).start()
            return 0.0
        """,
    )


@attack("protocol", "dot_score")
def line_closed(submission: HandedIn) -> None:
    """Every descriptor is closed, the line to the grader among them."""
    submission.fill(
        "dot_score",
        """
        import os

        def dot_score(x_i, x_j):
            os.closerange(3, 256)
            return 0.0
        """,
    )


@attack("protocol", "cosine_score_matrix")
def half_a_message(submission: HandedIn) -> None:
    """A message begins, and its end never comes."""
    submission.fill(
        "cosine_score_matrix",
        """
        import os
        import struct
        import time

        def cosine_score_matrix(X, eps=1e-12):
            os.write(3, struct.pack("<I", 1000) + b"l")
            while True:
                time.sleep(1)
        """,
    )


@attack("protocol", "cosine_score_matrix")
def one_byte_at_a_time(submission: HandedIn) -> None:
    """A message of the largest size that is allowed drips in: the line is never silent, and never done."""
    submission.fill(
        "cosine_score_matrix",
        """
        import os
        import struct

        def cosine_score_matrix(X, eps=1e-12):
            os.write(3, struct.pack("<I", 60 << 20))
            while True:
                os.write(3, b"N")
        """,
    )


@attack("protocol", "dot_score")
def replies_ahead_of_the_questions(submission: HandedIn) -> None:
    """The next hundred questions are answered before they are put, under the right numbers."""
    submission.fill(
        "dot_score",
        """
        import os
        import sys

        def number_of_request():
            frame = sys._getframe()
            while frame is not None:
                if type(frame.f_locals.get("number")) is int:
                    return frame.f_locals["number"]
                frame = frame.f_back
            return 1

        def dot_score(x_i, x_j):
            from autograder.sandbox import script, wire
            now = number_of_request()
            for number in range(now, now + 100):
                os.write(3, wire.frame(wire.encode((number, "events", [script.Returned(True, (x_i, x_j))]))))
            return 0.0
        """,
    )


@attack("protocol", "dot_score", "normalize_scores")
def claims_to_be_interrupted(submission: HandedIn) -> None:
    """Questions are answered with the words for a cell, for an interrupt, and for a child that is ready."""
    for name, parameters, word in (
        ("dot_score", "x_i, x_j", '"interrupted", None'),
        ("normalize_scores", "scores", '"ready", [{"name": "seccomp", "in_force": True, "why": ""}]'),
    ):
        submission.fill(
            name,
            f"""
            import os
            import sys

            def {name}({parameters}):
                from autograder.sandbox import wire
                frame = sys._getframe()
                while type(frame.f_locals.get("number")) is not int:
                    frame = frame.f_back
                os.write(3, wire.frame(wire.encode((frame.f_locals["number"], {word}))))
                return 0.0
            """,
        )


@attack("protocol", "dot_score")
def lengths_that_lie(submission: HandedIn) -> None:
    """The encoder is replaced by one whose arrays, lists and texts announce more, or less, than they hold."""
    submission.fill(
        "dot_score",
        """
        import struct
        import sys

        def dot_score(x_i, x_j):
            bodies = [
                b"a" + bytes([11, 2]) + struct.pack("<2Q", 1 << 31, 1 << 31),
                b"a" + bytes([11, 1]) + struct.pack("<Q", 4) + b"short",
                b"a" + bytes([200, 32]) + bytes(256),
                b"l" + struct.pack("<I", 2**32 - 1),
                b"l" + struct.pack("<I", 1) * 40,
                b"s" + struct.pack("<I", 2**31) + b"text",
                b"d" + struct.pack("<I", 2) + (struct.pack("<I", 1) + b"kN") * 2,
                b"R" + bytes([99]),
                b"l" * 100_000,
            ]
            asked.append(len(asked))
            body = bodies[len(asked) % len(bodies)]
            for name, module in list(sys.modules.items()):
                if name.startswith("autograder.sandbox") and hasattr(module, "encode"):
                    module.encode = lambda value, limit=0: body
            return 0.0

        asked = []
        """,
    )


@attack("protocol", "dot_score")
def pickles_on_the_line(submission: HandedIn) -> None:
    """Messages are pickles, and marshalled code, that would run where they are read."""
    submission.fill(
        "dot_score",
        """
        import marshal
        import os
        import pickle
        import struct

        class Trap:
            def __reduce__(self):
                return (print, ("LOOT unpickled by the grader",))

        def dot_score(x_i, x_j):
            for body in (pickle.dumps(Trap()), marshal.dumps(compile("print('LOOT')", "trap", "exec"))):
                os.write(3, struct.pack("<I", len(body)) + body)
            return 0.0
        """,
    )


@attack("protocol", "dot_score")
def descriptors_sent_to_the_grader(submission: HandedIn) -> None:
    """File descriptors and credentials are sent over the line, in place of bytes."""
    submission.fill(
        "dot_score",
        """
        import array
        import os
        import socket

        def dot_score(x_i, x_j):
            line = socket.socket(fileno=os.dup(3))
            for sent in (
                lambda: socket.send_fds(line, [b"x"], [3]),
                lambda: line.sendmsg([b"x"], [(socket.SOL_SOCKET, 2, bytes(12))]),
                lambda: line.send(b"!", socket.MSG_OOB),
                lambda: line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1),
            ):
                try:
                    sent()
                except OSError:
                    pass
            return 0.0
        """,
    )
