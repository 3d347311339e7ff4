"""A detector as one ONNX file, and scores from it without JAX."""

import lazy_loader

# What is here, and where it comes from, stands in `__init__.pyi`; it is imported when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
