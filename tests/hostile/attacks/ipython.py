"""Attacks that go through IPython: its hooks, its displays, its names."""

from __future__ import annotations

from sample_class.handed_in import HandedIn

from attacks.recipe import COURSE, attack

WRONG = """
def dot_score(x_i, x_j):
    return 0.0
"""


def _with_wrong_answer(submission: HandedIn, trick: str) -> None:
    submission.fill("dot_score", WRONG)
    submission.first(trick)


@attack("patching", "dot_score")
def cell_hooks(submission: HandedIn) -> None:
    """Hooks before and after each cell rewrite the cell and print points."""
    _with_wrong_answer(
        submission,
        """
        shell = get_ipython()

        def before(info):
            if "check(" in info.raw_cell:
                info.raw_cell = "1000.0"

        def after(result=None):
            shell.display_pub.publish({"text/plain": "1000.0"})

        shell.events.register("pre_run_cell", before)
        shell.events.register("pre_execute", lambda: None)
        shell.events.register("post_execute", after)
        shell.events.register("post_run_cell", after)
        """,
    )


@attack("patching", "dot_score", "third_output")
def input_transformer(submission: HandedIn) -> None:
    """An input transformer turns each check into a number of points."""
    _with_wrong_answer(
        submission,
        """
        get_ipython().input_transformers_cleanup.append(
            lambda lines: ["1000.0"] if any("check(" in line for line in lines) else lines
        )
        """,
    )
    submission.fill("third_output", "third_output = [0, 0]")


@attack("patching", "dot_score")
def syntax_tree_transformer(submission: HandedIn) -> None:
    """An AST transformer replaces every call of check by a constant."""
    _with_wrong_answer(
        submission,
        """
        import ast

        class Points(ast.NodeTransformer):
            def visit_Call(self, node):
                self.generic_visit(node)
                if getattr(node.func, "id", None) == "check":
                    return ast.copy_location(ast.Constant(1000.0), node)
                return node

        get_ipython().ast_transformers.append(Points())
        """,
    )


@attack("patching", "dot_score")
def forged_display_hook(submission: HandedIn) -> None:
    """The display hook shows full points as every cell's result."""
    _with_wrong_answer(
        submission,
        """
        import sys

        class Hook:
            def __call__(self, value=None):
                get_ipython().display_pub.publish({"text/plain": "3.0"})
            def __getattr__(self, name):
                return lambda *arguments, **keywords: None

        sys.displayhook = Hook()
        sys.displayhook(1000.0)
        """,
    )


@attack("patching", "dot_score")
def forged_result_in_solution(submission: HandedIn) -> None:
    """The function displays and prints points whenever it is called, and its cell ends in a number."""
    submission.fill(
        "dot_score",
        """
        import sys
        from IPython.display import display

        def dot_score(x_i, x_j):
            print("3.0")
            display(3.0)
            sys.displayhook(3.0)
            sys.stderr.write("full marks")
            return 0.0

        3.0
        """,
    )


@attack("patching", "dot_score")
def exception_handler(submission: HandedIn) -> None:
    """A custom exception handler swallows every failure."""
    _with_wrong_answer(
        submission,
        """
        get_ipython().set_custom_exc((Exception,), lambda shell, kind, error, trace, tb_offset=None: None)
        get_ipython().showtraceback = lambda *arguments, **keywords: None
        """,
    )


@attack("patching", "dot_score", "third_output")
def check_redefined(submission: HandedIn) -> None:
    """`check` becomes a function of the student's own that returns points."""
    submission.fill(
        "dot_score",
        """
        def check(name):
            return 1000.0

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )
    submission.fill("third_output", "third_output = [0, 0]")


@attack("patching", "dot_score")
def run_cell_replaced(submission: HandedIn) -> None:
    """The shell's own methods are replaced: running a cell succeeds, whatever it holds."""
    _with_wrong_answer(
        submission,
        """
        from IPython.core.interactiveshell import ExecutionResult

        shell = get_ipython()
        real = shell.run_code

        async def run_code(code, result=None, *arguments, **keywords):
            await real(code, result, *arguments, **keywords)
            if result is not None:
                result.error_in_exec = None
            return False

        shell.run_code = run_code
        """,
    )


@attack("patching", "cosine_score_matrix", "recurrent_or_attention")
def namespace_that_answers_anything(submission: HandedIn) -> None:
    """The notebook's names live in a dict that has every name, each equal to everything."""
    submission.fill("recurrent_or_attention", "recurrent_or_attention = None")
    submission.fill(
        "cosine_score_matrix",
        """
        class Right:
            def __eq__(self, other): return True
            def __call__(self, *arguments): return Right()

        class Everything(dict):
            def __contains__(self, name): return True
            def __getitem__(self, name):
                return dict.get(self, name) or Right()
            def get(self, name, default=None):
                return self[name]

        shell = get_ipython()
        shell.user_ns = Everything(shell.user_ns)
        """,
    )


@attack("reading", "dot_score")
def magics(submission: HandedIn) -> None:
    """Shell escapes and magics look for the answers."""
    submission.first(
        f"""
        !cat {COURSE}/solutions/*.txt {COURSE}/gradebook.db
        %run -i {COURSE}/solutions/exercises/dot_product_similarity/dot_score.py
        %load {COURSE}/solutions/exercises/dot_product_similarity/dot_score.py
        """
    )
    submission.fill("dot_score", WRONG)


@attack("writing", "dot_score")
def startup_files(submission: HandedIn) -> None:
    """Files that Python or IPython would run at the next start: a trap for the next submission."""
    _with_wrong_answer(
        submission,
        """
        import os
        import site
        import sys
        from pathlib import Path
        import attention_lib

        trap = "import builtins; builtins.check = lambda name: 1000.0; print('trapped')"
        places = [Path.home() / ".ipython/profile_default/startup", Path(attention_lib.__file__).parent]
        places += map(Path, [*filter(None, sys.path), *site.getsitepackages(), os.getcwd(), "/tmp"])
        for place in places:
            for name in ("00-trap.py", "sitecustomize.py", "usercustomize.py"):
                try:
                    if not (place / name).exists():
                        place.mkdir(parents=True, exist_ok=True)
                        (place / name).write_text(trap)
                except OSError:
                    pass
        """,
    )


@attack("patching", "dot_score")
def trace_function(submission: HandedIn) -> None:
    """A trace function looks at every frame that runs in the process, and rewrites what it returns."""
    _with_wrong_answer(
        submission,
        """
        import sys
        import threading

        def trace(frame, event, value):
            for name, local in list(frame.f_locals.items()):
                if "expected" in name:
                    get_ipython().user_ns["dot_score"] = lambda x_i, x_j: local
            return trace

        sys.setprofile(trace)
        threading.setprofile(trace)
        """,
    )
