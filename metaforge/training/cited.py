"""Whose work a run stands on."""

from metaforge.data import prepared
from metaforge.data.catalogues import CATALOGUES
from metaforge.training import build
from metaforge.training.config import Config


def parts_of(config: Config) -> list[str]:
    """Whose work a run stands on, by the names that `metaforge.citation` knows."""
    parts = [config.learner, *(["partial"] if config.adapts else []), config.weighting, config.backbone]
    parts += ["fakeradar"] if config.objective == "fakeradar" else []
    if config.data:
        sets = [str(found.get("dataset")) for found in prepared.provenance(config.data).values()]
        parts += [name for name in sets if name in CATALOGUES]
    else:
        parts += [name for names in build.methods(config) for name in names]
        parts += ["lfw"] if config.faces == "lfw" else []
    return [part for part in parts if part]
