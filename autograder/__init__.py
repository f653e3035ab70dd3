"""The grading engine. It knows no attention: any NumPy course could use it."""
