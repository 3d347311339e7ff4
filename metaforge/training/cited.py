"""Whose work a run uses."""

from metaforge.backbones.spec import NO_TEXT
from metaforge.data import prepared
from metaforge.data.catalogues import CATALOGUES
from metaforge.data.embedded_faces import EMBEDDED
from metaforge.data.faces import landmarks_of
from metaforge.data.landmarks import MESH
from metaforge.training import build
from metaforge.training.config import Config


def parts_of(config: Config) -> list[str]:
    """Whose work a run uses, by the names that `metaforge.citation` knows."""
    parts = [
        config.learner.name,
        *(["partial"] if config.learner.adaptable else []),
        config.learner.weighting,
        config.model.backbone,
    ]
    parts += ["depth_weights"] if config.model.fusion else []
    parts += [config.objective.name] if config.objective.name != "cross_entropy" else []
    parts += ["warmup_cosine"] if config.learner.schedule == "cosine" else []
    parts += ["reading", "annotate"] if config.model.text != NO_TEXT else []
    if config.faces.prepared:
        sets = [str(found.get("dataset")) for found in prepared.provenance(config.faces.prepared).values()]
        parts += [name for name in sets if name in CATALOGUES]
    else:
        parts += [name for names in build.methods(config) for name in names]
        parts += [config.faces.folder] if config.faces.folder in EMBEDDED else []
        parts += ["blazeface"] if landmarks_of(config.faces.folder, config.faces.landmarks) == MESH else []
    return [part for part in parts if part]
