"""What the source says of a head in closed form: a prior fitted to the embeddings of training images."""

import functools
import itertools
import re
import zipfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metaforge.adaptation.gaussian import Head, Prior, Source, fit, from_arrays, posterior, to_arrays
from metaforge.backbones.features import embed
from metaforge.data.pools import ImagePool, pool
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.evaluation.calibration import fit_judge
from metaforge.evaluation.interval import Interval
from metaforge.evaluation.ranking import auc
from metaforge.training import build, kept_features
from metaforge.training.config import Config
from metaforge.types import FAKE, Params
from metaforge.whole import write_arrays

FILE = "prior.npz"
"""The prior in a run's directory."""


def fitted(
    config: Config, params: Params, records: Records, *, held: ImagePool | None = None, frozen: Params | None = None
) -> Source:
    """The prior of a model, from the images that it was trained on.

    Args:
        config: the run's.
        params: the model's, as the run moves them.
        records: the training images.

    Other Arguments:
        held: what the run sees of them, if not they themselves.
        frozen: the rest of the parameters, as in `build.model`.

    Raises:
        InputError: when `--faces.collection` finds no collection in a file's path.
    """
    embeddings = embedded(config, params, records, held=held, frozen=frozen)
    kinds = np.array(records.domain.tolist())
    # A real image stands beside several kinds, and is a pair with the fake of each; what has no name is nobody's pair.
    pairs = np.array(
        [f"{kind} {pair or row}" for row, (kind, pair) in enumerate(zip(kinds, records.pair.tolist(), strict=True))]
    )
    return fit(embeddings, records.label, kinds, pairs=pairs, collections=collections(config, records),
               people=np.array(records.identity.tolist()))  # fmt: skip


def embedded(
    config: Config, params: Params, records: Records, *, held: ImagePool | None = None, frozen: Params | None = None
) -> np.ndarray:
    """The embedding of every record, float32 `(records, features)`; arguments as of `fitted`."""
    held = held or pool(records)
    context = build.source_context(config, records) if config.model.normalisation == "support" else None
    model = build.model(config, frozen=frozen)
    return embed(model, params, held.image, batch=kept_features.BATCH, context=context)[held.index]


def judged(config: Config, records: Records, source: Source) -> dict[str, Any]:
    """What makes verdicts of the head's logits, JSON-able: fitted on images whose collection and kind it had not seen.

    Thresholds count every collection the same; with one alone, its images are one group. What they were fitted on also
    says `left_out_auc`, if there are kinds to leave out.
    """
    groups = collections(config, records)[source.rows].astype(str)
    labels = (records.label[source.rows] >= FAKE).astype(np.int32)
    judge = fit_judge(source.logits, labels, distances=source.distances, groups=groups)
    if (worth := left_out_auc(config, records, source)) is not None:
        judge.bands.fitted_on["left_out_auc"] = worth.as_json()
    return judge.as_json()


def left_out_auc(config: Config, records: Records, source: Source, *, resamples: int = 300) -> Interval | None:
    """What the head is worth on collections and kinds that it has not seen: the mean AUC over all of them.

    The fakes of a kind are ranked against the real images beside them, in each collection by itself, where a fit
    without both has scored them. The interval of 95 % resamples people, the same ones for all kinds.

    Args:
        config: the run's.
        records: the training images.
        source: of these.

    Other Arguments:
        resamples: of people.

    Returns:
        `None` where there is one kind or one person, so that nothing was left out or nobody can be resampled.
    """
    rows = source.rows
    kinds, places = np.array(records.domain.tolist())[rows], collections(config, records)[rows].astype(str)
    labels = (records.label[rows] >= FAKE).astype(np.int32)
    people, who = np.unique(np.array(records.identity.tolist())[rows], return_inverse=True)
    # In one order, so that sums have the same last digits in every process.
    every = itertools.product(np.unique(kinds), np.unique(places))
    cells = [np.flatnonzero((kinds == kind) & (places == place)) for kind, place in every]
    cells = [cell for cell in cells if len(np.unique(labels[cell])) == 2]
    if len(set(kinds)) < 2 or len(people) < 2 or not cells:
        return None

    def mean(times: np.ndarray) -> float:
        # A draw of people may lack a class of a cell; the others then speak for it.
        held = [cell for cell in cells if len(np.unique(labels[cell][times[who[cell]] > 0])) == 2]
        worth = [auc(labels[cell], source.logits[cell], weights=times[who[cell]]) for cell in held]
        return float(np.mean(worth)) if worth else float("nan")

    draws = np.random.default_rng(0).multinomial(len(people), np.full(len(people), 1 / len(people)), size=resamples)
    low, high = np.nanquantile([mean(draw.astype(np.float64)) for draw in draws], [0.025, 0.975])
    return Interval(mean(np.ones(len(people))), float(low), float(high))


def write(directory: Path, prior: Prior) -> None:
    """Keeps the prior of a run."""
    write_arrays(directory / FILE, compressed=False, **to_arrays(prior))


def read(directory: Path, *, features: int | None = None) -> Prior:
    """The prior of a run, whose embeddings have so many `features`.

    Raises:
        InputError: when it is missing, damaged or of other embeddings.
    """
    try:
        with np.load(directory / FILE, allow_pickle=False) as archive:
            return from_arrays(dict(archive), features=features)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"run: {FILE} in '{directory}' is damaged ({error}). Delete report.json and call metaforge train again."
        ) from None


def with_head(params: Params, head: Head) -> Params:
    """The same parameters with another linear head, whose logits are 0 and `head`'s.

    A third class, of outliers, is never the most likely.
    """
    kernel, bias = (np.zeros(leaf.shape, np.float32) for leaf in (params["head"]["kernel"], params["head"]["bias"]))
    kernel[:, FAKE], bias[FAKE], bias[FAKE + 1 :] = head.weights, head.bias, -1e4
    return {**params, "head": {"kernel": kernel, "bias": bias}}


def validation_auc(prior: Prior, features: np.ndarray, labels: np.ndarray, episodes) -> float:
    """The mean AUC of episodes, given as pairs of row numbers of support sets and queries, `(tasks, rows)` each."""
    adapt = jax.jit(lambda *tasks: jax.lax.map(lambda task: posterior(prior, *task), tasks))
    found = []
    for support, query in episodes:
        heads = adapt(jnp.asarray(features[support]), jnp.asarray(labels[support]))
        scores = np.einsum("tqf,tf->tq", features[query], np.asarray(heads.weights))
        found += [auc(targets, row) for targets, row in zip(labels[query], scores, strict=True)]
    return float(np.mean(found))


def collections(config: Config, records: Records) -> np.ndarray:
    """The collection that each image comes from, by `--faces.collection`; one for all where it says nothing.

    Raises:
        InputError: when it is no regular expression, or finds no collection in a file's path.
    """
    if not config.faces.collection:
        return np.zeros(len(records), np.int32)
    found = functools.lru_cache(maxsize=None)(functools.partial(_collection, config.faces.collection))
    return np.array([found(str(name)) for name in records.video])


def _collection(pattern: str, name: str) -> str:
    try:
        match = re.search(pattern, name)
    except re.error as error:
        raise InputError(f"--faces.collection={pattern}: is no regular expression ({error}). Mend it.") from None
    if match is None or match.lastindex is None:
        raise InputError(
            f"--faces.collection={pattern}: finds no group in '{name}'. Put brackets around the collection."
        )
    return match[1]
