"""What a refined sentence may say: nothing that the raw annotation does not, and not the opposite of it."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from metaforge.captions.refining.mentions import NEGATOR, Mention, by_clause, plain
from metaforge.captions.refining.synonyms import CHANGED, UNCHANGED, any_of, whole
from metaforge.face_regions import REGIONS

REFINABLE = ("forged", "noise", "identical")
"""Answers of pairs that were compared. Of the others there is nothing that could be refined."""

_LONGEST = 600
_LETTERS = re.compile(r"[\x20-\x7e\u00a0\u2013\u2014\u2018\u2019\u201c\u201d\u2026]*")
_MARKUP = re.compile(r"https?:|www\.|[<>{}\[\]\\`@#*_=|]")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_IN_WORDS = whole(r"(?<![\d.%] )(?:percent|per cent)")
_FRACTION = whole(
    r"(half|third|quarter|fifth|tenth|most|majority) of (?:the|this) (?:image|picture|frame|photograph|photo)"
)
_FRACTIONS = {"half": 1 / 2, "third": 1 / 3, "quarter": 1 / 4, "fifth": 1 / 5, "tenth": 1 / 10}
_BACK = whole("it|its|they|their|them|this|that|these|those|which|so")
_CHANGED, _UNCHANGED = any_of(CHANGED), any_of(UNCHANGED)
_FORGED = whole(_CHANGED)
_FACE = whole("face|facial")
_REST = whole("rest|remaining|remainder|elsewhere|others?|outside|otherwise|everything else|no longer")
_NONE = whole(
    rf"no (?:\w+ ){{0,2}}?(?:(?:signs?|evidence|traces?|hints?|indications?) of (?:any )?)?(?:{_CHANGED})"
    rf"|not (?:been |appear to be |appear |seem )?(?:{_CHANGED})|free (?:of|from) (?:any )?(?:{_CHANGED})"
    rf"|nothing (?:was|is|has been) (?:{_CHANGED})|untampered|unmanipulated|unaltered"
)
_TRUE = whole(
    rf"(?:is|are|looks?|appears?|seems?|remains?|be|shows|like|entirely|completely|fully|all) (?:an? )?(?:{_UNCHANGED})"
)
_EQUAL = whole("identical|same|equal|alike|indistinguishable|match(?:es)?|no more than")


_Read = list[tuple[str, list[Mention]]]


class Verdict(NamedTuple):
    """What is said of a text.

    Attributes:
        accepted: whether it may stand for the raw sentence.
        why: the first reason against it; "" if there is none.
        regions: those that it names, in the order of `metaforge.face_regions.REGIONS`; none if its form is refused.
        types: those that it names, sorted.
    """

    accepted: bool
    why: str
    regions: tuple[str, ...]
    types: tuple[str, ...]


def judge(text: str, record: Mapping[str, Any]) -> Verdict:
    """Whether a text says no more than a raw annotation, and not the opposite.

    A region or a type that the annotation does not name may only occur where the same clause plainly says that it is
    not there. What is in doubt is refused: the raw sentence is always there, and always true to the annotation.

    Args:
        text: of a refiner.
        record: of the pair, as `metaforge.captions.records` has it.

    Example:
        >>> record = {"answer": "forged", "regions": ["mouth"], "types": ["blur"], "share": 0.04}
        >>> judge("The lips look smeared, about 4 % of the image.", record).accepted
        True
        >>> judge("The mouth and the nose are blurred.", record).why
        "names 'nose', which the annotation does not"
    """
    if why := _form(text):
        return Verdict(False, why, (), ())
    read = by_clause(text)
    found = [one for _, there in read for one in there]
    regions, types = named(found, record)
    why = _numbers(text, record)
    if not why:
        why = _too_much(found, record) if record["answer"] == "forged" else _of_nothing(text, read, record)
    if not why and record["answer"] == "forged":
        why = _opposite(read, record) or _back(read, record) or _too_little(text, regions, types, record)
    return Verdict(not why, why, regions, types)


def named(found: list[Mention], record: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The regions and types that a text names and does not negate; of "an eye" the one that the annotation has.

    Example:
        >>> from metaforge.captions.refining.mentions import mentions
        >>> named(mentions("A blurred eye."), {"regions": ["right_eye"], "types": []})
        (('right_eye',), ('blur',))
    """
    known = {"region": set(record["regions"]), "type": set(record["types"])}
    said: dict[str, set[str]] = {"region": set(), "type": set()}
    for one in found:
        if one.meant and not one.negated and not _is_noise(one, record):
            fitting = [names for names in one.meant if names <= known[one.kind]]
            said[one.kind] |= (fitting or one.meant)[0]
    return tuple(name for name in REGIONS if name in said["region"]), tuple(sorted(said["type"]))


def _is_noise(one: Mention, record: Mapping[str, Any]) -> bool:
    """Whether it is the noise by no more than which a pair differs, and no texture."""
    return record.get("answer") == "noise" and one.said in ("noise", "compression")


def _form(text: str) -> str:
    if not text.strip():
        return "is empty"
    if len(text) > _LONGEST:
        return f"is longer than {_LONGEST} letters"
    if "\n" in text.strip() or _MARKUP.search(text):
        return "is not one plain paragraph"
    return "" if _LETTERS.fullmatch(text.strip()) else "has letters that English has not"


def _numbers(text: str, record: Mapping[str, Any]) -> str:
    share = record.get("share")
    for number in _NUMBER.findall(text):
        half = 0.5 * 10.0 ** -len(number.partition(".")[2])
        if share is None or abs(float(number) - 100 * share) > half + 1e-4:
            return "has a number that the annotation does not say"
    if _IN_WORDS.search(plain(text)):
        return "has a number in words"
    for hit in _FRACTION.finditer(plain(text)):
        low = _FRACTIONS.get(hit[1], 0.5)
        high = low if hit[1] in _FRACTIONS else 1.0
        if share is None or not 0.8 * low <= share <= 1.2 * high:
            return f"says '{hit[0]}', which the annotation does not"
    return ""


def _too_much(found: list[Mention], record: Mapping[str, Any]) -> str:
    known = {"region": set(record["regions"]), "type": set(record["types"])}
    for one in found:
        if not one.negated and not any(names <= known[one.kind] for names in one.meant):
            return f"names '{one.said}', which the annotation does not"
    return ""


def _back(read: _Read, record: Mapping[str, Any]) -> str:
    """Whether a clause says that "it" is forged, after one in which a region was said not to be."""
    known, denied = set(record["regions"]), ""
    for clause, found in read:
        there = [one for one in found if one.kind == "region"]
        if denied and not there and _BACK.search(clause) and _FORGED.search(clause):
            return f"may come back to '{denied}', which it denies"
        for one in there:
            denied = one.said if one.negated and not any(names <= known for names in one.meant) else ""
    return ""


def _opposite(read: _Read, record: Mapping[str, Any]) -> str:
    known = {"region": set(record["regions"]), "type": set(record["types"])}
    every = [one for _, found in read for one in found]
    said = {name for one in every if not one.negated for names in one.meant for name in names}
    for one in every:
        if one.negated and any(names & known[one.kind] - said for names in one.meant):
            return f"denies '{one.said}', which the annotation names"
    for clause, found in read:
        if any(one.kind == "region" and one.negated for one in found) or _REST.search(clause):
            continue
        if _NONE.search(clause) or _TRUE.search(clause):
            return "calls a forged pair authentic"
    return ""


def _too_little(text: str, regions: tuple[str, ...], types: tuple[str, ...], record: Mapping[str, Any]) -> str:
    all_of_it = set(record["regions"]) == set(REGIONS) and _FACE.search(plain(text))
    if record["regions"] and not set(regions) & set(record["regions"]) and not all_of_it:
        return "names none of the annotation's regions"
    if record["types"] and not record["regions"] and not set(types) & set(record["types"]):
        return "names none of the annotation's types"
    return ""


def _of_nothing(text: str, read: _Read, record: Mapping[str, Any]) -> str:
    """Of a pair that shows no forgery."""
    for one in (one for _, found in read for one in found):
        if not one.negated and not _is_noise(one, record):
            return f"names '{one.said}' of a pair that shows no forgery"
    for clause, _ in read:
        if _FORGED.search(clause) and not (NEGATOR.search(clause) or _EQUAL.search(clause)):
            return "says that something is forged in a pair that shows no forgery"
    says = plain(text)
    return "" if _NONE.search(says) or _EQUAL.search(says) else "does not say that no forgery was found"
