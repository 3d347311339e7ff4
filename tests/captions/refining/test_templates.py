"""Template sentences say exactly what a raw annotation says; the guard catches what is put in their place."""

import numpy as np
import pytest

from metaforge.captions.cues import CUES
from metaforge.captions.refining.guard import judge
from metaforge.captions.refining.prompt import prompt_of
from metaforge.captions.refining.synonyms import NOUNS, TYPES
from metaforge.captions.refining.templates import template
from metaforge.face_regions import GROUPS, REGIONS

NAMES = list(REGIONS)
MANY = 400


def drawn(rng, *, number=0):
    """A record of random regions and types."""
    regions = [name for name in NAMES if rng.random() < rng.choice([0.1, 0.3, 0.7])] or [rng.choice(NAMES)]
    types = [str(name) for name in rng.permutation(list(CUES))[: rng.integers(0, 4)]]
    rows = [{"step": "region", "name": name} for name in NAMES]
    return {"id": f"fake/{number}", "real": "r.png", "fake": "f.png", "answer": "forged",
            "regions": [name for name in NAMES if name in regions], "types": types,
            "share": float(rng.uniform(0.001, 0.9)), "sentence": "", "derivation": rows}  # fmt: skip


def sentences(records, **how):
    return [answer.text for answer in template(**how).refine(map(prompt_of, records))]


def many(count, seed=0):
    rng = np.random.default_rng(seed)
    return [drawn(rng, number=number) for number in range(count)]


@pytest.mark.parametrize("share", [True, False])
def test_every_template_sentence_says_all_regions_and_types_and_no_other(share):
    records = many(MANY)
    for record, text in zip(records, sentences(records, share=share), strict=True):
        verdict = judge(text, record)
        assert verdict.why == "", text
        assert verdict.regions == tuple(record["regions"]), text
        assert verdict.types == tuple(sorted(record["types"])), text
        assert (f"{100 * record['share']:.1f} %" in text) == share


def test_what_is_put_in_the_place_of_a_region_is_caught():
    rng = np.random.default_rng(1)
    tried = 0
    for record, text in zip(many(MANY), sentences(many(MANY)), strict=True):
        others = [name for name in NAMES if name not in record["regions"]]
        if not others:
            continue
        # The sentence is of another record, in which one region was exchanged.
        regions = [*record["regions"]]
        regions[rng.integers(len(regions))] = str(rng.choice(others))
        changed = record | {"regions": [name for name in NAMES if name in regions]}
        (wrong,) = sentences([changed])
        assert wrong != text
        verdict = judge(wrong, record)
        assert not verdict.accepted, wrong
        assert verdict.why.startswith("names "), (verdict.why, wrong)
        tried += 1
    assert tried > 0.8 * MANY


def test_what_is_put_in_the_place_of_a_type_is_caught():
    rng = np.random.default_rng(2)
    tried = 0
    for record in many(MANY):
        if not record["types"]:
            continue
        types = [*record["types"]]
        types[rng.integers(len(types))] = str(rng.choice([name for name in CUES if name not in types]))
        (wrong,) = sentences([record | {"types": types}])
        assert judge(wrong, record).why.startswith("names "), wrong
        tried += 1
    assert tried > 0.5 * MANY


def test_a_region_or_a_type_more_is_caught():
    rng = np.random.default_rng(3)
    for record in many(300):
        others = [name for name in NAMES if name not in record["regions"]]
        if others:
            regions = [*record["regions"], str(rng.choice(others))]
            (wrong,) = sentences([record | {"regions": [name for name in NAMES if name in regions]}])
            assert not judge(wrong, record).accepted, wrong
        types = [*record["types"], str(rng.choice([name for name in CUES if name not in record["types"]]))]
        (wrong,) = sentences([record | {"types": types}])
        assert not judge(wrong, record).accepted, wrong


def test_the_sentence_of_another_record_is_accepted_only_if_it_says_no_more():
    records = [record for record in many(400, seed=4) if record["types"]]
    texts = sentences(records, share=False)
    accepted = 0
    rng = np.random.default_rng(5)
    for i, j in rng.integers(0, len(records), (1500, 2)):
        of, by = records[i], records[j]
        no_more = set(by["regions"]) <= set(of["regions"]) and set(by["types"]) <= set(of["types"])
        assert judge(texts[j], of).accepted == no_more, texts[j]
        accepted += no_more and i != j
    assert accepted > 5


def test_a_wording_follows_from_seed_and_name_alone():
    records = many(50)
    alone = [sentences([record])[0] for record in records]
    assert sentences(records) == alone
    assert sentences(records[::-1]) == alone[::-1]
    assert sentences(records, seed=1) != alone


def test_wordings_vary():
    record = many(1)[0] | {"regions": list(GROUPS["eyes"]), "types": ["colour", "blur"]}
    found = set(sentences([record | {"id": str(number)} for number in range(400)]))
    assert len(found) > 150


@pytest.mark.parametrize("answer", ["identical", "noise"])
def test_a_pair_without_a_forgery_is_said_to_have_none(answer):
    record = many(1)[0] | {"answer": answer, "regions": [], "types": [], "share": None}
    records = [record | {"id": str(number)} for number in range(40)]
    for text in sentences(records):
        assert judge(text, record) == (True, "", (), ()), text
        assert not judge(text, many(1)[0]).accepted, text


def test_the_table_has_words_for_every_region_and_every_cue():
    assert set(TYPES) == set(CUES)
    assert {region for noun in NOUNS for region in noun.regions} == set(REGIONS)


def test_where_no_part_can_be_named_none_is():
    record = many(1)[0] | {"regions": [], "types": ["blur"]}
    few = {record["id"]: "a part of the face"}
    for rows in (record["derivation"], []):
        (text,) = sentences([record | {"derivation": rows}])
        assert (few[record["id"]] in text.lower()) == bool(rows)
        assert judge(text, record).accepted
