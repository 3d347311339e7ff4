"""What the service answers, by what is asked for: each module gives `router(service)`."""

from metaforge.serving.routes import health, models, predict

ALL = (predict, models, health)
"""The modules, in the order in which OpenAPI lists them."""
