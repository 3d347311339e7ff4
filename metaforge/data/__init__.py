"""Samples and splits, faces and episodes: NumPy on the host, indexable and seeded."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
