"""Images in memory, each once, and the meta-batches that are gathered out of them on the device."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Int, PyTree, Shaped

from metaforge.data.files import distinct
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.types import Batch, Episode


def gather(
    inputs: PyTree[Shaped[Array, "records ..."]],
    labels: Int[Array, " records"],
    support: Int[Array, "tasks shots"],
    query: Int[Array, "tasks queries"],
    domain: Int[Array, " tasks"] | None = None,
) -> Episode:
    """The meta-batch at given rows of a pool, to be called inside `jax.jit`.

    The pool lives on the device, so a step sends only row numbers there: a few hundred bytes.

    Args:
        inputs: images, uint8; where a part of the model never moves, kept features in their place; or any pytree of
            arrays with the same leading axis, such as image, mask and tokens of a text.
        labels: of every record.
        support: the rows of each task's support set.
        query: those of its query set.
        domain: which domain each task is of, if a learner asks for it.

    Example:
        >>> import jax.numpy as jnp
        >>> inputs = {"image": jnp.zeros((4, 8, 8, 3), jnp.uint8), "mask": jnp.zeros((4, 8, 8), jnp.uint8)}
        >>> episode = gather(inputs, jnp.array([0, 1, 0, 1]), jnp.array([[0, 1]]), jnp.array([[2, 3]]))
        >>> episode.query.inputs["mask"].shape
        (1, 2, 8, 8)
    """
    at = lambda rows: Batch(jax.tree.map(lambda leaf: leaf[rows], inputs), labels[rows])
    return Episode(at(support), at(query), domain)


class ImagePool(NamedTuple):
    """Images in memory, and where a table's rows are among them.

    Attributes:
        image: uint8 `(images, size, size, 3)`, each file once; kept features of these, floating point; or a dict of the
            images and what was asked for beside them.
        label: int32 `(images,)`.
        index: int32 `(rows,)`: the image of every row of the table.
    """

    image: Any
    label: np.ndarray
    index: np.ndarray


def pool(records: Records, *, beside: Mapping[str, np.ndarray] | None = None) -> ImagePool:
    """A table's images, decoded, on the host.

    Args:
        records: the table.

    Other Arguments:
        beside: what else a model is shown of every record, by name: `{"mask": records.mask}`, or the tokens of a text.
            The pool then has a dict, `image` and these.

    Raises:
        InputError: when rows that show one file have different things beside it.

    Example:
        >>> images, masks = np.zeros((2, 8, 8, 3), np.uint8), np.ones((2, 8, 8), np.uint8)
        >>> records = Records.from_columns(image=images, label=[0, 1], mask=masks)
        >>> sorted(pool(records, beside={"mask": records.mask}).image)
        ['image', 'mask']
    """
    image, index = distinct(records.image)
    label = np.zeros(len(image), np.int32)
    label[index] = records.label
    if not beside:
        return ImagePool(image, label, index)
    inputs = {"image": image}
    for name, rows in beside.items():
        inputs[name] = np.zeros((len(image), *rows.shape[1:]), rows.dtype)
        inputs[name][index] = rows
        if not np.array_equal(inputs[name][index], rows):
            raise InputError(f"pool: rows that show one file have a different '{name}'. Give each file one.")
    return ImagePool(inputs, label, index)
