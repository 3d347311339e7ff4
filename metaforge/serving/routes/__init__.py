"""What the service answers, by what is asked for: each module gives `router(service)`."""

from metaforge.serving.routes import adapt, feedback, health, inference, models, page, predict

ALL = (predict, models, adapt, feedback, health, inference, page)
"""The modules, in the order in which OpenAPI lists them."""
