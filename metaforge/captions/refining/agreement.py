"""How well refined texts agree with the raw annotations that they were made of: in what they name, and in words."""

import importlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from metaforge.captions.refining.guard import named
from metaforge.captions.refining.mentions import mentions
from metaforge.captions.refining.synonyms import TYPES
from metaforge.errors import InputError
from metaforge.evaluation.regions import RegionScore, region_score
from metaforge.face_regions import REGIONS


class Agreement(NamedTuple):
    """Of texts with annotations, over all names of all texts.

    Attributes:
        texts: how many.
        regions: precision, recall and F1 of the regions that the texts name.
        types: the same of types.
    """

    texts: int
    regions: RegionScore
    types: RegionScore


class Overlap(NamedTuple):
    """Of texts with references, in their words.

    Attributes:
        bleu: of the corpus, in [0, 100].
        rouge_l: F1 of the longest common subsequence, in [0, 1], averaged over texts.
        signature: how sacreBLEU computed the former.
    """

    bleu: float
    rouge_l: float
    signature: str


def agreement(pairs: Iterable[tuple[str, Mapping[str, Any]]]) -> Agreement:
    """How well texts agree with annotations, by the words of `metaforge.captions.refining.synonyms`.

    What no annotation can say, such as "the ears", counts in none of the two.

    Args:
        pairs: texts with the records that they are about.

    Example:
        >>> record = {"regions": ["mouth", "nose"], "types": ["blur"]}
        >>> found = agreement([("The mouth and the chin are blurred.", record)])
        >>> found.regions.precision, found.regions.recall, found.types.f1
        (0.5, 0.5, 1.0)
    """
    tally = Tally()
    for text, record in pairs:
        tally.add(*named(mentions(text), record), record)
    return tally.result()


class Tally:
    """What texts name beside what annotations do, of any number of them: 34 bytes of each are kept."""

    def __init__(self) -> None:
        """Of none."""
        self._true, self._said = _Table(), _Table()

    def add(self, regions: Collection[str], types: Collection[str], record: Mapping[str, Any]) -> None:
        """One text: the regions and types that it names, and the record that it is about."""
        self._true.add(record["regions"], record["types"])
        self._said.add(regions, types)

    def result(self) -> Agreement:
        """Of all that were added."""
        scores = [region_score(*both) for both in zip(self._true.arrays(), self._said.arrays(), strict=True)]
        return Agreement(self._true.count, *scores)


def overlap(texts: Sequence[str], references: Sequence[str]) -> Overlap:
    """BLEU and ROUGE-L of texts, by sacreBLEU and Google's `rouge-score`, with their usual settings.

    They reward the words of the reference: of a refined sentence they say how far it is from the raw one, and nothing
    of whether it is right.

    Args:
        texts: of the refiner.
        references: the raw sentences, in the same order.

    Raises:
        InputError: without the extra `text`, without texts, or with another number of references.

    References:
        Papineni et al., *BLEU: a Method for Automatic Evaluation of Machine Translation*, ACL 2002.
        Post, *A Call for Clarity in Reporting BLEU Scores*, WMT 2018.
        Lin, *ROUGE: A Package for Automatic Evaluation of Summaries*, 2004.
    """
    rouge, sacre = _libraries()
    if not texts or len(texts) != len(references):
        raise InputError(
            f"overlap: {len(texts)} texts and {len(references)} references. Give as many of each, and at least one."
        )
    bleu, scorer = sacre.BLEU(), rouge.RougeScorer(["rougeL"])
    scores = [scorer.score(right, text)["rougeL"].fmeasure for text, right in zip(texts, references, strict=True)]
    total = bleu.corpus_score(list(texts), [list(references)]).score
    return Overlap(float(total), float(np.mean(scores)), str(bleu.get_signature()))


def refuse_without_overlap() -> None:
    """Holds that BLEU and ROUGE-L can be computed, before anything is.

    Raises:
        InputError: without the extra `text`.
    """
    _libraries()


def _libraries() -> tuple[Any, Any]:
    try:
        names = "rouge_score.rouge_scorer", "sacrebleu.metrics"
        return importlib.import_module(names[0]), importlib.import_module(names[1])
    except ImportError:
        raise InputError(
            "overlap: BLEU and ROUGE-L need sacreBLEU and rouge-score. Install the extra `text`."
        ) from None


class _Table:
    """Which names occur in which text: a byte of each."""

    def __init__(self) -> None:
        self.count, self._regions, self._types = 0, bytearray(), bytearray()

    def add(self, regions: Collection[str], types: Collection[str]) -> None:
        self.count += 1
        self._regions += bytes(name in regions for name in REGIONS)
        self._types += bytes(name in types for name in TYPES)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        widths = (self._regions, len(REGIONS)), (self._types, len(TYPES))
        found = [np.frombuffer(bytes(data), np.bool_).reshape(self.count, width) for data, width in widths]
        return found[0], found[1]
