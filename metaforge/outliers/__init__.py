"""Outliers that no image has: where the features of real and forged faces lie, and what lies just beyond.

A synthesizer is to features what an optimizer is to gradients: `OutlierSynthesizer(init, update, sample)`. Its state
has a fixed shape, so that nothing compiles again when the number of clusters changes, and a run can checkpoint it.
"""

import lazy_loader

# What is here, and where it comes from, stands in `__init__.pyi`; it is imported when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
