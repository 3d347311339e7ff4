import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from metaforge.errors import InputError
from metaforge.evaluation import auc, expected_calibration_error
from metaforge.evaluation.calibration import Calibration, fit_calibration, fit_scaling


def draw(seed, *, rows=60, apart=2.0, fakes=0.3):
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=rows) < fakes).astype(int)
    labels[:2] = 0, 1
    return rng.normal(apart * (labels - 0.5), 1.0), labels, rng.uniform(0.2, 3.0, rows)


def spreads_of(strength):
    """The widths of a prior that counts as so many rows of the greatest information."""
    return (strength**-0.5, strength**-0.5)


def penalised(logits, labels, weights, prior, strength):
    """The sum that is minimised, by its definition, as a function of the log scale and the offset."""
    fake = labels == 1
    real_rows, fake_rows = (weights[kind].sum() ** 2 / (weights[kind] ** 2).sum() for kind in (~fake, fake))
    each = 2 / (1 / real_rows + 1 / fake_rows)
    scaled = np.where(fake, weights / weights[fake].sum(), weights / weights[~fake].sum()) * each

    def total(point):
        shown = np.exp(point[0]) * logits + point[1]
        surprise = np.where(fake, np.logaddexp(0, -shown), np.logaddexp(0, shown))
        away = (point[0] - np.log(prior.scale)) ** 2 + (point[1] - prior.offset) ** 2
        return scaled @ surprise + strength / 2 * away

    return total


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("apart", [-1.0, 0.0, 2.0, 8.0])  # fakes score lower, alike, higher, and all higher
def test_it_is_the_minimum_that_scipy_finds(seed, apart):
    logits, labels, weights = draw(seed, apart=apart)
    prior, strength = Calibration(0.7, -0.4), 0.5 + seed
    total = penalised(logits, labels, weights, prior, strength)
    starts = [(log_scale, offset) for log_scale in (-3.0, 0.0, 2.0) for offset in (-2.0, 1.0)]
    expected = min(minimize(total, start, options={"gtol": 1e-9}).fun for start in starts)
    found = fit_calibration(logits, labels, weights=weights, prior=prior, spreads=spreads_of(strength))
    assert total((np.log(found.scale), found.offset)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("counts", [(0, 0), (3, 0), (0, 2), (1, 9), (2, 7), (30, 30)])
@pytest.mark.parametrize("traced", [False, True])
def test_of_two_widths_and_few_rows_it_is_the_minimum_in_single_precision_too(counts, traced):
    """As heads in closed form fit it, in single precision, and as thresholds do; of one class it is the prior."""
    labels = np.repeat([0, 1], counts)
    logits, prior, spreads = np.random.default_rng(1).normal(labels, 1.0), Calibration(0.8, 0.3), (0.3, 0.7)
    if traced:
        given = (jnp.asarray(logits, jnp.float32), jnp.asarray(labels > 0))
        start = {"scale": jnp.array(prior.scale), "offset": jnp.array(prior.offset)}
        found = Calibration(*(float(part) for part in fit_scaling(*given, **start, spreads=spreads)))
    else:
        found = fit_calibration(logits, labels, prior=prior, spreads=spreads)
    expected, reals, fakes = np.array([np.log(prior.scale), prior.offset]), *counts
    if min(counts):
        weight = np.where(labels == 1, 1 / fakes, 1 / reals) * 2 * reals * fakes / (reals + fakes)

        def total(at):
            shown = np.exp(at[0]) * logits + at[1]
            surprise = weight @ np.logaddexp(0, np.where(labels == 1, -shown, shown))
            return surprise + np.sum(np.square((at - expected) / spreads)) / 2

        minimum = minimize(total, expected, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14}).x
        np.testing.assert_allclose([np.log(found.scale), found.offset], minimum, atol=2e-5 if traced else 1e-7)
    else:
        np.testing.assert_allclose(found, prior, rtol=1e-7)


@pytest.mark.parametrize(("strength", "nearer"), [(3.0, "rows"), (6.0, "prior")])
def test_of_two_minima_it_is_the_lower(strength, nearer):
    """A prior far too small: the sum has a hollow at the prior's scale and one at the rows' scale."""
    logits, labels, _ = draw(1, rows=400, apart=3.0)
    prior = Calibration(np.exp(-9.0), 0.0)
    total = penalised(logits, labels, np.ones(400), prior, strength)
    scales = np.linspace(-10, 3, 66)
    grid = [min(total((log_scale, offset)) for offset in np.linspace(-1, 1, 41)) for log_scale in scales]
    hollows = [at for at in range(1, 65) if grid[at] < min(grid[at - 1], grid[at + 1])]
    assert len(hollows) == 2
    assert (grid[hollows[0]] < grid[hollows[1]]) == (nearer == "prior")
    found = fit_calibration(logits, labels, prior=prior, spreads=spreads_of(strength))
    assert total((np.log(found.scale), found.offset)) <= min(grid)


def test_many_rows_give_the_maximum_of_the_likelihood():
    logits, labels, _ = draw(0, rows=4000, apart=1.5)
    reference = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-10).fit(logits[:, None], labels)
    found = fit_calibration(logits, labels, spreads=spreads_of(1e-6))
    assert found.scale == pytest.approx(reference.coef_[0, 0], abs=1e-5)
    assert found.offset == pytest.approx(reference.intercept_[0], abs=1e-5)


@pytest.mark.parametrize("label", [None, 0, 1])
def test_no_rows_or_one_class_give_the_prior(label):
    prior = Calibration(0.3, 1.7)
    logits = [] if label is None else np.linspace(-9, 9, 500)
    found = fit_calibration(logits, [] if label is None else np.full(500, label), prior=prior)
    assert found == prior


def test_few_rows_move_it_no_farther_than_they_can_pay_for():
    # The sum at the minimum is no more than at the prior, and the rows' part is at least 0.
    logits, labels = np.array([30.0, -30.0]), np.array([0, 1])
    found = fit_calibration(logits, labels, spreads=spreads_of(4.0))
    assert 2 * (np.log(found.scale) ** 2 + found.offset**2) <= 2 * 30.0 + 1e-9
    near = fit_calibration(logits, labels, spreads=spreads_of(1e9))
    assert (near.scale, near.offset) == (pytest.approx(1, abs=1e-6), pytest.approx(0, abs=1e-6))


@pytest.mark.parametrize("times", [2, 5])
def test_rows_that_are_repeated_count_against_the_prior_as_often(times):
    logits, labels, _ = draw(3)
    repeated = fit_calibration(np.tile(logits, times), np.tile(labels, times), spreads=spreads_of(4.0))
    weaker = fit_calibration(logits, labels, spreads=spreads_of(4.0 / times))
    np.testing.assert_allclose(repeated, weaker, rtol=1e-6)
    # More fakes of the same kind are neither a hint that fakes are frequent.
    rows = np.concatenate([np.arange(60), np.repeat(np.flatnonzero(labels == 1), 99)])
    many = fit_calibration(logits[rows], labels[rows], spreads=spreads_of(1e-6))
    np.testing.assert_allclose(many, fit_calibration(logits, labels, spreads=spreads_of(1e-6)), rtol=1e-4)


@pytest.mark.parametrize("fakes", [0.5, 0.1])
def test_gaussian_scores_get_their_known_logit(fakes):
    """Fakes at c + m, reals at c - m, of variance v: the logit of x is 2 m (x - c) / v."""
    logits, labels, _ = draw(5, rows=20_000, apart=2.4, fakes=fakes)
    shown = 1.5 + 3.0 * logits  # c = 1.5, m = 3.6, v = 9
    found = fit_calibration(shown, labels)
    assert found.scale == pytest.approx(2 * 3.6 / 9, rel=0.03)
    assert found.offset == pytest.approx(-2 * 3.6 * 1.5 / 9, rel=0.05)
    balanced = np.where(labels == 1, 1 / labels.sum(), 1 / (1 - labels).sum())
    errors = [
        expected_calibration_error(labels, 1 / (1 + np.exp(-each)), weights=balanced)
        for each in (np.clip(shown, -30, 30), found(shown))
    ]
    assert errors[0] > 0.05
    assert errors[1] < 0.015


def test_no_order_changes_not_even_of_scores_that_are_upside_down():
    logits, labels, _ = draw(2, apart=-6.0)
    found = fit_calibration(logits, labels, spreads=spreads_of(1e-3))
    assert 0 < found.scale < 0.05
    np.testing.assert_array_equal(np.argsort(found(logits)), np.argsort(logits))
    assert auc(labels, found(logits)) == auc(labels, logits)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_the_scores_does_not_matter(unit):
    logits, labels, _ = draw(4, apart=1.0, rows=300)
    one, other = (fit_calibration(each, labels, spreads=spreads_of(1e-4)) for each in (logits, unit * logits))
    np.testing.assert_allclose(other(unit * logits), one(logits), atol=0.03)


def test_scores_that_are_all_equal_keep_the_scale():
    found = fit_calibration([2.0, 2.0, 2.0], [0, 1, 1], prior=Calibration(1.0, -2.0))
    np.testing.assert_allclose(found, (1.0, -2.0), atol=1e-6)


def test_bad_input_is_one_line():
    for message, call in [
        ("spreads are", lambda: fit_calibration([1.0], [1], spreads=(0.5, 0.0))),
        ("spreads are", lambda: fit_calibration([1.0], [1], spreads=(np.nan, 0.5))),
        ("NaN or infinite", lambda: fit_calibration([1.0, np.inf], [0, 1])),
        ("do not match", lambda: fit_calibration([1.0], [0, 1])),
        ("one detector", lambda: fit_calibration([[1.0, 2.0]], [0, 1])),
        ("an object of scale, offset", lambda: Calibration.from_json({"scale": 1.0})),
        ("the scale is '0.0'", lambda: Calibration.from_json({"scale": 0.0, "offset": 0.0})),
        ("the scale is 'nan'", lambda: Calibration.from_json({"scale": float("nan"), "offset": 0.0})),
        ("the offset is 'inf'", lambda: Calibration.from_json({"scale": 1.0, "offset": float("inf")})),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
