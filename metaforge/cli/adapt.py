"""Adapts a trained detector to a new kind of forgery by a few labelled images, and says what that is worth.

    metaforge adapt --run=runs/daml --target=FOLDER --shots=10 --steps=20 --out=adapted

FOLDER/real and FOLDER/fake hold images of any size and format, of which the largest face is taken; with --crops they
are face crops already. Half of them (kept together by subfolder, or by file name) is set aside to test on; support sets
are drawn from the other half, `--draws` times. The table compares the run with ERM on the same draws: not adapted, and
adapted. Its probabilities are those that `metaforge predict` prints, before and after. If adapting is shown to help on
what was set aside (in AUC, accuracy or Brier score, with an interval for three comparisons), the detector adapted on
the first draw is saved to --out, and otherwise the detector as it was (--force saves the adapted one anyway);
report.json and report.md are beside it. A fake that has the path of its real image, in its class's folder, is its
pair. With real/ alone (a new camera, no forgeries at hand) a run with --adapt.rule=discriminant is adapted too; the
report then says how many real images are called fake, before and after, and nothing of fakes. With --remembers=true the
reports also say what the saved detector has lost on the kinds that the run was trained on.
"""

from typing import NoReturn

from metaforge.cli.predict import how_to_screen
from metaforge.commands import launch, start
from metaforge.screening.adapt_options import Options


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.screening.adapt_report import markdown
        from metaforge.screening.adapting import run

        report = run(options)
        print(markdown(report))
        if report["images"]["fake"] and not any(name.startswith("erm") for name in report["table"]):
            print("Not compared with ERM: the run has none beside it. Name one with --baseline=RUN.")
        print(how_to_screen(options.out))
        saved = "adapted" if report["decision"]["saved"] == "adapted" else "as it was"
        return f"Wrote {options.out}: the detector ({saved}), report.json and report.md."

    return launch(argv, body, doc=__doc__ or "", options=Options())


def command() -> NoReturn:
    """The command as a program."""
    start(main)
