"""A verdict that can be kept: what is said of a file, by which model, about which bytes, when, and how sure."""

import lazy_loader

# What is here, and where it comes from, stands in `__init__.pyi`; it is imported when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
