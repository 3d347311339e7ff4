"""How far maps of a score depend on what the detector has learned, and whether they show where a face was forged.

    python -m experiments.evidence.maps --model=docs/strong/detector --faces=runs/faces/bundestag --out=maps.json

Give faces of a collection that the detector has not seen. Each face is forged by one method, in turn. The map of a
detector (`metaforge.screening.evidence.heat`) is compared with that of the same network with every array of its weights
shuffled, by Spearman's correlation: a map that stays the same shows edges, not a detector (Adebayo et al. 2018). Beside
it stands how often the hottest cell of a fake lies where it was forged, and how often a cell drawn at random would.
Intervals (95 %) resample faces.
"""

import dataclasses
import itertools
from typing import Any

import numpy as np

from metaforge.bounds import check_bounds
from metaforge.commands import flags_of, launch, start
from metaforge.settings import setting
from metaforge.whole import refuse_used


@dataclasses.dataclass(frozen=True)
class Options:
    """Whose maps, on which faces."""

    model: str = setting(..., "A saved detector.", place="read")
    faces: str = setting(..., "A folder of real photographs of one collection.", place="read")
    each: int = setting(40, "Faces.", least=2, most=10_000)
    shuffles: int = setting(3, "Detectors with shuffled weights.", least=1, most=100)
    resamples: int = setting(1000, "Of faces, for intervals.", least=10, most=1_000_000)
    seed: int = setting(0, "Of faces, forgeries, shuffles and resamples.", most=2**32 - 1)
    out: str = setting(..., "The JSON report to write.", place="file")


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        from metaforge.runs import write_json

        check_bounds(options)
        refuse_used(options.out)
        report = measured(options)
        write_json(options.out, report, new=True)
        print(markdown(report))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


def measured(options: Options) -> dict[str, Any]:
    """The report.

    Args:
        options: whose maps, on which faces.
    """
    # What computes is imported where it is used, so that --help answers at once.
    from metaforge.data.faces import load_faces
    from metaforge.forgeries.synthesis import FORGERIES, forge_pairs
    from metaforge.provenance import provenance
    from metaforge.screening.evidence.heat import rank_correlation
    from metaforge.screening.predicting import detector_in

    where = provenance()
    detector = detector_in(options.model)
    faces = load_faces(options.faces, size=detector.image_size).faces[: options.each]
    others = [shuffled(detector, [options.seed, number]) for number in range(options.shuffles)]
    rows: dict[str, list[float]] = {"shuffled": [], "real": [], "hit": [], "chance": []}
    place = {face.name: number for number, face in enumerate(faces)}
    for pair in forge_pairs(faces, methods=tuple(FORGERIES), variants=1, seed=options.seed):
        if list(FORGERIES)[place[pair.face.name] % len(FORGERIES)] != pair.method:
            continue
        fake, real = (_map(detector, image) for image in (pair.forged.fake, pair.forged.real))
        random = [rank_correlation(fake, _map(other, pair.forged.fake)) for other in others]
        forged = _cells(pair.forged.mask, len(fake)) > 0.5
        rows["shuffled"].append(float(np.mean(random)))
        rows["real"].append(rank_correlation(fake, real))
        rows["hit"].append(float(forged.ravel()[np.argmax(fake)]))
        rows["chance"].append(float(forged.mean()))
    flags = flags_of(options, Options("", "", out=""), but=("out",))
    return {
        "command": " ".join(["python -m experiments.evidence.maps", *flags]),
        "config": dataclasses.asdict(options),
        "provenance": where,
        "faces": len(faces),
        "maps": {name: _interval(values, options) for name, values in rows.items()},
    }


def shuffled(detector, seed: list[int]):
    """The same network with the numbers of each array of weights in another order."""
    import jax

    leaves, tree = jax.tree.flatten(detector.params)
    rng = np.random.default_rng(seed)
    mixed = [rng.permutation(np.asarray(each).ravel()).reshape(each.shape) for each in leaves]
    return detector._replace(params=jax.tree.unflatten(tree, mixed))


def _map(detector, image: np.ndarray) -> np.ndarray:
    from metaforge.screening.evidence.heat import occlusion_map

    found = occlusion_map(lambda crops: detector.examine(crops, batch=detector.batch)[0], image)
    return np.nan_to_num(found)


def _cells(mask: np.ndarray, grid: int) -> np.ndarray:
    ends = np.rint(np.linspace(0, len(mask), grid + 1)).astype(int)
    bounds = list(itertools.pairwise(ends))
    return np.array([[mask[a:b, c:d].mean() for c, d in bounds] for a, b in bounds])


def _interval(values: list[float], options: Options) -> dict[str, float]:
    found = np.array(values)
    rng = np.random.default_rng(options.seed)
    means = found[rng.integers(len(found), size=(options.resamples, len(found)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"value": float(found.mean()), "low": float(low), "high": float(high)}


def markdown(report: dict[str, Any]) -> str:
    """A row for each measure."""
    show = lambda found: f"{found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
    says = {
        "shuffled": "rank correlation of a fake's map with that of the network with shuffled weights",
        "real": "rank correlation of a fake's map with that of its real image",
        "hit": "share of fakes whose hottest cell was forged",
        "chance": "share of cells that were forged, which a cell drawn at random hits",
    }
    lines = ["| measure | value |", "|---|---|"]
    lines += [f"| {says[name]} | {show(found)} |" for name, found in report["maps"].items()]
    return "\n".join([*lines, "", f"{report['faces']} faces, each forged by one of eight methods in turn."]) + "\n"


if __name__ == "__main__":
    start(main, heavy=True)
