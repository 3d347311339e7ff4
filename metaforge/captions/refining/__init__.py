"""From a raw annotation to a better sentence that says no more than it: prompts, refiners, and a guard."""

import lazy_loader

# What is here, and where it comes from, stands in `__init__.pyi`; it is imported when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
