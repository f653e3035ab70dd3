"""What students import. It knows no answer."""

from attention_lib.check import check

__all__ = ["check"]
__version__ = "0.1.0"
