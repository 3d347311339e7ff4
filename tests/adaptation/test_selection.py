"""The choice of a knob and of a number of steps: by hand, with ties, with what diverges."""

import numpy as np
import pytest

from metaforge.adaptation.selection import Choice, Tried, best, best_at, choose, grid

LABELS = np.array([[0, 0, 1, 1], [1, 0, 1, 0]])
RIGHT, WRONG = LABELS + 0.0, 1.0 - LABELS
HALF = np.full(LABELS.shape, 0.5)


def test_the_whole_grid_is_scored_and_the_best_is_taken():
    asked = []

    def score(knob):
        asked.append(knob)
        # Of two episodes the first or both are right; the other is undecided.
        one = np.stack([RIGHT[0], HALF[1]])
        return {0.1: [WRONG, HALF], 1.0: [one, RIGHT]}[knob]

    found = choose((0.1, 1.0), (1, 5), score, LABELS)
    assert asked == [0.1, 1.0]
    assert found.tried == (Tried(0.1, 1, 0.0), Tried(0.1, 5, 0.5), Tried(1.0, 1, 0.75), Tried(1.0, 5, 1.0))
    assert found == Choice(1.0, 5, 1.0, found.tried)


def test_an_auc_counts_pairs_and_half_of_the_ties():
    # Fakes 0.4 and 0.6, reals 0.4 and 0.1: three of four pairs are in order, one is a tie.
    scores = np.array([[[0.4, 0.1, 0.4, 0.6]]])
    assert choose((1.0,), (1,), lambda _: scores, LABELS[:1]).auc == 3.5 / 4


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_episode_that_diverges_counts_nothing_and_the_others_what_they_are_worth(bad):
    scores = RIGHT.copy()
    scores[1, 2] = bad
    assert choose((1.0,), (1,), lambda _: scores[None], LABELS).auc == 0.5


def test_where_everything_diverges_the_auc_is_zero():
    found = choose((0.1, 1.0), (1, 5), lambda _: np.full((2, *LABELS.shape), np.nan), LABELS)
    assert found.auc == 0
    assert [one.auc for one in found.tried] == [0.0] * 4


def test_as_many_scores_as_numbers_of_steps_are_wanted():
    with pytest.raises(ValueError, match="zip"):
        choose((1.0,), (1, 5), lambda _: RIGHT[None], LABELS)


def test_of_equals_it_takes_the_fewest_steps_and_then_the_smallest_knob():
    assert best([Tried(0.1, 5, 0.9), Tried(1.0, 1, 0.9), Tried(10.0, 1, 0.9)]) == Tried(1.0, 1, 0.9)
    # What differs in the seventh digit is equal.
    assert best([Tried(0.1, 5, 0.9 + 4e-7), Tried(1.0, 1, 0.9)]) == Tried(1.0, 1, 0.9)
    assert best([Tried(0.1, 5, 0.9 + 4e-6), Tried(1.0, 1, 0.9)]) == Tried(0.1, 5, 0.9 + 4e-6)


def test_the_best_at_a_number_of_steps_knows_only_what_was_tried_and_did_not_diverge():
    tried = [Tried(0.1, 1, 0.9), Tried(0.1, 5, 0.6), Tried(1.0, 5, 0.7), Tried(1.0, 10, 0.0)]
    assert best_at(tried, 5) == Tried(1.0, 5, 0.7)
    assert best_at(tried, 10) is None
    assert best_at(tried, 2) is None


def test_every_rule_has_as_many_tries():
    assert grid(3.0) == pytest.approx((0.3, 3.0, 30.0))
