"""Checks a file of annotations, line by line, and writes it in a form that other programs read.

    metaforge captions --annotations=annotations.jsonl
    metaforge captions --annotations=annotations.jsonl --format=llava --out=llava.json

Without --format each line is held against the schema, and the first that is no record is named. The forms are llava
(conversations, for fine-tuning), clip (CSV with filepath and title, as open_clip reads it), dd_vqa, m2f2_det and
fakeshield: shapes alone, with our words and questions. What a form has no place for is said. Paths of images are
relative to the folder of pairs, and a mask's is that of the record.
"""

import collections
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.settings import setting
from metaforge.whole import refuse_used, whole_file


@dataclasses.dataclass(frozen=True)
class Options:
    """What to check, and what to write."""

    annotations: str = setting(..., "A .jsonl file that metaforge annotate wrote.", place="read")
    format: str = setting(
        "", "The form; '' only checks.", choices=("", "llava", "clip", "dd_vqa", "m2f2_det", "fakeshield")
    )
    out: str = setting("", "The file to write.", place="file")
    text: str = setting(
        "sentence", "What is said: the record's sentence; the refined text where one was accepted; the words alone.",
        choices=("sentence", "refined", "caption"),
    )  # fmt: skip
    reals: bool = setting(True, "Whether the real images are written too, each once.")


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.captions.formats import FORMATS, captioned
        from metaforge.captions.records import read_records

        if bool(options.format) != bool(options.out):
            raise InputError("`format` and `out` belong together: give both to write, and neither to check.")
        counts, written = collections.Counter(), collections.Counter()
        records = counted(read_records(options.annotations), counts, name="answer")
        if not options.format:
            collections.deque(records, maxlen=0)
            return f"{options.annotations}: {counts.total()} records of the form that is documented ({told(counts)})."
        refuse_used(options.out)
        form = FORMATS[options.format]
        captions = captioned(records, text=options.text, reals=options.reals)
        with whole_file(options.out, new=True) as made, open(made, "w", encoding="utf-8", newline="") as file:
            form.write(counted(captions, written), file)
        print(f"{options.format} has no place for: {', '.join(form.lacks) or 'nothing that is said'}.")
        return f"Wrote {options.out}: {written.total()} images of {counts.total()} pairs ({told(counts)})."

    return launch(argv, body, doc=__doc__ or "", options=Options())


def counted(items: Iterable[Any], counts: collections.Counter, *, name: str = "") -> Iterator[Any]:
    """The items, counted as they go by; by the value of a name if one is given."""
    for item in items:
        counts[item[name] if name else ""] += 1
        yield item


def told(counts: collections.Counter) -> str:
    """How often which answer was given, in words.

    Example:
        >>> told(collections.Counter(noise=1, forged=2))
        'forged 2, noise 1'
    """
    return ", ".join(f"{answer} {counts[answer]}" for answer in sorted(counts)) or "none"


def command() -> NoReturn:
    """The command as a program."""
    start(main)
