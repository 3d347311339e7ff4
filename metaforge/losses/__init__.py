"""Losses at the level of `optax.losses`: arrays in, one value per example out. No reduction, no weights, no state.

All compute in float32 at least, whatever the dtype of the inputs: half precision goes up, float64 stays. `where=` marks
the examples that exist; the others get a value of 0 and a gradient of 0, even where their rows hold NaN or infinity.
"""

import lazy_loader

# What is here, and where it comes from, stands in `__init__.pyi`; it is imported when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
