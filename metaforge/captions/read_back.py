"""From a record back to the annotation that it was made of, for all that is said of annotations."""

from collections.abc import Mapping
from typing import Any

from metaforge.captions.annotation import Annotation
from metaforge.captions.thresholds import Thresholds


def annotation_of(record: Mapping[str, Any]) -> Annotation:
    """What a record says, as the annotation that it was made of: without its maps, and with numbers rounded.

    Of the thresholds those of the regions and cues are known again; the others are as shipped.

    Args:
        record: of a pair that was annotated, as `metaforge.captions.records` has it.

    Example:
        >>> import numpy as np
        >>> from metaforge.captions.annotation import annotate
        >>> from metaforge.captions.records import record_of
        >>> from metaforge.captions.words import caption
        >>> real = np.full((48, 48, 3), 90, np.uint8); fake = real.copy(); fake[20:30, 20:30] += 40
        >>> found = annotate(real, fake)
        >>> again = annotation_of(record_of(found, fake="a.png", real="b.png", size=(48, 48)))
        >>> again.types == found.types, caption(again) == caption(found)
        (True, True)
    """
    rows = record["derivation"]
    limits = {row["name"]: row["threshold"] for row in rows if row["step"] == "cue"}
    regions = [row["threshold"] for row in rows if row["step"] == "region"]
    return Annotation(
        answer=record["answer"],
        reason=record["reason"],
        shift=(record["shift"][0], record["shift"][1]),
        mask=None,
        soft=None,
        noise=record["noise"],
        coverage=record["coverage"],
        regions=tuple(record["regions"]),
        cues=record["cues"],
        types=tuple(record["types"]),
        thresholds=Thresholds(**limits, **({"region": regions[0]} if regions else {})),
    )
