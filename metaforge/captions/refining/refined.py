"""Records with what a refiner made of their sentences, as a stream, and what came of all of them."""

import collections
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from metaforge.captions.refining.answers import Answer, Refiner
from metaforge.captions.refining.guard import REFINABLE, judge
from metaforge.captions.refining.prompt import Prompt, prompt_of

NOT_COMPARED = "the pair was not compared"
_KINDS = 1000
"""So many different reasons are told apart; what follows counts as one more."""


def refined_records(
    records: Iterable[Mapping[str, Any]], refiner: Refiner
) -> Iterator[tuple[dict[str, Any], Answer | None]]:
    """Each record with `refined`, and the answer that it was made of, if the pair was compared; in their order.

    `refined` has `text`, which may always be used: the refined sentence if the guard accepted it, and otherwise the raw
    one; `refiner`; `accepted`; `why`, the reason against it; and `rejected`, what the guard refused.

    Args:
        records: as `metaforge.captions.records.read_records` gives them; they are read as the refiner asks for them.
        refiner: who makes the sentences.

    Example:
        >>> from metaforge.captions.refining.templates import template
        >>> record = {"id": "a", "real": "r.png", "fake": "f.png", "answer": "identical", "regions": [], "types": [],
        ...     "share": None, "sentence": "No forgery found: the two images are identical.", "derivation": []}
        >>> [made["refined"]["accepted"] for made, _ in refined_records([record], template())]
        [True]
    """
    waiting: collections.deque[Mapping[str, Any]] = collections.deque()

    def prompts() -> Iterator[Prompt]:
        for record in records:
            waiting.append(record)
            if record["answer"] in REFINABLE:
                yield prompt_of(record)

    for answer in refiner.refine(prompts()):
        while waiting[0]["answer"] not in REFINABLE:
            yield _without(waiting.popleft(), NOT_COMPARED, refiner.name), None
        record = waiting.popleft()
        assert answer.id == record["id"], f"{refiner.name} answers out of order"
        yield _with(record, answer), answer
    for record in waiting:
        assert record["answer"] not in REFINABLE, f"{refiner.name} gives no answer"
        yield _without(record, NOT_COMPARED, refiner.name), None


class Summary(NamedTuple):
    """What came of some records.

    Attributes:
        records: how many.
        accepted: texts that the guard accepted.
        rejected: texts that it refused.
        failed: questions without an answer.
        not_compared: pairs that there was nothing to say of.
        rejections: how often which reason, without what was named.
        failures: likewise.
        examples: of each kind of failure the first, as it was said.
        usage: tokens by name.
    """

    records: int
    accepted: int
    rejected: int
    failed: int
    not_compared: int
    rejections: collections.Counter
    failures: collections.Counter
    examples: dict[str, str]
    usage: collections.Counter

    def __str__(self) -> str:
        """One line."""
        parts = [f"{self.accepted} accepted", f"{self.rejected} rejected" + _often(self.rejections)]
        parts.append(f"{self.failed} failed" + _often(self.failures, self.examples))
        if self.not_compared:
            parts.append(f"{self.not_compared} not compared")
        return f"{self.records} records: {', '.join(parts)}"


def counted(made: Iterable[tuple[dict[str, Any], Answer | None]]) -> Iterator[tuple[dict[str, Any], Summary]]:
    """The records of `refined_records`, each with what came of all up to it.

    Example:
        >>> record = {"refined": {"accepted": False, "why": "names 'nose', which the annotation does not"}}
        >>> answer = Answer("a", "The nose.", "", {}, "by hand")
        >>> [str(summary) for _, summary in counted([(record, answer)])]
        ["1 records: 0 accepted, 1 rejected (mostly: names '...', which the annotation does not), 0 failed"]
    """
    counts = collections.Counter()
    rejections, failures, usage = collections.Counter(), collections.Counter(), collections.Counter()
    examples: dict[str, str] = {}
    for record, answer in made:
        said = record["refined"]
        if answer is None:
            counts["not_compared"] += 1
        elif answer.text is None:
            counts["failed"] += 1
            examples.setdefault(_count(failures, said["why"]), said["why"])
        elif said["accepted"]:
            counts["accepted"] += 1
        else:
            counts["rejected"] += 1
            _count(rejections, said["why"])
        usage.update(answer.usage if answer else {})
        counts["records"] += 1
        yield record, Summary(
            counts["records"], counts["accepted"], counts["rejected"], counts["failed"], counts["not_compared"],
            rejections, failures, examples, usage,
        )  # fmt: skip


def _with(record: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    if answer.text is None:
        return _without(record, answer.failure, answer.refiner)
    verdict = judge(answer.text, record)
    if not verdict.accepted:
        made = _without(record, verdict.why, answer.refiner)
        return made | {"refined": made["refined"] | {"rejected": answer.text}}
    return {**record, "refined": {"text": answer.text, "refiner": answer.refiner, "accepted": True, "why": ""}}


def _without(record: Mapping[str, Any], why: str, refiner: str) -> dict[str, Any]:
    kept = {"text": record["sentence"], "refiner": refiner, "accepted": False, "why": why}
    return {**record, "refined": kept}


def _count(reasons: collections.Counter, why: str) -> str:
    """Counts a reason, and returns the kind that it is counted under."""
    kind = re.sub(r"'[^']*'", "'...'", why)
    kind = kind if kind in reasons or len(reasons) < _KINDS else "other reasons"
    reasons[kind] += 1
    return kind


def _often(reasons: collections.Counter, examples: Mapping[str, str] | None = None) -> str:
    """The most frequent kind; by an example where there is one that says more."""
    if not reasons:
        return ""
    kind = reasons.most_common(1)[0][0]
    said = (examples or {}).get(kind, kind)
    return f" (mostly: {said})" if said == kind else f" (mostly such as: {said})"
