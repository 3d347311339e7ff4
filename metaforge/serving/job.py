"""The process in which one adapter is made: `python -m metaforge.serving.job`, with one line of JSON on its input.

JAX is imported here, and neither by the service nor by its workers. What the library prints goes nowhere; one line of
JSON on the output says how it ended. When the input ends, the service is gone, and so is this process.
"""

import contextlib
import importlib.util
import json
import os
import re
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metaforge.errors import InputError
from metaforge.serving.logs import broken
from metaforge.serving.placing import NAMES

FIELDS = ("shots", "force", "crops", "unlabelled")
"""What of the library's options a request can say."""

PLACES = ("run", "target", "out", "unlabelled", "baseline", "weights")
"""Those that name places."""

OURS = "the service's detector"


def why_not(model: str) -> str:
    """Why a detector cannot be adapted here at all, in a sentence or two; "" if nothing is known against it.

    Example:
        >>> why_not("a/folder")
        ''
    """
    if Path(model).is_file():
        return ("This service runs a detector in ONNX, which cannot be adapted. Start it with the folder of a saved "
                "detector, or of a training run.")  # fmt: skip
    missing = [name for name in ("jax", "onnx") if importlib.util.find_spec(name) is None]
    return f"This service cannot adapt: {missing[0]} is not installed where it runs. Install it." if missing else ""


def main() -> None:
    """Reads what to do, does it, says how it ended."""
    asked = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_service, daemon=True).start()
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    _give_way()
    try:
        answer = made(**asked)
    except InputError as error:
        answer = {"refused": worded(str(error), Path(asked["folder"]), asked["model"])}
    except MemoryError:
        answer = {"refused": "The memory here is not enough for so many images. Send fewer."}
    except Exception as error:  # noqa: BLE001 - the service logs whatever it is
        answer = broken(error)
    with said:
        said.write(json.dumps(answer))
    os._exit(0)  # at once: XLA may have threads that do not survive Python's way of ending


def made(*, folder: str, model: str, weights: str, shots: int, force: bool, crops: bool) -> dict[str, Any]:
    """Adapts a detector to the images in FOLDER/target, and writes it to FOLDER/detector and beside that in ONNX.

    Args:
        folder: the adapter's own.
        model: what is adapted.
        weights: where its weights are, if not where they were.
        shots: labelled images a class.
        force: whether to save it adapted in any case.
        crops: whether the images are face crops.

    Returns:
        "report", as it is in report.json but for places of this machine and names of images; "sha256" of the saved
        detector; "about", what `/v1/models` says of it.

    Raises:
        InputError: as `metaforge.screening.adapting.run` and `metaforge.serving.served.served_of`.
    """
    from metaforge.screening.adapt_options import Options
    from metaforge.screening.adapting import run
    from metaforge.serving.running import about_of
    from metaforge.serving.served import served_of

    place = Path(folder)
    save_to, target = place / "detector", place / "target"
    more = str(target / "unlabelled") if (target / "unlabelled").is_dir() else ""
    run(Options(run=model, target=str(target), out=str(save_to), unlabelled=more, weights=weights, shots=shots,
                force=force, crops=crops))  # fmt: skip
    beside = weights if _stands_on_weights(save_to) else ""
    # Verdicts name the adapter, and not the folder "detector" that every adapter has.
    served = served_of(str(save_to), place, id=place.name, weights=beside)._replace(name=place.name)
    report = json.loads((save_to / "report.json").read_text(encoding="utf-8"))
    return {"report": _handed_out(report, _names(place)), "sha256": served.sha256, "about": about_of(served)}


def _handed_out(report: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A report without the service's own places, in which skipped images have their senders' names."""
    command = {name: value for name, value in report["command"].items() if name not in PLACES}
    skipped = [{name: called(text, names) for name, text in each.items()} for each in report["skipped_files"]]
    return report | {"command": command, "skipped_files": skipped}


def _stands_on_weights(detector: Path) -> bool:
    return "weights" in json.loads((detector / "config.json").read_text(encoding="utf-8"))["detector"]


def worded(message: str, folder: Path, model: str, names: Mapping[str, str] | None = None) -> str:
    """An error of the library in the words of a request: fields for flags, and no place of this machine.

    Advice that a request cannot follow, since it has no such field, is left out.

    Args:
        message: as the library says it.
        folder: the adapter's.
        model: what was adapted.

    Other Arguments:
        names: what the sender calls images; read from beside them if left out.

    Example:
        >>> text = "target: 3 images in 'a/target' are too few. Lower --shots or --test_share, or give more images."
        >>> worded(text, Path("a"), "base", {})
        '3 images in the upload are too few. Lower `shots`, or give more images.'
        >>> worded("run: 'base' has no rule. Give its run. Take --rule=steps.", Path("a"), "base", {})
        "the service's detector has no rule. Give its run."
    """
    if names is None:
        names = _names(folder)
    text = " ".join(message.split())
    text = re.sub(r"^(--)?(target|run|model)(=\S+)?: ", "", text)
    target = f"{folder / 'target'}"
    for place, said in {
        f"the detector in '{model}'": OURS, f"'{model}'": OURS, f"'{target}/unlabelled'": "`unlabelled`",
        f"'{target}'": "the upload", f"'{folder / 'detector'}'": "the adapted detector", f"{target}/": "",
        f"{folder}/": "",
    }.items():  # fmt: skip
        text = text.replace(place, said)
    text = text.replace("--shots or --test_share", "--shots").replace("no subfolder '", "no image in the field '")
    text = called(text, names)
    sentences = re.split(r"(?<=[.;]) ", text)
    possible = lambda sentence: all(flag in FIELDS for flag in re.findall(r"--(\w+)", sentence))
    kept = [each for place, each in enumerate(sentences) if place == 0 or possible(each)]
    # The first says what is wrong, and stays whatever it names.
    field = lambda found: f"`{found[1]}`" + (f" {found[3]}" if found[3] else "")
    text = re.sub(r"--(\w+)(=(\w+))?", field, " ".join(kept))
    return re.sub(r";$", ".", text)


def called(text: str, names: Mapping[str, str]) -> str:
    """A text in which images have the names that their sender gave them.

    Example:
        >>> called("as real/g001/0003.png is", {"real/g001/0003.png": "real/clip/7.png"})
        'as real/clip/7.png is'
    """
    return re.sub(r"\b(real|fake|unlabelled)/(g\d+/)?\d+\.\w+", lambda found: names.get(found[0], found[0]), text)


def _names(folder: Path) -> dict[str, str]:
    with contextlib.suppress(OSError, ValueError):
        return json.loads((folder / "target" / NAMES).read_text(encoding="utf-8"))
    return {}


def _give_way() -> None:
    """The service's answers come first, and where memory is short it is this process that the system ends."""
    os.nice(10)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _end_with_service() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
