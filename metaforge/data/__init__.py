"""Samples and splits, faces and episodes: NumPy on the host, indexable and seeded."""
