"""Decisions against goals: counted by hand, and answered where the interval allows it."""

import numpy as np
import pytest

from metaforge.errors import InputError
from metaforge.evaluation.goals import DECIDED, FORCED, GOALS, markdown, worth


def rows(*counts):
    """Labels, decisions and scores of so many rows each: (label, decision, p_fake, count)."""
    labels, said, p_fake = [], [], []
    for label, decision, score, count in counts:
        labels += [label] * count
        said += [decision] * count
        p_fake += [score] * count
    return labels, said, p_fake, np.arange(len(labels))


def answers(found, way):
    return {goal["measure"]: goal["answer"] for goal in found["goals"] if goal["way"] == way}


SOME = rows((0, "real", 0.1, 6), (0, "cannot tell", 0.6, 3), (0, "fake", 0.9, 1), (0, "not judged", np.nan, 2),
            (1, "real", 0.1, 2), (1, "cannot tell", 0.6, 1), (1, "cannot tell", np.nan, 1),
            (1, "fake", 0.9, 4))  # fmt: skip


def test_rates_are_shares_of_what_was_judged_with_what_was_left_open_beside():
    found = worth(*SOME)
    assert found["matrix"] == {
        "real": {"real": 6, "cannot tell": 3, "fake": 1, "not judged": 2},
        "fake": {"real": 2, "cannot tell": 2, "fake": 4, "not judged": 0},
    }
    value = lambda rates: {name: each["value"] for name, each in rates.items()}
    assert value(found["rates"][DECIDED]) == pytest.approx({"accuracy": 10 / 18, "fpr": 0.1, "fnr": 0.25})
    assert value(found["open"]) == pytest.approx({"accuracy": 5 / 18, "fpr": 0.3, "fnr": 0.25})
    # At 0.5 three more reals are called fake, one more fake is, and the fake without a score is out.
    assert value(found["rates"][FORCED]) == pytest.approx({"accuracy": 11 / 17, "fpr": 0.4, "fnr": 2 / 7})
    assert found["of_decided"]["value"] == pytest.approx(10 / 13)
    assert found["without_score"] == {"real": 2, "fake": 1}
    # 10 reals (6 at .1, 3 at .6, 1 at .9) and 7 fakes (2, 1, 4): 4 win 9 and tie 1, 1 wins 6 and ties 3, 2 tie 6.
    assert found["auc"]["value"] == pytest.approx((4 * 9.5 + 7.5 + 2 * 3) / 70)


def test_the_table_shows_the_share_left_open_in_the_row_of_every_rate():
    text = markdown(worth(*SOME)).splitlines()
    row = next(line for line in text if line.startswith("| reals called fake"))
    assert [cell.split(" [")[0].strip() for cell in row.split("|")[2:6]] == [
        "10.0%", "30.0%", "cannot be told, short by 7.0 points", "40.0%",
    ]  # fmt: skip
    assert "| fake | 2 | 2 | 4 | 0 |" in text
    assert "Without a score, and so not in the columns at 0.5: 2 real, 1 fake." in text


@pytest.mark.parametrize(("people", "answer"), [(30, "cannot be told"), (400, "met")])
def test_no_mistake_on_few_images_meets_no_goal(people, answer):
    found = worth(*rows((0, "real", 0.1, people), (1, "fake", 0.9, people)))
    assert set(answers(found, DECIDED).values()) == {answer}
    assert {measure for measure, said in answers(found, FORCED).items() if said == answer} == {
        "accuracy", "fpr", "fnr", "auc",
    }  # fmt: skip
    assert all(goal["short"] == 0 for goal in found["goals"])


def test_who_decides_nothing_makes_no_mistake_and_is_not_accurate():
    found = worth(*rows((0, "cannot tell", 0.6, 400), (1, "cannot tell", 0.7, 400)))
    assert answers(found, DECIDED) == {"accuracy": "not met", "fpr": "met", "fnr": "met"}
    assert answers(found, FORCED) == {"accuracy": "not met", "fpr": "not met", "fnr": "met", "auc": "met"}
    assert found["open"]["fpr"]["value"] == 1


def test_one_person_with_many_images_is_one_person():
    labels, said, p_fake, _ = rows((0, "real", 0.1, 400), (1, "fake", 0.9, 400))
    found = worth(labels, said, p_fake, ["ann"] * 800)
    assert set(answers(found, DECIDED).values()) == {"cannot be told"}
    assert found["auc"] is None


def test_a_class_that_is_not_there_has_no_rate():
    found = worth(*rows((0, "real", 0.1, 3)))
    assert (found["rates"][DECIDED]["fnr"], found["open"]["fnr"], found["auc"]) == (None, None, None)
    assert len(found["goals"]) == 2 * len(GOALS) - 1
    assert "| fakes called real, below 2% | none | none | cannot be told |" in markdown(found)


@pytest.mark.parametrize("change", [{"said": ["maybe"] * 2}, {"said": ["real"]}, {"labels": []}])
def test_what_is_malformed_is_refused(change):
    given = {"labels": [0, 1], "said": ["real", "fake"], "p_fake": [0.1, 0.9], "clusters": [0, 1]} | change
    with pytest.raises(InputError, match="worth"):
        worth(**given)
