"""Answers to lesson 1's free-text question, as students of different diligence write them."""

from __future__ import annotations

THOROUGH = """
The score is the product of the two lengths and the cosine of the angle, so with $x_i$ fixed it grows in
proportion to $\\|x_j\\|$. Softmax exponentiates it, which makes the weight grow much faster than the length.
If the angle is wider than 90 degrees the sign flips: then the longer vector is pushed further *down*.
In my plot the word with the largest weight was not the closest one in angle but one of the longest.
With cosine scores the largest and the smallest vote differ by at most a factor $e^2$, about 7.4, so the
weights of a long row are all nearly alike, and whatever the length had to say is gone.
"""

GERMAN_HABITS = """
The dot product is $\\|x_i\\| \\cdot \\|x_j\\| \\cdot \\cos\\theta$. Therefore not only the similarity decides
but also the length. For negative cosine a longer vector gets less weight. By cosine all scores are between
-1 and 1, therefore the softmax is very flat.
"""

SHORT = "Longer vectors get bigger scores, so the colleague is wrong. Cosine fixes this."

VAGUE = """
I think the dot product measures similarity, but it also depends on other things such as the scale of the
embeddings. Normalising is usually better because it makes everything comparable.
"""

MISTAKEN = """
The dot product only depends on the angle, because softmax normalises the lengths away. So the colleague is
right, and cosine gives the same weights as the dot product.
"""

NUMBERS_ONLY = """
- river, length 1x: weight 0.12
- river, length 3x: weight 0.25
- cosine: no change
"""

MARKUP = (
    "<script>alert('hello')</script> The length matters: $x_i \\cdot x_j = \\|x_i\\|\\|x_j\\|\\cos\\theta$."
)

UNSURE = "Not sure about (b), I could not get the plot to show. (a) the length. (c) the length is lost."
