"""Objectives that know of synthetic outliers: what FakeRadar's tri-training minimises, and its relatives.

They look at `batch.probe` and at `outputs.outlier_logits`, which `loss_fn` fills in for a model with a head. A batch
without a probe has no outliers, and the part of them is 0. So whether tri-training takes place in the inner loop, in
the outer loop or in both is a matter of which batches bring a probe.
"""

import functools

import jax.numpy as jnp

from metaforge import losses
from metaforge.objectives._composed import Weight, WeightedSum, weighted_sum
from metaforge.outliers import assign
from metaforge.types import OUTLIER, REAL, Batch, Objective, Outputs


def fakeradar(
    *, contrastive: Weight = 1.0, cls: Weight = 0.5, temperature: float = 0.1, label_smoothing: float = 0.0
) -> WeightedSum:
    r"""FakeRadar's tri-training, $\mathcal{L} = \mathcal{L}_{con} + \lambda \mathcal{L}_{cls}$ with $\lambda = 0.5$.

    Args:
        contrastive: the weight of `outlier_contrastive`, or a schedule.
        cls: the weight of `tri_cross_entropy`, or a schedule.
        temperature: of the contrastive part.
        label_smoothing: of the cross-entropy.

    Returns:
        A `WeightedSum` of the parts "contrastive" and "cls".

    Example:
        >>> print(fakeradar().weights())
        {'contrastive': Array(1., dtype=float32), 'cls': Array(0.5, dtype=float32)}

    References:
        Li et al., *FakeRadar: Probing Forgery Outliers to Detect Unknown Deepfake Videos*, ICCV 2025.
    """
    return weighted_sum(
        contrastive=(contrastive, outlier_contrastive(temperature=temperature)),
        cls=(cls, tri_cross_entropy(label_smoothing=label_smoothing)),
    )


def tri_cross_entropy(*, label_smoothing: float = 0.0) -> Objective:
    """Outlier-conditioned cross-entropy over real, fake and outlier: one mean over the images and the outliers.

    Args:
        label_smoothing: in [0, 1].

    Returns:
        An `Objective` of logits `(examples, 3)`, in nats. It reports the `accuracy` of real against forged (fake and
        outlier merged) and the share of `outliers_taken_for_real`.

    Example:
        >>> outputs = Outputs(jnp.zeros((2, 3)), jnp.zeros((2, 1)))
        >>> value, metrics = tri_cross_entropy()(outputs, Batch(None, jnp.array([0, 1])))
        >>> print(value.round(4), metrics["accuracy"])
        1.0986 0.5

    References:
        Li et al., *FakeRadar: Probing Forgery Outliers to Detect Unknown Deepfake Videos*, ICCV 2025.
    """

    def objective(outputs, batch):
        images = losses.outlier_conditioned_cross_entropy(
            outputs.logits, batch.targets, label_smoothing=label_smoothing
        )
        forged = jnp.argmax(outputs.logits, axis=1) != REAL
        accuracy = jnp.mean(forged == (batch.targets != REAL))
        logits, where = _outlier_logits(outputs, batch)
        outliers = losses.outlier_conditioned_cross_entropy(
            logits, jnp.full(where.shape, OUTLIER), label_smoothing=label_smoothing, where=where
        )
        count = images.shape[0] + jnp.sum(where)
        metrics = {"accuracy": accuracy, "outliers_taken_for_real": _mean(jnp.argmax(logits, axis=1) == REAL, where)}
        return (jnp.sum(images) + jnp.sum(outliers)) / count, metrics

    return objective


def outlier_contrastive(*, temperature: float = 0.1, siblings: bool = True) -> Objective:
    """Pulls each embedding to the centre of its subcluster, away from other centres and from outliers.

    An image is assigned to the likeliest cluster of its side, real or fake.

    Args:
        temperature: above 0.
        siblings: whether other centres of an image's own class count among those it is pushed from.

    Returns:
        An `Objective` of embeddings and targets, in nats: a mean over the images, 0 until there are clusters.

    Example:
        >>> from metaforge import outliers
        >>> synthesizer = outliers.fakeradar(2, slots=2)
        >>> state = synthesizer.init(4)
        >>> import jax
        >>> probe = outliers.Probe(state, synthesizer.sample(jax.random.key(0), state, 3))
        >>> batch = Batch(None, jnp.array([0, 1]), probe=probe)
        >>> print(jax.jit(outlier_contrastive())(Outputs(jnp.zeros((2, 3)), jnp.ones((2, 4))), batch)[0])
        0.0

    References:
        Li et al., *FakeRadar: Probing Forgery Outliers to Detect Unknown Deepfake Videos*, ICCV 2025.
    """

    def objective(outputs, batch):
        if batch.probe is None:
            return jnp.zeros(()), {}
        state, outliers = batch.probe
        side = (state.clusters.label != REAL)[None, :] == (batch.targets != REAL)[:, None]
        # An image whose side has no cluster yet has no centre to be pulled to.
        ready = (state.updates > 0) & jnp.any(side & state.clusters.active[None, :], axis=1)
        values = losses.outlier_contrastive(
            outputs.embeddings,
            assign(state, outputs.embeddings, batch.targets),
            state.centers,
            outliers.features,
            temperature=temperature,
            center_classes=None if siblings else state.clusters.label,
            where=ready,
            where_centers=state.clusters.active,
            where_outliers=outliers.where,
        )
        return _mean(values, ready), {}

    return objective


def outlier_exposure() -> Objective:
    """Asks that outliers look like no known class: the mean over outliers of a cross-entropy from the uniform.

    Its place is beside `cross_entropy`, with a weight of 0.5 in the paper, and with logits of real and fake only.

    Returns:
        An `Objective` of `outlier_logits`, in nats.

    Example:
        >>> value, _ = outlier_exposure()(Outputs(jnp.zeros((2, 2)), jnp.zeros((2, 1))), Batch(None, jnp.array([0, 1])))
        >>> print(value)
        0.0

    References:
        Hendrycks, Mazeika and Dietterich, *Deep Anomaly Detection with Outlier Exposure*, ICLR 2019, section 3.
    """

    def objective(outputs, batch):
        logits, where = _outlier_logits(outputs, batch)
        return _mean(losses.outlier_exposure(logits, where=where), where), {}

    return objective


def energy_bounded(*, known_margin: float, outlier_margin: float, temperature: float = 1.0) -> Objective:
    """Asks for low energy of images and high energy of outliers: the mean over the one plus the mean over the other.

    Args:
        known_margin: below which the energy of an image costs nothing, in the unit of the logits.
        outlier_margin: above which that of an outlier costs nothing.
        temperature: of the energy.

    Returns:
        An `Objective` of `logits` and `outlier_logits`. It reports the mean energies.

    Example:
        >>> outputs = Outputs(jnp.zeros((2, 2)), jnp.zeros((2, 1)))
        >>> objective = energy_bounded(known_margin=-1.0, outlier_margin=0.0)
        >>> value, metrics = objective(outputs, Batch(None, jnp.array([0, 1])))
        >>> print(f"{value:.3f} {metrics['energy_known']:.3f}")  # (1 - log 2)^2, and -log 2
        0.094 -0.693

    References:
        Liu, Wang, Owens and Li, *Energy-based Out-of-distribution Detection*, NeurIPS 2020, eq. 8.
    """

    def objective(outputs, batch):
        logits, where = _outlier_logits(outputs, batch)
        hinge = functools.partial(
            losses.energy_bounded, known_margin=known_margin, outlier_margin=outlier_margin, temperature=temperature
        )
        known = hinge(outputs.logits, jnp.zeros_like(batch.targets))
        unknown = hinge(logits, jnp.full(where.shape, OUTLIER), where=where)
        metrics = {
            "energy_known": jnp.mean(losses.energy(outputs.logits, temperature=temperature)),
            "energy_outliers": _mean(losses.energy(logits, temperature=temperature, where=where), where),
        }
        return jnp.mean(known) + _mean(unknown, where), metrics

    return objective


def _outlier_logits(outputs: Outputs, batch: Batch):
    """The outliers' logits and which of them exist; a row that does not exist, for a batch without."""
    if batch.probe is None:
        return jnp.zeros((1, outputs.logits.shape[1])), jnp.zeros(1, bool)
    if outputs.outlier_logits is None:
        raise ValueError("the batch has outliers, but nothing scored them: give loss_fn a model with a head.")
    return outputs.outlier_logits, batch.probe.outliers.where


def _mean(values, where):
    return jnp.sum(jnp.where(where, values, 0.0)) / jnp.maximum(jnp.sum(where), 1)
