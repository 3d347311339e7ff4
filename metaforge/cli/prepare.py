"""From a data set as its owners hand it out to face crops and a manifest, ready for training.

    metaforge prepare --dataset=faceforensics --source=FF++ --check
    metaforge prepare --dataset=faceforensics --source=FF++ --out=faces/faceforensics
    metaforge prepare --dataset=celeb_df --instructions

--check reads the whole tree and says what is missing, twice there, empty or unreadable; it writes nothing. Called again
after an interruption, it goes on where it was; called again after files were added or replaced, it makes what they
change. Videos need the extra `video`, looking for faces the extra `faces`.
"""

from typing import NoReturn

from metaforge.commands import launch, start
from metaforge.data.prepare_options import Config, Options


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What works is imported where it is used, so that --help answers at once.
        from metaforge.data.catalogues import CATALOGUES
        from metaforge.data.preparing import catalogue, check, run

        if options.instructions:
            return CATALOGUES[options.dataset].instructions
        if options.check:
            found = catalogue(options, config)
            findings = check(found)
            for finding in findings:
                print(f"{finding.kind}: {finding.path}: {finding.message}")
            return f"{len(found.videos)} videos, {len(findings)} findings; nothing was written."
        report = run(options, config)
        for split, methods in report["counts"].items():
            for method, count in methods.items():
                print(f"{split:10s} {method:20s} {count['videos']:6d} videos {count['images']:8d} images")
        print(f"dropped: {report['dropped'] or 'nothing'}; see {options.out}/dropped.csv")
        if away := faces_away(report["faces"]):
            print(away)
        for kind, copies in report["copies"].items():
            print(
                f"copies: {copies['pictures']} pictures {kind}, the first '{copies['first']}'. Take out what is wrong."
            )
        return f"Wrote {options.out}/manifest.csv and {options.out}/provenance.json."

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Config(), resumes=True)


def faces_away(faces: dict[str, int]) -> str:
    """One line on the times that the people who were followed were away, "" if they never were.

    Example:
        >>> faces_away({"videos followed": 9, "gaps": 3, "videos with gaps": 2, "videos with other people": 0})
        'away: in 2 of 9 videos the face that is followed is away for a while, 3 times in all; such frames are dropped'
    """
    if not faces["gaps"]:
        return ""
    where = f"in {faces['videos with gaps']} of {faces['videos followed']} videos"
    times = "once" if faces["gaps"] == 1 else f"{faces['gaps']} times in all"
    return f"away: {where} the face that is followed is away for a while, {times}; such frames are dropped"


def command() -> NoReturn:
    """The command as a program."""
    start(main)
