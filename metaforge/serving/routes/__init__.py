"""What the service answers, by what is asked for: each module gives `router(service)`."""

from metaforge.serving.routes import health, models, page, predict

ALL = (predict, models, health, page)
"""The modules, in the order in which OpenAPI lists them."""
