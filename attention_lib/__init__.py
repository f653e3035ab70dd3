"""What students import. It knows no answer."""

from attention_lib.check import check
from attention_lib.release import same_release

__all__ = ["check", "same_release"]
__version__ = "0.1.0"
