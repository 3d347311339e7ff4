"""A file of annotations refined: who does it, what it will cost, the stream from file to file, and the report."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from metaforge.captions.records import line_of, read_records
from metaforge.captions.refining.agreement import refuse_without_overlap
from metaforge.captions.refining.answers import Refiner, kept_answers, replay
from metaforge.captions.refining.asking import Patience
from metaforge.captions.refining.costs import cost, estimate
from metaforge.captions.refining.endpoint import endpoint, request_name
from metaforge.captions.refining.guard import REFINABLE
from metaforge.captions.refining.keys import key_from
from metaforge.captions.refining.options import Options
from metaforge.captions.refining.pictures import png_pair
from metaforge.captions.refining.posting import Limits
from metaforge.captions.refining.prompt import prompt_of
from metaforge.captions.refining.refined import Summary, counted, refined_records
from metaforge.captions.refining.reporting import Report
from metaforge.captions.refining.templates import template
from metaforge.errors import InputError
from metaforge.progress import progress
from metaforge.whole import refuse_used, whole_file

_OF_ENDPOINT = (
    "base_url", "model", "key_file", "send_images", "pairs", "body", "workers", "tries", "timeout", "deadline",
    "price_in", "price_out", "image_tokens",
)  # fmt: skip


def run(options: Options) -> Summary:
    """Refines a file.

    Nothing is written over. An endpoint's answers are recorded as they come, so that a call that is made again, after
    an interruption or with another `out`, asks only for what is missing. Paths of masks are relative to the file that
    they stand in, and so are others where `out` is in another folder.

    Args:
        options: what, by whom and where to.

    Raises:
        InputError: when the annotations cannot be read, a place is taken, or the options do not fit each other.
    """
    answers = options.answers or str(Path(options.out).with_suffix("")) + ".answers.jsonl"
    _refuse(options, answers)
    more = _body(options.body)
    refiner = _refiner(options, answers, more)
    asked = _counted(options, answers, more)
    if not asked:
        raise InputError(f"annotations: '{options.annotations}' has no record. Give a file that has some.")
    report = Report(overlap=options.overlap) if options.report else None
    moved = _moved(options)
    summary = None
    with (
        whole_file(options.out, new=True) as made,
        open(made, "w", encoding="utf-8") as file,
        progress("refining", asked, unit="record") as bar,
    ):
        for record, so_far in counted(refined_records(read_records(options.annotations), refiner)):
            summary = so_far
            file.write(line_of(record | {"mask": moved(record["mask"])}))
            bar.update()
            if report:
                report.add(record)
    assert summary is not None
    if report:
        report.write(options, refiner.name, summary)
    return summary


def _moved(options: Options) -> Callable[[str | None], str | None]:
    """The path of a mask from the folder of `annotations` to that of `out`, which are what it is relative to."""
    before, after = (Path(one).resolve().parent for one in (options.annotations, options.out))

    def moved(mask: str | None) -> str | None:
        if mask is None or before == after or Path(mask).is_absolute():
            return mask
        return Path(os.path.relpath(before / mask, after)).as_posix()

    return moved


def _refuse(options: Options, answers: str) -> None:
    """What cannot work is said before anything is asked or written."""
    usual = Options(annotations="", out="")
    if options.refiner != "endpoint":
        for name in _OF_ENDPOINT:
            if getattr(options, name) != getattr(usual, name):
                raise InputError(f"{name}: it is for --refiner=endpoint. Leave it out, or choose that.")
    if options.refiner == "template" and options.answers:
        raise InputError("answers: the template records none. Leave it out, or choose another `refiner`.")
    if options.refiner == "replay" and not options.answers:
        raise InputError("answers: name the file of the recorded answers.")
    if options.send_images != bool(options.pairs):
        raise InputError("pairs: the folder of the images is needed with --send_images, and only then.")
    if options.pairs and not Path(options.pairs).is_dir():
        raise InputError(f"pairs: '{options.pairs}' is no folder. Give that of the pairs.")
    if options.overlap and not options.report:
        raise InputError("overlap: it goes into a report. Name one with `report`.")
    if options.overlap:
        refuse_without_overlap()
    refuse_used(options.out)
    if options.report:
        refuse_used(options.report)
    kept = answers if options.refiner == "endpoint" else options.answers
    places = [os.path.realpath(one) for one in (options.annotations, options.out, options.report, kept) if one]
    if len(set(places)) < len(places):
        raise InputError("out: two of --annotations, --out, --report and --answers are the same file. Choose others.")


def _body(given: str) -> dict[str, Any]:
    try:
        found = json.loads(given or "{}")
        json.dumps(found, allow_nan=False)  # Python reads NaN and infinity, and JSON has neither
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError('body: it is no JSON object. Give one such as {"temperature": 0}.')
    return found


def _refiner(options: Options, answers: str, more: Mapping[str, Any]) -> Refiner:
    if options.refiner == "template":
        return template(seed=options.seed, share=options.share)
    if options.refiner == "replay":
        return replay(answers)
    url = options.base_url or os.environ.get("METAFORGE_BASE_URL") or os.environ.get("OPENAI_BASE_URL") or ""
    if not url:
        raise InputError("base_url: name the endpoint, by the flag or METAFORGE_BASE_URL or OPENAI_BASE_URL.")
    if not options.model:
        raise InputError("model: name one, as the endpoint calls it.")
    return endpoint(
        base_url=url,
        model=options.model,
        key=key_from(options.key_file),
        images=(lambda prompt: png_pair(prompt, options.pairs)) if options.send_images else None,
        answers=answers,
        more=more,
        workers=options.workers,
        patience=Patience(tries=options.tries, deadline=options.deadline),
        limits=Limits(read=options.timeout),
    )


def _counted(options: Options, answers: str, more: Mapping[str, Any]) -> int:
    """How many records there are, all of which are read once before anything is asked; and a line on the costs."""
    if options.refiner != "endpoint":
        return sum(1 for _ in read_records(options.annotations))
    kept = kept_answers(answers)
    total = 0

    def missing() -> Iterator[Any]:
        nonlocal total
        for record in read_records(options.annotations):
            total += 1
            if record["answer"] in REFINABLE:
                prompt = prompt_of(record)
                named = request_name(prompt, model=options.model, more=more, sends_images=options.send_images)
                found = kept.find(named)
                if found is None or found.again:
                    yield prompt

    try:
        found = estimate(missing(), image_tokens=options.image_tokens if options.send_images else 0)
    finally:
        kept.close()
    price = cost(found.tokens_in, found.tokens_out, price_in=options.price_in, price_out=options.price_out)
    images = "with images" if options.send_images else "no image is sent"
    print(
        f"asking {options.model} {found.requests} questions ({images}): about {found.tokens_in:,} tokens and "
        f"{found.tokens_out:,} of answers" + (f", {price}" if price else ""),
        file=sys.stderr,
    )
    return total
