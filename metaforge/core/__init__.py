"""The meta-gradient and how it runs: inner loop, weighting, execution on devices, parameters by path."""

import lazy_loader

# What is here stands in `__init__.pyi`; it is imported when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
