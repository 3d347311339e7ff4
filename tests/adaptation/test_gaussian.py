"""The discriminant with a prior: each part against a dense statement of its equation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from metaforge.adaptation.gaussian import NO_PAIR, Prior, fit, folds, head_of, uninformed
from metaforge.adaptation.gaussian import posterior as eager_posterior
from metaforge.adaptation.gaussian import whitened_head as eager_whitened_head
from metaforge.adaptation.gaussian._prior import SPREADS, STRENGTH
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Calibration, fit_calibration

FEATURES = 6

# Compiled, one program in place of a hundred. That both say the same is a test of the rules.
posterior = jax.jit(eager_posterior)
whitened_head = jax.jit(eager_whitened_head, static_argnames="l2")


def numbers(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture(scope="module")
def prior():
    root = np.tril(0.3 * numbers(0, FEATURES, FEATURES)) + 1.2 * np.eye(FEATURES)
    as32 = lambda value: jnp.asarray(value, jnp.float32)
    return Prior(
        as32(numbers(1, FEATURES)), as32(root), as32(numbers(2, FEATURES)), as32(0.4), as32([0.7, 0.3]), as32(0.2),
        as32(1.3), as32(-0.4),
    )  # fmt: skip


def examples(reals, fakes, seed=3):
    seen = numbers(seed, reals + fakes, FEATURES)
    labels = np.repeat([0, 1], [reals, fakes])
    return seen + 0.8 * labels[:, None], labels


def dense_direction(prior, seen, labels, *, pairs=None, beside=None):
    """The equations of the docstring with whole matrices, in float64: scores of deviation 1."""
    prior = Prior(*(np.asarray(part, np.float64) for part in prior))
    white = lambda x: np.linalg.solve(prior.factor, (x - prior.middle).T).T
    first = prior.factor.T @ prior.weights
    x, fake = white(seen), labels > 0
    partner = {}
    for row in np.flatnonzero(fake):
        match = (
            [] if pairs is None else [other for other in np.flatnonzero(~fake) if pairs[other] == pairs[row] != NO_PAIR]
        )
        if match:
            partner[row] = match[0]
    blend = lambda rows, known: (
        (2 * known + np.sum(np.square(rows - rows.mean(axis=0))) / FEATURES) / (2 + max(len(rows) - 1, 0))
    )
    shown, precisions = [], []
    if partner:
        differences = np.stack([x[ours] - x[theirs] for ours, theirs in partner.items()])
        shown.append(differences.mean(axis=0))
        precisions.append(len(differences) / blend(differences, prior.noise[1]))
    alone = ~np.isin(np.arange(len(x)), [*partner, *partner.values()])
    parts = [x[fake & alone], x[~fake & alone]]
    if all(len(part) for part in parts):
        shown.append(parts[0].mean(axis=0) - parts[1].mean(axis=0))
        precisions.append(1 / sum(blend(part, prior.noise[0]) / len(part) for part in parts))
    shift = first
    if shown:
        noise = 1 / sum(precisions)
        trust = prior.variance / (prior.variance + noise)
        mean = noise * sum(precision * each for precision, each in zip(precisions, shown, strict=True))
        shift = trust * mean + (1 - trust) * first
    reals = x[~fake] if beside is None else np.concatenate([x[~fake], white(beside)])
    scatter = (reals - reals.mean(axis=0)).T @ (reals - reals.mean(axis=0)) if len(reals) else 0.0
    matrix = (STRENGTH * np.eye(FEATURES) + scatter) / (STRENGTH + len(reals))
    direction = np.linalg.solve(matrix, shift)
    direction /= np.sqrt(direction @ matrix @ direction)
    return lambda rows: white(rows) @ direction


CASES = {
    "none": (0, 0, None, 0),
    "reals alone": (4, 0, None, 0),
    "fakes alone": (0, 3, None, 0),
    "one each": (1, 1, None, 0),
    "unequal": (3, 5, None, 2),
    "pairs": (4, 4, [0, 1, 2, 3, 0, 1, 2, 3], 0),
    "some pairs": (4, 3, [0, 1, NO_PAIR, NO_PAIR, 1, 0, NO_PAIR], 3),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_posterior_is_that_of_the_whole_matrices_and_its_logit_that_of_scores_left_out(prior, case):
    reals, fakes, pairs, beside = case
    seen, labels = examples(reals, fakes)
    beside = numbers(8, beside, FEATURES) if beside else None
    as_array = lambda value: None if value is None else jnp.asarray(value)
    head = posterior(
        prior, jnp.asarray(seen, jnp.float32), jnp.asarray(labels), pairs=as_array(pairs), unlabelled=as_array(beside)
    )
    pairs = None if pairs is None else np.array(pairs)
    left = []
    for row in range(len(seen)):
        kept = np.arange(len(seen)) != row
        if pairs is not None and pairs[row] != NO_PAIR:
            kept &= pairs != pairs[row]
        of = None if pairs is None else pairs[kept]
        left.append(dense_direction(prior, seen[kept], labels[kept], pairs=of, beside=beside)(seen[row : row + 1])[0])
    score = dense_direction(prior, seen, labels, pairs=pairs, beside=beside)
    known = [score(each[None])[0] for each in ([] if beside is None else beside)]
    mean = lambda scores: sum(scores) / (1 / 0.2 + len(scores))
    others = lambda row: [left[i] for i in range(len(seen)) if labels[i] == 0 and i != row]
    left, centre = [each - mean(known + others(row)) for row, each in enumerate(left)], mean(known + others(-1))
    known = Calibration(float(prior.scale), float(prior.offset))
    scale, offset = fit_calibration(left, labels, prior=known, spreads=SPREADS)
    # One class does not say where the other lies.
    assert ((scale, offset) == known) == (len(np.unique(labels)) < 2)
    asked = numbers(9, 5, FEATURES)
    expected = scale * (score(asked) - centre) + offset
    np.testing.assert_allclose(asked @ np.asarray(head.weights) + head.bias, expected, rtol=2e-3, atol=2e-4)


def test_without_an_image_it_is_the_sources_own_head(prior):
    head = posterior(prior, jnp.zeros((0, FEATURES)), jnp.zeros(0, jnp.int32))
    for ours, theirs in zip(head, head_of(prior), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_many_images_outweigh_the_source(prior):
    # Reals about the middle and fakes at a shift that the source does not know: the best direction is that shift's.
    shift = np.zeros(FEATURES)
    shift[2] = 3.0
    noise = numbers(5, 160, FEATURES)
    labels = np.tile([0, 1], 80)
    white = noise + labels[:, None] * shift
    seen = white @ np.asarray(prior.factor, np.float64).T + np.asarray(prior.middle)
    head = posterior(prior, jnp.asarray(seen, jnp.float32), jnp.asarray(labels))
    whitened = np.asarray(prior.factor, np.float64).T @ np.asarray(head.weights)
    assert whitened @ shift / np.linalg.norm(whitened) / 3 > 0.98
    assert (np.asarray(prior.factor).T @ np.asarray(prior.weights))[2] / np.linalg.norm(
        np.asarray(prior.factor).T @ np.asarray(prior.weights)
    ) < 0.9


def source_images():
    kinds = np.repeat(["swap", "warp", "smooth"], 80)
    collections = np.tile(np.repeat(["here", "there"], 2), 60)
    labels = np.tile([0, 1], 120)
    shift = {"swap": 1.0, "warp": 0.5, "smooth": 2.0}
    seen = numbers(4, 240, FEATURES) @ np.diag([1, 2, 3, 1, 1, 5.0])
    seen[:, 1] += labels * np.array([shift[kind] for kind in kinds]) + 0.3 * (collections == "there")
    return seen, labels, kinds, collections


def test_without_shrinkage_the_source_is_scikit_learns_discriminant():
    seen, labels, kinds, collections = source_images()
    found = fit(seen, labels, kinds, collections=collections, shrinkage=1e-7).prior
    reference = LinearDiscriminantAnalysis(solver="lsqr").fit(seen, labels).coef_[0]
    cosine = reference @ found.weights / np.linalg.norm(reference) / np.linalg.norm(found.weights)
    assert cosine > 1 - 1e-5


def test_every_image_is_judged_by_a_fit_without_its_collection_and_its_kind():
    seen, labels, kinds, collections = source_images()
    source = fit(seen, labels, kinds, collections=collections)
    where = (collections == "here") & (kinds == "warp")
    rest = (collections != "here") & (kinds != "warp")
    alone = Prior(*(np.float64(part) for part in fit(seen[rest], labels[rest], kinds[rest]).prior))
    score = seen[where] @ np.float64(alone.weights) / np.linalg.norm(alone.factor.T @ alone.weights)
    score -= alone.middle @ alone.weights / np.linalg.norm(alone.factor.T @ alone.weights)
    ours = {int(row): logit for row, logit in zip(source.rows, source.logits, strict=True)}
    logits = np.array([ours[row] for row in np.flatnonzero(where)])
    np.testing.assert_allclose(logits, source.prior.scale * score + source.prior.offset, rtol=1e-3, atol=1e-3)
    distance = np.mean(np.square(np.linalg.solve(np.float64(alone.factor), (seen[where] - alone.middle).T)), axis=0)
    theirs = {int(row): each for row, each in zip(source.rows, source.distances, strict=True)}
    np.testing.assert_allclose([theirs[row] for row in np.flatnonzero(where)], distance, rtol=1e-3)


def test_where_the_embeddings_lie_does_not_matter():
    seen, labels, kinds, collections = source_images()
    # Numbers that a float holds exactly at every place, and one that is the same in all images.
    seen = np.column_stack([np.round(seen * 64) / 64, np.zeros(240)])
    away = np.array([1e4, -1e5, 1e6, 0, 1e5, 1e6, 1e8])
    near, far = (fit(seen + at, labels, kinds, collections=collections) for at in (0 * away, away))
    np.testing.assert_allclose(far.logits, near.logits, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(far.distances, near.distances, rtol=1e-6)
    np.testing.assert_allclose(far.prior.middle, near.prior.middle + away, rtol=1e-6)
    for ours, theirs in zip(far.prior._replace(middle=near.prior.middle), near.prior, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    single = fit((seen + 1e4).astype(np.float32), labels, kinds, collections=collections)
    np.testing.assert_allclose(single.logits, near.logits, rtol=1e-6, atol=1e-6)


def test_the_variance_is_that_of_kinds_whose_shifts_were_drawn():
    # Two hundred kinds whose shifts are drawn with a variance of 0.5 about a common one; hardly any noise.
    drawn = np.sqrt(0.5) * numbers(6, 200, 40) + 1.0
    kinds = np.repeat(np.arange(200), 40)
    labels = np.tile([0, 1], 4000)
    seen = numbers(7, 8000, 40)
    seen += labels[:, None] * drawn[kinds]
    prior = fit(seen, labels, kinds, shrinkage=1e-6).prior
    # In whitened coordinates the fakes' own spread is part of the metric: (1 + 1.5) / 2.
    mean_variance = (1 + 1.5) / 2
    assert float(prior.variance) == pytest.approx(0.5 / mean_variance, rel=0.25)


def test_what_cannot_be_fitted_is_said():
    seen, labels, kinds, _ = source_images()
    with pytest.raises(InputError, match="only one class"):
        fit(seen, np.zeros(len(seen), int), kinds)
    with pytest.raises(InputError, match="not finite"):
        fit(np.where(np.arange(FEATURES) == 1, np.nan, seen), labels, kinds)
    with pytest.raises(ValueError, match="shrinkage"):
        fit(seen, labels, kinds, shrinkage=0.0)


def test_a_prior_that_knows_nothing_leaves_it_to_the_support_set():
    seen, labels = examples(20, 20)
    head = posterior(
        uninformed(FEATURES)._replace(variance=jnp.array(1e6)), jnp.asarray(seen, jnp.float32), jnp.asarray(labels)
    )
    reals = seen[labels == 0]
    scatter = (reals - reals.mean(axis=0)).T @ (reals - reals.mean(axis=0))
    matrix = STRENGTH * np.eye(FEATURES) + scatter
    direction = np.linalg.solve(matrix, seen[labels == 1].mean(axis=0) - reals.mean(axis=0))
    cosine = direction @ np.asarray(head.weights) / np.linalg.norm(direction) / np.linalg.norm(head.weights)
    assert cosine > 1 - 1e-4


def test_the_folds_of_a_set_are_what_a_fit_without_the_collection_and_the_kind_says():
    labels = np.tile([0, 1], 96)
    kinds, places = np.repeat(["a", "b", "c"], 64), np.tile(np.repeat(["w", "x", "y", "z"], 16), 3)
    seen = numbers(5, 192, FEATURES) + 0.7 * labels[:, None] + 0.3 * (kinds == "b")[:, None] + (places == "y")[:, None]
    pairs = np.repeat(np.arange(96), 2)
    made = list(folds(seen, labels, kinds, places, pairs=pairs))
    assert [(one.collection, one.kind) for one in made] == [(c, k) for c in "wxyz" for k in "abc"]
    for one in (made[0], made[7]):
        mine = np.flatnonzero((places != one.collection) & (kinds != one.kind))
        alone = fit(seen[mine], labels[mine], kinds[mine], collections=places[mine], pairs=pairs[mine])
        np.testing.assert_array_equal(one.source.rows, mine[alone.rows])
        np.testing.assert_allclose(one.source.logits, alone.logits, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(one.source.distances, alone.distances, rtol=1e-6)
        for ours, theirs in zip(one.source.prior, alone.prior, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_folds_need_three_collections_and_every_kind_in_each():
    labels, seen = np.tile([0, 1], 24), numbers(6, 48, FEATURES)
    kinds, places = np.repeat(["a", "b", "c"], 16), np.tile(np.repeat(["x", "y"], 8), 3)
    with pytest.raises(InputError, match="2 collections and 3 kinds"):
        next(folds(seen, labels, kinds, places))
    places = np.where((places == "x") & (kinds == "a"), "z", places)
    with pytest.raises(InputError, match="'x' has fewer than two real or fake images of 'a'"):
        next(folds(seen, labels, kinds, places))


@pytest.mark.parametrize("beside", [0, 5])
def test_the_whitened_direction_is_that_of_the_whole_matrix(beside):
    seen, labels = examples(6, 4)
    more = numbers(11, beside, FEATURES)
    reals = np.concatenate([seen[labels == 0], more])
    standard = lambda x: (x - reals.mean(axis=0)) / reals.std(axis=0)
    matrix = np.corrcoef(reals.T) + 0.5 * np.eye(FEATURES)
    means = [standard(seen[labels == label]).mean(axis=0) for label in (0, 1)]
    direction = np.linalg.solve(matrix, means[1] - means[0])
    asked = numbers(12, 5, FEATURES)
    expected = (standard(asked) - sum(means) / 2) @ direction / (direction @ (means[1] - means[0]) / 2)
    beside = jnp.asarray(more, jnp.float32) if len(more) else None
    head = whitened_head(jnp.asarray(seen, jnp.float32), jnp.asarray(labels), l2=0.5, unlabelled=beside)
    np.testing.assert_allclose(asked @ np.asarray(head.weights) + head.bias, expected, rtol=1e-3, atol=1e-4)


def test_the_whitened_direction_of_one_class_says_nothing():
    head = whitened_head(jnp.asarray(numbers(1, 4, FEATURES), jnp.float32), jnp.zeros(4, jnp.int32))
    np.testing.assert_array_equal(np.append(head.weights, head.bias), 0)


def test_of_one_collection_nobody_is_judged_by_a_fit_that_saw_them():
    # Every person has a place of their own, far from the others: who was seen lies near, who was not lies far.
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(30), 8)
    kinds, labels = np.tile(np.repeat(["a", "b"], 4), 30), np.tile([0, 1], 120)
    seen = rng.normal(size=(30, 40))[people] + 0.01 * rng.normal(size=(240, 40)) + 0.1 * labels[:, None]
    apart = fit(seen, labels, kinds, people=people, shrinkage=0.01)
    along = fit(seen, labels, kinds, shrinkage=0.01)
    assert np.median(apart.distances) > 2 * np.median(along.distances)
    assert sorted(apart.rows) == list(range(240))
