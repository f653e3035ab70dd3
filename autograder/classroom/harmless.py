"""What students wrote as Markdown, before nbgrader shows it to an instructor.

nbgrader renders Markdown and raw cells as they are, in the feedback and in the formgrader, where a script
could change grades with the instructor's rights. Outputs need no such care: the sandbox lets pictures and
text through alone.
"""

from __future__ import annotations

import re

from nbformat import NotebookNode

#: Where a tag, a comment or a link begins. A zero-width space after it leaves plain text of the same look.
_ACTIVE = re.compile(r"<(?=[A-Za-z/!?])|\](?=[(:])")
_APART = "\\g<0>\u200b"


def disarm(notebook: NotebookNode, released: NotebookNode) -> None:
    """Turn tags and links in Markdown and raw cells, in place, into text; what stands in the released
    notebook as well stays as it is."""
    provided = {cell.source for cell in released.cells}
    for cell in notebook.cells:
        if cell.cell_type != "code" and cell.source not in provided:
            cell.source = _ACTIVE.sub(_APART, cell.source)
