"""For the programs of this package, imported before anything else: start without a second of waiting.

jsonschema, which nbformat imports, imports what checks formats where that is installed: rfc3987_syntax, for
IRIs, builds a grammar meanwhile, which takes longer than all our other imports together; isoduration, for
durations, imports a calendar. No schema here holds either. A module that is None in `sys.modules` is one
that is not installed.
"""

from __future__ import annotations

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules
for _format in ("rfc3987_syntax", "isoduration"):
    _modules.setdefault(_format, None)
