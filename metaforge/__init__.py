"""Meta-learning for domain adaptation in JAX/Flax, aimed at face-forgery detection.

A meta-learner is to episodes what an optimizer is to gradients: `MetaLearner(init, update, adapt)`, three pure
functions over pytrees. See `metaforge.types` for the vocabulary and `metaforge.core.inner` for the inner loop.
"""

import lazy_loader

# What is here, and where it comes from, stands in `__init__.pyi`; it is imported when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
