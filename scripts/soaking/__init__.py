"""Grading runs that are struck down at random moments, and what is left: `scripts/soak.py` runs it."""
