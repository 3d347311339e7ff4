"""How often the flags of a verdict are raised for nothing, and how often they are missed, on faces treated on purpose.

    python -m experiments.quality --model=docs/strong/detector --faces=runs/faces --left_out=bundestag --out=report.json

--faces has a folder for each collection of real photographs. Of each some are taken by a seed, found, treated by known
amounts, and written as files; the flags are those that a verdict has. How many of the treated faces are then called
fake is counted on --left_out alone, a collection that the detector was not trained on: all of them are real. Intervals
(95 %) are Wilson's; a person is taken once.
"""

import dataclasses
from typing import Any

from metaforge.bounds import check_bounds
from metaforge.commands import launch, start
from metaforge.settings import setting
from metaforge.whole import refuse_used


@dataclasses.dataclass(frozen=True)
class Options:
    """Whose faces, which detector."""

    model: str = setting(..., "A saved detector.", place="read")
    faces: str = setting(..., "A folder of real photographs for each collection.", place="read")
    left_out: str = setting(..., "The collection that the detector has not seen.")
    each: int = setting(12, "Photographs of each collection.", least=1, most=10_000)
    most: int = setting(60, "Photographs of the one left out.", least=1, most=10_000)
    seed: int = setting(0, "Which are taken.", most=2**32 - 1)
    out: str = setting(..., "The JSON report to write.", place="file")


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.quality.measuring import measured
        from experiments.quality.table import markdown
        from metaforge.runs import write_json

        check_bounds(options)
        refuse_used(options.out)
        report: dict[str, Any] = measured(options)
        write_json(options.out, report, new=True)
        print(markdown(report))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main, heavy=True)
