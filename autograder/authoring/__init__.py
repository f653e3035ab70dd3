"""From the lessons' sources to what students get: notebooks, public examples, the bundle."""
