"""Episodes: a pure function of (records, seed, index), so that a run has nothing to save but its step."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.types import FAKE, REAL, Batch, Episode

_ATTEMPTS = 50


class EpisodeRows(NamedTuple):
    """Which records make a meta-batch: row numbers, int32.

    Attributes:
        support: shape `(tasks, support examples)`.
        query: shape `(tasks, query examples)`.
        domains: the domain of each task.
    """

    support: np.ndarray
    query: np.ndarray
    domains: tuple[str, ...]


class EpisodeSampler:
    """Draws meta-batches: `sampler(index)` is the same on any machine, worker or device count.

    A task is a domain. Within a task, support and query share no video and nobody: the people of the domain are first
    dealt to two sides, and a fake is eligible for a side only if both its face and its donor are on it.

    Args:
        records: where to draw from; the split has been chosen already.

    Other Arguments:
        seed: the stream of episodes.
        tasks: domains in a meta-batch, drawn without replacement if there are enough of them.
        shots: support images per class. With another `fake_share` than a half, `2 * shots` images in all.
        queries: query images per class.
        fake_share: the share of fakes in the support set, in (0, 1); 0.5 is class-balanced.
        lead: domains that are in every meta-batch; the other tasks are drawn among the rest.

    Raises:
        InputError: when a domain has one class only, or too few images or people; it names the domain. When `lead`
            names a domain that is not there, or more of them than there are tasks.

    Example:
        >>> images = np.zeros((40, 4, 4, 3), np.uint8)
        >>> who = [f"p{i // 2}" for i in range(40)]
        >>> records = Records.from_columns(image=images, label=[0, 1] * 20, domain=["swap"] * 40, identity=who)
        >>> rows = EpisodeSampler(records, seed=0, tasks=1, shots=2, queries=3)(0)
        >>> rows.support.shape, rows.query.shape, rows.domains
        ((1, 4), (1, 6), ('swap',))
    """

    def __init__(
        self,
        records: Records,
        *,
        seed: int,
        tasks: int,
        shots: int,
        queries: int,
        fake_share: float = 0.5,
        lead: Sequence[str] = (),
    ):
        """Deals the records into domains and finds who belongs together."""
        if not 0 < fake_share < 1:
            raise InputError(f"fake_share: {fake_share} leaves a class without images. Give a number between 0 and 1.")
        fakes = int(np.clip(round(2 * shots * fake_share), 1, 2 * shots - 1)) if shots > 0 else 0
        self._wanted = {REAL: (2 * shots - fakes, queries), FAKE: (fakes, queries)}
        self._share = shots / max(shots + queries, 1)
        self._seed, self._tasks, self._records = seed, tasks, records
        groups = together(records)
        self._domains = {name: _Domain(records, rows, groups) for name, rows in records.by_domain().items()}
        if not self._domains:
            raise InputError("episodes: there are no records to draw from. Check the split and the domains asked for.")
        self._lead = list(lead)
        self._check_lead(tasks)
        for name, domain in self._domains.items():
            for label, word in ((REAL, "real"), (FAKE, "fake")):
                have, need = int(domain.count[domain.label == label].sum()), sum(self._wanted[label])
                if have < need:
                    raise InputError(
                        f"episodes: domain '{name}' has {have} {word} images, but {shots} shots and {queries} queries "
                        f"need {need}. Lower `shots` or `queries`, or give more images."
                    )

    def __call__(self, index: int, *, tasks: int | None = None) -> EpisodeRows:
        """The meta-batch of number `index`.

        Args:
            index: its number.

        Other Arguments:
            tasks: how many domains, where not as many as ever.
        """
        if tasks is not None:
            self._check_lead(tasks)
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, index]))
        names = [name for name in self._domains if name not in self._lead] or list(self._domains)
        drawn = (tasks or self._tasks) - len(self._lead)
        chosen = rng.choice(len(names), drawn, replace=drawn > len(names))
        domains = (*self._lead, *(names[i] for i in chosen))
        sides = [self._draw(rng, self._domains[name], name) for name in domains]
        return EpisodeRows(
            np.stack([support for support, _ in sides]), np.stack([query for _, query in sides]), domains
        )

    def episode(self, index: int, *, beside: Mapping[str, np.ndarray] | None = None) -> Episode:
        """The meta-batch of number `index` itself, its images copied to the device.

        Args:
            index: its number.

        Other Arguments:
            beside: what else a model is shown of every record, as in `metaforge.data.pools.pool`.
        """
        rows = self(index)
        inputs = {"image": self._records.image, **beside} if beside else self._records.image
        of = lambda side: jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf[side])), inputs)
        support, query = (Batch(of(r), jnp.asarray(self._records.label[r])) for r in (rows.support, rows.query))
        return Episode(support, query)

    def _check_lead(self, tasks: int) -> None:
        if len(self._lead) > tasks or set(self._lead) - set(self._domains):
            raise InputError(
                f"episodes: {', '.join(self._lead)} cannot lead each of {tasks} tasks; the domains are "
                f"{', '.join(self._domains)}. Name fewer, or raise `tasks`."
            )

    def _draw(self, rng, domain: "_Domain", name: str) -> tuple[np.ndarray, np.ndarray]:
        for attempt in range(_ATTEMPTS):
            side = np.zeros(domain.groups, bool)
            # People are dealt as images are asked for. A swap needs both its people on one side, so where a small side
            # holds too few of them, the sides grow more even from attempt to attempt.
            share = self._share + (0.5 - self._share) * attempt / _ATTEMPTS
            count = int(np.clip(round(share * domain.groups), 1, max(domain.groups - 1, 1)))
            side[rng.permutation(domain.groups)[:count]] = True
            face, donor = side[domain.face], side[domain.donor]
            drawn = ([], [])
            for label, (shots, queries) in self._wanted.items():
                of_class = domain.label == label
                for part, eligible, need in ((0, face & donor, shots), (1, ~face & ~donor, queries)):
                    if domain.count[of_class & eligible].sum() >= need:
                        drawn[part].append(domain.draw(rng, of_class & eligible, need))
            if len(drawn[0]) == len(drawn[1]) == 2:
                return tuple(rng.permutation(np.concatenate(part)).astype(np.int32) for part in drawn)  # type: ignore[return-value]
        raise InputError(
            f"episodes: domain '{name}' has too few people ({domain.groups}) for a support and a query set that share "
            f"nobody. Lower `shots` or `queries`, or give more people."
        )


class _Domain:
    """One domain's rows, sorted into cells: all images of one class, one face and one donor.

    An episode looks at cells, not at rows: it costs as much with a thousand frames of a video as with one.
    """

    def __init__(self, records: Records, rows: np.ndarray, groups: tuple[np.ndarray, np.ndarray]):
        _, codes = np.unique(np.stack([groups[0][rows], groups[1][rows]]), return_inverse=True)
        face, donor = codes.reshape(2, len(rows)).astype(np.int64)
        self.groups = int(codes.max()) + 1 if len(rows) else 0
        cell = (records.label[rows] * self.groups + face) * self.groups + donor
        order = np.argsort(cell, kind="stable")
        self._rows = rows[order]
        cells, self._start, self.count = np.unique(cell[order], return_index=True, return_counts=True)
        rest, self.donor = np.divmod(cells, max(self.groups, 1))
        self.label, self.face = np.divmod(rest, max(self.groups, 1))

    def draw(self, rng, cells: np.ndarray, need: int) -> np.ndarray:
        """`need` rows of the cells in a boolean mask, without replacement, all equally likely."""
        count, start = self.count[cells], self._start[cells]
        ends = np.cumsum(count)
        place = rng.choice(ends[-1], need, replace=False)
        cell = np.searchsorted(ends, place, side="right")
        return self._rows[start[cell] + place - (ends - count)[cell]]


def together(records: Records) -> tuple[np.ndarray, np.ndarray]:
    """Who may not be parted: the group of each record's face, and that of its donor.

    People who appear in one video form one group. A record without an identity counts as a person of its own, or as
    its video's; it belongs to the video that it was made from (`Records.originals`).

    Returns:
        Two int64 arrays, shape `(records,)`.

    Example:
        >>> images = np.zeros((3, 4, 4, 3), np.uint8)
        >>> records = Records.from_columns(image=images, label=[0, 0, 1], identity=["a", "b", "a"],
        ...                                donor=["", "", "b"], video=["v", "v", "w"])
        >>> face, donor = together(records)
        >>> len(set(face.tolist())), bool((face == donor).all())
        (1, True)
    """
    count, videos = len(records), records.video.tolist()
    # A record without a video is one of its own.
    names = [name or row for row, name in enumerate(videos)]
    sources = records.originals().tolist()
    if any(sources):
        names += [source or name for source, name in zip(sources, names, strict=True)]
    ends = _numbers(names)
    own = ends[:count]
    people = _numbers([*records.identity.tolist(), *records.donor.tolist()]) + len(ends)
    face = np.where(records.identity == "", own, people[:count])
    donor = np.where(records.donor == "", face, people[count:])
    links = (np.ones(len(ends), np.int8), (np.resize(face, len(ends)), ends))
    nodes = int(max(people.max(initial=0), own.max(initial=0))) + 1
    _, group = connected_components(coo_array(links, shape=(nodes, nodes)), directed=False)
    return group[face].astype(np.int64), group[donor].astype(np.int64)


def _numbers(names: list) -> np.ndarray:
    """A number for every different name, from 0: a million in a tenth of a second, where sorting takes a second."""
    codes = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.fromiter(map(codes.__getitem__, names), np.int64, len(names))
