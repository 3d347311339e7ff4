"""What happens to images while a network learns from them, and never when it is judged: pure functions of JAX."""

import lazy_loader

# What is here stands in `__init__.pyi`; it is imported when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
