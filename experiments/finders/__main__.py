"""Which faces the face finder finds, how exactly and at what cost, on pictures whose faces people marked by hand.

    python -m experiments.finders --workdir=runs/finders --faces=london_faces
    python -m experiments.finders --workdir=runs/finders --faces=london_faces --others=open_faces

A photograph a person of the London and Canada sets (189 points, marked by hand) is put on backgrounds of 640 x 480, as
it is and turned, small, dark, covered, blurred, in groups; or its face is the whole picture (tight). Known boxes reach
from hairline to chin. A face is found by a box with an intersection over union of 0.5; a box is false that shares less
than 0.2 with every face, or is a face's second one. On half of the people the threshold is chosen at which there are at
most so many false boxes a picture, over all pictures with faces and without; the other half judges. Errors of points
are in distances of the eyes, over the faces that were found, less what they are off by on average on plain pictures of
the first half: no two sets of points mean quite the same by a nose. Where only a face's width is known (--others), its
centre and width decide. Small faces are looked for from 0.02 of the picture's longer side on, others from 0.03.
Intervals (95 %) resample people. Some minutes on two cores.

References:
    DeBruine and Jones, *Face Research Lab London Set*, 2017; *Young Adult White Faces*, 2017.
"""

from experiments.finders.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.finders.running import run
        from experiments.finders.table import markdown

        print(markdown(run(config, options.workdir, faces=options.faces, others=options.others)))
        return f"Wrote {options.workdir}/report.json and report.md."

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
