"""From a record back to the annotation that it was made of, and whether its names have a meaning here."""

from collections.abc import Mapping
from typing import Any

from metaforge.captions.annotation import Annotation
from metaforge.captions.cues import CUES
from metaforge.captions.thresholds import Thresholds
from metaforge.face_regions import REGIONS


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
    times = [row["value"] for row in rows if row["step"] == "mask" and row["name"] == "excess"]
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
        excess=times[0] if times else None,
    )


def unknown_name(record: Mapping[str, Any]) -> str:
    """Which name or threshold of a record has no meaning here, in words; "" if all have.

    Args:
        record: that has the form of the schema.
    """
    for field, known in (("regions", REGIONS), ("types", CUES), ("cues", CUES)):
        if odd := sorted(set(record[field]) - set(known)):
            return f"{field} has '{odd[0]}', none of {', '.join(known)}"
    for place, row in enumerate(record["derivation"]):
        limit, where = row["threshold"], f"derivation[{place}]"
        if row["step"] == "cue" and row["name"] not in CUES:
            return f"{where}.name is '{row['name']}', none of {', '.join(CUES)}"
        if row["step"] in ("cue", "region") and (limit is None or limit <= 0):
            return f"{where}.threshold is {limit}, not above 0"
    return ""
