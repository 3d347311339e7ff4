"""What the paper's setting costs here: processor time of a clip, forward and with the way back, and the whole training.

    python -m experiments.fakeradar.clips.cost --out=clips_cost.json

The tower is ViT-B/16 with random weights, which cost as much as others. FaceForensics++ has 720 training videos and
four forgeries of each: with 4 clips a video, 60 epochs are 864,000 clips.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import metaforge as mf
from experiments.fakeradar.clips.config import PRESETS
from metaforge.backbones.clip_model import STAdapter
from metaforge.bounds import check_bounds
from metaforge.commands import launch, start
from metaforge.processor import cores
from metaforge.provenance import provenance
from metaforge.runs import write_json
from metaforge.settings import setting
from metaforge.whole import refuse_used, whole_file

VIDEOS = 720 * 5
"""Training videos of FaceForensics++ with one compression, real ones and those of four methods."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure."""

    out: str = setting("clips_cost.json", "Where the numbers go.", place="file")
    clips: int = setting(1, "Clips in a step.", least=1, most=1000)
    rounds: int = setting(3, "Rounds, of which the cheapest counts.", least=1)
    image_size: int = setting(224, "Side of the frames, in pixels; a multiple of 16.", least=16, most=4096)
    frames: int = setting(12, "Frames of a clip.", least=1, most=1000)


def run(options: Options) -> dict[str, Any]:
    """Measures, and writes the numbers."""
    check_bounds(options)
    refuse_used(options.out)
    paper = PRESETS["paper"]
    adapter = STAdapter(paper.adapter_width, "24x")
    model = mf.backbones.clip(adapter=adapter, image_size=options.image_size, neck=paper.neck, head="mlp")
    shape = (options.clips, options.frames, options.image_size, options.image_size, 3)
    clips = jnp.asarray(np.random.default_rng(0).integers(0, 256, shape), jnp.uint8)
    params = jax.jit(model.init)(jax.random.key(0), clips)
    moving = {name: part for name, part in params.items() if name != "vision"}
    frozen = {"vision": params["vision"]}
    value = lambda moving, frozen, clips: jnp.sum(model.apply(moving | frozen, clips).logits ** 2)
    found = {}
    for name, program in {"forward": jax.jit(value), "forward_and_backward": jax.jit(jax.grad(value))}.items():
        found[name] = seconds(lambda program=program: program(moving, frozen, clips), options.rounds) / options.clips
    every = VIDEOS * paper.clips * paper.epochs
    report = {
        "command": f"python -m experiments.fakeradar.clips.cost --image_size={options.image_size} "
        f"--frames={options.frames} --clips={options.clips} --rounds={options.rounds}",
        "provenance": provenance(),
        "processor_seconds_a_clip": found,
        "cores": cores(),
        "trained": int(sum(leaf.size for leaf in jax.tree.leaves(moving))),
        "clips": every,
        "days": every * found["forward_and_backward"] / cores() / 86_400,
    }
    with whole_file(options.out, new=True) as made:
        write_json(made, report)
    return report


def seconds(program: Callable[[], Any], rounds: int) -> float:
    """Seconds of processor time, which others on the machine change little, after a first round, which compiles."""
    jax.block_until_ready(program())
    found = []
    for _ in range(rounds):
        began = time.process_time()
        jax.block_until_ready(program())
        found.append(time.process_time() - began)
    return min(found)


def markdown(report: dict[str, Any]) -> str:
    """The numbers as a table."""
    each, count = report["processor_seconds_a_clip"], report["cores"]
    every = f"{report['clips']:,} clips, 60 epochs of FaceForensics++, on {count} cores"
    return "\n".join(
        [
            f"| on {report['provenance']['device']} | |",
            "|---|---|",
            f"| a clip, forward | {each['forward']:.1f} s of processor time |",
            f"| a clip, forward and back | {each['forward_and_backward']:.1f} s |",
            f"| {every} | {report['days']:.0f} days |",
            f"| numbers that are trained | {report['trained']:,} |",
        ]
    )


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        print(markdown(run(options)))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main, heavy=True)
