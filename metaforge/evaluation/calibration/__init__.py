"""From scores and distances to verdicts that survive a new camera: calibrated, with thresholds, and with doubt."""

import lazy_loader

# What is here, and where it comes from, stands in `__init__.pyi`; it is imported when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
