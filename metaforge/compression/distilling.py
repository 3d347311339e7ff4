"""`metaforge distill`: one network learns what another, or several together, say."""

import dataclasses
from typing import Any

import jax
import numpy as np

from metaforge.backbones import choice
from metaforge.commands import flags_of
from metaforge.compression import agreeing, images, saving
from metaforge.compression.options import DistillConfig, DistillOptions
from metaforge.compression.shrinking import RULE, calibrated
from metaforge.compression.teaching import Lessons, taught, weights_of
from metaforge.data.specs import FacesSpec
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Calibration, Judge
from metaforge.provenance import provenance
from metaforge.runs import Run
from metaforge.screening import Detector
from metaforge.screening.predicting import detector_in
from metaforge.settings import check_settings
from metaforge.whole import refuse_used, write_arrays

CONTEXT = 64
"""Images whose statistics normalise the student's, where it has none of its own."""


def run(options: DistillOptions, config: DistillConfig, *, quiet: bool = False) -> dict[str, Any]:
    """Teaches, judges and saves; returns the report.

    The student learns calibrated logits, so that its own need no calibration; the thresholds of its verdicts are those
    of the first teacher that has some.

    Raises:
        InputError: for teachers, images or a student that cannot be had, before anything is written.
    """
    check_settings(config)
    _check(config)
    images.check_given(options, DistillOptions("", ""))
    if options.images and config.faces != FacesSpec():
        raise InputError("--images: with a folder nothing is forged, so --faces says nothing. Leave one of them out.")
    refuse_used(options.out)
    where = provenance()
    teachers = [detector_in(name.strip()) for name in options.teachers.split(",") if name.strip()]
    if not teachers:
        raise InputError("--teachers: none is named. Give the folder of a detector.")
    crops = {teacher.crop for teacher in teachers}
    if len(crops) > 1:
        raise InputError(f"--teachers={options.teachers}: they cut faces out by {' and '.join(sorted(crops))}. Give "
                         "such as agree.")  # fmt: skip
    size = max([config.model.image_size, *(teacher.image_size for teacher in teachers)])
    if options.images:
        faces = images.of_folder(
            options.images, size=size, crop=teachers[0].crop, crops=options.crops, share=options.test_share,
            seed=config.teaching.seed, quiet=quiet,
        )  # fmt: skip
    else:
        faces = images.of_forgeries(config.faces, size=size, quiet=quiet)
    weights_of(config.teaching, labels=faces.labels is not None)
    how = dataclasses.asdict(options) | dataclasses.asdict(config)
    asked = how | {"sha256": faces.digest(), "detectors": [saving.digest(teacher) for teacher in teachers]}
    with saving.unfinished(options.out, asked) as kept:
        said, features = _lessons(kept, teachers, faces, features=bool(config.teaching.features))
        small, learned = faces.at(config.model.image_size), ~faces.held
        lessons = Lessons(
            small[learned], said[learned], None if features is None else features[learned],
            None if faces.labels is None else faces.labels[learned],
        )  # fmt: skip
        student = _student(config, lessons, teachers, kept, quiet=quiet)
        student.about["distilled"] = {"teachers": options.teachers, "steps": config.teaching.steps}
        labels = None if faces.labels is None else faces.labels[faces.held]
        report = {
            "command": " ".join(["metaforge distill", *flags_of(options, DistillOptions("", "")),
                                 *flags_of(config, DistillConfig())]),
            "config": how, "provenance": where,
            "before": _sum([saving.cost_of(teacher) for teacher in teachers]), "after": saving.cost_of(student),
            "held_out": agreeing.compared(
                said[faces.held].astype(np.float64), calibrated(student, small[faces.held]), faces.people[faces.held],
                labels,
            ),
            "calibration": "kept: it learned calibrated logits, and has a teacher's thresholds" if student.judge
                           else "none: no teacher has one",
        }  # fmt: skip
        saving.save(options.out, student, report)
    return report


def _check(config: DistillConfig) -> None:
    model = config.model
    weights_of(config.teaching, labels=True)
    try:
        choice.check(model)
    except InputError as error:
        raise InputError(f"--model.{error}") from None
    if model.hidden and model.normalisation == "frozen":
        raise InputError("--model.normalisation=frozen: random weights bring no statistics. Take support.")
    if model.normalisation == "episode":
        raise InputError("--model.normalisation=episode: its scores depend on each other. Take support.")
    if model.levels and model.backbone == "clip":
        raise InputError(f"--model.levels={model.levels}: teach an efficientnet or conv4.")


def _lessons(
    kept: Run, teachers: list[Detector], faces: images.Faces, *, features: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """The mean of the teachers' calibrated logits, and of the first one's features; made once, and kept in a file."""
    path = kept.directory / "lessons.npz"
    if not path.exists():
        shown = [faces.at(teacher.image_size) for teacher in teachers]
        made = {"logits": np.mean([calibrated(*each) for each in zip(teachers, shown, strict=True)], axis=0)}
        if features:
            from metaforge.backbones.features import embed

            first = teachers[0]
            context = first.context if first.spec.normalisation == "support" else None
            made["features"] = embed(choice.choose(first.spec), first.params, shown[0], context=context)
        write_arrays(path, **{name: each.astype(np.float32) for name, each in made.items()})
    with np.load(path, allow_pickle=False) as found:
        return found["logits"], found["features"] if features else None


def _student(
    config: DistillConfig, lessons: Lessons, teachers: list[Detector], kept: Run | None, *, quiet: bool
) -> Detector:
    spec, how = config.model, config.teaching
    model = choice.choose(spec)
    begun = jax.jit(model.init)(jax.random.key(how.seed), lessons.images[:2]) if not spec.weights else model.init(
        jax.random.key(how.seed), lessons.images[:2]
    )  # fmt: skip
    ended = taught(model, begun, lessons, how, run=kept, quiet=quiet)
    rows = np.random.default_rng([how.seed, 64]).permutation(len(lessons.images))[:CONTEXT]
    about: dict[str, Any] = {"learner": "erm", "adaptation": "none", "crop": teachers[0].crop, "rule": dict(RULE)}
    if (judge := next((teacher.judge for teacher in teachers if teacher.judge), None)) is not None:
        about["calibration"] = Judge(Calibration(), judge.bands, None).as_json()
    return Detector(ended, lessons.images[np.sort(rows)], saving.own(choice.settled(spec)), about)


def _sum(each: list[dict[str, int]]) -> dict[str, int]:
    """Of several teachers all count; what one of them does not say is left out."""
    return {name: sum(one[name] for one in each) for name in each[0] if all(name in one for one in each)}
