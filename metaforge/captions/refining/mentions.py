"""Which regions and types a text names, and which of them it plainly says are not there.

A mention counts as negated only if the same clause plainly says so: a negator before it with nothing between but words
that such phrases are made of ("no visible sign of blur", "does not reach the nose"), or a word such as "untouched"
behind it ("the nose and the chin are untouched"). Where a clause negates twice, or says "not only", nothing is negated:
what is in doubt counts as said.
"""

import re
from typing import NamedTuple

from metaforge.captions.refining.synonyms import (
    AREAS,
    CHANGED,
    ELSEWHERE,
    NOUNS,
    OTHERWISE,
    TYPES,
    UNCHANGED,
    Noun,
    any_of,
    whole,
)


class Mention(NamedTuple):
    """One place where a text names something.

    Attributes:
        said: the words, as they stand there.
        kind: "region" or "type".
        meant: what it may stand for, each a set of names that the text then means all of; none for what no raw
            annotation can say.
        negated: whether the text plainly says that it is not there.
    """

    said: str
    kind: str
    meant: tuple[frozenset[str], ...]
    negated: bool


_MOST = 1000
_LOOKED_WITH = whole("(?:naked|human|trained|untrained|careful) eye")
_CLAUSE = re.compile(
    r"[;:!?()\u2014\u2013]|\.(?!\d)| - |\b(?:but|while|whereas|although|though|however|yet|with|which|that|where"
    r"|because|since|as|except|unlike|instead|rather)\b"
)
_SIDE_BEFORE = re.compile(
    r"\b(left|right)(?:[- ]hand)?(?: (?:and|or) (?:the )?(left|right))?"
    r"(?: (?:upper|lower|inner|outer|whole|entire))?\s$"
)
_HAND = r"(?=\s*(?:,|$|(?:and|is|was|looks|appears|has)\b)|(?:[- ]hand)? side\b(?! of the face))"
_SIDE_AFTER = re.compile(rf"^(?: (?:region|area))? (?:on|at|to|in) the (left|right){_HAND}")
_LOOSE_SIDE = re.compile(rf"\b(?:on|at|to|in) (?:the|its|his|her|their) (left|right){_HAND}")
_LISTED = re.compile(r"^(?: (?:region|area))?(?:,| and|, and| or| &) (?:(?:upper|lower) )?$")

_PLAIN = (
    "the|a|an|its|his|her|their|this|these|any|all|both|left|right|upper|lower|also|region|regions|area|areas|part|parts"
    "|of|face"
)
# Not "looks" and "seems", which say that it is not so.
_COPULA = "is|are|was|were|be|been|remains?|stays?|left|completely|entirely|fully|all|both|to"
_PHRASE = (
    "visible|clear|obvious|noticeable|apparent|significant|strong|further|other|signs?|evidence|traces?|hints?"
    "|indications?|or|in|on|at|to|into|around|near|extend|reach|affect|involve|include|touch|cover|show|shows|exhibit"
    "|have|has|been|seen|appear|look|seem|be|found|detected|noted"
)
_CHANGED, _UNCHANGED = any_of(CHANGED), any_of(UNCHANGED)
_TERM = any_of(", ".join([*(noun.words for noun in NOUNS), *TYPES.values(), ELSEWHERE, OTHERWISE]))
# `*+` goes back into nothing that it has taken, or a text of many such words might take for ever.
_LIST = re.compile(rf"(?:\s|,|\b(?:and|or|rest|remainder|including|{_PLAIN}|{_TERM})\b)*+")
_LIST_THEN_IS = re.compile(rf"(?:\s|,|\b(?:and|or|other features|{_PLAIN}|{_TERM}|{_COPULA})\b)*+")
_THEN_IS = re.compile(rf"(?:\s|\b(?:region|regions|area|areas|{_COPULA})\b)*+")
_OF_A_DENIAL = re.compile(rf"(?:\s|,|\b(?:{_PLAIN}|{_PHRASE}|{_TERM}|{_CHANGED})\b)*+")

NEGATOR = whole(
    r"no|not|without|neither|nor|never|none|free of|free from|absence of|absent|devoid of|cannot|hardly|\w+n't"
)
_CLEAN = whole(
    rf"{_UNCHANGED}"
    rf"|(?:not|never|\w+n't)(?: \w+ly)?(?: appear| look| seem| be| been)?(?: to be| to have been| been)? (?:{_CHANGED})"
    r"|(?:shows?|has|have|displays?|exhibits?|bears?) no (?:visible |clear )?"
    rf"(?:(?:signs?|traces?|evidence|hints?) of )?(?:{_CHANGED})"
)
_DOUBTFUL = whole(
    r"(?:not|no|without|never) (?:only|just|merely|simply|doubt|less|longer|exception|exclude|rule|ruled|least|without"
    r"|free|un\w+)|nothing but|none other|cannot be \w+"
)
_ANYTHING = {
    "region": [(whole(any_of(ELSEWHERE)), ())],
    "type": [
        *((whole(any_of(listed)), (frozenset((name,)),)) for name, listed in TYPES.items()),
        (whole(any_of(OTHERWISE)), ()),
    ],
}
_NOUNS = [(whole(any_of(noun.words)), noun) for noun in NOUNS]
_AREAS = [(whole(any_of(listed)), (frozenset(regions),)) for listed, regions in AREAS.items()]


def plain(text: str) -> str:
    r"""A text in lower case with straight quotes, single spaces and no hard words, as all that reads texts takes it.

    Example:
        >>> plain("The\nLEFT  eye doesn\u2019t.")
        "the left eye doesn't."
    """
    return " ".join(text.lower().replace("\u2019", "'").replace("\u2018", "'").split())


def mentions(text: str) -> list[Mention]:
    """Everything that a text names, in order.

    Args:
        text: in any case; no more than its first 1000 letters are read.

    Example:
        >>> for one in mentions("The left eye is blurred; the nose is untouched."):
        ...     print(one.said, sorted(one.meant[0]), one.negated)
        left eye ['left_eye'] False
        blurred ['blur'] False
        nose ['nose'] True
    """
    return [one for _, found in by_clause(text) for one in found]


def by_clause(text: str) -> list[tuple[str, list[Mention]]]:
    """Its clauses, and what each names.

    Args:
        text: as `mentions` takes it.

    Example:
        >>> [(clause, len(found)) for clause, found in by_clause("The mouth is blurred, but not the nose.")]
        [('the mouth is blurred,', 2), ('not the nose', 1)]
    """
    return [(clause, _of_clause(clause)) for clause in clauses(text[:_MOST])]


def clauses(text: str) -> list[str]:
    """A text at the places where a negation ends for certain.

    Example:
        >>> clauses("No blur, but 4.1 % of the nose; the chin is not.")
        ['no blur,', '4.1 % of the nose', 'the chin is not']
    """
    return [one.strip() for one in _CLAUSE.split(_LOOKED_WITH.sub("viewer", plain(text))) if one.strip()]


def _of_clause(clause: str) -> list[Mention]:
    found: list[tuple[int, int, str, tuple[frozenset[str], ...]]] = []
    taken = [False] * len(clause)

    def free(start: int, end: int) -> bool:
        if any(taken[start:end]):
            return False
        taken[start:end] = [True] * (end - start)
        return True

    for pattern, meant in _AREAS:
        found += [(*hit.span(), "region", meant) for hit in pattern.finditer(clause) if free(*hit.span())]
    found += _parts(clause, free)
    for kind, patterns in _ANYTHING.items():
        for pattern, meant in patterns:
            # The line of "jaw line" is no seam.
            hits = [hit.span() for hit in pattern.finditer(clause)]
            found += [(*span, kind, meant) for span in hits if not all(taken[slice(*span)])]
    return [
        Mention(clause[start:end], kind, meant, _negated(clause, start, end))
        for start, end, kind, meant in sorted(found, key=lambda one: one[:2])
    ]


def _parts(clause: str, free) -> list[tuple[int, int, str, tuple[frozenset[str], ...]]]:
    """Nouns for parts with the side that each has: before it, behind it, or from the noun that it is listed with."""
    hits = [(hit.start(), hit.end(), noun) for pattern, noun in _NOUNS for hit in pattern.finditer(clause)
            if free(*hit.span())]  # fmt: skip
    loose = {hit[1] for hit in _LOOSE_SIDE.finditer(clause)}
    found, before = [], (0, frozenset())
    for start, end, noun in sorted(hits, key=lambda one: one[:2]):
        ahead = _SIDE_BEFORE.search(clause[:start])
        behind = _SIDE_AFTER.search(clause[end:])
        sides = frozenset(filter(None, ahead.groups())) if ahead else frozenset()
        if not sides and behind:
            sides = frozenset((behind[1],))
        # "the left eye and cheek", and "on the left, the eye".
        lonely = noun.either or noun.regions == _JAW
        if not sides and lonely and _LISTED.match(clause[before[0] : start]):
            sides = before[1]
        if not sides and lonely and len(loose) == 1:
            sides = frozenset(loose)
        found.append((ahead.start() if ahead else start, end, "region", _meant(noun, sides)))
        before = (end, sides)
    return found


_JAW = ("left_jaw", "right_jaw")


def _meant(noun: Noun, sides: frozenset[str]) -> tuple[frozenset[str], ...]:
    if len(noun.regions) == 1:
        return (frozenset(noun.regions),)
    if sides:
        return (frozenset(name for name in noun.regions if name.split("_")[0] in sides),)
    return tuple(frozenset((name,)) for name in noun.regions) if noun.either else (frozenset(noun.regions),)


def _negated(clause: str, start: int, end: int) -> bool:
    if _DOUBTFUL.search(clause):
        return False
    clean = [hit.span() for hit in _CLEAN.finditer(clause)]
    negators = [hit for hit in NEGATOR.finditer(clause) if not any(a <= hit.start() < b for a, b in clean)]
    kinds = {hit[0] for hit in negators}
    if (clean and negators) or not (len(kinds) < 2 or kinds == {"neither", "nor"}):
        return False
    for a, b in clean:
        between = clause[end:a]
        # "an untouched nose"; "the nose is untouched"; "the nose and the chin are untouched", which begins the clause.
        if b <= start and re.fullmatch(r"\s*(?:left |right )?", clause[b:start]):
            return True
        if end <= a and _THEN_IS.fullmatch(between):
            return True
        if end <= a and _LIST_THEN_IS.fullmatch(between) and _LIST.fullmatch(clause[:start]):
            return True
    for hit in negators:
        between = clause[hit.end() : start]
        listed = "," not in between or re.search(r"\b(?:or|nor)\b", clause[hit.end() :])
        if hit.end() <= start and listed and _OF_A_DENIAL.fullmatch(between):
            return True
    return False
