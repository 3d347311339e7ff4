"""What runs a detector fastest on this machine, and what smaller numbers cost.

    python -m experiments.engines --model=docs/strong/detector --out=engines.json
    python -m experiments.engines --backbone=efficientnet_lite0 --out=engines.json
    python -m experiments.engines --backbone=clip --batches=1,8,32 --forms='OpenVINO;OpenVINO, bfloat16' --out=clip.json

Every program scores the same face crops, in rounds that run each once, so that ratios hold while the machine's speed
drifts: the detector in JAX, as metaforge runs it on ONNX Runtime, ONNX Runtime alone on the same graph, the graph in
smaller numbers in every form (--forms names some), OpenVINO if it is installed, and PyTorch eager and compiled on the
same weights (the extra `bench`; of a whole network without levels; of CLIP in bfloat16, too). A product of large
matrices in the same rounds says what the processor can do. Of a saved detector the AUC is taken before and after on
forged faces of London, of people from whom no range of an 8-bit number was taken. It takes the extra `onnx`.
"""

from experiments.engines.config import Config, Options
from metaforge.commands import launch, start
from metaforge.whole import refuse_used


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        refuse_used(options.out)
        from experiments.engines.running import run
        from experiments.engines.table import markdown

        print(markdown(run(config, options.out)))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
