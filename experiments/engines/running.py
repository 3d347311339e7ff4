"""Every engine on the same images in the same rounds, and what 8-bit numbers change of the scores."""

import contextlib
import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import jax
import numpy as np

from experiments.engines import torch_network
from experiments.engines.config import Config
from experiments.engines.quantised import FORMS, quantised
from metaforge import processor
from metaforge.backbones import choice
from metaforge.backbones.spec import EFFICIENTNETS, BackboneSpec
from metaforge.core.tuning import interleave
from metaforge.data.embedded_faces import embedded_faces
from metaforge.errors import InputError
from metaforge.evaluation import auc, paired_difference
from metaforge.evaluation.interval import Interval
from metaforge.forgeries import FORGERIES
from metaforge.forgeries.synthesis import synthesise
from metaforge.provenance import provenance
from metaforge.runs import write_json
from metaforge.screening import Detector, load_detector
from metaforge.screening.portable import PortableDetector, onnx_of, read_onnx
from metaforge.screening.portable.scoring import session_of

OURS, PLAIN = "metaforge on ONNX Runtime", "ONNX Runtime alone"


def run(config: Config, out: str) -> dict[str, Any]:
    """Measures and writes the report."""
    batches = _numbers(config.batches)
    detector = load_detector(config.model) if config.model else _random(config)
    model = onnx_of(detector)
    faces, records = _faces(config, detector.image_size)
    smaller = {}
    for form in FORMS:
        try:
            smaller[form] = quantised(model, form, faces)
            session_of(smaller[form])
        except Exception as error:  # noqa: BLE001 - what a tool cannot do is one of the findings
            smaller[form] = " ".join(str(error).split())[:200]
    report: dict[str, Any] = {
        "command": config_command(config),
        "model": config.model or f"{config.backbone}, random weights",
        "machine": _machine(),
        "sizes_mb": {name: len(each) / 1e6 for name, each in {OURS: model, **smaller}.items()
                     if isinstance(each, bytes)},
        "failed": {name: each for name, each in smaller.items() if isinstance(each, str)},
        "agreement": {},
        "speed": {},
        "provenance": provenance(),
    }  # fmt: skip
    if config.model:
        report["agreement"] = _agreement(detector, read_onnx(model, "model"), smaller, records)
    for batch in batches:
        images = np.resize(records.image, (batch, *records.image.shape[1:]))
        programs = _programs(detector, model, smaller, images)
        if config.torch:
            programs |= _torch_programs(detector, images)
        report["speed"][str(batch)] = _statistics(interleave(programs, rounds=config.rounds), batch)
    write_json(out, report)
    return report


def config_command(config: Config) -> str:
    """The command that measures so."""
    usual = Config()
    flags = [f"--{name}={value}" for name, value in vars(config).items() if value != getattr(usual, name)]
    return " ".join(["python -m experiments.engines", *flags])


def _programs(
    detector: Detector, model: bytes, smaller: dict[str, Any], images: np.ndarray
) -> dict[str, Callable[[], Any]]:
    ours, plain, batch = read_onnx(model, "model"), session_of(model), len(images)
    programs: dict[str, Callable[[], Any]] = {
        OURS: lambda: ours.examine(images, batch=batch),
        PLAIN: lambda: plain.run(None, {"images": images}),
        "JAX": lambda: detector.examine(images, batch=batch),
    }
    for name, each in smaller.items():
        if isinstance(each, bytes):
            session = session_of(each)
            programs[name] = lambda session=session: session.run(None, {"images": images})
    return programs


def _torch_programs(detector: Detector, images: np.ndarray) -> dict[str, Callable[[], Any]]:
    spec = detector.spec
    if spec.levels or spec.neck or spec.head != "linear" or spec.normalisation != "frozen":
        return {}
    try:
        import torch
    except ImportError:
        return {}
    made = torch_network.network(choice.plan(spec), detector.params, classes=spec.num_classes)
    given = torch.from_numpy(np.ascontiguousarray(images))
    with torch.inference_mode():
        said = made(given).numpy()
    # Beyond 15 the detector's logits are those of what a float32 tells from 0 and 1.
    found, expected = (np.clip(each, -15, 15) for each in (said[:, 1] - said[:, 0], detector.examine(images)[0]))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)

    def called(network):
        def program():
            with torch.inference_mode():
                return network(given)

        return program

    programs = {"PyTorch, eager": called(made)}
    compiled = called(torch.compile(made))
    # Without a C++ compiler there is no such program.
    with contextlib.suppress(Exception):
        compiled()
        programs["PyTorch, compiled"] = compiled
    return programs


def _agreement(
    detector: Detector, ours: PortableDetector, smaller: dict[str, Any], records: Any
) -> dict[str, dict[str, Any]]:
    """How far each form's probabilities lie from JAX's, and what that does to the AUC."""
    labels, people = records.label, records.identity
    plain = detector.examine(records.image)[0]
    probability = lambda logits: 0.5 * (1 + np.tanh(0.5 * logits))
    found = {}
    sessions = {OURS: ours.session, **{n: session_of(each) for n, each in smaller.items() if isinstance(each, bytes)}}
    for name, session in sessions.items():
        logits = np.asarray(ours._replace(session=session).examine(records.image)[0], np.float64)
        change = paired_difference(labels, logits.reshape(1, 1, -1), plain.reshape(1, 1, -1), people)
        found[name] = {
            "largest_difference": float(np.abs(probability(logits) - probability(plain)).max()),
            "auc": float(auc(labels, logits)),
            "auc_gained": change.as_json(),
            "images": len(labels),
        }
    return found


def _statistics(times: dict[str, np.ndarray], batch: int) -> dict[str, Any]:
    rows = {}
    for name, ms in times.items():
        middle, low, high = np.percentile(times[PLAIN] / ms, [50, 5, 95]).tolist()
        rows[name] = {
            "ms_an_image_p50": float(np.median(ms)) / batch,
            "ms_p95": float(np.percentile(ms, 95)),
            "times_as_fast_as_plain": Interval(middle, low, high).as_json(),
        }
    return rows


def _random(config: Config) -> Detector:
    if config.backbone not in EFFICIENTNETS:
        raise InputError(f"--backbone: unknown '{config.backbone}'; known: {', '.join(EFFICIENTNETS)}.")
    spec = BackboneSpec(image_size=config.size, backbone=config.backbone, normalisation="frozen")
    blank = np.zeros((1, config.size, config.size, 3), np.uint8)
    params = jax.jit(choice.choose(spec).init)(jax.random.key(0), blank.astype(np.float32))
    return Detector(jax.tree.map(np.asarray, params), blank, spec, {})


def _faces(config: Config, size: int) -> tuple[np.ndarray, Any]:
    """Faces for the ranges, and pairs of other people for the AUC; half of the people for each."""
    faces = embedded_faces("london", size=size)
    people = sorted({face.identity for face in faces})
    first = set(people[: len(people) // 2])
    # No more are forged than are asked for: of each photograph every method makes a pair.
    enough = lambda wanted: max(4, -(-wanted // (2 * len(FORGERIES))))
    of = lambda chosen, wanted: [face for face in faces if (face.identity in first) == chosen][: enough(wanted)]
    ours, theirs = of(True, config.known), of(False, config.faces)
    known = synthesise(ours, methods=tuple(FORGERIES), variants=1, seed=0, split="train", fit_faces=ours)
    records = synthesise(theirs, methods=tuple(FORGERIES), variants=1, seed=1, split="test", fit_faces=ours)
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.permutation(len(known))[: config.known])
    # Whole pairs, which lie beside each other.
    pairs = rng.permutation(len(records) // 2)[: config.faces // 2]
    return np.asarray(known.image)[chosen], records.take(np.sort(np.concatenate([2 * pairs, 2 * pairs + 1])))


def _machine() -> dict[str, Any]:
    versions = {}
    for name in ("jax", "onnxruntime", "onnx", "torch"):
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    known = processor.flags()
    has = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if flag in known]
    return {
        "processor": processor.name(), "instructions": " ".join(has), "cores": os.cpu_count(), "versions": versions
    }  # fmt: skip


def _numbers(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise InputError(f"--batches={text}: give numbers above 0, with commas.")
    return found
