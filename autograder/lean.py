"""For the programs of this package, imported before anything else: start without a second of waiting.

jsonschema, which nbformat imports, imports rfc3987_syntax where that is installed, to check the format of
IRIs; it builds a grammar meanwhile, which takes longer than all our other imports together. No schema
here holds an IRI. A module that is None in `sys.modules` is one that is not installed.
"""

from __future__ import annotations

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules
_modules.setdefault("rfc3987_syntax", None)
