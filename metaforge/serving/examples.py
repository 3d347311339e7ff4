"""Examples for OpenAPI. The numbers are made up; the forms are held by a test."""

from typing import Any

from metaforge.screening.verdicts.record import FaceVerdict, FileVerdict, Model, Provenance, Thresholds

_FITTED_ON = "six open collections"

VERDICT: dict[str, Any] = FileVerdict(
    file="portrait.jpg",
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    bytes=79198,
    kind="image",
    size=(512, 512),
    time="2026-11-29T12:00:00Z",
    model=Model("detector", "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", _FITTED_ON),
    p_fake=0.952574,
    decision="fake",
    reason="above the threshold 0.83, as 5 % of the real source photographs are",
    faces=(
        FaceVerdict(
            number=1,
            box=(171.8, 141.6, 343.7, 368.9),
            frames=(),
            p_fake=0.952574,
            band=(0.71, 1.0),
            familiarity=0.41,
            decision="fake",
            reason="above the threshold 0.83, as 5 % of the real source photographs are",
        ),
    ),
    quality=(),
    provenance=Provenance("not available", "", "", "the file has no manifest"),
    thresholds=Thresholds(0.21, 0.83, 0.05, 0.1, _FITTED_ON),
    limits=f"No proof: the numbers were fitted on {_FITTED_ON}, and other cameras, people and forgeries may make more "
    "mistakes.",
).as_json()
"""A record."""

ONE_ASKED = {"content": "iVBORw0KGgoAAAANSUhEUg...", "name": "portrait.jpg", "map": False}
"""The body of `/v1/predict` in JSON; the file is cut short."""

ONE_ANSWER = {
    "request_id": "3f1c2a9b7d604e11",
    "verdict": VERDICT,
    "degraded": [],
    "timing_ms": {"receive": 1.2, "queue": 0.2, "read": 21.5, "score": 12.8, "total": 37.4},
}
"""Its answer."""

MANY_ASKED = {"items": [{"content": "iVBORw0KGgoAAAANSUhEUg...", "name": "portrait.jpg"}, {"content": "PGh0bWw+"}]}
"""The body of `/v1/predict/batch` in JSON."""

MANY_ANSWER = {
    "request_id": "3f1c2a9b7d604e11",
    "results": [
        {"name": "portrait.jpg", "status": 200, "verdict": VERDICT, "degraded": []},
        {
            "name": "upload",
            "status": 415,
            "error": {
                "code": "unsupported_type",
                "message": "This is a web page. Download the image itself.",
                "request_id": "3f1c2a9b7d604e11",
            },
        },
    ],
    "degraded": [],
}
"""Its answer."""
