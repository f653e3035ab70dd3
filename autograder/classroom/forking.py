"""Processes of this machine that share one import of the grading code."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

from autograder.library import UserError

_SAFE_PATH = "PYTHONSAFEPATH"


def fork_server(modules: Sequence[str]) -> ForkServerContext:
    """A context whose processes are forked from one that has imported `modules`.

    That one is started without the current folder on its import path, where Python puts it: a class's
    folder may hold files by any name, from anyone. Raises UserError when it can't be started.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        forkserver.ensure_running()
    except OSError as error:  # its socket lies in the temporary folder, and a socket's path must be short
        raise UserError(
            f"the grading processes can't be started ({error}): the folder for temporary files, "
            f"{tempfile.gettempdir()}, must be writable and its path short; set TMPDIR to such a one"
        ) from error
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before
    return context
