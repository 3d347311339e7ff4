"""How well the raw annotation of a pair finds which part of a face was forged and how, where both are known.

    python -m experiments.captions --workdir=runs/captions

On the London faces one part (mouth, nose, an eye, both, cheeks, half a face) is forged by one change (colour, blur,
added texture, a shift, another person's part) of drawn strength. The forged image is coded as JPEG and the real one at
quality 95; or both as H.264 (the extra `video`); or neither. A region is forged if at least a quarter of it has a mask
of a half or more; which types are true follows from the parameters (`metaforge.forgeries.parts.true_types`). Half of
the people choose thresholds for the mask, the regions and the cues; everything is judged on the other half, also with
the thresholds as they are shipped, which nothing was fitted for. Beside them stand the guesses "all regions" and "the
most frequent region" of the first half. Intervals (95 %) resample people. Some minutes on two cores.

References:
    DeBruine and Jones, *Face Research Lab London Set*, 2017.
"""

from experiments.captions.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.captions.running import run
        from experiments.captions.table import markdown

        print(markdown(run(config, options.workdir)))
        return f"Wrote {options.workdir}/report.json and report.md."

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
