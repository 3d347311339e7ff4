"""Every engine on the same images in the same rounds, and what 8-bit numbers change of the scores."""

import contextlib
import functools
import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import jax
import numpy as np

from experiments.engines import openvino_runtime
from experiments.engines.config import Config
from experiments.engines.quantised import FORMS, quantised
from experiments.engines.torch_programs import torch_programs
from metaforge import processor
from metaforge.backbones import choice
from metaforge.backbones.spec import EFFICIENTNETS, BackboneSpec
from metaforge.compression import costs
from metaforge.core.tuning import SIDE, interleave, matrix_product
from metaforge.data.embedded_faces import embedded_faces
from metaforge.errors import InputError
from metaforge.evaluation import auc, paired_difference
from metaforge.evaluation.interval import Interval
from metaforge.forgeries import FORGERIES
from metaforge.forgeries.synthesis import synthesise
from metaforge.provenance import provenance
from metaforge.runs import write_json
from metaforge.screening import Detector, load_detector
from metaforge.screening.portable import onnx_of, read_onnx
from metaforge.screening.portable.opened import session_of

OURS, PLAIN = "metaforge on ONNX Runtime", "ONNX Runtime alone"
KNOWN = (*FORMS, openvino_runtime.FLOAT, openvino_runtime.HALF, openvino_runtime.SMALL)
"""Forms and engines beside them."""

PRODUCT = "matrix product"
"""From what the processor's speed is taken."""


def run(config: Config, out: str) -> dict[str, Any]:
    """Measures and writes the report."""
    batches, forms = _numbers(config.batches), [name for name in config.forms.split(";") if name]
    if unknown := set(forms) - set(KNOWN):
        raise InputError(f"--forms: unknown '{min(unknown)}'; known: {'; '.join(KNOWN)}.")
    if set(forms) - set(FORMS) and not openvino_runtime.there():
        raise InputError("--forms: OpenVINO is not installed. pip install openvino nncf, or leave its forms out.")
    if not config.model and config.backbone not in RANDOM:
        raise InputError(f"--backbone: unknown '{config.backbone}'; known: {', '.join(RANDOM)}.")
    if not config.model and config.backbone == "clip" and config.size % 16:
        raise InputError(f"--size={config.size}: clip takes a multiple of its patch of 16.")
    detector = named(config.model or config.backbone, size=config.size)
    model = onnx_of(detector)
    faces, records = faces_of(config, detector.image_size)
    runners, sizes, failed = _runners(model, faces, forms)
    flop = None if detector.spec.fusion else 2.0 * costs(detector.spec).multiply_adds
    report: dict[str, Any] = {
        "command": config_command(config),
        "model": config.model or f"{config.backbone}, random weights",
        "machine": machine(),
        "sizes_mb": {name: size / 1e6 for name, size in sizes.items()},
        "failed": failed,
        "agreement": _agreement(detector, runners, records) if config.model else {},
        "speed": {},
        "matrix_product_gflop_s": {},
        "gflop_an_image": None if flop is None else flop / 1e9,
        "provenance": provenance(),
    }
    for batch in batches:
        images = np.resize(records.image, (batch, *records.image.shape[1:]))
        programs = _programs(detector, model, runners, images)
        if config.torch:
            programs |= torch_programs(detector, images)
        times = interleave(programs | {PRODUCT: matrix_product()}, rounds=config.rounds)
        limit = 2 * SIDE**3 / (np.min(times.pop(PRODUCT)) * 1e6)
        report["matrix_product_gflop_s"][str(batch)] = limit
        report["speed"][str(batch)] = _statistics(times, batch) if flop is None else {
            name: row | {"of_matrix_product": flop / row["ms_an_image_p50"] / 1e6 / limit}
            for name, row in _statistics(times, batch).items()
        }  # fmt: skip
    write_json(out, report)
    return report


def config_command(config: Config) -> str:
    """The command that measures so."""
    usual = Config()
    flags = [f"--{name}={value}" for name, value in vars(config).items() if value != getattr(usual, name)]
    return " ".join(["python -m experiments.engines", *flags])


RANDOM = (*EFFICIENTNETS, "clip")
"""What is made with random weights, by its name."""

Runner = Callable[[np.ndarray], np.ndarray]
"""Uint8 images to logits."""


def _runners(
    model: bytes, faces: np.ndarray, forms: list[str]
) -> tuple[dict[str, Runner], dict[str, int], dict[str, str]]:
    """Every form on every engine that takes it, how large it is in bytes, and why some cannot be had."""
    ours = read_onnx(model, "model", alone=True)
    runners: dict[str, Runner] = {OURS: lambda images: ours.examine(images, batch=len(images))[0]}
    sizes, failed = {OURS: len(model)}, {}

    def by_onnx_runtime(form):
        made = quantised(model, form, faces)
        session = session_of(made, alone=True)
        return lambda images: session.run(["logit"], {"images": images})[0], len(made)

    makers = {name: functools.partial(by_onnx_runtime, form) for name, form in FORMS.items()}
    if openvino_runtime.there():
        makers |= {openvino_runtime.FLOAT: lambda: openvino_runtime.by_engine(model, half=False),
                   openvino_runtime.HALF: lambda: openvino_runtime.by_engine(model, half=True),
                   openvino_runtime.SMALL: lambda: openvino_runtime.by_nncf(model, faces)}  # fmt: skip
    for name in forms or makers:
        try:
            runners[name], sizes[name] = makers[name]()
        except Exception as error:  # noqa: BLE001 - what a tool cannot do is one of the findings
            failed[name] = " ".join(str(error).split())[:200]
    return runners, sizes, failed


def _programs(
    detector: Detector, model: bytes, runners: dict[str, Runner], images: np.ndarray
) -> dict[str, Callable[[], Any]]:
    from onnxruntime import InferenceSession

    # As anybody would open it, with nothing of ours.
    plain, batch = InferenceSession(model, providers=["CPUExecutionProvider"]), len(images)
    programs: dict[str, Callable[[], Any]] = {
        name: functools.partial(runner, images) for name, runner in runners.items()
    }
    programs[PLAIN] = lambda: plain.run(None, {"images": images})
    programs["JAX"] = lambda: detector.examine(images, batch=batch)
    return programs


def _agreement(detector: Detector, runners: dict[str, Runner], records: Any) -> dict[str, dict[str, Any]]:
    """How far each form's probabilities lie from JAX's, and what that does to the AUC."""
    labels, people = records.label, records.identity
    plain = detector.examine(records.image)[0]
    probability = lambda logits: 0.5 * (1 + np.tanh(0.5 * logits))
    found = {}
    for name, runner in runners.items():
        parts = [runner(records.image[start : start + 16]) for start in range(0, len(labels), 16)]
        logits = np.concatenate(parts).astype(np.float64)
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


def named(name: str, *, size: int = 224) -> Detector:
    """A saved detector by its folder, or an efficientnet or CLIP ViT-B/16 with random weights by its name."""
    if name not in RANDOM:
        return load_detector(name)
    spec = BackboneSpec(image_size=size, backbone=name, normalisation="none" if name == "clip" else "frozen")
    blank = np.zeros((1, size, size, 3), np.uint8)
    params = jax.jit(choice.choose(spec).init)(jax.random.key(0), blank.astype(np.float32))
    return Detector(jax.tree.map(np.asarray, params), blank, spec, {})


def faces_of(config: Config, size: int) -> tuple[np.ndarray, Any]:
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


def machine() -> dict[str, Any]:
    """The processor, and the versions of what is measured."""
    versions = {}
    for name in ("jax", "onnxruntime", "onnx", "torch", "openvino", "nncf"):
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
