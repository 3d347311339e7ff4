"""FakeRadar on clips of films: ST-Adapters and head trained end to end, tri-training beside binary cross-entropy.

    python -m experiments.fakeradar.clips --workdir=runs/clips --preset=paper --weights=clip.safetensors
    python -m experiments.fakeradar.clips --workdir=runs/tiny --preset=tiny

Films of moving faces are forged from photographs and written as H.264 below the working directory; people in test
films are in no other. Source methods are trained on; the AUC of films, on methods that nobody has seen and on source
methods, is in report.json and report.md. Called again, it goes on. `--preset=paper` is the published setting and wants
an accelerator; `--preset=tiny` tries the program out on a small tower of random weights.
"""

from pathlib import Path

from experiments.fakeradar.clips.config import PRESETS, Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.fakeradar.clips.running import run

        run(options, config)
        print("\n" + (Path(options.workdir) / "report.md").read_text(encoding="utf-8", errors="surrogateescape"))
        return f"Wrote {options.workdir}/report.json and report.md."

    return launch(
        argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=PRESETS["paper"], presets=PRESETS
    )


if __name__ == "__main__":
    start(main, heavy=True)
