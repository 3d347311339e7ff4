"""From a prior and a few images of a target to a head, in closed form."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from metaforge.adaptation.gaussian._prior import SPREADS, STRENGTH, Head, Prior
from metaforge.errors import InputError
from metaforge.evaluation.calibration import fit_scaling
from metaforge.types import FAKE, REAL

NO_PAIR = -1
"""The number of an image whose counterpart is not at hand."""

DEGREES = 2.0  # images that the prior's noise counts as, beside the support set's own


def posterior(
    prior: Prior,
    support: Float[Array, "examples features"],
    labels: Int[Array, " examples"],
    *,
    pairs: Int[Array, " examples"] | None = None,
    unlabelled: Float[Array, "images features"] | None = None,
) -> Head:
    r"""The head of a target domain.

    With whitened embeddings $\tilde x = L^{-1}(x - m)$, the support set shows a shift $\hat\delta$, the mean of its
    fakes minus that of its reals, which has a variance $v$ in each coordinate. The posterior mean of the shift is

    $$\delta^* = (1 - g)\,\delta_0 + g\,\hat\delta, \qquad g = \frac{\tau}{\tau + v},$$

    so that with no label it is the source's $\delta_0$, and with many it is what they show. The real images of the
    target, labelled or not, add their scatter $Z^\top Z$ to the covariance, which counts as $n_0$ of them:

    $$w = \left(\frac{n_0 I + Z^\top Z}{n_0 + k}\right)^{-1} \delta^*.$$

    Scores are divided by their standard deviation. They are centred on the real images of the target as far as the
    drift between collections says, and scale and offset of the logit are fitted to them with the source's calibration
    as their prior (`metaforge.evaluation.calibration.fit_scaling`); one class alone does not move them. What counts of
    a support image is its score when it, and its counterpart, is left out.

    Everything is computed in the span of the images and $w_0$: one solve with as many unknowns as there are images.

    Args:
        prior: of a source.
        support: embeddings; there may be none, and of one class only.
        labels: 0 for real, anything above for fake.

    Other Arguments:
        pairs: a number that a fake and the real image which it was made from share, `NO_PAIR` for an image without a
            counterpart. Differences within pairs have less noise.
        unlabelled: embeddings of real images of the target beside the support set; never of images that are judged.

    Returns:
        A `Head`.

    Raises:
        InputError: for embeddings of another size than the prior's.

    Example:
        >>> from metaforge.adaptation.gaussian import uninformed
        >>> seen = jnp.array([[0.0, 0.0], [0.2, 0.1], [2.0, 0.1], [2.1, 0.0]])
        >>> head = jax.jit(posterior)(uninformed(2), seen, jnp.array([0, 0, 1, 1]))
        >>> bool(seen[3] @ head.weights + head.bias > 0 > seen[0] @ head.weights + head.bias)
        True
    """
    count = len(support)
    beside = support[:0] if unlabelled is None else unlabelled
    for seen in (support, beside):
        if seen.shape[1:] != prior.middle.shape:
            raise InputError(f"posterior: embeddings of {seen.shape[1]} numbers, and a prior of {prior.middle.size}. "
                             "Give those of the network that it was fitted on.")  # fmt: skip
    rows = jnp.concatenate([support, beside]).astype(jnp.float32)
    whitened = jax.scipy.linalg.solve_triangular(prior.factor, (rows - prior.middle[None]).T, lower=True).T
    first = _product(prior.factor.T, prior.weights[:, None]).T
    basis = jnp.concatenate([whitened, first])
    gram = _product(basis, basis.T)
    fake = (labels >= FAKE).astype(jnp.float32)
    every = jnp.arange(len(rows))
    partner = _partners(labels, pairs)
    solve = lambda kept: _direction(prior, gram, fake, partner, kept, basis.shape[1])

    # Left out, an image takes its counterpart along. One after the other: together they would need a system each in
    # memory, and on a CPU solves in batches wait for threads that wait for them.
    same = every[None, :count] == every[:count, None]
    left = jnp.where(same | (every[None, :count] == partner[:, None]), 0.0, 1.0)
    alone = jax.lax.map(lambda at: solve(at[0])[1][at[1]], (left, every[:count])) if count else jnp.zeros(0)
    coefficients, scores = solve(jnp.ones(count))
    # A direction is low at the reals that it was made of; what it says of others is what the centre is for.
    reals = (1 - fake) * alone
    known = jnp.sum(reals) + jnp.sum(scores[count:-1])
    images = jnp.sum(1 - fake) + len(beside)
    centre = lambda known, images: known / (1.0 / jnp.maximum(prior.drift, 1e-6) + images)
    without = alone - centre(known - reals, images - (1 - fake))
    scale, offset = fit_scaling(without, fake > 0, scale=prior.scale, offset=prior.offset, spreads=SPREADS)

    direction = jax.scipy.linalg.solve_triangular(
        prior.factor, _product(basis.T, coefficients[:, None]), lower=True, trans=1
    )[:, 0]
    weights = scale * direction
    bias = offset - scale * centre(known, images) - jnp.dot(weights, prior.middle, precision="highest")
    return Head(weights, bias)


def _direction(prior: Prior, gram, fake, partner, kept, size: int):
    """Coefficients of the direction in the basis, and the scores of its rows.

    `kept` is 0 for support images that are left out. The rows of the basis are the support set, unlabelled images and
    the source's direction; all that is computed are coefficients of them.
    """
    count, total = len(fake), len(gram)
    fill = lambda values, rest: jnp.concatenate([values, jnp.full(total - 1 - count, rest), jnp.zeros(1)])
    fakes, reals = fill(kept * fake, 0.0), fill(kept * (1 - fake), 0.0)
    shown, noise = _shift(prior, gram, fakes, reals, fill(_kept_pairs(kept, partner), 0.0), partner, size)
    trust = prior.variance / (prior.variance + noise)
    shift = trust * shown + (1 - trust) * jnp.zeros(total).at[-1].set(1.0)

    # The scatter of real images about their own mean.
    of_target = fill(kept * (1 - fake), 1.0)
    images = jnp.sum(of_target)
    mean = of_target / jnp.maximum(images, 1.0)
    scatter = jnp.diag(of_target) - of_target[:, None] * mean[None]
    seen = _product(scatter, gram)
    inner = STRENGTH * jnp.eye(total) + _product(seen, scatter.T)
    found = shift - _product(scatter.T, jnp.linalg.solve(inner, _product(seen, shift[:, None])))[:, 0]
    found = found * (STRENGTH + images) / STRENGTH

    deviation = jnp.sqrt(jnp.maximum(_product(found[None], _product(gram, shift[:, None]))[0, 0], 1e-12))
    found = found / deviation
    return found, _product(gram, found[:, None])[:, 0]


def _shift(prior: Prior, gram, fakes, reals, paired, partner, size: int):
    """What the support set shows of the shift, as coefficients, and its variance in each whitened coordinate.

    Pairs show it by their differences, and what has no counterpart by the difference of its class means; the two are
    weighted by their precisions.
    """
    count = len(partner)
    in_pairs, alone = paired * fakes, 1 - paired
    pairs = jnp.sum(in_pairs)
    # Coefficients of each pair's difference: 1 at its fake, -1 at its real image.
    other = jnp.zeros((count, len(gram))).at[jnp.arange(count), jnp.maximum(partner, 0)].set(-1.0)
    difference = (jnp.eye(count, len(gram)) + other) * in_pairs[:count, None]
    by_pairs, spread = _mean_and_spread(gram, difference, in_pairs[:count], prior.noise[1], size)
    variance = spread / jnp.maximum(pairs, 1e-12)

    singles = [
        _mean_and_spread(gram, jnp.diag(each), each, prior.noise[0], size) for each in (fakes * alone, reals * alone)
    ]
    counts = [jnp.sum(each) for each in (fakes * alone, reals * alone)]
    by_means = singles[0][0] - singles[1][0]
    others = sum(spread / jnp.maximum(number, 1e-12) for (_, spread), number in zip(singles, counts, strict=True))
    first = jnp.where(pairs > 0, 1 / variance, 0.0)
    second = jnp.where((counts[0] > 0) & (counts[1] > 0), 1 / others, 0.0)
    precision = first + second
    shown = (first * by_pairs + second * by_means) / jnp.maximum(precision, 1e-12)
    return shown, jnp.where(precision > 0, 1 / jnp.maximum(precision, 1e-12), jnp.inf)


def _mean_and_spread(gram, rows, weights, noise, size: int):
    """The mean of vectors whose coefficients are `rows`, and the variance of a coordinate, with the prior's noise."""
    number = jnp.sum(weights)
    mean = jnp.sum(rows, axis=0) / jnp.maximum(number, 1.0)
    squares = jnp.sum(_product(rows, gram) * rows)
    about = jnp.maximum(squares - number * jnp.sum(_product(mean[None], gram)[0] * mean), 0.0) / size
    degrees = jnp.maximum(number - 1, 0.0)
    return mean, (DEGREES * noise + about) / (DEGREES + degrees)


def _partners(labels, pairs):
    """For each support image the row of its counterpart, or `NO_PAIR`."""
    count = len(labels)
    if pairs is None or not count:
        return jnp.full(count, NO_PAIR)
    fake = labels >= FAKE
    match = (pairs[:, None] == pairs[None]) & (pairs[:, None] != NO_PAIR) & (fake[:, None] != fake[None])
    # A number that more than two images share says nothing of who belongs to whom.
    alone = jnp.sum((pairs[:, None] == pairs[None]), axis=1) == 2
    return jnp.where(jnp.any(match, axis=1) & alone, jnp.argmax(match, axis=1), NO_PAIR)


def _kept_pairs(kept, partner):
    """1 for the images whose counterpart is there too."""
    if not len(kept):
        return kept
    return jnp.where(partner >= 0, kept * kept[jnp.maximum(partner, 0)], 0.0)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    # Accelerators multiply with 10 bits by default.
    return jnp.matmul(a, b, precision="highest")


assert REAL == 0
