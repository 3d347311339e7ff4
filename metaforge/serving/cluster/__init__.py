"""The service on many machines, by Ray Serve: `serve run deploy/ray.yaml` builds `metaforge.serving.cluster:app`."""

from metaforge.serving.cluster.building import app

__all__ = ["app"]
