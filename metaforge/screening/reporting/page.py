"""The page of a report: what was decided, of which faces, why, by which limits, and of which bytes."""

from metaforge.screening.evidence.heat import sentence
from metaforge.screening.reporting.looking import MAPPED, Shown
from metaforge.screening.reporting.parts import decision, facts, scale, table, text
from metaforge.screening.reporting.pictures import face_picture, framed, heat_picture
from metaforge.screening.reporting.style import STYLE
from metaforge.screening.verdicts.record import Evidence, FaceVerdict, FileVerdict

_TAGS = {
    "observed": "seen in the pixels",
    "derived": "computed from the pixels",
    "inferred": "by a model that was learned",
}


def page_of(record: FileVerdict, shown: Shown, *, tried: bool) -> str:
    """The page as a text.

    Args:
        record: what was said of the file.
        shown: its pictures.

    Other Arguments:
        tried: whether evidence was measured.
    """
    parts = [
        _head(f"Verdict on {record.file}"),
        _opening(record),
        _picture(record, shown),
        *(_face(face, record, shown, tried=tried) for face in record.faces),
        _thresholds(record),
        _file(record),
        _reading(record, tried=tried),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _head(title: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="generator" content="metaforge report">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        f"style-src 'unsafe-inline'\">\n<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{text(title)}</h1>"
    )


def _opening(record: FileVerdict) -> str:
    if record.error is not None:
        return (f'<p class="verdict"><span class="decision cannot">Not judged</span></p>\n'
                f"<p>{text(_sentence(record.error.message))}</p>\n<p>{text(record.limits)}</p>")  # fmt: skip
    lines = [f'<p class="verdict">{decision(record.decision)}</p>', f"<p>{text(_sentence(record.reason))}</p>"]
    if record.p_fake is not None:
        worst = " That of the most suspicious face counts." if len(record.faces) > 1 else ""
        lines.append(f"<p>Probability of being fake: <strong>{record.p_fake:.3f}</strong>, if half of such files were "
                     f"fake.{worst}</p>")  # fmt: skip
    if record.quality:
        lines.append(f"<p>Quality of the file: {text(', '.join(record.quality))}.</p>")
    lines.append(f'<p class="limits">{text(record.limits)}</p>')
    return "\n".join(lines)


def _picture(record: FileVerdict, shown: Shown) -> str:
    if shown.picture is None:
        return ""
    count = len(record.faces)
    what = f"Frame {shown.frame} of the video" if shown.frame is not None else "The picture"
    boxed = [face for face in record.faces if face.box is not None and (shown.frame is None or _in(face, shown.frame))]
    said = "; ".join(f"face {face.number}: {face.decision}" for face in boxed)
    alt = f"{what} with {'a frame' if len(boxed) == 1 else 'frames'} around {said}" if boxed else what
    caption = f"{what}. {count} {'face' if count == 1 else 'faces'}" + (f" ({said})." if said else ".")
    return (f'<figure><img class="whole" src="{framed(shown.picture, tuple(boxed))}" alt="{text(alt)}">'
            f"<figcaption>{text(caption)}</figcaption></figure>")  # fmt: skip


def _in(face: FaceVerdict, frame: int) -> bool:
    return bool(face.frames) and face.frames[0] == frame


def _face(face: FaceVerdict, record: FileVerdict, shown: Shown, *, tried: bool) -> str:
    limits = record.thresholds
    said = [
        ("Reason", face.reason),
        ("Probability", "none" if face.p_fake is None else f"{face.p_fake:.3f}"),
        ("Its band", "not known" if face.band is None else f"{face.band[0]:.2f} to {face.band[1]:.2f}: the share of "
         "fakes to be expected among faces with this probability in a collection that is not known (95 %)"),
        ("Familiarity", "not known" if face.familiarity is None else f"{100 * face.familiarity:.3g} % of the source "
         "images are at least as unusual"),
        ("Quality", ", ".join(face.quality) or "nothing amiss"),
    ]  # fmt: skip
    if face.frames:
        said.append(("Frames", f"{len(face.frames)}, from {face.frames[0]} to {face.frames[-1]}"))
    if face.box is not None:
        x0, y0, x1, y1 = face.box
        said.append(("Where", f"{x1 - x0:.0f} x {y1 - y0:.0f} pixels at {x0:.0f}, {y0:.0f}"))
    name = f"Face {face.number}" if face.number else "The face"
    drawn = "" if face.p_fake is None else scale(face.p_fake, face.band, (limits.real_below, limits.fake_above))
    below = f"{_map(face, record, shown)}\n{_evidence(face.evidence, record.kind, tried=tried)}"
    return f"<section>\n<h2>{name}: {decision(face.decision)}</h2>\n{drawn}\n{facts(said)}\n{below}\n</section>"


def _map(face: FaceVerdict, record: FileVerdict, shown: Shown) -> str:
    pictures = shown.faces.get(face.number)
    if pictures is None:
        why = f"the first {MAPPED} faces have one" if record.kind == "image" else "it is made in one frame alone"
        return f'<p class="soft">No map of this face: {why}.</p>'
    says = sentence(pictures.heat)
    return f"""<div class="pair">
<figure><img src="{face_picture(pictures.crop)}" alt="The face as the detector takes it"><figcaption>As the detector
takes it.</figcaption></figure>
<figure><img src="{heat_picture(pictures)}" alt="Map of the score: {text(says)}"><figcaption>Map of the score
(inferred). Red: covering this part lowers the score. Blue: it raises it. {text(says)}</figcaption></figure>
</div>
<p class="soft">The map says what the detector looks at. It does not say where a face was forged.</p>"""


def _evidence(found: tuple[Evidence, ...], kind: str, *, tried: bool) -> str:
    if not tried:
        return ""
    title = "<h3>Evidence, each measured by itself</h3>\n"
    if not found:
        why = "it is measured in pictures alone" if kind == "video" else "the face is too small, or has no landmarks"
        return f"{title}<p>None: {why}.</p>"
    rows = [
        [text(each.name), text(each.text), f"{each.score:.2f}", f"{each.auc:.2f}", f"{each.tag}: {_TAGS[each.tag]}"]
        for each in found
    ]
    heads = ["Feature", "Measured", "Probability by it alone", "Its AUC", "Kind"]
    return title + table("Weak evidence: an AUC of 0.5 is chance, 1 is perfect", heads, rows)


def _thresholds(record: FileVerdict) -> str:
    said, rates = record.thresholds, []
    if said.fpr is not None:
        rates.append(f"{100 * said.fpr:.3g} % of the reals there may be called fake")
    if said.fnr is not None:
        rates.append(f"{100 * said.fnr:.3g} % of the fakes there may be called real")
    pairs = [
        ("Decided by", f"real below {said.real_below:.4f}, fake above {said.fake_above:.4f}, otherwise cannot tell"),
        ("Fitted on", said.fitted_on or "nothing"),
        ("For", "; ".join(rates) or "no stated share of mistakes"),
        ("Detector", record.model.name),
        ("SHA-256 of the detector", record.model.sha256),
        ("Calibrated on", record.model.fitted_on or "nothing"),
    ]
    return f"<h2>Thresholds and detector</h2>\n{facts(pairs)}"


def _file(record: FileVerdict) -> str:
    size = "" if record.size is None else f", {record.size[1]} x {record.size[0]} pixels"
    origin = record.provenance
    pairs = [
        ("File", f"{record.file} ({record.kind}{size})"),
        ("SHA-256 of the file", record.sha256 or "it could not be read"),
        ("Bytes", "not known" if record.bytes is None else str(record.bytes)),
        ("Judged", record.time.replace("T", " ").removesuffix("Z") + " UTC"),
        ("C2PA", f"{origin.state}: {origin.detail}" if origin.detail else origin.state),
        ("Its source type", origin.source_type),
        ("Signed by", origin.signer),
    ]
    return f"<h2>The file and its origin</h2>\n{facts((name, said) for name, said in pairs if said)}"


def _reading(record: FileVerdict, *, tried: bool) -> str:
    lines = [
        record.limits,
        "A C2PA signature says who says so. It changes no decision, and its absence means nothing.",
        "Documents, voices and sound are not judged.",
    ]
    if tried:
        lines.insert(1, "Evidence changes no decision. Features that did not tell fakes on collections left out are "
                        "not shown; docs/evidence.md names them.")  # fmt: skip
    listed = "\n".join(f"<li>{text(line)}</li>" for line in lines)
    return f"<h2>What this does not say</h2>\n<ul>\n{listed}\n</ul>"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."
