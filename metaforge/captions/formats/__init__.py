"""Captions in the files that others' programs read: a writer and a reader for each form, and what it cannot hold.

The shapes follow what is public of each: descriptions and the names of fields. No text and no data of theirs is here.
"""

import lazy_loader

# What is here, and where it comes from, stands in `__init__.pyi`; it is imported when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
