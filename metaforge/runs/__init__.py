"""A run's directory: its configuration, its log and its checkpoints, from which a killed run goes on as if it had not.

    config.json     what was asked for
    log.jsonl       one flat JSON object a row: step, seconds, metrics
    checkpoints/    Orbax; the last two
    report.json     once finished

Figures and tables are made from these files alone.
"""

import lazy_loader

# What is here, and where it comes from, stands in `__init__.pyi`; it is imported when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
