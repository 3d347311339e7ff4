"""The labels. A score is always the probability of `FAKE`."""

REAL, FAKE, OUTLIER = 0, 1, 2
"""A real face, a forged one, and, for FakeRadar, an outlier that no image has."""
